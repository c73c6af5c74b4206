"""The plots of the page, in the colours and letters of the product's figures: SVG, light and dark."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from abtest.reporter import svg
from abtest.reporter.canvas import TRIANGLE_DOWN, TRIANGLE_UP, Canvas, Outline
from benchmarks import spelling
from benchmarks.measured import OURS, Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.reporter.canvas import Point, Role
    from benchmarks.measured import Aim, Measurement

_WIDTH, _WIDE = 780.0, 960.0
_LEFT, _TOP, _BOTTOM = 70.0, 16.0, 376.0
_DOT: tuple[Point, ...] = tuple((math.cos(i * math.pi / 12), math.sin(i * math.pi / 12)) for i in range(24))
_LINE = 15  # pixels that a label needs for itself
_LETTER = 6.4  # pixels, of a usual one


class LogAxis:
    """Positive numbers to pixels, by their logarithm; ticks are powers of ten."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, room: float = 0.04) -> None:
        low, high = math.log10(min(values)), math.log10(max(values))
        around = max(room * (high - low), 0.1)
        self._low, self._high = low - around, high + around
        self._start, self._end = start, end
        exponents = range(math.ceil(self._low), math.floor(self._high) + 1)
        self.ticks = [10.0**exponent for exponent in exponents]
        if len(self.ticks) < 2:
            steps = (step * 10.0**e for e in range(math.floor(self._low), math.ceil(self._high)) for step in (1, 2, 5))
            self.ticks = [tick for tick in steps if self._low <= math.log10(tick) <= self._high]

    def __call__(self, value: float) -> float:
        """Place a value."""
        return self._start + (math.log10(value) - self._low) / (self._high - self._low) * (self._end - self._start)


def growth(question: str, points: Sequence[Measurement]) -> tuple[str, str]:
    """Draw how ours and the rivals grow; return the SVG file and what it shows, in words."""
    curves, unit = _curves(points), points[0].unit
    along = points[0].point.along if points[0].point else ""
    right = _WIDTH - _LETTER * max(map(len, curves)) - 16
    x = LogAxis([at for curve in curves.values() for at in curve], _LEFT, right, room=0.02)
    y = LogAxis([end for curve in curves.values() for s in curve.values() for end in (s.low, s.high)], _BOTTOM, _TOP)
    canvas = Canvas(_WIDTH, _BOTTOM + 54)
    for tick in y.ticks:
        canvas.line((_LEFT, y(tick)), (right, y(tick)))
        canvas.text(_LEFT - 8, y(tick), _short(spelling.quantity(tick, unit)), size=11, role="muted", align="right")
    for tick in x.ticks:
        canvas.line((x(tick), _BOTTOM), (x(tick), _BOTTOM + 5), role="muted")
        canvas.text(x(tick), _BOTTOM + 17, spelling.count(tick), size=11, role="muted", align="center")
    canvas.text(_LEFT, _BOTTOM + 40, along, role="muted")
    last = {name: max(curve) for name, curve in curves.items()}
    heights = _apart({name: y(curve[last[name]].median) for name, curve in curves.items()})
    for name, curve in reversed(curves.items()):  # ours on top
        end = _curve(canvas, curve, x, y, own=name.startswith(OURS))
        if abs(heights[name] - end[1]) > 3 or last[name] < max(last.values()):
            _lead(canvas, (end[0] + 8, end[1]), (right + 6, heights[name]))
        role: Role = "challenger" if name.startswith(OURS) else "muted"
        canvas.text(right + 10, heights[name], name, role=role, bold=name.startswith(OURS))
    ends = (
        f"{name} {spelling.quantity(curve[last[name]].median, unit)} at {spelling.count(last[name])}"
        for name, curve in curves.items()
    )
    alt = f"{question} {'; '.join(ends)} {along}."
    return svg.render_file(canvas, question, alt), alt


def _curves(points: Sequence[Measurement]) -> dict[str, dict[float, Spread]]:
    """Sort what was measured by contender, then by how much there was; ours first."""
    curves: dict[str, dict[float, Spread]] = defaultdict(dict)
    placed = [(m.point.at, m) for m in points if m.point]
    for at, m in sorted(placed, key=lambda one: one[0]):
        curves[OURS][at] = Spread.of(m.ours)
        for rival in m.rivals:
            if rival.values:
                curves[rival.name][at] = Spread.of(rival.values)
    return curves


