"""What a cleanup would delete, and what stays and why, as plain data: planned before anything is touched. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

ItemKind: TypeAlias = Literal["version", "run"]
_NEWEST, _YOUNGER = "is among the newest", "is younger than"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much is kept; what is asked for both ways goes only where both let it.

    Attributes:
        older_than: What is younger stays.
        keep: So many of the newest stay, of each model's versions, and of each kind of its runs.
    """

    older_than: timedelta | None = None
    keep: int | None = None

    def __post_init__(self) -> None:
        if self.older_than is None and self.keep is None:
            raise InvalidInputError(
                "older_than or keep must be given: a cleanup without a limit would take everything.",
                hint="--older-than 90d, or --keep 10, or both.",
            )
        if self.keep is not None and self.keep < 0:
            raise InvalidInputError(f"keep must be at least 0, got {self.keep}.")
        if self.older_than is not None and self.older_than < timedelta(0):
            raise InvalidInputError(f"older_than must not be negative, got {self.older_than}.")

    def spares(self, at: datetime, rank: int, now: datetime) -> str | None:
        """Tell why a thing of this time stays, the ``rank``-th newest from 1; None where it may go.

        Example:
            >>> from datetime import UTC
            >>> now, then = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
            >>> kept = Retention(older_than=timedelta(days=90), keep=2)
            >>> kept.spares(then, 2, now), kept.spares(now, 3, now), kept.spares(then, 3, now)
            ('is among the newest 2', 'is younger than 90 days', None)
        """
        if self.keep is not None and rank <= self.keep:
            return f"{_NEWEST} {self.keep}"
        if self.older_than is not None and now - at < self.older_than:
            return f"{_YOUNGER} {wording.span(self.older_than.total_seconds())}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A version, or a run with those nested in it: they go together or stay together.

    Attributes:
        kind: Which of the two.
        model: The registered model; None of a run about none.
        version: The version's number; None of a run.
        run_ids: The runs, those nested first; none of a version.
        what: What it is, in words.
        at: When it was registered, or began; in UTC.
        reason: Why it stays, in a clause; None where it goes.
        because: All that stands on it, in clauses.
    """

    kind: ItemKind
    model: str | None
    version: int | None
    run_ids: tuple[str, ...]
    what: str
    at: datetime
    reason: str | None = None
    because: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "kind": self.kind,
            "model_name": self.model,
            "version": self.version,
            "run_ids": list(self.run_ids),
            "what": self.what,
            "at": self.at.isoformat(),
            "reason": self.reason,
            "because": list(self.because),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupPlan:
    """What would go, and what stays.

    Attributes:
        going: In the order in which they go: versions, then runs, the oldest first.
        staying: Likewise.
        deleted: Runs of abtest's that are deleted already, and which MLflow keeps until it is told to collect them.
        deleted_in_use: Those of all deleted runs that something stands on.
    """

    going: tuple[Item, ...]
    staying: tuple[Item, ...]
    deleted: tuple[str, ...] = ()
    deleted_in_use: tuple[str, ...] = ()

    def reasons(self) -> list[tuple[str, str, int]]:
        """Why things stay: kind of thing, kind of reason, and how many; the most frequent first."""
        counts = Counter((item.kind, item.reason or "") for item in self.staying)
        return [(kind, reason, n) for (kind, reason), n in sorted(counts.items(), key=lambda it: (-it[1], it[0]))]

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "going": [item.to_dict() for item in self.going],
            "staying": [item.to_dict() for item in self.staying],
            "deleted_already": list(self.deleted),
            "deleted_but_in_use": list(self.deleted_in_use),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What a cleanup did.

    Attributes:
        deleted: What went, in order.
        spared: What was to go and stayed, since something stands on it by now.
        left: What was not come to.
        failed: Why it stopped; None where it came to its end.
    """

    deleted: tuple[Item, ...]
    spared: tuple[Item, ...]
    left: tuple[Item, ...]
    failed: str | None

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "deleted": [item.to_dict() for item in self.deleted],
            "spared": [item.to_dict() for item in self.spared],
            "left": [item.to_dict() for item in self.left],
            "failed": self.failed,
        }


def ranked(items: Sequence[Item]) -> list[int]:
    """Ranks from the newest, 1, of things of one kind; of one time, the higher version or the later id is newer."""
    ages = [(item.at, item.version or 0, item.run_ids) for item in items]
    order = sorted(range(len(items)), key=ages.__getitem__, reverse=True)
    ranks = [0] * len(items)
    for rank, i in enumerate(order, start=1):
        ranks[i] = rank
    return ranks
