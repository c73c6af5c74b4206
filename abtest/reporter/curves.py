"""Figures of scores: how well each side ranks the rows, and whether its probabilities can be believed.

To add a figure, write a function that draws it and one that tells it, and enter both in ``FIGURES``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from abtest import wording
from abtest.labels import Side
from abtest.reporter.canvas import DIAMOND, SQUARE, Canvas, Figure, Outline, Role
from abtest.reporter.layout import CHARACTER, Scale, Trace, free_place, short
from abtest.reporter.summary import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.record import ComparisonRecord
    from abtest.reporter.canvas import Point
    from abtest.scores import Curve, ReliabilityBin, ScoreReading, SideReading

_SIDES: tuple[Side, ...] = ("challenger", "champion")  # as drawn: the champion's dashes on the challenger's line
_MARKS: dict[Side, tuple[Point, ...]] = {"champion": SQUARE, "challenger": DIAMOND}
_MARKED: dict[Side, tuple[float, ...]] = {"champion": (1 / 8, 3 / 8, 5 / 8, 7 / 8), "challenger": (1 / 4, 1 / 2, 3 / 4)}
_LEFT, _PANEL, _BETWEEN, _WIDTH = 62.0, 356.0, 94.0, 888.0
_INSET = 10.0  # pixels between the frame and 0 or 100 %, so that a mark there is whole
_MARGIN = _INSET + 5  # pixels between the frame and a key
_STEP = 4.0  # pixels between the places of a line that a key keeps clear of
_KEY_LINE, _KEY_SAMPLE = 19.0, 40.0
_SMALL, _LARGE = 3.5, 7.5  # pixels, half the width of the mark of a bin of no rows, and of the largest
_ASKED_FPR, _ASKED_RECALL = 0.1, 0.5  # where the alternative text reads the curves


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A line of a key: what is drawn for it, and what it means."""

    text: str
    role: Role
    side: Side | None = None
    dotted: bool = False


