"""What was in production when, who moved it and why: read off the trail, and checked against the registry. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from abtest.trail.movement import Movement, Outcome
from abtest.transitions import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence


EntryKind: TypeAlias = Literal["found", "moved", "unrecorded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a model stood from some moment on.

    Attributes:
        kind: "found" before the trail began, "moved" by a movement on record, whether or not it came to its end, or
            "unrecorded": moved in MLflow's UI or by another program.
        at: Since when; None where only its bounds are known.
        after: It happened after this, where it is unrecorded.
        before: And before this; None means now.
        standing: How the model stood from then on.
        movement: What is on record; None where nothing is.
    """

    kind: EntryKind
    at: datetime | None = None
    after: datetime | None = None
    before: datetime | None = None
    standing: Standing
    movement: Movement | None = None

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        times = {name: getattr(self, name) for name in ("at", "after", "before")}
        return {
            "kind": self.kind,
            **{name: time.isoformat() if time else None for name, time in times.items()},
            "serving": list(self.standing.serving),
            "standing": self.standing.to_dict(),
            "movement": self.movement.to_dict() if self.movement else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A model's history.

    Attributes:
        model: The registered model.
        entries: How it stood, the oldest first.
        attempts: Movements that changed nothing in the end, and those that wait or hang, the oldest first.
        missing: Numbers of records that the trail lacks.
    """

    model: str
    entries: tuple[Entry, ...]
    attempts: tuple[Movement, ...]
    missing: tuple[int, ...]

    @property
    def unrecorded(self) -> tuple[Entry, ...]:
        """Moves made behind the trail's back."""
        return tuple(entry for entry in self.entries if entry.kind == "unrecorded")

    @property
    def earlier(self) -> tuple[Entry, ...]:
        """What served before what serves now, each as it came to serve first, the latest first.

        A rollback takes back what it rolled back: after 1, 2, 3 and a rollback to 2, what served before is 1, not 3.
        """
        stack: list[Entry] = []
        for entry in self.entries:
            serving = entry.standing.serving
            if entry.movement is not None and entry.movement.deletes_model:
                stack.clear()  # numbers begin anew in a model that is made again
                continue
            known = [it.standing.serving for it in stack]
            if not serving or known[-1:] == [serving]:
                continue
            if entry.movement is not None and entry.movement.kind == "rollback" and serving in known:
                del stack[len(known) - known[::-1].index(serving) :]
            else:
                stack.append(entry)
        now = self.entries[-1].standing.serving if self.entries else ()
        return tuple(reversed(stack[:-1] if now else stack))

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "model_name": self.model,
            "entries": [entry.to_dict() for entry in self.entries],
            "attempts": [movement.to_dict() for movement in self.attempts],
            "missing": list(self.missing),
        }


def history_of(model: str, movements: Sequence[Movement], now: Standing) -> History:
    """Tell a model's history.

    Args:
        model: The registered model.
        movements: The trail.
        now: How the registry stands.
    """
    done = sorted((m for m in movements if m.sequence is not None), key=lambda m: m.sequence or 0)
    # What was cut off explains a standing that no outcome leads to: that was no stranger's move.
    stopped = [m for m in movements if m.is_open or m.outcome is Outcome.LEFT]
    entries: list[Entry] = []
    expected: Standing | None = None
    last: datetime | None = None
    for movement in done:
        entries += _unexpected(expected, movement.before, last, movement.began_at, stopped)
        expected, last = movement.after, movement.settled_at or movement.began_at
        entries.append(Entry(kind="moved", at=last, standing=expected, movement=movement))
    entries += _unexpected(expected, now, last, None, stopped)
    numbers = {movement.sequence for movement in done}
    return History(
        model=model,
        entries=tuple(entries),
        attempts=tuple(m for m in movements if m.sequence is None and m.outcome is not Outcome.DONE),
        missing=tuple(n for n in range(1, max((n or 0 for n in numbers), default=0)) if n not in numbers),
    )


def _unexpected(
    expected: Standing | None,
    found: Standing,
    after: datetime | None,
    before: datetime | None,
    stopped: Sequence[Movement],
) -> list[Entry]:
    """What was found where the trail had left it otherwise, or before there was one."""
    if expected is None:
        return [Entry(kind="found", before=before, standing=found)] if found.serving else []
    if expected == found:
        return []
    for it in stopped:
        if it.before == expected and found in it.halfway:
            return [Entry(kind="moved", at=it.settled_at or it.began_at, standing=found, movement=it)]
    return [Entry(kind="unrecorded", after=after, before=before, standing=found)]
