"""Requests that wait for somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import tracking
from abtest.errors import NotFoundError, StaleChampionError, UnfinishedError
from abtest.mover.carrying import Request, carry_out, cleared
from abtest.trail import Movement, Outcome, Trail
from abtest.transitions import Plan, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion, RegistryClient


def ask(registry: RegistryClient, request: Request) -> Movement | None:
    """Leave a request for somebody else to approve; nothing moves.

    Returns:
        The movement that waits; None where the registry already stands so.

    Raises:
        UnfinishedError: Another one waits already, is under way, or was cut off.
    """
    trail = Trail(registry, request.model)
    versions = registry.versions(request.model)
    steps = request.planner(versions)
    if not steps:
        return None
    cleared(trail, versions, ())
    for waiting in awaiting(trail.read()):
        raise UnfinishedError(
            f"A {waiting.title} waits for approval since {waiting.began_at:%Y-%m-%d %H:%M} UTC, asked for by "
            f"{waiting.by} (run {waiting.run_id}).",
            hint=f'approve or reject it: abtest models approve "{request.model}".',
        )
    return trail.open(
        request.kind, request.version, steps, Standing.of(versions),
        why=request.why, evidence=request.evidence, outcome=Outcome.AWAITING,
    )  # fmt: skip


def approve(registry: RegistryClient, model: str, *, why: str, version: int | None = None) -> Movement:
    """Carry out what waits for approval, if the registry still stands as it did.

    Raises:
        NotFoundError: Nothing waits.
        StaleChampionError: The registry was moved since it was asked for.
    """
    trail = Trail(registry, model)
    waiting = _the_one_waiting(trail, version)

    def planner(versions: Sequence[ModelVersion]) -> Plan:
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
    """
    trail = Trail(registry, model)
    return trail.settle(_the_one_waiting(trail, version), Outcome.REJECTED, note=why)


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
    if len(found) > 1:  # two that were asked for in the same moment
        raise UnfinishedError(
            f"Several requests of '{trail.model}' wait for approval: {', '.join(m.title for m in found)}.",
            hint="say which version.",
        )
    return found[0]
