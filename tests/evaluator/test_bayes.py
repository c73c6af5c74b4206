"""The Bayesian reading stands beside the test: the posterior of the table, from data to words, and in no verdict."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

import abtest
from abtest.decision import decide
from abtest.evaluator import evaluate
from abtest.metrics.catalogue import in_text
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.policy import Policy
from abtest.record import ComparisonRecord
from abtest.reporter.headline import belief
from abtest.stats.bayes import Posterior, accuracy_posterior
from tests.known import known
from tests.strategies import contingencies, label_columns, paired_outcomes

if TYPE_CHECKING:
    from abtest.comparison import Comparison
    from tests.strategies import Columns

    Array = npt.NDArray[Any]

FAST = 100
PLAIN = Policy(metrics=("accuracy",))

shares = st.floats(0, 1)
margins = st.sampled_from([0.001, 0.02, 0.1])
policies = st.one_of(
    st.builds(Policy, confidence=st.sampled_from([0.8, 0.95]), margin=st.none() | margins),
    st.builds(Policy, rule=st.just("non-inferior"), margin=margins, primary=st.sampled_from(["accuracy", "f1"])),
    st.builds(Policy, rule=st.just("primary"), margin=st.none() | margins, primary=st.sampled_from(["accuracy", "f1"])),
)
posteriors = st.builds(
    Posterior,
    better=shares,
    better_by_margin=shares,
    rope=shares,
    expected_loss=shares,
    margin=shares,
)


def compared(table: Contingency, **options: object) -> Comparison:
    """Compare predictions with these counts of correctness."""
    counts = (table.both, table.champion_only, table.challenger_only, table.neither)
    champion, challenger = (np.repeat(right, counts) for right in ([1, 1, 0, 0], [1, 0, 1, 0]))
    return abtest.compare_predictions(
        np.ones(table.n, dtype=int),
        champion,
        challenger,
        resamples=FAST,
        **options,  # type: ignore[arg-type] # any option
    )


def written(comparison: Comparison) -> str:
    """The report's text with plain spaces."""
    return " ".join(comparison.to_html(figures=False).split())


@given(table=paired_outcomes().filter(lambda table: table.n > 0), policy=policies)
@hypothesis_settings(max_examples=25)  # an example is a whole evaluation
def test_is_the_posterior_of_the_table(table: PairedOutcomes, policy: Policy) -> None:
    """Where accuracy decides, it is that of the table's correctness, with the policy's margin or one point."""
    reading = evaluate(table, policy, resamples=FAST).bayes
    if policy.decisive != "accuracy":
        assert (reading is None) == (len(table.labels) < 2)  # one label alone leaves nothing to be wrong about
        return
    assert reading == accuracy_posterior(table.contingency(), margin=policy.margin or 0.01)
    assert reading is not None
    assert all(math.isfinite(number) for number in dataclasses.astuple(reading))
    assert 0 <= reading.better <= 1
    assert 0 <= reading.better_by_margin <= reading.better + 1e-12  # the one is an integral, the other closed


@given(table=contingencies(most=60).filter(lambda table: table.n < 500 and max(table.both, table.champion_only) > 0))
@hypothesis_settings(max_examples=25)  # an example is a whole comparison
def test_better_is_one_minus_the_one_sided_mid_p(table: Contingency) -> None:
    """That the challenger is better has one minus the one-sided mid-p, binomial by SciPy, for a probability."""
    # A side that is never right while the truth has one class would be refused as speaking of other labels.
    table = dataclasses.replace(table, both=table.both + 1)
    reading = compared(table).record.bayes
    assert reading is not None
    m, c = table.discordant, table.challenger_only
    mid_p = stats.binom.sf(c, m, 0.5) + stats.binom.pmf(c, m, 0.5) / 2
    assert reading.better == pytest.approx(1 - mid_p, abs=1e-12)
    two_sided = known(compared(table, policy=PLAIN).record.mcnemar).pvalue
    if table.effect:
        assert two_sided == pytest.approx(2 * min(reading.better, 1 - reading.better), abs=1e-12)


def test_agrees_with_draws_of_the_smoothed_table() -> None:
    """Probabilities and expected loss are those of NumPy's Dirichlet draws with one pseudo-row on either side."""
    table = Contingency(both=300, champion_only=14, challenger_only=23, neither=40)
    reading = compared(table, policy=Policy(margin=0.02)).record.bayes
    assert reading is not None
    alphas = [table.both, table.champion_only + 1, table.challenger_only + 1, table.neither]
    draws = np.random.default_rng(0).dirichlet(alphas, 400_000)
    effect = draws[:, 2] - draws[:, 1]
    for found, drawn in (
        (reading.better, effect > 0),
        (reading.better_by_margin, effect > 0.02),
        (reading.rope, np.abs(effect) <= 0.02),
    ):
        assert found == pytest.approx(drawn.mean(), abs=5 * 0.5 / math.sqrt(400_000))
    loss = np.maximum(-effect, 0)
    assert reading.expected_loss == pytest.approx(loss.mean(), abs=5 * loss.std() / math.sqrt(400_000))


