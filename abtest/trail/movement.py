"""One move of a model's roles as a record, and how it is spelt in the tags of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from abtest.errors import BackendError
from abtest.trail.process import Process
from abtest.transitions import Plan, Standing, Transition, spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion

MovementKind: TypeAlias = Literal[
    "promotion", "rollback", "registration", "archiving", "deletion", "migration", "recovery"
]
LEASE = timedelta(minutes=15)  # no move takes that long, whatever its process does
TRAIL = "abtest.trail"
_LONGEST = 4000  # characters of a tag that every MLflow takes
_KIND, _OUTCOME, _MOVES = "abtest.kind", "abtest.outcome", "abtest.movement"
_OWN = (TRAIL, _KIND, _OUTCOME, _MOVES, "abtest.plan", "abtest.by", "abtest.why", "abtest.process", "abtest.attempt",
        "abtest.version", "abtest.model_name", "abtest.settled_at", "abtest.settled_by", "abtest.note",
        "abtest.sequence")  # fmt: skip


class Outcome(StrEnum):
    """How a move ended, or that it has not."""

    AWAITING = "awaiting approval"
    PENDING = "pending"
    STOPPED = "stopped"  # an error in the middle: some moves were made
    DONE = "done"
    ABANDONED = "abandoned"  # before anything moved
    UNDONE = "undone"
    LEFT = "left"  # as it stood when it was cut off, by somebody's decision
    APPROVED = "approved"  # and carried out in a run of its own
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One move of a model's roles: what was intended, from where, by whom and why, and how it ended.

    Attributes:
        run_id: The run that records it.
        model: The registered model.
        kind: What it is.
        version: The version that it is about; None of a migration.
        plan: Its transitions, in order.
        before: How the registry stood.
        outcome: How it ended.
        by: Who asked for it.
        why: The reason given, or the verdict's.
        evidence: Tags that lead to what it rests on, such as the comparison's run.
        process: What carried it out.
        attempt: Names this attempt, so that a request that was sent twice is known for one.
        began_at: In UTC, by the clock of whoever began it.
        settled_at: Likewise, of its outcome.
        settled_by: Who settled it.
        note: What is to be said of its outcome.
        sequence: Its number among the moves that were done, from 1 and without gaps.
    """

    run_id: str
    model: str
    kind: MovementKind
    version: int | None
    plan: Plan
    before: Standing
    outcome: Outcome
    by: str
    why: str
    evidence: Mapping[str, str] = field(default_factory=dict)
    process: Process
    attempt: str
    began_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None
    note: str | None = None
    sequence: int | None = None

    @classmethod
    def from_tags(cls, tags: Mapping[str, str], *, run_id: str, began_at: datetime) -> Self:
        """Read it off its run's tags.

        Raises:
            BackendError: They were changed by something else.
        """
        try:
            moves = json.loads(tags[_MOVES] + "".join(tags[key] for key in _continued(tags)))
            settled = tags.get("abtest.settled_at")
            return cls(
                run_id=run_id,
                model=tags["abtest.model_name"],
                kind=tags[_KIND],  # type: ignore[arg-type] # one of ours, or the trail was written to by others
                version=int(tags["abtest.version"]) if "abtest.version" in tags else None,
                plan=tuple(Transition(**step) for step in moves["plan"]),
                before=Standing.from_dict(moves["before"]),
                outcome=Outcome(tags[_OUTCOME]),
                by=tags["abtest.by"],
                why=tags["abtest.why"],
                evidence={
                    k: v for k, v in tags.items() if k.startswith("abtest.") and k not in (*_OWN, *_continued(tags))
                },
                process=Process.read(tags["abtest.process"]),
                attempt=tags["abtest.attempt"],
                began_at=began_at,
                settled_at=datetime.fromisoformat(settled) if settled else None,
                settled_by=tags.get("abtest.settled_by"),
                note=tags.get("abtest.note"),
                sequence=int(tags["abtest.sequence"]) if "abtest.sequence" in tags else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BackendError(
                f"The record in run {run_id} cannot be read ({type(error).__name__}: {error}).",
                hint="its tags were changed; look at them in MLflow.",
            ) from error

    @property
    def tags(self) -> dict[str, str]:
        """The intent, as its run is tagged with."""
        moves = {"plan": [step.to_dict() for step in self.plan], "before": self.before.to_dict()}
        return {
            **self.evidence,
            TRAIL: "1",
            _KIND: self.kind,
            _OUTCOME: str(self.outcome),
            **_parted(json.dumps(moves)),
            "abtest.model_name": self.model,
            **({} if self.version is None else {"abtest.version": str(self.version)}),
            "abtest.plan": spelled(self.plan)[:_LONGEST],
            "abtest.by": self.by,
            "abtest.why": self.why,
            "abtest.process": str(self.process),
            "abtest.attempt": self.attempt,
        }

    @property
    def after(self) -> Standing:
        """Where it leads."""
        return self.before.after(self.plan)

    @property
    def halfway(self) -> tuple[Standing, ...]:
        """How the model stands after each of its moves."""
        return tuple(self.before.after(self.plan[: made + 1]) for made in range(len(self.plan)))

    @property
    def what(self) -> str:
        """What it is, in words."""
        if self.version is None:
            return str(self.kind)
        return f"{self.kind} {'to' if self.kind == 'rollback' else 'of'} version {self.version}"

    @property
    def deletes_model(self) -> bool:
        """Whether the model itself goes, with whatever was known of its versions."""
        return self.kind == "deletion" and self.version is None

    @property
    def title(self) -> str:
        """What it is and of which model."""
        return f"{self.what} of '{self.model}'"

    def __str__(self) -> str:
        return f"{self.title} by {self.by}: {self.outcome}"

    @property
    def is_open(self) -> bool:
        """Whether it holds others back: it goes on, or was cut off."""
        return self.outcome in (Outcome.PENDING, Outcome.STOPPED)

    def is_cut_off(self, now: datetime) -> bool:
        """Whether it was begun and goes on no more."""
        if self.outcome is not Outcome.PENDING:
            return self.outcome is Outcome.STOPPED
        return self.process.carries(self.attempt) is False or now - self.began_at > LEASE

    def parted(self, versions: Sequence[ModelVersion]) -> tuple[Plan, Plan]:
        """Part the plan into what the registry shows as made and what it does not."""
        made = tuple(step for step in self.plan if step.holds_in(versions))
        return made, tuple(step for step in self.plan if step not in made)

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "model_name": self.model,
            "run_id": self.run_id,
            "kind": self.kind,
            "version": self.version,
            "outcome": str(self.outcome),
            "plan": [str(step) for step in self.plan],
            "by": self.by,
            "why": self.why,
            "evidence": dict(self.evidence),
            "began_at": self.began_at.isoformat(),
            "settled_at": self.settled_at.isoformat() if self.settled_at else None,
            "settled_by": self.settled_by,
            "note": self.note,
            "sequence": self.sequence,
        }


def _parted(text: str) -> dict[str, str]:
    """Spell a text in as many tags as it takes."""
    parts = [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]
    return {_MOVES + (f".{number}" if number else ""): part for number, part in enumerate(parts)}


def _continued(tags: Mapping[str, str]) -> list[str]:
    """Names of the tags that go on where the first ends, in order."""
    names = [f"{_MOVES}.{number}" for number in range(1, len(tags))]
    return [name for name in names if name in tags]
