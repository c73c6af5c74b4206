"""What several challengers beside one champion say, in words and written numbers: the one summary for every output.

Each challenger has its ordinary summary within; nothing is computed after this and nothing is decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision import Verdict
from abtest.metrics.catalogue import title, unit
from abtest.reporter import sentences, summary
from abtest.reporter.summary import (
    VERDICT_MARKS,
    VERDICT_TITLES,
    Summary,
    Tone,
    Toned,
    WrittenReason,
    cleaned,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.record import Between, ComparisonsRecord

_NOT_COMPUTED = "not computed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenChallenger(Toned):
    """A challenger as it is printed, on the metric that its verdict hangs on first.

    Attributes:
        index: Which of the comparisons it is.
        name: Its own among the challengers.
        part: Its own summary.
        advice: What to do about it, given the others.
        champion: The champion's value.
        challenger: Its value.
        effect: Between the two.
        interval: Of the effect, or why there is none.
        pvalue: Of the test that decides.
        level: What that is held against.
        tone: Whether it is better.
        known: Whether ``interval`` is one.
        sure: Whether the test finds a difference.
        recommended: Whether it is the best that may serve.
        notices: What a reader has to know of it that does not hold for every challenger.
    """

    index: int
    name: str
    part: Summary
    advice: str
    champion: str
    challenger: str
    effect: str
    interval: str
    pvalue: str
    level: str
    tone: Tone
    known: bool
    sure: bool
    recommended: bool
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPair:
    """Two challengers as they are printed: on how many rows one alone is right, and what that shows."""

    first: str
    second: str
    only_first: str
    only_second: str
    pvalue: str
    adjusted: str
    found: str
    sure: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralSummary:
    """Several challengers in words.

    Attributes:
        title: Which models.
        verdict: On the best; where none may serve, the most favourable of all.
        verdict_title: The same as words.
        verdict_mark: The same as a shape.
        tone: The same as a tone.
        headline: What was found, in a sentence or two.
        advice: What to do.
        champion: The champion by role and name.
        metric: What the verdicts hang on first.
        effect_header: What stands above its effects.
        data: How many rows.
        rows: The challengers: the recommended one, then by verdict and improvement.
        pairs: Any two challengers.
        rivals: Whether the recommended one is shown to be better than others that may serve too.
        adjustment: How each challenger's level allows for the others.
        intervals: What their intervals do not promise together.
        cochran: What Cochran's Q says.
        notices: What holds for every challenger.
        reasons: Why: the recommended one's; where there is none, the first that each does not meet.
        parts: Each challenger's own summary, in the order of the record.
    """

    title: str
    verdict: Verdict
    verdict_title: str
    verdict_mark: str
    tone: Tone
    headline: str
    advice: str
    champion: str
    metric: str
    effect_header: str
    data: str
    rows: tuple[WrittenChallenger, ...]
    pairs: tuple[WrittenPair, ...]
    rivals: tuple[str, ...]
    adjustment: str
    intervals: str
    cochran: str
    notices: tuple[str, ...]
    reasons: tuple[WrittenReason, ...]
    parts: tuple[Summary, ...]

    @property
    def about_all(self) -> tuple[str, ...]:
        """What has to be said of several challengers at once."""
        return tuple(said for said in (self.adjustment, self.intervals, self.cochran) if said)

    @property
    def recommended(self) -> WrittenChallenger | None:
        """The best challenger that may serve."""
        return next((row for row in self.rows if row.recommended), None)


def summarise(record: ComparisonsRecord) -> SeveralSummary:
    """Put several comparisons with one champion into words."""
    names, ranked = sentences.names_of(record), sentences.ranking(record)
    parts = tuple(summary.summarise(one) for one in record.comparisons)
    metric, champion = record.comparisons[0].settings.policy.decisive, shown(record.champion.short)
    shared = tuple(text for text in _notes(parts[0]) if all(text in _notes(part) for part in parts))
    return SeveralSummary(
        title=cleaned(f"{record.model_name or 'Comparison'}: {sentences.listed(names)} against {champion}"),
        verdict=record.verdict,
        verdict_title=VERDICT_TITLES[record.verdict],
        verdict_mark=VERDICT_MARKS[record.verdict],
        tone=next((part.tone for part in parts if part.verdict is record.verdict), "same"),
        headline=sentences.headline(record, names, ranked[0]),
        advice=sentences.advice(record, parts[ranked[0]].advice),
        champion="champion" if champion == "champion" else f"champion {champion}",
        metric=title(metric),
        effect_header="effect, points" if unit(metric) == "share" else "effect",
        data=wording.plural(record.data.n, "row"),
        rows=tuple(_row(record, i, names[i], parts[i], shared) for i in ranked),
        pairs=tuple(_pair(it, names, sentences.level_of_all(record)) for it in record.between),
        rivals=tuple(sentences.rivals(record, names)),
        adjustment=sentences.adjustment(record),
        intervals=sentences.intervals(record),
        cochran=sentences.cochran(record),
        notices=shared,
        reasons=_reasons(record, names, parts, ranked),
        parts=parts,
    )


def _row(record: ComparisonsRecord, index: int, name: str, part: Summary, shared: Sequence[str]) -> WrittenChallenger:
    one, missing = record.comparisons[index], wording.MISSING
    row, policy = sentences.decisive_row(one), one.settings.policy
    written = summary.write_row(row, name, policy.alpha) if row else None
    return WrittenChallenger(
        index=index,
        name=name,
        part=part,
        advice=sentences.advice_on(record, index, part.advice),
        champion=written.champion if written else missing,
        challenger=written.challenger if written else missing,
        effect=written.effect if written else missing,
        interval=written.interval if written else _NOT_COMPUTED,
        pvalue=_bare(sentences.tested(one)),
        level=sentences.level(policy),
        tone=written.tone if written else "same",
        known=written.known if written else False,
        sure=sentences.is_sure(one),
        recommended=index == record.best,
        notices=tuple(text for text in _notes(part) if text not in shared),
    )


def _pair(it: Between, names: Sequence[str], alpha: float) -> WrittenPair:
    sure = it.pvalue_adjusted < alpha
    better = sentences.brief(names[sentences.more_accurate(it)])
    return WrittenPair(
        first=names[it.first],
        second=names[it.second],
        only_first=wording.whole(it.contingency.champion_only),
        only_second=wording.whole(it.contingency.challenger_only),
        pvalue=_bare(it.pvalue),
        adjusted=_bare(it.pvalue_adjusted),
        found=f"{better} is more accurate" if sure else "no difference is shown",
        sure=sure,
    )


def _reasons(
    record: ComparisonsRecord, names: Sequence[str], parts: Sequence[Summary], ranked: Sequence[int]
) -> tuple[WrittenReason, ...]:
    if record.best is not None:
        return parts[record.best].reasons
    unmet = ((i, next((reason for reason in parts[i].reasons if not reason.held), None)) for i in ranked)
    return tuple(replace(reason, text=f"{sentences.brief(names[i])}: {reason.text}") for i, reason in unmet if reason)


def _bare(pvalue: float | None) -> str:
    return wording.pvalue(pvalue).removeprefix("p = ").removeprefix("p ")


def _notes(part: Summary) -> tuple[str, ...]:
    return (*part.notices, *(f"Left out: {text}" for text in part.skipped))
