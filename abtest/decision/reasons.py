"""What a decision is made of: a verdict, and for each rule a reason with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from abtest.labels import Label

Operator: TypeAlias = Literal["<", "<=", ">", ">="]


class Verdict(StrEnum):
    """Which model should serve, from the most to the least favourable. A verdict is data, never an exception."""

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
        segment: The segment it reads, as "region=EU"; None for all rows.
        value: What was found; None where nothing could be.
        operator: How it is held against the bound.
        bound: What was asked.
        held: Whether ``value operator bound``.
        severity: What a rule that does not hold does to the verdict.
        text: The same in a sentence.
    """

    rule: str
    metric: str | None = None
    class_: Label | None = None
    segment: str | None = None
    value: float | None
    operator: Operator
    bound: float
    held: bool
    severity: Literal["block", "warn"] = "block"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A reason, and the most favourable verdict that it still allows."""

    reason: Reason
    at_best: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict and its reasons, in the order in which they were asked.

    Attributes:
        verdict: Which model should serve.
        by_rule: What the rule alone says, before guardrails.
        reasons: One a rule and guardrail.
    """

    verdict: Verdict
    by_rule: Verdict
    reasons: tuple[Reason, ...]

    def reason(self, rule: str) -> Reason:
        """The reason given by one rule."""
        return next(reason for reason in self.reasons if reason.rule == rule)


def least_favourable(*verdicts: Verdict) -> Verdict:
    """The last of these in the order of ``Verdict``.

    Example:
        >>> least_favourable(Verdict.PROMOTE, Verdict.CONDITIONAL)
        <Verdict.CONDITIONAL: 'CONDITIONAL'>
    """
    return max(verdicts, key=list(Verdict).index)
