"""What live traffic itself does to a verdict: a check of the experiment failed, or the challenger was rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import wording
from abtest.decision.reasons import Finding, Reason, Verdict
from abtest.metrics.catalogue import DECISIVE
from abtest.stats.mismatch import ALPHA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.evaluator import Evaluation
    from abtest.evaluator.live import ArmReading

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
    if evaluation.always == DECISIVE["regression"]:
        yield from _failures(*live.arms)
    if live.state == ROLLED_BACK:
        text = f"The challenger was rolled back in epoch {live.epoch}, so this experiment never promotes it."
        reason = Reason(rule="rollback", value=live.inclusion, operator=">", bound=0.0, held=False, text=text)
        yield Finding(reason=reason, at_best=Verdict.KEEP_CHAMPION)


def _failures(champion: ArmReading, challenger: ArmReading) -> Iterator[Finding]:
    """Of a number that was not predicted there is no error: a challenger that fails more often is not seen to.

    Of classes a failed prediction is a wrong one, and the test sees it.
    """
    of = {arm.arm: arm.failed / arm.predictions if arm.predictions else 0.0 for arm in (champion, challenger)}
    held = of["challenger"] <= of["champion"]
    if challenger.failed:
        text = (
            f"The challenger failed on {wording.percent(of['challenger'])} of its rows, the champion on "
            f"{wording.percent(of['champion'])}, and such rows have no error to compare."
        )
        reason = Reason(
            rule="failures", value=of["challenger"], operator="<=", bound=of["champion"], held=held, text=text
        )
        yield Finding(reason=reason, at_best=Verdict.PROMOTE if held else Verdict.INSUFFICIENT_EVIDENCE)
