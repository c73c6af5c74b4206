"""The figure of a plan: power against rows, a line for each size of difference, for a page, as SVG and as PNG."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from abtest import planning, wording
from abtest.reporter import svg
from abtest.reporter.canvas import Canvas, Outline

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.planning import PowerCurve, PowerPlan
    from abtest.reporter.canvas import Point, Role

TITLE = "How many rows does it take?"

_WIDTH, _HEIGHT = 780.0, 450.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 726.0, 66.0, 394.0
_DOT: tuple[Point, ...] = tuple((math.cos(i * math.pi / 12), math.sin(i * math.pi / 12)) for i in range(24))
_APART = 74  # pixels that a written number of rows needs
_CROWDED = 0.94  # power whose name finds no room above its line
_LETTER = 7.5  # pixels, of a wide bold one


def draw(plan: PowerPlan) -> Canvas:
    """Draw the curves: the size asked about in colour, half and double it in grey."""
    canvas = Canvas(_WIDTH, _HEIGHT)
    if not plan.curve:
        canvas.text(0, 20, planning.answer(plan), role="muted")
        return canvas
    rows = [n for line in plan.curve for n, _ in line.points]
    place = _place(min(rows), max(rows))
    _axes(canvas, plan, place, min(rows), max(rows))
    for line in plan.curve:
        asked = line.size == plan.size
        _line(canvas, line, place, asked=asked)
        _needed(canvas, plan, line, place, asked=asked)
    if plan.rows is not None and plan.exact_power is not None and min(rows) <= plan.rows <= max(rows):
        _there_are(canvas, plan, place(plan.rows, plan.exact_power))
    return canvas


def alt(plan: PowerPlan) -> str:
    """Say what the figure shows, in words."""
    noun = "margin" if plan.margin is not None else "difference"
    lines = "; ".join(f"{planning.points(c.size)} {wording.plural(c.rows_needed, 'row')}" for c in plan.curve)
    return f"{planning.answer(plan)}" + (f" Power rises with rows. Rows by {noun}: {lines}." if lines else "")


def svg_file(plan: PowerPlan) -> str:
    """Spell the figure as an SVG file, with its title and the colours of light and dark."""
    return svg.render_file(draw(plan), TITLE, alt(plan))


def png_file(plan: PowerPlan) -> bytes:
    """Paint the figure as a PNG file, with its title, dark on white."""
    from abtest.reporter.figures import _png  # noqa: PLC0415 - SVG does without Matplotlib

    return _png(draw(plan), TITLE)


def _place(least: int, most: int) -> Callable[[float, float], Point]:
    """Rows, on a scale of powers of ten, and power to pixels."""
    low, span = math.log10(least), math.log10(most / least) or 1.0

    def place(rows: float, power: float) -> Point:
        x = _LEFT + (math.log10(rows) - low) / span * (_RIGHT - _LEFT)
        return x, _BOTTOM - power * (_BOTTOM - _TOP)

    return place


def _axes(canvas: Canvas, plan: PowerPlan, place: Callable[[float, float], Point], least: int, most: int) -> None:
    test = "Tango's interval" if plan.method is None else f"McNemar's test ({plan.method})"
    told = (
        f"{planning.percent(plan.discordance)} of the rows discordant · {test} · {100 * plan.confidence:g} % confidence"
    )
    canvas.text(0, 8, told, size=12, role="muted")
    for percent in range(0, 101, 20):
        y = place(least, percent / 100)[1]
        canvas.line((_LEFT, y), (_RIGHT, y))
        canvas.text(_LEFT - 8, y, f"{percent} %", size=11, role="muted", align="right")
    for rows in _ticks(least, most):
        x = place(rows, 0)[0]
        canvas.line((x, _BOTTOM), (x, _BOTTOM + 5), role="muted")
        canvas.text(x, _BOTTOM + 16, wording.whole(rows), size=11, role="muted", align="center")
    canvas.text(_LEFT, _BOTTOM + 38, "rows", role="muted")
    verb = "to prove a margin of" if plan.margin is not None else "to find a difference of"
    canvas.text(8, (_TOP + _BOTTOM) / 2, "power", role="muted", align="center", turned=True)
    canvas.text(_LEFT, _TOP - 18, verb, role="muted")
    y = place(least, plan.power)[1]
    canvas.line((_LEFT, y), (_RIGHT, y), role="ink", width=1.2)
    beside = 11 if plan.power > _CROWDED else -11
    canvas.text(_LEFT + 6, y + beside, f"{100 * plan.power:g} % power", role="ink", bold=True)


def _ticks(least: int, most: int) -> list[int]:
    """Round numbers of rows, as many as there is room for."""
    for steps in ((1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
        ticks = [step * 10**power for power in powers for step in steps if least <= step * 10**power <= most]
        if len(ticks) * _APART <= _RIGHT - _LEFT:
            break
    return ticks


def _line(canvas: Canvas, line: PowerCurve, place: Callable[[float, float], Point], *, asked: bool) -> None:
    role: Role = "challenger" if asked else "muted"
    points = [place(rows, power) for rows, power in line.points]
    pieces = tuple(pairwise(points))
    canvas.drawn.append(Outline(shapes=pieces, fill=None, stroke=role, width=3.0 if asked else 1.6, opacity=1))
    canvas.text(points[-1][0], _TOP - 18, planning.points(line.size), role=role, align="center", bold=asked)


def _needed(
    canvas: Canvas, plan: PowerPlan, line: PowerCurve, place: Callable[[float, float], Point], *, asked: bool
) -> None:
    """Mark where a line reaches the power asked for, and write the rows that takes."""
    role: Role = "challenger" if asked else "muted"
    x, y = place(line.rows_needed, dict(line.points)[line.rows_needed])
    canvas.mark((x, y), _DOT, role, size=5 if asked else 4)
    canvas.text(x + 10, place(1, plan.power)[1] + 14, wording.plural(line.rows_needed, "row"), role=role, bold=asked)


def _there_are(canvas: Canvas, plan: PowerPlan, at: Point) -> None:
    """Mark the rows there are, with the power they have."""
    canvas.line((at[0], _BOTTOM), at, role="ink", width=1.2)
    canvas.mark(at, _DOT, "challenger", full=False, size=5)
    if plan.effect is None and plan.margin is None:
        return  # they are the rows written at the curve
    text = f"with {wording.plural(plan.rows or 0, 'row')}: {wording.percent(plan.exact_power)} power"
    half = _LETTER * len(text) / 2
    canvas.text(min(max(at[0], _LEFT + 50 + half), _WIDTH - half), _BOTTOM + 38, text, align="center", bold=True)
