"""The comparison in ten lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from abtest.decision import Verdict
from abtest.reporter.layout import short
from abtest.reporter.palette import BETTER, CHALLENGER, CHAMPION, WORSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from abtest.reporter.summary import Summary

_NAME = 26  # letters that leave room for five more columns
_SEGMENTS = 5  # lines
_TONES = {"better": BETTER, "worse": WORSE, "same": "default"}


def render(summary: Summary) -> RenderableType:
    """Lay out verdict, table and reasons for rich to print."""
    style = f"bold {_TONES[summary.tone]}"
    verdict = Text.assemble((f"{summary.verdict}", style), "  ", summary.headline)
    return Group(
        verdict,
        Text(),
        _table(summary),
        *_segments(summary),
        Text(),
        *_reasons(summary),
        *_advice(summary),
        *_notices(summary),
    )


def _table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column(short(summary.sides[0], _NAME), justify="right", style=CHAMPION)
    table.add_column(short(summary.sides[1], _NAME), justify="right", style=CHALLENGER)
    table.add_column(summary.effect_header, justify="right")
    table.add_column(f"{summary.confidence} interval", justify="right")
    table.add_column("p", justify="right")
    for row in summary.metrics:
        effect = Text(f"{row.mark} {row.effect}", style=_TONES[row.tone])
        table.add_row(row.name, row.champion, row.challenger, effect, row.interval, row.pvalue)
    return table


def _segments(summary: Summary) -> Iterator[RenderableType]:
    """The worst segments, each with its first metric; the report has all of them."""
    groups = [(name, group) for name, found in summary.segments.items() for group in found]
    if not groups:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in ("segment, the worst first", "rows", summary.sides[0], summary.sides[1], "effect", "p, adjusted"):
        table.add_column(short(header, _NAME), justify="left" if header.startswith("segment") else "right")
    for name, group in groups[:_SEGMENTS]:
        row = next((row for row in group.rows if row.name == summary.decisive), group.rows[0])
        effect = Text(f"{row.mark} {row.effect}", style=_TONES[row.tone])
        cells = (group.n, row.champion, row.challenger, effect, row.adjusted)
        table.add_row(f"{name} = {short(group.label, _NAME)} ({row.name})", *cells)
    yield Text()
    yield table
    if len(groups) > _SEGMENTS:
        yield Text(f"… and {len(groups) - _SEGMENTS} more segments", style="dim")


def _reasons(summary: Summary) -> list[Text]:
    # Without colour: that a rule held is no good news where it is "significantly worse".
    quiet = [reason for reason in summary.reasons if reason.rule == "guardrail" and reason.held]
    shown = [reason for reason in summary.reasons if reason not in quiet]
    lines = [Text.assemble("✓ " if reason.held else "✗ ", reason.text) for reason in shown]
    return [*lines, Text(f"✓ {_hold(len(quiet))}.")] if quiet else lines


def _hold(guardrails: int) -> str:
    return "1 guardrail holds" if guardrails == 1 else f"{guardrails} guardrails hold"


def _advice(summary: Summary) -> list[Text]:
    """What to do where the evidence is not enough; other verdicts speak for themselves."""
    return [Text(f"○ {summary.advice}")] if summary.verdict is Verdict.INSUFFICIENT_EVIDENCE else []


def _notices(summary: Summary) -> list[Text]:
    return [Text(f"Note: {notice}", style="dim") for notice in (*summary.notices, *summary.skipped)]
