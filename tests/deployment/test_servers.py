"""The servers of these tests end with the tests, however they end, and say why they do not start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deployment import servers

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent
STARTER = """
import pathlib, sys
from tests.deployment import servers
port = sys.argv[1]
serve = f"{sys.executable} -m http.server {port} --bind 127.0.0.1 & wait"
with servers.process("/bin/sh", "-c", serve, log=pathlib.Path("log").absolute(), variables={}) as wait:
    wait(lambda: servers.answers(f"http://127.0.0.1:{port}"))
    print("up", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups and the guards' shell are POSIX")


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "done"])
def test_what_is_started_ends_with_its_starter(tmp_path: Path, *, killed: bool) -> None:
    """A starter that is killed outright leaves no process of its server's group, and neither does one that is done."""
    port = servers.free_port()
    starter = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", STARTER, str(port)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"up\n"
    if killed:
        starter.kill()
    starter.communicate()
    wait_until(lambda: not servers.answers(f"http://127.0.0.1:{port}"))


def test_a_server_that_does_not_start_is_shown_with_what_it_said(tmp_path: Path) -> None:
    """What a server said before it ended is in the failure."""
    with (
        servers.process("/bin/sh", "-c", "echo no such bucket; exit 3", log=tmp_path / "s3.log", variables={}) as wait,
        pytest.raises(AssertionError, match="s3 ended with 3:\nno such bucket"),
    ):
        wait(lambda: False)


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait a few seconds at most."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
