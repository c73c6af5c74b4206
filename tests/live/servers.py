"""Servers for tests: ``abtest serve`` in a process of its own, asked over HTTP."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_ADDRESS = re.compile(r"http://\S+")


class Server:
    """A server under test."""

    def __init__(self, process: subprocess.Popen[bytes], told: Path) -> None:
        self.process = process
        self._told = told
        until(lambda: _ADDRESS.search(self.said) or process.poll() is not None)
        found = _ADDRESS.search(self.said)
        assert found is not None, self.said
        self.client = httpx.Client(base_url=found[0], timeout=30)

    @property
    def said(self) -> str:
        """What it wrote to stderr."""
        return self._told.read_text(encoding="utf-8")

    def is_ready(self) -> bool:
        """Whether it has a model."""
        assert self.process.poll() is None, self.said
        try:
            return self.client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def post(self, path: str, body: Any, *, status: int = 200) -> Any:
        """Ask, and expect a status."""
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def info(self) -> dict[str, Any]:
        """What serves."""
        return dict(self.client.get("/model/info").json())

    def end(self, how: int = signal.SIGTERM) -> int:
        """Tell it to end, and give its exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)


@contextlib.contextmanager
def serving(
    *arguments: str, folder: Path, ready: bool = True, variables: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Serve on a free port until the test is done."""
    told = folder / "told.txt"
    with told.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "abtest", "serve", "--port", "0", *arguments],
            cwd=folder, stderr=stream, env={**os.environ, **(variables or {})},
        )  # fmt: skip
    try:
        server = Server(process, told)
        if ready:
            until(server.is_ready)
        yield server
        server.client.close()
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
