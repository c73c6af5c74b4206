"""Calls made in threads aside, off the event loop, each with a deadline if it needs one.

The threads end with the process, whatever they are at: a model that hangs does not keep a server from shutting down.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """So many calls wait, or hang, that another one is not taken."""


@dataclass(slots=True)
class _Call:
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Aside:
    """A few threads that make the calls of an event loop.

    Args:
        name: Of the threads.
        threads: How many; they start with the first call.
        most: Calls under way and waiting, together; where a model hangs, this many wait for their deadline in vain.
    """

    def __init__(self, name: str, *, threads: int, most: int) -> None:
        self._name = name
        self._threads = threads
        self._most = most
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._open = 0
        self._lock = threading.Lock()
        self._started = False

    async def call(self, function: Callable[..., T], *arguments: object, deadline: float | None = None) -> T:
        """Make a call and wait for what it gives, or raises.

        Args:
            function: What is called.
            arguments: What it is called with.
            deadline: Seconds; a call that has begun by then goes on, and what it gives is thrown away.

        Raises:
            TimeoutError: The deadline has passed.
            BusyError: Too many calls are under way.
        """
        with self._lock:
            if self._open >= self._most:
                raise BusyError
            self._open += 1
        if not self._started:
            self._start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._calls.put(_Call(loop, future, function, arguments))
        if deadline is None:
            return await future
        async with asyncio.timeout(deadline):
            return await future

    def _start(self) -> None:
        self._started = True
        for number in range(self._threads):
            threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True).start()

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            result, error = None, None
            if not call.future.cancelled():
                try:
                    result = call.function(*call.arguments)
                except BaseException as raised:  # noqa: BLE001 - it is raised where the call is waited for
                    error = raised
            with self._lock:
                self._open -= 1
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                call.loop.call_soon_threadsafe(_settle, call.future, result, error)


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():  # given up
        return
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        future.set_exception(error)
    elif error is not None:  # a model that exits, or raises what no future can hold, has failed like any other
        future.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
    else:
        future.set_result(result)
