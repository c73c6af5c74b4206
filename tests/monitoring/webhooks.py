"""A real web server that takes what webhooks are sent."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "/services/T0/B0/the-secret"  # noqa: S105 - of nothing


class Webhook:
    """What was sent, and how it is answered.

    Args:
        url: Its address, with a secret in the path.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.received: list[tuple[str, Any]] = []
        self.status = 200
        self.location: str | None = None
        self.go_on = threading.Event()
        self.go_on.set()


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Run one on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.received.append((self.path, json.loads(body)))
            taken.go_on.wait(30)
            self.send_response(taken.status)
            if taken.location is not None:
                self.send_header("Location", taken.location)
            self.send_header("Content-Length", "0")
            with contextlib.suppress(OSError):  # whoever asked may have left
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken = Webhook(f"http://127.0.0.1:{server.server_port}{SECRET}?token=hush")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield taken
        finally:
            taken.go_on.set()
            server.shutdown()
            thread.join()
