"""Requests that wait for somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import tracking, wording
from abtest.errors import InvalidInputError, NotFoundError, StaleChampionError, UnfinishedError
from abtest.mover.carrying import Request, carry_out, planned
from abtest.mover.settling import cleared
from abtest.mover.unfinished import unfinished
from abtest.trail import Movement, Outcome, Trail
from abtest.transitions import Plan, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion, RegistryClient, VersionDetails

_CREATED = "abtest.version_created_at"


def ask(registry: RegistryClient, request: Request) -> Movement | None:
    """Leave a request for somebody else to approve; nothing moves.

    Returns:
        The movement that waits; None where the registry already stands so.

    Raises:
        UnfinishedError: Another one waits already, is under way, or was cut off.
    """
    trail = Trail(registry, request.model)
    details = registry.details(request.model)
    versions = tuple(it.version for it in details)
    steps = planned(trail, request, versions)
    cleared(trail, versions, ())
    if not steps:
        return None
    refuse_waiting(trail)
    return trail.open(
        request.kind, request.version, steps, Standing.of(versions),
        why=request.why, evidence={**request.evidence, _CREATED: _created(details, request.version)},
        outcome=Outcome.AWAITING,
    )  # fmt: skip


def refuse_waiting(trail: Trail) -> None:
    """Refuse while a request waits.

    Raises:
        UnfinishedError: One does.
    """
    for waiting in awaiting(trail.read()):
        raise UnfinishedError(
            f"A {waiting.title} waits for approval since {waiting.began_at:%Y-%m-%d %H:%M} UTC, asked for by "
            f"{waiting.by} (run {waiting.run_id}).",
            hint=f"approve or reject it: {wording.command('models', 'approve', trail.model)}",
        )


def _created(details: Sequence[VersionDetails], version: int | None) -> str:
    """When a version was registered: a model that is deleted and made again gives its number to another."""
    return next((it.created_at.isoformat() for it in details if it.version.version == version), "unknown")


def approve(registry: RegistryClient, model: str, *, why: str, version: int | None = None) -> Movement:
    """Carry out what waits for approval, if the registry still stands as it did.

    Raises:
        NotFoundError: Nothing waits.
        StaleChampionError: The registry was moved since it was asked for.
    """
    _check_reason(why)
    trail = Trail(registry, model)
    waiting = _the_one_waiting(trail, version)

    def planner(versions: Sequence[ModelVersion]) -> Plan:
        if not trail.is_open(waiting):  # asked again when the intent is on record: whoever rejects looks for that
            raise UnfinishedError(f"The {waiting.title} was settled by somebody else and waits no more.")
        if waiting.evidence.get(_CREATED) != _created(registry.details(model), waiting.version):
            raise StaleChampionError(
                f"Version {waiting.version} of '{model}' is not the one that was asked for: the model was made again.",
                hint="reject it, and ask again.",
            )
        if Standing.of(versions) != waiting.before or not waiting.plan[0].applies_in(versions):
            raise StaleChampionError(
                f"'{model}' was moved since the {waiting.kind} of version {waiting.version} was asked for: "
                f"it stood at {waiting.before}, and stands at {Standing.of(versions)}.",
                hint="reject it, and ask again.",
            )
        return waiting.plan

    evidence = {
        **waiting.evidence,
        "abtest.requested_by": waiting.by,
        "abtest.request_run_id": waiting.run_id,
        "abtest.approved_by": tracking.user(),
        "abtest.approval": why[:1000],
    }
    request = Request(
        kind=waiting.kind, model=model, version=waiting.version, planner=planner, why=waiting.why, evidence=evidence
    )
    done = carry_out(registry, request)
    if done is None:  # a plan that was asked for is never empty
        raise NotFoundError(f"Nothing of '{model}' waits for approval.")
    trail.settle(waiting, Outcome.APPROVED, note=f"{why} (carried out in run {done.run_id})")
    return done


def reject(registry: RegistryClient, model: str, *, why: str, version: int | None = None) -> Movement:
    """Settle what waits for approval without moving anything.

    Raises:
        NotFoundError: Nothing waits.
        UnfinishedError: It is being carried out, or was and is cut off.
    """
    _check_reason(why)
    trail = Trail(registry, model)
    waiting = _the_one_waiting(trail, version)
    _refuse_if_carried_out(registry, trail, waiting)
    settled = trail.settle(waiting, Outcome.REJECTED, note=why)
    _refuse_if_carried_out(registry, trail, waiting)  # whoever approves writes first and then looks, as this does
    return settled


def _check_reason(why: str) -> None:
    if not why.strip():
        raise InvalidInputError("reason must say why, got nothing.", hint="it goes on record.")


def _refuse_if_carried_out(registry: RegistryClient, trail: Trail, waiting: Movement) -> None:
    own = [m for m in trail.read() if m.evidence.get("abtest.request_run_id") == waiting.run_id]
    for one in unfinished(own, registry.versions(trail.model)):
        if one.made or not one.cut_off:
            raise one.error()
    if any(movement.sequence is not None for movement in own):
        raise UnfinishedError(
            f"The {waiting.title} was approved and carried out at the same moment.",
            hint=f"{wording.command('models', 'history', trail.model)} shows it.",
        )


def awaiting(movements: Sequence[Movement]) -> tuple[Movement, ...]:
    """Requests that wait for approval."""
    # One that was approved by a process that was killed before it could say so waits no more.
    carried_out = {m.evidence.get("abtest.request_run_id") for m in movements if m.sequence is not None}
    return tuple(m for m in movements if m.outcome is Outcome.AWAITING and m.run_id not in carried_out)


def _the_one_waiting(trail: Trail, version: int | None) -> Movement:
    found = [m for m in awaiting(trail.read()) if version is None or m.version == version]
    if not found:
        which = "" if version is None else f" version {version} of"
        raise NotFoundError(f"Nothing of{which} '{trail.model}' waits for approval.")
    if len({movement.version for movement in found}) > 1:  # two that were asked for in the same moment
        raise UnfinishedError(
            f"Several requests of '{trail.model}' wait for approval: {', '.join(m.title for m in found)}.",
            hint="say which version.",
        )
    return found[0]
