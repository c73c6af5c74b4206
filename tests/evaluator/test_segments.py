"""Segments: each is evaluated as if its rows were all, adjusted for being many, and told where it contradicts."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar

from abtest.evaluator import NOT_ESTIMABLE, MetricRow, SegmentRow, evaluate
from abtest.evaluator.segments import contrasts, few_rows
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.reporter.summary import segments_of, shown
from abtest.reporter.views import segment_views
from tests import examples
from tests.known import known
from tests.multitest import multipletests
from tests.strategies import SEGMENTS, Segmented, segmented_columns, segmented_outcomes, tallied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.evaluator import Evaluation
    from abtest.labels import Label
    from abtest.metrics.classification import Average

    Table = Counter[tuple[Label, Label, Label]]

FAST = 100
POLICIES = st.builds(
    Policy, method=st.sampled_from(["mid-p", "exact", "chi2"]), confidence=st.sampled_from([0.8, 0.95])
)


def alone(outcomes: PairedOutcomes, i: int) -> PairedOutcomes:
    """The table of one segment's rows, made as if there were no others: over their own labels."""
    return PairedOutcomes.from_counts(outcomes.of(outcomes.segments[i]).to_counts())


def by_segment(evaluation: Evaluation, outcomes: PairedOutcomes) -> list[tuple[SegmentRow, ...]]:
    """Rows of each segment, in the order of the table's segments."""
    return [
        tuple(row for row in evaluation.segments if (row.segment, row.value) == segment.key)
        for segment in outcomes.segments
    ]


def as_metric(row: SegmentRow) -> MetricRow:
    """The row without its segment, and without what hangs on the other segments."""
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(MetricRow)}
    return MetricRow(**{**values, "pvalue_adjusted": None})


@given(
    outcomes=segmented_outcomes(),
    policy=POLICIES,
    average=st.sampled_from(["macro", "weighted"]),
    seed=st.integers(0, 9),
)
@hypothesis_settings(max_examples=12)  # an example is up to nine evaluations
def test_a_segment_is_evaluated_as_its_rows_alone(
    outcomes: PairedOutcomes, policy: Policy, average: Average, seed: int
) -> None:
    """A segment's values, effects, intervals and p-values are those of its rows evaluated alone, to the last bit."""
    evaluation = evaluate(outcomes, policy, average=average, resamples=FAST, seed=seed)
    for i, rows in enumerate(by_segment(evaluation, outcomes)):
        own = evaluate(alone(outcomes, i), policy, average=average, resamples=FAST, seed=seed)
        assert tuple(map(as_metric, rows)) == own.metrics
    assert len(evaluation.segments) == len(outcomes.segments) * len(evaluation.metrics)


@given(rows=segmented_columns(labels=("no", "yes")), seed=st.integers(0, 9))
@hypothesis_settings(max_examples=12)  # an example is up to nine evaluations
def test_the_positive_label_is_that_of_the_whole(rows: Segmented, seed: int) -> None:
    """With one positive label, a segment is evaluated as its rows alone with that label, where they have it."""
    outcomes = tallied(rows)
    assume(outcomes.labels == ("no", "yes"))
    evaluation = evaluate(outcomes, Policy(), average="binary", pos_label="yes", resamples=FAST, seed=seed)
    for i, found in enumerate(by_segment(evaluation, outcomes)):
        table = alone(outcomes, i)
        if "yes" in table.labels:
            own = evaluate(table, Policy(), average="binary", pos_label="yes", resamples=FAST, seed=seed)
            assert tuple(map(as_metric, found)) == own.metrics
        else:
            assert [(row.champion, row.effect) for row in found[1:]] == [(0.0, 0.0)] * 3


