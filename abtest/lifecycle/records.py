"""What the lifecycle of a model is told in: frozen records that are spelt as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from abtest.registry import VersionDetails
from abtest.trail import Movement
from abtest.transitions import Plan, Standing

_VERDICT = "abtest.verdict"


def finite(value: float | str | None) -> float | str | None:
    """What JSON can hold of a value: None for what is no number.

    Example:
        >>> finite(0.5), finite(float("nan")), finite("adam")
        (0.5, None, 'adam')
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A registered model in a line.

    Attributes:
        name: Its name.
        production: The version in stage Production; of several, the highest.
        staging: Likewise in Staging.
        aliases: Aliases and the versions they are on.
        latest: The highest version.
        description: As it was written.
        updated_at: When it last changed, in UTC.
    """

    name: str
    production: int | None
    staging: int | None
    aliases: Mapping[str, int]
    latest: int | None
    description: str | None
    updated_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {**asdict(self), "updated_at": self.updated_at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVersion:
    """A version with what is known of it.

    Attributes:
        details: What the registry knows.
        metrics: What its run logged.
        user: Who trained it.
    """

    details: VersionDetails
    metrics: Mapping[str, float]
    user: str | None

    @property
    def verdict(self) -> str | None:
        """The verdict of the last comparison it took part in; of the champion, that on its challenger."""
        return self.details.tags.get(_VERDICT)

    @property
    def role(self) -> str | None:
        """Which side it was on then."""
        return self.details.tags.get("abtest.role")

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        it = self.details
        return {
            "version": it.version.version,
            "stage": it.version.stage,
            "aliases": list(it.version.aliases),
            "metrics": {name: finite(value) for name, value in self.metrics.items()},
            "verdict": self.verdict,
            "role": self.role,
            "comparison_run_id": it.tags.get("abtest.comparison_run_id"),
            "run_id": it.version.run_id,
            "created_at": it.created_at.isoformat(),
            "created_by": self.user or it.created_by,
            "updated_at": it.updated_at.isoformat(),
            "description": it.description,
            "tags": dict(it.tags),
            "source": it.source,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownModel:
    """A registered model with its versions.

    Attributes:
        name: Its name.
        description: As it was written.
        tags: Its own.
        versions: Ascending.
        standing: Which of them hold which role.
        notices: What somebody has to know: moves that were cut off, that wait, or that nobody recorded.
    """

    name: str
    description: str | None
    tags: Mapping[str, str]
    versions: tuple[ShownVersion, ...]
    standing: Standing
    notices: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "name": self.name,
            "description": self.description,
            "tags": dict(self.tags),
            "serving": list(self.standing.serving),
            "standing": self.standing.to_dict(),
            "versions": [version.to_dict() for version in self.versions],
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a command moved.

    Attributes:
        model: The registered model.
        version: The version that it was about.
        plan: The transitions; none where the registry already stood so.
        movement: The record; None of a plan alone, and where nothing moved.
        awaits_approval: Whether it was left to be approved.
        notices: What is to be said beside.
    """

    model: str
    version: int | None
    plan: Plan
    movement: Movement | None = None
    awaits_approval: bool = False
    notices: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "model_name": self.model,
            "version": self.version,
            "plan": [str(step) for step in self.plan],
            "run_id": self.movement.run_id if self.movement else None,
            "outcome": str(self.movement.outcome) if self.movement else None,
            "awaits_approval": self.awaits_approval,
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRow:
    """A metric or parameter as it was logged for two versions.

    Attributes:
        kind: Which of the two.
        name: Its name.
        first: Of the first version; None where it was not logged.
        second: Of the second.
    """

    kind: str
    name: str
    first: float | str | None
    second: float | str | None

    @property
    def differs(self) -> bool:
        """Whether the two differ."""
        return self.first != self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedComparison:
    """Two versions' logged metrics and parameters side by side: no test, and maybe not the same rows.

    Attributes:
        model: The registered model.
        versions: The two.
        rows: Metrics, then parameters; those that differ first.
    """

    model: str
    versions: tuple[int, int]
    rows: tuple[LoggedRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        rows = [
            {**asdict(row), "first": finite(row.first), "second": finite(row.second), "differs": row.differs}
            for row in self.rows
        ]
        return {"model_name": self.model, "versions": list(self.versions), "rows": rows}
