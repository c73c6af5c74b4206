"""Off the request's path into the log: a bounded queue, one thread, batches, and a group commit for those who wait.

A row that is *logged* is handed over in a microsecond and written soon; where the queue is full it is counted as lost.
*Durable* rows and labels are answered after the commit. What the database does not take in time fails, and is not
written any more, unless the database had it in hand just then: that may still be committed, and whole. Of such a
prediction nobody was told the id, so no label will name it; such a label changes nothing when it is sent again. While
the database is away, all that fits is kept, and written when it is back: to write twice is to write once.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest.live.writing.commits import GroupCommit, Part

if TYPE_CHECKING:
    from collections.abc import Sequence as Rows
    from concurrent.futures import Future

    from abtest.live.log import Feedback, Logged, Receipt
    from abtest.live.store import Store

_PAUSE = 0.1  # seconds between two looks at the queue while nobody waits
_BATCH = 500  # rows, or labels, of a transaction
_BEAT = 1.0  # seconds between two signs of life
_RETRY = 10.0  # seconds between two tries of labels kept aside, since one may have passed its prediction on the way
_WATCH = 0.1  # seconds between two looks at the deadlines
_LONGEST_BACKOFF = 1.0  # seconds


class Sequence:
    """Numbers from 1 without gaps, for any number of threads.

    Example:
        >>> numbers = Sequence()
        >>> list(numbers.next(2)), list(numbers.next())
        ([1, 2], [3])
    """

    __slots__ = ("_lock", "last")

    def __init__(self) -> None:
        self.last = 0
        self._lock = threading.Lock()

    def next(self, n: int = 1) -> range:
        """Give the next numbers."""
        with self._lock:
            first = self.last + 1
            self.last += n
        return range(first, first + n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a writer has done so far.

    Attributes:
        assigned: The last sequence number given out.
        written: Rows in the log.
        lost: Rows that are not and will not be: the queue was full, or they came too late for who waited.
        labels: Labels recorded, or kept aside.
        failures: How often the database failed.
        queued: Rows that are still to be written.
        waiting: Labels that are.
    """

    assigned: int
    written: int
    lost: int
    labels: int
    failures: int
    queued: int
    waiting: int


