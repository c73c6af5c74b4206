"""One process that answers requests: what it is made of, opened and closed in order."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

from abtest import wording
from abtest.errors import AbtestError, BackendError, InvalidInputError
from abtest.live.metering.exposition import Exposition
from abtest.live.metering.meters import Meters
from abtest.live.server.answering import Answerer
from abtest.live.server.judging import Judge
from abtest.live.server.logbook import Logbook
from abtest.live.server.watching import Watcher
from abtest.live.serving.served import Served, load
from abtest.live.shadow.shadow import Shadow
from abtest.live.store import Store
from abtest.registry import RegistryClient

if TYPE_CHECKING:
    from abtest.labels import Side
    from abtest.live.experiment import Experiment
    from abtest.live.server.service import Service
    from abtest.loaders.references import Pinned

_AGAIN = 1.0  # seconds between two tries
_logger = logging.getLogger(__name__)


class Flag(Protocol):
    """An event of threads, or of processes."""

    def is_set(self) -> bool:
        """Whether it is set."""

    def set(self) -> None:
        """Set it."""


class Process:
    """What answers requests in one process.

    Args:
        service: What it serves.
        began: Set once a process of this service has been ready; one that replaces it tries until it is ready too.

    Attributes:
        service: As it was given.
        logbook: What it writes down and goes by.
        watcher: What it serves.
        answerer: How it answers.
        meters: What counts.
        judge: What judges the experiment that goes on; None where none can.
        exposition: What tells Prometheus.
    """

    def __init__(self, service: Service, began: Flag) -> None:
        self.service = service
        self._began = began
        registry = RegistryClient(service.tracking_uri, service.registry_uri)
        self.meters = Meters(service.model_name or "")
        store = self._store()
        self.logbook = Logbook(store, service.model_name, self.meters)
        self.watcher = Watcher(
            registry,
            partial(_load, registry, service.run_id),
            name=service.model_name or "",
            reference=service.reference,
            experiment=lambda: self.logbook.routing.experiment,
            cast=partial(_cast, registry, self.logbook),
        )
        self.answerer = Answerer(
            self.logbook,
            deadline=service.deadline,
            durable=service.durable,
            log_features=service.log_features,
        )
        self.judge = self._judge(store)
        self.exposition = Exposition(self)

    def load(self) -> None:
        """Load the model, and watch the registry from then on.

        Raises:
            AbtestError: It does not load, and no process of this service ever had it.
        """
        try:
            self.watcher.load_champion()
        except AbtestError as error:
            if not self._began.is_set():
                raise
            _logger.warning("%s", error)
        else:
            self._began.set()
        self.watcher.start()
        if self.judge is not None:
            self.judge.start()

    def close(self) -> None:
        """Look no more, and write what is still to be written."""
        if self.judge is not None:
            self.judge.close()
        self.watcher.close()
        self.logbook.close()
        self.exposition.close()

    def _judge(self, store: Store | None) -> Judge | None:
        router = self.logbook.router
        if store is None or router is None:
            return None
        return Judge(store, router, by=f"server {self.logbook.server}", told=self.meters.rolled_back)

    def _store(self) -> Store | None:
        while self.service.store is not None:
            try:
                return Store(self.service.store, create=False)
            except BackendError as error:
                if not self._began.is_set():
                    raise
                _logger.warning("%s", error)
                time.sleep(_AGAIN)
        return None


def _cast(registry: RegistryClient, logbook: Logbook, experiment: Experiment) -> Shadow:
    return Shadow(
        f"models:/{experiment.model_name}/{experiment.challenger_version}",
        logbook.log,
        version=experiment.challenger_version,
        tracking_uri=registry.tracking_uri,
        registry_uri=registry.registry_uri,
    )


def _load(registry: RegistryClient, run_id: str | None, side: Side, pinned: Pinned) -> Served:
    version = pinned.version
    try:
        return load(
            str(pinned.uri),
            registry,
            name=version.name if version else None,
            version=version.version if version else None,
            run_id=pinned.run_id or run_id,
        )
    except AbtestError as error:
        raise type(error)(f"The {side}, {pinned.shown_uri}, is not served: {error.message}", hint=error.hint) from error
    except BaseException as error:  # this is a thread aside: whatever a model raises here, it has not loaded
        told = f"{type(error).__name__}: {wording.first_line(error)}"
        raise InvalidInputError(f"The {side}, {pinned.shown_uri}, is not served: {told}.") from error
