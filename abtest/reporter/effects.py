"""Figures of effects: metrics side by side, their change in percent, and the effects by class and segment.

To add a figure, write a function that draws it and one that tells it, and enter both in ``FIGURES``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter import views
from abtest.reporter.canvas import DIAMOND, SQUARE, TRIANGLE_DOWN, TRIANGLE_UP, Canvas, Figure
from abtest.reporter.layout import Scale, Trace, label_width, reach, short, tick_texts
from abtest.reporter.summary import shown, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.record import ComparisonRecord
    from abtest.reporter.canvas import Point, Role
    from abtest.reporter.summary import Tone
    from abtest.reporter.views import Effect, GroupView, MetricView

_MARKS: dict[Tone, tuple[Point, ...]] = {"better": TRIANGLE_UP, "worse": TRIANGLE_DOWN, "same": SQUARE}


def _grid(canvas: Canvas, scale: Scale, top: float, bottom: float, texts: Sequence[str]) -> None:
    for tick, text in zip(scale.ticks, texts, strict=True):
        canvas.line((scale(tick), top), (scale(tick), bottom))
        canvas.text(scale(tick), bottom + 13, text, size=11, role="muted", align="center")


def draw_effects(
    canvas: Canvas, scale: Scale, placed: Sequence[tuple[float, Effect]], top: float, bottom: float
) -> None:
    """Draw effects around zero: a mark with its interval, hollow where no difference is shown, written at the end."""
    _grid(canvas, scale, top, bottom, tick_texts(scale.ticks))
    canvas.line((scale(0), top - 4), (scale(0), bottom), role="ink", width=1.2)
    for y, effect in placed:
        role = _role(effect.tone)
        if effect.lower is not None and effect.upper is not None:
            canvas.line((scale(effect.lower), y), (scale(effect.upper), y), role=role, width=2)
        if effect.value is not None:
            canvas.mark((scale(effect.value), y), _MARKS[effect.tone], role, full=effect.sure, size=5.5)
        canvas.text(scale.right + 52, y, effect.text, size=12, role=role, align="right", bold=effect.sure)


def _role(tone: Tone) -> Role:
    return "muted" if tone == "same" else tone


def _draw_metrics(record: ComparisonRecord) -> Canvas:
    """Left: both values, and where the challenger's lies given its interval. Right: the effect."""
    words, rows = summarise(record), views.metric_views(record, shares_only=True)
    pitch, top = 42.0, 50.0
    bottom = top + pitch * len(rows)
    canvas = Canvas(960, bottom + 26)
    canvas.mark((126, 20), SQUARE, "champion", size=5.5)
    canvas.text(138, 20, short(words.sides[0], 22), role="champion", bold=True)
    canvas.mark((300, 20), DIAMOND, "challenger", size=5.5)
    canvas.text(312, 20, short(words.sides[1], 24), role="challenger", bold=True)
    canvas.text(575, 20, "effect, in points", bold=True)
    reached = [end for row in rows for end in (row.champion, row.challenger, *(row.likely or ()))]
    values = Scale([min(reached), max(reached)], 185, 440, nice=True)
    _grid(canvas, values, top, bottom, [f"{tick:g} %" for tick in values.ticks])
    placed = [(top + pitch * (i + 0.5), row) for i, row in enumerate(rows)]
    for y, row in placed:
        canvas.text(0, y, row.name, size=13, bold=True)
        _sides(canvas, values, y, row)
    effects = Scale(reach([row.points for row in rows]), 575, 890)
    draw_effects(canvas, effects, [(y, row.points) for y, row in placed], top, bottom)
    return canvas


def _sides(canvas: Canvas, scale: Scale, y: float, row: MetricView) -> None:
    """Draw both values of a metric, written on the outside."""
    drawn = [scale(end) for end in (row.champion, row.challenger, *(row.likely or ()))]
    canvas.line((drawn[0], y), (drawn[1], y), role="champion", width=1)
    if row.likely:
        canvas.line((drawn[2], y), (drawn[3], y), role="challenger", width=2)
    canvas.mark((drawn[0], y), SQUARE, "champion")
    canvas.mark((drawn[1], y), DIAMOND, "challenger")
    outside: list[tuple[str, Role]] = [(row.champion_text, "champion"), (row.challenger_text, "challenger")]
    if drawn[1] < drawn[0]:
        outside.reverse()
    canvas.text(min(drawn) - 12, y, outside[0][0], size=12, role=outside[0][1], align="right")
    canvas.text(max(drawn) + 12, y, outside[1][0], size=12, role=outside[1][1])