@given(rows=segmented_columns())
@hypothesis_settings(max_examples=12)  # an example is up to nine evaluations
def test_other_libraries_find_the_same_in_the_rows(rows: Segmented) -> None:
    """On a segment's rows scikit-learn has the same metrics, over their classes; statsmodels the same McNemar test."""
    (y, a, b), codes = rows
    outcomes = tallied(rows)
    evaluation = evaluate(outcomes, Policy(method="exact"), resamples=FAST)
    for segment, found in zip(outcomes.segments, by_segment(evaluation, outcomes), strict=True):
        inside = np.flatnonzero(codes[segment.name] == SEGMENTS[segment.name].index(segment.value)).tolist()
        truth, ours, theirs = ([column[i] for i in inside] for column in (y, a, b))
        classes = sorted(set(truth))
        for side, said in (("champion", ours), ("challenger", theirs)):
            scores = precision_recall_fscore_support(truth, said, labels=classes, average="macro", zero_division=0)
            expected = (accuracy_score(truth, said), *scores[:3])
            assert [getattr(row, side) for row in found] == pytest.approx(expected, abs=1e-12)
        right = [np.array([y == x for y, x in zip(truth, said, strict=True)]) for said in (ours, theirs)]
        square = [[int(np.sum((right[0] == i) & (right[1] == j))) for j in (1, 0)] for i in (1, 0)]
        assert found[0].pvalue == pytest.approx(mcnemar(square, exact=True).pvalue, abs=1e-12)
        assert {row.n for row in found} == {len(inside)}


@given(outcomes=segmented_outcomes(), metric=st.sampled_from(["accuracy", "precision", "recall", "f1"]))
@hypothesis_settings(max_examples=8)  # statsmodels collects garbage at every call
def test_p_values_are_adjusted_over_all_segments(outcomes: PairedOutcomes, metric: str) -> None:
    """Within each metric p-values are adjusted over the segments of all segmentations as statsmodels' Holm does."""
    rows = [row for row in evaluate(outcomes, Policy(), resamples=FAST).segments if row.metric == metric]
    assert len(rows) == len(outcomes.segments)
    tested = [row for row in rows if row.pvalue is not None]
    theirs = multipletests([row.pvalue for row in tested], method="holm")[1] if tested else []
    assert [row.pvalue_adjusted for row in tested] == pytest.approx(list(theirs), abs=1e-12)
    assert all(row.pvalue_adjusted is None for row in rows if row.pvalue is None)


