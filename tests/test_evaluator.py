"""The evaluator: laws over the whole catalogue, and what other libraries and plain enumeration say of its numbers."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar

from abtest.errors import InvalidInputError
from abtest.evaluator import FEW_ROWS, NOT_ESTIMABLE, ClassRow, Evaluation, MetricRow, evaluate
from abtest.metrics.classification import AVERAGES, CATALOGUE, Average
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.stats.mcnemar import METHODS
from tests.known import known
from tests.multitest import multipletests
from tests.strategies import paired_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt

    from abtest.labels import Label

    Rows = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]

FAST = 200  # resamples for laws that hold at any number of them


TABLES = paired_outcomes().filter(lambda table: table.n > 0)


@st.composite
def options(draw: st.DrawFn, table: PairedOutcomes) -> dict[str, Any]:
    """Options that the table allows."""
    averages = AVERAGES if len(table.labels) <= 2 else AVERAGES[:2]
    policy = Policy(method=draw(st.sampled_from(METHODS)), confidence=draw(st.sampled_from([0.8, 0.95, 0.99])))
    return {"policy": policy, "average": draw(st.sampled_from(averages)), "seed": draw(st.integers(0, 3))}


def all_rows(evaluation: Evaluation) -> Iterator[MetricRow]:
    """Every row, over all rows of data and by class."""
    yield from evaluation.metrics
    yield from evaluation.per_class


def spelled_out(table: PairedOutcomes) -> Rows:
    """The table row by row, as indexes into its labels: truth, champion, challenger."""
    y, a, b = (np.repeat(table.cells[:, column], table.counts) for column in range(3))
    return y, a, b


def mirrored(row: MetricRow, other: MetricRow) -> None:
    """Check that two rows tell the same with the sides swapped."""
    assert (row.champion, row.challenger) == (other.challenger, other.champion)
    assert (row.effect, row.improvement) == (-other.effect, -other.improvement)
    assert (row.pvalue, row.pvalue_adjusted, row.statistic) == (other.pvalue, other.pvalue_adjusted, other.statistic)
    assert (row.n, row.test, row.ci_method) == (other.n, other.test, other.ci_method)


@given(data=st.data(), table=TABLES)
def test_swapping_the_sides_negates_every_effect(data: st.DataObject, table: PairedOutcomes) -> None:
    """Swapped sides have every effect negated and every p-value unchanged to the last bit, intervals mirrored.

    A table that is its own mirror image is left out: there the law says that intervals are symmetric around zero, which
    resampled ones are only as far as chance lets them.
    """
    chosen = data.draw(options(table))
    assume(table.swapped() != table)
    ours = evaluate(table, **chosen, resamples=FAST)
    theirs = evaluate(table.swapped(), **chosen, resamples=FAST)
    assert (ours.mcnemar, ours.counted) == (theirs.mcnemar, theirs.counted)
    assert len(ours.per_class) == len(theirs.per_class)
    for row, other in zip(all_rows(ours), all_rows(theirs), strict=True):
        mirrored(row, other)
        if row.ci_lower is not None:
            assert other.ci_upper == pytest.approx(-row.ci_lower, abs=1e-12)
            assert row.ci_upper == pytest.approx(-(other.ci_lower or 0.0), abs=1e-12)


@given(data=st.data(), table=TABLES)
def test_identical_sides_differ_in_nothing(data: st.DataObject, table: PairedOutcomes) -> None:
    """A model compared with itself has effect 0 and p = 1 throughout; a resampled interval is not estimable, not 0."""
    counts: Counter[tuple[Label, Label, Label]] = Counter()
    for (y, a, _), count in table.to_counts().items():
        counts[y, a, a] += count
    same = PairedOutcomes.from_counts(counts)
    evaluation = evaluate(same, **data.draw(options(same)), resamples=FAST)
    for row in all_rows(evaluation):
        assert (row.effect, row.improvement, row.improved) == (0.0, 0.0, False)
        assert row.champion == row.challenger
        if row.pvalue is not None:
            assert row.pvalue == 1.0
        if row.test == "paired bootstrap":
            assert (row.ci_lower, row.ci_upper, row.ci_method) == (None, None, NOT_ESTIMABLE)
    assert known(evaluation.mcnemar).pvalue == 1.0


@given(data=st.data(), table=TABLES)
def test_every_number_is_one(data: st.DataObject, table: PairedOutcomes) -> None:
    """Nothing is NaN or infinite; shares lie in [0, 1], p-values too, and adjusting never lowers one."""
    evaluation = evaluate(table, **data.draw(options(table)), resamples=FAST)
    assert [row.metric for row in evaluation.metrics] == list(CATALOGUE)
    for row in all_rows(evaluation):
        numbers = [getattr(row, name) for name in MetricRow.__slots__]
        assert all(math.isfinite(number) for number in numbers if isinstance(number, float))
        assert 0 <= row.champion <= 1
        assert 0 <= row.challenger <= 1
        assert row.effect == row.challenger - row.champion
        assert row.rel_effect == (row.effect / row.champion if row.champion else None)
        assert (row.ci_lower is None) == (row.ci_upper is None) == (row.ci_method == NOT_ESTIMABLE)
        if row.ci_lower is not None and row.ci_upper is not None:
            assert -1 <= row.ci_lower <= row.ci_upper <= 1
        assert (row.pvalue is None) == (row.test == "none")
        if row.pvalue is not None:
            assert 0 <= row.pvalue <= (1.0 if row.pvalue_adjusted is None else row.pvalue_adjusted) <= 1
            assert row.pvalue > 0 or row.test != "paired bootstrap"
    for row in evaluation.per_class:
        untested = row.n == 0 or (row.ci_method == NOT_ESTIMABLE and abs(row.effect) > 1e-12)
        assert (row.pvalue is None) == (row.pvalue_adjusted is None) == untested


@given(data=st.data(), table=TABLES, seed=st.integers(0, 99))
def test_the_order_of_rows_is_irrelevant(data: st.DataObject, table: PairedOutcomes, seed: int) -> None:
    """Shuffled rows give the same evaluation, to the last bit; the same seed does, and another one need not."""
    some = table.labels[0]
    table += PairedOutcomes.from_counts({(some, some, some): 1})  # a side that is never right would be refused
    columns = spelled_out(table)
    shuffled = np.random.default_rng(seed).permutation(table.n)
    labels = np.array(table.labels)
    again = PairedOutcomes.from_predictions(*(labels[column[shuffled]] for column in columns))
    chosen = data.draw(options(table))
    assert evaluate(again, **chosen, resamples=FAST) == evaluate(table, **chosen, resamples=FAST)


def test_another_seed_draws_other_rows() -> None:
    """The seed decides the draws, and nothing but resampled numbers hangs on it."""
    table = PairedOutcomes.from_counts({(0, 0, 1): 15, (0, 1, 0): 20, (1, 1, 0): 9, (1, 0, 1): 7, (1, 1, 1): 30})
    one, two = (evaluate(table, Policy(), resamples=FAST, seed=seed) for seed in (1, 2))
    assert one.metric("f1").ci_lower != two.metric("f1").ci_lower
    assert one.metric("accuracy") == two.metric("accuracy")
    assert one.metric("f1").effect == two.metric("f1").effect


@pytest.mark.parametrize("row", list(itertools.product([0], [0, 1], [0, 1])))
@pytest.mark.parametrize("average", ["macro", "weighted", "binary"])
def test_one_row_is_enough_for_an_answer(row: tuple[int, int, int], average: Average) -> None:
    """A single row has numbers, no significance, and one class of which recall is accuracy."""
    y, a, b = row
    evaluation = evaluate(PairedOutcomes.from_predictions([y], [a], [b]), Policy(), average=average, resamples=FAST)
    assert evaluation.metric("accuracy").effect == int(b == y) - int(a == y)
    assert known(evaluation.mcnemar).pvalue >= 0.5  # one discordant row: mid-p is 1/2
    assert [r.n for r in evaluation.per_class if r.class_ == y] == [1, 1, 1]


@given(counts=st.tuples(*[st.integers(0, 40)] * 4).filter(any))
def test_one_class_is_accuracy(counts: tuple[int, int, int, int]) -> None:
    """With a single class, its recall is accuracy: same values, same test, same interval; and it counts once."""
    cells = itertools.product(["x"], ["x", "y"], ["x", "y"])
    evaluation = evaluate(PairedOutcomes.from_counts(dict(zip(cells, counts, strict=True))), Policy(), resamples=FAST)
    accuracy = evaluation.metric("accuracy")
    recall = next(row for row in evaluation.per_class if (row.class_, row.metric) == ("x", "recall"))
    for name in ("champion", "challenger", "effect", "ci_lower", "ci_upper", "pvalue", "statistic", "n"):
        assert getattr(recall, name) == getattr(accuracy, name)
    assert "recall" not in evaluation.counted


def test_a_label_that_is_only_predicted_is_wrong_and_has_no_share() -> None:
    """Predicting a label outside the truth counts as wrong, gets a row with n = 0, untested, and moves no average."""
    y = ["a"] * 30 + ["b"] * 30
    outside = PairedOutcomes.from_predictions(y, y, [*["a"] * 25, *["z"] * 5, *["b"] * 30])
    evaluation = evaluate(outside, Policy(), resamples=FAST)
    rows = [row for row in evaluation.per_class if row.class_ == "z"]
    assert [row.metric for row in rows] == ["precision", "recall", "f1"]
    for row in rows:
        assert (row.n, row.challenger, row.pvalue, row.ci_lower, row.test) == (0, 0.0, None, None, "none")
    assert evaluation.metric("accuracy").challenger == pytest.approx(55 / 60)
    assert evaluation.metric("recall").challenger == pytest.approx((25 / 30 + 1) / 2)  # of two classes, not of three
    assert evaluation.metric("precision").challenger == 1.0


@given(table=TABLES)
def test_recall_of_a_class_is_mcnemar_on_its_rows(table: PairedOutcomes) -> None:
    """Each class's recall is tested as statsmodels tests accuracy on the rows of the class."""
    y, a, b = spelled_out(table)
    evaluation = evaluate(table, Policy(method="exact"), resamples=FAST)
    rows = [row for row in evaluation.per_class if row.metric == "recall" and row.n]
    theirs = []
    for row in rows:
        index = table.labels.index(row.class_)
        right_a, right_b = (side[y == index] == index for side in (a, b))
        square = [[np.sum(right_a & right_b), np.sum(right_a & ~right_b)],
                  [np.sum(~right_a & right_b), np.sum(~right_a & ~right_b)]]  # fmt: skip
        theirs.append(float(mcnemar(square, exact=True).pvalue))
        assert (row.champion, row.challenger) == pytest.approx((right_a.mean(), right_b.mean()), abs=1e-12)
    assert [row.pvalue for row in rows] == pytest.approx(theirs, abs=1e-12)


