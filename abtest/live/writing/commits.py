"""Group commit: all that wait at a moment share one transaction, and each learns what became of its own."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Any, Generic, TypeAlias, TypeVar

from abtest.errors import AbtestError, BackendError, InvalidInputError

T = TypeVar("T")
_Answers: TypeAlias = Sequence[Any] | None  # one an item, or nothing to say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part(Generic[T]):
    """Items of one transaction that stand or fall together.

    Attributes:
        items: What is to be committed.
        future: Who waits for it; None where nobody does, and then it may be torn apart.
        deadline: When it fails, by the monotonic clock.
    """

    items: Sequence[T]
    future: Future[Any] | None = None
    deadline: float = float("inf")

    @property
    def given_up(self) -> bool:
        """Whether who waited has been told, or has left."""
        return self.future is not None and self.future.done()

    def pieces(self) -> list[Part[T]]:
        """Tear it in two where that may be, to find the one item that cannot be committed."""
        if self.future is not None or len(self.items) < 2:
            return [self]
        middle = len(self.items) // 2
        return [Part(items=self.items[:middle]), Part(items=self.items[middle:])]

    def tell(self, outcome: _Answers | Exception) -> None:
        """Tell who waits; too late is no error."""
        if self.future is None:
            return
        with suppress(InvalidStateError):  # it was given up in this moment
            if isinstance(outcome, Exception):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)


class GroupCommit(Generic[T]):
    """A bounded line of those who wait for a commit.

    Anybody joins it; one thread takes turns; another may watch over the deadlines, since the first may be held up.

    Args:
        commit: Commits items, and gives one answer an item, or None. Where it raises, nothing is done: an AbtestError
            means that it may be asked again, an InvalidInputError or any other that an item cannot be committed.
        capacity: Items that may wait; who comes then is turned away at once.
        patience: Seconds that one waits before it fails.
        most: Items of a transaction, about: no part is torn apart for it.

    Attributes:
        committed: Items, so far.
        failed: Items that were not: turned away, given up before their turn, or refused.
        refusal: Why an item was refused last; None where none was.
    """

    def __init__(self, commit: Callable[[Sequence[T]], _Answers], *, capacity: int, patience: float, most: int) -> None:
        self.committed = 0
        self.failed = 0
        self.refusal: Exception | None = None
        self._commit = commit
        self._capacity = capacity
        self._patience = patience
        self._most = most
        self._lock = threading.Lock()
        self._line: deque[Part[T]] = deque()
        self._taken: list[Part[T]] = []  # in the database's hands
        self._waiting = 0  # items

    def __len__(self) -> int:
        return self._waiting

    def join(self, items: Sequence[T]) -> Future[Any]:
        """Stand in line.

        Returns:
            Of the answers, or None; it fails with BackendError when time is up, or with what these items alone raise.
        """
        future: Future[Any] = Future()
        with self._lock:
            fits = self._waiting + len(items) <= self._capacity
            if fits:
                self._waiting += len(items)
                self._line.append(Part(items=items, future=future, deadline=time.monotonic() + self._patience))
            else:
                self.failed += len(items)
        if not fits:
            why = f"{self._waiting} others wait for the database" if self._capacity >= 0 else "the server shuts down"
            future.set_exception(_not_taken(why, None))
        return future

    def turn(self, also: Part[T] | None = None, *, until: float = math.inf) -> int:
        """Commit those in front, in one transaction.

        Args:
            also: A part that nobody waits for.
            until: Leave out who joined after this, by the monotonic clock.

        Returns:
            How many items of ``also`` were refused.

        Raises:
            AbtestError: The database is away, or lets nobody in. All of them wait on; ``also`` is to be brought again.
        """
        parts = self._take(until) + ([also] if also else [])
        outcomes = _commit(self._commit, parts) if parts else []
        refused = 0
        for part, outcome in outcomes:
            part.tell(outcome)
            if not isinstance(outcome, Exception):
                self.committed += len(part.items)
                continue
            self.refusal = outcome
            if part.future is None:
                refused += len(part.items)
            else:
                self._fail(len(part.items))
        with self._lock:
            self._waiting -= sum(len(part.items) for part in self._taken)
            self._taken = []
        return refused

    def expire(self, why: BaseException | None) -> None:
        """Fail those whose deadline has passed.

        Args:
            why: What the database said last.
        """
        now = time.monotonic()
        with self._lock:
            overdue = list(takewhile(lambda part: part.deadline <= now, chain(self._taken, self._line)))
        self._give_up(overdue, f"the database did not take it within {self._patience:g} s", why)

    def close(self) -> None:
        """Turn away who comes from now on, and fail who waits."""
        self._capacity = -1
        with self._lock:
            everybody = [*self._taken, *self._line]
        self._give_up(everybody, "the server shuts down", None)
        self._take()

    def _take(self, until: float = math.inf) -> list[Part[T]]:
        """Take the parts in front, without those that were given up."""
        with self._lock:
            going, size, gone = list[Part[T]](), 0, 0
            self._line.extendleft(reversed(self._taken))
            while self._line and size < self._most and self._line[0].deadline <= until + self._patience:
                part = self._line.popleft()
                if part.given_up:
                    gone += len(part.items)
                else:
                    going.append(part)
                    size += len(part.items)
            self._taken = going
            self._waiting -= gone
            self.failed += gone
            return list(going)

    def _give_up(self, parts: list[Part[T]], why: str, cause: BaseException | None) -> None:
        """Tell them; not under the lock, since whoever is told may join again."""
        for part in parts:
            if not part.given_up:
                part.tell(_not_taken(why, cause))

    def _fail(self, items: int) -> None:
        with self._lock:
            self.failed += items


def _commit(
    commit: Callable[[Sequence[T]], _Answers], parts: list[Part[T]]
) -> list[tuple[Part[T], _Answers | Exception]]:
    """Commit parts together; where that is refused, halve them until what is refused stands alone.

    Raises:
        AbtestError: Nothing, or not everything, was committed, and all of it may be brought again.
    """
    try:
        answers = commit([item for part in parts for item in part.items])
    except Exception as error:
        if isinstance(error, AbtestError) and not isinstance(error, InvalidInputError):
            raise  # the database is away, or lets nobody in: no item's fault
        pieces = parts if len(parts) > 1 else parts[0].pieces()
        if len(pieces) == 1:
            return [(pieces[0], error)]
        middle = len(pieces) // 2
        return [*_commit(commit, pieces[:middle]), *_commit(commit, pieces[middle:])]
    if answers is None:
        return [(part, None) for part in parts]
    each = iter(answers)
    return [(part, tuple(next(each) for _ in part.items)) for part in parts]


def _not_taken(why: str, cause: BaseException | None) -> BackendError:
    error = BackendError(f"The log did not take it: {why}.", hint="try again later.")
    error.__cause__ = cause if cause is not None else TimeoutError(why)
    return error
