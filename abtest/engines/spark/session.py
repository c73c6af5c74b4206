"""The Spark session: one that is there is used as it is and left alone; one that we start is quiet, and ours to end."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from abtest import wording
from abtest.errors import AbtestError, BackendError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Session: TypeAlias = Any  # pyspark.sql.SparkSession, which is an extra

_LOCAL = "local[*]"
_MASTER = re.compile(r"local(\[(\d+|\*)(, *\d+)?\])?|local-cluster\[.+\]|spark://.+|yarn|k8s://.+")
_RAISED = re.compile(r"^Traceback .*?\n([\w.]+(?:Error|Exception|Exit)\b.*?)$", re.DOTALL | re.MULTILINE)
_PROBE_SECONDS = 3.0


class Spark:
    """Finds or starts the session when it is first needed.

    Args:
        master: As ``spark-submit --master`` takes it; by default ``SPARK_MASTER``, else all cores of this machine.
        patience: Seconds to wait for a cluster's first worker.
    """

    def __init__(self, master: str | None = None, *, patience: float = 60.0) -> None:
        self._asked = master
        self._patience = patience
        self._session: Session | None = None
        self._is_ours = False
        self._warehouse: Path | None = None

    @property
    def session(self) -> Session:
        """The session.

        Raises:
            InvalidInputError: PySpark or Java is not there, or the master is none.
            BackendError: The master does not answer, or has no worker for us.
        """
        if self._session is None:
            self._session = self._found() or self._started()
        return self._session

    def end(self) -> None:
        """Stop the session if it is ours."""
        if self._session is not None and self._is_ours:
            self._session.stop()
        self._session = None
        if self._warehouse is not None:
            with contextlib.suppress(OSError):  # it is not there, or holds somebody's tables
                self._warehouse.rmdir()

    @property
    def is_ours(self) -> bool:
        """Whether the session was started here, so that it may be set as we like."""
        return self._is_ours

    def _found(self) -> Session | None:
        try:
            with quiet():
                from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra, and two seconds
        except ImportError as error:
            raise InvalidInputError(
                "--engine spark needs PySpark, which is not installed.", hint='pip install "mlflow-abtest[spark]"'
            ) from error
        active = SparkSession.getActiveSession()
        if active is not None and self._asked is not None:
            running = active.conf.get("spark.master", "")
            if running != self._asked:
                raise InvalidInputError(
                    f"spark_master is {self._asked!r}, but this process has a Spark session on {running!r}.",
                    hint="leave out spark_master to use that one, or stop it.",
                )
        return active

    def _started(self) -> Session:
        master = self._asked or os.environ.get("SPARK_MASTER") or _LOCAL
        check_java()
        addresses = check_master(master)
        near = not addresses and master.startswith("local")
        is_near = near or (bool(addresses) and all(_is_loopback(host) for host, _ in addresses))
        warehouse = Path("spark-warehouse").absolute()  # which Spark makes in the current folder when asked for a table
        self._warehouse = None if warehouse.exists() else warehouse
        session = _start(master, is_near=is_near)
        self._is_ours = True
        if addresses:
            try:
                _await_executor(session, master, self._patience)
            except BaseException:
                session.stop()
                raise
        return session


def _start(master: str, *, is_near: bool) -> Session:
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - an extra
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415 - see above
    from pyspark.sql import SparkSession  # noqa: PLC0415 - see above

    conf = SparkConf().setMaster(master).setAppName("abtest").setAll(_settings(is_near=is_near).items())
    with tempfile.TemporaryFile() as told, _environment(is_near=is_near), quiet():
        try:
            running = SparkContext._gateway  # noqa: SLF001 - a process has one Java, which outlives its sessions
            # What Java and its workers say, such as a warning a batch, is kept from the terminal.
            gateway = running or launch_gateway(conf, popen_kwargs={"stderr": told})
            SparkContext(gateway=gateway, conf=conf)
            return SparkSession.builder.getOrCreate()
        except Exception as error:
            told.seek(0)
            lines = told.read().decode(errors="replace").splitlines()
            said = next((line.strip() for line in lines if "Error" in line or "Exception" in line), None)
            raise BackendError(
                f"Spark does not start on {master}: {said or wording.first_line(error)}.",
                hint="Spark 4 runs on Java 17 or 21; --debug shows where it failed.",
            ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what PySpark says of pandas 3, wherever it starts to use it, from everybody's terminal."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
        yield


def _settings(*, is_near: bool) -> dict[str, str]:
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.legacy.parquet.nanosAsLong": "true",  # else a column in nanoseconds, used or not, stops everything
        "spark.sql.caseSensitive": "true",  # as everywhere else: 'Age' and 'age' are two columns
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_logging()}",
    }
    if is_near:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return settings


def _logging() -> str:
    """A file that keeps the driver from telling the terminal about itself before its log level can be set."""
    return (Path(__file__).parent / "log4j2.properties").as_uri()


@contextlib.contextmanager
def _environment(*, is_near: bool) -> Iterator[None]:
    """What Spark reads from variables alone, while it starts: Python workers are to be of this very interpreter."""
    wanted = {"PYSPARK_PYTHON": sys.executable, **({"SPARK_LOCAL_IP": "127.0.0.1"} if is_near else {})}
    added = [name for name in wanted if name not in os.environ]
    os.environ.update({name: wanted[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def check_master(master: str) -> list[tuple[str, int]]:
    """Refuse what is no master, and one that does not answer; else give its addresses, if it has any.

    Raises:
        InvalidInputError: It is none.
        BackendError: It does not answer.
    """
    if not _MASTER.fullmatch(master):
        raise InvalidInputError(
            f"spark_master must be local[N], spark://HOST:PORT, yarn or k8s://…, got {master!r}.",
            hint="for another kind of session, start it yourself: an active session is used as it is.",
        )
    addresses = _addresses(master)
    _probe(master, addresses)
    return addresses


def check_java() -> None:
    """Refuse a machine without Java.

    Raises:
        InvalidInputError: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    if home and not (Path(home) / "bin" / "java").exists():
        raise InvalidInputError(
            f"--engine spark needs Java, and JAVA_HOME names {home}, which has no bin/java.",
            hint="set JAVA_HOME to Java 17 or 21.",
        )
    if not home and shutil.which("java") is None:
        raise InvalidInputError(
            "--engine spark needs Java: JAVA_HOME is not set, and there is no java on the PATH.",
            hint="install Java 17 or 21.",
        )