class _Panel:
    """A square with an axis of shares each way."""

    def __init__(self, canvas: Canvas, number: int, top: float, values: Sequence[float]) -> None:
        self.canvas = canvas
        self.left = _LEFT + number * (_PANEL + _BETWEEN)
        self.right = self.left + _PANEL
        self.top, self.bottom = top, top + _PANEL
        self.x = Scale(values, self.left + _INSET, self.right - _INSET, ticks=5)
        self.y = Scale(values, self.bottom - _INSET, self.top + _INSET, ticks=5)
        self.traces: list[Trace] = []

    def axes(self, x: str, y: str, *, bottom: float | None = None) -> None:
        """Draw the grid, and name both axes; the numbers of the lower one stand below ``bottom``."""
        canvas, bottom = self.canvas, bottom or self.bottom
        for tick in self.x.ticks:
            canvas.line((self.x(tick), self.top), (self.x(tick), bottom))
            canvas.line((self.left, self.y(tick)), (self.right, self.y(tick)))
            canvas.text(self.x(tick), bottom + 13, _tick(tick), size=11, role="muted", align="center")
            canvas.text(self.left - 6, self.y(tick), _tick(tick), size=11, role="muted", align="right")
        middle = (self.top + self.bottom) / 2
        canvas.text((self.left + self.right) / 2, bottom + 34, x, size=12, role="muted", align="center")
        canvas.text(self.left - 54, middle, y, size=12, role="muted", align="center", turned=True)

    def chance(self, start: Point, end: Point) -> None:
        """Draw what a side without skill, or one without error, would show."""
        self._dotted(self._trace([start, end]))

    def line(self, points: Sequence[Point], side: Side, *, width: float = 2.2) -> Trace:
        """Draw a side's line: the champion's dashed."""
        trace = self._trace(points)
        self._stroke(trace, side, width)
        return trace

    def key(self, entries: Sequence[_Entry], corner: Point) -> None:
        """Explain the lines, where there are none; of several such places in the one next to a corner (0 to 1)."""
        samples = _KEY_SAMPLE if any(it.side or it.dotted for it in entries) else 0
        bold = 1.1 * 12 / 11 * CHARACTER
        width = samples + 16 + max(bold * len(it.text) for it in entries)
        height = _KEY_LINE * len(entries) + 8
        taken = [trace.at(_STEP * i) for trace in self.traces for i in range(math.ceil(trace.length / _STEP) + 1)]
        within = self.left + _MARGIN, self.top + _MARGIN, _PANEL - 2 * _MARGIN, _PANEL - 2 * _MARGIN
        left, top = free_place(taken, (width, height), within, corner)
        self.canvas.boxes([(left, top, width, height)], fill="surface", opacity=0.85)
        for i, it in enumerate(entries):
            y = top + 4 + _KEY_LINE * (i + 0.5)
            sample = Trace([(left + 8, y), (left + 8 + samples - 10, y)])
            if it.side:
                self._stroke(sample, it.side, 2.2)
                self.canvas.mark(sample.at(sample.length / 2), _MARKS[it.side], it.side, size=5)
            elif it.dotted:
                self._dotted(sample)
            indent = samples if it.side or it.dotted else 0
            self.canvas.text(left + 8 + indent, y, it.text, size=12, role=it.role, bold=it.side is not None)

    def _trace(self, points: Sequence[Point]) -> Trace:
        trace = Trace([(self.x(x), self.y(y)) for x, y in points])
        self.traces.append(trace)
        return trace

    def _stroke(self, trace: Trace, side: Side, width: float) -> None:
        if not trace.length:
            return  # one bin is no line
        shapes = trace.dashes(7, 4) if side == "champion" else (trace.whole(),)
        self.canvas.drawn.append(Outline(shapes=shapes, fill=None, stroke=side, width=width, opacity=1))

    def _dotted(self, trace: Trace) -> None:
        shapes = trace.dashes(1.5, 4)
        self.canvas.drawn.append(Outline(shapes=shapes, fill=None, stroke="muted", width=1.5, opacity=1))


def _draw_ranking(record: ComparisonRecord) -> Canvas:
    """Left: true against false positives. Right: precision against recall."""
    reading = _reading(record)
    base = reading.base_rate
    canvas = Canvas(_WIDTH, 456)
    canvas.text(_LEFT, 8, _about(reading), size=12, role="muted")

    left = _Panel(canvas, 0, 56, (0, 1))
    canvas.text(left.left, 38, "ROC", size=13, bold=True)
    left.axes("false-positive rate", "true-positive rate")
    left.chance((0, 0), (1, 1))
    _curves(left, record, lambda side: _points(side.roc))
    left.key([*_named(record), _Entry(text="chance", role="muted", dotted=True)], (1, 1))

    right = _Panel(canvas, 1, 56, (0, 1))
    canvas.text(right.left, 38, "Precision and recall", size=13, bold=True)
    right.axes("recall", "precision")
    right.chance((0, base), (1, base))
    _curves(right, record, lambda side: _steps(side.precision_recall))
    right.key([*_named(record), _Entry(text=f"chance: {wording.percent(base)}", role="muted", dotted=True)], (0, 1))
    return canvas


def _curves(panel: _Panel, record: ComparisonRecord, points: Callable[[SideReading], list[Point]]) -> None:
    """Draw both sides' lines, with marks at different places on each, so that one on the other shows both."""
    traces = {side: panel.line(points(_side(_reading(record), side)), side) for side in _SIDES}
    for side, trace in traces.items():
        for share in _MARKED[side]:
            panel.canvas.mark(trace.at(share * trace.length), _MARKS[side], side, size=5)


def _points(curve: Curve) -> list[Point]:
    return list(zip(curve.x, curve.y, strict=True))


