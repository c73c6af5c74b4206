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
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.decision import Reason
    from abtest.evaluator import ClassRow, MetricRow
    from abtest.labels import Label
    from abtest.record import ComparisonRecord

Tone = Literal["better", "worse", "same"]
METRIC_TITLES = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRow:
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

    @property
    def mark(self) -> str:
        """The tone as a shape, for readers without colour."""
        return TONE_MARKS[self.tone]

    @property
    def word(self) -> str:
        """The tone as a word, for readers who listen."""
        return TONE_WORDS[self.tone]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenClass:
    """A class as it is printed: its label, its rows in the truth, and a row a metric."""

    label: str
    n: str
    few: bool
    only_predicted: bool
    rows: tuple[WrittenRow, ...]


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
    metrics: tuple[WrittenRow, ...]
    classes: tuple[WrittenClass, ...]
    reasons: tuple[WrittenReason, ...]
    notices: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def sides(self) -> tuple[str, str]:
        """Both sides by role and name: "champion v1"; a name that is the role is not said twice."""
        named = ("champion", self.champion), ("challenger", self.challenger)
        return tuple(role if name == role else f"{role} {name}" for role, name in named)  # type: ignore[return-value] # two


def summarise(record: ComparisonRecord) -> Summary:
    """Put a comparison into words."""
    accuracy = record.evaluation.metric("accuracy")
    return Summary(
        title=cleaned(
            f"{record.model_name or 'Comparison'}: {record.challenger.short} against {record.champion.short}"
        ),
        verdict=record.decision.verdict,
        verdict_title=VERDICT_TITLES[record.decision.verdict],
        verdict_mark=VERDICT_MARKS[record.decision.verdict],
        headline=_headline(record, accuracy),
        advice=_advice(record, accuracy),
        tone=_verdict_tone(record.decision.verdict),
        champion=shown(record.champion.short),
        challenger=shown(record.challenger.short),
        confidence=f"{100 * record.settings.policy.confidence:g} %",
        metrics=tuple(
            write_row(row, METRIC_TITLES.get(row.metric, row.metric), record.settings.policy.alpha)
            for row in record.metrics
        ),
        classes=tuple(_classes(record)),
        reasons=tuple(_write_reason(reason) for reason in _asked(record)),
        notices=record.notices,
        skipped=tuple(f"{entry.what}: {entry.why}" for entry in record.skipped),
    )


def is_sure(row: MetricRow, alpha: float) -> bool:
    """Whether a row's test, adjusted where it is one of many, finds a difference."""
    pvalue = row.pvalue if row.pvalue_adjusted is None else row.pvalue_adjusted
    return pvalue is not None and pvalue < alpha


def write_row(row: MetricRow | ClassRow, name: str, alpha: float) -> WrittenRow:
    """Write a row's numbers; ``alpha`` is the level of its test."""
    known = row.ci_lower is not None and row.ci_upper is not None
    return WrittenRow(
        name=name,
        champion=wording.percent(row.champion),
        challenger=wording.percent(row.challenger),
        effect=wording.points(row.effect, unit=""),
        relative=wording.MISSING if row.rel_effect is None else f"{wording.signed(100 * row.rel_effect)} %",
        interval=interval(row.ci_lower, row.ci_upper) if known else row.ci_method if row.ci_method != "none" else "",
        pvalue=_bare(wording.pvalue(row.pvalue)),
        adjusted=_bare(wording.pvalue(row.pvalue_adjusted)),
        test=row.test,
        n=wording.whole(row.n),
        tone=tone_of(row),
        known=known,
        sure=is_sure(row, alpha),
        few=row.n < FEW_ROWS,
    )


def tone_of(row: MetricRow) -> Tone:
    """Whether the challenger is better; a difference that is only floating noise is none."""
    if row.improved:
        return "better"
    return "worse" if row.improvement < -NOISE else "same"


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


def interval(lower: float | None, upper: float | None, *, unit: str = "") -> str:
    """Write an interval of effects in points."""
    return f"{wording.points(lower, unit='')} to {wording.points(upper, unit='')}{unit}"


def _classes(record: ComparisonRecord) -> Iterator[WrittenClass]:
    for _, found in groupby(record.per_class, key=lambda row: (type(row.class_), row.class_)):
        rows = list(found)
        alpha = record.settings.policy.alpha
        written = tuple(write_row(row, METRIC_TITLES.get(row.metric, row.metric), alpha) for row in rows)
        yield WrittenClass(
            label=shown(rows[0].class_),
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
    held = record.decision.reason("promote_share").held
    return [reason for reason in record.decision.reasons if not (held and reason.rule == "conditional_share")]


def _verdict_tone(verdict: Verdict) -> Tone:
    tones: dict[Verdict, Tone] = {Verdict.PROMOTE: "better", Verdict.KEEP_CHAMPION: "worse"}
    return tones.get(verdict, "same")


def _headline(record: ComparisonRecord, accuracy: MetricRow) -> str:
    rows = wording.plural(record.data.n, "row")
    rates = (
        f"on the same {rows} the challenger is right {wording.percent(accuracy.challenger)} of the time, "
        f"the champion {wording.percent(accuracy.champion)}"
    )
    verdict = record.decision.verdict
    if verdict is Verdict.PROMOTE:
        return f"The challenger should replace the champion: {rates}."
    if verdict is Verdict.KEEP_CHAMPION:
        return f"The champion should stay: {rates}."
    if verdict is Verdict.INSUFFICIENT_EVIDENCE:
        return f"There is not enough evidence to replace the champion: {rates}, and chance alone could do that."
    if accuracy.improvement < 0:
        return f"The challenger is significantly worse on accuracy, though other metrics improved: {rates}."
    return f"The challenger is better on some metrics and not on others: {rates}."


def _advice(record: ComparisonRecord, accuracy: MetricRow) -> str:
    verdict = record.decision.verdict
    if verdict is Verdict.PROMOTE:
        return "Promote it."
    if verdict is Verdict.KEEP_CHAMPION:
        return "Keep the champion, and look below where the challenger is worse."
    if verdict is Verdict.INSUFFICIENT_EVIDENCE:
        return "Keep the champion for now; more labelled rows could tell the two apart."
    if accuracy.improvement < 0:
        return "It is never promoted automatically; somebody has to decide that this trade is wanted."
    return "Somebody has to decide whether what improved is worth what did not."
