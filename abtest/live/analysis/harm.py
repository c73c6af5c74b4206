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
from abtest.live.experiment import Epoch, State
from abtest.stats.sequences import LEAST_RIGHT, LEAST_UNITS, MeanDifference

if TYPE_CHECKING:
    from abtest.live.experiment import Experiment
    from abtest.live.log import ArmTraffic
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
        rollback_alpha=experiment.rollback_alpha,
        planned_n=experiment.planned_n,
        planned_discordant=experiment.planned_discordant,
    )


def harm(store: Store, experiment: Experiment, *, until: datetime | None = None) -> Harm | None:
    """Look once whether the challenger does harm, at the level of a rollback.

    Args:
        store: The log.
        experiment: Whose challenger.
        until: The moment of looking; now by default.

    Returns:
        The first evidence of harm that there is: of its failures, its time, its quality. None where there is none.

    Raises:
        InvalidInputError: Labels and predictions share no type.
        BackendError: The database does not answer.
    """
    now = until or datetime.now(UTC)
    found: list[Harm | None] = []
    if any(rail.metric in {ERROR_RATE, LATENCY} for rail in experiment.policy.guardrails):
        champion, challenger = store.traffic(experiment, until=now)
        found = [failures(experiment, champion, challenger), slowness(experiment, champion, challenger)]
    for one in (*found, _quality(store, experiment, now)):
        if one is not None and one.pvalue < experiment.rollback_alpha:
            return one
    return None


def rollback(store: Store, experiment: Experiment, *, by: str, until: datetime | None = None) -> Epoch | None:
    """Send the challenger no more units if it does harm; with the evidence, once, whoever sees it first.

    Args:
        store: The log.
        experiment: Whose challenger.
        by: Who looks: a server, or a user.
        until: The moment of looking; now by default.

    Returns:
        The epoch in which it was rolled back, by this or another one; None where there is no harm, or it was stopped.

    Raises:
        InvalidInputError: Labels and predictions share no type.
        BackendError: The database does not answer.
    """
    found = harm(store, experiment, until=until)
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
            evidence={"what": found.what, "pvalue": found.pvalue, "alpha": experiment.rollback_alpha, **found.evidence},
        )
        try:
            return store.turn(epoch)
        except (StaleChampionError, RefusedError):  # another one turned first: see what it did
            continue
    return None


def _followed(store: Store, experiment: Experiment, until: datetime) -> tuple[Path, dict[str, int]]:
    """Follow accuracy, or of a regression the squared errors; with the counts that the last look rests on."""
    is_regression = experiment.policy.task == "regression"
    if experiment.mode == "shadow":
        period, pairs = store.pairs(experiment, until=until)
        looks = tallying.looks_of(pairs, period.buckets)
        if is_regression:
            return Path.of_differences(tallying.squared_differences(pairs, looks)), {}
        grown = tallying.tally_pairs(pairs, looks).by_look.sum(axis=1)
        return Path.of_pairs(grown, tuning_of(experiment).a), asdict(contingency(grown[-1]))
    period, groups = store.arms(experiment, until=until)
    looks = tallying.looks_of(groups, period.buckets)
    if is_regression:
        champion, challenger, _ = tallying.tally_arm_errors(groups, looks, experiment.policy)
        counts = {"champion": champion.outcomes.n, "challenger": challenger.outcomes.n}
        return Path.of_means(champion.squared, challenger.squared), counts
    first, second = (side.sum(axis=1) for side in tallying.tally_arms(groups, looks).arms.by_look)
    counts = {f"{side}_right": int(arm[-1, 0]) for side, arm in zip(SIDES, (first, second), strict=True)}
    counts |= {f"{side}_units": int(arm[-1, 1]) for side, arm in zip(SIDES, (first, second), strict=True)}
    return Path.of_rates(first, second), counts


def _quality(store: Store, experiment: Experiment, until: datetime) -> Harm | None:
    path, counts = _followed(store, experiment, until)
    pvalue = path.pvalue_worse(tuning_of(experiment))
    if pvalue is None:
        return None
    what, now = ("right less often" if path.greater_is_better else "further from the truth"), path.now
    evidence = {"n": now.n, "effect": now.effect, "test": path.test, **counts}
    if path.worse is not None:
        evidence["log_evidence"] = float(path.worse.max())
    text = f"The challenger is {what}: {_found(pvalue, experiment)}."
    return Harm(what="quality", pvalue=pvalue, text=text, evidence=evidence)


