"""What the figures of monitoring lay out: values in the units of their axes, and what is to be pointed out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from abtest import wording
from abtest.evaluator import FEW_ROWS
from abtest.evaluator.monitored import Change
from abtest.metrics.catalogue import title, unit
from abtest.reporter.monitoring import numbers
from abtest.reporter.summary import shown
from abtest.reporter.views import Effect, GroupView
from abtest.wording import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.evaluator.monitored import MetricPoint, Monitored, Point, SegmentSeries
    from abtest.reporter.summary import Tone

_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PointView:
    """A metric in one period.

    Attributes:
        at: The middle of the period.
        value: The metric.
        lower: Of its interval; the value itself where there is none.
        upper: Likewise.
        beyond: Whether all of the interval is worse than what is tolerated.
    """

    at: datetime
    value: float
    lower: float
    upper: float
    beyond: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesView:
    """A metric over time, of shares in percent.

    Attributes:
        name: What it is called.
        kind: Its unit.
        runs: Its points, in unbroken pieces.
        baseline: Its value in the baseline.
        limits: Where the tolerated band ends: above and below of a bias, else on the worse side.
        change: Recent against baseline, where that was asked.
        against: What the baseline is called.
    """

    name: str
    kind: Unit
    runs: tuple[tuple[PointView, ...], ...]
    baseline: float | None
    limits: tuple[float, ...]
    change: Change | None
    against: str = "baseline"

    def written(self, value: float) -> str:
        """Write a value of it."""
        return wording.value(value / factor(self.kind), self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapView:
    """A stretch of time in which there is nothing to show, and why."""

    start: datetime
    end: datetime
    text: str


def factor(kind: Unit) -> float:
    """By how much values are multiplied for an axis."""
    return _PERCENT if kind == "share" else 1.0


def metrics_of(seen: Monitored) -> list[str]:
    """The metrics that have a value in some period, in their order."""
    return list(dict.fromkeys(it.metric for point in seen.points for it in point.metrics))


def series(seen: Monitored, metric: str) -> SeriesView:
    """Lay out one metric over time."""
    kind = unit(metric)
    change = next((it for it in seen.changes if it.metric == metric and it.segment is None), None)
    limits = _limits(metric, seen, change)
    runs = []
    for known, group in groupby(seen.points, key=lambda point: _of(point, metric) is not None):
        if known:
            runs.append(tuple(_point(point, metric, limits, change, factor(kind)) for point in group))
    return SeriesView(
        name=shown(title(metric)),
        kind=kind,
        runs=tuple(runs),
        baseline=None if change is None else factor(kind) * change.baseline,
        limits=tuple(factor(kind) * limit for limit in limits),
        change=change,
    )


def of_segment(seen: Monitored, it: SegmentSeries) -> SeriesView:
    """Lay out a segment over time, beside the rest of its rows."""
    row = it.against_rest
    metric = next((own.metric for point in it.points for own in point.metrics), "")
    whole = () if row is None else (replace(row, segment=None, value=None),)
    view = series(replace(seen, points=it.points, changes=whole), metric)
    return replace(view, name=shown(f"{it.segment} = {it.value}"), against="the rest")


def _of(point: Point, metric: str) -> MetricPoint | None:
    return next((it for it in point.metrics if it.metric == metric), None)


def _limits(metric: str, seen: Monitored, change: Change | None) -> tuple[float, ...]:
    if change is None:
        return ()
    if metric == "bias":  # its size is what counts
        most = abs(change.baseline) + change.tolerated
        return (-most, most)
    better = numbers.greater_is_better(metric, seen.changes)
    return (change.baseline + (-change.tolerated if better else change.tolerated),)


def _point(point: Point, metric: str, limits: tuple[float, ...], change: Change | None, by: float) -> PointView:
    found = _of(point, metric)
    assert found is not None  # noqa: S101 - of a run of those that have one
    known = found.ci_lower is not None and found.ci_upper is not None
    lower, upper = (found.ci_lower, found.ci_upper) if known else (found.value, found.value)
    baseline = change.baseline if change is not None else 0.0
    beyond = known and any(upper < limit if limit < baseline else lower > limit for limit in limits)  # type: ignore[operator] # known
    return PointView(
        at=point.start + (point.end - point.start) / 2,
        value=by * found.value,
        lower=by * lower,  # type: ignore[operator] # known
        upper=by * upper,  # type: ignore[operator] # known
        beyond=beyond,
    )


def gaps(seen: Monitored) -> Iterator[GapView]:
    """Lay out where no metric has a value, and why: nothing was predicted, or nothing of it is labelled."""

    def why(point: Point) -> str:
        if point.metrics:
            return ""
        return "no predictions" if not point.n else "no labels"

    for text, group in groupby(seen.points, key=why):
        points = list(group)
        if text:
            yield GapView(start=points[0].start, end=points[-1].end, text=text)


def whole_view(changes: Sequence[Change]) -> GroupView | None:
    """Lay out the changes over all rows; None where there is none."""
    rows = [it for it in changes if it.segment is None]
    return _group("all rows", rows) if rows else None


def segment_views(seen: Monitored) -> list[GroupView]:
    """Lay out the segments, the worst first; a value says it all where there is one kind."""
    found = numbers.by_segment(seen)
    alone = len({rows[0].segment for rows in found}) == 1
    return [_group(shown(rows[0].value or "") if alone else numbers.label(rows[0]), rows) for rows in found]


def _group(label: str, rows: Sequence[Change]) -> GroupView:
    return GroupView(
        label=label,
        n=rows[0].n_recent,
        few=rows[0].n_recent < FEW_ROWS,
        rank=0.0,
        ranked_by="",
        effects={shown(title(it.metric)): effect(it) for it in rows},
    )


def effect(it: Change) -> Effect:
    """Lay out a change: worse or better by what the fall says, sure where it has fallen."""
    kind = unit(it.metric)
    by = factor(kind)
    tone: Tone = "worse" if it.fall > 0 else "better" if it.fall < 0 else "same"
    return Effect(
        value=by * it.effect,
        lower=None if it.ci_lower is None else by * it.ci_lower,
        upper=None if it.ci_upper is None else by * it.ci_upper,
        text=wording.effect(it.effect, kind, spell_unit=False),
        tone=tone,
        sure=it.trend == "fallen",
    )


def bounds(changes: Sequence[Change]) -> dict[str, float]:
    """By metric, the effect over all rows that would be as bad as is tolerated."""
    rows = [it for it in changes if it.segment is None and it.metric != "bias"]
    return {
        shown(title(it.metric)): factor(unit(it.metric))
        * (-it.tolerated if numbers.greater_is_better(it.metric, changes) else it.tolerated)
        for it in rows
    }


def only(view: GroupView, names: Sequence[str]) -> GroupView:
    """Keep of a group the effects of these metrics."""
    return replace(view, effects={name: it for name, it in view.effects.items() if name in names})
