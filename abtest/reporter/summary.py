"""What a comparison says, in words and written numbers: the one summary every output renders.

Nothing is computed after this and nothing is decided: renderers lay out what stands here.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from abtest import wording
from abtest.decision import Verdict
from abtest.evaluator import FEW_ROWS
from abtest.evaluator.traffic import NOT_WHILE_LOOKING
from abtest.metrics.catalogue import title, unit
from abtest.reporter import headline, live
from abtest.reporter.live import LiveSummary, WrittenCheck
from abtest.wording import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abtest.decision import Reason
    from abtest.evaluator import ClassRow, MetricRow, SegmentRow
    from abtest.labels import Label
    from abtest.record import ComparisonRecord

Tone = Literal["better", "worse", "same"]
TONE_MARKS: dict[Tone, str] = {"better": "▲", "worse": "▼", "same": "="}
TONE_WORDS: dict[Tone, str] = {"better": "better", "worse": "worse", "same": "the same"}
VERDICT_TITLES = {
    Verdict.PROMOTE: "Promote",
    Verdict.CONDITIONAL: "Conditional",
    Verdict.KEEP_CHAMPION: "Keep the champion",
    Verdict.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
}
VERDICT_MARKS = {
    Verdict.PROMOTE: "▲",
    Verdict.CONDITIONAL: "◆",
    Verdict.KEEP_CHAMPION: "■",
    Verdict.INSUFFICIENT_EVIDENCE: "○",
}
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of pairs, line ends: no page can show them
_TURNS_TEXT = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # would reorder what stands around them


class Toned:
    """What is better, worse or the same, told by a shape and by a word too."""

    __slots__ = ()
    tone: Tone

    @property
    def mark(self) -> str:
        """The tone as a shape, for readers without colour."""
        return TONE_MARKS[self.tone]

    @property
    def word(self) -> str:
        """The tone as a word, for readers who listen."""
        return TONE_WORDS[self.tone]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRow(Toned):
    """A row of metrics as it is printed.

    ``known`` says whether ``interval`` is one (else it says why not), ``sure`` whether the test finds a difference.
    """

    name: str
    champion: str
    challenger: str
    effect: str
    relative: str
    interval: str
    pvalue: str
    adjusted: str
    test: str
    n: str
    tone: Tone
    known: bool
    sure: bool
    few: bool
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenGroup:
    """A class or a segment as it is printed: its name, its rows, and a row a metric."""

    label: str
    n: str
    few: bool
    rows: tuple[WrittenRow, ...]
    only_predicted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReason:
    """A reason as it is printed."""

    rule: str
    held: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A comparison in words."""

    title: str
    verdict: Verdict
    verdict_title: str
    verdict_mark: str
    headline: str
    advice: str
    tone: Tone
    champion: str
    challenger: str
    confidence: str
    decisive: str
    metrics: tuple[WrittenRow, ...]
    classes: tuple[WrittenGroup, ...]
    segments: dict[str, tuple[WrittenGroup, ...]]
    reasons: tuple[WrittenReason, ...]
    belief: str
    notices: tuple[str, ...]
    skipped: tuple[str, ...]
    live: LiveSummary | None

    @property
    def effect_header(self) -> str:
        """What stands above the effects."""
        shares = [row.unit == "share" for row in self.metrics]
        return "effect, points" if all(shares) else "effect (of shares, in points)" if any(shares) else "effect"

    @property
    def effects_are(self) -> str:
        """What effects are, in a sentence."""
        points = any(row.unit == "share" for row in self.metrics)
        return f"Effects are challenger − champion{'; of shares, in percentage points' if points else ''}."

    @property
    def alarms(self) -> tuple[WrittenCheck, ...]:
        """Checks of live traffic that fail: what has to be seen before anything else."""
        return self.live.alarms if self.live is not None else ()

    @property
    def sides(self) -> tuple[str, str]:
        """Both sides by role and name: "champion v1"; a name that is the role is not said twice."""
        named = ("champion", self.champion), ("challenger", self.challenger)
        return tuple(role if name == role else f"{role} {name}" for role, name in named)  # type: ignore[return-value] # two


def summarise(record: ComparisonRecord) -> Summary:
    """Put a comparison into words."""
    told = live.summarise(record)
    return Summary(
        title=cleaned(
            f"{record.model_name or 'Comparison'}: {record.challenger.short} against {record.champion.short}"
        ),
        verdict=record.decision.verdict,
        verdict_title=VERDICT_TITLES[record.decision.verdict],
        verdict_mark=VERDICT_MARKS[record.decision.verdict],
        headline=cleaned(headline.told(record)),
        advice=cleaned(headline.advice(record)),
        tone=verdict_tone(record.decision.verdict),
        champion=shown(record.champion.short),
        challenger=shown(record.challenger.short),
        decisive=title(record.settings.policy.decisive),
        confidence=wording.confidence(record.settings.policy.confidence),
        metrics=tuple(write_row(row, title(row.metric), record.settings.policy.alpha) for row in record.metrics),
        classes=tuple(_classes(record)),
        segments=_segments(record),
        reasons=tuple(_write_reason(reason) for reason in _asked(record)),
        belief=headline.belief(record),
        notices=(*record.notices, *(told.notes if told else ())),
        skipped=tuple(f"{entry.what}: {entry.why}" for entry in record.skipped),
        live=told,
    )


