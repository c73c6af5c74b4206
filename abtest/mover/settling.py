"""What was begun is settled: as done, as never begun, as somebody else's to finish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.mover.unfinished import unfinished
from abtest.trail import Movement, Outcome, Trail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion
    from abtest.transitions import Plan

NEVER_BEGUN = "It was cut off, and the registry shows none of its moves."


def cleared(trail: Trail, versions: Sequence[ModelVersion], steps: Plan) -> Movement | None:
    """Settle what was cut off before its first move or after its last; refuse where another is in the way.

    Returns:
        A movement that was cut off and of which just these steps are missing.
    """
    resumed, movements = None, trail.read()
    done = {movement.attempt: movement for movement in movements if movement.sequence is not None}
    for one in unfinished(movements, versions):
        if one.movement.attempt in done:  # it came late
            settle_twin(trail, one.movement, done[one.movement.attempt])
            continue
        if not one.cut_off:
            raise one.error()
        if one.ended:
            settle_done(trail, one.movement, note="It was cut off after its last move.")
        elif one.never_begun:
            trail.settle(one.movement, Outcome.ABANDONED, note=NEVER_BEGUN)
        elif steps and one.missing == steps and one.movement.kind != "recovery" and resumed is None:
            resumed = one.movement
        else:
            raise one.error()
    return resumed


def taken_over(trail: Trail, movement: Movement) -> Movement:
    """Tell a process that may only be slow that its move is no longer its own, before anything is moved for it."""
    if movement.outcome is Outcome.STOPPED:
        return movement
    return trail.settle(movement, Outcome.STOPPED, note="It was cut off, and is taken up by another.")


def settle_done(trail: Trail, movement: Movement, note: str | None = None) -> Movement:
    """Give a movement that was carried out the next number; one that somebody else gave a number keeps it."""
    if movement.kind == "recovery":  # it is part of another, which has the number
        return trail.settle(movement, Outcome.DONE, note=note)
    movements = trail.read()
    for known in movements:
        if known.run_id == movement.run_id and known.sequence is not None:
            return known
    last = max((m.sequence or 0 for m in movements), default=0)
    return trail.settle(movement, Outcome.DONE, note=note, sequence=last + 1)


def settle_twin(trail: Trail, twin: Movement, kept: Movement) -> Movement:
    """Settle the second run of one intent."""
    return trail.settle(twin, Outcome.ABANDONED, note=f"The same as run {kept.run_id}, sent twice.")
