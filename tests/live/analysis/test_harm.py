"""Harm is seen at any look, and whoever sees it first rolls back, once."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from abtest.evaluator.looks import Path as Looks
from abtest.guardrail import Guardrail
from abtest.labels import SIDES
from abtest.live.analysis.analysing import analyse
from abtest.live.analysis.harm import failures, harm, level_of, rollback, slowness, tuning_of
from abtest.live.experiment import State
from abtest.live.log import ArmTries
from abtest.live.store import Store
from abtest.policy import Policy
from tests.known import known
from tests.live.analysis.test_analysing import BETTER, RMSE, ROWS, halved, numbers, started
from tests.live.traffic import START, logged, pairs_of, plan, shadow, split, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abtest.labels import Side
    from tests.live.traffic import Served, Triple

WORSE: list[Triple] = [(truth, theirs, ours) for truth, ours, theirs in BETTER]


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'live.db'}") as log:
        yield log


def test_a_shadow_that_is_worse_does_harm(log: Store) -> None:
    """The e-process `worse` crosses the line of a rollback, and its evidence is told."""
    experiment = started(log)
    shadow(log, experiment, WORSE)
    found = known(harm(log, experiment, until=until(ROWS)))
    assert found.what == "quality"
    assert found.pvalue == pytest.approx(np.exp(-found.evidence["log_evidence"]))
    table = analyse(log, "spring", until=until(ROWS)).contingency
    assert (found.evidence["champion_only"], found.evidence["n"]) == (table.champion_only, ROWS)
    assert found.text.startswith("The challenger is right less often: p < 0.001, valid at every look")


@pytest.mark.parametrize("mode", ["shadow", "split"])
@pytest.mark.parametrize("regression", [False, True])
def test_only_what_is_worse_does_harm(log: Store, mode: Any, regression: bool) -> None:  # noqa: FBT001 - a parameter
    """In either mode and task, the sides changing places turns harm into none."""
    policy = RMSE if regression else Policy()
    good = numbers(2000, spread=(1.5, 1.0)) if regression else pairs_of(2000, right=(0.75, 0.9), seed=3)
    for name, rows in (("good", good), ("bad", [(truth, theirs, ours) for truth, ours, theirs in good])):
        experiment = started(log, name=name, model_name=name, mode=mode, planned_n=2000, policy=policy)
        server = {"good": "c", "bad": "d"}[name] * 16
        if mode == "shadow":
            shadow(log, experiment, rows, server=server)
        else:
            split(log, experiment, halved(rows), server=server)
        found = harm(log, experiment, until=until(2000))
        assert (found is not None) == (name == "bad")


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_nothing_known_is_no_harm(log: Store, mode: Any) -> None:
    """Before anything is labelled there is no harm."""
    assert harm(log, started(log, mode=mode, planned_n=10), until=until(1)) is None


def test_failures_beyond_the_guardrail_do_harm(log: Store) -> None:
    """A challenger that fails one time in ten is caught by its guardrail before a label is there, and not without."""
    rows: list[Triple] = [(t, a, None if i % 10 == 0 else b) for i, (t, a, b) in enumerate(BETTER)]
    rail = Guardrail(metric="error_rate", margin=0.01)
    for i, policy in enumerate((Policy(), Policy(guardrails=(rail,)))):
        experiment = started(log, name=f"e{i}", model_name=f"m{i}", policy=policy)
        shadow(log, experiment, rows, server=f"{i}" * 16, labelled=False)
        found = harm(log, experiment, until=until(ROWS))
        assert (None if found is None else found.what) == (None, "error_rate")[i]
    assert known(found).evidence["challenger"] == 0.1


def test_failures_within_the_guardrail_do_none(log: Store) -> None:
    """As many failures as are tolerated are no harm, however long one looks."""
    rows: list[Triple] = [(t, a, None if i % 50 == 0 else b) for i, (t, a, b) in enumerate(BETTER)]
    policy = Policy(guardrails=(Guardrail(metric="error_rate", margin=0.02),))
    experiment = started(log, policy=policy)
    shadow(log, experiment, rows, labelled=False)
    assert harm(log, experiment, until=until(ROWS)) is None


def test_slowness_beyond_the_guardrail_does_harm(log: Store) -> None:
    """A challenger whose mean time is proved to be beyond the margin is caught; one within it is not."""
    rng = np.random.default_rng(0)
    for i, slow in enumerate((1.2, 3.0)):
        policy = Policy(guardrails=(Guardrail(metric="latency", margin=0.5),))
        experiment = started(log, name=f"e{i}", model_name=f"m{i}", mode="split", planned_n=ROWS, policy=policy)
        times = {"champion": 0.001, "challenger": 0.001 * slow}
        for j, row in enumerate(halved(BETTER)):
            split(
                log, experiment, [row], first=j + 1, server=f"{i}" * 16, unlabelled=[0],
                seconds=times[row[0]] * rng.gamma(4, 0.25),
            )  # fmt: skip
        found = harm(log, experiment, until=until(ROWS))
        assert (None if found is None else found.what) == (None, "latency")[i]
    assert "times tolerated" in known(found).text


def test_rolls_back_once(log: Store) -> None:
    """The next epoch includes nobody and holds the evidence; a second look finds it done."""
    experiment = started(log, auto_rollback=True)
    shadow(log, experiment, WORSE)
    epoch = known(rollback(log, experiment, by="a server", until=until(ROWS)))
    assert (epoch.number, epoch.state, epoch.inclusion, epoch.by) == (2, State.ROLLED_BACK, 0.0, "a server")
    assert epoch.evidence["what"] == "quality"
    assert epoch.evidence["n"] == ROWS
    assert rollback(log, experiment, by="another", until=until(ROWS)) == log.epochs("spring")[-1]
    assert len(log.epochs("spring")) == 2


def test_of_many_at_once_one_rolls_back(log: Store) -> None:
    """Servers that see harm at the same moment write one epoch, and each takes it as done."""
    experiment = started(log, auto_rollback=True)
    shadow(log, experiment, WORSE)
    found: list[Any] = []
    servers = [
        threading.Thread(target=lambda i=i: found.append(rollback(log, experiment, by=f"s{i}", until=until(ROWS))))
        for i in range(4)
    ]
    for server in servers:
        server.start()
    for server in servers:
        server.join(timeout=60)
    assert len(log.epochs("spring")) == 2
    assert {(epoch.number, epoch.by) for epoch in found} == {(2, log.epochs("spring")[-1].by)}


def test_a_better_challenger_stays(log: Store) -> None:
    """Without harm nothing is written."""
    experiment = started(log, auto_rollback=True)
    shadow(log, experiment, BETTER)
    assert rollback(log, experiment, by="a server", until=until(ROWS)) is None
    assert len(log.epochs("spring")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.05, 0.2])
def test_equal_sides_are_rarely_taken_for_harm(level: float) -> None:
    """Looking after each of 300 pairs, harm is cried over equal sides no more often than the level says."""
    rng, cried, runs = np.random.default_rng(0), 0, 2000
    experiment = plan(rollback_alpha=level)
    for _ in range(runs):
        kinds = np.eye(4, dtype=np.int64)[rng.choice(4, 300, p=[0.7, 0.1, 0.1, 0.1])]
        path = Looks.of_pairs(kinds.cumsum(axis=0), 1.0)
        assert path.worse is not None
        cried += bool(np.exp(-path.worse.max()) < experiment.rollback_alpha)
    assert cried / runs <= level + 3 * np.sqrt(level * (1 - level) / runs)


def arm(side: Side, *, n: int, failed: int = 0, seconds: float = 0.0, squares: float = 0.0) -> ArmTries:
    """What an arm did, as far as a guardrail reads it."""
    return ArmTries(arm=side, n=n, failed=failed, seconds=seconds, squares=squares)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "margin"), [(0.01, 0.0), (0.0, 0.01), (0.002, 0.01), (0.05, 0.01), (0.3, 0.05)])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_failures_at_the_margin_are_rarely_taken_for_harm(rate: float, margin: float, share: float) -> None:
    """Looked at after every hundred of 20,000 rows, a challenger just at the margin rarely passes for harm."""
    policy = Policy(guardrails=(Guardrail(metric="error_rate", margin=margin),))
    experiment = plan(mode="split", planned_n=20_000, policy=policy)
    rng, cried, runs = np.random.default_rng(2), 0, 400
    for _ in range(runs):
        mine = rng.random(20_000) < share
        failed = rng.random(20_000) < np.where(mine, rate + margin, rate)
        counts = [
            np.add.reduceat(part.astype(np.int64), range(0, 20_000, 100)).cumsum().tolist()
            for part in (~mine, ~mine & failed, mine, mine & failed)
        ]
        for n, x, m, y in zip(*counts, strict=True):
            found = failures(experiment, arm("champion", n=n, failed=x), arm("challenger", n=m, failed=y))
            if found is not None and found.pvalue < experiment.rollback_alpha:
                cried += 1
                break
    assert cried / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
def test_slowness_at_the_margin_is_rarely_taken_for_harm() -> None:
    """Looked at after every hundred of 10,000 rows, times just at the margin are taken for harm below the level."""
    policy = Policy(guardrails=(Guardrail(metric="latency", margin=0.5),))
    experiment = plan(mode="split", planned_n=10_000, policy=policy)
    rng, cried, runs = np.random.default_rng(3), 0, 400
    for _ in range(runs):
        times = [rng.lognormal(-7, 0.8, 5000), 1.5 * rng.lognormal(-7, 0.8, 5000)]
        sums = [(column.cumsum(), np.square(column).cumsum()) for column in times]
        for at in range(99, 5000, 50):
            sides = [
                arm(side, n=at + 1, seconds=float(total[at]), squares=float(squares[at]))
                for side, (total, squares) in zip(SIDES, sums, strict=True)
            ]
            found = slowness(experiment, *sides)
            if found is not None and found.pvalue < experiment.rollback_alpha:
                cried += 1
                break
    assert cried / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_challenger_that_is_always_wrong_does_harm(log: Store) -> None:
    """In a split, an arm without one right answer, and so without a spread, is seen once it has 100 units."""
    rows: list[Triple] = [(t, t, 9) for t, _, _ in pairs_of(260, right=(1.0, 1.0), seed=0)]
    experiment = started(log, mode="split", planned_n=5000, auto_rollback=True)
    split(log, experiment, halved(rows))
    found = known(rollback(log, experiment, by="a server", until=until(260)))
    assert found.evidence["what"] == "quality"
    assert found.evidence["challenger_right"] == 0
    assert found.evidence["challenger_units"] < 150


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_a_challenger_that_predicts_no_number_does_harm(log: Store, mode: Any) -> None:
    """Of a regression that always fails there is no error to see: its failures are looked for without a guardrail."""
    rows: list[Triple] = [(t, a, None) for t, a, _ in numbers(260, spread=(1.0, 1.0))]
    experiment = started(log, mode=mode, planned_n=5000, policy=RMSE)
    if mode == "shadow":
        shadow(log, experiment, rows)
    else:
        split(log, experiment, halved(rows))
    assert known(harm(log, experiment, until=until(260))).what == "error_rate"


def test_kinds_of_harm_share_the_level(log: Store) -> None:
    """What is told of harm is held to the share of the level that its kind has, the report's too."""
    rails = (Guardrail(metric="error_rate", margin=0.0), Guardrail(metric="latency", margin=0.0))
    experiment = started(log, mode="split", planned_n=2000, policy=Policy(guardrails=rails), rollback_alpha=0.06)
    assert level_of(experiment) == pytest.approx(0.02)
    assert level_of(replace(experiment, mode="shadow")) == pytest.approx(0.03)
    assert level_of(replace(experiment, policy=Policy())) == pytest.approx(0.06)
    split(log, experiment, halved(BETTER))
    assert known(analyse(log, "spring", until=until(ROWS)).record.live).rollback_alpha == pytest.approx(0.02)