def failures(experiment: Experiment, champion: ArmTraffic, challenger: ArmTraffic) -> Harm | None:
    """Test whether the challenger fails more often than the champion by more than the guardrail tolerates.

    A champion that never failed has a spread of 0, so its rate is smoothed by one failure and one success.
    """
    margin = _margin(experiment, ERROR_RATE)
    arms = (champion, challenger)
    if margin is None or min(arm.predictions for arm in arms) < LEAST_UNITS or challenger.failed < LEAST_RIGHT:
        return None
    rates = [arm.failed / arm.predictions for arm in arms]
    smoothed = [(arm.failed + 1) / (arm.predictions + 2) for arm in arms]
    spread = sum(rate * (1 - rate) / arm.predictions for rate, arm in zip(smoothed, arms, strict=True))
    pvalue = _beyond(experiment, arms, rates[1] - rates[0], spread, margin)
    text = (
        f"{wording.percent(rates[1])} of the challenger's predictions failed and {wording.percent(rates[0])} of the "
        f"champion's, more than the {wording.size(margin, 'share')} tolerated: {_found(pvalue, experiment)}."
    )
    evidence = {"champion": rates[0], "challenger": rates[1], "margin": margin}
    return Harm(what="error_rate", pvalue=pvalue, text=text, evidence={**evidence, **_counts(arms)})


def slowness(experiment: Experiment, champion: ArmTraffic, challenger: ArmTraffic) -> Harm | None:
    """Test whether the challenger's mean time is beyond the champion's by more than the guardrail tolerates.

    A shadow predicts many requests at once, after everybody else: its time is not to be compared.
    """
    margin = _margin(experiment, LATENCY)
    arms = (champion, challenger)
    if margin is None or experiment.mode == "shadow" or min(arm.predictions for arm in arms) < LEAST_UNITS:
        return None
    means = [arm.seconds / arm.predictions for arm in arms]
    variances = [
        max(arm.squares / arm.predictions - mean * mean, 0.0) / arm.predictions
        for arm, mean in zip(arms, means, strict=True)
    ]
    spread = (1 + margin) ** 2 * variances[0] + variances[1]
    if not spread:
        return None
    pvalue = _beyond(experiment, arms, means[1] - (1 + margin) * means[0], spread, 0.0)
    text = (
        f"The challenger takes {wording.duration(means[1])} a row and the champion {wording.duration(means[0])}, more "
        f"than the {1 + margin:.4g} times tolerated: {_found(pvalue, experiment)}."
    )
    evidence = {"champion": means[0], "challenger": means[1], "margin": margin}
    return Harm(what="latency", pvalue=pvalue, text=text, evidence={**evidence, **_counts(arms)})


def _margin(experiment: Experiment, metric: str) -> float | None:
    """The least that a guardrail on this tolerates; None where there is none."""
    return min((rail.margin or 0.0 for rail in experiment.policy.guardrails if rail.metric == metric), default=None)


def _beyond(
    experiment: Experiment, arms: tuple[ArmTraffic, ArmTraffic], effect: float, variance: float, bound: float
) -> float:
    """The one-sided p-value that an effect is at most the bound."""
    looked = MeanDifference(
        n=sum(arm.predictions for arm in arms), effect=effect, standard_error=math.sqrt(variance), settled=True
    )
    sequence = tuning_of(experiment).sequence(min(experiment.rollback_alpha, _MOST_ONE_SIDED))
    pvalue = sequence.pvalue(looked, null=bound, alternative="greater")
    return 1.0 if pvalue is None else pvalue


def _counts(arms: tuple[ArmTraffic, ArmTraffic]) -> dict[str, int]:
    return {f"{arm.arm}_predictions": arm.predictions for arm in arms}


def _found(pvalue: float, experiment: Experiment) -> str:
    return f"{wording.pvalue(pvalue)}, valid at every look, below {experiment.rollback_alpha:.3g}"
