"""The challenger in shadow mode: it predicts what the champion answered, off the request's path and out of its process.

A thread hands requests from a bounded queue to a process with the challenger in it, several at a time. Whatever becomes
of that process, every row that was offered is logged exactly once: with its prediction, as the challenger's failure, or
as dropped.
"""

from __future__ import annotations

import collections
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from abtest import wording
from abtest.live.serving.handing import named
from abtest.live.shadow.child import Child, ChildLostError, resident
from abtest.live.shadow.shadowed import ShadowRequest, ShadowState, pieces, read, unscored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.live.log import Logged

__all__ = ["Shadow", "ShadowRequest", "ShadowState"]

Dropped: TypeAlias = Literal["full", "late", "down", "closed"]
_ROWS = 128  # that the model is asked about at a time: few enough that logging them holds nobody up
_GATHER = 0.02  # seconds that the first of them waits for more
_WATCH = 1.0  # seconds between two looks at a process that has nothing to do
_LONGEST_PAUSE = 60.0
_LOADING = 300.0  # seconds that a model may take to load
_ANSWER, _LABEL = 65_536, 1024  # bytes of an answer, and more for each row


class Shadow:
    """A challenger that predicts beside the champion.

    Its process is started at once and loads the model meanwhile. Where it is lost it is started again, after a pause
    that doubles up to a minute. A batch that it is lost on is asked again request by request, so that a request that
    breaks the model takes no other with it; where a second one breaks it too, the rest count as broken likewise.

    Args:
        uri: The model's, as MLflow takes it.
        write: Takes what is to be logged, from any thread, and returns at once.
        version: The challenger's version.
        tracking_uri: Where models are, as MLflow takes it; MLflow's own default when None.
        registry_uri: Where they are registered, if not there.
        capacity: Rows that may wait.
        deadline: Seconds that a row may wait, and that the challenger may take for a batch.
        memory: Bytes that the process may have resident.
        pause: Seconds before the process is started again for the first time.

    Example:
        ``with Shadow("models:/fruit/2", writer.write, version=2) as shadow: shadow.offer(request)``
    """

    def __init__(
        self,
        uri: str,
        write: Callable[[Sequence[Logged]], object],
        *,
        version: int,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
        capacity: int = 5_000,
        deadline: float = 10.0,
        memory: int = 2 << 30,
        pause: float = 1.0,
    ) -> None:
        self._write = write
        self._version = version
        self._capacity, self._deadline, self._memory, self._pause = capacity, deadline, memory, pause
        self._order = {
            "uri": uri,
            "version": version,
            "tracking_uri": tracking_uri,
            "registry_uri": registry_uri,
            "loading": _LOADING,
            "deadline": deadline,
        }
        self._stop = threading.Event()
        self._wake = threading.Condition()  # guards the counts and the queue; all else is the thread's
        self._counts: collections.Counter[str] = collections.Counter()
        self._queue: collections.deque[tuple[float, ShadowRequest]] = collections.deque()
        self._held: list[ShadowRequest] = []  # with the challenger now
        self._suspects: collections.deque[ShadowRequest] = collections.deque()
        self._guilty = 0
        self._down = False
        self._first: float | None = None  # when it could first predict: what waits for that is not late
        self._pid: int | None = None
        self._last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name="abtest-shadow", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def offer(self, request: ShadowRequest) -> None:
        """Hand over a request; takes microseconds, whatever the challenger is doing."""
        count = len(request.sequences)
        with self._wake:
            self._counts["offered"] += count
            why = self._no_room(count)
            if why is None:
                self._counts["waiting"] += count
                now = time.monotonic()
                self._queue.extend((now, piece) for piece in pieces(request, _ROWS))
                self._wake.notify()
                return
            self._counts[why] += count
        self._log(unscored(request, self._version, "dropped"))

    def state(self) -> ShadowState:
        """Say how it is doing."""
        pid = self._pid
        used = resident(pid) if pid else 0
        with self._wake:
            return ShadowState(**self._counts, pid=pid, resident=used, last_error=self._last_error)

    def close(self) -> None:
        """End the process, and log what still waits as dropped."""
        with self._wake:
            self._stop.set()
            self._wake.notify_all()
        self._thread.join()

    def _no_room(self, count: int) -> Dropped | None:
        if self._stop.is_set():
            return "closed"
        if self._down:
            return "down"
        return "full" if self._counts["waiting"] + count > self._capacity else None

    # Everything below runs in the shadow's own thread.

    def _run(self) -> None:
        pause = self._pause
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                self._live()
                pause = self._pause if time.monotonic() - began > _LONGEST_PAUSE else pause
                self._rest(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        except Exception as error:
            self._last_error = f"The shadow ended: {type(error).__name__}: {wording.first_line(error)}."
            raise
        finally:
            with self._wake:
                self._stop.set()
                left = [*self._held, *self._suspects, *(request for _, request in self._queue)]
                self._queue.clear()
            self._drop(left, "closed")

    def _live(self) -> None:
        """Live one life of the process: from its start until it is lost, or the shadow closes."""
        loaded = False
        try:
            with Child(self._order, memory=self._memory, tick=self._tick) as child:
                self._down, self._pid, loaded = False, child.pid, True
                self._first = self._first or time.monotonic()
                self._serve(child)
        except ChildLostError as lost:
            if lost.loss != "stopped":
                self._last_error = str(lost)
                self._down = not loaded
        finally:
            self._pid = None

    def _rest(self, pause: float) -> None:
        until = time.monotonic() + pause
        while time.monotonic() < until and not self._stop.wait(min(pause, 0.05)):
            self._tick()
        if not self._stop.is_set():
            with self._wake:
                self._counts["restarts"] += 1

    def _serve(self, child: Child) -> None:
        most = 1  # until it has shown that it can: whoever breaks a fresh process breaks it alone
        while batch := self._next(child, most):
            began = time.monotonic()
            rows = sum(len(request.rows) for request in batch)
            try:
                answers = child.ask(
                    [named(request.rows, request.columns) for request in batch],
                    within=self._deadline,
                    most=_ANSWER + _LABEL * rows,
                )
            except ChildLostError as lost:
                self._fail(batch, lost, (time.monotonic() - began) / rows)
                raise
            except Exception as error:  # noqa: BLE001 - rows that cannot be sent, as they nest too deep; none was
                self._unsent(batch, error)
                continue
            self._settle(batch, answers)
            most = _ROWS

    def _next(self, child: Child, most: int) -> list[ShadowRequest]:
        """Wait for requests, suspects first, and look after the process meanwhile; none where the shadow closes."""
        while not self._stop.is_set():
            with self._wake:
                if self._suspects:
                    self._held = [self._suspects.popleft()]
                    return self._held
                self._wake.wait_for(lambda: self._queue or self._stop.is_set(), _WATCH)
            child.check()
            if self._counts["waiting"] < most > 1:
                self._stop.wait(_GATHER)
            self._tick()
            with self._wake:
                rows = 0
                while self._queue and (not self._held or rows + len(self._queue[0][1].rows) <= most):
                    self._held.append(self._queue.popleft()[1])
                    rows += len(self._held[-1].rows)
                if self._held:
                    return self._held
        return []

    def _tick(self) -> bool:
        """Drop what has waited too long, or all where the challenger does not load; say whether to stop."""
        oldest = math.inf if self._down else self._latest()
        gone = []
        with self._wake:
            while self._queue and self._queue[0][0] < oldest:
                gone.append(self._queue.popleft()[1])
        self._drop(gone, "down" if self._down else "late")
        return self._stop.is_set()

    def _latest(self) -> float:
        """When a request must have come, at the latest, to be late by now."""
        if self._first is None:
            return -math.inf
        now = time.monotonic()
        return now - self._deadline if now - self._first > self._deadline else -math.inf

    def _settle(self, batch: Sequence[ShadowRequest], answers: Any) -> None:  # noqa: ANN401 - whatever the process sent
        """Log what the process answered."""
        if not isinstance(answers, list) or len(answers) != len(batch):
            answers = [None] * len(batch)
        logged: list[Logged] = []
        for request, answer in zip(batch, answers, strict=True):
            rows, why = read(request, answer, self._version)
            self._last_error = why or self._last_error
            logged += rows
        failed = sum(row.error is not None for row in logged)
        self._held = []
        self._finish(logged, scored=len(logged) - failed, failed=failed)

    def _fail(self, batch: Sequence[ShadowRequest], lost: ChildLostError, seconds: float) -> None:
        """Log, or keep for another try, what the process was lost on."""
        if lost.loss == "stopped":
            return  # dropped with all that waits
        self._pid, self._last_error = None, str(lost)
        if len(batch) > 1:
            self._suspects.extend(batch)
            self._held, self._guilty = [], 0
            return
        self._guilty += 1
        if self._guilty == 2:  # not a request's fault, but the model's
            batch = [*batch, *self._suspects]
            self._suspects.clear()
        logged = [row for request in batch for row in unscored(request, self._version, lost.loss, seconds)]
        self._held = []
        self._finish(logged, failed=len(logged))

    def _unsent(self, batch: Sequence[ShadowRequest], error: Exception) -> None:
        """Log, or keep for another try, what cannot be handed to another process."""
        self._last_error = f"Rows cannot be handed over: {type(error).__name__}: {wording.first_line(error)}."
        self._held, self._guilty = [], 0
        if len(batch) > 1:
            self._suspects.extend(batch)
            return
        logged = unscored(batch[0], self._version, "raised")
        self._finish(logged, failed=len(logged))

    def _drop(self, requests: Sequence[ShadowRequest], why: Dropped) -> None:
        logged = [row for request in requests for row in unscored(request, self._version, "dropped")]
        self._finish(logged, **{why: len(logged)})

    def _finish(self, logged: Sequence[Logged], **counts: int) -> None:
        """Count rows as done with, and log them."""
        with self._wake:
            self._counts.update(counts, waiting=-len(logged))
        self._log(logged)

    def _log(self, logged: Sequence[Logged]) -> None:
        if not logged:
            return
        try:
            self._write(logged)
        except Exception as error:  # noqa: BLE001 - a log that fails fails no request, and not the shadow
            self._last_error = f"{wording.plural(len(logged), 'row')} could not be logged: {wording.first_line(error)}."
