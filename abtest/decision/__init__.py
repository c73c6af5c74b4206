"""Evaluation and policy in, decision out: a verdict, and for each rule and guardrail a reason with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.decision.gate import ACCEPTABLE, accepted, passes
from abtest.decision.guardrails import guarded
from abtest.decision.honesty import honest
from abtest.decision.live import watched
from abtest.decision.reasons import Decision, Reason, Verdict, least_favourable
from abtest.decision.rules import RULES

if TYPE_CHECKING:
    from abtest.evaluator import Evaluation
    from abtest.policy import Policy

__all__ = ["ACCEPTABLE", "Decision", "Reason", "Verdict", "accepted", "decide", "passes"]


def decide(evaluation: Evaluation, policy: Policy) -> Decision:
    """Apply the policy to an evaluation. Pure: the same two give the same decision.

    The rule gives a verdict; each guardrail that does not hold can only make it less favourable.
    """
    verdict, reasons = RULES[policy.rule](evaluation, policy)
    judged = [
        *(finding for guardrail in policy.guardrails for finding in guarded(guardrail, evaluation, policy)),
        *honest(evaluation, policy),
        *watched(evaluation),
    ]
    return Decision(
        verdict=least_favourable(verdict, *(finding.at_best for finding in judged)),
        by_rule=verdict,
        reasons=(*reasons, *(finding.reason for finding in judged)),
    )