@given(columns=label_columns())
@hypothesis_settings(max_examples=15)  # an example is three comparisons
def test_sides_may_change_places(columns: Columns) -> None:
    """Swapped sides swap the probabilities; a model is better than itself with probability one half."""
    y, a, b = columns
    ours, theirs, same = (
        abtest.compare_predictions(*sides, resamples=FAST, policy=PLAIN).record.bayes
        for sides in ((y, a, b), (y, b, a), (y, a, a))
    )
    assert ours is not None
    assert theirs is not None
    assert same is not None
    assert ours.better == pytest.approx(1 - theirs.better, abs=1e-12)
    assert ours.rope == pytest.approx(theirs.rope, abs=1e-9)
    assert ours.better_by_margin == pytest.approx(1 - theirs.better_by_margin - theirs.rope, abs=1e-9)
    assert same.better == 0.5


@given(table=paired_outcomes().filter(lambda table: table.n > 0), policy=policies, replaced=st.none() | posteriors)
@hypothesis_settings(max_examples=40)  # an example is a whole evaluation
def test_no_verdict_hangs_on_it(table: PairedOutcomes, policy: Policy, replaced: Posterior | None) -> None:
    """Any other belief, or none, gives the same decision with the same reasons."""
    evaluation = evaluate(table, policy, resamples=FAST)
    assert decide(dataclasses.replace(evaluation, bayes=replaced), policy) == decide(evaluation, policy)


def test_is_absent_where_rows_come_in_units() -> None:
    """Rows of one unit are no independent rows: then nothing is believed, in JSON, Markdown or the report."""
    y, a, b = np.tile([0, 1], 50), np.tile([0, 1, 1, 0, 1], 20), np.tile([0, 1, 0, 1], 25)
    units = np.repeat(np.arange(50), 2)
    plain, clustered = (abtest.compare_predictions(y, a, b, resamples=FAST, unit=unit) for unit in (None, units))
    assert plain.record.bayes is not None
    assert clustered.record.bayes is None
    assert json.loads(clustered.to_json())["bayes"] is None
    assert belief(clustered.record) == ""
    said = "more accurate with probability"
    for comparison, there in ((plain, True), (clustered, False)):
        page = written(comparison)
        assert (said in page) is there
        assert ("What to believe of it" in page) is there


@pytest.mark.parametrize(("champion_only", "challenger_only"), [(0, 0), (4, 5), (5, 5), (9, 0), (0, 10), (40, 60)])
def test_few_discordant_rows_are_marked(champion_only: int, challenger_only: int) -> None:
    """Below ten rows that tell the two apart, the words say that it is mostly what was assumed before."""
    table = Contingency(both=200, champion_only=champion_only, challenger_only=challenger_only, neither=7)
    record = compared(table).record
    reading = record.bayes
    assert reading is not None
    said = belief(record)
    assert ("mostly what was assumed before" in said) is (table.discordant < 10)
    assert f"more accurate with probability {100 * reading.better:.1f} %" in said
    assert f"by more than 1.0 point with probability {100 * reading.better_by_margin:.1f} %" in said
    assert said in written(compared(table))


@pytest.mark.parametrize("margin", [None, 0.004, 0.03])
def test_is_on_record_and_comes_back(margin: float | None) -> None:
    """comparison.json has the reading under its own names, and a record read again has the same."""
    table = Contingency(both=100, champion_only=3, challenger_only=12, neither=5)
    record = compared(table, policy=Policy(margin=margin)).record
    spelled = json.loads(record.to_json())["bayes"]
    assert spelled == dataclasses.asdict(accuracy_posterior(table, margin=margin or 0.01))
    assert ComparisonRecord.from_dict(record.to_dict()).bayes == record.bayes


