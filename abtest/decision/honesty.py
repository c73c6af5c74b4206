"""What the test set itself does to a verdict: it was looked at before it grew, or a locked one was opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.decision.reasons import Finding, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.evaluator import Evaluation
    from abtest.policy import Policy


def honest(evaluation: Evaluation, policy: Policy) -> Iterator[Finding]:
    """Judge how the test set was used."""
    growth, confirmation = evaluation.growth, evaluation.confirmation
    if growth is not None and not _stays_valid(policy):
        what = f"the rule {policy.rule} has no interval" if policy.task == "classification" else "errors have no test"
        text = (
            f"These rows extend {growth.rows:,} on which the same two models were compared before, and {what} here "
            "that stays valid at a second look: compare on fresh rows."
        )
        reason = Reason(rule="growth", value=float(growth.rows), operator="<=", bound=0.0, held=False, text=text)
        yield Finding(reason=reason, at_best=Verdict.INSUFFICIENT_EVIDENCE)
    if confirmation is not None:
        held = confirmation.held
        text = f"The locked test set {'confirms' if held else 'does not confirm'} the verdict."
        reason = Reason(rule="confirmation", value=float(held), operator=">=", bound=1.0, held=held, text=text)
        yield Finding(reason=reason, at_best=Verdict.PROMOTE if held else Verdict.INSUFFICIENT_EVIDENCE)


def _stays_valid(policy: Policy) -> bool:
    """Whether the rule hangs on the test of equal accuracy alone, for which there is one that is valid at any look."""
    if policy.task == "regression":
        return False
    return policy.rule == "share" or (policy.rule == "primary" and policy.primary == "accuracy" and not policy.margin)
