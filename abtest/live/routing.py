"""Which arm answers a request now: what the store says of the model, read again about every second."""

from __future__ import annotations

import threading
from collections.abc import Mapping  # a field's annotation
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from abtest.labels import Side
from abtest.live.assignment import Assigner, Assignment
from abtest.live.experiment import Epoch, Experiment, State

if TYPE_CHECKING:
    from abtest.live.store import Store

_PATIENCE = 5.0  # seconds; a thread that waits for the store longer ends with the process
_NOBODY = {sticky: Assignment(sticky=sticky) for sticky in (False, True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What requests are to be in one epoch; ``Routing()`` is that of no experiment.

    Attributes:
        experiment: The model's that goes on, if one does.
        epoch: Its last epoch.
        assigner: What places units; None while nobody takes part.
    """

    experiment: Experiment | None = None
    epoch: Epoch | None = None
    assigner: Assigner | None = None
    _champion: int | None = None
    _answers: Mapping[tuple[Side, bool], Assignment] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, experiment: Experiment, epoch: Epoch) -> Self:
        """Work out once what every request of an epoch shares."""
        if epoch.state is not State.RUNNING:
            return cls(experiment=experiment, epoch=epoch)
        shadow = experiment.mode == "shadow"
        sides: tuple[Side, Side] = ("champion", "challenger")
        return cls(
            experiment=experiment,
            epoch=epoch,
            assigner=Assigner(
                experiment.name,
                experiment.salt,
                challenger_share=0 if shadow else experiment.challenger_share,
                inclusion=epoch.inclusion,
            ),
            _champion=experiment.champion_version,
            _answers={
                (arm, sticky): Assignment(
                    arm=arm, experiment=experiment.name, epoch=epoch.number, shadowed=shadow, sticky=sticky
                )
                for arm in sides
                for sticky in (False, True)
            },
        )

    def is_stale(self, serving_version: int | None) -> bool:
        """Whether there is an experiment, and its champion is not what serves: then nobody takes part."""
        return self.experiment is not None and self.experiment.champion_version != serving_version

    def assign(self, unit: str | None, prediction_id: str, serving_version: int | None) -> Assignment:
        """Say what a request is to be.

        Args:
            unit: What the request named; None where it named none, and is a unit of its own.
            prediction_id: Of the request's first row; what it is assigned by then, without sticking.
            serving_version: The version that serves as champion now; None of a run.

        Returns:
            The champion's, outside the experiment, where the unit is not included, the experiment is stale, paused or
            over, or there is none.
        """
        sticky = unit is not None
        if self.assigner is None or serving_version != self._champion:
            return _NOBODY[sticky]
        arm = self.assigner(prediction_id if unit is None else unit)
        return _NOBODY[sticky] if arm is None else self._answers[arm, sticky]


class Router:
    """Holds the routing of one model and keeps it fresh, from a thread of its own.

    While the store does not answer, the last routing stays in force: servers go on as they were told to. Without a
    last one, nobody takes part.

    Args:
        store: Where experiments are on record.
        model_name: The registered model.
        every: Seconds between two readings.

    Attributes:
        routing: The one in force; a request that asks it twice should hold on to it.
        failures: How often the store did not answer.
        error: Why, the last time it was asked; None where it answered.
    """

    def __init__(self, store: Store, model_name: str, *, every: float = 1.0) -> None:
        self.routing = Routing()
        self.failures = 0
        self.error: Exception | None = None
        self._store = store
        self._model_name = model_name
        self._every = every
        self._ended = threading.Event()
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="abtest-router", daemon=True)
        self._thread.start()

    def assign(self, unit: str | None, prediction_id: str, serving_version: int | None) -> Assignment:
        """Say what a request is to be; see ``Routing.assign``."""
        return self.routing.assign(unit, prediction_id, serving_version)

    def refresh(self) -> None:
        """Read the store now; does not raise."""
        try:
            found = self._store.active(self._model_name)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests are answered as before, and it is counted
            self.failures += 1
            self.error = error
            return
        self.error = None
        if found is None:
            self.routing = Routing()
        elif (self.routing.experiment, self.routing.epoch) != found:
            self.routing = Routing.of(*found)

    def close(self) -> None:
        """Stop reading; the last routing stays."""
        self._ended.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self.refresh()
