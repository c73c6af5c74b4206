"""The recent window against the baseline: which metrics have fallen, which surely have not, what that would take."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from abtest.evaluator.degradation.asked import not_asked
from abtest.evaluator.degradation.estimates import NAMES
from abtest.evaluator.degradation.questions import of_errors, of_tables
from abtest.evaluator.monitored import Change
from abtest.evaluator.rows import NOT_ESTIMABLE, Skipped
from abtest.stats.falls import student, tail
from abtest.stats.multiplicity import holm
from abtest.stats.proportions import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.degradation.questions import Question
    from abtest.evaluator.monitored import Trend
    from abtest.labels import Label
    from abtest.metrics.classification import Average
    from abtest.windows import Window

_BIAS = "bias"
_MOST_TIMES, _HALVINGS = 1e6, 20  # as many rows as there are: more are never awaited


def changes(
    baseline: Window,
    recent: Window,
    metrics: Sequence[str],
    *,
    threshold: float,
    average: Average = "macro",
    pos_label: Label | None = None,
    confidence: float = 0.95,
) -> tuple[tuple[Change, ...], tuple[Skipped, ...]]:
    """Compare each metric over all rows, and over each segment that both windows have.

    Null:
        Of each test: the metric is no worse in the recent window. Holm's adjustment holds over all of them together.

    Assumes:
        Days are independent where a window has five of them with labels, else hours, else rows; a window of fewer (or
        without time) lends the other's spread within them. Rows of one day that share their luck make a test of
        independent rows cry wolf.

    Args:
        baseline: What was.
        recent: What is.
        metrics: Names in the catalogue, all of the windows' task.
        threshold: The fall that matters: of shares and of R² in their own unit (0.05 is five points), of a bias as a
            share of the baseline's RMSE, of other numbers as a share of the baseline's value.
        average: How precision, recall and F1 are averaged; over the classes that both windows' truth has.
        pos_label: The positive label, for "binary".
        confidence: Of intervals; each test is one-sided, at the level 1 − confidence.

    Returns:
        Changes, over all rows and then by segment; and what was not compared, or not as asked, and why.
    """
    tasks = {bucket.tallied.task for window in (baseline, recent) for bucket in window.buckets}
    for window, side in ((baseline, "baseline"), (recent, "recent window")):
        if not any(bucket.tallied.labelled for bucket in window.buckets):
            return (), (Skipped(what="changes", why=f"The {side} has no labelled row."),)
    if "regression" in tasks:
        found = of_errors(baseline, recent, metrics, threshold=threshold)
    else:
        found = of_tables(
            baseline,
            recent,
            metrics,
            threshold=threshold,
            average=average,
            pos_label=pos_label,
            confidence=confidence,
        )
    rows = [_row(question, confidence) for question in found.asked]
    return tuple(_settled(rows, found.asked, confidence)), (*not_asked(metrics), *found.skipped)


def _row(question: Question, confidence: float) -> Change:
    """One metric with its interval and its test; what depends on the other tests is still to come."""
    shift = question.shift
    known = shift.standard_error > 0
    interval = shift.interval(confidence) if known else None
    fall, limits = _fall(question, confidence)
    pvalue = _pvalue(question, fall) if known else None
    seconds = question.clusters.seconds
    by = "" if seconds is None else f" by {NAMES[seconds]}"
    kind = "score" if shift.recent.is_share else "student"
    exact = question.exact is not None and pvalue == question.exact
    name, value = question.key or (None, None)
    return Change(
        metric=question.metric,
        segment=name,
        value=value,
        baseline=shift.baseline.value,
        recent=shift.recent.value,
        effect=shift.effect,
        fall=fall,
        fall_lower=limits.lower if known else None,
        fall_upper=limits.upper if known else None,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        ci_method=f"{'newcombe' if shift.recent.is_share else 'student'}{by}" if known else NOT_ESTIMABLE,
        test="none" if pvalue is None else "fisher" if exact else f"{kind}{by}",
        statistic=shift.statistic() if known and not exact else None,
        pvalue=pvalue,
        pvalue_adjusted=None,
        tolerated=question.tolerated,
        trend="unclear",
        n_baseline=question.rows[0],
        n_recent=question.rows[1],
        clusters=question.clusters.count,
        rows_needed=None,
    )


def _fall(question: Question, confidence: float) -> tuple[float, Interval]:
    """How much worse it is, and the limits of that, each one-sided."""
    shift = question.shift
    if question.metric == _BIAS:
        # Nearer to 0 from either side: a bias of 0 may seem worse both ways, so that each way has half of the level.
        fall = abs(shift.recent.value) - abs(shift.baseline.value)
        half = student(shift.degrees, (1 - confidence) / 2) * shift.standard_error
        return fall, Interval(lower=fall - half, upper=fall + half)
    bounds = shift.bounds(confidence)
    if question.greater_is_better:
        return 0.0 - shift.effect, Interval(lower=0.0 - bounds.upper, upper=0.0 - bounds.lower)
    return shift.effect, bounds


def _pvalue(question: Question, fall: float) -> float:
    shift = question.shift
    if question.metric == _BIAS:
        return min(1.0, 2 * tail(shift.degrees, fall / shift.standard_error))
    return max(shift.pvalue(worse="less" if question.greater_is_better else "greater"), question.exact or 0.0)


def _settled(rows: Sequence[Change], asked: Sequence[Question], confidence: float) -> list[Change]:
    """Adjust the tests for being many, and say what each amounts to."""
    adjusted = iter(holm([row.pvalue for row in rows if row.pvalue is not None]).tolist())
    found = []
    for row, question in zip(rows, asked, strict=True):
        own = replace(row, pvalue_adjusted=None if row.pvalue is None else next(adjusted))
        trend = trend_of(own, confidence)
        needed = _rows_needed(own, question, (1 - confidence) / len(rows), confidence) if trend == "unclear" else None
        found.append(replace(own, trend=trend, rows_needed=needed))
    return found


def trend_of(row: Change, confidence: float) -> Trend:
    """Say what a change amounts to, once its p-value allows for the others."""
    if row.pvalue_adjusted is not None and row.pvalue_adjusted < 1 - confidence and row.fall >= row.tolerated:
        return "fallen"
    if row.fall_upper is not None and row.fall_upper < row.tolerated:
        return "held"
    return "unclear"


def _rows_needed(row: Change, question: Question, level: float, confidence: float) -> int | None:
    """Rows of the recent window at which, all else as it is, it is fallen or held; None where no number would do."""
    shift, beyond = question.shift, row.fall >= row.tolerated

    def settles(times: float) -> bool:
        more = replace(question, exact=None, shift=replace(shift, recent=shift.recent.of_more(times)))
        fall, limits = _fall(more, confidence)
        return _pvalue(more, fall) < level if beyond else limits.upper < row.tolerated

    few, many = 1.0, _MOST_TIMES
    if shift.standard_error == 0 or not settles(many):
        return None
    for _ in range(_HALVINGS):
        middle = math.sqrt(few * many)
        few, many = (few, middle) if settles(middle) else (middle, many)
    return max(question.rows[1] + 1, math.ceil(question.rows[1] * many))
