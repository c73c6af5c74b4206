"""The figure of several challengers: the effect of each on the metric that decides, around zero."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from abtest.metrics.catalogue import in_text, title, unit
from abtest.reporter import sentences, several, views
from abtest.reporter.canvas import DIAMOND, Canvas, Figure
from abtest.reporter.effects import draw_effects
from abtest.reporter.layout import Scale, label_width, reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record import ComparisonRecord, ComparisonsRecord
    from abtest.reporter.canvas import Role
    from abtest.reporter.figures import Drawn
    from abtest.reporter.several import SeveralSummary, WrittenChallenger
    from abtest.reporter.views import Effect

NAME = "challengers"
TITLE = "Which challenger is better than the champion?"

_LETTERS, _SIZE = 28, 13  # of a name
_WIDTH, _PITCH, _TOP = 960.0, 34.0, 48.0
_VERDICT = 190.0  # pixels, of the longest and its mark
_WRITTEN = 66.0  # pixels, of an effect at the end of its line
_DIRECTION = 128.0  # pixels, of what one side of zero means


def drawn(record: ComparisonsRecord) -> tuple[Drawn, ...]:
    """Give the figure; none where there is no effect to draw."""
    from abtest.reporter.figures import Drawn  # noqa: PLC0415 - a report of tables does not pay for it

    rows = [row for one in record.comparisons if (row := sentences.decisive_row(one))]
    if not rows:
        return ()
    words, metric = several.summarise(record), in_text(rows[0].metric)
    points = ", in points" if unit(rows[0].metric) == "share" else ""
    figure: Figure[ComparisonRecord] = Figure(
        name=NAME,
        topic="numbers",
        title=TITLE,
        caption=(
            f"Effects on {metric}{points}, each with the interval that goes with its own level. A filled mark is a "
            "significant difference at that level."
        ),
        alt=lambda _: _alt(words),
        draw=lambda _: _draw(record, words, greater_is_better=rows[0].greater_is_better),
    )
    return (Drawn(figure=figure, record=record.comparisons[0]),)


def _draw(record: ComparisonsRecord, words: SeveralSummary, *, greater_is_better: bool) -> Canvas:
    placed = [(_TOP + _PITCH * (i + 0.5), row) for i, row in enumerate(words.rows)]
    effects = [(y, effect) for y, row in placed if (effect := _effect(record.comparisons[row.index]))]
    names = (
        28
        + label_width([sentences.brief(row.name, _LETTERS) for row in words.rows], least=60, most=_LETTERS) * _SIZE / 11
    )
    bottom = _TOP + _PITCH * len(placed)
    canvas = Canvas(_WIDTH, bottom + 26)
    for y, row in placed:
        _name(canvas, y, row, names)
    scale = Scale(reach([effect for _, effect in effects]), names + _VERDICT, canvas.width - _WRITTEN, ticks=5)
    _directions(canvas, scale(0), ("champion better", "challenger better")[:: 1 if greater_is_better else -1])
    draw_effects(canvas, scale, effects, _TOP, bottom)
    return canvas


def _name(canvas: Canvas, y: float, row: WrittenChallenger, names: float) -> None:
    """Name a challenger and its verdict; the recommended one stands on a ground of its own."""
    if row.recommended:
        canvas.boxes([(0, y - _PITCH / 2 + 2, canvas.width, _PITCH - 4)], fill="raised")
        canvas.mark((12, y), DIAMOND, "challenger", size=5.5)
    role: Role = "challenger" if row.recommended else "ink"
    canvas.text(26, y, sentences.brief(row.name, _LETTERS), size=_SIZE, role=role, bold=row.recommended)
    verdict = f"{row.part.verdict_mark} {row.part.verdict_title}" + (", recommended" if row.recommended else "")
    canvas.text(names + 8, y, verdict, size=11, role="ink" if row.recommended else "muted")


def _directions(canvas: Canvas, zero: float, sides: Sequence[str]) -> None:
    """Say which side of zero is whose, above the axis; near its ends both give way."""
    right = min(zero + 10, canvas.width - _DIRECTION)
    canvas.text(right, 20, f"{sides[1]} →", size=11, role="muted")
    canvas.text(min(zero, right) - 10, 20, f"← {sides[0]}", size=11, role="muted", align="right")


def _effect(one: ComparisonRecord) -> Effect | None:
    """The effect on the metric that decides, filled where the test that decides finds it."""
    row = sentences.decisive_row(one)
    found = {view.name: view.points for view in views.metric_views(one)}
    return replace(found[title(row.metric)], sure=sentences.is_sure(one)) if row else None


def _alt(words: SeveralSummary) -> str:
    told = "; ".join(
        f"{row.name} {row.effect}"
        + (f" (interval {row.interval})" if row.known else "")
        + f", {row.part.verdict_title.lower()}"
        + (", recommended" if row.recommended else "")
        for row in words.rows
    )
    return f"Effect of each challenger on {words.metric}: {told}."