@given(table=TABLES)
@hypothesis_settings(max_examples=15)  # statsmodels collects garbage at every call
def test_every_metric_is_adjusted_over_its_own_classes(table: PairedOutcomes) -> None:
    """Within each metric the p-values of the classes are adjusted as statsmodels' Holm does; overall ones are not."""
    evaluation = evaluate(table, Policy(), resamples=FAST)
    assert all(row.pvalue_adjusted is None for row in evaluation.metrics)
    for name in ("precision", "recall", "f1"):
        rows = [row for row in evaluation.per_class if row.metric == name and row.pvalue is not None]
        theirs = multipletests([row.pvalue for row in rows], method="holm")[1]
        assert [row.pvalue_adjusted for row in rows] == pytest.approx(theirs, abs=1e-12)


def test_accuracy_is_tested_by_mcnemar() -> None:
    """The row of accuracy and the evaluation's test are one test, in the form the policy names."""
    table = PairedOutcomes.from_counts({(0, 0, 1): 4, (0, 1, 0): 12, (1, 1, 1): 50, (1, 0, 0): 9})
    for method in METHODS:
        evaluation = evaluate(table, Policy(method=method), resamples=FAST)
        row = evaluation.metric("accuracy")
        assert (row.pvalue, row.statistic) == (known(evaluation.mcnemar).pvalue, known(evaluation.mcnemar).statistic)
        assert (row.test, row.ci_method, row.n) == (f"mcnemar {method}", "tango", 75)
        assert evaluation.contingency == table.contingency()


