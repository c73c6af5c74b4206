"""What live traffic itself does to a verdict: a check of the experiment failed, or the challenger was rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.decision.reasons import Finding, Reason, Verdict
from abtest.stats.mismatch import ALPHA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.evaluator import Evaluation

ROLLED_BACK = "rolled back"  # an epoch's state, as ``live.experiment`` spells it


def watched(evaluation: Evaluation) -> Iterator[Finding]:
    """Judge the experiment that the rows come from, where they do."""
    live = evaluation.live
    if live is None:
        return
    for check in live.checks:
        reason = Reason(
            rule=check.name.replace(" ", "-"),
            value=check.pvalue,
            operator=">=",
            bound=ALPHA,
            held=check.held,
            text=check.text,
        )
        yield Finding(reason=reason, at_best=Verdict.PROMOTE if check.held else Verdict.INSUFFICIENT_EVIDENCE)
    if live.state == ROLLED_BACK:
        text = f"The challenger was rolled back in epoch {live.epoch}, so this experiment never promotes it."
        reason = Reason(rule="rollback", value=live.inclusion, operator=">", bound=0.0, held=False, text=text)
        yield Finding(reason=reason, at_best=Verdict.KEEP_CHAMPION)
