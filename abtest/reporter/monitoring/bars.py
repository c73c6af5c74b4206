"""Figures of bars: how far inputs have moved, and how much of what was predicted is labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter.axis import Axis
from abtest.reporter.canvas import Canvas, Figure
from abtest.reporter.layout import CHARACTER, Scale, Trace, label_width, short
from abtest.reporter.monitoring import inputs, numbers
from abtest.reporter.monitoring.timeline import BOTTOM, LEFT, RIGHT, WIDTH, Timeline
from abtest.reporter.summary import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.monitored import Drift
    from abtest.record.monitored import MonitoringRecord
    from abtest.reporter.canvas import Role

_MOST, _LETTERS, _DIRECTION = 24, 28, 40  # rows, and letters
_PITCH, _TOP = 22.0, 34.0
_HEIGHT = 150.0
_END = 580.0  # pixels, of the longest bar: behind it there is room to say what changed
_PALE = 0.3  # opacity
_NARROW = 4.0  # pixels
_LEAST = 0.2  # of a distance, where an axis ends at the earliest


def draw_inputs(record: MonitoringRecord) -> Canvas:
    """Distances as bars from zero, the farthest first, and the floor from which they are drift."""
    rows, left_out = _nearest_left_out(record)
    names = label_width([_name(row) for row in rows], least=60, most=_LETTERS) * 12 / 11
    bottom = _TOP + _PITCH * len(rows)
    canvas = Canvas(WIDTH, bottom + (52 if left_out else 28))
    floor = record.settings.drift_floor
    distances = [row.distance for row in rows if row.distance is not None]
    scale = Scale([0.0, 1.05 * max(_LEAST, floor, *distances)], names + 14, _END, ticks=5)
    for tick in scale.ticks:
        canvas.line((scale(tick), _TOP), (scale(tick), bottom))
        canvas.text(scale(tick), bottom + 13, f"{tick:g}", size=11, role="muted", align="center")
    at = scale(floor)
    canvas.lines(Trace([(at, _TOP - 6), (at, bottom)]).dashes(6, 4), role="ink", width=1.2)
    canvas.text(at, _TOP - 16, f"drift from {floor:g}", size=11)
    for i, row in enumerate(rows):
        _bar(canvas, scale, _TOP + _PITCH * (i + 0.5), row)
    if left_out:
        canvas.text(
            0, bottom + 38, f"… and {wording.plural(left_out, 'feature')}, nearer than these", size=11, role="muted"
        )
    return canvas


def _bar(canvas: Canvas, scale: Scale, y: float, row: Drift) -> None:
    role: Role = "worse" if row.drifted else "champion"
    canvas.text(0, y, short(_name(row), _LETTERS), size=12, bold=row.kind == "prediction")
    if row.distance is None:
        canvas.text(scale(0) + 6, y, "not known", size=11, role="muted")
        return
    end = scale(row.distance)
    canvas.boxes([(scale(0), y - 6, max(1.0, end - scale(0)), 12)], fill=role)
    text = f"{row.distance:.2f}"
    if row.drifted:
        text = f"✗ {text}" + (f"  {short(shown(row.direction), _DIRECTION)}" if row.direction else "")
    canvas.boxes([(end + 4, y - 8, CHARACTER * len(text) * 12 / 11 + 8, 16)], fill="surface")  # no line runs through it
    canvas.text(end + 8, y, text, size=12, role=role if row.drifted else "muted", bold=row.drifted)


def _nearest_left_out(record: MonitoringRecord) -> tuple[list[Drift], int]:
    """The predictions, then the features that moved farthest; and how many more there are."""
    rows = sorted(record.monitored.drift, key=lambda it: (it.kind != "prediction", -(it.distance or 0.0)))
    return rows[:_MOST], max(0, len(rows) - _MOST)


def _name(row: Drift) -> str:
    return "the predictions" if row.kind == "prediction" else shown(row.feature)


def alt_inputs(record: MonitoringRecord) -> str:
    """Say what it shows."""
    drifted = [it for it in record.monitored.drift if it.drifted]
    told = ", ".join(f"{_name(it)} {it.distance:.2f} {shown(it.direction)}".rstrip() for it in drifted[:5])
    more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
    return f"{inputs.about(record)}" + (f" Farthest: {told}{more}." if told else "")


def draw_labels(record: MonitoringRecord) -> Canvas:
    """Predictions of each period as bars, their labelled part filled."""
    seen, time = record.monitored, Timeline(record.monitored)
    top = 34.0
    bottom = top + _HEIGHT
    canvas = Canvas(WIDTH, bottom + BOTTOM)
    canvas.boxes([(LEFT, 6, 12, 12)], fill="champion")
    canvas.text(LEFT + 18, 12, "labelled", size=12, role="champion", bold=True)
    canvas.boxes([(LEFT + 92, 6, 12, 12)], fill="champion", opacity=_PALE)
    canvas.text(LEFT + 110, 12, f"not labelled yet, by the {_period(seen.period)}", size=12, role="champion")
    axis = Axis([0.0, 1.05 * max(1, *(point.n for point in seen.points))], bottom, top)
    for tick, text in zip(axis.ticks, axis.texts, strict=True):
        canvas.line((LEFT, axis(tick)), (RIGHT, axis(tick)))
        canvas.text(LEFT - 8, axis(tick), text, size=11, role="muted", align="right")
    for counts, opacity in (([it.n for it in seen.points], _PALE), ([it.labelled for it in seen.points], 1.0)):
        if any(counts):
            tops = [axis(count) for count in counts]
            _bars(canvas, [(time.x(it.start), time.x(it.end)) for it in seen.points], tops, bottom, opacity)
    time.ticks(canvas, bottom)
    return canvas


def _bars(
    canvas: Canvas, sides: Sequence[tuple[float, float]], tops: Sequence[float], bottom: float, opacity: float
) -> None:
    """Draw bars beside each other; where they are too narrow to be told apart, as one shape without seams."""
    left, right = sides[0]
    if right - left < _NARROW:
        steps = [(x, top) for ends, top in zip(sides, tops, strict=True) for x in ends]
        canvas.area([(left, bottom), *steps, (sides[-1][1], bottom)], "champion", opacity=opacity)
        return
    inset = min(1.5, 0.1 * (right - left))
    boxes = [(a + inset, top, b - a - 2 * inset, bottom - top) for (a, b), top in zip(sides, tops, strict=True)]
    canvas.boxes([box for box in boxes if box[3] > 0], fill="champion", opacity=opacity)


def _period(seconds: int) -> str:
    return wording.span(seconds).removeprefix("1 ")


def alt_labels(record: MonitoringRecord) -> str:
    """Say what it shows."""
    seen = record.monitored
    empty = sum(not point.n for point in seen.points)
    gone = f" In {wording.plural(empty, 'period')} nothing was predicted." if empty else ""
    told = "; ".join(f"{term.lower()} {text}" for term, text in list(numbers.volume(seen))[:3])
    return f"By the {_period(seen.period)}: {told}.{gone}"


INPUTS: Figure[MonitoringRecord] = Figure(
    name="inputs",
    topic="inputs",
    title="Which inputs changed?",
    caption=(
        "How far what the model is fed, and what it predicts, lies from the baseline: 0 is the same, 1 has nothing in "
        "common. ✗ marks drift: at least the floor, and more than chance after allowing for the number of features."
    ),
    alt=alt_inputs,
    draw=draw_inputs,
    applies=lambda record: bool(record.monitored.drift),
)
LABELS: Figure[MonitoringRecord] = Figure(
    name="labels",
    topic="labels",
    title="How much is labelled?",
    caption="Predictions by period; the dark part has a label by now.",
    alt=alt_labels,
    draw=draw_labels,
    applies=lambda record: bool(record.monitored.n),
)
