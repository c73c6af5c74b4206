"""A lineage as one HTML page: no script, no network, nothing beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest.reporter import figures, html
from abtest.reporter.books import lineage
from abtest.reporter.books.picture import LINEAGE
from abtest.reporter.summary import cleaned

if TYPE_CHECKING:
    from abtest.record.traced import LineageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands above the page, where a report has its verdict."""

    title: str
    verdict_title: str
    verdict_mark: str
    headline: str
    advice: str
    tone: str


def render(record: LineageRecord, *, abtest_version: str) -> str:
    """Render the page."""
    head = Head(
        title=cleaned(record.title),
        verdict_title=lineage.standing(record),
        verdict_mark="●" if any(it.now for it in record.served) else "○",
        headline=lineage.headline(record),
        advice=lineage.missing(record),
        tone="same",
    )
    return html.environment().get_template("lineage.html.j2").render(
        summary=head,
        sections=lineage.sections(record),
        figure=figures.draw(record, (LINEAGE,))[0],
        registry=record.registry,
        abtest_version=abtest_version,
    )  # fmt: skip
