"""Take turns, so that a noisy minute is shared; keep every round, and what was made of it."""

from __future__ import annotations

import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from benchmarks import spelling
from benchmarks.measured import Aim, Measurement, Rival

Calls: TypeAlias = Mapping[str, Callable[[], object]]
Rounds: TypeAlias = dict[str, tuple[float, ...]]

FEWEST = 3  # rounds, however long they take
_LAUNCH = Path(__file__).with_name("launch.py")
_AIMED = re.compile(r"at most ([\d.]+)(?:/([\d.,]+))?")

_recorded: list[Measurement] = []


def interleaved(calls: Calls, *, rounds: int = 7, budget: float = 20.0) -> Rounds:
    """Time each call once a round, after one round to warm up; return the seconds of each by round.

    Args:
        calls: What to time, by name.
        rounds: How often; once is a trial, whose seconds nobody reads, and needs no round to warm up.
        budget: Seconds after which no other round begins, once there are ``FEWEST``.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    for turn in from_warming_up(rounds):
        if turn > FEWEST and time.perf_counter() - began > budget:
            break
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: tuple(values) for name, values in seconds.items()}


def from_warming_up(rounds: int) -> range:
    """Number rounds from 1, after 0 to warm up; a trial of one round has only that."""
    return range(int(rounds == 1), rounds + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Whole processes, by name and round."""

    seconds: Rounds
    mib: Rounds


def processes(
    commands: Mapping[str, Sequence[str]],
    *,
    rounds: int = 5,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Processes:
    """Run each command once a round, after one round to warm up as ``interleaved`` does; measure seconds and memory."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for turn in from_warming_up(rounds):
        for name, command in commands.items():
            told = launched(command, cwd=cwd, env=env)
            if turn:
                found[name].append(told)
    return Processes(
        seconds={name: tuple(one["seconds"] for one in of) for name, of in found.items()},
        mib={name: tuple(one["mib"] for one in of) for name, of in found.items()},
    )


def launched(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run one command to its end and return its seconds and its peak MiB."""
    measured: dict[str, float] = json.loads(
        printed([sys.executable, "-I", "-S", str(_LAUNCH), *command], cwd=cwd, env=env)
    )
    return measured


def printed(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run one command to its end and return what it printed.

    Raises:
        RuntimeError: It failed; the message ends with what it said.
    """
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as installed
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
    told = subprocess.run(
        command, cwd=cwd, env={**usual, **quiet, **(env or {})}, capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} failed:\n{told.stderr[-2000:]}")
    return told.stdout


def library(name: str) -> Any | None:  # noqa: ANN401 - a module
    """Import a rival's library, or return None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def not_installed(*libraries: str) -> tuple[Rival, ...]:
    """Say which of these did not run for want of being installed."""
    return tuple(Rival(name=name, why_not="not installed") for name in libraries)


def record(measurement: Measurement) -> None:
    """Keep a measurement for the page, and print it."""
    _recorded.append(measurement)
    print(spelling.line(measurement), flush=True)


def compare(what: str, rounds: Rounds, *, missing: Iterable[Rival] = (), **said: Any) -> None:  # noqa: ANN401 - Measurement's own
    """Record rounds of which the first contender is ours, and the others rivals."""
    (_, ours), *theirs = rounds.items()
    rivals = (*(Rival(name=name, values=values) for name, values in theirs), *missing)
    record(Measurement(what=what, ours=ours, rivals=rivals, **said))


def recorded() -> tuple[Measurement, ...]:
    """Return what was recorded since this was last asked."""
    found = tuple(_recorded)
    _recorded.clear()
    return found


class Median(float):
    """The median of some rounds, which it keeps; a number times a median, or a part of one, is a median too."""

    rounds: tuple[float, ...]

    def __new__(cls, rounds: Iterable[float]) -> Self:
        """Keep the rounds."""
        values = tuple(rounds)
        self = super().__new__(cls, statistics.median(values))
        self.rounds = values
        return self

    def __mul__(self, factor: float) -> Median:
        return Median(value * factor for value in self.rounds)

    def __truediv__(self, parts: float) -> Median:
        return Median(value / parts for value in self.rounds)


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> tuple[Median, Median]:
    """Time both in turns, after one round to warm up; return the median seconds of each."""
    seconds = interleaved({"ours": ours, "theirs": theirs}, rounds=rounds, budget=float("inf"))
    return Median(seconds["ours"]), Median(seconds["theirs"])


def report(what: str, ours: float, theirs: float, *, aim: str = "", rival: str = "the other") -> None:
    """Record both times, and what was aimed at: "at most 1.1" or "at most 1/20" of theirs."""
    found = _AIMED.match(aim)
    aims = (Aim(at_most=float(found[1]) / float((found[2] or "1").replace(",", "")), of=rival),) if found else ()
    values = theirs.rounds if isinstance(theirs, Median) else (theirs,)
    mine = ours.rounds if isinstance(ours, Median) else (ours,)
    note = "" if found else aim
    record(Measurement(what=what, ours=mine, rivals=(Rival(name=rival, values=values),), aims=aims, note=note))
