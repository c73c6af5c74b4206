"""The figure of metrics over time: small multiples over one axis, with who served when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.evaluator.monitored import Monitored
from abtest.metrics.catalogue import title, unit
from abtest.reporter.axis import Axis, unit_of
from abtest.reporter.canvas import DOT, TRIANGLE_DOWN, Canvas, Figure
from abtest.reporter.layout import CHARACTER, Trace, apart, short
from abtest.reporter.monitoring import numbers, views
from abtest.reporter.monitoring.inputs import version
from abtest.reporter.monitoring.timeline import BOTTOM, LEFT, RIGHT, WIDTH, Timeline
from abtest.reporter.monitoring.views import SeriesView
from abtest.reporter.summary import shown
from abtest.reporter.timeaxis import TimeAxis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.monitored import SegmentSeries
    from abtest.record.monitored import MonitoringRecord
    from abtest.reporter.canvas import Role
    from abtest.reporter.monitoring.views import PointView

_HEIGHTS = {1: 230.0, 2: 180.0, 3: 150.0, 4: 130.0}  # pixels, of a panel
_LOW = 104.0  # of one of many
_TITLE, _GAP = 32.0, 12.0  # pixels above a panel, and between two
_MOST_DOTS = 90  # more points than these are a band
_LETTERS = 18  # of a word that users chose
_LABEL = RIGHT + 12
_BASELINE = "baseline"
_MOST_PANELS = 12  # of segments
_DENSE, _SPARSE = 0.05, 0.95  # of the ends of intervals, how many an axis leaves out


def draw(record: MonitoringRecord, metrics: Sequence[str] = ()) -> Canvas:
    """Draw these metrics, or all, over time: a panel each."""
    seen = record.monitored
    return _draw(seen, [views.series(seen, name) for name in metrics or views.metrics_of(seen)])


def draw_segments(record: MonitoringRecord) -> Canvas:
    """Draw the segments over time, those that do worst: a panel each, over one range of values."""
    seen = record.monitored
    found = [views.of_segment(seen, it) for it in _shown(seen)]
    ends = [end for view in found for end in _reach(view)]
    return _draw(seen, found, reach=[min(ends), max(ends)])


def _draw(seen: Monitored, found: Sequence[SeriesView], reach: list[float] | None = None) -> Canvas:
    height = _HEIGHTS.get(len(found), _LOW)
    time = Timeline(seen)
    header = time.header()
    tops = [header + _TITLE + (height + _TITLE + _GAP) * i for i in range(len(found))]
    bottom = tops[-1] + height
    canvas = Canvas(WIDTH, bottom + BOTTOM)
    time.grounds(canvas, header - 4, bottom)
    for top, view in zip(tops, found, strict=True):
        axis = Axis(reach or _reach(view), top + height, top)
        _Panel(canvas=canvas, x=time.x, axis=axis, seen=seen, view=view, top=top, bottom=top + height).draw()
    time.moves(canvas, [(top, top + height) for top in tops])
    time.ticks(canvas, bottom)
    return canvas


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """One metric, between two heights of a canvas."""

    canvas: Canvas
    x: TimeAxis
    axis: Axis
    seen: Monitored
    view: SeriesView
    top: float
    bottom: float

    def draw(self) -> None:
        """Draw it, what matters most on top."""
        canvas, change = self.canvas, self.view.change
        canvas.text(0, self.top - 16, short(f"{self.view.name}{unit_of(self.axis.power)}", 60), size=13, bold=True)
        for tick, text in zip(self.axis.ticks, self.axis.texts, strict=True):
            y = self.axis(tick)
            canvas.line((LEFT, y), (RIGHT, y))
            percent = " %" if self.view.kind == "share" else ""
            canvas.text(LEFT - 8, y, f"{text}{percent}", size=11, role="muted", align="right")
        if change is not None:
            self._flag()
        self._tolerated()
        self._gaps()
        for run in self.view.runs:
            self._run(run)
        self._labels()

    def y(self, value: float) -> float:
        """Place a value, within the panel."""
        return min(self.bottom, max(self.top, self.axis(value)))

    def _flag(self) -> None:
        """Say above the panel what became of the metric, and shade the recent window where it has fallen."""
        change = self.view.change
        if change is None:
            return
        written, fallen = numbers.write_change(change), change.trend == "fallen"
        if fallen:
            left, right = self.x(self.seen.recent_start), self.x(self.seen.recent_end)
            self.canvas.boxes([(left, self.top, right - left, self.bottom - self.top)], fill="worse", opacity=0.12)
        points = " points" if self.view.kind == "share" else ""
        word = written.word
        if self.view.against != _BASELINE:  # beside other rows, and not beside what was
            word = {"fallen": "lags", "held": "keeps up"}.get(change.trend, change.trend)
        text = f"{written.mark} {word}, {written.effect}{points} ({written.interval})"
        role: Role = "worse" if fallen else "muted"
        self.canvas.text(RIGHT, self.top - 16, text, size=12, role=role, align="right", bold=fallen)

    def _tolerated(self) -> None:
        """The baseline's value as a dashed line, with the band that is tolerated."""
        if self.view.baseline is None:
            return
        at = self.y(self.view.baseline)
        for limit in self.view.limits:
            end = self.y(limit)
            self.canvas.boxes([(LEFT, min(at, end), RIGHT - LEFT, abs(end - at))], fill="muted", opacity=0.13)
            self.canvas.lines(Trace([(LEFT, end), (RIGHT, end)]).dashes(1.5, 3), role="muted")
        self.canvas.lines(Trace([(LEFT, at), (RIGHT, at)]).dashes(6, 4), role="ink", width=1.2)

    def _gaps(self) -> None:
        """Say where there is nothing, as far as there is room."""
        for gap in views.gaps(self.seen):
            left, right = self.x(gap.start), self.x(gap.end)
            text = gap.text if right - left > CHARACTER * len(gap.text) else ""
            self.canvas.text((left + right) / 2, self.bottom - 10, text, size=10, role="muted", align="center")

    def _run(self, run: Sequence[PointView]) -> None:
        """Points with their intervals; many of them as a line in a band. What is beyond the band is marked."""
        drawn = [(self.x(it.at), self.y(it.value)) for it in run]
        dense = len(self.seen.points) > _MOST_DOTS
        if dense and len(run) > 1:
            upper = [(self.x(it.at), self.y(it.upper)) for it in run]
            lower = [(self.x(it.at), self.y(it.lower)) for it in run]
            self.canvas.area((*upper, *reversed(lower)), "champion", opacity=0.22)
        else:
            for it in run:
                at = self.x(it.at)
                role: Role = "worse" if it.beyond else "champion"
                self.canvas.line((at, self.y(it.lower)), (at, self.y(it.upper)), role=role, width=1.5)
        if len(run) > 1:
            self.canvas.lines((Trace(drawn).whole(),), role="champion", width=0.8 if dense else 1)
        for place, it in zip(drawn, run, strict=True):
            if it.beyond:
                self.canvas.mark(place, TRIANGLE_DOWN, "worse", size=3 if dense else 4.5)
            elif not dense or len(run) == 1:
                self.canvas.mark(place, DOT, "champion", size=2.5)

    def _labels(self) -> None:
        """Write at the right what the lines are, and the last value."""
        view, last = self.view, self.view.runs[-1][-1]
        labels: list[tuple[float, str, Role, bool]] = [
            (self.y(last.value), f"last {view.written(last.value)}", "worse" if last.beyond else "champion", True)
        ]
        if view.baseline is not None:
            labels.append((self.y(view.baseline), f"{view.against} {view.written(view.baseline)}", "ink", False))
            labels += [(self.y(it), f"tolerated {view.written(it)}", "muted", False) for it in view.limits]
        places = apart([y for y, *_ in labels], 15, self.top + 4, self.bottom - 2)
        for y, (_, text, role, bold) in zip(places, labels, strict=True):
            self.canvas.text(_LABEL, y, text, size=11, role=role, bold=bold)


