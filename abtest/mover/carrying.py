"""A request carried out: alone, in order, on record before and after."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from abtest import wording
from abtest.errors import AbtestError, BackendError, PromotionError, StaleChampionError, UnfinishedError
from abtest.mover.settling import cleared, settle_done, settle_twin, taken_over
from abtest.mover.unfinished import unfinished
from abtest.registry import ModelVersion
from abtest.talking import once
from abtest.trail import Movement, MovementKind, Outcome, Trail
from abtest.trail.alone import first_in_the_way
from abtest.trail.process import UNDER_WAY
from abtest.transitions import Plan, Standing, spelled

if TYPE_CHECKING:
    from abtest.registry import RegistryClient
    from abtest.transitions import Transition

Planner: TypeAlias = Callable[[Sequence[ModelVersion]], Plan]
_NOTHING, _ALL, _STOPPED = "Nothing was moved.", "All moves were made.", "It stopped after"
_PAUSES = (0.5, 2.0)  # seconds before a move is tried again that is seen not to have happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A move that somebody asks for.

    Attributes:
        kind: What it is.
        model: The registered model.
        version: The version that it is about.
        planner: Plans it from the versions as they stand; called again when it has the model for itself.
        why: The reason.
        evidence: Tags that lead to what it rests on.
    """

    kind: MovementKind
    model: str
    version: int | None
    planner: Planner
    why: str
    evidence: Mapping[str, str] = field(default_factory=dict)


def carry_out(registry: RegistryClient, request: Request) -> Movement | None:
    """Carry a request out, once, and record that it was.

    Returns:
        The movement; None where the registry already stands so.

    Raises:
        UnfinishedError: Another move of this model is under way, or was cut off.
        StaleChampionError: The registry was moved meanwhile by something else.
        BackendError: It failed on the way; the message says how far it came.
    """
    trail = Trail(registry, request.model)
    versions = registry.versions(request.model)
    steps = planned(trail, request, versions)
    resumed = cleared(trail, versions, steps)
    if not steps:
        return None
    if resumed is not None:  # what is asked for is just what is missing of it
        resumed = taken_over(trail, resumed)
        request = replace(request, kind="recovery", why=f"finishes run {resumed.run_id}: {request.why}")
    done = move(registry, request, steps, Standing.of(versions), ignored=[resumed] if resumed else [])
    if resumed is not None:
        settle_done(trail, resumed, note=f"It was cut off, and finished in run {done.run_id}.")
    return done


def planned(trail: Trail, request: Request, versions: Sequence[ModelVersion]) -> Plan:
    """Plan a request; where it no longer fits since another was cut off, say that, and not that it does not fit."""
    try:
        return request.planner(versions)
    except PromotionError:
        cleared(trail, versions, ())
        raise


def move(
    registry: RegistryClient, request: Request, steps: Plan, before: Standing, *, ignored: Sequence[Movement] = ()
) -> Movement:
    """Put the intent on record, wait to be alone, look again, move, and put the outcome on record.

    Args:
        registry: Where the model is.
        request: What is asked for.
        steps: Its plan.
        before: How the model stood when it was planned.
        ignored: Open movements that this one takes the place of.
    """
    trail = Trail(registry, request.model)
    mine = trail.open(request.kind, request.version, steps, before, why=request.why, evidence=request.evidence)
    try:
        return _moved(registry, trail, request, mine, ignored)
    finally:
        UNDER_WAY.discard(mine.attempt)


def _moved(
    registry: RegistryClient, trail: Trail, request: Request, mine: Movement, ignored: Sequence[Movement]
) -> Movement:
    try:
        _alone(registry, trail, mine, ignored)
        _refuse_moved(request, registry.versions(request.model), mine.plan, mine.before)
    except BaseException as error:
        with contextlib.suppress(Exception):  # what went wrong first is what is told
            trail.settle(mine, Outcome.ABANDONED, note=_told(error))
        raise
    _walk(registry, trail, mine)
    try:
        return settle_done(trail, mine)
    except AbtestError as error:
        raise type(error)(
            f"All moves were made, but that could not be put on record: {error.message}",
            hint="the next command does it.",
        ) from error


