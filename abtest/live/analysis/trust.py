"""Whether an experiment can be trusted: its checks, read from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.evaluator import checks
from abtest.live.analysis import tallying

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from abtest.evaluator.live import Check
    from abtest.live.experiment import Experiment
    from abtest.live.log import ArmTraffic
    from abtest.live.store import Store


def checks_of(
    store: Store, experiment: Experiment, traffic: Sequence[ArmTraffic], until: datetime
) -> tuple[Check, ...]:
    """Look at all that can be wrong with an experiment of this mode.

    Args:
        store: The log.
        experiment: Which.
        traffic: What its arms did up to then, the champion first.
        until: The moment of looking.
    """
    champion, challenger = traffic
    planned = experiment.planned_n
    if experiment.mode == "split":
        covered = [(arm.labelled, arm.mature) for arm in traffic]
        return (
            checks.sample_ratio(champion.exposed, challenger.exposed, experiment.challenger_share),
            checks.label_coverage(covered[0], covered[1], planned_n=planned),
        )
    groups = store.drops(experiment, until=until)
    if experiment.policy.task == "regression":
        scored, dropped = (tallying.squared_errors([g for g in groups if g.dropped is was]) for was in (False, True))
        return (checks.shadow_drops_of_errors(scored, dropped, planned_n=planned),)
    right, lost = tallying.champion_right(groups)
    return (checks.shadow_drops(right, lost, planned_n=planned),)
