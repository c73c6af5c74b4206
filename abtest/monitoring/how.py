"""How a model is watched: over which days, against what, by which metrics, and how sure one wants to be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from abtest.errors import InvalidInputError, near
from abtest.evaluator.drift import FLOOR
from abtest.labels import Label, Task
from abtest.metrics import classification, regression
from abtest.metrics.catalogue import task_of
from abtest.metrics.classification import Average

METRICS: dict[Task, tuple[str, ...]] = {"classification": ("accuracy", "f1"), "regression": ("mae", "rmse")}
RECENT = 7.0  # days


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How a model is watched.

    Attributes:
        days: Of the report.
        recent: Days of the window that is judged; at its end.
        until: The end of the report, in UTC; now where None.
        horizon: Seconds before a prediction counts in the recent window, so that its label can come.
        baseline: "first" (as many days as the recent window, the first that were tracked), "before" (the four windows
            before the recent one), "promotion" (the comparison under which the version was promoted), or a file.
        metrics: Names in the catalogue; those of ``METRICS`` where empty.
        threshold: The fall that matters.
        drift_floor: The least distance that is drift.
        average: Of precision, recall and F1 over classes.
        pos_label: The positive label, for "binary".
        confidence: Of intervals and tests.
        sequential: Whether the check stays valid however often one looks: of a classification.

    Raises:
        InvalidInputError: A value is outside its range.
    """

    days: float = 30.0
    recent: float = RECENT
    until: datetime | None = None
    horizon: float = 0.0
    baseline: str = "first"
    metrics: tuple[str, ...] = ()
    threshold: float = 0.05
    drift_floor: float = FLOOR
    average: Average = "macro"
    pos_label: Label | None = None
    confidence: float = 0.95
    sequential: bool = False

    def __post_init__(self) -> None:
        for name, days in (("days", self.days), ("recent", self.recent)):
            if not 1 / 24 <= days <= 3660:
                raise InvalidInputError(f"{name} must be an hour to ten years, got {days:g} days.")
        if not self.horizon >= 0:
            raise InvalidInputError(f"horizon must be at least 0, got {self.horizon:g} seconds.")
        for name, value in (("threshold", self.threshold), ("drift-floor", self.drift_floor)):
            if not 0 <= value < 1:
                raise InvalidInputError(f"{name} must be in [0, 1), got {value:g}.", hint="0.05 is five points.")
        if self.sequential and self.baseline == "before":
            raise InvalidInputError(
                "baseline must stay the same from look to look for a sequential check, and the days before do not.",
                hint="--baseline first, promotion, or a file.",
            )
        if not 0.5 <= self.confidence < 1:
            raise InvalidInputError(f"confidence must be in [0.5, 1), got {self.confidence:g}.")

    @property
    def digest(self) -> str:
        """Names these settings."""
        plain = {name: str(getattr(self, name)) for name in self.__slots__}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def metrics_of(self, task: Task | None) -> tuple[str, ...]:
        """The metrics to watch; of rows without a label, whose task nobody knows, there are none.

        Raises:
            InvalidInputError: There is no such metric, or it is of the other task.
        """
        known = (*classification.CATALOGUE, *regression.METRICS)
        asked = tuple(dict.fromkeys({"f1_score": "f1"}.get(name, name) for name in self.metrics))
        for name in asked:
            if name not in known:
                raise InvalidInputError(f"metrics must be of {', '.join(known)}, got '{name}'.", hint=near(name, known))
        of = task_of(asked)
        if task is None:
            return ()
        if asked and of != task:
            raise InvalidInputError(
                f"metrics must be of a {task}, got {asked[0]} ({of}).", hint=f"for example {', '.join(METRICS[task])}."
            )
        return asked or METRICS[task]
