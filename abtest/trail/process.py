"""Which process began a move, so that another can tell whether it still goes on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

UNDER_WAY: set[str] = set()  # attempts of this process that have not ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, on whatever machine.

    Attributes:
        host: The machine's name.
        pid: Its number there.
        started: When it started, in the machine's own ticks; a number is given out again, with another start.
        space: What its number is counted in: this start of the machine, and the container.

    Example:
        >>> Process.read(str(Process.here())) == Process.here()
        True
        >>> Process.here().is_alive()
        True
    """

    host: str
    pid: int
    started: str
    space: str

    @classmethod
    def here(cls) -> Process:
        """This process."""
        pid = os.getpid()
        return cls(host=platform.node() or "unknown", pid=pid, started=_started(pid), space=_space())

    @classmethod
    def read(cls, text: str) -> Process:
        """Read what ``str`` wrote; of anything else nothing is known."""
        parts = text.split("|")
        if len(parts) != 4 or not parts[1].isdecimal():
            return cls(host="unknown", pid=0, started="", space="")
        return cls(host=parts[0], pid=int(parts[1]), started=parts[2], space=parts[3])

    def __str__(self) -> str:
        return f"{self.host}|{self.pid}|{self.started}|{self.space}"

    def is_alive(self) -> bool | None:
        """Whether it still runs; None where that cannot be seen from here."""
        space = _space()
        if not space or space != self.space:
            return None
        if _is_hidden(self.pid):
            return None
        started = _started(self.pid)
        return bool(started) and started == self.started

    def carries(self, attempt: str) -> bool | None:
        """Whether it still carries out what it began; None where that cannot be seen from here."""
        if self == Process.here():  # whose outcome may not have come on record
            return attempt in UNDER_WAY
        return self.is_alive()


def _started(pid: int) -> str:
    """When a process started; empty where there is none, or it cannot be told."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = text.rpartition(")")[2].split()  # its name may hold spaces and parentheses
    return "" if state == "Z" else rest[18]  # a zombie has ended; field 22 is the start


def _is_hidden(pid: int) -> bool:
    """Whether a process is there and not shown: a machine may hide those of other users (hidepid)."""
    try:
        if Path(f"/proc/{pid}/stat").is_file():
            return False
        os.kill(pid, 0)  # asks, and sends nothing
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _space() -> str:
    """Name this start of the machine and this container; empty where a system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
