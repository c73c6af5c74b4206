"""Figures of a regression's errors: how close predictions are, which way they err, and for which truths.

To add a figure, write a function that draws it and one that tells it, and enter both in ``FIGURES``.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from abtest import wording
from abtest.evaluator import FEW_ROWS
from abtest.reporter.axis import Axis, end_texts, number_text, power_of, unit_of, width_of
from abtest.reporter.canvas import DIAMOND, SQUARE, TRIANGLE_DOWN, TRIANGLE_UP, Canvas, Figure, Outline
from abtest.reporter.layout import Scale, Trace, reach, short
from abtest.reporter.summary import TONE_WORDS, shown
from abtest.reporter.views import Effect
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Side
    from abtest.metrics.regression import RegressionMetric
    from abtest.metrics.residuals import ErrorBand, ErrorReading
    from abtest.record import ComparisonRecord
    from abtest.reporter.canvas import Align, Box, Point, Role
    from abtest.reporter.summary import Tone

_SIDES: tuple[Side, ...] = ("champion", "challenger")
_MARKS: dict[Side, tuple[Point, ...]] = {"champion": SQUARE, "challenger": DIAMOND}
_TONE_MARKS: dict[Tone, tuple[Point, ...]] = {"better": TRIANGLE_UP, "worse": TRIANGLE_DOWN, "same": SQUARE}
_SHADES = 16
_FAINTEST, _DARKEST = 0.16, 0.95  # opacity of a square of one row, and of the fullest
_GAP = 0.06  # of a square, left free around it: seams of neighbours would show
_PANEL, _TOP = 400.0, 56.0
_HEIGHT = 240.0  # of a histogram
_CLEAR = 22.0  # pixels above the fullest bin, for a word


def _draw_predicted(record: ComparisonRecord) -> Canvas:
    """Draw a panel a side, on one scale, the darker the more rows."""
    reading = _reading(record)
    edges, most = reading.plane.edges, max(cell[-1] for side in _SIDES for cell in _cells(reading, side))
    widest = max(map(width_of, Axis(edges, 0, _PANEL).texts))
    margin, away = 34 + widest, _PANEL + max(36.0, widest + 8)
    canvas = Canvas(margin + away + _PANEL + widest / 2, _TOP + _PANEL + 70)
    for number, side in enumerate(_SIDES):
        left = margin + number * away
        x, y = Axis(edges, left, left + _PANEL), Axis(edges, _TOP + _PANEL, _TOP)
        _heading(canvas, record, side, left)
        canvas.text(left + 18, 38, f"RMSE {number_text(reading.sums.value('rmse', side))}", role="muted")
        _square_grid(canvas, x, y, left, numbered=not number)
        for level, boxes in sorted(_levels(reading, side, x, y, most).items()):
            canvas.boxes(boxes, fill=side, opacity=_opacity(level))
        canvas.line((x(edges[0]), y(edges[0])), (x(edges[-1]), y(edges[-1])), role="ink", width=1.2)
        canvas.text(left + _PANEL, _TOP - 9, "exact", size=11, align="right")
        name = f"{_target(record, 'true', 'truth')}{x.unit}"
        canvas.text(left + _PANEL / 2, _TOP + _PANEL + 34, name, role="muted", align="center")
    name = f"{_target(record, 'predicted', 'prediction')}{y.unit}"
    canvas.text(8, _TOP + _PANEL / 2, name, role="muted", align="center", turned=True)
    _density(canvas, most, (left + _PANEL, _TOP + _PANEL + 60))
    rim = {0, len(edges) - 2}
    outer = any(rim & set(cell[:2]) for side in _SIDES for cell in _cells(reading, side))
    told = f"{_about(reading)}; the outermost squares also hold what lies beyond" if outer else _about(reading)
    canvas.text(margin, _TOP + _PANEL + 60, told, size=11, role="muted")
    return canvas


def _square_grid(canvas: Canvas, x: Axis, y: Axis, left: float, *, numbered: bool) -> None:
    bottom = _TOP + _PANEL
    for tick, text in zip(x.ticks, x.texts, strict=True):
        canvas.line((x(tick), _TOP), (x(tick), bottom))
        canvas.text(x(tick), bottom + 13, text, size=11, role="muted", align="center")
    for tick, text in zip(y.ticks, y.texts, strict=True):
        canvas.line((left, y(tick)), (left + _PANEL, y(tick)))
        if numbered:
            canvas.text(left - 8, y(tick), text, size=11, role="muted", align="right")
    canvas.boxes([(left, _TOP, _PANEL, _PANEL)], stroke="rule")


def _levels(reading: ErrorReading, side: Side, x: Axis, y: Axis, most: int) -> dict[int, list[Box]]:
    """Lay out a side's squares by how dark they are."""
    edges = reading.plane.edges
    levels: dict[int, list[Box]] = {}
    for truth, predicted, count in _cells(reading, side):
        left, right = x(edges[truth]), x(edges[truth + 1])
        top, bottom = y(edges[predicted + 1]), y(edges[predicted])
        gap = _GAP * (right - left)
        box = left + gap / 2, top + gap / 2, right - left - gap, bottom - top - gap
        levels.setdefault(_level(count, most), []).append(box)
    return levels


