"""Moves that a person asks for: promote, roll back, archive, delete, migrate."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import mover, wording
from abtest.errors import AbtestError, InvalidInputError, NotFoundError, RefusedError, StaleChampionError
from abtest.lifecycle.records import Moved
from abtest.registry import stage_name
from abtest.registry.versions import numbered
from abtest.trail import Trail, history_of
from abtest.transitions import (
    ARCHIVED,
    Standing,
    deletion,
    into_production,
    into_stage,
    migration,
    out_of_use,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.registry import ModelVersion, RegistryClient
    from abtest.transitions import Plan

BY_HAND = "by hand, without a comparison"


def promote(
    registry: RegistryClient,
    name: str,
    version: str | int,
    *,
    from_stage: str | None = None,
    to_stage: str | None = None,
    archive: bool = True,
    why: str | None = None,
    evidence: Mapping[str, str] | None = None,
    serving: tuple[int, ...] | None = None,
    require_approval: bool = False,
    dry_run: bool = False,
) -> Moved:
    """Put a version into production, or into another stage. See ``Registry.promote``."""
    stage = None if to_stage is None else stage_name(to_stage)
    expected = None if from_stage is None else stage_name(from_stage)
    number = numbered(name, registry.versions(name), str(version)).version

    def planner(versions: Sequence[ModelVersion]) -> Plan:
        it, now = numbered(name, tuple(versions), str(number)), Standing.of(versions).serving
        _refuse_moved(name, serving, now, "its metrics were compared")
        plan = (
            into_production(number, versions, archive=archive)
            if stage is None
            else into_stage(number, stage, versions, archive=archive)
        )
        if plan and expected and (it.stage or "None") != expected:
            raise RefusedError(
                f"Version {number} of '{name}' is in stage {it.stage or 'None'}, not in {expected}.",
                hint="leave --from-stage out to promote it from wherever it is.",
            )
        return plan

    request = mover.Request(
        kind="archiving" if stage in (ARCHIVED, "None") else "promotion",
        model=name,
        version=number,
        planner=planner,
        why=why or BY_HAND,
        evidence=evidence or {},
    )
    return carried_out(registry, request, require_approval=require_approval, dry_run=dry_run)


def _refuse_moved(name: str, judged: tuple[int, ...] | None, now: tuple[int, ...], since: str) -> None:
    if judged is not None and now != judged:
        raise StaleChampionError(
            f"'{name}' was moved since {since}: version {_listed(judged)} served, and version {_listed(now)} does.",
            hint="try again.",
        )


def carried_out(
    registry: RegistryClient,
    request: mover.Request,
    *,
    require_approval: bool = False,
    dry_run: bool = False,
    shown: Plan | None = None,
) -> Moved:
    """Carry a request out, or ask for approval, or only plan it.

    Raises:
        StaleChampionError: Its plan is no longer the one that was shown.
    """
    if shown is not None:
        request = replace(request, planner=_as_shown(request, shown))
    if dry_run:
        plan = request.planner(registry.versions(request.model))
        return Moved(model=request.model, version=request.version, plan=plan)
    done = mover.ask(registry, request) if require_approval else mover.carry_out(registry, request)
    return Moved(
        model=request.model,
        version=request.version,
        plan=done.plan if done else (),
        movement=done,
        awaits_approval=bool(done and require_approval),
        notices=_waiting(registry, request.model) if done and not require_approval else (),
    )


def _waiting(registry: RegistryClient, name: str) -> tuple[str, ...]:
    """Say which request still waits after another move; where that cannot be read, the move was made all the same."""
    with contextlib.suppress(AbtestError):
        return tuple(
            f"The {it.title}, asked for in run {it.run_id}, still waits, and may no longer fit."
            for it in mover.awaiting(Trail(registry, name).read())
        )
    return ()


def _as_shown(request: mover.Request, shown: Plan) -> mover.Planner:
    def planner(versions: Sequence[ModelVersion]) -> Plan:
        plan = request.planner(versions)
        if plan != shown:
            raise StaleChampionError(
                f"'{request.model}' was moved since this was shown: it stands at {Standing.of(versions)}.",
                hint="look at it, and try again.",
            )
        return plan

    return planner


def _rollback_target(registry: RegistryClient, name: str, to: str | int | None) -> tuple[int, tuple[int, ...]]:
    """Find the version that a rollback would bring back, and what serves now.

    Raises:
        NotFoundError: There is no earlier one on record.
    """
    details = registry.details(name)
    versions = tuple(it.version for it in details)
    serving = Standing.of(versions).serving
    if to is not None:
        return numbered(name, versions, str(to)).version, serving
    for earlier in history_of(name, Trail(registry, name).read(), Standing.of(versions)).earlier:
        # A model that was deleted and made again gives its numbers to other versions.
        until = earlier.at or earlier.before or datetime.now(UTC)
        left = [
            it.version.version
            for it in details
            if it.version.version in earlier.standing.serving and it.created_at <= until
        ]
        if len(left) > 1:
            raise InvalidInputError(
                f"Versions {_listed(tuple(left))} of '{name}' were in production together before, so none is the one.",
                hint="--to VERSION names one.",
            )
        if left and tuple(left) != serving:
            return left[0], serving
    raise NotFoundError(
        f"No earlier version of '{name}' is on record, so there is none to roll back to.",
        hint=f"--to VERSION names one; {wording.command('models', 'show', name)} lists them.",
    )


def rollback(
    registry: RegistryClient,
    name: str,
    *,
    to: str | int | None = None,
    why: str | None = None,
    serving: tuple[int, ...] | None = None,
    dry_run: bool = False,
    shown: Plan | None = None,
) -> Moved:
    """Bring back what served before. See ``Registry.rollback``.

    Raises:
        StaleChampionError: What serves is not ``serving``, which was judged.
    """
    target, now = _rollback_target(registry, name, to)

    def planner(versions: Sequence[ModelVersion]) -> Plan:
        _refuse_moved(name, serving, Standing.of(versions).serving, "it was judged")
        return into_production(target, versions)

    request = mover.Request(
        kind="rollback",
        model=name,
        version=target,
        planner=planner,
        why=why or (f"rolled back from version {_listed(now)}" if now else "rolled back: nothing served"),
    )
    return carried_out(registry, request, dry_run=dry_run, shown=shown)


def archive(
    registry: RegistryClient,
    name: str,
    version: str | int,
    *,
    why: str | None = None,
    dry_run: bool = False,
    shown: Plan | None = None,
) -> Moved:
    """Take a version out of use. See ``Registry.archive``."""
    versions = registry.versions(name)
    number = numbered(name, versions, str(version)).version
    request = mover.Request(
        kind="archiving",
        model=name,
        version=number,
        planner=lambda versions: out_of_use(number, versions),
        why=why or BY_HAND,
    )
    moved = carried_out(registry, request, dry_run=dry_run, shown=shown)
    if any(version.stage for version in versions) or dry_run:
        return moved
    notice = f"'{name}' uses aliases and no stages, so version {number} is in none."
    return replace(moved, notices=(*moved.notices, notice))


def delete_version(
    registry: RegistryClient,
    name: str,
    version: str | int,
    *,
    why: str | None = None,
    dry_run: bool = False,
    shown: Plan | None = None,
) -> Moved:
    """Delete a version that nothing uses. See ``Registry.delete``."""
    number = numbered(name, registry.versions(name), str(version)).version
    request = mover.Request(
        kind="deletion",
        model=name,
        version=number,
        planner=lambda versions: deletion(number, versions),
        why=why or BY_HAND,
    )
    return carried_out(registry, request, dry_run=dry_run, shown=shown)


def delete_model(
    registry: RegistryClient, name: str, *, why: str | None = None, dry_run: bool = False, shown: Plan | None = None
) -> Moved:
    """Delete a model none of whose versions is used. See ``Registry.delete``."""
    mover.refuse_waiting(Trail(registry, name))
    request = mover.Request(
        kind="deletion",
        model=name,
        version=None,
        planner=lambda versions: tuple(step for it in versions for step in deletion(it.version, versions)),
        why=why or BY_HAND,
    )
    moved = carried_out(registry, request, dry_run=dry_run, shown=shown)
    if not dry_run:
        if registry.versions(name):
            raise StaleChampionError(f"'{name}' got another version while it was deleted, and is kept.")
        registry.delete_model(name)
    return moved


def migrate(registry: RegistryClient, name: str, *, dry_run: bool = False) -> Moved:
    """Give each staged version the alias that stands for its stage. See ``Registry.migrate_stages``."""
    _, left = migration(registry.versions(name))
    request = mover.Request(
        kind="migration",
        model=name,
        version=None,
        planner=lambda versions: migration(versions)[0],
        why="stages are deprecated in MLflow; aliases take their place",
    )
    moved = carried_out(registry, request, dry_run=dry_run)
    return replace(moved, notices=(*moved.notices, *left))


def _listed(numbers: tuple[int, ...]) -> str:
    return " and ".join(map(str, numbers)) or "none"
