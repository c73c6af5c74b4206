"""From the log of live traffic to a decision: counted, evaluated, held to the policy, and put on record.

The record is that of any comparison, so the same reports are drawn from it and the same promoter carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import tracking, wording
from abtest.comparison import Comparison
from abtest.decision import decide
from abtest.errors import RefusedError
from abtest.evaluator import RESAMPLES, both_sides
from abtest.evaluator.live import ArmReading, LiveReading, Turn
from abtest.live.analysis import trust
from abtest.live.analysis.evaluating import read
from abtest.live.analysis.harm import Harm, harm, level_of, rollback, tuning_of
from abtest.live.analysis.seen import Seen
from abtest.live.experiment import Epoch
from abtest.live.log import Snapshot
from abtest.provenance import provenance
from abtest.record import ComparedData, ComparedModel, ComparisonRecord, ComparisonSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.analysis.evaluating import Found
    from abtest.live.experiment import Experiment
    from abtest.live.log import ArmTraffic
    from abtest.live.store import Store
    from abtest.registry import ModelVersion, RegistryClient

__all__ = ["Analysed", "Harm", "analyse", "harm", "look", "reading_of", "refuse_early", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """A look at an experiment, and what it led to.

    Attributes:
        comparison: What was found and decided.
        rolled_back: The epoch that it began, where the challenger was found to do harm.
    """

    comparison: Comparison
    rolled_back: Epoch | None


def look(
    store: Store,
    name: str,
    *,
    registry: RegistryClient | None = None,
    by: str | None = None,
    command: str | None = None,
) -> Analysed:
    """Roll back where the plan says so and there is harm, then analyse.

    Args:
        store: The log.
        name: The experiment.
        registry: Where its models are.
        by: Who looks; the user by default.
        command: The command line this came from.

    Raises:
        AbtestError: As ``analyse``.
    """
    experiment, rolled_back = store.experiment(name), None
    seen = Seen(store, experiment, datetime.now(UTC))
    if experiment.auto_rollback and not store.epochs(name)[-1].state.is_over:
        rolled_back = rollback(store, experiment, by=by or tracking.user(), seen=seen)
    return Analysed(comparison=_analyse(seen, registry, keep=True, command=command), rolled_back=rolled_back)


def analyse(
    store: Store,
    name: str,
    *,
    registry: RegistryClient | None = None,
    until: datetime | None = None,
    keep: bool = True,
    command: str | None = None,
) -> Comparison:
    """Say which model should serve, as far as the traffic up to a moment tells.

    Args:
        store: The log.
        name: The experiment.
        registry: Where its models are; without one nothing can be promoted.
        until: The moment of looking; now by default.
        keep: Keep in the log what this look showed.
        command: The command line this came from, for the record.

    Raises:
        NotFoundError: There is no such experiment.
        RefusedError: It is to be looked at once, and that is not yet.
        InvalidInputError: No labelled row is old enough, or labels and predictions share no type.
        BackendError: The database or the registry does not answer.
    """
    seen = Seen(store, store.experiment(name), until or datetime.now(UTC))
    return _analyse(seen, registry, keep=keep, command=command)


def _analyse(seen: Seen, registry: RegistryClient | None, *, keep: bool, command: str | None) -> Comparison:
    store, experiment, now, traffic = seen.store, seen.experiment, seen.until, seen.traffic
    refuse_early(experiment, traffic)
    found = read(seen)
    versions = _versions(experiment, registry)
    reading = reading_of(store, experiment, found, traffic, now)
    models = [_compared(experiment, arm, versions) for arm in reading.arms]
    evaluation = replace(found.evaluation, live=reading, latency=both_sides(models[0].latency, models[1].latency))
    policy = experiment.policy
    record = ComparisonRecord.of(
        model_name=experiment.model_name,
        champion=models[0],
        challenger=models[1],
        data=ComparedData(path=f"experiment {experiment.name}", n=evaluation.tested.n, digest=None, target=None),
        settings=ComparisonSettings(
            average=experiment.average, pos_label=None, label_type=None, resamples=RESAMPLES, seed=0, batch_size=None,
            drop_unlabelled=False, policy=policy,
        ),
        outcomes=found.outcomes,
        arms=found.arms,
        evaluation=evaluation,
        decision=decide(evaluation, policy),
        provenance=provenance(
            registry=str(registry) if registry else None, policy_digest=policy.digest, command=command
        ),
        notices=(*found.notices, *_about_losses(store, experiment, now)),
        created_at=now,
    )  # fmt: skip
    if keep:
        store.keep(_snapshot(record, reading))
    return Comparison(record, registry, versions)


def _about_losses(store: Store, experiment: Experiment, now: datetime) -> tuple[str, ...]:
    """What is missing from the log may be of one kind, and then what is there is of another."""
    since = [server for server in store.servers() if server.seen_at >= experiment.created_at]
    missing = sum(server.missing(now) for server in since)
    if not missing:
        return ()
    many = wording.plural(missing, "prediction is", "predictions are")
    return (f"{many} missing from the log, as servers were killed or could not write: the rows here are the others.",)


def refuse_early(experiment: Experiment, traffic: Sequence[ArmTraffic]) -> None:
    """Refuse to show any outcome of a fixed look before its time."""
    if experiment.looking != "fixed" or experiment.planned_n is None:
        return
    known = traffic[1].labelled if experiment.mode == "shadow" else sum(arm.labelled for arm in traffic)
    if known < experiment.planned_n:
        raise RefusedError(
            f"Experiment '{experiment.name}' is looked at once, when {wording.whole(experiment.planned_n)} units are "
            f"labelled and old enough; {wording.whole(known)} are.",
            hint=f"'abtest experiment status {experiment.name}' counts them.",
        )


def reading_of(
    store: Store, experiment: Experiment, found: Found, traffic: Sequence[ArmTraffic], until: datetime
) -> LiveReading:
    """Put together what the traffic shows beside the metrics."""
    tested, path, tuning = found.evaluation.tested, found.path, tuning_of(experiment)
    squared = found.evaluation.always == "rmse"
    values = [value * value if squared else value for value in (tested.champion, tested.challenger)]
    looks = path.looks(found.at, tuning) if path else ()
    epochs = store.epochs(experiment.name)
    epoch = epochs[-1]
    champion, challenger = (
        _arm(arm, experiment, n, value) for arm, n, value in zip(traffic, found.n, values, strict=True)
    )
    return LiveReading(
        experiment=experiment.name,
        mode=experiment.mode,
        looking=experiment.looking,
        epoch=epoch.number,
        state=str(epoch.state),
        inclusion=epoch.inclusion,
        challenger_share=experiment.challenger_share,
        planned_n=experiment.planned_n,
        planned_discordant=experiment.planned_discordant,
        horizon=experiment.horizon,
        started_at=experiment.created_at,
        until=until,
        arms=(champion, challenger),
        looks=looks,
        log_better=looks[-1].log_better if looks else None,
        log_worse=looks[-1].log_worse if looks else None,
        pvalue=tested.pvalue,
        pvalue_worse=path.pvalue_worse(tuning) if path else None,
        rollback_alpha=level_of(experiment),
        test=path.test if path else tested.test,
        checks=trust.checks_of(store, experiment, traffic, until),
        waiting=store.waiting(),
        turns=tuple(
            Turn(at=it.began_at, epoch=it.number, state=str(it.state), inclusion=it.inclusion) for it in epochs
        ),
    )


def _arm(arm: ArmTraffic, experiment: Experiment, analysed: int, value: float) -> ArmReading:
    return ArmReading(
        arm=arm.arm,
        version=experiment.champion_version if arm.arm == "champion" else experiment.challenger_version,
        exposed=arm.exposed,
        predictions=arm.predictions,
        failed=arm.failed,
        dropped=arm.dropped,
        mature=arm.mature,
        labelled=arm.labelled,
        corrected=arm.corrected,
        analysed=analysed,
        value=value,
        seconds=arm.seconds / arm.predictions if arm.predictions else None,
    )


def _versions(experiment: Experiment, registry: RegistryClient | None) -> tuple[ModelVersion, ...]:
    """Both versions as they stand now; a side that moves after this is no longer the one that was compared."""
    if registry is None:
        return ()
    compared = (experiment.champion_version, experiment.challenger_version)
    return tuple(version for version in registry.versions(experiment.model_name) if version.version in compared)


def _compared(experiment: Experiment, arm: ArmReading, versions: Sequence[ModelVersion]) -> ComparedModel:
    uri = f"models:/{experiment.model_name}/{arm.version}"
    run_id = next((version.run_id for version in versions if version.version == arm.version), None)
    # A shadow predicts many requests at once, after everybody else: its time is not to be compared.
    latency = arm.seconds if experiment.mode == "split" else None
    return ComparedModel(ref=uri, version=arm.version, run_id=run_id, uri=uri, latency=latency)


def _snapshot(record: ComparisonRecord, live: LiveReading) -> Snapshot:
    row, last = record.evaluation.tested, live.looks[-1] if live.looks else None
    return Snapshot(
        experiment=live.experiment,
        at=live.until,
        n=row.n,
        log_better=live.log_better,
        log_worse=live.log_worse,
        effect=last.effect if last else row.effect,
        ci_lower=last.ci_lower if last else row.ci_lower,
        ci_upper=last.ci_upper if last else row.ci_upper,
        verdict=str(record.decision.verdict),
    )
