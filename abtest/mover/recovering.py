"""What was cut off: finished, taken back, or left as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest.errors import StaleChampionError
from abtest.mover.carrying import Request, move
from abtest.mover.settling import NEVER_BEGUN, settle_done, taken_over
from abtest.mover.unfinished import Unfinished, unfinished
from abtest.trail import Movement, Outcome, Trail
from abtest.transitions import Plan, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import RegistryClient

Recovery: TypeAlias = Literal["finish", "undo", "leave"]


def recover(
    registry: RegistryClient, model: str, how: Recovery, *, shown: Sequence[Unfinished] | None = None
) -> tuple[Movement, ...]:
    """Finish what was cut off, take it back, or leave it as it stands and say so on record.

    Args:
        registry: Where the model is.
        model: Which.
        how: What to do.
        shown: Refuse unless this is still what is unfinished.

    Returns:
        The movements that are settled by it; none where there was nothing to settle.

    Raises:
        UnfinishedError: It still goes on.
        StaleChampionError: The registry was moved since, so that the missing part no longer fits.
    """
    trail = Trail(registry, model)
    versions = registry.versions(model)
    found = unfinished(trail.read(), versions)
    if shown is not None and [_told(one) for one in shown] != [_told(one) for one in found]:
        raise StaleChampionError(f"'{model}' was moved since this was shown.", hint="look at it, and try again.")
    for one in found:
        if not one.cut_off:
            raise one.error()
    # What was not even begun is not finished: whoever asked for it may have been refused since.
    never = [_never_begun(trail, one.movement) for one in found if one.never_begun]
    found = tuple(one for one in found if not one.never_begun)
    if all(one.movement.kind == "recovery" and one.ended for one in found):  # the rest was taken back by these
        ended = (settle_done(trail, one.movement, note="It was cut off after its last move.") for one in found)
        return (*never, *ended)
    # A recovery that was cut off in its turn is part of what the first one left.
    root = next((one for one in found if one.movement.kind != "recovery"), found[0])
    steps = {"finish": root.missing, "undo": _inverse(root.made), "leave": ()}[how]
    note = {"finish": "It was cut off, and finished", "undo": "It was cut off, and taken back"}.get(how, "")
    if steps:
        request = Request(
            kind="recovery",
            model=model,
            version=root.movement.version,
            planner=lambda _: steps,
            why=f"{how} run {root.movement.run_id}, which was cut off",
        )
        others = [taken_over(trail, one.movement) for one in found]
        done = move(registry, request, steps, Standing.of(versions), ignored=others)
        note += f" in run {done.run_id}"
    return (*never, *(_recovered(trail, one.movement, root.movement, how, note) for one in found))


def _told(one: Unfinished) -> tuple[str, Plan]:
    return one.movement.run_id, one.missing


def _never_begun(trail: Trail, movement: Movement) -> Movement:
    return trail.settle(movement, Outcome.ABANDONED, note=NEVER_BEGUN)


def _recovered(trail: Trail, movement: Movement, root: Movement, how: str, note: str) -> Movement:
    if how == "leave":
        return trail.settle(movement, Outcome.LEFT, note="It was cut off, and left as it stands.")
    if movement is not root or movement.kind == "recovery":
        return trail.settle(movement, Outcome.ABANDONED, note=f"Another recovery took its place. {note}.")
    if how == "undo":
        return trail.settle(movement, Outcome.UNDONE, note=f"{note}.")
    return settle_done(trail, movement, note=f"{note}.")


def _inverse(made: Plan) -> Plan:
    return tuple(step.inverse for step in reversed(made))