def _curve(canvas: Canvas, curve: dict[float, Spread], x: LogAxis, y: LogAxis, *, own: bool) -> Point:
    """Draw the medians as a line, with their quartiles; return where it ends."""
    role: Role = "challenger" if own else "muted"
    places = [(x(at), y(s.median)) for at, s in curve.items()]
    spreads = tuple(((x(at), y(s.low)), (x(at), y(s.high))) for at, s in curve.items())
    shapes = (*pairwise(places), *spreads)
    canvas.drawn.append(Outline(shapes=shapes, fill=None, stroke=role, width=2.6 if own else 1.4, opacity=1))
    for place in places:
        canvas.mark(place, _DOT, role, size=3.4 if own else 2.6)
    return places[-1]


def aims(aimed: Sequence[tuple[Measurement, Aim]]) -> tuple[str, str]:
    """Draw each ratio beside what was aimed at; return the SVG file and what it shows, in words."""
    title = "Are the aims met?"
    rows = [(m, aim, m.times_ours(next(r for r in m.rivals if r.name == aim.of))) for m, aim in aimed]
    height = 26.0
    canvas = Canvas(_WIDE, 74 + height * len(rows))
    left, right, top, bottom = 560.0, _WIDE - 20, 24.0, 34 + height * len(rows)
    values = [value for _, aim, s in rows for value in (s.low, s.high, 1 / aim.at_most)]
    axis = LogAxis([1.0, *values], left, right)
    for tick in axis.ticks:
        canvas.line((axis(tick), top), (axis(tick), bottom), role="ink" if tick == 1 else "rule")
        canvas.text(axis(tick), bottom + 14, f"{tick:,g} ×", size=11, role="muted", align="center")
    canvas.text(left, bottom + 32, "how many times as much as abtest it takes", size=11, role="muted")
    for number, (m, aim, times) in enumerate(rows):
        middle = top + height * (number + 0.5) + 2
        met = m.met(aim)
        role: Role = "better" if met else "worse"
        canvas.text(left - 12, middle, _cut(f"{m.what} · {aim.of}".replace("`", "")), size=11, align="right")
        goal = axis(1 / aim.at_most)
        canvas.line((goal, middle - 9), (goal, middle + 9), role="ink", width=2.4)
        canvas.line((axis(times.low), middle), (axis(times.high), middle), role=role, width=2)
        canvas.mark((axis(times.median), middle), TRIANGLE_UP if met else TRIANGLE_DOWN, role, size=6)
    _key(canvas, left)
    alt = f"{title} {sum(bool(m.met(aim)) for m, aim in aimed)} of {len(rows)} are; the table names them."
    return svg.render_file(canvas, title, alt), alt


def _lead(canvas: Canvas, start: Point, end: Point) -> None:
    """Lead from where a line ends to its name, in dots, so that it is no part of the line."""
    length = math.dist(start, end)
    steps = [i / length for i in range(0, math.floor(length), 6)]
    across, down = end[0] - start[0], end[1] - start[1]
    dots = tuple(
        tuple((start[0] + at * across, start[1] + at * down) for at in (step, step + 1.5 / length)) for step in steps
    )
    canvas.drawn.append(Outline(shapes=dots, fill=None, stroke="muted", width=1, opacity=0.8))


def _key(canvas: Canvas, left: float) -> None:
    """Say what the marks mean, in their own shapes."""
    canvas.mark((left + 6, 6), TRIANGLE_UP, "better", size=6)
    canvas.text(left + 18, 6, "met", size=11, role="muted")
    canvas.mark((left + 66, 6), TRIANGLE_DOWN, "worse", size=6)
    canvas.text(left + 78, 6, "missed", size=11, role="muted")
    canvas.line((left + 142, -3), (left + 142, 15), role="ink", width=2.4)
    canvas.text(left + 150, 6, "aim", size=11, role="muted")


def _apart(wanted: dict[str, float]) -> dict[str, float]:
    """Move labels apart, in their order, so that none is written over another."""
    names = sorted(wanted, key=lambda name: wanted[name])
    placed: dict[str, float] = {}
    lowest = -math.inf
    for name in names:
        lowest = placed[name] = max(wanted[name], lowest + _LINE)
    for name in reversed(names):  # share the push between those above and below
        pushed = placed[name] - wanted[name]
        above = max((placed[other] for other in names if placed[other] < placed[name]), default=-math.inf)
        placed[name] -= min(pushed / 2, max(0.0, placed[name] - above - _LINE))
    return placed


def _short(quantity: str) -> str:
    """Write a round number without digits that say nothing."""
    number, unit = quantity.split()
    return f"{float(number.replace(',', '')):g} {unit}"


def _cut(text: str, *, most: int = 88) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