# Resampled numbers against rows that are really resampled


def by_definition(
    name: str, y: npt.NDArray[np.int64], p: npt.NDArray[np.int64], classes: list[int]
) -> npt.NDArray[np.float64]:
    """Precision or F1 of samples of rows, shape (samples, rows), straight from definition: (samples, classes)."""
    scores = []
    for k in classes:
        hits, predicted, true = (np.sum(which, axis=1) for which in ((y == k) & (p == k), p == k, y == k))
        top, bottom = (hits, predicted) if name == "precision" else (2 * hits, predicted + true)
        scores.append(np.where(bottom > 0, top / np.maximum(bottom, 1), 0.0))
    return np.stack(scores, axis=1)


def brackets(draws: npt.NDArray[np.float64], limit: float, share: float, tolerance: float) -> bool:
    """Whether ``limit`` is a quantile of ``draws`` for some share within the tolerance: atoms have many."""
    return bool(
        np.mean(draws < limit - 1e-9) <= share + tolerance and np.mean(draws <= limit + 1e-9) >= share - tolerance
    )


@pytest.mark.parametrize("seed", range(8))
def test_resampled_numbers_are_those_of_all_resamples(seed: int) -> None:
    """On up to five rows, intervals and p are those of all n^n equally likely resamples, enumerated.

    The bound is Dvoretzky, Kiefer and Wolfowitz's with Massart's constant: over all values at once, the distribution of
    B draws is farther than ε from the one drawn from with probability at most 2·exp(−2Bε²). At B = 20,000 and one in a
    million that is ε = √(ln(2·10⁶)/2B) = .019.
    """
    resamples, rng = 20_000, np.random.default_rng(seed)
    epsilon = math.sqrt(math.log(2e6) / (2 * resamples))
    n = int(rng.integers(2, 6))
    y, a, b = rng.integers(0, 2 + seed % 2, size=(3, n))
    classes = sorted(set(y.tolist()))
    samples = np.array(list(itertools.product(range(n), repeat=n)))
    table = PairedOutcomes.from_predictions(y, a, b)
    evaluated = {
        confidence: evaluate(table, Policy(confidence=confidence), resamples=resamples, seed=seed)
        for confidence in (0.2, 0.5, 0.8, 0.95)
    }
    for name in ("precision", "f1"):
        effects = by_definition(name, y[samples], b[samples], classes) - by_definition(
            name, y[samples], a[samples], classes
        )
        for confidence, evaluation in evaluated.items():
            rows = [row for row in evaluation.per_class if row.metric == name and row.n]
            for row, exact in zip([*rows, evaluation.metric(name)], [*effects.T, effects.mean(axis=1)], strict=True):
                not_above, not_below = np.mean(exact <= 1e-12), np.mean(exact >= -1e-12)
                pvalue = min(1.0, 2 * min(not_above, not_below))
                assert row.pvalue == pytest.approx(pvalue, abs=2 * epsilon + 2 / resamples)
                if row.ci_lower is None or row.ci_upper is None:
                    assert np.ptp(exact) < 1e-12
                else:
                    tail = (1 - confidence) / 2
                    assert brackets(exact, row.ci_lower, tail, epsilon)
                    assert brackets(exact, row.ci_upper, 1 - tail, epsilon)