def _draw_change(record: ComparisonRecord) -> Canvas:
    rows = views.change_views(record)
    pitch, top = 32.0, 14.0
    bottom = top + pitch * len(rows)
    canvas = Canvas(630, bottom + 26)
    scale = Scale(reach([row.percent for row in rows]), 120, 565, ticks=6)
    placed = [(top + pitch * (i + 0.5), row) for i, row in enumerate(rows)]
    for y, row in placed:
        canvas.text(0, y, row.name, size=13, bold=True)
    draw_effects(canvas, scale, [(y, row.percent) for y, row in placed], top, bottom)
    return canvas


def _draw_classes(record: ComparisonRecord) -> Canvas:
    return draw_groups(views.class_views(record), "class", "classes")


def _draw_segments(record: ComparisonRecord) -> Canvas:
    kinds = {row.segment for row in record.segments}
    header = short(shown(kinds.pop())) if len(kinds) == 1 else "segment"
    whole = views.whole_view(record)
    return draw_groups(
        views.segment_views(record),
        "segment",
        "segments",
        header=header,
        whole=whole,
        letters=26,
        shares=record.task == "classification",
    )


def draw_groups(
    groups: Sequence[GroupView],
    one: str,
    many: str,
    *,
    header: str | None = None,
    whole: GroupView | None = None,
    letters: int = 18,
    shares: bool = True,
    bounds: Mapping[str, float] | None = None,
) -> Canvas:
    """Small multiples, a metric each; of many groups the worst and the best, under all rows as a whole.

    Args:
        groups: The worst first.
        one: What a group is called.
        many: What several are.
        header: What stands above their names.
        whole: All rows.
        letters: Of a name, how many are written.
        shares: Whether effects are in points, on one scale; else each metric has its own.
        bounds: By metric, an effect that means something: a dashed line.
    """
    worst, best, left_out = views.ends(groups)
    sorted_by = worst[0].ranked_by
    head = [whole] if whole else []
    rows = [*head, *worst, *best]
    names = label_width([row.label for row in rows], least=50, most=letters)
    panel = (960 - names - 80) / max(3, len(rows[0].effects))
    pitch, top = 24.0, 48.0
    places = [top + pitch * (i + 0.5) for i in range(len(rows) + 2)]
    skipped = len(head) + len(worst) if left_out else len(rows)
    placed = [(places[i + (i >= skipped)] + (8 if head and i else 0), row) for i, row in enumerate(rows)]
    bottom = placed[-1][0] + pitch / 2
    canvas = Canvas(names + 80 + panel * len(rows[0].effects), bottom + 26)
    canvas.text(0, 20, header or one, role="muted", size=11)
    canvas.text(names + 62, 20, "rows", role="muted", size=11, align="right")
    for y, row in placed:
        canvas.text(0, y, short(row.label, letters), size=12, role="muted" if row.few else "ink", bold=row is whole)
        count = wording.whole(row.n) + (" few" if row.few else "")
        canvas.text(names + 62, y, count, size=11, role="muted", align="right")
    if head:
        canvas.line((0, placed[0][0] + pitch / 2 + 4), (canvas.width, placed[0][0] + pitch / 2 + 4))
    ends = reach([effect for row in rows for effect in row.effects.values()])
    for i, name in enumerate(rows[0].effects):
        left = names + 84 + panel * i
        canvas.text(left, 20, name, size=13, bold=True)
        told = [word for word, holds in (("points", shares), ("sorted", name == sorted_by)) if holds]
        canvas.text(left + panel - 24, 20, ", ".join(told), size=10, role="muted", align="right")
        # Points share one scale; other metrics have a unit each.
        own = ends if shares else reach([row.effects[name] for row in rows if name in row.effects])
        bound = (bounds or {}).get(name)
        scale = Scale(own if bound is None else [*own, 1.06 * bound], left, left + panel - 76, ticks=5 if shares else 3)
        drawn = [(y, row.effects[name]) for y, row in placed if name in row.effects]
        draw_effects(canvas, scale, drawn, top, bottom)
        if bound is not None:
            at = scale(bound)
            canvas.lines(Trace([(at, top - 4), (at, bottom)]).dashes(4, 3), role="worse")
    if left_out:
        y = places[skipped] + (8 if head else 0)
        canvas.boxes([(0, y - pitch / 2 + 2, canvas.width, pitch - 4)], fill="raised")
        text = f"… {wording.plural(left_out, one, many)} between the worst and the best, not drawn …"
        canvas.text(0, y, text, size=11, role="muted")
    return canvas


