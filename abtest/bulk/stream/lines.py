"""A descriptor's bytes → lines in micro-batches: of whatever size the bytes come, and never more in memory than needed.

Nothing is read while a batch is answered: who writes faster than that is answered finds the pipe full, and waits.
"""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, TypeAlias

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Line: TypeAlias = tuple[int, bytes | None]  # its number, from 1, and what it holds; None of one that is too long
LONGEST = 1 << 20  # bytes of a line
_CHUNK = 1 << 16  # bytes, what a pipe of Linux holds


class Cut:
    r"""Cuts bytes into lines, however they are split; of a line that is too long nothing is kept.

    Args:
        longest: Bytes that a line may have, without its end.

    Example:
        >>> cut = Cut(3)
        >>> cut.feed(b"ab"), cut.feed(b"c\ntoo lo"), cut.feed(b"ng\nla"), cut.end()
        ([], [(1, b'abc')], [(2, None)], [(3, b'la')])
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest, self._ended = longest, 0
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """Take some bytes, and give the lines that end in them."""
        *ends, rest = chunk.split(b"\n")
        found = []
        for piece in ends:
            self._add(piece)
            found.append(self._line())
        self._add(rest)
        return found

    def end(self) -> list[Line]:
        """Give the last line, where it has no end."""
        return [self._line()] if self._size else []

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._longest:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _line(self) -> Line:
        text = None if self._size > self._longest else b"".join(self._pieces)
        self._ended += 1
        self._pieces, self._size = [], 0
        return self._ended, text


class MicroBatches:
    """Gives lines in batches: full ones, or what is there once a line has waited for long enough.

    Args:
        descriptor: What is read: a pipe, a socket, a terminal, a file.
        rows: Lines of a batch, at most.
        wait: Seconds that a line waits for others; 0 to take those that are there.
        stop: A descriptor that can be read from when all is to end: whole lines that were read are given still.
        idle: After so many seconds without a line an empty batch is given; None for never.
        longest: Bytes of a line.

    Attributes:
        stopped: Whether it was ended so.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        rows: int,
        wait: float,
        stop: int | None = None,
        idle: float | None = None,
        longest: int = LONGEST,
    ) -> None:
        self._from, self._rows, self._wait, self._idle = descriptor, rows, wait, idle
        self._stops = [] if stop is None else [stop]
        self._poll = select.poll()  # select.select takes no descriptor beyond 1,023
        for one in (descriptor, *self._stops):
            self._poll.register(one, select.POLLIN)
        self._cut = Cut(longest)
        self.stopped = False

    def __iter__(self) -> Iterator[list[Line]]:
        waiting: list[Line] = []
        due = 0.0
        while (ready := self._ready(due if waiting else None)) is not None:
            chunk = self._read() if ready else b""
            if ready and not chunk:
                waiting += self._cut.end()
                break
            new = self._cut.feed(chunk) if chunk else []
            if new and not waiting:
                due = time.monotonic() + self._wait
            waiting += new
            while len(waiting) >= self._rows:
                yield waiting[: self._rows]
                waiting = waiting[self._rows :]
            # Lines that are there are waited for even then: they cost no time. The middle of a long one is none.
            if not new and (not ready or (waiting and time.monotonic() >= due)):
                yield waiting
                waiting = []
        for start in range(0, len(waiting), self._rows):
            yield waiting[start : start + self._rows]

    def _ready(self, due: float | None) -> bool | None:
        """Whether there is something to read, before the time is over; None where all is to end."""
        timeout = self._idle if due is None else max(0.0, due - time.monotonic())
        ready = {one for one, _ in self._poll.poll(None if timeout is None else 1000 * timeout)}
        self.stopped = any(one in ready for one in self._stops)
        return None if self.stopped else self._from in ready

    def _read(self) -> bytes:
        try:
            return os.read(self._from, _CHUNK)
        except OSError as error:
            raise InvalidInputError(f"Standard input cannot be read: {error.strerror or error}.") from error