def test_a_margin_is_in_the_unit_of_what_decides() -> None:
    """Where cost decides, the reading is of cost: of mistakes that all cost the same it is accuracy's, in money."""
    costs = {"1": {"0": 50.0}, "0": {"1": 50.0}}
    policy = Policy(rule="primary", primary="cost", margin=3.0, costs=costs)
    table = PairedOutcomes.from_predictions([0, 1] * 30, [0, 1, 1, 1] * 15, [0, 1, 0, 1, 0, 0] * 10)
    reading = evaluate(table, policy, resamples=FAST).bayes
    assert reading is not None
    exact = accuracy_posterior(table.contingency(), margin=3.0 / 50)
    assert reading.margin == 3.0
    assert reading.better == pytest.approx(exact.better, abs=5 * 0.5 / math.sqrt(4_000))
    assert reading.better_by_margin == pytest.approx(exact.better_by_margin, abs=5 * 0.5 / math.sqrt(4_000))
    assert reading.expected_loss == pytest.approx(50 * exact.expected_loss, abs=5 * reading.expected_loss_error)


def weighted_f1(cells: Array, weights: Array, column: int) -> Array:
    """Macro F1 of one side from the definition, by loops over classes; weights of shape (draws, cells)."""
    y, said = cells[:, 0], cells[:, column]
    found = []
    for k in np.unique(y):
        hit, claimed, there = (weights[:, rows].sum(axis=1) for rows in ((y == k) & (said == k), said == k, y == k))
        found.append(2 * hit / (claimed + there))
    return np.asarray(np.mean(found, axis=0))


@pytest.mark.parametrize("lone", [False, True])
def test_of_f1_it_is_drawn_from_the_smoothed_table(*, lone: bool) -> None:
    """Where F1 decides: NumPy's Dirichlet over the cells, one pseudo-row on either side spread over its cells."""
    counts: Counter[Any] = Counter(
        {(0, 0, 0): 40, (0, 1, 0): 5, (1, 1, 1): 30, (1, 1, 0): 3, (1, 0, 1): 9, (0, 0, 1): 2, (1, 0, 0): 4}
    )
    if lone:  # only the challenger is ever right alone
        counts = Counter({cell: n for cell, n in counts.items() if cell not in {(1, 1, 0), (0, 0, 1)}})
    table = PairedOutcomes.from_counts(counts)
    reading = evaluate(table, Policy(rule="primary", primary="f1", margin=0.02), resamples=FAST).bayes
    assert reading is not None
    pseudo = {(1, 1, 0): 0, (0, 0, 1): 0, **counts}
    cells = np.array(list(pseudo))
    rows = np.array(list(pseudo.values()), dtype=float)
    first, second = cells[:, 1] == cells[:, 0], cells[:, 2] == cells[:, 0]
    for side in (first & ~second, second & ~first):
        rows[side] += rows[side] / rows[side].sum() if rows[side].any() else 1 / side.sum()
    shares = np.random.default_rng(5).dirichlet(rows, 200_000)
    effect = weighted_f1(cells, shares, 2) - weighted_f1(cells, shares, 1)
    for found, drawn in (
        (reading.better, effect > 0),
        (reading.better_by_margin, effect > 0.02),
        (reading.rope, np.abs(effect) <= 0.02),
    ):
        assert found == pytest.approx(drawn.mean(), abs=5 * 0.5 / math.sqrt(4_000))
    loss = np.maximum(-effect, 0)
    assert reading.expected_loss == pytest.approx(loss.mean(), abs=5 * loss.std() / math.sqrt(4_000))


@pytest.mark.parametrize("metric", ["rmse", "mae", "bias"])
def test_of_a_regression_it_is_the_bayesian_bootstrap(metric: str) -> None:
    """Where errors decide: weights of the rows drawn from a flat Dirichlet, less being better."""
    rng = np.random.default_rng(7)
    y = rng.normal(size=80)
    a, b = y + 0.2 + rng.normal(size=80), y + 0.1 + 0.9 * rng.normal(size=80)
    policy = Policy(rule="primary", primary=metric, margin=0.05)
    record = abtest.compare_predictions(y, a, b, resamples=FAST, policy=policy).record
    reading = record.bayes
    assert reading is not None
    shares = rng.dirichlet(np.ones(80), 100_000)
    values = []
    for errors in (a - y, b - y):
        of = {"rmse": np.sqrt(shares @ errors**2), "mae": shares @ np.abs(errors), "bias": np.abs(shares @ errors)}
        values.append(of[metric])
    gain = values[0] - values[1]
    assert reading.better == pytest.approx((gain > 0).mean(), abs=5 * 0.5 / math.sqrt(4_000))
    assert reading.better_by_margin == pytest.approx((gain > 0.05).mean(), abs=5 * 0.5 / math.sqrt(4_000))
    loss = np.maximum(-gain, 0)
    assert reading.expected_loss == pytest.approx(loss.mean(), abs=5 * loss.std() / math.sqrt(4_000))
    assert f"better on {in_text(metric)} with probability {100 * reading.better:.1f} %" in belief(record)
