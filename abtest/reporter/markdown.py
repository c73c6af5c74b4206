"""The comparison as Markdown: ``summary.md``, a pull-request comment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.reporter.several import SeveralSummary, WrittenChallenger
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
        *_experiment(summary),
        f"| | {sides[0]} | {sides[1]} | {summary.effect_header} | {summary.confidence} interval | p |",
        "|:--|--:|--:|--:|--:|--:|",
        *(
            f"| {escaped(row.name)} | {row.champion} | {row.challenger} | {row.mark} {row.effect} | {row.interval} "
            f"| {escaped(row.pvalue)} |"
            for row in summary.metrics
        ),
        "",
        *(f"- {'✓' if reason.held else '✗'} {escaped(reason.text)}" for reason in summary.reasons),
    ]
    for name, groups in summary.segments.items():
        lines += ["", *_segments(name, groups, summary)]
    lines += quoted((*summary.notices, *summary.skipped))
    return "\n".join(lines) + "\n"


def _experiment(summary: Summary) -> list[str]:
    """What live traffic shows: checks that failed before all, then the experiment, its evidence and its arms."""
    live = summary.live
    if live is None:
        return []
    headers = ["", "units", "predictions", "failed", *["dropped"] * live.shadow, "labelled", live.value]
    alarms = [f"- {it.mark} **{escaped(it.name)}: {it.word}.** {escaped(it.text)}" for it in live.alarms]
    return [
        *([*alarms, ""] if alarms else []),
        escaped(f"{live.about} {live.in_order} {live.evidence}"),
        "",
        f"| {' | '.join(headers)} |",
        f"|:--{'|--:' * (len(headers) - 1)}|",
        *(
            f"| {escaped(it.name)} | {it.exposed} | {it.predictions} | {it.failed} |{f' {it.dropped} |' * live.shadow} "
            f"{it.labelled} | {it.value} |"
            for it in live.arms
        ),
        "",
    ]


def render_several(summary: SeveralSummary) -> str:
    """Write verdict, a table of the challengers, what is to be said of all of them, and each one's reasons."""
    sides = escaped(summary.metric), "verdict", escaped(summary.champion), "challenger"
    headers = (*sides, summary.effect_header, "interval", "p", "held against")
    lines = [
        f"## {escaped(summary.title)}: {summary.verdict}",
        "",
        f"**{escaped(summary.headline)}** {escaped(summary.advice)}",
        "",
        f"| {' | '.join(headers)} |",
        "|:--|:--|--:|--:|--:|--:|--:|--:|",
        *(_challenger(row) for row in summary.rows),
        "",
        *(f"- {escaped(said)}" for said in (*summary.rivals, *summary.about_all)),
        *quoted(summary.notices),
    ]
    for row in summary.rows:
        lines += ["", f"### {escaped(row.name)}: {row.part.verdict}", "", *_brief_reasons(row), *quoted(row.notices)]
    return "\n".join(lines) + "\n"


def run_line(run_id: str, experiment: str, tracking_uri: str, experiment_id: str | None = None) -> str:
    """Say where the comparison was logged: a link where a browser can follow one, else in words.

    Args:
        run_id: The MLflow run.
        experiment: Its experiment's name.
        tracking_uri: The tracking server; credentials in it are left out.
        experiment_id: As MLflow's addresses name the experiment; without it there is no link.

    Example:
        >>> run_line("ab12", "abtest/iris", "https://me:pw@host:5000/ml/", "7")
        '[MLflow run ab12](https://host:5000/ml/#/experiments/7/runs/ab12)'
        >>> run_line("ab12", "abtest/iris", "sqlite:///mlflow.db", "7")
        'MLflow run ab12 in the experiment abtest/iris'
    """
    where = urlsplit(tracking_uri)
    if experiment_id is None or where.scheme not in {"http", "https"}:
        return f"MLflow run {escaped(run_id)} in the experiment {escaped(experiment)}"
    host = where.netloc.rpartition("@")[2]
    page = f"{where.path.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
    return f"[MLflow run {escaped(run_id)}]({where.scheme}://{host}{quote(page, safe='/#%')})"


def _challenger(row: WrittenChallenger) -> str:
    name = f"**{escaped(row.name)}**, recommended" if row.recommended else escaped(row.name)
    return (
        f"| {name} | {row.part.verdict_mark} {row.part.verdict} | {row.champion} | {row.challenger} "
        f"| {row.mark} {row.effect} | {row.interval} | {escaped(row.pvalue)} | {escaped(row.level)} |"
    )


def _brief_reasons(row: WrittenChallenger) -> list[str]:
    """All reasons of the recommended challenger; of others, those that do not hold."""
    unmet = [reason for reason in row.part.reasons if not reason.held]
    told = row.part.reasons if row.recommended or not unmet else unmet
    return [f"- {'✓' if reason.held else '✗'} {escaped(reason.text)}" for reason in told]


def quoted(notes: Sequence[str]) -> list[str]:
    """Write notes as a quotation, after an empty line; nothing where there are none."""
    return ["", *(f"> {escaped(note)}  " for note in notes)] if notes else []


def _segments(name: str, groups: Sequence[WrittenGroup], summary: Summary) -> Iterator[str]:
    """The segments of one kind, the worst first; of many, the first."""
    sides = " | ".join(escaped(side) for side in summary.sides)
    yield f"| {escaped(name)} | metric | rows | {sides} | effect | p, adjusted |"
    yield "|:--|:--|--:|--:|--:|--:|--:|"
    for group in groups[:_SEGMENTS]:
        for row in group.rows:
            first = (escaped(group.label), group.n) if row is group.rows[0] else ("", "")
            yield (
                f"| {first[0]} | {escaped(row.name)} | {first[1]} | {row.champion} | {row.challenger} "
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
