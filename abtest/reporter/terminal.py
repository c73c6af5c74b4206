"""The comparison in ten lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from abtest.reporter.layout import short
from abtest.reporter.palette import BETTER, CHALLENGER, CHAMPION, WORSE

if TYPE_CHECKING:
    from rich.console import RenderableType

    from abtest.reporter.summary import Summary

_NAME = 26  # letters that leave room for five more columns
_TONES = {"better": BETTER, "worse": WORSE, "same": "default"}


def render(summary: Summary) -> RenderableType:
    """Lay out verdict, table and reasons for rich to print."""
    style = f"bold {_TONES[summary.tone]}"
    verdict = Text.assemble((f"{summary.verdict}", style), "  ", summary.headline)
    return Group(verdict, Text(), _table(summary), Text(), *_reasons(summary), *_notices(summary))


def _table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column(short(summary.sides[0], _NAME), justify="right", style=CHAMPION)
    table.add_column(short(summary.sides[1], _NAME), justify="right", style=CHALLENGER)
    table.add_column("effect, points", justify="right")
    table.add_column(f"{summary.confidence} interval", justify="right")
    table.add_column("p", justify="right")
    for row in summary.metrics:
        effect = Text(f"{row.mark} {row.effect}", style=_TONES[row.tone])
        table.add_row(row.name, row.champion, row.challenger, effect, row.interval, row.pvalue)
    return table


def _reasons(summary: Summary) -> list[Text]:
    # Without colour: that a rule held is no good news where it is "significantly worse".
    return [Text.assemble("✓ " if reason.held else "✗ ", reason.text) for reason in summary.reasons]


def _notices(summary: Summary) -> list[Text]:
    return [Text(f"Note: {notice}", style="dim") for notice in (*summary.notices, *summary.skipped)]