def test_the_interval_of_macro_f1_is_scikit_learns_over_resampled_rows() -> None:
    """The interval agrees with resampling rows and asking scikit-learn, within the error of both resamplings.

    A limit is the quantile at share t of B₁ draws, so its true share is off by a standard error of √(t(1−t)/B₁); the
    share of B₂ other draws below it is off by another √(t(1−t)/B₂). Four of the two together is one in 16,000.
    """
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, size=80)
    a, b = (np.where(rng.random(80) < right, y, rng.integers(0, 4, size=80)) for right in (0.6, 0.75))
    ours, theirs, tail = 20_000, 800, 0.1
    row = evaluate(PairedOutcomes.from_predictions(y, a, b), Policy(confidence=1 - 2 * tail), resamples=ours).metric(
        "f1"
    )
    effects = np.empty(theirs)
    for i in range(theirs):
        rows = rng.integers(0, 80, size=80)
        champion, challenger = (
            f1_score(y[rows], side[rows], labels=[0, 1, 2], average="macro", zero_division=0) for side in (a, b)
        )
        effects[i] = challenger - champion
    error = 4 * math.sqrt(tail * (1 - tail) * (1 / ours + 1 / theirs))
    assert row.ci_lower is not None
    assert row.ci_upper is not None
    assert brackets(effects, row.ci_lower, tail, error)
    assert brackets(effects, row.ci_upper, 1 - tail, error)