def _level(count: int, most: int) -> int:
    """How dark a square is, by the logarithm of its rows: a lone row is seen beside thousands."""
    return round(_SHADES * math.log1p(count) / math.log1p(most))


def _opacity(level: int) -> float:
    return _FAINTEST + (_DARKEST - _FAINTEST) * level / _SHADES


def _density(canvas: Canvas, most: int, at: Point) -> None:
    """Explain the shades, from the right: the fullest square, one between, one row."""
    right, y = at
    for count in sorted({1, round(math.sqrt(most)), most}, reverse=True):
        text = wording.plural(count, "row") if count == most else wording.whole(count)
        right -= width_of(text)
        canvas.text(right, y, text, size=11, role="muted")
        canvas.boxes([(right - 18, y - 6, 12, 12)], fill="muted", opacity=_opacity(_level(count, most)))
        right -= 30


def _draw_errors(record: ComparisonRecord) -> Canvas:
    """Draw both histograms over each other, and both biases beneath."""
    reading = _reading(record)
    found = reading.histogram
    most, bottom = max(1, *found.champion, *found.challenger), _TOP + _HEIGHT
    margin, right = 26 + max(44, width_of(wording.whole(most))), 900.0
    canvas = Canvas(right + 40, bottom + 86)
    x = Axis([*found.edges, 0.0], margin, right, signed=True)
    y = Scale([0, most], bottom, _TOP + _CLEAR, ticks=4)
    _histogram_grid(canvas, x, y, margin, right)
    outlines = {side: _steps(reading, side, x, y) for side in _SIDES}
    for side, way in outlines.items():
        _shape(canvas, (tuple(way),), fill=side, opacity=0.14)
    _shape(canvas, (Trace(outlines["challenger"]).whole(),), stroke="challenger")
    _shape(canvas, Trace(outlines["champion"]).dashes(7, 4), stroke="champion")
    canvas.line((margin, bottom), (right, bottom), role="muted")
    canvas.line((x(0), _TOP - 4), (x(0), bottom + 44), role="ink", width=1.2)
    _directions(canvas, x(0), margin, right)
    _beyond(canvas, reading, outlines)
    end = _heading(canvas, record, "champion", margin)
    _heading(canvas, record, "challenger", end + 28)
    for number, side in enumerate(_SIDES):
        _bias(canvas, reading, side, x, bottom + 13 + 18 * number)
    canvas.text(margin, bottom + 78, _about(reading), size=11, role="muted")
    return canvas


