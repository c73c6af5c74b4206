"""A proxy that breaks connections, in front of a real server, on demand.

It stands where the network stands, so that what is lost is lost for real: the client is MLflow's own, the server is
MLflow's own, and between them a request or its answer goes missing. A test says what shall go wrong, and when:

    with Breaking(deployed.uri) as network:
        registry = RegistryClient(network.uri)
        network.swallow("transition-stage")         # the move is made, and nobody hears of it
        network.swallow("transition-stage", nth=2)  # … the second move
        network.cut("transition-stage")             # the move is never asked for
        network.answer(503, "transition-stage")     # … nor here, and the client is told to come again
        network.refuse()                            # nothing listens any more
        network.heal()                              # all is well again

What a path matches is ``METHOD /path?query``, anywhere in it: "transition-stage", "POST /api/2.0/mlflow/runs/create". A
fault counts the requests that match from when it was set. MLflow's client tries again after a lost connection and after
a 503 (``MLFLOW_HTTP_REQUEST_MAX_RETRIES`` times, each after a longer wait): a fault of ``times=1`` is therefore one
that the client gets over, and ``times=ALWAYS`` one that it does not. ``network.outcomes(path)`` says what became of
each request, retries among them.

Each connection carries one request (HTTP/1.0 towards the client), so that no fault hits a neighbour.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import math
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from typing import Self

ALWAYS = math.inf
Outcome: TypeAlias = Literal["passed", "swallowed", "cut", "answered"]
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}  # said of one connection, not of the message
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing resets the connection


@dataclass(kw_only=True)
class _Fault:
    outcome: Outcome
    path: str
    first: int
    times: float
    status: int = 503
    matched: int = 0

    def hits(self, request: str) -> bool:
        """Count a request that matches, and say whether it is one of those to go wrong."""
        if self.path not in request:
            return False
        self.matched += 1
        return self.first <= self.matched < self.first + self.times


class Breaking:
    """A proxy on this machine that hands every request on to a server, but for those that shall go wrong.

    Args:
        target: The server's address, ``http://host:port``.

    Attributes:
        uri: The proxy's own address; it stays the same while connections are refused.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target = (str(parts.hostname), int(parts.port or 80))
        self._faults: list[_Fault] = []
        self._seen: list[tuple[str, Outcome]] = []
        self._lock = threading.Lock()
        # Bound and not listening: it keeps the port for as long as connections to it are refused.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._port.getsockname()[1]}"
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._port.close()

    def refuse(self) -> None:
        """Refuse connections from now on; those under way are finished first."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def swallow(self, path: str, *, nth: int = 1, times: float = 1) -> None:
        """Have the server carry a request out, and reset the connection instead of handing its answer back."""
        self._break(_Fault(outcome="swallowed", path=path, first=nth, times=times))

    def cut(self, path: str, *, nth: int = 1, times: float = 1) -> None:
        """Reset the connection before a request reaches the server."""
        self._break(_Fault(outcome="cut", path=path, first=nth, times=times))

    def answer(self, status: int, path: str, *, nth: int = 1, times: float = 1) -> None:
        """Answer a request with a status; it does not reach the server."""
        self._break(_Fault(outcome="answered", path=path, first=nth, times=times, status=status))

    def heal(self) -> None:
        """Let everything through again; what was seen stays."""
        with self._lock:
            self._faults.clear()
        if self._server is None:
            self._listen()

    def outcomes(self, path: str = "") -> list[Outcome]:
        """Say what became of the requests that match, in order."""
        with self._lock:
            return [outcome for request, outcome in self._seen if path in request]

    def meet(self, request: str) -> tuple[Outcome, int]:
        """Settle what becomes of a request, ``METHOD /path``: of the faults that hit it, the one set first."""
        with self._lock:
            hit = [fault for fault in self._faults if fault.hits(request)]  # all of them: each counts for itself
            outcome, status = (hit[0].outcome, hit[0].status) if hit else ("passed", 0)
            self._seen.append((request, outcome))
        return outcome, status

    def _break(self, fault: _Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _listen(self) -> None:
        self._server = _Server(self)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # closing waits for the connections under way
    request_queue_size = 64  # MLflow's client sends files several at once

    def __init__(self, proxy: Breaking) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", int(urlsplit(proxy.uri).port or 0)), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close without a farewell, which would reach the client before a reset does."""
        self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away is what this is for."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    timeout = 60

    def pass_on(self) -> None:
        """Take the request, and do with it what shall be done."""
        if "Transfer-Encoding" in self.headers:
            self.send_error(411)  # MLflow's client says how long a body is, so nobody wrote the reading of chunks
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        outcome, status = self.server.proxy.meet(f"{self.command} {self.path}")
        if outcome == "answered":
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        answer = self._ask(body) if outcome in ("passed", "swallowed") else None
        if outcome == "passed" and answer is not None:
            self.wfile.write(answer)
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 - the names http.server looks for

    def _ask(self, body: bytes) -> bytes:
        """Ask the server, and put its answer as one that ends with the connection."""
        with contextlib.closing(http.client.HTTPConnection(*self.server.proxy.target, timeout=60)) as server:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP:
                    server.putheader(name, value)
            server.putheader("Content-Length", str(len(body)))
            server.endheaders(body)
            answer = server.getresponse()
            content = answer.read()
        kept = [f"{name}: {value}\r\n" for name, value in answer.getheaders() if name.lower() not in _HOP]
        head = f"HTTP/1.0 {answer.status} {answer.reason}\r\n{''.join(kept)}Content-Length: {len(content)}\r\n\r\n"
        return head.encode("latin-1") + content

    def log_message(self, *_: object) -> None:
        """Say nothing."""
