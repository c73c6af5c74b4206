"""A report of training as Markdown: ``summary.md``, the note of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.reporter.markdown import escaped, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.reporter.training.summary import TrainingSummary, WrittenCandidate


def render(summary: TrainingSummary) -> str:
    """Write who is best, the table of candidates, and notices."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: TrainingSummary) -> Iterator[str]:
    yield from (f"## {escaped(summary.title)}: {escaped(summary.best)}", "")
    yield from (f"{summary.verdict_mark} **{escaped(summary.headline)}** {escaped(summary.advice)}".rstrip(), "")
    points = ", points" if summary.points else ""
    headers = [
        "",
        "candidate",
        f"{summary.metric}, {summary.folds}",
        *([f"behind the best{points}", "95 % interval", "p"] if summary.compares else []),
        *(f"{name}, hold-out" for name in summary.holdout_metrics),
        "seconds",
    ]
    yield f"| {' | '.join(map(escaped, headers))} |"
    yield f"|--:|:--{'|--:' * (len(headers) - 2)}|"
    yield from (_row(row, compares=summary.compares) for row in summary.candidates)
    marked = (*summary.not_repeatable, *summary.failed)
    yield from ("", *(f"- {escaped(text)}" for text in marked), *([""] if marked else []))
    yield escaped(" · ".join(f"{term}: {text}" for term, text in summary.volume if term != "Features"))
    yield from quoted((*summary.notices, *summary.skipped))


def _row(row: WrittenCandidate, *, compares: bool) -> str:
    cells = [
        row.rank,
        escaped(row.name) + (" (may not repeat)" if row.repeats else ""),
        f"{row.mean} ± {row.spread}" if row.spread else row.mean,
        *([row.behind, row.interval, escaped(row.pvalue)] if compares else []),
        *row.holdout,
        row.seconds,
    ]
    return f"| {' | '.join(cells)} |"
