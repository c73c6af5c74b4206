"""The comparison in ten lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from abtest import wording
from abtest.decision import Verdict
from abtest.reporter.layout import short
from abtest.reporter.palette import BETTER, CHALLENGER, CHAMPION, WORSE
from abtest.reporter.sentences import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from abtest.reporter.several import SeveralSummary
    from abtest.reporter.summary import Summary, WrittenReason

_NAME = 26  # letters that leave room for five more columns
_SEGMENTS = 5  # lines
_UNMET = 5  # likewise
_TONES = {"better": BETTER, "worse": WORSE, "same": "default"}


def render(summary: Summary) -> RenderableType:
    """Lay out verdict, table and reasons for rich to print."""
    style = f"bold {_TONES[summary.tone]}"
    verdict = Text.assemble((f"{summary.verdict}", style), "  ", summary.headline)
    return Group(
        verdict,
        *_experiment(summary),
        Text(),
        _table(summary),
        *_segments(summary),
        Text(),
        *_reasons(summary.reasons),
        *_advice(summary, always=summary.live is not None),
        *_notices(summary),
    )


def render_several(summary: SeveralSummary) -> RenderableType:
    """Lay out verdict, a table of the challengers, and why: the best one's reasons, or what each does not meet."""
    best = summary.recommended
    own = sum(len(row.notices) for row in summary.rows if row is not best)
    return Group(
        Text.assemble((f"{summary.verdict}", f"bold {_TONES[summary.tone]}"), "  ", summary.headline),
        Text(),
        _challengers(summary),
        Text(),
        *_reasons(summary.reasons if best else summary.reasons[:_UNMET]),
        *_more(0 if best else len(summary.reasons) - _UNMET, "more challenger"),
        *_advice(summary),
        *(Text(said) for said in summary.rivals),
        *(_note(said) for said in (summary.adjustment, *summary.notices, *(best.notices if best else ()))),
        *_more(own, "note on one challenger or another", "notes on one challenger or another"),
    )


def _experiment(summary: Summary) -> list[Text]:
    """The checks of live traffic that failed, before anything else, and how its evidence stands."""
    if summary.live is None:
        return []
    alarms = [Text(f"{it.mark} {it.text}", style=f"bold {WORSE}") for it in summary.alarms]
    return [*alarms, Text(f"{summary.live.about} {summary.live.in_order}", style="dim"), Text(summary.live.evidence)]


def _challengers(summary: SeveralSummary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(Text(summary.metric))  # a text is no markup of rich's, whatever stands in brackets in it
    table.add_column("")
    table.add_column(Text(short(summary.champion, _NAME)), justify="right", style=CHAMPION)
    table.add_column("challenger", justify="right", style=CHALLENGER)
    for header in (summary.effect_header, "interval", "p", "held against"):
        table.add_column(header, justify="right")
    for row in summary.rows:
        verdict = Text(f"{row.part.verdict_mark} {row.part.verdict}", style=_TONES[row.part.tone])
        effect = Text(f"{row.mark} {row.effect}", style=_TONES[row.tone])
        cells = (row.champion, row.challenger, effect, row.interval, row.pvalue, row.level)
        name = Text(brief(row.name, _NAME) + (" ←" if row.recommended else ""))
        table.add_row(name, verdict, *cells)
    return table


def _table(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column(Text(short(summary.sides[0], _NAME)), justify="right", style=CHAMPION)
    table.add_column(Text(short(summary.sides[1], _NAME)), justify="right", style=CHALLENGER)
    table.add_column(summary.effect_header, justify="right")
    table.add_column(f"{summary.confidence} interval", justify="right")
    table.add_column("p", justify="right")
    for row in summary.metrics:
        effect = Text(f"{row.mark} {row.effect}", style=_TONES[row.tone])
        table.add_row(Text(row.name), row.champion, row.challenger, effect, row.interval, row.pvalue)
    return table


def _segments(summary: Summary) -> Iterator[RenderableType]:
    """The worst segments, each with its first metric; the report has all of them."""
    groups = [(name, group) for name, found in summary.segments.items() for group in found]
    if not groups:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in ("segment, the worst first", "rows", summary.sides[0], summary.sides[1], "effect", "p, adjusted"):
        table.add_column(Text(short(header, _NAME)), justify="left" if header.startswith("segment") else "right")
    for name, group in groups[:_SEGMENTS]:
        row = next((row for row in group.rows if row.name == summary.decisive), group.rows[0])
        effect = Text(f"{row.mark} {row.effect}", style=_TONES[row.tone])
        cells = (group.n, row.champion, row.challenger, effect, row.adjusted)
        table.add_row(Text(f"{name} = {short(group.label, _NAME)} ({row.name})"), *cells)
    yield Text()
    yield table
    if len(groups) > _SEGMENTS:
        yield Text(f"… and {len(groups) - _SEGMENTS} more segments", style="dim")


def _reasons(reasons: Sequence[WrittenReason]) -> list[Text]:
    # Without colour: that a rule held is no good news where it is "significantly worse".
    quiet = [reason for reason in reasons if reason.rule == "guardrail" and reason.held]
    shown = [reason for reason in reasons if reason not in quiet]
    lines = [Text.assemble("✓ " if reason.held else "✗ ", reason.text) for reason in shown]
    return [*lines, Text(f"✓ {_hold(len(quiet))}.")] if quiet else lines


def _hold(guardrails: int) -> str:
    return "1 guardrail holds" if guardrails == 1 else f"{guardrails} guardrails hold"


def _advice(summary: Summary | SeveralSummary, *, always: bool = False) -> list[Text]:
    """What to do where the evidence is not enough; other verdicts speak for themselves."""
    said = always or summary.verdict is Verdict.INSUFFICIENT_EVIDENCE
    return [Text(f"{summary.verdict_mark} {summary.advice}")] if said else []


def _notices(summary: Summary) -> list[Text]:
    return [_note(notice) for notice in (*summary.notices, *summary.skipped)]


def _note(text: str) -> Text:
    return Text(f"Note: {text}", style="dim")


def _more(count: int, one: str, many: str | None = None) -> list[Text]:
    return [Text(f"… and {wording.plural(count, one, many)}, in the report", style="dim")] if count > 0 else []