def test_more_segments_make_each_less_sure() -> None:
    """The same rows told apart by one more column have p-values at least as large, adjusted; and the same raw ones."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 400)
    a, b = (np.where(rng.random(400) < share, y, 1 - y) for share in (0.7, 0.85))
    told_apart = {"s": rng.choice(["x", "y"], 400).tolist(), "t": rng.choice(["p", "q"], 400).tolist()}
    one = examples.record([*y], [*a], [*b], segments={"s": told_apart["s"]}).evaluation.segments
    both = examples.record([*y], [*a], [*b], segments=told_apart).evaluation.segments[: len(one)]
    assert [row.pvalue for row in one] == [row.pvalue for row in both]
    assert all((r.pvalue_adjusted or 0) <= (s.pvalue_adjusted or 0) for r, s in zip(one, both, strict=True))
    least = min(one, key=lambda row: (row.metric != "accuracy", row.pvalue or 0))
    assert least.pvalue_adjusted == min(1.0, 2 * (least.pvalue or 0))
    assert any(r.pvalue_adjusted != s.pvalue_adjusted for r, s in zip(one, both, strict=True))


@given(outcomes=segmented_outcomes(), policy=POLICIES)
@hypothesis_settings(max_examples=12)  # an example is up to nine evaluations
def test_swapping_the_sides_negates_effects_by_segment(outcomes: PairedOutcomes, policy: Policy) -> None:
    """Swapped sides have every segment's effects negated and its p-values unchanged, raw and adjusted.

    Resampled intervals of a table that is its own mirror image are left out: see the same law over all rows.
    """
    mirrors = {s.key for s in outcomes.segments if outcomes.of(s).swapped() == outcomes.of(s)}
    ours = evaluate(outcomes, policy, resamples=FAST).segments
    theirs = evaluate(outcomes.swapped(), policy, resamples=FAST).segments
    for row, other in zip(ours, theirs, strict=True):
        assert (row.segment, row.value, row.metric, row.n) == (other.segment, other.value, other.metric, other.n)
        assert (row.champion, row.challenger) == (other.challenger, other.champion)
        assert (row.effect, row.improvement) == (-other.effect, -other.improvement)
        assert (row.pvalue, row.pvalue_adjusted) == (other.pvalue, other.pvalue_adjusted)
        assert (row.ci_lower is None) == (other.ci_upper is None)
        if row.ci_lower is not None and (row.segment, row.value) not in mirrors:
            assert row.ci_lower == pytest.approx(-(other.ci_upper or 0.0), abs=1e-12)


@given(rows=segmented_columns())
@hypothesis_settings(max_examples=12)  # an example is up to nine evaluations
def test_identical_sides_differ_in_no_segment(rows: Segmented) -> None:
    """A model compared with itself has effect 0 and p = 1 in every segment, and nothing is said to contradict."""
    (y, a, _), codes = rows
    evaluation = evaluate(tallied(((y, a, a), codes)), Policy(), resamples=FAST)
    for row in evaluation.segments:
        assert (row.effect, row.improvement, row.pvalue, row.pvalue_adjusted) == (0.0, 0.0, 1.0, 1.0)
    assert not [notice for notice in evaluation.notices if "all rows" in notice]


@given(outcomes=segmented_outcomes(), policy=POLICIES)
@hypothesis_settings(max_examples=12)  # an example is up to nine evaluations
def test_every_number_of_a_segment_is_one(outcomes: PairedOutcomes, policy: Policy) -> None:
    """Nothing is NaN; shares and p-values lie in [0, 1], adjusting lowers none, and limits come in pairs."""
    for row in evaluate(outcomes, policy, resamples=FAST).segments:
        numbers = [getattr(row, field.name) for field in dataclasses.fields(SegmentRow)]
        assert all(math.isfinite(number) for number in numbers if isinstance(number, float))
        assert 0 <= min(row.champion, row.challenger) <= max(row.champion, row.challenger) <= 1
        assert (row.ci_lower is None) == (row.ci_upper is None) == (row.ci_method == NOT_ESTIMABLE)
        assert (row.pvalue is None) == (row.pvalue_adjusted is None) == (row.test == "none")
        if row.pvalue is not None:
            assert 0 <= row.pvalue <= (row.pvalue_adjusted or 0.0) <= 1
        assert row.n >= 1


@given(outcomes=segmented_outcomes())
@hypothesis_settings(max_examples=12)  # an example is up to nine evaluations
def test_accuracy_over_all_rows_lies_between_its_segments(outcomes: PairedOutcomes) -> None:
    """Accuracy and its effect are the segments' averages, weighted by rows: no such share can reverse."""
    evaluation = evaluate(outcomes, Policy(metrics=("accuracy",)), resamples=FAST)
    whole = evaluation.metric("accuracy")
    for name in {segment.name for segment in outcomes.segments}:
        rows = [row for row in evaluation.segments if row.segment == name]
        assert sum(row.n for row in rows) == whole.n
        for what in ("champion", "challenger", "effect"):
            average = sum(getattr(row, what) * row.n for row in rows) / whole.n
            assert average == pytest.approx(getattr(whole, what), abs=1e-12)


# Reversals, by hand

# A segment's positives and negatives, then of each side: positives found, and negatives taken for positives.
Side = tuple[int, int]
PRECISION = {"old": ((110, 10), (66, 2), (66, 9)), "new": ((80, 290), (72, 232), (8, 58))}
F1 = {"old": ((60, 320), (36, 128), (6, 64)), "new": ((340, 210), (102, 63), (238, 189))}


