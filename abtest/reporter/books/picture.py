"""A lineage as a picture, from left to right: what a version comes from, it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter import svg
from abtest.reporter.books import lineage as told
from abtest.reporter.canvas import Canvas, Figure, Role
from abtest.reporter.layout import short
from abtest.reporter.summary import cleaned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from abtest.record.traced import LineageRecord, TracedComparison, TracedMove

_WIDTH, _GAP, _BETWEEN = 216.0, 36.0, 14.0  # pixels of a box, between columns, between boxes
_PAD, _LINE, _TITLE = 10.0, 16.0, 11.0
_LETTERS = 29  # of size 11 that fit in a box
_MOST = 6  # comparisons, or moves, that are drawn
_ARROW = 5.0
_TONES: dict[str, Role] = {"PROMOTE": "better", "KEEP_CHAMPION": "worse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A thing in the picture.

    Attributes:
        title: What it is.
        lines: What is said of it, each with the role that colours it.
        role: Of its edge.
    """

    title: str
    lines: tuple[tuple[str, Role], ...]
    role: Role = "rule"

    @property
    def height(self) -> float:
        """Pixels."""
        return 2 * _PAD + _TITLE + _LINE * len(self.lines)


def boxes(record: LineageRecord) -> tuple[tuple[Box, ...], ...]:
    """Tell a lineage in boxes, column by column."""
    return (
        (_data(record), _code(record), _environment(record)),
        (_run(record),),
        (_version(record),),
        (_comparisons(record), _production(record)),
    )


def draw(record: LineageRecord) -> Canvas:
    """Draw a lineage."""
    columns = boxes(record)
    heights = [sum(box.height for box in column) + _BETWEEN * (len(column) - 1) for column in columns]
    canvas = Canvas(len(columns) * _WIDTH + (len(columns) - 1) * _GAP, max(heights))
    middles: list[list[float]] = []
    for i, (column, height) in enumerate(zip(columns, heights, strict=True)):
        left, top, own = i * (_WIDTH + _GAP), (canvas.height - height) / 2, []
        for box in column:
            _draw(canvas, box, left, top)
            own.append(top + box.height / 2)
            top += box.height + _BETWEEN
        middles.append(own)
    for i in range(len(columns) - 1):
        _join(canvas, middles[i], middles[i + 1], (i + 1) * (_WIDTH + _GAP) - _GAP)
    return canvas


def alt(record: LineageRecord) -> str:
    """Say what the picture shows."""
    return " ".join(
        [
            told.headline(record),
            *(
                f"{box.title}: {'; '.join(text for text, _ in box.lines)}."
                for column in boxes(record)
                for box in column
            ),
        ]
    )


def render(record: LineageRecord) -> str:
    """Spell the picture as a file of its own."""
    return svg.render_file(draw(record), cleaned(f"Where {record.title} comes from"), alt(record))


LINEAGE: Figure[LineageRecord] = Figure(
    name="lineage",
    topic="rows",
    title="Where does it come from, and what became of it?",
    caption="From left to right: what it was made of, the run that made it, the version, and what was decided of it.",
    alt=alt,
    draw=draw,
)


def _draw(canvas: Canvas, box: Box, left: float, top: float) -> None:
    canvas.boxes([(left, top, _WIDTH, box.height)], fill="raised", stroke=box.role)
    y = top + _PAD + _TITLE / 2
    canvas.text(left + _PAD, y, box.title, size=_TITLE, bold=True)
    for text, role in box.lines:
        y += _LINE
        canvas.text(left + _PAD, y, short(text, _LETTERS), size=11, role=role)


def _join(canvas: Canvas, sources: Sequence[float], targets: Sequence[float], left: float) -> None:
    """Lead lines from each box of a column to each of the next, with arrows at their ends."""
    right, middle = left + _GAP, left + _GAP / 2
    ends = [*sources, *targets]
    for y in sources:
        canvas.line((left, y), (middle, y), role="champion", width=1.5)
    canvas.line((middle, min(ends)), (middle, max(ends)), role="champion", width=1.5)
    for y in targets:
        canvas.line((middle, y), (right - _ARROW, y), role="champion", width=1.5)
        canvas.area(((right, y), (right - 2 * _ARROW, y - _ARROW), (right - 2 * _ARROW, y + _ARROW)), "champion")


def _lines(*texts: str | None) -> tuple[tuple[str, Role], ...]:
    return tuple((cleaned(text), "muted") for text in texts if text)


