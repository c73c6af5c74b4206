"""A report of monitoring as Markdown: ``summary.md``, a message in a chat, an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.reporter.markdown import escaped, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.reporter.monitoring.numbers import WrittenChange, WrittenGroup
    from abtest.reporter.monitoring.summary import MonitoringSummary

_SEGMENTS, _FEATURES, _SIGNS = 5, 10, 12  # lines


def render(summary: MonitoringSummary) -> str:
    """Write status, reasons, tables of metrics and changes, and notices."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: MonitoringSummary) -> Iterator[str]:
    yield from (f"## {escaped(summary.title)}: {summary.status}", "")
    yield from (f"{summary.verdict_mark} **{escaped(summary.headline)}** {escaped(summary.advice)}", "")
    if summary.following:
        yield from (escaped(summary.following), "")
    yield from _signs(summary)
    yield from (escaped(" · ".join(f"{term}: {text}" for term, text in summary.volume)), "")
    yield from _metrics(summary)
    if summary.changes:
        yield from ("", escaped(summary.windows), "", *_changes(summary.changes, summary.confidence))
    if summary.previous:
        yield from ("", f"Against {escaped(summary.previous_name)}:", "")
        yield from _changes(summary.previous, summary.confidence)
    if summary.segments:
        yield from ("", *_segments(summary.segments))
        yield from ("", *(f"- {escaped(text)}" for text in (*summary.fallen, *summary.weakest)))
    if summary.drift:
        yield from ("", escaped(summary.drift_about), "", *_drift(summary))
    yield from ("", *(f"- {escaped(f'{row.name}: {row.text}')}" for row in summary.schema))
    yield from quoted((*summary.notices, *summary.skipped))


def _signs(summary: MonitoringSummary) -> Iterator[str]:
    """What is not in order or not known; what is, only where there is nothing else."""
    told = [sign for sign in summary.signs if not sign.held] or list(summary.signs)
    yield from (f"- {sign.mark} {escaped(sign.text)}" for sign in told[:_SIGNS])
    fine = len(summary.signs) - len(told[:_SIGNS])
    if fine:
        yield f"- … and {fine} more"
    if told:
        yield ""


def _metrics(summary: MonitoringSummary) -> Iterator[str]:
    if not summary.metrics:
        yield "No row has a label, so that there is no metric to show."
        return
    yield f"| | all rows | mean | std | least | most | trend {summary.slope} | by {summary.period} |"
    yield "|:--|--:|--:|--:|--:|--:|--:|:--|"
    for row in summary.metrics:
        yield (
            f"| {escaped(row.name)} | {row.value} | {row.mean} | {row.std} | {row.least} | {row.most} "
            f"| {row.slope} ({row.slope_interval}) | `{row.line}` |"
        )


def _changes(rows: Sequence[WrittenChange], confidence: str) -> Iterator[str]:
    yield f"| | baseline | recent | effect | {confidence} interval | p, adjusted | trend | rows | rows needed |"
    yield "|:--|--:|--:|--:|--:|--:|:--|--:|--:|"
    for row in rows:
        yield (
            f"| {escaped(row.name)} | {row.baseline} | {row.recent} | {row.effect} | {row.interval} "
            f"| {escaped(row.pvalue)} | {row.mark} {row.word} | {row.n} | {row.rows_needed} |"
        )


def _segments(groups: Sequence[WrittenGroup]) -> Iterator[str]:
    yield "| segment, the worst first | metric | rows | baseline | recent | effect | p, adjusted | trend |"
    yield "|:--|:--|--:|--:|--:|--:|--:|:--|"
    for group in groups[:_SEGMENTS]:
        for row in group.rows:
            first = (escaped(group.label), group.n) if row is group.rows[0] else ("", "")
            yield (
                f"| {first[0]} | {escaped(row.name)} | {first[1]} | {row.baseline} | {row.recent} | {row.effect} "
                f"| {escaped(row.pvalue)} | {row.mark} {row.word} |"
            )
    if len(groups) > _SEGMENTS:
        yield f"| … and {len(groups) - _SEGMENTS} more | | | | | | | |"


def _drift(summary: MonitoringSummary) -> Iterator[str]:
    yield "| feature | drift | distance | p, adjusted | PSI | what changed |"
    yield "|:--|:--|--:|--:|--:|:--|"
    for row in summary.drift[:_FEATURES]:
        yield (
            f"| {escaped(row.name)} | {row.mark} {row.word} | {row.distance} | {escaped(row.pvalue)} | {row.psi} "
            f"| {escaped(row.direction)} |"
        )
    if len(summary.drift) > _FEATURES:
        yield f"| … and {len(summary.drift) - _FEATURES} more | | | | | |"