def _histogram_grid(canvas: Canvas, x: Axis, y: Scale, left: float, right: float) -> None:
    """Draw both axes; between the lower one and its numbers there is room for the biases."""
    bottom = y(0)
    for tick in (tick for tick in y.ticks if tick == round(tick)):
        canvas.line((left, y(tick)), (right, y(tick)))
        canvas.text(left - 8, y(tick), wording.whole(round(tick)), size=11, role="muted", align="right")
    canvas.text(8, (_TOP + bottom) / 2, "rows", role="muted", align="center", turned=True)
    for tick, text in zip(x.ticks, x.texts, strict=True):
        canvas.line((x(tick), bottom), (x(tick), bottom + 44))
        canvas.text(x(tick), bottom + 55, text, size=11, role="muted", align="center")
    canvas.text(left - 8, bottom + 22, "bias", size=11, role="muted", align="right")
    name = f"error: prediction {wording.MINUS} truth{x.unit}"
    canvas.text((left + right) / 2, bottom + 78, name, role="muted", align="center")


def _shape(
    canvas: Canvas,
    shapes: tuple[tuple[Point, ...], ...],
    *,
    fill: Role | None = None,
    stroke: Role | None = None,
    opacity: float = 1,
) -> None:
    canvas.drawn.append(Outline(shapes=shapes, fill=fill, stroke=stroke, width=2.0, opacity=opacity))


def _steps(reading: ErrorReading, side: Side, x: Axis, y: Scale) -> list[Point]:
    """Go along the tops of a side's bins, from the axis and back to it."""
    found = reading.histogram
    counts = found.champion if side == "champion" else found.challenger
    ends = [(x(left), x(right), y(n)) for (left, right), n in zip(pairwise(found.edges), counts, strict=True)]
    tops = [at for left, right, top in ends for at in ((left, top), (right, top))]
    return [(ends[0][0], y(0)), *tops, (ends[-1][1], y(0))]


def _directions(canvas: Canvas, zero: float, left: float, right: float) -> None:
    """Say what an error on either side of zero means, in short where there is little room."""
    if zero > left + 1:
        text = "← predicts too little"
        canvas.text(zero - 8, _TOP - 12, text if width_of(text, 12) < zero - 8 else "← too little", align="right")
    if zero < right - 1:
        text = "predicts too much →"
        canvas.text(zero + 8, _TOP - 12, text if width_of(text, 12) < canvas.width - zero - 8 else "too much →")


def _beyond(canvas: Canvas, reading: ErrorReading, outlines: dict[Side, list[Point]]) -> None:
    """Say above the outermost bins, where they hold rows, that these may lie farther out."""
    found = reading.histogram
    tops = [at for way in outlines.values() for at in way]
    left, right = tops[0][0], tops[-1][0]
    ends: tuple[tuple[str, int, Align], ...] = (("← beyond", 0, "left"), ("beyond →", -1, "right"))
    for text, bin_, align in ends:
        if not (found.champion[bin_] or found.challenger[bin_]):
            continue
        wide = width_of(text, 10)
        at, start = (left, left) if align == "left" else (right, right - wide)
        above = min(y for x, y in tops if start - 1 <= x <= start + wide + 1) - 10
        canvas.boxes([(start, above - 6, wide, 12)], fill="surface")
        canvas.text(at, above, text, size=10, role="muted", align=align)


def _bias(canvas: Canvas, reading: ErrorReading, side: Side, x: Axis, y: float) -> None:
    bias, edges = reading.sums.value("bias", side), (*reading.histogram.edges, 0.0)
    at = x(min(max(bias, min(edges)), max(edges)))
    canvas.mark((at, y), _MARKS[side], side, size=5)
    text = "0" if abs(bias) <= NOISE * max(map(abs, edges)) else number_text(bias / 10.0**x.power, signed=True)
    wide = width_of(text)
    before = bias < 0 if wide < at - 11 < canvas.width - wide - 22 else bias >= 0
    canvas.boxes([(at - 11 - wide if before else at + 11, y - 7, wide, 14)], fill="surface")
    canvas.text(at + (-11 if before else 11), y, text, size=11, role=side, align="right" if before else "left")


