"""Ask a server again and again over some connections, each of which asks when it was answered.

``python -I -S hammer.py PLAN`` reads a plan as ``loading`` writes it and prints what came of it: a process of its own
that imports nothing but sockets, so that asking costs little beside answering.
"""

from __future__ import annotations

import json
import math
import re
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HUNG = 30.0  # seconds without any answer


class AnswerError(Exception):
    """An answer is not 200, or there is none."""


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    asked: float = 0.0
    heard: bytearray = field(default_factory=bytearray)


def ask(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    connections: int = 1,
    seconds: float = math.inf,
    most: int | None = None,
    heard: Callable[[bytes], object] | None = None,
) -> tuple[list[float], float]:
    """Ask, until the time or the requests are over.

    Args:
        address: Host and port.
        requests: Whole, as they go through the socket; after the last comes the first again.
        connections: How many ask at a time.
        seconds: After which nothing more is asked; what was asked is waited for.
        most: Requests in all.
        heard: Is given the body of each answer.

    Returns:
        Seconds of each answer, in the order of the answers, and of all of it.

    Raises:
        AnswerError: An answer is not 200, a connection was closed, or nothing came for 30 seconds.
    """
    left = islice(cycle(requests), most)
    took: list[float] = []
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = _Connection(socket.create_connection(address, timeout=_HUNG))
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            _next(selector, connection, left)
        while selector.get_map():
            ready = selector.select(_HUNG)
            if not ready:
                raise AnswerError(f"nothing was answered in {_HUNG:g} s")
            for key, _ in ready:
                connection = key.data
                body = _answer(connection)
                if body is None:
                    continue
                now = time.perf_counter()
                took.append(now - connection.asked)
                if heard:
                    heard(body)
                _next(selector, connection, left if now - began < seconds else iter(()))
    return took, time.perf_counter() - began


def _next(selector: selectors.BaseSelector, connection: _Connection, left: Iterator[bytes]) -> None:
    """Send the next request, or hang up."""
    request = next(left, None)
    if request is None:
        selector.unregister(connection.socket)
        connection.socket.close()
        return
    connection.asked = time.perf_counter()
    connection.socket.sendall(request)


def _answer(connection: _Connection) -> bytes | None:
    """Read what came; give the body once it is whole."""
    heard = connection.heard
    came = connection.socket.recv(65_536)
    if not came:
        raise AnswerError("the server hung up")
    heard += came
    end = heard.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(heard, 0, end)
    whole = end + 4 + (int(length[1]) if length else 0)
    if len(heard) < whole:
        return None
    if not heard.startswith(b"HTTP/1.1 200"):
        raise AnswerError(heard[:500].decode("utf-8", "replace"))
    body = bytes(heard[end + 4 : whole])
    heard.clear()
    return body


def main() -> None:
    """Do what a plan says."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    requests = [request.encode() for request in plan["requests"]]
    address = (plan["host"], plan["port"])
    took, seconds = ask(address, requests, connections=plan["connections"], seconds=plan["seconds"])
    took.sort()
    p50, p99 = (took[min(math.ceil(share * len(took)), len(took)) - 1] for share in (0.5, 0.99))
    print(json.dumps({"requests": len(took), "seconds": seconds, "p50": p50, "p99": p99}))


if __name__ == "__main__":
    main()