def in_rows(groups: Mapping[str, tuple[Side, Side, Side]]) -> PairedOutcomes:
    """Rows of these segments; the sides' mistakes fall on the same rows as far as they can."""
    whole: Table = Counter()
    own: dict[tuple[str, str], Table] = {}
    for value, ((positives, negatives), *sides) in groups.items():
        found: Table = Counter()
        for label, n, column in ((1, positives, 0), (0, negatives, 1)):
            found.update((label, int(i < sides[0][column]), int(i < sides[1][column])) for i in range(n))
        own["site", value] = found
        whole += found
    return PairedOutcomes.from_counts(whole, own)


def macro(metric: str, size: Side, side: Side) -> Fraction:
    """Macro precision or F1 of two classes, from its definition."""
    (positives, negatives), (hits, false_alarms) = size, side
    passed, misses = negatives - false_alarms, positives - hits
    if metric == "precision":
        return (Fraction(hits, hits + false_alarms) + Fraction(passed, passed + misses)) / 2
    return (Fraction(2 * hits, positives + hits + false_alarms) + Fraction(2 * passed, negatives + passed + misses)) / 2


def summed(pairs: list[Side]) -> Side:
    """Two counts summed over segments."""
    return sum(x for x, _ in pairs), sum(x for _, x in pairs)


@pytest.mark.parametrize(("metric", "groups"), [("precision", PRECISION), ("f1", F1)])
@pytest.mark.parametrize("turned", [False, True])
def test_every_segment_may_get_worse_while_the_whole_improves(
    metric: str, groups: Mapping[str, tuple[Side, Side, Side]], *, turned: bool
) -> None:
    """Macro precision and F1 can rise over all rows and fall in every segment, as Simpson found; it is said so."""
    outcomes = in_rows(groups)
    evaluation = evaluate(outcomes.swapped() if turned else outcomes, Policy(), resamples=2000)
    sign = -1 if turned else 1
    whole = evaluation.metric(metric)
    size, *sides = (summed(list(column)) for column in zip(*groups.values(), strict=True))
    effect = macro(metric, size, sides[1]) - macro(metric, size, sides[0])
    assert effect > 0
    assert whole.effect == pytest.approx(sign * float(effect), abs=1e-12)
    rows = {row.value: row for row in evaluation.segments if row.metric == metric}
    for value, (size, champion, challenger) in groups.items():
        own = macro(metric, size, challenger) - macro(metric, size, champion)
        assert own < 0
        assert rows[value].effect == pytest.approx(sign * float(own), abs=1e-12)
        assert rows[value].is_sure(0.05)
    told = [notice for notice in evaluation.notices if "over all rows" in notice and f"{metric.title()} " in notice]
    assert len(told) == 1
    change = "gets worse over all rows" if turned else "improves over all rows"
    reverse = "and significantly better in" if turned else "and gets significantly worse in"
    assert change in told[0]
    assert reverse in told[0]
    assert all(f"site = {value} (" in told[0] for value in groups)


# What is said


def metric_row(improvement: float, *, metric: str = "accuracy", adjusted: float | None = None, **more: Any) -> Any:
    """A row of this improvement; of cost, less is better."""
    greater = metric != "cost"
    kind = SegmentRow if more else MetricRow
    return kind(
        metric=metric, champion=0.5, challenger=0.5 + improvement, effect=improvement if greater else -improvement,
        rel_effect=None, improvement=improvement, ci_lower=None, ci_upper=None, ci_method=NOT_ESTIMABLE, test="x",
        statistic=None, pvalue=0.0001, pvalue_adjusted=adjusted, n=100, greater_is_better=greater, **more,
    )  # fmt: skip


def segment_row(value: str, improvement: float, adjusted: float | None = 0.01, metric: str = "accuracy") -> SegmentRow:
    """A segment's row of this improvement, significant unless told otherwise."""
    row: SegmentRow = metric_row(improvement, metric=metric, adjusted=adjusted, segment="region", value=value)
    return row


NUMBERS = st.sampled_from([-0.2, -0.01, -1e-13, 0.0, 1e-13, 0.01, 0.2])


