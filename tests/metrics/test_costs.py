"""Cost per row: against a loop over rows, a bootstrap of rows, and the exact standard error of a paired mean."""

from __future__ import annotations

import math
import re
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.evaluator import Evaluation, evaluate
from abtest.labels import SIDES
from abtest.metrics.classification import class_values, overall
from abtest.metrics.costs import CostMatrix
from abtest.metrics.totals import totals
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from tests.decision import COSTS, random_table
from tests.strategies import vocabularies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from abtest.evaluator import MetricRow
    from abtest.labels import Label

    Row = tuple[Label, Label, Label]
    Costs = Mapping[str, Mapping[str, float]]

FEW = hypothesis_settings(max_examples=60)


def evaluated(table: PairedOutcomes, costs: Costs, **options: Any) -> Evaluation:
    """Evaluate accuracy and cost."""
    return evaluate(table, Policy(metrics=("accuracy",), costs=costs), **{"resamples": 100, **options})


def looped(rows: Iterable[tuple[Row, int]], costs: Costs, side: int) -> float:
    """Mean cost, row by row; what is right costs nothing unless it is listed."""
    spent, n = [], 0
    for row, count in rows:
        truth, said = str(row[0]), str(row[side])
        cost = costs[truth].get(said, 0.0) if truth == said else costs[truth][said]
        spent += [cost] * count
        n += count
    return math.fsum(spent) / n


