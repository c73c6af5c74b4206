"""What a comparison says, in words and written numbers: the one summary every output renders.

Nothing is computed after this and nothing is decided: renderers lay out what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from abtest import wording
from abtest.decision import Verdict
from abtest.evaluator import FEW_ROWS

if TYPE_CHECKING:
    from abtest.comparison import ComparisonRecord
    from abtest.decision import Reason
    from abtest.evaluator import ClassRow, MetricRow

Tone = Literal["better", "worse", "same"]
METRIC_TITLES = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}
TONE_MARKS: dict[Tone, str] = {"better": "▲", "worse": "▼", "same": "="}
VERDICT_TITLES = {
    Verdict.PROMOTE: "Promote",
    Verdict.CONDITIONAL: "Conditional",
    Verdict.KEEP_CHAMPION: "Keep the champion",
    Verdict.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRow:
    """A row of metrics as it is printed. ``sure`` says whether the interval leaves zero out."""

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
    sure: bool
    few: bool

    @property
    def mark(self) -> str:
        """The tone as a shape, for readers without colour."""
        return TONE_MARKS[self.tone]


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
    headline: str
    advice: str
    tone: Tone
    champion: str
    challenger: str
    confidence: str
    metrics: tuple[WrittenRow, ...]
    per_class: tuple[WrittenRow, ...]
    reasons: tuple[WrittenReason, ...]
    notices: tuple[str, ...]
    skipped: tuple[str, ...]


def summarise(record: ComparisonRecord) -> Summary:
    """Put a comparison into words."""
    accuracy = record.evaluation.metric("accuracy")
    return Summary(
        title=f"{record.model_name or 'Comparison'}: {record.challenger.short} against {record.champion.short}",
        verdict=record.decision.verdict,
        verdict_title=VERDICT_TITLES[record.decision.verdict],
        headline=_headline(record, accuracy),
        advice=_advice(record, accuracy),
        tone=_verdict_tone(record.decision.verdict),
        champion=record.champion.short,
        challenger=record.challenger.short,
        confidence=f"{100 * record.settings.policy.confidence:g} %",
        metrics=tuple(write_row(row, METRIC_TITLES.get(row.metric, row.metric)) for row in record.metrics),
        per_class=tuple(write_row(row, METRIC_TITLES.get(row.metric, row.metric)) for row in record.per_class),
        reasons=tuple(_write_reason(reason) for reason in _asked(record)),
        notices=record.notices,
        skipped=tuple(f"{entry.what}: {entry.why}" for entry in record.skipped),
    )


def write_row(row: MetricRow | ClassRow, name: str) -> WrittenRow:
    """Write a row's numbers."""
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
        tone="better" if row.improved else "worse" if row.improvement < 0 and abs(row.improvement) > 1e-12 else "same",
        sure=known and ((row.ci_lower or 0.0) > 0 or (row.ci_upper or 0.0) < 0),
        few=row.n < FEW_ROWS,
    )


def interval(lower: float | None, upper: float | None, *, unit: str = "") -> str:
    """Write an interval of effects in points."""
    return f"{wording.points(lower, unit='')} to {wording.points(upper, unit='')}{unit}"


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
