"""Figures of live traffic: how the evidence grew, and how sure the effect became.

To add a figure, write a function that draws it and one that tells it, and enter both in ``FIGURES``.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from abtest import wording
from abtest.reporter import looks
from abtest.reporter.axis import Axis, number_text, ten_to, unit_of
from abtest.reporter.canvas import SQUARE, TRIANGLE_DOWN, TRIANGLE_UP, Canvas, Figure, Outline
from abtest.reporter.layout import CHARACTER, Scale, Trace, apart, free_place
from abtest.reporter.live import moment, odds
from abtest.reporter.timeaxis import TimeAxis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record import ComparisonRecord
    from abtest.reporter.canvas import Point, Role
    from abtest.reporter.looks import EffectView, EvidenceView, TurnView
    from abtest.reporter.summary import Tone

_WIDTH, _LEFT, _RIGHT = 960.0, 62.0, 745.0
_TOP, _BOTTOM = 58.0, 318.0
_LABEL = _RIGHT + 14
_CLEAR = 44.0  # pixels from the last tick, whose text it must not touch, to the zone
_APART = 17.0  # pixels between the labels at the ends of lines
_MOST_TICKS = 6
_SPELLED = 4  # powers of ten up to here are spelled out
_QUIET: Role = "muted"
_HARM: Role = "worse"
_MARKS: dict[Tone, tuple[Point, ...]] = {"better": TRIANGLE_UP, "worse": TRIANGLE_DOWN, "same": SQUARE}


class _Plot:
    """A canvas with time across, and labels at the right ends of what is drawn."""

    def __init__(self, record: ComparisonRecord, name: str) -> None:
        reading, self._turns = looks.reading_of(record), looks.turns(record)
        self.canvas = Canvas(_WIDTH, _BOTTOM + 52)
        self.x = TimeAxis(reading.started_at, reading.until, _LEFT, _RIGHT)
        self._labels: list[tuple[float, str, Role, bool]] = []
        self.canvas.text(0, 10, name, size=12, role="muted")

    def turns(self, turns: Sequence[TurnView]) -> None:
        """Mark where epochs begin, and write what each does where there is room: the last ones first."""
        free = _WIDTH
        for turn in reversed(turns):
            at, role = self.x(turn.at), _HARM if turn.harm else _QUIET
            width = CHARACTER * len(turn.text)
            if at > _LEFT + 1:
                trace = Trace([(at, _TOP - 8), (at, _BOTTOM)])
                self.canvas.drawn.append(
                    Outline(shapes=trace.dashes(2, 3), fill=None, stroke=role, width=1.2 if turn.harm else 1, opacity=1)
                )
            if at + width + 8 <= free:
                self.canvas.text(at, _TOP - 16, turn.text, size=11, role=role, bold=turn.harm)
                free = at

    def times(self) -> None:
        """Draw the axis of time, and name its zone."""
        canvas = self.canvas
        for tick in self.x.ticks:
            at = self.x(tick.at)
            canvas.line((at, _BOTTOM), (at, _BOTTOM + 5), role="muted")
            canvas.text(at, _BOTTOM + 15, tick.text, size=11, role="muted", align="center")
            canvas.text(at, _BOTTOM + 31, tick.under, size=11, role="muted", align="center")
        canvas.text(_RIGHT + _CLEAR, _BOTTOM + 15, "UTC", size=11, role="muted")

    def rule(self, y: float, text: str) -> None:
        """Draw a line of the grid, and write its tick."""
        self.canvas.line((_LEFT, y), (_RIGHT, y))
        self.canvas.text(_LEFT - 8, y, text, size=11, role="muted", align="right")

    def across(self, y: float, label: str, role: Role = "ink") -> None:
        """Draw a line that means something, labelled at its end."""
        self.canvas.line((_LEFT, y), (_RIGHT, y), role=role, width=1.2)
        self.label(y, label, role)

    def line(self, points: Sequence[Point], role: Role, width: float = 2.2) -> None:
        """Draw a line through points."""
        trace = Trace(points)
        if trace.length:
            self.canvas.drawn.append(Outline(shapes=(trace.whole(),), fill=None, stroke=role, width=width, opacity=1))

    def label(self, y: float, text: str, role: Role, *, bold: bool = False) -> None:
        """Have something written at the right end, as near to its height as there is room."""
        self._labels.append((y, text, role, bold))

    def finish(self) -> Canvas:
        """Draw the axis of time and the labels, when everything else is there."""
        self.times()
        self.turns(self._turns)
        places = apart([y for y, *_ in self._labels], _APART, _TOP + 4, _BOTTOM)
        for y, (_, text, role, bold) in zip(places, self._labels, strict=True):
            self.canvas.text(_LABEL, y, text, size=12, role=role, bold=bold)
        return self.canvas


def _draw_evidence(record: ComparisonRecord) -> Canvas:
    """The odds against no effect, each way, on a scale of powers of ten, and the line at which they convince."""
    sides = looks.evidence(record)
    plot = _Plot(record, "evidence against “no difference” (E), on a scale of powers of ten")
    if sides is None:
        return plot.finish()
    reached = [power for side in sides for _, power in side.points]
    low, high = min(0.0, *reached), max(sides[0].line, *reached)
    y = Scale([low - 0.1, high + 0.08 * (high - low) + 0.1], _BOTTOM, _TOP)
    step = max(1, math.ceil((high - low) / _MOST_TICKS))
    for power in range(math.ceil(y.low / step) * step, math.floor(y.high) + 1, step):
        plot.rule(y(power), _power(power))
    plot.across(y(sides[0].line), f"convinces, at {odds(sides[0].line * math.log(10))}")
    told: tuple[tuple[Literal["better", "worse"], EvidenceView], ...] = (("worse", sides[1]), ("better", sides[0]))
    for tone, side in told:
        points = [(plot.x(at), y(power)) for at, power in side.points]
        plot.line(points, tone)
        if side.crossed is not None:
            at = plot.x(side.crossed), y(side.line)
            plot.canvas.mark(at, _MARKS[tone], tone, full=False, size=5.5)
        plot.canvas.mark(points[-1], _MARKS[tone], tone, size=5.5)
        plot.label(points[-1][1], f"challenger {tone}: {odds(side.now)}", tone, bold=True)
    return plot.finish()


def _draw_effect(record: ComparisonRecord) -> Canvas:
    """The effect and its interval, from the first look with one until now, around zero."""
    view = looks.effect(record)
    ends = [end for piece in view.looks for look in piece for end in (look.lower, look.upper)]
    ends = [0.0, *(ends or [value for _, value in view.before])]
    room = 0.08 * (max(ends) - min(ends))
    y = Axis([min(ends) - room, max(ends) + room], _BOTTOM, _TOP, signed=True)
    better, other = ("above", "below") if view.more_is_better else ("below", "above")
    what = "accuracy, in points" if view.points else f"mean squared error{unit_of(y.power)}"
    plot = _Plot(record, f"effect on {what}: {better} 0 the challenger is better, {other} it the champion")
    for tick, text in zip(y.ticks, y.texts, strict=True):
        plot.rule(y(tick), text)
    _before(plot, view, y)
    for piece in view.looks:
        upper = [(plot.x(look.at), y(look.upper)) for look in piece]
        lower = [(plot.x(look.at), y(look.lower)) for look in piece]
        if len(piece) > 1:
            band = (*upper, *reversed(lower))
            plot.canvas.drawn.append(Outline(shapes=(band,), fill="challenger", stroke=None, width=0, opacity=0.18))
        else:
            plot.line([upper[0], lower[0]], "challenger", 1.2)
        for edge in (upper, lower):
            plot.line(edge, "challenger", 1)
        plot.line([(plot.x(look.at), y(look.value)) for look in piece], "challenger")
    plot.across(y(0), "no difference")
    _now(plot, view, y)
    return plot.finish()


def _before(plot: _Plot, view: EffectView, y: Axis) -> None:
    """Say where there is no interval yet; of the effect before it, draw what fits."""
    end = plot.x(view.looks[0][0].at) if view.looks else _RIGHT
    if end - _LEFT < 1:
        return
    plot.canvas.boxes([(_LEFT, _TOP, end - _LEFT, _BOTTOM - _TOP)], fill="raised")
    drawn = [(plot.x(at), y(value)) for at, value in view.before]
    pieces = _within(drawn)
    for piece in pieces:
        plot.line(piece, "muted", 1.2)
    text = "no interval yet: too few labels" if view.looks else "no interval: too few labels so far"
    size = CHARACTER * len(text), 16.0
    if end - _LEFT > size[0]:
        zero = [(_LEFT + (end - _LEFT) * i / 40, y(0)) for i in range(41)]
        taken = [*zero, *(point for piece in pieces for point in piece)]
        left, top = free_place(taken, size, (_LEFT, _TOP, end - _LEFT, _BOTTOM - _TOP), (0.5, 0))
        plot.canvas.text(left + size[0] / 2, top + 8, text, size=11, role="muted", align="center")


def _within(points: Sequence[Point]) -> list[list[Point]]:
    """The pieces of a line that lie in the plot."""
    return [list(piece) for inside, piece in groupby(points, key=lambda it: _TOP <= it[1] <= _BOTTOM) if inside]


def _now(plot: _Plot, view: EffectView, y: Axis) -> None:
    """Write the last effect, and both ends of its interval, at the right."""
    last = view.looks[-1][-1] if view.looks else None
    if last is None:
        return
    tone = _tone(view, last.value)
    for end in (last.lower, last.upper):
        plot.label(y(end), _effect_text(view, end), "muted")
    at = plot.x(last.at), y(last.value)
    plot.canvas.mark(at, _MARKS[tone], "muted" if tone == "same" else tone, full=last.lower * last.upper > 0, size=5.5)
    unit = " points" if view.points else ""
    plot.label(at[1], f"{_effect_text(view, last.value)}{unit}", "muted" if tone == "same" else tone, bold=True)


def _tone(view: EffectView, value: float) -> Tone:
    if value == 0:
        return "same"
    return "better" if (value > 0) == view.more_is_better else "worse"


def _effect_text(view: EffectView, value: float) -> str:
    return wording.effect(value / 100, "share", spell_unit=False) if view.points else number_text(value, signed=True)


def _power(power: int) -> str:
    """Write a power of ten, spelled out where it is short.

    Example:
        >>> [_power(power) for power in (-2, 0, 3, 6)]
        ['0.01', '1', '1,000', '10⁶']
    """
    if abs(power) > _SPELLED:
        return ten_to(power)
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _alt_evidence(record: ComparisonRecord) -> str:
    sides, reading = looks.evidence(record), looks.reading_of(record)
    if sides is None:
        return "No evidence yet."
    told = []
    for name, side in zip(("better", "worse"), sides, strict=True):
        crossed = f", which first convinced at {moment(side.crossed)}" if side.crossed else ""
        told.append(f"that the challenger is {name} is {odds(side.now)} now{crossed}")
    return (
        f"Evidence over time, from {moment(reading.started_at)} to {moment(reading.until)}: {'; '.join(told)}. "
        f"It convinces at {odds(sides[0].line * math.log(10))}."
    )


def _alt_effect(record: ComparisonRecord) -> str:
    view = looks.effect(record)
    if not view.looks:
        return "The effect over time. There are too few labels for an interval so far."
    first, last, unit = view.looks[0][0], view.looks[-1][-1], " points" if view.points else ""

    def told(lower: float, upper: float) -> str:
        return f"{_effect_text(view, lower)} to {_effect_text(view, upper)}{unit}"

    return (
        f"The effect over time. Its interval was {told(first.lower, first.upper)} at {moment(first.at)}; "
        f"now, at {moment(last.at)}, the effect is {_effect_text(view, last.value)}{unit}, "
        f"interval {told(last.lower, last.upper)}."
    )


def _over_time(record: ComparisonRecord) -> bool:
    return record.live is not None and record.live.looking == "anytime"


def _has_evidence(record: ComparisonRecord) -> bool:
    return _over_time(record) and looks.evidence(record) is not None


def _has_effect(record: ComparisonRecord) -> bool:
    return _over_time(record) and looks.effect(record).now is not None


FIGURES = (
    Figure(
        name="evidence",
        topic="time",
        title="How has the evidence grown?",
        caption=(
            "What one would have won by betting against “no difference”, one way (▲ better) and the other (▼ worse): "
            "from 1 it reaches the line by chance alone no oftener than the level says, however often one looks. What "
            "has crossed it convinces from then on, for as long as the effect has that direction; a hollow mark is "
            "where. Dotted lines are begins of "
            "epochs, with the share of units that take part."
        ),
        alt=_alt_evidence,
        draw=_draw_evidence,
        applies=_has_evidence,
    ),
    Figure(
        name="effect-over-time",
        topic="time",
        title="How sure is the effect by now?",
        caption=(
            "The line is the effect, the band its interval, which holds at every look at once. It narrows as labels "
            "come in; once all of it is on one side of zero, there is a difference. Dotted lines are begins of epochs, "
            "with the share of units that take part."
        ),
        alt=_alt_effect,
        draw=_draw_effect,
        applies=_has_effect,
    ),
)