@pytest.mark.parametrize("seed", range(20))
def test_costs_are_those_of_a_loop_over_rows(seed: int) -> None:
    """Both sides' cost per row, of all rows, of each class and of each segment, is the mean over their rows."""
    table = random_table(seed)
    evaluation, counts = evaluated(table, COSTS), table.to_counts()
    tables = {segment.key: table.of(segment).to_counts() for segment in table.segments}
    places: list[tuple[MetricRow, Mapping[Row, int]]] = [
        (evaluation.metric("cost"), counts),
        *(
            (row, {key: count for key, count in counts.items() if key[0] == row.class_})
            for row in evaluation.per_class
            if row.n
        ),
        *((row, tables[row.segment, row.value]) for row in evaluation.segments if row.metric == "cost"),
    ]
    assert len(places) == 1 + len(table.classes) + len(table.segments)
    for row, own in places:
        assert row.n == sum(own.values())
        for side, value in ((1, row.champion), (2, row.challenger)):
            assert value == pytest.approx(looped(own.items(), COSTS, side), abs=1e-12)
        assert row.improvement == pytest.approx(row.champion - row.challenger, abs=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_swapping_the_sides_negates_to_the_last_bit(seed: int) -> None:
    """Values change places, effects and limits change sign, p-values stay, over all rows, by class and by segment."""
    table = random_table(seed)
    one, other = evaluated(table, COSTS), evaluated(table.swapped(), COSTS)
    rows = [*zip(one.metrics, other.metrics, strict=True), *zip(one.per_class, other.per_class, strict=True)]
    for a, b in [*rows, *zip(one.segments, other.segments, strict=True)]:
        assert (a.champion, a.challenger, a.effect) == (b.challenger, b.champion, -b.effect)
        assert a.pvalue == b.pvalue
        if a.ci_lower is not None and a.ci_upper is not None and a.metric == "cost":
            assert b.ci_lower == pytest.approx(-a.ci_upper)
            assert b.ci_upper == pytest.approx(-a.ci_lower)


@given(data=st.data(), labels=vocabularies())
@FEW
def test_one_for_every_mistake_is_one_minus_accuracy(data: st.DataObject, labels: tuple[Label, ...]) -> None:
    """With 1 off the diagonal, cost per row is the share of mistakes, and of a class, one minus its recall."""
    label = st.sampled_from(labels)
    cells = st.dictionaries(st.tuples(label, label, label), st.integers(1, 1000), min_size=1, max_size=20)
    table = PairedOutcomes.from_counts(data.draw(cells))
    costs = {str(i): {str(j): 1.0 for j in labels if j != i} for i in labels}
    evaluation = evaluate(table, Policy(metrics=("accuracy", "recall"), costs=costs), resamples=100)
    accuracy, cost = evaluation.metric("accuracy"), evaluation.metric("cost")
    assert cost.champion == pytest.approx(1 - accuracy.champion, abs=1e-12)
    assert cost.improvement == pytest.approx(accuracy.improvement, abs=1e-12)
    recalls = [row for row in evaluation.per_class if row.metric == "recall" and row.n]
    costly = [row for row in evaluation.per_class if row.metric == "cost" and row.n]
    for recall, own in zip(recalls, costly, strict=True):
        assert own.challenger == pytest.approx(1 - recall.challenger, abs=1e-12)


def some_rows(n: int, seed: int) -> tuple[Any, Any, Any]:
    """Columns of truth, champion and challenger over three words."""
    rng = np.random.default_rng(seed)
    words = np.array(list(COSTS))
    y = rng.integers(0, 3, n)
    a, b = (np.where(rng.random(n) < right, y, rng.integers(0, 3, n)) for right in (0.7, 0.8))
    return words[y], words[a], words[b]


def differences(y: Any, a: Any, b: Any) -> Any:
    """Cost of the challenger minus the champion's, row by row."""

    def cost(truth: str, said: str) -> float:
        return COSTS[truth].get(said, 0.0)

    return np.array([cost(t, c) - cost(t, h) for t, h, c in zip(y, a, b, strict=True)])


def test_the_spread_is_that_of_a_paired_mean() -> None:
    """The interval is as wide as ±z exact standard errors of the mean difference, sd/√n, within resampling's error.

    A quantile at share t of B draws from a normal distribution is off by √(t(1−t)/B)/φ(z) of its standard deviations:
    at t = .025 and B = 40,000 by .0134. Four of those, and the skewness of a mean of 4,000 rows, are within .07.
    """
    y, a, b = some_rows(4000, seed=1)
    row = evaluated(PairedOutcomes.from_predictions(y, a, b), COSTS, resamples=40_000).metric("cost")
    paid = differences(y, a, b)
    error = paid.std() / math.sqrt(len(paid))
    assert row.effect == pytest.approx(paid.mean(), abs=1e-12)
    assert row.ci_lower == pytest.approx(paid.mean() - 1.959964 * error, abs=0.07 * error)
    assert row.ci_upper == pytest.approx(paid.mean() + 1.959964 * error, abs=0.07 * error)


def test_the_interval_is_that_of_resampled_rows() -> None:
    """On few, skewed rows the limits are the quantiles of a bootstrap of the rows, within both resamplings' error."""
    y, a, b = some_rows(60, seed=2)
    ours, theirs = 40_000, 20_000
    policy = Policy(metrics=("accuracy",), costs=COSTS, confidence=0.8)
    row = evaluate(PairedOutcomes.from_predictions(y, a, b), policy, resamples=ours).metric("cost")
    paid = differences(y, a, b)
    means = paid[np.random.default_rng(3).integers(0, 60, (theirs, 60))].mean(axis=1)
    error = 4 * math.sqrt(0.1 * 0.9 * (1 / ours + 1 / theirs))
    assert row.ci_lower is not None
    assert row.ci_upper is not None
    for limit, share in ((row.ci_lower, 0.1), (row.ci_upper, 0.9)):
        assert np.mean(means < limit - 1e-9) <= share + error
        assert np.mean(means <= limit + 1e-9) >= share - error


def test_gains_are_negative_costs() -> None:
    """A right prediction may earn something: ten caught at −50 each and two missed at 200, in a hundred rows."""
    costs = {"fraud": {"fraud": -50.0, "ok": 200.0}, "ok": {"fraud": 5.0}}
    table = PairedOutcomes.from_counts({("fraud", "ok", "fraud"): 10, ("fraud", "ok", "ok"): 2, ("ok", "ok", "ok"): 88})
    row = evaluated(table, costs).metric("cost")
    assert (row.champion, row.challenger) == pytest.approx((24.0, (2 * 200 - 10 * 50) / 100))
    assert row.improvement == pytest.approx(25.0)
    assert row.improved


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ((0, 1), ("0", "1")),
        ((0, 1), ("0.0", "1.0")),
        ((0.0, 1.0), ("0", "1")),
        ((False, True), ("false", "true")),
        ((False, True), ("False", "True")),
        ((False, True), ("0", "1")),
        (("0", "1"), ("0", "1")),
        (("nein", "größer ✓"), ("nein", "größer ✓")),
    ],
)
def test_classes_are_named_as_text(labels: tuple[Label, Label], names: tuple[str, str]) -> None:
    """In TOML every key is text; it is read as the data's labels are."""
    no, yes = labels
    costs = {names[0]: {names[1]: 2.0}, names[1]: {names[0]: 6.0}}
    table = PairedOutcomes.from_predictions([no, no, yes, yes], [no, yes, no, yes], [no, no, yes, yes])
    row = evaluated(table, costs).metric("cost")
    assert (row.champion, row.challenger) == (2.0, 0.0)


