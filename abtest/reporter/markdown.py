"""The comparison as Markdown: ``summary.md``, a pull-request comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abtest.reporter.summary import Summary

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")


def render(summary: Summary) -> str:
    """Write verdict, reasons, metric table and notices."""
    sides = [escaped(side) for side in summary.sides]
    lines = [
        f"## {escaped(summary.title)}: {summary.verdict}",
        "",
        f"**{escaped(summary.headline)}** {escaped(summary.advice)}",
        "",
        f"| | {sides[0]} | {sides[1]} | effect, points | {summary.confidence} interval | p |",
        "|:--|--:|--:|--:|--:|--:|",
        *(
            f"| {row.name} | {row.champion} | {row.challenger} | {row.mark} {row.effect} | {row.interval} "
            f"| {escaped(row.pvalue)} |"
            for row in summary.metrics
        ),
        "",
        *(f"- {'✓' if reason.held else '✗'} {escaped(reason.text)}" for reason in summary.reasons),
    ]
    notes = (*summary.notices, *summary.skipped)
    if notes:
        lines += ["", *(f"> {escaped(note)}  " for note in notes)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Escape what Markdown or HTML would read as markup; line breaks become spaces.

    Example:
        >>> print(escaped("<script> | a_b"))
        \<script\> \| a\_b
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