def _steps(curve: Curve) -> list[Point]:
    """Each point's precision up to its recall: straight lines between them would promise more than there is."""
    points = _points(curve)
    return [points[0], *(at for before, after in pairwise(points) for at in ((before[0], after[1]), after))]


def _named(record: ComparisonRecord) -> list[_Entry]:
    return [_Entry(text=_name(record, side, 22), role=side, side=side) for side in reversed(_SIDES)]


def _draw_reliability(record: ComparisonRecord) -> Canvas:
    """Draw a panel a side, on one scale, with how many rows lie where beneath."""
    reading = _reading(record)
    bins = [it for side in _SIDES for it in _side(reading, side).reliability]
    most, values = max(it.n for it in bins), _reach(bins)
    canvas = Canvas(_WIDTH, 508)
    for number, side in enumerate(reversed(_SIDES)):
        panel, found = _Panel(canvas, number, 34, values), _side(reading, side)
        canvas.mark((panel.left + 6, 14), _MARKS[side], side, size=5.5)
        canvas.text(panel.left + 18, 14, _name(record, side, 30), size=13, role=side, bold=True)
        strip = panel.bottom + 72
        panel.axes("predicted probability", "observed share", bottom=strip)
        panel.chance((panel.x.low, panel.y.low), (panel.x.high, panel.y.high))
        if not found.reliability:
            panel.key([_Entry(text="It ranks rows, without probabilities.", role="muted")], (0, 0))
            continue
        _rows(panel, found.reliability, side, most, strip)
        panel.line([(it.predicted, it.observed) for it in found.reliability], side, width=1.4)
        for it in sorted(found.reliability, key=lambda it: -it.n):
            _dot(panel, it, side, most)
        if found.ece is not None:
            panel.key([_Entry(text=f"ECE {wording.percent(found.ece)}", role="ink")], (0, 0))
    return canvas


def _dot(panel: _Panel, it: ReliabilityBin, side: Side, most: int) -> None:
    """Draw a bin: the side's mark, its area growing with its rows, parted from its neighbours by a thin edge."""
    size = math.sqrt(_SMALL**2 + (_LARGE**2 - _SMALL**2) * it.n / most)
    x, y = panel.x(it.predicted), panel.y(it.observed)
    corners = tuple((x + size * dx, y + size * dy) for dx, dy in _MARKS[side])
    panel.canvas.drawn.append(Outline(shapes=(corners,), fill=side, stroke="surface", width=0.8, opacity=1))


def _rows(panel: _Panel, bins: Sequence[ReliabilityBin], side: Side, most: int, bottom: float) -> None:
    canvas, height = panel.canvas, 40.0
    canvas.line((panel.left, bottom), (panel.right, bottom), role="muted")
    canvas.boxes([(panel.left - 1, panel.bottom + 6, _PANEL + 2, 20)], fill="surface")
    canvas.text(panel.left, panel.bottom + 16, f"rows by bin, up to {wording.whole(most)}", size=11, role="muted")
    canvas.text(panel.right, panel.bottom + 16, "dotted: as predicted", size=11, role="muted", align="right")
    bars = [(panel.x(it.predicted) - 2, bottom - height * it.n / most, 4.0, height * it.n / most) for it in bins]
    canvas.boxes(bars, fill=side)


def _reach(bins: Sequence[ReliabilityBin]) -> tuple[float, float]:
    """From 0 to 1; or where every bin lies, and a little room, where this is a small part of it."""
    ends = [end for it in bins for end in (it.predicted, it.observed)]
    low, high = min(ends), max(ends)
    if high - low > 0.5:
        return 0.0, 1.0
    room = max(0.01, 0.1 * (high - low))
    return max(0.0, low - room), min(1.0, high + room)


def _tick(share: float) -> str:
    return f"{round(100 * share, 6):g} %"


