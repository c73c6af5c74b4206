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

_NAME, _METRICS = 26, 3  # letters, and metrics of the hold-out
_TONES: dict[Tone, str] = {"better": BETTER, "worse": WORSE, "same": "default"}


def render(summary: TrainingSummary) -> RenderableType:
    """Lay out the table, then who is best and whether that is sure, for rich to print."""
    verdict = f"{summary.verdict_mark} {summary.headline}"
    return Group(
        _table(summary),
        Text(),
        Text(verdict, style=f"bold {_TONES[summary.tone]}"),
        *([Text(summary.advice)] if summary.advice else []),
        *(Text(text) for text in (*summary.failed, *summary.not_repeatable)),
        *(Text(f"Note: {note}", style="dim") for note in (*summary.notices, *summary.skipped)),
    )


def _table(summary: TrainingSummary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column("candidate", no_wrap=True)
    behind = "behind, points" if summary.points else "behind"
    compared = (behind, "95 % interval") if summary.compares else ()
    holdout = tuple(f"{name.lower() if name.istitle() else name}, hold-out" for name in _kept(summary.holdout_metrics))
    for header in (f"{summary.metric}, {summary.folds}", *compared, *holdout, "seconds"):
        table.add_column(header, justify="right")
    for row in summary.candidates:
        table.add_row(*_cells(row, compares=summary.compares))
    return table


def _cells(row: WrittenCandidate, *, compares: bool) -> Iterator[Text]:
    yield Text(row.rank, style=WORSE if row.failed else "default")
    marked = " (may not repeat)" if row.repeats else " (failed)" if row.failed else ""
    yield Text(short(row.name, _NAME) + marked, style="bold" if row.rank == "1" else "default")
    yield Text(f"{row.mean} ± {row.spread}" if row.spread else row.mean)
    if compares:
        yield Text(f"▼ {row.behind}" if row.sure else row.behind, style=_TONES[row.tone])
        yield Text(row.interval)
    yield from (Text(value) for value in _kept(row.holdout))
    yield Text(row.seconds)


def _kept(of_metrics: tuple[str, ...]) -> tuple[str, ...]:
    """What there is room for; the report has all."""
    return of_metrics[:_METRICS]
