"""Whether a challenger does harm, looked at as often as one likes; and the rollback that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from abtest import wording
from abtest.errors import RefusedError, StaleChampionError
from abtest.evaluator.looks import Path, Tuning, contingency
from abtest.guardrail import ERROR_RATE, LATENCY
from abtest.labels import SIDES
from abtest.live.analysis import tallying
from abtest.live.analysis.seen import Seen
from abtest.live.experiment import Epoch, State
from abtest.stats.sequences import LEAST_UNITS, MeanDifference

if TYPE_CHECKING:
    from abtest.live.experiment import Experiment
    from abtest.live.log import ArmTries
    from abtest.live.store import Store

_MOST_ONE_SIDED = 0.25  # the level for which a one-sided sequence is sharpest; it holds at any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """Evidence that a challenger does harm.

    Attributes:
        what: "quality": it is right less often, or its squared errors are greater; "error_rate" or "latency": it fails
            or slows more than the guardrail of that name tolerates.
        pvalue: One-sided, that it does none: valid at every look.
        text: In a sentence.
        evidence: The numbers, for the record.
    """

    what: Literal["quality", "error_rate", "latency"]
    pvalue: float
    text: str
    evidence: Mapping[str, Any]


def tuning_of(experiment: Experiment) -> Tuning:
    """What the plan fixes of the evidence."""
    return Tuning(
        alpha=experiment.policy.alpha,
        rollback_alpha=level_of(experiment),
        planned_n=experiment.planned_n,
        planned_discordant=experiment.planned_discordant,
    )


def harm(
    store: Store, experiment: Experiment, *, until: datetime | None = None, seen: Seen | None = None
) -> Harm | None:
    """Look once whether the challenger does harm, at the level of a rollback.

    Args:
        store: The log.
        experiment: Whose challenger.
        until: The moment of looking; now by default.
        seen: What this look has read.

    Returns:
        The first evidence of harm that there is: of its failures, its time, its quality. None where there is none.

    Raises:
        InvalidInputError: Labels and predictions share no type.
        BackendError: The database does not answer.
    """
    seen = seen or Seen(store, experiment, until or datetime.now(UTC))
    found: list[Harm | None] = []
    if _ways(experiment) > 1:
        champion, challenger = seen.tries
        found = [failures(experiment, champion, challenger), slowness(experiment, champion, challenger)]
    for one in (*found, _quality(seen)):
        if one is not None and one.pvalue < level_of(experiment):
            return one
    return None


def level_of(experiment: Experiment) -> float:
    """The level of each kind of harm: those that are looked for share that of a rollback evenly.

    So an equal challenger is rolled back for any of them no more often than that.
    """
    return experiment.rollback_alpha / _ways(experiment)


def _ways(experiment: Experiment) -> int:
    """How many kinds of harm are looked for."""
    return 1 + sum(_margin(experiment, metric) is not None for metric in (ERROR_RATE, LATENCY))


def rollback(
    store: Store, experiment: Experiment, *, by: str, until: datetime | None = None, seen: Seen | None = None
) -> Epoch | None:
    """Send the challenger no more units if it does harm; with the evidence, once, whoever sees it first.

    Args:
        store: The log.
        experiment: Whose challenger.
        by: Who looks: a server, or a user.
        until: The moment of looking; now by default.
        seen: What this look has read.

    Returns:
        The epoch in which it was rolled back, by this or another one; None where there is no harm, or it was stopped.

    Raises:
        InvalidInputError: Labels and predictions share no type.
        BackendError: The database does not answer.
    """
    found = harm(store, experiment, until=until, seen=seen)
    while found is not None:
        last = store.epochs(experiment.name)[-1]
        if last.state.is_over:
            return last if last.state is State.ROLLED_BACK else None
        epoch = Epoch(
            experiment=experiment.name,
            number=last.number + 1,
            state=State.ROLLED_BACK,
            inclusion=0.0,
            began_at=datetime.now(UTC),
            by=by,
            why=found.text,
            evidence={"what": found.what, "pvalue": found.pvalue, "alpha": level_of(experiment), **found.evidence},
        )
        try:
            return store.turn(epoch)
        except (StaleChampionError, RefusedError):  # another one turned first: see what it did
            continue
    return None


def _followed(seen: Seen) -> tuple[Path, dict[str, int]]:
    """Follow accuracy, or of a regression the squared errors; with the counts that the last look rests on."""
    experiment = seen.experiment
    is_regression = experiment.policy.task == "regression"
    if experiment.mode == "shadow":
        period, pairs = seen.pairs
        looks = tallying.looks_of(pairs, period.buckets)
        if is_regression:
            return Path.of_differences(tallying.squared_differences(pairs, looks)), {}
        grown = tallying.tally_pairs(pairs, looks).by_look.sum(axis=1)
        return Path.of_pairs(grown, tuning_of(experiment).a), asdict(contingency(grown[-1]))
    period, groups = seen.arms
    looks = tallying.looks_of(groups, period.buckets)
    if is_regression:
        champion, challenger, _ = tallying.tally_arm_errors(groups, looks, experiment.policy)
        counts = {"champion": champion.outcomes.n, "challenger": challenger.outcomes.n}
        return Path.of_means(champion.squared, challenger.squared), counts
    first, second = (side.sum(axis=1) for side in tallying.tally_arms(groups, looks).arms.by_look)
    counts = {f"{side}_right": int(arm[-1, 0]) for side, arm in zip(SIDES, (first, second), strict=True)}
    counts |= {f"{side}_units": int(arm[-1, 1]) for side, arm in zip(SIDES, (first, second), strict=True)}
    return Path.of_rates(first, second), counts


def _quality(seen: Seen) -> Harm | None:
    experiment, (path, counts) = seen.experiment, _followed(seen)
    pvalue = path.pvalue_worse(tuning_of(experiment))
    if pvalue is None:
        return None
    what, now = ("right less often" if path.greater_is_better else "further from the truth"), path.now
    evidence = {"n": now.n, "effect": now.effect, "test": path.test, **counts}
    if path.worse is not None:
        evidence["log_evidence"] = float(path.worse.max())
    text = f"The challenger is {what}: {_found(pvalue, experiment)}."
    return Harm(what="quality", pvalue=pvalue, text=text, evidence=evidence)


def failures(experiment: Experiment, champion: ArmTries, challenger: ArmTries) -> Harm | None:
    """Test whether the challenger fails more often than the champion by more than the guardrail tolerates."""
    margin, arms = _margin(experiment, ERROR_RATE), (champion, challenger)
    if margin is None:
        return None
    counts = [(arm.failed, arm.n) for arm in arms]
    looked = MeanDifference.of_failures(champion=counts[0], challenger=counts[1], margin=margin)
    pvalue = _beyond(experiment, looked, margin)
    if pvalue is None:
        return None
    rates = [failed / n for failed, n in counts]
    text = (
        f"Of first requests, {wording.percent(rates[1])} of the challenger's failed and {wording.percent(rates[0])} of "
        f"the champion's, more than the {wording.size(margin, 'share')} tolerated: {_found(pvalue, experiment)}."
    )
    evidence = {"champion": rates[0], "challenger": rates[1], "margin": margin}
    return Harm(what="error_rate", pvalue=pvalue, text=text, evidence={**evidence, **_counts(arms)})


def slowness(experiment: Experiment, champion: ArmTries, challenger: ArmTries) -> Harm | None:
    """Test whether the challenger's mean time is beyond the champion's by more than the guardrail tolerates."""
    margin, arms = _margin(experiment, LATENCY), (champion, challenger)
    if margin is None or min(arm.n for arm in arms) < LEAST_UNITS:
        return None
    means = [arm.seconds / arm.n for arm in arms]
    variances = [max(arm.squares / arm.n - mean * mean, 0.0) / arm.n for arm, mean in zip(arms, means, strict=True)]
    spread = (1 + margin) ** 2 * variances[0] + variances[1]
    effect = means[1] - (1 + margin) * means[0]
    looked = MeanDifference(
        n=sum(arm.n for arm in arms), effect=effect, standard_error=math.sqrt(spread), settled=spread > 0
    )
    pvalue = _beyond(experiment, looked, 0.0)
    if pvalue is None:
        return None
    text = (
        f"On first requests the challenger takes {wording.duration(means[1])} a row and the champion "
        f"{wording.duration(means[0])}, more than the {1 + margin:.4g} times tolerated: {_found(pvalue, experiment)}."
    )
    evidence = {"champion": means[0], "challenger": means[1], "margin": margin}
    return Harm(what="latency", pvalue=pvalue, text=text, evidence={**evidence, **_counts(arms)})


def _margin(experiment: Experiment, metric: str) -> float | None:
    """The least that a guardrail on this tolerates; None where it is not looked for.

    A number that was not predicted has no error, so a regression's failures are looked for in any case. A shadow
    predicts many requests at once, after everybody else: its time is not to be compared.
    """
    if metric == LATENCY and experiment.mode == "shadow":
        return None
    anyway = 0.0 if metric == ERROR_RATE and experiment.policy.task == "regression" else None
    return min((rail.margin or 0.0 for rail in experiment.policy.guardrails if rail.metric == metric), default=anyway)


def _beyond(experiment: Experiment, looked: MeanDifference, bound: float) -> float | None:
    """The one-sided p-value that an effect is at most the bound; None before there is enough to tell."""
    sequence = tuning_of(experiment).sequence(min(level_of(experiment), _MOST_ONE_SIDED))
    return sequence.pvalue(looked, null=bound, alternative="greater")


def _counts(arms: tuple[ArmTries, ArmTries]) -> dict[str, int]:
    return {f"{arm.arm}_answers": arm.n for arm in arms}


def _found(pvalue: float, experiment: Experiment) -> str:
    return f"{wording.pvalue(pvalue)}, valid at every look, below {level_of(experiment):.3g}"
