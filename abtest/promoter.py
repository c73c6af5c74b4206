"""Decision in, a plan of transitions out; then the plan carried out once, and recorded.

Planning is pure; carrying out reads the registry again first, and is ``abtest.mover``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest import mover
from abtest.decision import Verdict
from abtest.errors import InvalidInputError, RefusedError, StaleChampionError, near
from abtest.loaders.references import BASELINE
from abtest.transitions import CHAMPION, PRODUCTION, Plan, Standing, into_production

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.record import ComparisonRecord
    from abtest.registry import ModelVersion, RegistryClient

PromoteOn: TypeAlias = Literal["promote", "conditional"]
PROMOTE_ON: tuple[PromoteOn, ...] = ("promote", "conditional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A promotion carried out; planned where ``run_id`` is None; or asked for, where it waits for approval."""

    transitions: Plan
    run_id: str | None = None
    awaits_approval: bool = False


def check_verdict(record: ComparisonRecord, promote_on: PromoteOn = "promote") -> None:
    """Refuse what the verdict does not allow.

    Raises:
        RefusedError: The verdict is not PROMOTE; or not CONDITIONAL with accuracy up, where that is allowed.
    """
    if promote_on not in PROMOTE_ON:
        raise InvalidInputError(
            f"promote_on must be one of {', '.join(PROMOTE_ON)}, got {promote_on!r}.", hint=near(promote_on, PROMOTE_ON)
        )
    verdict = record.decision.verdict
    if verdict is Verdict.PROMOTE:
        return
    if verdict is not Verdict.CONDITIONAL or promote_on != "conditional":
        raise RefusedError(f"The verdict is {verdict}, which promotes nothing.")
    if not record.evaluation.tested.improved:
        what = "accuracy did not rise" if record.task == "classification" else "the squared errors did not fall"
        raise RefusedError(f"The verdict is CONDITIONAL and {what}, which is never promoted automatically.")


def plan(challenger: int, champion: int | None, versions: Sequence[ModelVersion]) -> Plan:
    """Plan what takes the challenger into production, moving only what the model uses.

    Args:
        challenger: The version to promote.
        champion: The version it was compared with; None where that was the baseline.
        versions: All versions of the model, as the registry holds them.

    Raises:
        RefusedError: Production holds another version than the one that was compared.
    """
    _refuse_others(challenger, champion, versions)
    return into_production(challenger, versions)


def _refuse_others(challenger: int, champion: int | None, versions: Sequence[ModelVersion]) -> None:
    compared = {challenger, champion}
    others = [number for number in Standing.of(versions).serving if number not in compared]
    if others:
        against = "the baseline" if champion is None else f"version {champion}"
        raise RefusedError(
            f"The challenger was compared with {against}, but version {others[0]} is in production.",
            hint="compare with the version that serves.",
        )


def prepare(
    record: ComparisonRecord,
    registry: RegistryClient,
    seen: Sequence[ModelVersion],
    *,
    promote_on: PromoteOn = "promote",
) -> Plan:
    """Look at the verdict and at the registry as it stands now, and plan; nothing moves.

    Args:
        record: The comparison.
        registry: Where the model is.
        seen: The sides as they stood when they were compared.
        promote_on: What the verdict must be.

    Raises:
        RefusedError: The verdict does not allow it, or the sides are not two versions of one registered model.
        StaleChampionError: A side moved since it was compared.
    """
    check_verdict(record, promote_on)
    model, challenger = _promoted(record)
    return _planned(challenger, record.champion.version, seen, registry.versions(model))


def promote(
    record: ComparisonRecord,
    registry: RegistryClient,
    seen: Sequence[ModelVersion],
    *,
    comparison_run_id: str | None,
    promote_on: PromoteOn = "promote",
    require_approval: bool = False,
    evidence: Mapping[str, str] | None = None,
) -> Promotion:
    """Carry the decision out, once, and record that it was; or leave it to be approved.

    Args:
        record: The comparison.
        registry: Where the model is.
        seen: The sides as they stood when they were compared.
        comparison_run_id: The run that holds the evidence.
        promote_on: What the verdict must be.
        require_approval: Ask for approval, and move nothing.
        evidence: Tags of the record that lead to what else it rests on.

    Raises:
        RefusedError, StaleChampionError: As ``prepare``, which looks once more.
        UnfinishedError: Another move of this model is under way, was cut off, or waits.
        BackendError: The registry failed on the way; the message says how far it came.
    """
    check_verdict(record, promote_on)
    model, challenger = _promoted(record)
    request = mover.Request(
        kind="promotion",
        model=model,
        version=challenger,
        planner=lambda versions: _planned(challenger, record.champion.version, seen, versions),
        why=f"{record.decision.verdict}: " + " ".join(reason.text for reason in record.decision.reasons),
        evidence={
            **record.tags,
            **({"abtest.comparison_run_id": comparison_run_id} if comparison_run_id else {}),
            **(evidence or {}),
        },
    )
    moved = mover.ask(registry, request) if require_approval else mover.carry_out(registry, request)
    if moved is None:
        return Promotion(transitions=())
    return Promotion(transitions=moved.plan, run_id=moved.run_id, awaits_approval=require_approval)


def _promoted(record: ComparisonRecord) -> tuple[str, int]:
    """The registered model that a comparison is about, and the version that it would promote.

    Raises:
        RefusedError: The sides are not two versions of one.
    """
    if record.challenger.version is None or record.model_name is None:
        raise RefusedError("The challenger is no version of a registered model, so there is nothing to promote.")
    if record.champion.ref != BASELINE and not record.champion.is_version_of(record.model_name):
        raise RefusedError(f"The champion, {record.champion.ref}, is no version of '{record.model_name}'.")
    return record.model_name, record.challenger.version


def _planned(
    challenger: int, champion: int | None, seen: Sequence[ModelVersion], versions: Sequence[ModelVersion]
) -> Plan:
    if not _already_serves(challenger, champion, versions):
        _refuse_stale(seen, versions)
    return plan(challenger, champion, versions)


def _already_serves(challenger: int, champion: int | None, versions: Sequence[ModelVersion]) -> bool:
    """Whether an earlier promotion has already done all of it."""
    by_number = {version.version: version for version in versions}
    own = by_number.get(challenger)
    serves = own is not None and (own.stage == PRODUCTION or CHAMPION in own.aliases)
    return serves and not plan(challenger, champion, versions)


def _refuse_stale(seen: Sequence[ModelVersion], versions: Sequence[ModelVersion]) -> None:
    now = {version.version: version for version in versions}
    for before in seen:
        after = now.get(before.version)
        if after != before:
            stood = f"in {before.stage or 'no stage'} @{', @'.join(before.aliases) or '–'}"
            stands = f"in {after.stage or 'no stage'} @{', @'.join(after.aliases) or '–'}" if after else "gone"
            raise StaleChampionError(
                f"Version {before.version} of '{before.name}' moved since it was compared: "
                f"it was {stood}, it is {stands}.",
                hint="compare again.",
            )
