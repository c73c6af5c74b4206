"""A report of monitoring in ten lines of a terminal, and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from abtest import wording
from abtest.reporter.layout import short
from abtest.reporter.palette import BETTER, WORSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from abtest.reporter.monitoring.numbers import WrittenChange
    from abtest.reporter.monitoring.summary import MonitoringSummary
    from abtest.reporter.summary import Tone

_NAME, _SIGNS = 26, 5  # letters, and lines
_TONES: dict[Tone, str] = {"better": BETTER, "worse": WORSE, "same": "default"}


def render(summary: MonitoringSummary) -> RenderableType:
    """Lay out status, table, signs and what to type next, for rich to print."""
    status = Text.assemble((str(summary.status), f"bold {_TONES[summary.tone]}"), "  ", summary.headline)
    return Group(
        status,
        Text(),
        *_metrics(summary),
        Text(),
        *_signs(summary),
        *(Text(f"▼ {text}") for text in summary.weakest),
        Text(_rows(summary), style="dim"),
        Text(f"{summary.verdict_mark} {summary.advice}"),
        *([Text(summary.following)] if summary.following else []),
        *(Text(f"Note: {note}", style="dim") for note in (*summary.notices, *summary.skipped)),
    )


def _table(headers: Sequence[str], rows: Iterable[tuple[str, Sequence[str | Text]]]) -> Table:
    """Names to the left, numbers to the right; the last column is of words."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(headers[0])
    for header in headers[1:-1]:
        table.add_column(header, justify="right")
    table.add_column(headers[-1], no_wrap=True)
    for name, cells in rows:
        table.add_row(Text(short(name, _NAME)), *cells)
    return table


def _metrics(summary: MonitoringSummary) -> Iterator[RenderableType]:
    """Each metric over the report, and recent against baseline where there is one."""
    if not summary.metrics:
        yield Text("No row has a label, so that there is no metric to show.")
        return
    yield _table(
        (
            "report",
            "all rows",
            "mean",
            "std",
            "least",
            "most",
            f"trend {summary.slope}",
            f"by {summary.period}",
        ),
        [(it.name, (it.value, it.mean, it.std, it.least, it.most, it.slope, it.line)) for it in summary.metrics],
    )
    if summary.changes:
        yield Text()
        yield _table(
            ("recent window", "baseline", "recent", "effect", f"{summary.confidence} interval", "p, adj.", "trend"),
            [
                (
                    it.name,
                    (it.baseline, it.recent, it.effect, it.interval, it.pvalue, _trend(it)),
                )
                for it in summary.changes
            ],
        )


def _trend(it: WrittenChange) -> Text:
    return Text(f"{it.mark} {it.word}", style=_TONES[it.tone])


def _signs(summary: MonitoringSummary) -> Iterator[Text]:
    """What is not in order, then what is not known; what is, in a line."""
    told = [sign for sign in summary.signs if not sign.held]
    yield from (Text(f"{sign.mark} {sign.text}") for sign in told[:_SIGNS])
    if len(told) > _SIGNS:
        yield Text(f"… and {wording.plural(len(told) - _SIGNS, 'more sign')}, in the report", style="dim")
    fine = len(summary.signs) - len(told)
    if fine:
        yield Text(f"✓ {wording.plural(fine, 'sign')} in order.")


def _rows(summary: MonitoringSummary) -> str:
    facts = dict(summary.volume)
    return f"{facts['Predictions']} predictions, {facts['Labelled']} labelled. {summary.windows}"