def _data(record: LineageRecord) -> Box:
    lines: list[str] = []
    for it in record.data[:2]:
        lines += [it.name, *([_end(it.path)] if it.path else []), f"digest {_begin(it.digest)}"]
    more = [f"and {len(record.data) - 2} more"] if record.data[2:] else []
    held = [f"held out {_begin(record.holdout_digest)}"] if record.holdout_digest else []
    return Box(title="Data", lines=_lines(*lines, *more, *held) or _lines(told.UNKNOWN))


def _code(record: LineageRecord) -> Box:
    it = record.code
    return Box(
        title="Code",
        lines=_lines(
            f"commit {_begin(it.git_commit)}",
            _end(it.source) if it.source else None,
            f"recipe {_begin(it.recipe_digest)}" if it.recipe_digest else None,
        ),
    )


def _environment(record: LineageRecord) -> Box:
    it = record.environment
    if it is None:
        return Box(title="Environment", lines=_lines(told.UNKNOWN))
    return Box(
        title="Environment",
        lines=_lines(
            f"Python {it.python or told.UNKNOWN}",
            f"{wording.plural(len(it.libraries), 'library', 'libraries')} {'installed' if it.whole else 'asked for'}",
        ),
    )


def _run(record: LineageRecord) -> Box:
    it = record.run
    if it is None:
        return Box(title="Run", lines=_lines(told.UNKNOWN))
    params = [f"{name} = {value}" for name, value in sorted(record.params.items())[:2]]
    more = [f"and {len(record.params) - 2} more parameters"] if len(record.params) > 2 else []
    within = f"within {record.parent.run_id[: told.RUN]}" if record.parent else None
    return Box(
        title=f"Run {it.run_id[: told.RUN]}",
        lines=_lines(
            "deleted in MLflow" if it.deleted else None, it.name, told.time(it.started_at),
            f"by {it.user}" if it.user else None, within, *params, *more,
        ),
    )  # fmt: skip


def _version(record: LineageRecord) -> Box:
    serves = any(it.now for it in record.served)
    return Box(
        title=short(cleaned(record.title), _LETTERS - 3),
        lines=(
            (told.standing(record), "challenger" if serves else "ink"),
            *_lines(told.time(record.registered_at), f"by {record.registered_by or told.UNKNOWN}"),
        ),
        role="challenger",
    )


def _comparisons(record: LineageRecord) -> Box:
    shown = record.comparisons[-_MOST:]
    left = len(record.comparisons) - len(shown)
    lines = [*_lines(f"{left} earlier" if left else None), *(line for it in shown for line in _compared(it))]
    return Box(title="Comparisons", lines=tuple(lines) or _lines("none on record"))


def _compared(it: TracedComparison) -> tuple[tuple[str, Role], ...]:
    against = f"v{it.other}" if it.other.isdecimal() else it.other
    other = "challenger" if it.side == "champion" else "champion"
    sign = {"PROMOTE": "▲", "KEEP_CHAMPION": "▼"}.get(it.verdict or "", "●")
    return (
        (cleaned(f"{sign} {told.verdict(it.verdict)}"), _TONES.get(it.verdict or "", "ink")),
        (cleaned(f"{it.at:%Y-%m-%d} vs {other} {against}"), "muted"),
    )


def _production(record: LineageRecord) -> Box:
    shown = record.moves[-_MOST:]
    left = len(record.moves) - len(shown)
    lines = [*_lines(f"{left} earlier" if left else None), *(line for it in shown for line in _moved(it))]
    if not lines:
        lines = [*_lines("no move on record")]
    for it in record.served[-1:]:
        until = "" if it.now else f" to {_day(it.until)}"
        lines.append((f"in production from {_day(it.since)}{until}", "challenger" if it.now else "ink"))
    return Box(title="Moves", lines=tuple(lines))


def _moved(it: TracedMove) -> tuple[tuple[str, Role], ...]:
    outcome = "" if it.outcome == "done" else f", {it.outcome}"
    return (cleaned(f"{it.what}{outcome}"), "ink"), (cleaned(f"{it.at:%Y-%m-%d}, by {it.by}"), "muted")


def _day(moment: datetime | None) -> str:
    return told.UNKNOWN if moment is None else f"{moment:%Y-%m-%d}"


def _begin(digest: str | None) -> str:
    """The begin of a digest, which tells it from others."""
    return digest[: told.RUN] if digest else told.UNKNOWN


def _end(path: str) -> str:
    """The end of a path, which tells more than its begin."""
    return path if len(path) <= _LETTERS else "…" + path[1 - _LETTERS :]
