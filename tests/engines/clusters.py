"""A standalone cluster of Spark on loopback: a master and two workers, as processes that can be killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LACKS = "" if importlib.util.find_spec("pyspark") else "PySpark is not installed"
if not LACKS and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    LACKS = "there is no Java"
_DEPLOY = "org.apache.spark.deploy"
_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A master and its workers.

    Attributes:
        master: Its address.
        workers: Processes; each leads a group of its own, with its executors.
    """

    master: str
    workers: list[subprocess.Popen[bytes]]


@contextlib.contextmanager
def cluster(folder: Path, *, workers: int = 2) -> Iterator[Cluster]:
    """Start a cluster, each worker with one core, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"spark://127.0.0.1:{port}"
    started: list[subprocess.Popen[bytes]] = []
    try:
        master = _start(folder, "master.Master", "--port", str(port))
        started.append(master)
        wait_for(lambda: _answers(port))
        for number in range(workers):
            place = folder / f"worker-{number}"
            place.mkdir()
            started.append(
                _start(place, "worker.Worker", "--cores", "1", "--memory", "1g", "--work-dir", str(place), address)
            )
        yield Cluster(master=address, workers=started[1:])
    finally:
        for process in reversed(started):
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started, as a machine that loses its power does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(what: Callable[[], bool], *, seconds: float = _SECONDS) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _start(folder: Path, what: str, *arguments: str) -> subprocess.Popen[bytes]:
    import pyspark

    home = Path(pyspark.__file__).parent
    environ = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "PYSPARK_PYTHON": sys.executable,
    }
    command = [str(home / "bin" / "spark-class"), f"{_DEPLOY}.{what}", "--host", "127.0.0.1", "--webui-port", "0"]
    with (folder / f"{what}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - Spark's own program
            [*command, *arguments], env=environ, stdout=log, stderr=log, start_new_session=True
        )
