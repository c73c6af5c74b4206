"""Moves that were begun and whose outcome is not on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import UnfinishedError
from abtest.trail import Movement
from abtest.transitions import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A move that was begun and whose outcome is not on record.

    Attributes:
        movement: It.
        made: The part of its plan that the registry shows.
        missing: The part that it does not.
        cut_off: Whether it goes on no more.
    """

    movement: Movement
    made: Plan
    missing: Plan
    cut_off: bool

    @property
    def never_begun(self) -> bool:
        """Whether the registry shows none of its moves."""
        return not self.made and bool(self.missing)

    @property
    def ended(self) -> bool:
        """Whether the registry shows all of its moves."""
        return not self.missing

    def __str__(self) -> str:
        it = self.movement
        began = f"{it.began_at:%Y-%m-%d %H:%M:%S} UTC"
        where = f"by {it.by} on {it.process.host} (run {it.run_id})"
        if not self.cut_off:
            return f"A {it.title} is under way since {began}, begun {where}."
        made, missing = ("; ".join(map(str, steps)) or "nothing" for steps in (self.made, self.missing))
        return f"A {it.title}, begun {began} {where}, was cut off. Done: {made}. Missing: {missing}."

    def error(self) -> UnfinishedError:
        """What to raise where it is in the way."""
        if self.cut_off:
            told = f"{wording.command('models', 'recover', self.movement.model)} finishes it, --undo takes it back."
        else:
            told = "try again when it has ended."
        return UnfinishedError(str(self), hint=told)


def unfinished(movements: Sequence[Movement], versions: Sequence[ModelVersion]) -> tuple[Unfinished, ...]:
    """Moves that were begun and whose outcome is not on record, the oldest first."""
    now = datetime.now(UTC)
    found = []
    for movement in movements:
        if movement.is_open:
            made, missing = movement.parted(versions)
            found.append(Unfinished(movement=movement, made=made, missing=missing, cut_off=movement.is_cut_off(now)))
    return tuple(found)
