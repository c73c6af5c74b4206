"""Uses of a test set are counted in a real MLflow, and each use gets the level that its policy leaves it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest import tracking
from abtest.errors import BackendError, InvalidInputError
from abtest.reuse import REUSES, Reuse, check, spent_level, uses
from abtest.tracking.writing import _experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from abtest.registry import RegistryClient

DIGEST = "0123456789abcdef0123456789abcdef"


def compared(
    client: MlflowClient,
    challenger: str,
    *,
    at: int = 1,
    model: str | None = "iris",
    digest: str = DIGEST,
    kind: str = "comparison",
    experiment: str = "abtest/iris",
) -> str:
    """Log a comparison as a run that started at a certain second."""
    tags = {"abtest.kind": kind, "abtest.data_digest": digest, "abtest.challenger_version": challenger}
    if model:
        tags["abtest.model_name"] = model
    experiment_id = _experiment_id(client, experiment)  # as comparisons do
    return str(client.create_run(experiment_id, start_time=1000 * at, tags=tags).info.run_id)


def test_none_yet(registry: RegistryClient) -> None:
    """A test set that nobody has used has no uses, and any challenger is the first."""
    found = uses(registry.client, DIGEST)
    assert (found.count, found.names, found.earliest) == (0, (), None)
    assert found.number("iris", "3") == 1


def test_counts_distinct_challengers(registry: RegistryClient) -> None:
    """Challengers count once, in the order of their first comparison; those of other data or other runs do not."""
    client = registry.client
    compared(client, "5", at=50)
    compared(client, "4", at=30)
    compared(client, "5", at=20)  # again, or rather before
    compared(client, "5", at=60, model="wine")
    compared(client, "runs:/abc/model", at=70, model=None)
    compared(client, "6", digest="f" * 32)
    compared(client, "7", kind="promotion")
    found = uses(client, DIGEST)
    assert found.count == 4
    assert found.names == ("iris v5", "iris v4", "wine v5", "runs:/abc/model")
    assert found.earliest == datetime.fromtimestamp(20, tz=UTC)
    assert [found.number("iris", "5"), found.number("iris", "4"), found.number(None, "runs:/abc/model")] == [1, 2, 4]
    assert found.number("iris", "6") == found.number(None, "5") == 5


def test_real_comparisons_are_counted(registry: RegistryClient) -> None:
    """Runs that finished, failed or were killed, in any experiment, deleted ones too, all have shown their numbers."""
    client = registry.client
    for number, error in enumerate([None, ValueError, KeyboardInterrupt]):
        tags = {
            "abtest.kind": "comparison", "abtest.data_digest": DIGEST,
            "abtest.model_name": "iris", "abtest.challenger_version": str(number),
        }  # fmt: skip
        try:
            with tracking.open_run(client, f"abtest/{number}", "a comparison", tags):
                if error:
                    raise error
        except (ValueError, KeyboardInterrupt):
            pass
    client.delete_run(compared(client, "8"))
    compared(client, "9", experiment="abtest/gone")
    gone = client.get_experiment_by_name("abtest/gone")
    assert gone is not None
    client.delete_experiment(gone.experiment_id)
    assert set(uses(client, DIGEST).names) == {f"iris v{number}" for number in (0, 1, 2, 8, 9)}


def test_every_page_is_read(registry: RegistryClient) -> None:
    """More experiments and more runs than a page holds are all counted."""
    client = registry.client
    for page in ("search_experiments", "search_runs"):
        plain = getattr(client, page)
        setattr(client, page, lambda plain=plain, **arguments: plain(max_results=2, **arguments))
    for number in range(5):
        compared(client, str(number), at=number, experiment=f"abtest/{number}")
        compared(client, str(10 + number), at=10 + number)
    assert uses(client, DIGEST).count == 10


def test_a_run_without_a_challenger_counts(registry: RegistryClient) -> None:
    """A comparison that does not say whom it compared is a use of its own."""
    client = registry.client
    for _ in range(2):
        run = compared(client, "x")
        client.delete_tag(run, "abtest.challenger_version")
    assert uses(client, DIGEST).count == 2


def test_mlflow_fails(registry: RegistryClient) -> None:
    """What MLflow cannot answer is a failure of the backend, from its cause."""
    client = registry.client
    with pytest.raises(BackendError, match=r"^Earlier comparisons could not be read: .+Hint: ") as failed:
        uses(client, 'it\'s no "digest"')
    assert failed.value.__cause__ is not None


def test_worked_levels() -> None:
    """Use k of .05 is tested at .05/2, .05/6, .05/12, and so on to .05/56 for the seventh."""
    assert [spent_level(0.05, k) for k in (1, 2, 3, 7)] == [0.05 / 2, 0.05 / 6, 0.05 / 12, 0.05 / 56]


@given(st.floats(1e-6, 0.999), st.integers(1, 2000))
def test_levels_add_up(alpha: float, k: int) -> None:
    """The levels of k uses add up to α·k/(k + 1), so never to α; each is smaller than the one before."""
    levels = [spent_level(alpha, i) for i in range(1, k + 1)]
    assert sum(levels) == pytest.approx(alpha * k / (k + 1), rel=1e-9)
    assert sorted(levels, reverse=True) == levels
    assert 0 < levels[-1] < alpha


@pytest.mark.parametrize(
    ("reuse", "use", "level", "sentence"),
    [
        ("warn", 1, 0.05, "First use of this test set."),
        ("refuse", 1, 0.05, "First use of this test set."),
        (
            "warn", 7, 0.05,
            ("Use 7 of this test set: if none of 7 challengers were better, chance alone would promote one in up to "
             "17.5 % of such series."),
        ),
        (
            "spend", 7, 0.05 / 56,
            ("Use 7 of this test set: tested at 0.00089 (0.05 / (7·8)), so that all uses together keep 5.0 %, if the "
             "challengers were chosen before the first result was seen."),
        ),
    ],
)  # fmt: skip
def test_judgements(reuse: Reuse, use: int, level: float, sentence: str) -> None:
    """Each policy says at which level a use is tested, and why."""
    judgement = check(reuse, use, 0.05)
    assert (judgement.level, judgement.sentence) == (level, sentence)


@given(st.sampled_from(["warn", "spend"]), st.integers(1, 10**6), st.floats(0.001, 0.5))
def test_every_use_is_said(reuse: Reuse, use: int, alpha: float) -> None:
    """No use raises the level, and from the second on its number is said, with a chance of at most 100 %."""
    judgement = check(reuse, use, alpha)
    assert 0 < judgement.level <= alpha
    assert f"Use {use} of" in judgement.sentence or use == 1
    assert all(float(shown) <= 100 for shown in re.findall(r"([\d.]+) %", judgement.sentence))


def test_refused() -> None:
    """A second use is refused where the policy refuses; what is no policy, level or use is refused by name."""
    with pytest.raises(InvalidInputError) as refused:
        check("refuse", 2, 0.05)
    assert refused.value.message == "reuse = 'refuse' allows one use of a test set, got use 2."
    assert refused.value.hint is not None
    with pytest.raises(InvalidInputError, match=r"^reuse must be one of warn, spend, refuse, got 'allow'\.$"):
        check("allow", 1, 0.05)  # type: ignore[arg-type] # the mistake under test
    for reuse in REUSES:
        with pytest.raises(InvalidInputError, match=r"^alpha must be in \(0, 1\), got 1\.5\.$"):
            check(reuse, 1, 1.5)
        with pytest.raises(InvalidInputError, match=r"^k must be at least 1, got 0\.$"):
            check(reuse, 0, 0.05)


@pytest.mark.slow
def test_spending_keeps_the_level() -> None:
    """Of 20,000 series of 50 equal challengers on one test set, at most 5 % find any different; unspent, 3 in 10 do."""
    rng, series, k = np.random.default_rng(0), 20_000, 50
    # A shared champion correlates the challengers' z by 1/2, as if each effect were its own less the champion's.
    z = (rng.normal(size=(series, k)) - rng.normal(size=(series, 1))) / np.sqrt(2)
    pvalues = 2 * stats.norm.sf(np.abs(z))
    levels = np.array([spent_level(0.05, i) for i in range(1, k + 1)])
    assert 0.02 <= (pvalues <= levels).any(axis=1).mean() <= 0.05
    promoted = ((pvalues <= 0.05) & (z > 0)).any(axis=1).mean()
    assert promoted >= 0.29
