"""A report of training in a terminal: who is best, and a table of the candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from abtest.reporter.layout import short
from abtest.reporter.palette import BETTER, WORSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from abtest.reporter.summary import Tone
    from abtest.reporter.training.summary import TrainingSummary, WrittenCandidate

_NAME = 26  # letters
_METRICS, _WIDE = 2, 100  # of the hold-out, where a terminal has so many columns; else one
_TONES: dict[Tone, str] = {"better": BETTER, "worse": WORSE, "same": "default"}


def render(summary: TrainingSummary, width: int = _WIDE) -> RenderableType:
    """Lay out the table, then who is best and whether that is sure, for rich to print in so many columns."""
    verdict = f"{summary.verdict_mark} {summary.headline}"
    return Group(
        _table(summary, _METRICS if width >= _WIDE else 1),
        Text(),
        Text(verdict, style=f"bold {_TONES[summary.tone]}"),
        *([Text(summary.advice)] if summary.advice else []),
        *(Text(text) for text in (*summary.failed, *summary.not_repeatable)),
        *(Text(f"Note: {note}", style="dim") for note in (*summary.notices, *summary.skipped)),
    )


def _table(summary: TrainingSummary, metrics: int) -> Table:
    """Lay out a candidate a line; the report has all metrics of the hold-out."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("\ncandidate")  # which alone gives way where there is no room
    compared = ("behind,\npoints" if summary.points else "\nbehind", "\n95 % interval") if summary.compares else ()
    holdout = tuple(f"{name},\nhold-out" for name in summary.holdout_metrics[:metrics])
    for header in (f"{summary.metric},\n{summary.folds}", *compared, *holdout, "\nseconds"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in summary.candidates:
        table.add_row(*_cells(row, metrics, compares=summary.compares))
    return table


def _cells(row: WrittenCandidate, metrics: int, *, compares: bool) -> Iterator[Text]:
    yield Text(row.rank, style=WORSE if row.failed else "default")
    marked = " (may not repeat)" if row.repeats else " (failed)" if row.failed else ""
    yield Text(short(row.name, _NAME) + marked, style="bold" if row.rank == "1" else "default")
    yield Text(f"{row.mean} ± {row.spread}" if row.spread else row.mean)
    if compares:
        yield Text(f"▼ {row.behind}" if row.sure else row.behind, style=_TONES[row.tone])
        yield Text(row.interval)
    yield from (Text(value) for value in row.holdout[:metrics])
    yield Text(row.seconds)