def _addresses(master: str) -> list[tuple[str, int]]:
    """Hosts and ports of standalone masters: ``spark://one:7077,two:7077``."""
    if not master.startswith("spark://"):
        return []
    found = []
    for one in master.removeprefix("spark://").split(","):
        host, colon, port = one.rpartition(":")
        if not (host and colon and port.isdecimal() and int(port) < 1 << 16):
            raise InvalidInputError(
                f"spark_master must be spark://HOST:PORT, got {master!r}.", hint="the port is 7077."
            )
        found.append((host.strip("[]"), int(port)))
    return found


def _probe(master: str, addresses: list[tuple[str, int]]) -> None:
    """Knock once: Spark itself asks for a minute before it gives up."""
    failure: OSError | None = None
    for address in addresses:
        try:
            socket.create_connection(address, timeout=_PROBE_SECONDS).close()
        except OSError as error:
            failure = error
        else:
            return
    if failure is not None:
        raise BackendError(
            f"spark_master {master} does not answer: {failure.strerror or failure}.",
            hint="is the master running, and is this its spark:// address and not that of its web page?",
        ) from failure


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _await_executor(session: Session, master: str, seconds: float) -> None:
    """Wait for a worker to take us in: a job without one would wait for ever, and say nothing."""
    tracker = session.sparkContext._jsc.sc().statusTracker()  # noqa: SLF001 - PySpark's own tracker knows no executors
    deadline = time.monotonic() + seconds
    while len(tracker.getExecutorInfos()) < 2:  # the driver is one
        if time.monotonic() > deadline:
            raise BackendError(
                f"spark_master {master} gave no worker within {seconds:.0f} seconds.",
                hint="are its workers running, and have they cores and memory left?",
            ) from TimeoutError("no executor")
        time.sleep(0.1)


@contextlib.contextmanager
def told_as_ours(what: str) -> Iterator[None]:
    """Turn Spark's failures into a sentence.

    Args:
        what: Its beginning, such as "Spark could not read X".

    Raises:
        InvalidInputError: Python on a worker raised it: a model.
        BackendError: Anything else that Spark raises.
    """
    try:
        with quiet():
            yield
    except AbtestError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark", "py4j")):
            raise
        raised = _RAISED.search(str(error))  # the end of a Python traceback
        kind, told = (InvalidInputError, raised[1]) if raised else (BackendError, wording.first_line(error))
        raise kind(f"{what}: {told.rstrip('.')}.", hint="--debug shows where.") from error
