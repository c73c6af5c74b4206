"""The trail in MLflow: written, settled, and read again."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.trail.movement import TRAIL, Movement, MovementKind, Outcome
from abtest.trail.process import UNDER_WAY, Process

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from abtest.registry import RegistryClient
    from abtest.transitions import Plan, Standing

_LONGEST = 1000  # characters of a reason
_LONGEST_NOTE = 5000  # MLflow may refuse longer tags, or cut them off
_RECORDS = f"tags.`{TRAIL}` = '1'"
_STATUS = {Outcome.STOPPED: "FAILED", Outcome.ABANDONED: "FAILED", Outcome.UNDONE: "FAILED", Outcome.LEFT: "FAILED"}


def experiment_of(model: str) -> str:
    """Name the experiment that holds a model's trail, whatever experiment its comparisons go to.

    Example:
        >>> experiment_of("iris")
        'abtest/iris'
    """
    return f"abtest/{model}"


class Trail:
    """The audit trail of one model.

    Runs are added and settled, never changed otherwise; one that was deleted in MLflow's UI is read all the same.

    Args:
        registry: What keeps it: it is the lock too, so that whoever moves the model finds it there.
        model: The registered model.
    """

    def __init__(self, registry: RegistryClient, model: str) -> None:
        self._client = registry.keeper
        self.model = model

    def read(self) -> tuple[Movement, ...]:
        """Every movement, the oldest first.

        Raises:
            BackendError: MLflow does not answer, or a record is no longer readable.
        """
        return _movements(tracking.find_runs(self._client, experiment_of(self.model), _RECORDS))

    def open(
        self,
        kind: MovementKind,
        version: int | None,
        plan: Plan,
        before: Standing,
        *,
        why: str,
        evidence: Mapping[str, str],
        outcome: Outcome = Outcome.PENDING,
    ) -> Movement:
        """Put an intent on record.

        Raises:
            BackendError: MLflow does not take it: then nothing may move.
        """
        intent = Movement(
            run_id="",
            model=self.model,
            kind=kind,
            version=version,
            plan=plan,
            before=before,
            outcome=outcome,
            by=tracking.user(),
            why=why[:_LONGEST],
            evidence=evidence,
            process=Process.here(),
            attempt=uuid.uuid4().hex,
            began_at=datetime.now(UTC),
        )
        UNDER_WAY.add(intent.attempt)
        name = f"{kind} {self.model}" + ("" if version is None else f" v{version}")
        run_id = tracking.begin_run(
            self._client, experiment_of(self.model), name, {**intent.tags, "mlflow.note.content": _note(intent)}
        )
        if outcome is Outcome.AWAITING:
            tracking.settle_run(self._client, run_id, {}, "FINISHED")  # it waits for a person: no run is left open
        return replace(intent, run_id=run_id)

    def settle(
        self, movement: Movement, outcome: Outcome, *, note: str | None = None, sequence: int | None = None
    ) -> Movement:
        """Put an outcome on record.

        Raises:
            BackendError: MLflow does not take it.
        """
        settled = replace(
            movement,
            outcome=outcome,
            settled_at=datetime.now(UTC),
            settled_by=tracking.user(),
            note=note[:_LONGEST] if note else None,
            sequence=sequence,
        )
        tags = {"abtest.outcome": str(outcome), "abtest.settled_at": str(settled.settled_at), TRAIL: "1"}
        tags |= {"abtest.settled_by": tracking.user(), "mlflow.note.content": _note(settled)}
        tags |= {"abtest.note": settled.note} if settled.note else {}
        tags |= {} if sequence is None else {"abtest.sequence": str(sequence)}
        tracking.settle_run(self._client, movement.run_id, tags, _STATUS.get(outcome, "FINISHED"))
        return settled

    def is_open(self, movement: Movement) -> bool:
        """Whether nobody settled it meanwhile."""
        tags = tracking.get_run(self._client, movement.run_id).tags
        return tags.get("abtest.outcome") == str(movement.outcome)


def records_of_all(registry: RegistryClient) -> tuple[Movement, ...]:
    """Every movement of every model, the oldest first, in a request or two; of models that are gone, too.

    Raises:
        BackendError: MLflow does not answer, or a record is no longer readable.
    """
    return _movements(tracking.find_runs_of_all(registry.keeper, experiment_of("%"), _RECORDS))


def _movements(runs: Iterable[tracking.FoundRun]) -> tuple[Movement, ...]:
    movements = [Movement.from_tags(run.tags, run_id=run.run_id, began_at=run.started_at) for run in runs]
    return tuple(sorted(movements, key=lambda movement: (movement.began_at, movement.run_id)))


def _note(movement: Movement) -> str:
    """Tell a movement to whoever opens its run in MLflow's UI."""
    lines = [f"{movement.title.capitalize()}: {movement.outcome}.", "", f"By {movement.by}: {movement.why}", ""]
    lines += [f"- {step}" for step in movement.plan]
    return "\n".join([*lines, *(["", movement.note] if movement.note else [])])[:_LONGEST_NOTE]
