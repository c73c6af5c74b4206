"""Each period of a window with its metrics, and how these went over the periods."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import numpy as np

from abtest.errors import NotApplicableError
from abtest.evaluator.degradation.asked import Asked
from abtest.evaluator.degradation.estimates import measured_errors, shares
from abtest.evaluator.degradation.rows import Tables, error_hours
from abtest.evaluator.monitored import MetricPoint, MetricSummary, Point
from abtest.metrics.custom import is_custom
from abtest.metrics.totals import Totals
from abtest.stats.falls import Estimate
from abtest.stats.spread import Design
from abtest.stats.trends import slope
from abtest.windows import DAY, Bucket

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from abtest.labels import Label
    from abtest.metrics.classification import Average, Metric
    from abtest.windows import Tallied, Window

_AT_ONCE = 1 << 20  # cells of tables


def points(
    window: Window,
    metrics: Sequence[str],
    seconds: int,
    *,
    average: Average = "macro",
    pos_label: Label | None = None,
    confidence: float = 0.95,
) -> tuple[Point, ...]:
    """Give each period of a window its metrics and their intervals, of its rows as independent ones.

    Averages run over the classes that occur in the period's truth; of a positive label that no row has there is no
    precision, recall or F1. Shares have Wilson's interval; of precision, recall
    and F1 it is that of as many rows as would give their variance. Errors have Student's; R² has none.

    Args:
        window: Which has a start and an end.
        metrics: Names in the catalogue; what a table of labels, or errors, does not tell is left out.
        seconds: Of a period.
        average: How precision, recall and F1 are averaged.
        pos_label: The positive label, for "binary".
        confidence: Of the intervals.
    """
    periods = window.by(seconds)
    found = _measured(
        [period.buckets for period in periods], metrics, average=average, pos_label=pos_label, confidence=confidence
    )
    return tuple(
        Point(
            start=period.start,
            end=period.end,
            versions=period.versions(),
            n=sum(bucket.tallied.n for bucket in period.buckets),
            failed=sum(bucket.tallied.failed for bucket in period.buckets),
            labelled=sum(bucket.tallied.labelled for bucket in period.buckets),
            metrics=own,
        )
        for period, own in zip(periods, found, strict=True)
        if period.start is not None and period.end is not None
    )


def metric_points(
    tallied: Tallied,
    metrics: Sequence[str],
    *,
    average: Average = "macro",
    pos_label: Label | None = None,
    confidence: float = 0.95,
) -> tuple[MetricPoint, ...]:
    """The metrics of some rows, with their intervals, as of one period."""
    alone = [Bucket(start=None, version=None, tallied=tallied)]
    return _measured([alone], metrics, average=average, pos_label=pos_label, confidence=confidence)[0]


def summaries(
    found: Sequence[Point],
    whole: Tallied,
    metrics: Sequence[str],
    *,
    average: Average = "macro",
    pos_label: Label | None = None,
    confidence: float = 0.95,
) -> tuple[MetricSummary, ...]:
    """Sum up each metric over the periods that have a value; one that none has is left out.

    Args:
        found: The periods.
        whole: All their rows, added up.
        metrics: Names in the catalogue.
        average: As of ``points``.
        pos_label: Likewise.
        confidence: Of the slope's interval.
    """
    of_all = metric_points(whole, metrics, average=average, pos_label=pos_label, confidence=confidence)
    series: dict[str, list[tuple[Point, float]]] = {}
    for period in found:
        for point in period.metrics:
            series.setdefault(point.metric, []).append((period, point.value))
    return tuple(_summary(point, series[point.metric], confidence) for point in of_all if point.metric in series)


def _summary(of_all: MetricPoint, series: list[tuple[Point, float]], confidence: float) -> MetricSummary:
    values = np.array([value for _, value in series])
    middles = [(point.start + (point.end - point.start) / 2).timestamp() / DAY for point, _ in series]
    line = slope(middles, values, [point.labelled for point, _ in series], confidence_level=confidence)
    limits = line.interval if line else None
    return MetricSummary(
        metric=of_all.metric,
        value=of_all.value,
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if values.size > 1 else None,
        least=float(values.min()),
        most=float(values.max()),
        slope=line.value if line else None,
        slope_lower=limits.lower if limits else None,
        slope_upper=limits.upper if limits else None,
        periods=values.size,
    )


def _measured(
    groups: Sequence[Sequence[Bucket]],
    metrics: Sequence[str],
    *,
    average: Average,
    pos_label: Label | None,
    confidence: float,
) -> list[tuple[MetricPoint, ...]]:
    """The metrics of each of some groups of hours."""
    kept = [[bucket for bucket in group if bucket.tallied.labelled] for group in groups]
    if any(bucket.tallied.task == "regression" for group in kept for bucket in group):
        return [_of_errors(group, metrics, confidence) for group in kept]
    tables = Tables.of([bucket for group in kept for bucket in group], pos_label=pos_label)
    asked = Asked.of(metrics, tables.labels, average=average, pos_label=pos_label, confidence=confidence)
    group_of = np.repeat(np.arange(len(kept)), [len(group) for group in kept])
    return _of_tables(tables, asked, group_of, len(kept))


def _of_tables(tables: Tables, asked: Asked, group: npt.NDArray[np.intp], groups: int) -> list[tuple[MetricPoint, ...]]:
    """Those of tables: many periods at a time, in one array."""
    hours = tables.hours(0)
    found: list[tuple[MetricPoint, ...]] = [()] * groups
    there = np.unique(group)
    at_once = max(1, _AT_ONCE // max(len(hours.cells.truth), 1))
    for start in range(0, there.size, at_once):
        some = there[start : start + at_once]
        place = np.where(np.isin(group, some), np.searchsorted(some, group), -1)
        of = Totals(cells=hours.cells, weights=hours.weights(place, some.size))
        columns = [_column(metric, of, asked) for metric in asked.metrics]
        for at, *row in zip(some.tolist(), *columns, strict=True):
            found[at] = tuple(point for point in row if point is not None)
    return found


def _column(metric: Metric, of: Totals, asked: Asked) -> list[MetricPoint | None]:
    """One metric of many tables; None where it is of a positive label that no row has."""
    told = np.ones(len(of.weights), dtype=np.bool_)
    if asked.positive is not None and metric.whole is None:
        told = of.support[:, asked.positive] > 0
    found, variances, rows = shares(metric, of, asked, of.support > 0)
    sizes = [math.inf] * variances.size if rows is None else rows.tolist()
    return [
        _point(
            metric.name,
            Estimate(value=value, variance=variance, is_share=rows is not None, rows=size),
            asked.confidence,
        )
        if known
        else None
        for known, value, variance, size in zip(
            told.tolist(), found.values.tolist(), variances.tolist(), sizes, strict=True
        )
    ]


def _of_errors(group: Sequence[Bucket], metrics: Sequence[str], confidence: float) -> tuple[MetricPoint, ...]:
    """Those of one period's errors; R² is not there where the truth does not vary."""
    found = []
    for name in metrics:
        hours = error_hours(group, [name] if is_custom(name) else [])
        with contextlib.suppress(NotApplicableError):
            if hours.rows.size:
                own = measured_errors(name, hours)
                estimate = own.estimate(Design())
                found.append(_point(name, estimate, confidence, known=own.variance is not None))
    return tuple(found)


def _point(metric: str, estimate: Estimate, confidence: float, *, known: bool = True) -> MetricPoint:
    has_limits = known and estimate.variance > 0
    interval = estimate.interval(confidence) if has_limits else None
    return MetricPoint(
        metric=metric,
        value=estimate.value,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
    )
