"""An experiment judged while it goes on: every few seconds, by each server, which rolls back where the plan says so.

Two that do it at once are harmless: an epoch is turned once, and what is read stays valid at every look.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import InvalidInputError, RefusedError
from abtest.evaluator.live import Check, LiveReading
from abtest.live.analysis import analysing as analysis
from abtest.live.analysis import trust
from abtest.live.analysis.evaluating import read
from abtest.live.analysis.seen import Seen
from abtest.live.experiment import Experiment
from abtest.live.log import ArmTraffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.live.routing import Router
    from abtest.live.store import Store

_EVERY = 5.0  # seconds between two looks
_REST = 19  # times as long as a look took, at least: so judging takes a twentieth of a core at most
_PATIENCE = 5.0  # seconds; a look that takes longer ends with the process
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a look at an experiment showed.

    Attributes:
        experiment: Which.
        at: When, in UTC.
        traffic: What its arms did, the champion first.
        checks: Whether it can be trusted.
        waiting: Labels kept aside, of predictions that are not known.
        reading: What the labels say; None before there are any in each arm, and before a fixed look's time.
        harmed: Whether the challenger does harm, at the level of a rollback; None before a fixed look's time.
    """

    experiment: Experiment
    at: datetime
    traffic: tuple[ArmTraffic, ...]
    checks: tuple[Check, ...]
    waiting: int
    reading: LiveReading | None
    harmed: bool | None


def judge(store: Store, experiment: Experiment, *, until: datetime | None = None, seen: Seen | None = None) -> Judged:
    """Look at an experiment once; nothing is kept, nothing changes.

    Args:
        store: The log.
        experiment: Which.
        until: The moment of looking; now by default.
        seen: What this look has read.

    Raises:
        InvalidInputError: Labels and predictions share no type.
        BackendError: The database does not answer.
    """
    seen = seen or Seen(store, experiment, until or datetime.now(UTC))
    now, traffic = seen.until, seen.traffic
    reading, harmed = None, None
    try:
        analysis.refuse_early(experiment, traffic)
    except RefusedError:
        pass
    else:
        harmed = analysis.harm(store, experiment, seen=seen) is not None
        if all(arm.labelled for arm in traffic):
            with contextlib.suppress(InvalidInputError):  # of a regression that always failed: harm tells of it
                reading = analysis.reading_of(store, experiment, read(seen), traffic, now)
    return Judged(
        experiment=experiment,
        at=now,
        traffic=traffic,
        checks=reading.checks if reading else trust.checks_of(store, experiment, traffic, now),
        waiting=store.waiting(),
        reading=reading,
        harmed=harmed,
    )


class Judge:
    """Judges the experiment that goes on, again and again, from a thread of its own.

    Args:
        store: The log.
        router: Knows which experiment goes on.
        by: Who rolls back, for the record.
        told: Called once a challenger was rolled back.
        every: Seconds between two looks, at least.

    Attributes:
        now: What the last look showed; None where no experiment goes on, and before the first look.
        failures: Looks that failed.
    """

    def __init__(
        self, store: Store, router: Router, *, by: str, told: Callable[[], object], every: float = _EVERY
    ) -> None:
        self.now: Judged | None = None
        self.failures = 0
        self._store, self._router = store, router
        self._by, self._told, self._every = by, told, every
        self._failed: str | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="abtest-judge", daemon=True)

    def start(self) -> None:
        """Look, again and again."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def look(self) -> None:
        """Look once; does not raise."""
        experiment = self._router.routing.experiment
        if experiment is None or (self.now is not None and self.now.experiment != experiment):
            self.now = None
        if experiment is None:
            return
        try:
            seen = Seen(self._store, experiment, datetime.now(UTC))
            if experiment.auto_rollback:
                self._roll_back(seen)
            self.now = judge(self._store, experiment, seen=seen)
        except Exception as error:  # noqa: BLE001 - whatever it is, requests are answered, and it is counted
            self.failures += 1
            self._tell(f"Experiment '{experiment.name}' could not be judged: {wording.first_line(error)}")
        else:
            self._tell(None)

    def _roll_back(self, seen: Seen) -> None:
        epoch = analysis.rollback(self._store, seen.experiment, by=self._by, seen=seen)
        if epoch is not None:
            _logger.warning("Experiment '%s' is rolled back: %s", seen.experiment.name, epoch.why)
            self._told()
            self._router.refresh()

    def _tell(self, failed: str | None) -> None:
        """Log what is wrong once, not at every look."""
        if failed is not None and failed != self._failed:
            _logger.warning("%s", failed)
        self._failed = failed

    def _run(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            began = time.monotonic()
            self.look()
            pause = max(self._every, _REST * (time.monotonic() - began))
