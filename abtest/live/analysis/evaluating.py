"""The labelled rows of an experiment, evaluated: pairs or arms, of classes or numbers, at any look or at one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError
from abtest.evaluator import RESAMPLES, Evaluation, evaluate, evaluate_errors
from abtest.evaluator.looks import Path
from abtest.evaluator.traffic import evaluate_arms, evaluate_pairs
from abtest.evaluator.traffic_errors import evaluate_arm_errors, evaluate_paired_errors
from abtest.labels import SIDES
from abtest.live.analysis import tallying
from abtest.live.analysis.harm import tuning_of
from abtest.outcomes import PairedOutcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.looks import Tuning
    from abtest.live.analysis.seen import Seen
    from abtest.live.experiment import Experiment
    from abtest.live.log import ArmGroup, PairGroup, Period


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What the labelled rows say.

    Attributes:
        evaluation: Every metric.
        path: The evidence look by look; None where one looks once.
        at: When the looks are.
        n: Rows of the champion's, and of the challenger's.
        notices: What there is to say about the rows.
        outcomes: The table, where both sides predicted the same rows.
        arms: The tables of both arms, where each side predicted its own.
    """

    evaluation: Evaluation
    path: Path | None
    at: tuple[datetime, ...]
    n: tuple[int, int]
    notices: tuple[str, ...]
    outcomes: PairedOutcomes | None = None
    arms: tuple[PairedOutcomes, PairedOutcomes] | None = None


def read(seen: Seen) -> Found:
    """Evaluate the labelled rows.

    Raises:
        InvalidInputError: There is none, or labels and predictions share no type.
    """
    experiment = seen.experiment
    tuning = None if experiment.looking == "fixed" else tuning_of(experiment)
    regression = experiment.policy.task == "regression"
    if experiment.mode == "shadow":
        period, pairs = seen.first_pairs
        read_pairs = _paired_errors if regression else _pairs
        _refuse_nothing(experiment, [it for it in pairs if it.is_whole] if regression else pairs)
        return read_pairs(experiment, pairs, period, tuning)
    period, groups = seen.first_arms
    read_arms = _arm_errors if regression else _arms
    counted = [group for group in groups if not regression or group.prediction is not None]
    _refuse_nothing(experiment, *([group for group in counted if group.arm == side] for side in SIDES))
    return read_arms(experiment, groups, period, tuning)


def _refuse_nothing(experiment: Experiment, *arms: Sequence[PairGroup | ArmGroup]) -> None:
    if not all(arms):
        where = "" if len(arms) == 1 else " in each arm"
        raise InvalidInputError(
            f"Experiment '{experiment.name}' has no labelled row{where} that is old enough, so there is nothing to "
            "compare on.",
            hint=f"'abtest experiment status {experiment.name}' counts what is there; 'abtest label' records labels.",
        )


def _pairs(experiment: Experiment, groups: Sequence[PairGroup], period: Period, tuning: Tuning | None) -> Found:
    looks = tallying.looks_of(groups, period.buckets)
    tallied = tallying.tally_pairs(groups, looks)
    outcomes, path = tallied.outcomes, None
    policy, average, pos_label = experiment.policy, experiment.average, tallied.pos_label
    if average != "binary":
        pos_label = None
    if tuning is None:
        evaluation = evaluate(outcomes, policy, average=average, pos_label=pos_label)
    else:
        evaluation, path = evaluate_pairs(
            outcomes, tallied.by_look, policy, tuning=tuning, average=average, pos_label=pos_label
        )
    return Found(
        evaluation=evaluation, path=path, at=_moments(period, looks), n=(outcomes.n, outcomes.n),
        notices=tallied.notices, outcomes=outcomes,
    )  # fmt: skip


def _arms(experiment: Experiment, groups: Sequence[ArmGroup], period: Period, tuning: Tuning | None) -> Found:
    looks = tallying.looks_of(groups, period.buckets)
    tallied = tallying.tally_arms(groups, looks)
    arms, average = tallied.arms, experiment.average
    evaluation, path = evaluate_arms(
        arms, experiment.policy, tuning=tuning, average=average,
        pos_label=tallied.pos_label if average == "binary" else None,
    )  # fmt: skip
    return Found(
        evaluation=evaluation, path=path, at=_moments(period, looks), n=(arms.champion.n, arms.challenger.n),
        notices=tallied.notices, arms=(arms.champion, arms.challenger),
    )  # fmt: skip


def _paired_errors(experiment: Experiment, groups: Sequence[PairGroup], period: Period, tuning: Tuning | None) -> Found:
    looks, path = tallying.looks_of(groups, period.buckets), None
    errors, differences, notices = tallying.tally_paired_errors(groups, looks, experiment.policy)
    if tuning is None:
        evaluation = evaluate_errors(errors, experiment.policy, resamples=RESAMPLES, seed=0)
    else:
        evaluation, path = evaluate_paired_errors(errors, differences, experiment.policy, tuning=tuning)
    return Found(evaluation=evaluation, path=path, at=_moments(period, looks), n=(errors.n, errors.n), notices=notices)


def _arm_errors(experiment: Experiment, groups: Sequence[ArmGroup], period: Period, tuning: Tuning | None) -> Found:
    looks = tallying.looks_of(groups, period.buckets)
    champion, challenger, notices = tallying.tally_arm_errors(groups, looks, experiment.policy)
    evaluation, path = evaluate_arm_errors(champion, challenger, experiment.policy, tuning=tuning)
    return Found(
        evaluation=evaluation, path=path, at=_moments(period, looks),
        n=(champion.outcomes.n, challenger.outcomes.n), notices=notices,
    )  # fmt: skip


def _moments(period: Period, looks: Sequence[int]) -> tuple[datetime, ...]:
    """The ends of these periods."""
    width = (period.end - period.start) / period.buckets
    return (*(period.start + (bucket + 1) * width for bucket in looks[:-1]), period.end)