def _alt_ranking(record: ComparisonRecord) -> str:
    reading = _reading(record)
    sides = reading.champion, reading.challenger
    found = [wording.percent(_rate(side.roc, _ASKED_FPR)) for side in sides]
    precise = [wording.percent(_precision(side.precision_recall, _ASKED_RECALL)) for side in sides]
    return (
        f"ROC and precision–recall curves of both sides. {_about(reading)}. "
        f"At a false-positive rate of {_tick(_ASKED_FPR)} the champion's true-positive rate is {found[0]}, "
        f"the challenger's {found[1]}. "
        f"At a recall of {_tick(_ASKED_RECALL)} the champion's precision is {precise[0]}, "
        f"the challenger's {precise[1]}; chance is {wording.percent(reading.base_rate)}."
    )


def _alt_reliability(record: ComparisonRecord) -> str:
    reading = _reading(record)
    told = [_alt_side(side, _side(reading, side)) for side in reversed(_SIDES)]
    return f"Observed share against predicted probability on {wording.plural(reading.n, 'row')}. {' '.join(told)}"


def _alt_side(side: Side, found: SideReading) -> str:
    if not found.reliability:
        return f"The {side} only ranks the rows."
    most = max(found.reliability, key=lambda it: abs(it.observed - it.predicted))
    ece = "" if found.ece is None else f"an expected calibration error of {wording.percent(found.ece)} over "
    return (
        f"The {side} has {ece}{wording.plural(len(found.reliability), 'bin')}, "
        f"in the worst of which {wording.percent(most.predicted)} were predicted and "
        f"{wording.percent(most.observed)} observed."
    )


def _rate(curve: Curve, x: float) -> float:
    """Read a ROC curve as it is drawn, where it rises at its upper end."""
    exact = [b for a, b in zip(curve.x, curve.y, strict=True) if a == x]
    return max(exact) if exact else float(np.interp(x, curve.x, curve.y))


def _precision(curve: Curve, recall: float) -> float:
    """Read the steps of a precision–recall curve: the precision where this recall is first reached."""
    return next(y for x, y in zip(curve.x, curve.y, strict=True) if x >= recall)


def _about(reading: ScoreReading) -> str:
    return f"Scores of {short(shown(reading.about), 60)} on {wording.plural(reading.n, 'row')}"


def _name(record: ComparisonRecord, side: Side, most: int) -> str:
    name = shown((record.champion if side == "champion" else record.challenger).short)
    return short(side if name == side else f"{side} {name}", most)


def _side(reading: ScoreReading, side: Side) -> SideReading:
    return reading.champion if side == "champion" else reading.challenger


def _has_scores(record: ComparisonRecord) -> bool:
    return record.scores is not None


def _has_bins(record: ComparisonRecord) -> bool:
    reading = record.scores
    return reading is not None and bool(reading.champion.reliability or reading.challenger.reliability)


def _reading(record: ComparisonRecord) -> ScoreReading:
    return cast("ScoreReading", record.scores)  # a figure is drawn only where it applies


FIGURES = (
    Figure(
        name="ranking",
        topic="scores",
        title="How well does each side rank the rows?",
        caption=(
            "The champion's line is dashed with squares, the challenger's solid with diamonds. The nearer to the upper "
            "left corner (ROC) or to the upper right one (precision and recall), the better; the dotted line is what "
            "guessing reaches."
        ),
        alt=_alt_ranking,
        draw=_draw_ranking,
        applies=_has_scores,
    ),
    Figure(
        name="reliability",
        topic="scores",
        title="Can the probabilities be believed?",
        caption=(
            "Each mark is a bin of rows of about the same probability: the larger, the more rows. On the dotted line "
            "it came true as often as predicted; below it the probabilities are too high, above it too low. ECE, the "
            "mean distance from the line, is above zero even for a calibrated side, and decides nothing."
        ),
        alt=_alt_reliability,
        draw=_draw_reliability,
        applies=_has_bins,
    ),
)
