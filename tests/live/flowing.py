"""Requests that flow while something else happens, straight to servers or through what shares them out."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PACE = 0.01  # seconds between an answer and the next request, so that servers have time for something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was answered.

    Attributes:
        unit: What it was about.
        status: Of the answer; 0 where the server went away instead.
        told: Its body.
    """

    unit: str
    status: int
    told: dict[str, Any]


@dataclass(slots=True)
class Flow:
    """What came back so far, in any order."""

    asked: list[Asked] = field(default_factory=list)

    def go_on(self, more: int = 20) -> None:
        """Wait for some more answers."""
        enough = len(self.asked) + more
        until(lambda: len(self.asked) >= enough)

    @property
    def answered(self) -> list[Asked]:
        """Those that were predictions."""
        return [asked for asked in self.asked if asked.status == 200]

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [asked.told["prediction_id"] for asked in self.answered]


@contextlib.contextmanager
def flowing(urls: Sequence[object], row: dict[str, Any], *, threads: int = 2) -> Iterator[Flow]:
    """Ask servers about a row, each from threads of its own and for ever new units, until the block is done."""
    flow, ended, numbers = Flow(), threading.Event(), itertools.count()

    def ask(url: object) -> None:
        with httpx.Client(base_url=str(url), timeout=30) as client:
            while not ended.wait(_PACE):
                unit = f"flow-{next(numbers)}"
                try:
                    answer = client.post("/predict", json={"features": row, "unit": unit})
                except httpx.TransportError:
                    flow.asked.append(Asked(unit=unit, status=0, told={}))
                else:
                    flow.asked.append(Asked(unit=unit, status=answer.status_code, told=answer.json()))

    running = [threading.Thread(target=ask, args=(url,)) for url in urls for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield flow
    finally:
        ended.set()
        for thread in running:
            thread.join()


@contextlib.contextmanager
def round_robin(*urls: object) -> Iterator[httpx.Client]:
    """A client of what hands each request to the next server in turn: a load balancer that knows nothing of units."""
    turns = itertools.cycle(httpx.URL(str(url)) for url in urls)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def share(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = next(turns)
        to, sink = await asyncio.open_connection(server.host, server.port)
        await asyncio.gather(copy(reader, sink), copy(to, writer))

    loop = asyncio.new_event_loop()
    balancer = loop.run_until_complete(asyncio.start_server(share, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = balancer.sockets[0].getsockname()[1]
    single = httpx.Limits(max_keepalive_connections=0)  # a connection a request
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, limits=single) as client:
            yield client
    finally:
        asyncio.run_coroutine_threadsafe(_closed(balancer), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _closed(balancer: asyncio.Server) -> None:
    balancer.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=10)