def test_labels_of_python_are_as_good_as_text() -> None:
    """In Python classes may be named by themselves; it is the same policy."""
    in_python: Any = {0: {1: 2}, 1: {0: 6}}
    policy = Policy(costs=in_python)
    assert policy.costs == {"0": {"1": 2.0}, "1": {"0": 6.0}}
    assert policy.digest == Policy(costs={"0": {"1": 2.0}, "1": {"0": 6.0}}).digest


TWO = PairedOutcomes.from_predictions(["ok", "fraud"], ["ok", "ok"], ["ok", "fraud"])


@pytest.mark.parametrize(
    ("table", "costs", "told"),
    [
        (TWO, {"ok": {"fraud": 1}}, "costs has no row for the class 'fraud'. Hint: list every mistake"),
        (TWO, {"ok": {"fraud": 1}, "fruad": {"ok": 1}}, "no row for the class 'fraud'. Hint: did you mean 'fruad'?"),
        (TWO, {"ok": {}, "fraud": {"ok": 1}}, "costs does not say what 'ok' taken for 'fraud' costs. Hint: list every"),
        (
            TWO,
            {"ok": {"fruad": 1}, "fraud": {"ok": 1}},
            "what 'ok' taken for 'fraud' costs. Hint: did you mean 'fruad'",
        ),
        (
            PairedOutcomes.from_predictions(["ok"], ["ok"], ["spam"]),
            {"ok": {"fraud": 1}, "fraud": {"ok": 1}},
            "costs does not say what 'ok' taken for 'spam' costs.",
        ),
        (
            PairedOutcomes.from_predictions([0, 1], [0, 1], [0, 1]),
            {"0": {"1": 1}, "one": {"0": 1}},
            "costs names the class 'one', but the labels are int. Hint: name the classes as the data do.",
        ),
        (
            PairedOutcomes.from_predictions([0, 1], [0, 1], [0, 1]),
            {"0": {"one": 1}, "1": {"0": 1}},
            "costs.0 names the class 'one', but the labels are int.",
        ),
        (
            PairedOutcomes.from_predictions([0, 1], [0, 1], [0, 1]),
            {"0": {"1": 1}, "1": {"0": 1}, "1.0": {"0": 9}},
            "costs names the class 1 twice. Hint: remove '1.0'.",
        ),
    ],
)
def test_costs_that_do_not_fit_are_refused(table: PairedOutcomes, costs: Costs, told: str) -> None:
    """A class or a pair that the costs leave out is named, with the nearest name there is."""
    with pytest.raises(InvalidInputError, match=re.escape(told)):
        evaluated(table, costs)


def test_only_a_true_class_needs_a_row() -> None:
    """A label that is only ever predicted costs what mistaking a class for it does; as a truth it does not occur."""
    table = PairedOutcomes.from_predictions(["ok", "ok"], ["ok", "ok"], ["ok", "spam"])
    assert evaluated(table, {"ok": {"spam": 3.0}}).metric("cost").challenger == 1.5


@pytest.mark.parametrize("seed", range(20))
def test_many_tables_at_once_are_each_of_them_alone(seed: int) -> None:
    """Costs of stacked counts, empty cells and classes without rows among them, equal those of each alone."""
    table = random_table(seed)
    counts = np.random.default_rng(seed).integers(0, 4, (5, len(table.cells)))
    metric = CostMatrix(costs=COSTS).metric()
    for side in SIDES:
        stacked = totals(table, side, counts)
        for i in range(5):
            alone = replace(stacked, weights=counts[i])
            assert overall(metric, stacked, average="macro")[i] == pytest.approx(
                float(overall(metric, alone, average="macro")), abs=1e-12
            )
            assert class_values(metric, stacked)[i] == pytest.approx(class_values(metric, alone), abs=1e-12)
            assert not class_values(metric, alone)[alone.support == 0].any()


def test_hundreds_of_labels_fit_in_memory() -> None:
    """A thousand resamples of 300 labels are evaluated in a tenth of what laying them out by pair would take."""
    rng = np.random.default_rng(0)
    y, a = rng.integers(0, 300, (2, 1500))
    costs = {str(i): {str(j): 1.0 for j in range(300) if j != i} for i in range(300)}
    table = PairedOutcomes.from_predictions(y, a, y)
    tracemalloc.start()
    evaluated(table, costs, resamples=1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1000 * 300 * 300 * 8 / 10
