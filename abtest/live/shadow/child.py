"""The parent's end of the challenger's process: started, asked, watched, ended.

Nothing that comes from it is trusted: an answer is JSON of bounded length that comes in time, or the process is ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeAlias, TypeVar

from abtest import wording
from abtest.live.shadow import messages

if TYPE_CHECKING:
    from collections.abc import Callable

_A = TypeVar("_A")
_T = TypeVar("_T")
Loss: TypeAlias = Literal["deadline", "crashed", "shape", "stopped"]
_LONGEST_WORD = 10_000  # bytes of what it says when it has loaded, or why it has not
_DYING = 1.0  # seconds between its socket closing and its end
_LOOK = 0.1  # seconds between two looks at its memory, which not every system tells in microseconds
_SLICE = 0.05  # seconds between two looks at a process that is busy
_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip


class ChildLostError(Exception):
    """The process is of no use any more.

    Attributes:
        loss: "deadline": it did not answer in time; "crashed": it died, or grew beyond its memory; "shape": what it
            sent is no answer; "stopped": it was in the middle of something when we were to stop.
    """

    def __init__(self, loss: Loss, why: str) -> None:
        super().__init__(why)
        self.loss: Loss = loss


class Child:
    """A process with a model in it.

    Args:
        order: What ``worker`` is told first.
        memory: Bytes that it may have resident.
        tick: Called every few hundredths of a second while it is busy; true where it is to be stopped.

    Raises:
        ChildLostError: The process cannot be started.
    """

    def __init__(self, order: dict[str, Any], *, memory: int, tick: Callable[[], bool]) -> None:
        self._memory = memory
        self._tick = tick
        self._looked = 0.0  # at its memory, by the monotonic clock
        self._channel, theirs = socket.socketpair()
        # What it leaves behind is removed: MLflow keeps what it downloads, and a process that is killed tidies nothing.
        self._folder = tempfile.TemporaryDirectory(prefix="abtest-shadow-", ignore_cleanup_errors=True)
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of ours
                    [sys.executable, "-P", "-m", "abtest.live.shadow.worker", str(theirs.fileno()), self._folder.name],
                    env={**_environment(), "TMPDIR": self._folder.name},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    process_group=0,  # Ctrl-C is ours; and what the model starts is ended with it
                )
            except OSError as error:
                self._channel.close()
                self._folder.cleanup()
                raise ChildLostError("crashed", f"It does not start: {wording.first_line(error)}.") from error
        self._channel.settimeout(_SLICE)
        try:
            self._load(order)
        except ChildLostError:
            self.end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def ask(self, message: object, *, within: float, most: int) -> Any:  # noqa: ANN401 - JSON
        """Send a message and wait for the answer.

        Args:
            message: What it is asked.
            within: Seconds that it has, in all.
            most: Bytes that the answer may have.

        Raises:
            ChildLostError: There is none.
        """
        until = time.monotonic() + within
        self._send(messages.framed(pickle.dumps(message, pickle.HIGHEST_PROTOCOL)), until)
        count = messages.length(self._take(messages.HEAD, until))
        if count > most:
            raise ChildLostError("shape", f"It answered with {wording.size_on_disk(count)}.")
        try:
            return json.loads(self._take(count, until))
        except (ValueError, RecursionError) as error:
            raise ChildLostError("shape", "It answered with something that is no JSON.") from error

    def _load(self, order: dict[str, Any]) -> None:
        answer = self.ask(order, within=order["loading"], most=_LONGEST_WORD)
        if not isinstance(answer, dict) or answer:
            why = answer.get("why") if isinstance(answer, dict) else None
            raise ChildLostError("crashed", str(why or "It did not say that it had loaded."))

    def _send(self, message: bytes, until: float) -> None:
        sent = 0
        while sent < len(message):
            sent += self._patiently(self._channel.send, memoryview(message)[sent:], until)

    def _take(self, count: int, until: float) -> bytes:
        taken = bytearray()
        while len(taken) < count:
            part = self._patiently(self._channel.recv, count - len(taken), until)
            if not part:
                self._closed()
            taken += part
        return bytes(taken)

    def _patiently(self, step: Callable[[_A], _T], what: _A, until: float) -> _T:
        """Try again until it is done, and look after the process meanwhile."""
        while time.monotonic() < until:
            try:
                return step(what)
            except TimeoutError:
                if self._tick():
                    raise ChildLostError("stopped", "It was stopped.") from None
                self.check()
            except OSError:
                self._closed()
        raise ChildLostError("deadline", "It did not answer in time.")

    def _closed(self) -> NoReturn:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DYING)
        self.check()
        raise ChildLostError("crashed", "It closed its socket.")

    def check(self) -> None:
        """Look whether it is alive and within its memory.

        Raises:
            ChildLostError: It is not.
        """
        code = self._process.poll()
        if code == -signal.SIGALRM:
            raise ChildLostError("deadline", "It did not answer in time.")
        if code is not None:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            raise ChildLostError("crashed", f"Its process died ({how}).")
        if time.monotonic() < self._looked + _LOOK:
            return
        self._looked = time.monotonic()
        used = resident(self.pid)
        if used > self._memory:
            raise ChildLostError(
                "crashed",
                f"It used {wording.size_on_disk(used)} of memory, more than {wording.size_on_disk(self._memory)}.",
            )

    def end(self) -> None:
        """End it, and what it started."""
        self._channel.close()
        with contextlib.suppress(
            ProcessLookupError, PermissionError
        ):  # gone already; the latter is macOS's word for it
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()


def resident(pid: int) -> int:
    """Bytes of memory that a process has resident; 0 where there is none, or nobody tells."""
    told = Path(f"/proc/{pid}/statm")
    if told.parent.parent.exists():
        with contextlib.suppress(OSError):  # it is gone
            return int(told.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return 0
    ps = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607 - a fixed command, found on the PATH
    return 1024 * int(ps.stdout or 0)


def _environment() -> dict[str, str]:
    """This process's own but for our settings, which may hold keys; its import path, and one thread for algebra."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ABTEST_")}
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return {**kept, "PYTHONPATH": path, **dict.fromkeys(_THREADS, "1")}