def _refuse_moved(request: Request, versions: Sequence[ModelVersion], steps: Plan, before: Standing) -> None:
    now = Standing.of(versions)
    if now != before or request.planner(versions) != steps:
        raise StaleChampionError(
            f"'{request.model}' was moved while the {request.kind} was prepared: it stood at {before}, and stands at "
            f"{now}.",
            hint="look at it, and try again.",
        )


def _alone(registry: RegistryClient, trail: Trail, mine: Movement, ignored: Sequence[Movement]) -> None:
    """Return when no other move of this model is open; withdraw where another has the right of way."""
    passed = {mine.run_id, *(movement.run_id for movement in ignored)}

    def others() -> list[Movement]:
        found = [m for m in trail.read() if m.is_open and m.run_id not in passed]
        for twin in [m for m in found if m.attempt == mine.attempt]:
            # MLflow sent the request again, since an answer was lost: one intent, two runs.
            settle_twin(trail, twin, mine)
            found.remove(twin)
        return found

    one = first_in_the_way(mine.run_id, others, holds=lambda m: m.is_cut_off(datetime.now(UTC)))
    if one is not None:
        raise unfinished([one], registry.versions(mine.model))[0].error()


def _walk(registry: RegistryClient, trail: Trail, mine: Movement) -> None:
    """Make the moves, each after a look whether it still fits."""
    try:
        for step in mine.plan:
            versions = registry.versions(mine.model)
            if step.holds_in(versions):
                continue
            _refuse_unfit(step, versions, trail, mine)
            _make(registry, mine.model, step)
    except UnfinishedError:  # whoever settled it has said how it ended
        raise
    except BaseException as error:
        told = _stopped(registry, trail, mine, error)
        hint = _recovery_hint(mine) if told and told.startswith(_STOPPED) else getattr(error, "hint", None)
        if told is not None and isinstance(error, KeyboardInterrupt):
            error.add_note(f"{told} Hint: {hint}" if hint else told)  # for whoever tells of the interruption
        if not isinstance(error, AbtestError) or told is None:
            raise
        raise type(error)(f"{told} {error.message}", hint=hint) from error


def _refuse_unfit(step: Transition, versions: Sequence[ModelVersion], trail: Trail, mine: Movement) -> None:
    if not step.applies_in(versions):
        raise StaleChampionError(
            f"'{mine.model}' was moved by something else in the middle of it, so that this no longer fits: {step}.",
            hint=f"{wording.command('models', 'history', mine.model)} shows it.",
        )
    if not trail.is_open(mine):
        raise UnfinishedError(f"Run {mine.run_id} was settled by somebody else while it went on.")


def _make(registry: RegistryClient, model: str, step: Transition) -> None:
    """Make one move: sent once, and sent again only where it is seen not to have happened."""
    for pause in (*_PAUSES, None):
        try:
            with once():
                step.apply(registry, model)
        except BackendError:
            versions = registry.versions(model)
            if step.holds_in(versions):  # only the answer was lost
                return
            if pause is None or not step.applies_in(versions):
                raise
            time.sleep(pause)
        else:
            return


def _stopped(registry: RegistryClient, trail: Trail, mine: Movement, error: BaseException) -> str | None:
    """Put on record how far it came, if anything still answers; else the next command finds out."""
    with contextlib.suppress(Exception):
        made, missing = mine.parted(registry.versions(mine.model))
        if not made:
            trail.settle(mine, Outcome.ABANDONED, note=_told(error))
            return _NOTHING
        if not missing:
            settle_done(trail, mine, note=_told(error))
            return _ALL
        trail.settle(
            mine, Outcome.STOPPED, note=f"{_told(error)}\n\nDone:\n{spelled(made)}\nMissing:\n{spelled(missing)}"
        )
        return f"{_STOPPED} {len(made)} of {len(mine.plan)} moves."
    return None


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _recovery_hint(mine: Movement) -> str:
    return f"{wording.command('models', 'recover', mine.model)} finishes it, --undo takes it back."