@given(
    whole=NUMBERS,
    segments=st.lists(st.tuples(NUMBERS, st.sampled_from([0.0, 0.049, 0.05, 0.051, 1.0])), max_size=5),
    metric=st.sampled_from(["accuracy", "cost"]),
)
def test_a_contrast_is_said_exactly_when_it_is_true(
    whole: float, segments: list[tuple[float, float]], metric: str
) -> None:
    """It is said if the whole improves and a segment significantly does not, or the reverse; noise is no change."""
    rows = [segment_row(f"s{i}", *own, metric=metric) for i, own in enumerate(segments)]
    told = [*contrasts([metric_row(whole, metric=metric)], rows, 0.05)]
    against = [
        i for i, (improvement, p) in enumerate(segments)
        if p < 0.05 and abs(whole) > 1e-6 and abs(improvement) > 1e-6 and (improvement > 0) != (whole > 0)
    ]  # fmt: skip
    assert len(told) == bool(against)
    if told:
        assert (" improves over all rows" in told[0]) == (whole > 0)
        assert (" significantly better in " in told[0]) == (whole < 0)
        named = [i for i in range(len(segments)) if f"region = s{i} (" in told[0]]
        assert set(named) <= set(against)
        assert len(named) == min(3, len(against))
        assert (f"and {len(against) - 3} more." in told[0]) == (len(against) > 3)
        most = sorted((abs(segments[i][0]) for i in against), reverse=True)
        assert sorted((abs(segments[i][0]) for i in named), reverse=True) == most[:3]


def test_contrasts_are_whole_sentences() -> None:
    """The sentence names the metric, both changes with their signs, and the segments, the farthest off first."""
    whole = [metric_row(0.02), metric_row(1.5, metric="cost"), metric_row(-0.02, metric="f1")]
    rows = [
        segment_row("EU", -0.01), segment_row("Washington, DC", -0.03),
        segment_row("EU", -2.0, metric="cost"), segment_row("US", 0.05, metric="f1"),
    ]  # fmt: skip
    accuracy, cost, f1 = contrasts(whole, rows, 0.05)
    assert accuracy == (
        "Accuracy improves over all rows (+2.0 points), and gets significantly worse in "
        "region = Washington, DC (−3.0 points) and region = EU (−1.0 points)."
    )
    assert cost == (
        "Cost per row improves over all rows (−1.500), and gets significantly worse in region = EU (+2.000)."
    )
    assert f1 == "F1 gets worse over all rows (−2.0 points), and significantly better in region = US (+5.0 points)."
    many = [segment_row(name, -0.01 * i) for i, name in enumerate(["a, b", "c", "d, e", "f", "g"], start=1)]
    [sentence] = contrasts(whole[:1], many, 0.05)
    assert sentence == (
        "Accuracy improves over all rows (+2.0 points), and gets significantly worse in region = g (−5.0 points), "
        "region = f (−4.0 points), region = d, e (−3.0 points) and 2 more."
    )
    assert [*contrasts(whole, [segment_row("EU", -0.5, adjusted=0.06), segment_row("US", 0.5)], 0.05)] == []