@given(table=TABLES)
@hypothesis_settings(max_examples=40)
def test_more_confidence_widens_every_interval(table: PairedOutcomes) -> None:
    """Intervals of a higher confidence hold those of a lower one, and p-values do not depend on it."""
    narrow, wide = (evaluate(table, Policy(confidence=level), resamples=FAST) for level in (0.8, 0.99))
    for inner, outer in zip(all_rows(narrow), all_rows(wide), strict=True):
        assert inner.pvalue == outer.pvalue
        if inner.ci_lower is None or outer.ci_lower is None or inner.ci_upper is None or outer.ci_upper is None:
            assert inner.ci_lower == outer.ci_lower
        else:
            assert outer.ci_lower <= inner.ci_lower + 1e-12
            assert outer.ci_upper >= inner.ci_upper - 1e-12


@given(table=TABLES, times=st.sampled_from([10, 10_000_000]))
@hypothesis_settings(max_examples=30)
def test_copies_of_the_rows_change_no_effect(table: PairedOutcomes, times: int) -> None:
    """Every row many times over: the same effects, whatever the number of rows."""
    many = PairedOutcomes.from_counts({cell: count * times for cell, count in table.to_counts().items()})
    one, more = (evaluate(t, Policy(), resamples=FAST) for t in (table, many))
    for row, other in zip(all_rows(one), all_rows(more), strict=True):
        assert other.effect == pytest.approx(row.effect, abs=1e-12)
        assert other.n == row.n * times


# What is asked for, and what is said


@pytest.mark.parametrize("names", [("accuracy",), ("f1", "accuracy"), ("accuracy", "recall")])
def test_only_what_is_asked_for_is_computed(names: tuple[str, ...]) -> None:
    """The policy's metrics are the rows, in its order; those with classes have one for each."""
    table = PairedOutcomes.from_predictions([0, 1, 1, 0], [0, 1, 0, 0], [0, 1, 1, 1])
    evaluation = evaluate(table, Policy(metrics=names), resamples=FAST)
    assert tuple(row.metric for row in evaluation.metrics) == names
    assert [(row.class_, row.metric) for row in evaluation.per_class] == [
        (label, name) for label in (0, 1) for name in names if name != "accuracy"
    ]


def test_too_many_classes_are_not_resampled_one_by_one() -> None:
    """Above 500 labels precision and F1 of a class have no interval, which is said; recall is still tested."""
    y = np.arange(501)
    evaluation = evaluate(PairedOutcomes.from_predictions(y, y, np.roll(y, 1)), Policy(), resamples=100)
    [skipped] = evaluation.skipped
    assert skipped.what == "intervals of precision and F1 by class"
    assert skipped.why == "501 classes are more than 500."
    for row in evaluation.per_class:
        assert (row.pvalue is None) == (row.metric != "recall")
    assert evaluation.metric("f1").pvalue is not None
    fewer = evaluate(PairedOutcomes.from_predictions(y[:500], y[:500], y[:500]), Policy(), resamples=100)
    assert fewer.skipped == ()


def test_a_test_and_an_interval_that_disagree_are_named() -> None:
    """At n = 100 with no row to the champion and four to the challenger, mid-p is .0625 and Tango's limit above 0."""
    evaluation = evaluate(
        PairedOutcomes.from_counts({(0, 1, 0): 4, (0, 0, 0): 56, (1, 1, 1): 40}), Policy(), resamples=FAST
    )
    accuracy = evaluation.metric("accuracy")
    assert accuracy.pvalue == 0.0625
    assert (accuracy.ci_lower, accuracy.ci_upper) == pytest.approx((0.0015, 0.0984), abs=1e-4)
    assert any(
        notice.endswith("disagree about zero, which happens at the edge of significance: the test decides.")
        for notice in evaluation.notices
    )


@given(table=TABLES, confidence=st.sampled_from([0.8, 0.95]))
def test_disagreement_is_named_exactly_where_it_is(table: PairedOutcomes, confidence: float) -> None:
    """The notice is there if and only if p < α on one hand and an interval without 0 on the other are not both so."""
    evaluation = evaluate(table, Policy(confidence=confidence), resamples=FAST)
    row = evaluation.metric("accuracy")
    assert row.ci_lower is not None
    assert row.ci_upper is not None
    assert row.pvalue is not None
    disagree = (row.pvalue < 1 - confidence) != (not row.ci_lower <= 0 <= row.ci_upper)
    assert any("disagree" in notice for notice in evaluation.notices) == disagree