def _draw_bands(record: ComparisonRecord) -> Canvas:
    """Draw the effects around zero, from the least truth to the greatest."""
    bands = _reading(record).bands
    effects, power = _effects(record)
    labels, unit = _labels(bands)
    pitch, top = 28.0, 40.0
    bottom = top + pitch * len(bands)
    header = f"{_target(record, 'true', 'truth')}{unit}"
    counts = [wording.whole(it.n) + (" few" if it.n < FEW_ROWS else "") for it in bands]
    rows = max(width_of(text, 12) for text in (header, *labels)) + 24 + max(map(width_of, ("rows", *counts)))
    left, right = rows + 34, 820.0
    canvas = Canvas(right + 24 + max(width_of(it.text, 13) for it in effects), bottom + 30)
    x = Axis(reach(effects), left, right, signed=True, power=power)
    canvas.text(0, 14, header, size=11, role="muted")
    canvas.text(rows, 14, "rows", size=11, role="muted", align="right")
    canvas.text(left, 14, f"effect on MAE, challenger {wording.MINUS} champion (left is better){x.unit}", bold=True)
    for tick, text in zip(x.ticks, x.texts, strict=True):
        canvas.line((x(tick), top), (x(tick), bottom))
        canvas.text(x(tick), bottom + 13, text, size=11, role="muted", align="center")
    canvas.line((x(0), top - 4), (x(0), bottom), role="ink", width=1.2)
    for i, (effect, label, count) in enumerate(zip(effects, labels, counts, strict=True)):
        y = top + pitch * (i + 0.5)
        canvas.text(0, y, label, size=12, role="muted" if bands[i].n < FEW_ROWS else "ink")
        canvas.text(rows, y, count, size=11, role="muted", align="right")
        _effect(canvas, x, effect, y)
    return canvas


def _effect(canvas: Canvas, x: Axis, effect: Effect, y: float) -> None:
    """Draw a mark with its interval, hollow where no difference is shown."""
    role: Role = "muted" if effect.tone == "same" else effect.tone
    if effect.lower is not None and effect.upper is not None:
        canvas.line((x(effect.lower), y), (x(effect.upper), y), role=role, width=2)
    canvas.mark((x(cast("float", effect.value)), y), _TONE_MARKS[effect.tone], role, full=effect.sure, size=5.5)
    canvas.text(canvas.width, y, effect.text, size=12, role=role, align="right", bold=effect.sure)


def _effects(record: ComparisonRecord) -> tuple[list[Effect], int]:
    """Lay out the effects of the bands, and the power of ten they are written in: less error is better."""
    alpha, bands = record.settings.policy.alpha, _reading(record).bands
    ends = [end for it in bands for end in (it.effect, it.ci_lower, it.ci_upper) if end is not None]
    power = power_of(max(map(abs, ends)))
    effects = [
        Effect(
            value=it.effect,
            lower=it.ci_lower,
            upper=it.ci_upper,
            text="0" if _tone(it) == "same" else wording.effect(it.effect / 10.0**power, "number"),
            tone=_tone(it),
            sure=it.pvalue is not None and it.pvalue < alpha,
        )
        for it in bands
    ]
    return effects, power


def _tone(band: ErrorBand) -> Tone:
    if abs(band.effect) <= NOISE * max(band.champion, band.challenger):
        return "same"
    return "better" if band.effect < 0 else "worse"


def _labels(bands: Sequence[ErrorBand]) -> tuple[list[str], str]:
    """Write the range of each band, and the power of ten they are in."""
    ends = sorted({end for it in bands for end in (it.lower, it.upper) if end is not None})
    power = power_of(max(map(abs, ends), default=0.0))
    texts = end_texts(ends, power)

    def label(it: ErrorBand) -> str:
        if it.lower is None:
            return "every truth" if it.upper is None else f"below {texts[it.upper]}"
        return f"{texts[it.lower]} and above" if it.upper is None else f"{texts[it.lower]} to {texts[it.upper]}"

    return [label(it) for it in bands], unit_of(power)