def test_the_adjusted_test_decides_whether_a_segment_contradicts() -> None:
    """A loss that is significant alone, and not among many segments, is no contrast; the level is the policy's."""
    own: dict[tuple[str, str], Table] = {("s", "bad"): Counter({(0, 0, 1): 6, (0, 0, 0): 94})}
    own |= {("s", f"{i}"): Counter({(0, 1, 0): 1, (0, 0, 0): 99}) for i in range(20)}
    whole: Table = Counter()
    for counts in own.values():
        whole += counts
    outcomes = PairedOutcomes.from_counts(whole, own)
    for confidence, said in ((0.95, False), (0.3, True)):  # mid-p 1/64, times 21 segments: .328
        evaluation = evaluate(outcomes, Policy(confidence=confidence, metrics=("accuracy",)), resamples=FAST)
        row = evaluation.segments[0]
        assert (row.pvalue, row.pvalue_adjusted) == pytest.approx((1 / 64, 21 / 64), abs=1e-12)
        assert evaluation.metric("accuracy").improved
        assert any("significantly worse in s = bad (−6.0 points)" in n for n in evaluation.notices) == said


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ([20, 20], None),
        ([19, 20], "1 segment has fewer than 20 rows (shop = s0): read their numbers with care."),
        ([1, 40, 19, 3], "3 segments have fewer than 20 rows (shop = s0 and 2 more): read their numbers with care."),
        ([1], "1 segment has fewer than 20 rows (shop = s0): read their numbers with care."),
    ],
)
def test_segments_of_few_rows_are_named(sizes: list[int], told: str | None) -> None:
    """Below twenty rows a segment is named, or counted; one of a single row has numbers like the others."""
    own: dict[tuple[str, str], Table] = {("shop", f"s{i}"): Counter({(1, 0, 1): n}) for i, n in enumerate(sizes)}
    outcomes = PairedOutcomes.from_counts(Counter({(1, 0, 1): sum(sizes)}), own)
    assert [*few_rows(outcomes)] == ([told] if told else [])
    evaluation = evaluate(outcomes, Policy(), resamples=FAST)
    assert ([n for n in evaluation.notices if "segment" in n and "fewer" in n]) == ([told] if told else [])
    assert [row.effect for row in evaluation.segments if row.metric == "accuracy"] == [1.0] * len(sizes)
    assert [row.n for row in evaluation.segments if row.metric == "f1"] == sizes


def test_resamples_too_few_for_many_segments_are_told() -> None:
    """With 30 segments no resampled metric can be significant at 1,199 resamples: that is told; at 1,200 it can."""
    own: dict[tuple[str, str], Table] = {("s", f"{i:02d}"): Counter({(0, 1, 0): 20, (1, 0, 1): 20}) for i in range(30)}
    outcomes = PairedOutcomes.from_counts(Counter({(0, 1, 0): 600, (1, 0, 1): 600}), own)
    for resamples, said in ((1_199, True), (1_200, False)):
        evaluation = evaluate(outcomes, Policy(), resamples=resamples)
        assert any("by segment, of which there are 30: that takes 1,200." in n for n in evaluation.notices) == said


def test_progress_counts_every_table_drawn() -> None:
    """Progress ends at the resamples of all rows and of each segment, and never goes back."""
    outcomes = PairedOutcomes.from_counts(
        {(0, 0, 1): 4, (1, 1, 1): 4}, {("s", "x"): Counter({(0, 0, 1): 4}), ("s", "y"): Counter({(1, 1, 1): 4})}
    )
    done: list[int] = []
    evaluate(outcomes, Policy(), resamples=150, progress=done.append)
    assert done == sorted(done)
    assert done[-1] == 150 * 3


# What is shown first


@pytest.mark.parametrize("situation", ["simpson", "many_segments"])
def test_the_worst_segment_stands_first(situation: str) -> None:
    """A report has every segment once: the surely worse first, then the worst of enough rows, those of few rows last.

    Figures have them in the same order, named by their value, and by what told them apart where there are several.
    """
    record = examples.SITUATIONS[situation]()
    policy, found = record.settings.policy, segments_of(record)
    assert {(rows[0].segment, rows[0].value) for rows in found} == {s.key for s in known(record.outcomes).segments}
    assert all(len({(row.segment, row.value) for row in rows}) == 1 for rows in found)
    first = [next(row for row in rows if row.metric == policy.primary) for rows in found]
    groups = [
        0 if row.is_sure(policy.alpha) and row.improvement < 0 else 1 if row.n >= 20 else 2 for row in first
    ]  # fmt: skip
    assert groups == sorted(groups)
    for group in range(3):
        improvements = [row.improvement for row, own in zip(first, groups, strict=True) if own == group]
        assert improvements == sorted(improvements)
    for rows, view in zip(found, segment_views(record), strict=True):
        segment, value = shown(rows[0].segment), shown(rows[0].value)
        assert view.label == (f"{segment} = {value}" if segment in ("region", "device", "age") else value)