def test_classes_of_few_rows_are_counted_and_one_is_named() -> None:
    """Classes under twenty rows are told of in one sentence; a label that is only predicted is no class."""
    counts: Mapping[tuple[Label, Label, Label], int]
    counts = {("big", "big", "big"): 50, ("few", "few", "big"): FEW_ROWS - 1, ("rare", "ghost", "rare"): 1}
    notices = " ".join(evaluate(PairedOutcomes.from_counts(counts), Policy(), resamples=FAST).notices)
    assert "2 classes have fewer than 20 rows ('few' and 1 more): read their numbers with care." in notices
    assert "ghost" not in notices
    counts = {("big", "big", "big"): FEW_ROWS, ("small", "small", "big"): FEW_ROWS}
    assert "fewer than" not in " ".join(evaluate(PairedOutcomes.from_counts(counts), Policy(), resamples=FAST).notices)


@pytest.mark.parametrize(
    ("truth", "average", "why"),
    [
        ([0, 1], "macro", "on exactly balanced classes macro recall is accuracy"),
        ([0, 0, 1], "macro", None),
        ([0, 0, 1], "weighted", "weighted recall is accuracy"),
        ([0, 1], "binary", None),
    ],
)
def test_recall_counts_once_where_it_is_accuracy(truth: list[int], average: Average, why: str | None) -> None:
    """Recall that is accuracy by another name is not counted again, which is said."""
    table = PairedOutcomes.from_predictions(truth, [0] * len(truth), truth)
    evaluation = evaluate(table, Policy(), average=average, resamples=FAST)
    assert ("recall" in evaluation.counted) == (why is None)
    assert any(notice.startswith("Recall is counted once") for notice in evaluation.notices) == (why is not None)
    assert why is None or f"Recall is counted once with accuracy: {why}." in evaluation.notices
    if why:
        assert evaluation.metric("recall").effect == pytest.approx(evaluation.metric("accuracy").effect, abs=1e-12)
    without = evaluate(table, Policy(metrics=("accuracy", "f1")), average=average, resamples=FAST)
    assert without.counted == ("accuracy", "f1")
    assert not any(notice.startswith("Recall") for notice in without.notices)


@pytest.mark.parametrize(("resamples", "said"), [(119, True), (120, False)])
def test_too_few_resamples_for_the_classes_are_told(resamples: int, *, said: bool) -> None:
    """Three classes tested together at 5 % need 2·3/.05 = 120 resamples to be able to show anything at all."""
    y = [0] * 40 + [1] * 40 + [2] * 40
    nearly = [*y[1:], 0]
    evaluation = evaluate(PairedOutcomes.from_predictions(y, [0] * 120, nearly), Policy(), resamples=resamples)
    told = [notice for notice in evaluation.notices if "resamples are too few" in notice]
    assert bool(told) == said
    least = min(row.pvalue_adjusted for row in evaluation.per_class if row.metric == "f1" and row.pvalue_adjusted)
    assert (least < 0.05) != said  # the difference could not be greater
    if said:
        assert "119 resamples" in told[0]
        assert "takes 120." in told[0]


def test_no_metric_is_resampled_that_no_one_asked_for() -> None:
    """With accuracy alone, no number of resamples is too few."""
    table = PairedOutcomes.from_predictions([0, 1], [0, 1], [0, 1])
    notices = evaluate(table, Policy(metrics=("accuracy",), confidence=0.999), resamples=100).notices
    assert not any("too few" in notice for notice in notices)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: evaluate(PairedOutcomes.from_counts({}), Policy()), "The data hold no labelled row to compare on."),
        (
            lambda t: evaluate(t, Policy(), average="micro"),  # type: ignore[arg-type] # the mistake tested
            "average must be one of macro, weighted, binary, got 'micro'.",
        ),
        (lambda t: evaluate(t, Policy(), resamples=99), "resamples must be at least 100, got 99."),
        (lambda t: evaluate(t, Policy(), seed=-1), "seed must be at least 0, got -1."),
        (lambda t: evaluate(t, Policy(), average="binary", pos_label=7), "pos_label must be one of 0, 1, got 7."),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[PairedOutcomes], Evaluation], message: str) -> None:
    """An empty table or an option outside its range is refused in one sentence."""
    with pytest.raises(InvalidInputError) as caught:
        call(PairedOutcomes.from_predictions([0, 1], [0, 1], [1, 0]))
    assert caught.value.message == message


def test_a_row_of_a_class_is_a_row_with_its_class() -> None:
    """Rows by class have the fields of a row of metrics, and the class."""
    assert set(ClassRow.__dataclass_fields__) == {*MetricRow.__dataclass_fields__, "class_"}