def _reach(view: SeriesView) -> list[float]:
    """How far an axis goes: all values, the baseline and the band; of intervals, without the few that are widest."""
    points = [point for run in view.runs for point in run]
    lowers, uppers = sorted(it.lower for it in points), sorted(it.upper for it in points)
    ends = [lowers[int(_DENSE * len(lowers))], uppers[min(len(uppers) - 1, int(_SPARSE * len(uppers)))]]
    known = [it.value for it in points] + ends + list(view.limits)
    known += [] if view.baseline is None else [view.baseline]
    room = 0.06 * (max(known) - min(known))
    high = max(known) + room
    return [min(known) - room, min(high, 100.0) if view.kind == "share" and max(known) <= 100 else high]


def alt(record: MonitoringRecord, metrics: Sequence[str] = ()) -> str:
    """Say what it shows."""
    seen = record.monitored
    names = metrics or views.metrics_of(seen)
    told = []
    for it in seen.summaries:
        if it.metric in names:
            change = next((c for c in seen.changes if c.metric == it.metric and c.segment is None), None)
            written = [wording.value(value, unit(it.metric)) for value in (it.least, it.most)]
            trend = f", {change.trend} against the baseline" if change else ""
            told.append(f"{title(it.metric)} from {written[0]} to {written[1]}{trend}")
    served = ", ".join(f"{version(it.version)}{f' ({shown(it.how)})' if it.how else ''}" for it in seen.reigns)
    by = f" Served by {served}." if served else ""
    return shown(f"Over time, {numbers.between(seen.start, seen.end)}: {'; '.join(told)}.{by}")


FIGURE: Figure[MonitoringRecord] = Figure(
    name="over-time",
    topic="time",
    title="How well does it predict over time?",
    caption=(
        "Each point is a period, with its interval; of many, a line in a band. The dashed line is the baseline's "
        "value, the grey band what is tolerated, ▼ a period all of whose interval is worse than that (one of "
        "many may be so by chance). Whether a metric has fallen is judged over the recent window, and written above. "
        "Shaded grounds are the reigns of versions, which begin with a promotion or a rollback."
    ),
    alt=alt,
    draw=draw,
    applies=lambda record: bool(views.metrics_of(record.monitored)),
)


def _shown(seen: Monitored) -> list[SegmentSeries]:
    """The segments that are drawn: they have values, and do worst."""
    return [it for it in numbers.by_lag(seen) if any(point.metrics for point in it.points)][:_MOST_PANELS]


def alt_segments(record: MonitoringRecord) -> str:
    """Say what it shows."""
    seen = record.monitored
    behind = [f"{it.segment} = {it.value}" for it in _shown(seen) if it.lags]
    told = f"behind the rest: {', '.join(behind)}" if behind else "none is surely behind the rest"
    return shown(f"{len(_shown(seen))} segments over time, {numbers.between(seen.start, seen.end)}: {told}.")


SEGMENTS: Figure[MonitoringRecord] = Figure(
    name="segments-over-time",
    topic="segments",
    title="Which segments do worse, and since when?",
    caption=(
        "The first metric in each segment, those that do worst first, over one range of values. The dashed line is "
        "what all other rows reach in the recent window, the grey band what is tolerated. A segment lags where it "
        "surely does worse than them by more than that, after allowing for the number of segments; ▼ marks single "
        "periods."
    ),
    alt=alt_segments,
    draw=draw_segments,
    applies=lambda record: bool(_shown(record.monitored)),
)