def test_one_unit_that_fails_and_fails_is_one_failure(log: Store) -> None:
    """A client whose requests fail with either model, and falls to the challenger, is no harm of the challenger's."""
    policy = Policy(guardrails=(Guardrail(metric="error_rate", margin=0.0),))
    experiment = started(log, mode="split", planned_n=2000, policy=policy)
    split(log, experiment, halved(BETTER))
    stuck: list[Served] = [("challenger", 0, None)] * 300
    split(log, experiment, stuck, first=ROWS + 1, unit="stuck", unlabelled=range(300))
    assert log.traffic(experiment, until=until(1000))[1].failed == 300
    assert log.tries(experiment, until=until(1000))[1].failed == 1
    assert harm(log, experiment, until=until(1000)) is None


def test_rows_that_were_answered_together_are_one_time(log: Store) -> None:
    """Two slow batches of a hundred rows are two slow answers, and prove nothing."""
    policy = Policy(guardrails=(Guardrail(metric="latency", margin=0.0),))
    experiment = started(log, mode="split", planned_n=2000, policy=policy)
    for batch, (side, seconds) in enumerate(zip(SIDES * 2, (0.001, 0.01, 0.002, 0.02), strict=True)):
        together = [
            replace(logged(experiment, side, 1, sequence=100 * batch + i, at=0.0), at=START.timestamp() + batch)
            for i in range(1, 101)
        ]
        log.write([replace(row, seconds=seconds) for row in together])
    assert [arm.n for arm in log.tries(experiment, until=until(1000))] == [2, 2]
    assert harm(log, experiment, until=until(1000)) is None


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [0.002, 0.01, 0.05, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_equal_arms_are_rarely_taken_for_harm(wrong: float, share: float) -> None:
    """Looked at two hundred times, before the burn-in is over and after, arms that err alike rarely pass for worse."""
    rng, cried, runs, rows = np.random.default_rng(4), 0, 300, 20_000
    tuning = tuning_of(plan(mode="split", planned_n=rows))
    for _ in range(runs):
        mine, right = rng.random(rows) < share, rng.random(rows) >= wrong
        counts = [np.stack([(own & right).cumsum(), own.cumsum()], axis=-1)[99 :: rows // 200] for own in (~mine, mine)]
        found = (Looks.of_rates(*(side[i : i + 1] for side in counts)).pvalue_worse(tuning) for i in range(200))
        cried += any(pvalue is not None and pvalue < 0.05 for pvalue in found)
    assert cried / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_a_prediction_beyond_all_numbers_blinds_nobody(log: Store, mode: Any) -> None:
    """One prediction, or label, whose square no double holds neither hides harm nor stops the analysis."""
    far, good = 1e200, numbers(600, spread=(1.0, 3.0))
    rows: list[Triple] = [(far, 1.0, 1.0), (1.0, 1.0, -far), *good]
    experiment = started(log, mode=mode, planned_n=2000, policy=RMSE)
    if mode == "shadow":
        shadow(log, experiment, rows)
    else:
        split(log, experiment, halved(rows))
    assert harm(log, experiment, until=until(700)) is None  # for nothing tells how often it is as far off
    assert analyse(log, "spring", until=until(700)).verdict == "INSUFFICIENT_EVIDENCE"
    other = started(log, name="all", model_name="all", mode="shadow", policy=RMSE)
    shadow(log, other, [(t, a, far * (1 + i % 7)) for i, (t, a, _) in enumerate(good)], server="b" * 16)
    assert analyse(log, "all", until=until(700)).record.evaluation.tested.worsened
