"""The comparison as Markdown: ``summary.md``, a pull-request comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.reporter.summary import Summary, WrittenGroup

_SEGMENTS = 5  # of each kind
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")


def render(summary: Summary) -> str:
    """Write verdict, reasons, metric table and notices."""
    sides = [escaped(side) for side in summary.sides]
    lines = [
        f"## {escaped(summary.title)}: {summary.verdict}",
        "",
        f"**{escaped(summary.headline)}** {escaped(summary.advice)}",
        "",
        f"| | {sides[0]} | {sides[1]} | {summary.effect_header} | {summary.confidence} interval | p |",
        "|:--|--:|--:|--:|--:|--:|",
        *(
            f"| {row.name} | {row.champion} | {row.challenger} | {row.mark} {row.effect} | {row.interval} "
            f"| {escaped(row.pvalue)} |"
            for row in summary.metrics
        ),
        "",
        *(f"- {'✓' if reason.held else '✗'} {escaped(reason.text)}" for reason in summary.reasons),
    ]
    for name, groups in summary.segments.items():
        lines += ["", *_segments(name, groups, summary)]
    notes = (*summary.notices, *summary.skipped)
    if notes:
        lines += ["", *(f"> {escaped(note)}  " for note in notes)]
    return "\n".join(lines) + "\n"


def _segments(name: str, groups: Sequence[WrittenGroup], summary: Summary) -> Iterator[str]:
    """The segments of one kind, the worst first; of many, the first."""
    sides = " | ".join(escaped(side) for side in summary.sides)
    yield f"| {escaped(name)} | metric | rows | {sides} | effect | p, adjusted |"
    yield "|:--|:--|--:|--:|--:|--:|--:|"
    for group in groups[:_SEGMENTS]:
        for row in group.rows:
            first = (escaped(group.label), group.n) if row is group.rows[0] else ("", "")
            yield (
                f"| {first[0]} | {row.name} | {first[1]} | {row.champion} | {row.challenger} "
                f"| {row.mark} {row.effect} | {escaped(row.adjusted)} |"
            )
    if len(groups) > _SEGMENTS:
        yield f"| … and {len(groups) - _SEGMENTS} more | | | | | | |"


def escaped(text: str) -> str:
    r"""Escape what Markdown or HTML would read as markup; line breaks become spaces.

    Example:
        >>> print(escaped("<script> | a_b"))
        \<script\> \| a\_b
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
