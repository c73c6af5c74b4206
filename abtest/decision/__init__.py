"""Evaluation and policy in, decision out: a verdict, and for each rule a reason with its numbers.

The share rule, exactly: not significant is INSUFFICIENT_EVIDENCE; else accuracy up and at least ``promote_share`` of
the metrics improved is PROMOTE; else at least ``conditional_share`` improved is CONDITIONAL; else KEEP_CHAMPION.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from abtest import wording
from abtest.labels import Label
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from abtest.evaluator import Evaluation, MetricRow
    from abtest.policy import Policy


class Verdict(StrEnum):
    """Which model should serve. A verdict is data, never an exception."""

    PROMOTE = "PROMOTE"
    CONDITIONAL = "CONDITIONAL"
    INSUFFICIENT_EVIDENCE = "INSUFFICIENT_EVIDENCE"
    KEEP_CHAMPION = "KEEP_CHAMPION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule, its numbers, and whether it held.

    Attributes:
        rule: Which rule.
        metric: The metric it reads; None for a rule on several.
        class_: The class it reads; None for all.
        segment: The segment it reads; None for all rows.
        value: What was found.
        operator: How it is held against the bound.
        bound: What was asked.
        held: Whether ``value operator bound``.
        severity: What a rule that does not hold does to the verdict.
        text: The same in a sentence.
    """

    rule: str
    metric: str | None
    class_: Label | None
    segment: str | None
    value: float | None
    operator: Literal["<", ">", ">="]
    bound: float
    held: bool
    severity: Literal["block", "warn"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict and its reasons, in the order in which they were asked."""

    verdict: Verdict
    reasons: tuple[Reason, ...]

    def reason(self, rule: str) -> Reason:
        """The reason given by one rule."""
        return next(reason for reason in self.reasons if reason.rule == rule)


def decide(evaluation: Evaluation, policy: Policy) -> Decision:
    """Apply the policy to an evaluation. Pure: the same two give the same decision."""
    significance = _significance(evaluation, policy)
    accuracy = _accuracy(evaluation.metric("accuracy"))
    promote = _share(evaluation, "promote_share", policy.promote_share, severity="block")
    conditional = _share(evaluation, "conditional_share", policy.conditional_share, severity="block")
    if not significance.held:
        verdict = Verdict.INSUFFICIENT_EVIDENCE
    elif promote.held and accuracy.held:
        verdict = Verdict.PROMOTE
    elif conditional.held:
        verdict = Verdict.CONDITIONAL
    else:
        verdict = Verdict.KEEP_CHAMPION
    return Decision(verdict=verdict, reasons=(significance, accuracy, promote, conditional))


def _significance(evaluation: Evaluation, policy: Policy) -> Reason:
    test = evaluation.mcnemar
    accuracy = evaluation.metric("accuracy")
    held = test.pvalue < policy.alpha
    just = "just " if (round(test.pvalue, 3) < policy.alpha) != held else ""  # 0.0497 reads as 0.050
    found = f"McNemar's test ({test.method}) gives {wording.pvalue(test.pvalue)}, {just}"
    if held:
        how = "better" if accuracy.improved else "worse"
        text = f"The challenger is significantly {how} on accuracy: {found}below {policy.alpha:g}."
    else:
        text = f"No difference in accuracy is shown: {found}not below {policy.alpha:g}. "
        text += _ruled_out(accuracy, policy)
    return _reason("significance", "accuracy", test.pvalue, "<", policy.alpha, held=held, text=text)


def _ruled_out(accuracy: MetricRow, policy: Policy) -> str:
    """Say what an interval that holds zero still tells."""
    lower, upper = accuracy.ci_lower or 0.0, accuracy.ci_upper or 0.0
    gain = f"a gain of more than {wording.points(abs(upper)).lstrip('+')}" if upper > 0 else "any gain"
    loss = f"a loss of more than {wording.points(abs(lower)).lstrip('+')}" if lower < 0 else "any loss"
    return f"With {100 * policy.confidence:g} % confidence the data rule out {gain} and {loss}."


def _accuracy(row: MetricRow) -> Reason:
    held = row.improved
    change = wording.points(row.effect)
    if held:
        text = f"Accuracy rose by {change.lstrip('+')}, to {wording.percent(row.challenger)}."
    elif row.improvement < -NOISE:
        text = f"Accuracy fell by {change.lstrip(wording.MINUS)}, to {wording.percent(row.challenger)}."
    else:
        text = f"Accuracy is the same on both sides, {wording.percent(row.challenger)}."
    return _reason("accuracy", "accuracy", row.effect, ">", 0.0, held=held, text=text)


def _share(evaluation: Evaluation, rule: str, bound: float, *, severity: Literal["block", "warn"]) -> Reason:
    counted = [row for row in evaluation.metrics if row.metric in evaluation.counted]
    improved = [row.metric for row in counted if row.improved]
    share = len(improved) / len(counted)
    held = share >= bound - NOISE  # 3/4 >= 0.75 whatever floating division makes of it
    which = f" ({', '.join(improved)})" if improved else ""
    verb = "at least" if held else "short of"
    text = (
        f"{len(improved)} of {wording.plural(len(counted), 'metric')} improved{which}: {100 * share:.4g} %, "
        f"{verb} the {100 * bound:g} % asked for {'PROMOTE' if rule == 'promote_share' else 'CONDITIONAL'}."
    )
    return _reason(rule, None, share, ">=", bound, held=held, text=text, severity=severity)


def _reason(
    rule: str,
    metric: str | None,
    value: float,
    operator: Literal["<", ">", ">="],
    bound: float,
    *,
    held: bool,
    text: str,
    severity: Literal["block", "warn"] = "block",
) -> Reason:
    return Reason(
        rule=rule,
        metric=metric,
        class_=None,
        segment=None,
        value=value,
        operator=operator,
        bound=bound,
        held=held,
        severity=severity,
        text=text,
    )