def _alt_predicted(record: ComparisonRecord) -> str:
    reading = _reading(record)
    ends = number_text(reading.plane.edges[0]), number_text(reading.plane.edges[-1])
    return (
        f"Predictions against the truth, from {ends[0]} to {ends[1]}, on {_about(reading)}. "
        f"RMSE: {_both(reading, 'rmse')}."
    )


def _alt_errors(record: ComparisonRecord) -> str:
    reading = _reading(record)
    return (
        f"How often which error occurs, on {_about(reading)}. Bias, the mean error: "
        f"{_both(reading, 'bias')}. MAE, the errors' mean size: {_both(reading, 'mae')}."
    )


def _alt_bands(record: ComparisonRecord) -> str:
    labels, unit = _labels(_reading(record).bands)
    effects, power = _effects(record)
    told = "; ".join(
        f"{label}: {effect.text} ({TONE_WORDS[effect.tone]}{', significantly' if effect.sure else ''})"
        for label, effect in zip(labels, effects, strict=True)
    )
    worse = sum(effect.tone == "worse" for effect in effects)
    return (
        f"The challenger's mean absolute error is larger in {worse} of {wording.plural(len(effects), 'range')} of the "
        f"truth{unit}. Effect by range{unit_of(power)}: {told}."
    )


def _both(reading: ErrorReading, metric: RegressionMetric) -> str:
    return ", ".join(
        f"{side} {number_text(reading.sums.value(metric, side), signed=metric == 'bias')}" for side in _SIDES
    )


def _heading(canvas: Canvas, record: ComparisonRecord, side: Side, x: float) -> float:
    """Name a side, and say where the name ends."""
    name = shown((record.champion if side == "champion" else record.challenger).short)
    canvas.mark((x + 6, 14), _MARKS[side], side, size=5.5)
    text = short(side if name == side else f"{side} {name}", 26)
    canvas.text(x + 18, 14, text, size=13, role=side, bold=True)
    return x + 18 + width_of(text, 14)


def _target(record: ComparisonRecord, kind: str, alone: str) -> str:
    return alone if record.data.target is None else f"{kind} {short(shown(record.data.target), 24)}"


def _about(reading: ErrorReading) -> str:
    n = reading.sums.n
    if reading.drawn == n:
        return wording.plural(n, "row")
    return f"{wording.whole(reading.drawn)} of {wording.whole(n)} rows, drawn at random"


def _cells(reading: ErrorReading, side: Side) -> tuple[tuple[int, ...], ...]:
    return reading.plane.champion if side == "champion" else reading.plane.challenger


def _reading(record: ComparisonRecord) -> ErrorReading:
    return cast("ErrorReading", record.errors)  # a figure is drawn only where it applies


def _has_errors(record: ComparisonRecord) -> bool:
    return record.errors is not None


FIGURES = (
    Figure(
        name="predicted",
        topic="errors",
        title="How close are predictions to the truth?",
        caption=(
            "Each square holds rows of about this truth and this prediction: the darker, the more, on one scale for "
            "both sides (by the logarithm, so that a lone row can be seen). On the line a prediction is exact; above "
            "it too much was predicted, below it too little."
        ),
        alt=_alt_predicted,
        draw=_draw_predicted,
        applies=_has_errors,
    ),
    Figure(
        name="errors",
        topic="errors",
        title="How large are the errors, and which way?",
        caption=(
            "Rows by their error: the champion's outline is dashed, the challenger's solid. The higher and narrower "
            "around the line at zero, the better. Square and diamond below it are the biases, the mean errors."
        ),
        alt=_alt_errors,
        draw=_draw_errors,
        applies=_has_errors,
    ),
    Figure(
        name="bands",
        topic="errors",
        title="At which size of the truth is the challenger worse?",
        caption=(
            "Effects on the mean absolute error by the size of the truth, with their intervals: ▲ left of zero is "
            "better, ▼ right of it worse. A filled mark is significant after allowing for the number of ranges (Holm), "
            "as an interval alone is not."
        ),
        alt=_alt_bands,
        draw=_draw_bands,
        applies=_has_errors,
    ),
)