def write_row(row: MetricRow | ClassRow, name: str, alpha: float) -> WrittenRow:
    """Write a row's numbers; ``alpha`` is the level of its test."""
    known, kind = row.ci_lower is not None and row.ci_upper is not None, unit(row.metric)
    return WrittenRow(
        name=name,
        champion=wording.value(row.champion, kind),
        challenger=wording.value(row.challenger, kind),
        effect=wording.effect(row.effect, kind, spell_unit=False),
        relative=wording.MISSING if row.rel_effect is None else f"{wording.signed(100 * row.rel_effect)} %",
        interval=_interval(row, kind),
        pvalue=_bare(wording.pvalue(row.pvalue)),
        adjusted=_bare(wording.pvalue(row.pvalue_adjusted)),
        test=row.test,
        n=wording.whole(row.n),
        tone=tone_of(row),
        known=known,
        sure=row.is_sure(alpha),
        few=row.n < FEW_ROWS,
        unit=kind,
    )


def tone_of(row: MetricRow) -> Tone:
    """Whether the challenger is better; a difference that is only floating noise is none."""
    if row.improved:
        return "better"
    return "worse" if row.worsened else "same"


def shown(label: Label) -> str:
    r"""Write a label so that a page can show it: what has no glyph, or would reorder the page, becomes U+FFFD.

    Example:
        >>> shown("cat"), shown(3), shown("a\x00b"), shown("")
        ('cat', '3', 'a�b', '(empty)')
    """
    return cleaned(" ".join(str(label).split())) or "(empty)"


def cleaned(text: str) -> str:
    """Replace what no page can show, or what would reorder one, by U+FFFD."""
    return "".join("\ufffd" if _cannot_show(c) else c for c in text)


def _cannot_show(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in _UNSEEN or character in _TURNS_TEXT or ord(character) & 0xFFFE == 0xFFFE


def _interval(row: MetricRow, kind: Unit) -> str:
    if row.ci_lower is None or row.ci_upper is None:
        return {"none": "", NOT_WHILE_LOOKING: wording.MISSING}.get(row.ci_method, row.ci_method)
    return wording.interval(row.ci_lower, row.ci_upper, kind, spell_unit=False)


def _classes(record: ComparisonRecord) -> Iterator[WrittenGroup]:
    for _, found in groupby(record.per_class, key=lambda row: (type(row.class_), row.class_)):
        rows = list(found)
        yield _group(rows[0].class_, rows, record)


def _segments(record: ComparisonRecord) -> dict[str, tuple[WrittenGroup, ...]]:
    """Segments by what they are told apart by, the worst first."""
    written: dict[str, list[WrittenGroup]] = {}
    for rows in segments_of(record):
        written.setdefault(cleaned(rows[0].segment), []).append(_group(rows[0].value, rows, record))
    return {name: tuple(groups) for name, groups in written.items()}


def segments_of(record: ComparisonRecord) -> list[list[SegmentRow]]:
    """Each segment's rows, the worst segment first.

    They are sorted by the improvement of the policy's primary metric: those that are surely worse before all others,
    those of few rows, in which chance reigns, after them.
    """
    policy = record.settings.policy

    def rank(rows: Sequence[SegmentRow]) -> tuple[bool, bool, float]:
        row = next((row for row in rows if row.metric == policy.primary), rows[0])
        surely_worse = row.is_sure(policy.alpha) and row.improvement < 0
        return not surely_worse, row.n < FEW_ROWS, row.improvement

    groups = [list(rows) for _, rows in groupby(record.segments, key=lambda row: (row.segment, row.value))]
    return sorted(groups, key=rank)


def _group(label: Label, rows: Sequence[ClassRow | SegmentRow], record: ComparisonRecord) -> WrittenGroup:
    alpha = record.settings.policy.alpha
    written = tuple(write_row(row, title(row.metric), alpha) for row in rows)
    return WrittenGroup(
        label=shown(label),
        n=written[0].n,
        few=0 < rows[0].n < FEW_ROWS,
        only_predicted=not rows[0].n,
        rows=written,
    )


def _bare(written: str) -> str:
    return written.removeprefix("p = ").removeprefix("p ")


def _write_reason(reason: Reason) -> WrittenReason:
    return WrittenReason(rule=reason.rule, held=reason.held, text=reason.text)


def _asked(record: ComparisonRecord) -> list[Reason]:
    """The reasons that matter for the verdict: what CONDITIONAL asks is idle where PROMOTE's share held."""
    enough = any(reason.rule == "promote_share" and reason.held for reason in record.decision.reasons)
    asked = [reason for reason in record.decision.reasons if not (enough and reason.rule == "conditional_share")]
    asked = [reason for reason in asked if reason.rule not in live.CHECKS]  # told with the experiment
    return sorted(asked, key=_urgency)


def _urgency(reason: Reason) -> int:
    """A rollback comes first, and guardrails that hold can wait."""
    return -1 if reason.rule == "rollback" else int(reason.rule == "guardrail" and reason.held)


def verdict_tone(verdict: Verdict) -> Tone:
    """How a verdict looks on the challenger."""
    tones: dict[Verdict, Tone] = {Verdict.PROMOTE: "better", Verdict.KEEP_CHAMPION: "worse"}
    return tones.get(verdict, "same")
