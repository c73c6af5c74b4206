"""A retraining as a record: one MLflow run, opened before anything is done, tagged as it goes on, and ended."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from abtest import tracking
from abtest.errors import UnfinishedError
from abtest.trail import Process, experiment_of
from abtest.trail.process import UNDER_WAY

if TYPE_CHECKING:
    from datetime import timedelta

    from abtest.registry import RegistryClient

Step: TypeAlias = Literal["locked", "registered", "compared", "promoted"]
Ending: TypeAlias = Literal["done", "failed", "interrupted", "withdrawn", "cut off"]
KIND, PENDING = "retraining", "pending"
RUN = "abtest.retraining_run_id"  # by which what it did leads here
_STATUS: dict[Ending, str] = {"done": "FINISHED", "interrupted": "KILLED", "cut off": "KILLED"}
_LONGEST = 1000  # characters of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """One retraining: what was asked for, by whom, how far it came, and how it ended.

    Attributes:
        run_id: The run that records it.
        model: The registered model.
        began_at: In UTC, by the clock of whoever began it.
        tags: All of the run's: what else is known is read off them.
    """

    run_id: str
    model: str
    began_at: datetime
    tags: Mapping[str, str]

    def _tag(self, name: str) -> str | None:
        return self.tags.get(f"abtest.{name}")

    @property
    def outcome(self) -> str:
        """How it ended; "pending" until then."""
        return self._tag("outcome") or PENDING

    @property
    def step(self) -> str | None:
        """The last one that was done; None while it waits for the lock."""
        return self._tag("step")

    @property
    def asked(self) -> str | None:
        """The digest of everything that was asked for."""
        return self._tag("asked_digest")

    @property
    def recipe_digest(self) -> str | None:
        """Of the recipe."""
        return self._tag("recipe_digest")

    @property
    def data(self) -> str | None:
        """Where the new rows were."""
        return self._tag("data")

    @property
    def data_digest(self) -> str | None:
        """Of the new rows."""
        return self._tag("data_digest")

    @property
    def champion(self) -> str | None:
        """The version it was compared with, or "baseline"."""
        return self._tag("champion_version")

    @property
    def version(self) -> int | None:
        """The version that came of it."""
        found = self._tag("version")
        return int(found) if found and found.isdecimal() else None

    @property
    def training_run_id(self) -> str | None:
        """The run that trained it."""
        return self._tag("training_run_id")

    @property
    def holdout(self) -> str | None:
        """The file of the rows held out."""
        return self._tag("holdout")

    @property
    def holdout_digest(self) -> str | None:
        """Of that file."""
        return self._tag("holdout_digest")

    @property
    def comparison_run_id(self) -> str | None:
        """The run of its comparison with the champion."""
        return self._tag("comparison_run_id")

    @property
    def verdict(self) -> str | None:
        """Of that comparison."""
        return self._tag("verdict")

    @property
    def promotion_run_id(self) -> str | None:
        """The record of the promotion, or of the request for one."""
        return self._tag("promotion_run_id")

    @property
    def awaits_approval(self) -> bool:
        """Whether the promotion was asked for, and not carried out."""
        return self.promotion_run_id is not None and self.step != "promoted"

    @property
    def attempt(self) -> str:
        """Names this attempt, so that a request that was sent twice is known for one."""
        return self._tag("attempt") or self.run_id

    @property
    def is_open(self) -> bool:
        """Whether its outcome is not on record."""
        return self.outcome == PENDING

    @property
    def goes_on(self) -> bool | None:
        """Whether its process still carries it out; None where that cannot be seen from here."""
        return Process.read(self._tag("process") or "").carries(self.attempt)

    def has_ended(self, now: datetime, lease: timedelta) -> bool:
        """Whether it goes on no more, whatever is on record: its process is gone, or out of sight for too long."""
        return now - self.began_at > lease if self.goes_on is None else not self.goes_on

    def __str__(self) -> str:
        host = Process.read(self._tag("process") or "").host
        return (
            f"A retraining of '{self.model}', begun {self.began_at:%Y-%m-%d %H:%M:%S} UTC by {self._tag('by')} on "
            f"{host} (run {self.run_id}; last step: {self.step or 'none'})"
        )


class Audit:
    """The retrainings of one model, on record; the record is the lock too, so that it is kept where the model is.

    Args:
        registry: Where the model is registered.
        model: The registered model.
    """

    def __init__(self, registry: RegistryClient, model: str) -> None:
        self._client = registry.keeper
        self.model = model

    def read(self) -> tuple[Retraining, ...]:
        """Every retraining, the oldest first.

        Raises:
            BackendError: MLflow does not answer.
        """
        runs = tracking.find_runs(self._client, experiment_of(self.model), f"tags.`abtest.kind` = '{KIND}'")
        found = [
            Retraining(run_id=run.run_id, model=self.model, began_at=run.started_at, tags=run.tags) for run in runs
        ]
        return tuple(sorted(found, key=lambda one: (one.began_at, one.run_id)))

    def open(self, asked: Mapping[str, str]) -> Retraining:
        """Put an intent on record.

        Raises:
            BackendError: MLflow does not take it: then nothing may be done.
        """
        attempt = uuid.uuid4().hex
        tags = {
            "abtest.kind": KIND,
            "abtest.model_name": self.model,
            "abtest.outcome": PENDING,
            "abtest.by": tracking.user(),
            "abtest.process": str(Process.here()),
            "abtest.attempt": attempt,
            **{f"abtest.{name}": value for name, value in asked.items()},
        }
        UNDER_WAY.add(attempt)
        began_at = datetime.now(UTC)
        run_id = tracking.begin_run(self._client, experiment_of(self.model), f"retraining {self.model}", tags)
        return Retraining(run_id=run_id, model=self.model, began_at=began_at, tags=tags)

    def is_open(self, one: Retraining) -> bool:
        """Whether nobody settled it meanwhile."""
        return tracking.get_run(self._client, one.run_id).tags.get("abtest.outcome") == PENDING

    def reach(self, mine: Retraining, step: Step | None = None, **told: str | None) -> Retraining:
        """Put a step that was done on record, and what came of it.

        Raises:
            UnfinishedError: It was taken for cut off, and another took its place.
            BackendError: MLflow does not take it.
        """
        if not self.is_open(mine):
            raise UnfinishedError(
                f"Run {mine.run_id} was taken for cut off while it went on, and another took its place.",
                hint="--lock-hours says how long one may take.",
            )
        tags = {f"abtest.{name}": value for name, value in told.items() if value is not None}
        tags |= {"abtest.step": step} if step else {}
        if tags:
            tracking.tag_run(self._client, mine.run_id, tags)
        return replace(mine, tags={**mine.tags, **tags})

    def settle(self, one: Retraining, ending: Ending, why: str) -> Retraining:
        """Put an outcome on record, and end the run.

        Raises:
            BackendError: MLflow does not take it.
        """
        tags = {"abtest.outcome": ending, "abtest.note": why[:_LONGEST], "mlflow.note.content": why[:_LONGEST]}
        tracking.settle_run(self._client, one.run_id, tags, _STATUS.get(ending, "FAILED"))
        UNDER_WAY.discard(one.attempt)
        return replace(one, tags={**one.tags, **tags})