def _alt_metrics(record: ComparisonRecord) -> str:
    words = summarise(record)
    rows = (
        f"{row.name}: champion {row.champion}, challenger {row.challenger}, effect {row.effect} points"
        + (f" ({words.confidence} interval {row.interval})" if row.known else "")
        for row in words.metrics
    )
    return "Each metric on both sides. " + "; ".join(rows) + "."


def _alt_change(record: ComparisonRecord) -> str:
    rows = (f"{row.name} {row.percent.text}" for row in views.change_views(record))
    return "Change of each metric, in percent of the champion's value. " + "; ".join(rows) + "."


def _alt_classes(record: ComparisonRecord) -> str:
    return _alt_groups(views.class_views(record), "class", "classes")


def _alt_segments(record: ComparisonRecord) -> str:
    return _alt_groups(views.segment_views(record), "segment", "segments")


def _alt_groups(rows: Sequence[GroupView], one: str, many: str) -> str:
    ranking = [(row, row.effects[row.ranked_by]) for row in rows if row.ranked_by in row.effects]
    worse = [f"{row.label} ({row.ranked_by} {effect.text})" for row, effect in ranking if effect.tone == "worse"]
    named = ", ".join(worse[:5]) + (f" and {len(worse) - 5} more" if len(worse) > 5 else "")
    return f"Effects on {wording.plural(len(rows), one, many)}. " + (
        f"The challenger is worse on {named}." if worse else "It is worse on none."
    )


def _has_shares(record: ComparisonRecord) -> bool:
    return record.task == "classification"


def _has_classes(record: ComparisonRecord) -> bool:
    return bool(views.class_views(record))


def _has_segments(record: ComparisonRecord) -> bool:
    return bool(record.segments)


FIGURES = (
    Figure(
        name="metrics",
        topic="numbers",
        title="How do the two sides compare?",
        caption=(
            "Squares are the champion, diamonds the challenger; the bar through the diamond is the interval of the "
            "effect, laid at the champion's value. On the right the effect itself: a filled mark is "
            "a significant difference."
        ),
        alt=_alt_metrics,
        draw=_draw_metrics,
        applies=_has_shares,
    ),
    Figure(
        name="change",
        topic="numbers",
        title="By how many percent did each metric change?",
        caption="The same effects and intervals, in percent of the champion's value.",
        alt=_alt_change,
        draw=_draw_change,
    ),
    Figure(
        name="classes",
        topic="classes",
        title="Where is the challenger worse?",
        caption=(
            "Effects by class, in points, the worst first: ▼ left of zero is worse, ▲ right of it better. A filled "
            "mark is significant after allowing for the number of classes (Holm), as an interval alone is not."
        ),
        alt=_alt_classes,
        draw=_draw_classes,
        applies=_has_classes,
    ),
    Figure(
        name="segments",
        topic="segments",
        title="In which segments is the challenger worse?",
        caption=(
            "Effects by segment, of shares in points, the worst first, under those on all rows: ▼ is worse, ▲ better; "
            "of errors less is better. A filled mark is significant after allowing for the number of segments (Holm), "
            "as an interval alone is not."
        ),
        alt=_alt_segments,
        draw=_draw_segments,
        applies=_has_segments,
    ),
)