class Writer:
    """Writes what one server process logs; it names the process and numbers its rows.

    Args:
        store: Where to.
        model_name: The registered model that the process serves; None of one outside the registry.
        server: The process's name, of hex digits; random unless told. No two processes share one.
        capacity: Rows that may be queued; as many may wait for a commit.
        patience: Seconds that durable rows and labels wait for a commit.

    Attributes:
        server: The process's name.
        sequence: Numbers its rows.
        error: What the database said when it failed last; None once it works again.
    """

    def __init__(
        self,
        store: Store,
        *,
        model_name: str | None = None,
        server: str | None = None,
        capacity: int = 100_000,
        patience: float = 5.0,
    ) -> None:
        self.server = server or secrets.token_hex(8)
        self.sequence = Sequence()
        self.error: Exception | None = None
        self._store = store
        self._model_name = model_name
        self._is_known = False  # to the log, by its model
        self._capacity = capacity
        self._queue: deque[Logged] = deque()
        self._held: list[Logged] = []  # the batch being written, or to be written again
        self._overflowed = self._failures = 0
        self._lock = threading.Lock()
        self._rows: GroupCommit[Logged] = GroupCommit(store.write, capacity=capacity, patience=patience, most=_BATCH)
        self._labels: GroupCommit[Feedback] = GroupCommit(
            store.record, capacity=capacity, patience=patience, most=_BATCH
        )
        self._wake, self._ended = threading.Event(), threading.Event()
        # By the monotonic clock: when to give up at the end, and when the next sign of life and the next try are due.
        self._until = self._beat_due = self._retry_due = 0.0
        self._thread = threading.Thread(target=self._run, name="abtest-writer", daemon=True)
        self._watch = threading.Thread(target=self._watch_deadlines, name="abtest-deadlines", daemon=True)
        self._thread.start()
        self._watch.start()

    @property
    def counters(self) -> Counters:
        """What it has done so far."""
        return Counters(
            assigned=self.sequence.last,
            written=self._rows.committed,
            lost=self._lost,
            labels=self._labels.committed,
            failures=self._failures,
            queued=len(self._queue) + len(self._held) + len(self._rows),
            waiting=len(self._labels),
        )

    def log(self, rows: Rows[Logged]) -> None:
        """Hand rows over to be written soon; those that the queue does not hold are counted as lost."""
        room = self._capacity - len(self._queue)
        if len(rows) > room:
            self._lose(len(rows) - max(room, 0))
            rows = rows[: max(room, 0)]
        self._queue.extend(rows)

    def durable(self, rows: Rows[Logged]) -> Future[None]:
        """Write rows, all or none.

        Returns:
            Done when they are committed; ``asyncio.wrap_future`` makes it awaitable. It fails with BackendError where
            the database does not take them in time.
        """
        future = self._rows.join(rows)
        self._wake.set()
        return future

    def feedback(self, labels: Rows[Feedback]) -> Future[tuple[Receipt, ...]]:
        """Record labels.

        Returns:
            Of one receipt a label, when they are committed; as ``durable`` otherwise.
        """
        future = self._labels.join(labels)
        self._wake.set()
        return future

    def close(self, *, patience: float = 5.0) -> Counters:
        """Write what is queued, tell the log that this process ended in order, and end.

        Rows that come later, or that cannot be written in time, are counted as lost.

        Args:
            patience: Seconds it may take.
        """
        self._capacity = 0
        self._until = time.monotonic() + patience
        self._ended.set()
        self._wake.set()
        self._thread.join(patience + _WATCH)
        self._watch.join(2 * _WATCH)
        return self.counters

    @property
    def refusal(self) -> Exception | None:
        """Why the database refused a row or a label last, as one that it will never take; None where it did not."""
        return self._rows.refusal or self._labels.refusal

    @property
    def _lost(self) -> int:
        return self._overflowed + self._rows.failed

    def _lose(self, n: int) -> None:
        with self._lock:
            self._overflowed += n

    def _run(self) -> None:
        busy, backoff = False, _PAUSE
        while not self._is_finished():
            if not busy:
                self._wake.wait(_PAUSE)
                self._wake.clear()
            try:
                busy = self._turn()
                self._tend()
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread lives on, and it is counted
                self._failures += 1
                self.error = error
                self._rest(backoff)
                backoff = min(2 * backoff, _LONGEST_BACKOFF)
            else:
                self.error, backoff = None, _PAUSE
        self._end()

    def _turn(self) -> bool:
        """Write a batch, then record labels, which may be about it; say whether more is to be written at once."""
        now = time.monotonic()  # labels that come from here on may be about rows that are not in this batch
        while self._queue and len(self._held) < _BATCH:
            self._held.append(self._queue.popleft())
        self._lose(self._rows.turn(Part(items=self._held) if self._held else None))
        self._held = []
        self._labels.turn(until=now)
        # A few rows wait for more: on their own they would cost several times as much each, and nobody waits for them.
        return bool(len(self._queue) >= _BATCH or self._rows or self._labels)

    def _tend(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if not self._is_known:
            self._store.serve(self.server, self._model_name)
            self._is_known = True
        if now >= self._beat_due:
            self._store.beat(self.server, assigned=self.sequence.last, lost=self._lost)
            self._beat_due = now + _BEAT
        if now >= self._retry_due:
            self._store.retry()
            self._retry_due = now + _RETRY

    def _rest(self, seconds: float) -> None:
        """Wait before the next try; no longer than a moment once it is to end."""
        if self._ended.is_set() or self._ended.wait(seconds):
            time.sleep(_PAUSE)

    def _is_finished(self) -> bool:
        if not self._ended.is_set():
            return False
        return not (self._queue or self._held or self._rows or self._labels) or time.monotonic() >= self._until

    def _end(self) -> None:
        self._rows.close()
        self._labels.close()
        self._lose(len(self._queue) + len(self._held))
        self._queue.clear()
        self._held = []
        try:
            self._store.beat(self.server, assigned=self.sequence.last, lost=self._lost, closed=True)
        except Exception as error:  # noqa: BLE001 - the log then shows a process that was not closed, which is true
            self._failures += 1
            self.error = error

    def _watch_deadlines(self) -> None:
        while self._thread.is_alive():
            self._rows.expire(self.error)
            self._labels.expire(self.error)
            self._thread.join(_WATCH)
