"""Why a verdict is not PROMOTE, in plain lines: what fails a test, or stops a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.record import ComparisonRecord
from abtest.reporter import several, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.decision import Decision
    from abtest.record import ComparisonsRecord


def render(record: ComparisonRecord | ComparisonsRecord) -> str:
    """Write verdict, headline, and the rules that do not hold; of several challengers, each one's."""
    return "\n".join(_lines(record))


def _lines(record: ComparisonRecord | ComparisonsRecord) -> Iterator[str]:
    if isinstance(record, ComparisonRecord):
        words = summary.summarise(record)
        yield from (f"{words.title}: {words.verdict}", f"{words.headline} {words.advice}", *_unmet(record.decision))
        return
    told = several.summarise(record)
    yield from (f"{told.title}: {told.verdict}", f"{told.headline} {told.advice}")
    for name, one in zip(record.names, record.comparisons, strict=True):
        yield f"{name}: {one.decision.verdict}"
        yield from _unmet(one.decision)


def _unmet(decision: Decision) -> Iterator[str]:
    for reason in decision.reasons:
        if not reason.held:
            yield f"  ✗ {summary.cleaned(reason.text)}{' (a warning)' if reason.severity == 'warn' else ''}"
