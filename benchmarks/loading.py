"""Load on a server: by wrk where it is installed, else by a client of our own, each in a process of its own."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from benchmarks.timing import Rounds, from_warming_up, printed

_HAMMER = Path(__file__).with_name("hammer.py")
_SCRIPT = """
local file = io.open(os.getenv("ABTEST_PLAN"))
local requests, at = {}, 0
for length in file:lines() do
  requests[#requests + 1] = file:read(tonumber(length))
  file:read("*l")
end
file:close()
request = function() at = at % #requests + 1; return requests[at] end
done = function(summary, latency)
  local e = summary.errors
  print(string.format('\\n{"requests": %d, "seconds": %.9f, "p50": %.9f, "p99": %.9f, "errors": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A server, and what it is asked.

    Attributes:
        host: Where it is.
        port: Likewise.
        path: What is posted to.
        bodies: JSON, in turns.
    """

    host: str
    port: int
    path: str
    bodies: Sequence[str]

    def requests(self) -> list[str]:
        """The requests, as they go through the socket."""
        return [
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
            for body in self.bodies
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a server did for a while.

    Attributes:
        requests: Answered, all of them by 200.
        seconds: In which.
        p50: Seconds that half of the answers took at most.
        p99: Seconds that 99 of a hundred did.
    """

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def each(self) -> float:
        """Seconds a request, over all connections: one over the rate."""
        return self.seconds / self.requests


Turns: TypeAlias = dict[str, tuple[Load, ...]]


def generator() -> str:
    """Name what asks."""
    return "wrk, one thread" if shutil.which("wrk") else "a client in Python, `benchmarks/hammer.py`"


def load(asked: Asked, *, connections: int, seconds: float) -> Load:
    """Ask a server over some connections for a while.

    Raises:
        RuntimeError: An answer was not 200, or there was none.
    """
    with tempfile.TemporaryDirectory() as scratch:
        run = _by_wrk if shutil.which("wrk") else _by_hammer
        told = json.loads(run(asked, Path(scratch), connections, seconds).strip().splitlines()[-1])
    if told.pop("errors", 0) or not told["requests"]:
        raise RuntimeError(f"{asked.path} on port {asked.port}: not all was answered by 200: {told}")
    return Load(**told)


def _by_wrk(asked: Asked, scratch: Path, connections: int, seconds: float) -> str:
    script, plan = scratch / "script.lua", scratch / "plan"
    script.write_text(_SCRIPT, encoding="utf-8")
    plan.write_bytes(b"".join(b"%d\n%b\n" % (len(one), one) for one in map(str.encode, asked.requests())))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script)]
    return printed([*command, f"http://{asked.host}:{asked.port}{asked.path}"], env={"ABTEST_PLAN": str(plan)})


def _by_hammer(asked: Asked, scratch: Path, connections: int, seconds: float) -> str:
    plan = scratch / "plan.json"
    told = {"host": asked.host, "port": asked.port, "connections": connections, "seconds": seconds}
    plan.write_text(json.dumps(told | {"requests": asked.requests()}), encoding="utf-8")
    return printed([sys.executable, "-I", "-S", str(_HAMMER), str(plan)])


def in_turns(
    servers: Mapping[str, Asked],
    *,
    connections: int,
    rounds: int,
    seconds: float,
    after: Callable[[str, Load], object] = lambda *_: None,
) -> Turns:
    """Load each server once a round, after one round to warm up as ``interleaved`` does.

    Args:
        servers: By name.
        connections: Of each.
        rounds: How often.
        seconds: Of a turn.
        after: Is told of each turn before the next begins; its time is nobody's.
    """
    loads: dict[str, list[Load]] = {name: [] for name in servers}
    for turn in from_warming_up(rounds):
        for name, asked in servers.items():
            found = load(asked, connections=connections, seconds=seconds if turn else min(seconds, 1))
            after(name, found)
            if turn:
                loads[name].append(found)
    return {name: tuple(of) for name, of in loads.items()}


def rounds_of(turns: Turns, of: Callable[[Load], float]) -> Rounds:
    """Give one number of each turn."""
    return {name: tuple(map(of, loads)) for name, loads in turns.items()}
