"""The figure of changes around zero: each metric over all rows, and by segment, the worst first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abtest.metrics.catalogue import title, unit
from abtest.reporter.canvas import Canvas, Figure
from abtest.reporter.effects import draw_effects, draw_groups
from abtest.reporter.layout import Scale, Trace, label_width, reach, short
from abtest.reporter.monitoring import numbers, views
from abtest.reporter.summary import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.evaluator.monitored import Change, Monitored
    from abtest.record.monitored import MonitoringRecord

_COLUMNS = 3
_LETTERS, _PITCH, _TOP = 26, 30.0, 22.0
_BETWEEN = 18.0  # pixels between two rows of panels


def draw(record: MonitoringRecord) -> Canvas:
    """Draw it: metrics below each other, or beside each other where there are segments."""
    seen = record.monitored
    parts = [_with_segments(seen, part) if _has_segments(seen) else _alone(seen, part) for part in _parts(seen)]
    canvas = parts[0]
    for part in parts[1:]:
        canvas.below(part, _BETWEEN)
    return canvas


def _has_segments(seen: Monitored) -> bool:
    return any(it.segment is not None for it in seen.changes)


def _parts(seen: Monitored) -> Iterator[list[str]]:
    """Metrics that go together: shares on one scale, all others with their own; beside each other a few at a time."""
    names = list(dict.fromkeys(it.metric for it in seen.changes))
    shares = [name for name in names if unit(name) == "share"]
    others = [name for name in names if unit(name) != "share"]
    for found, alone in ((shares, len(names)), (others, 1)):
        most = _COLUMNS if _has_segments(seen) else alone
        size = math.ceil(len(found) / math.ceil(len(found) / most)) if found else 1  # rows of about as many
        yield from (found[i : i + size] for i in range(0, len(found), size))


def _kept(changes: Sequence[Change], names: Sequence[str]) -> list[Change]:
    return [it for it in changes if it.metric in names]


def _with_segments(seen: Monitored, names: Sequence[str]) -> Canvas:
    titles = [shown(title(name)) for name in names]
    groups = [views.only(view, titles) for view in views.segment_views(seen)]
    whole = views.whole_view(_kept(seen.changes, names))
    kinds = {it.segment for it in seen.changes if it.segment is not None}
    return draw_groups(
        groups,
        "segment",
        "segments",
        header=short(shown(next(iter(kinds)) or "")) if len(kinds) == 1 else "segment",
        whole=whole,
        letters=_LETTERS,
        shares=unit(names[0]) == "share",
        bounds=views.bounds(_kept(seen.changes, names)),
    )


def _alone(seen: Monitored, names: Sequence[str]) -> Canvas:
    """Metrics below each other, those that fell most first, on one scale."""
    rows = sorted(_kept(seen.changes, names), key=lambda it: -it.fall)
    bound = views.bounds(rows)
    left = 20 + label_width([shown(title(name)) for name in names], least=100, most=_LETTERS) * 13 / 11
    bottom = _TOP + _PITCH * len(rows)
    canvas = Canvas(760, bottom + 26)
    effects = [views.effect(it) for it in rows]
    limits = sorted(set(bound.values()))
    scale = Scale([*reach(effects), *(1.06 * it for it in limits)], left, 640, ticks=6)
    placed = [(_TOP + _PITCH * (i + 0.5), it) for i, it in enumerate(effects)]
    for (y, _), row in zip(placed, rows, strict=True):
        canvas.text(0, y, short(shown(title(row.metric)), _LETTERS), size=13, bold=True)
        written = numbers.write_change(row)
        role = "worse" if row.trend == "fallen" else "muted"
        canvas.text(702, y, f"{written.mark} {written.word}", size=12, role=role)  # type: ignore[arg-type] # a role
    draw_effects(canvas, scale, placed, _TOP, bottom)
    for at in map(scale, limits):
        canvas.lines(Trace([(at, _TOP - 4), (at, bottom)]).dashes(4, 3), role="worse")
        canvas.text(at, _TOP - 13, "tolerated", size=11, role="worse", align="center")
    return canvas


def alt(record: MonitoringRecord) -> str:
    """Say what it shows."""
    seen = record.monitored
    rows = (
        f"{it.name} {it.word}, {it.effect} ({it.interval})"
        for it in map(numbers.write_change, (row for row in seen.changes if row.segment is None))
    )
    segments = numbers.by_segment(seen)
    worst = [numbers.label(found[0]) for found in segments if any(it.trend == "fallen" for it in found)]
    named = f" Segments that fell: {', '.join(worst[:5])}{f' and {len(worst) - 5} more' if len(worst) > 5 else ''}."
    return f"Recent minus baseline. {'; '.join(rows)}." + (named if worst else "")


FIGURE: Figure[MonitoringRecord] = Figure(
    name="changes",
    topic="numbers",
    title="What has fallen?",
    caption=(
        "Recent minus baseline with its interval, of shares in points, the worst segment first: ▼ is worse, ▲ better; "
        "of errors less is better. A filled mark has fallen: surely, after allowing for all metrics and segments, and "
        "by at least what is tolerated over all rows, which is the dashed line."
    ),
    alt=alt,
    draw=draw,
    applies=lambda record: bool(record.monitored.changes),
)
