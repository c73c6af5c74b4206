"""What do the log, a split and a shadow cost a server?

`abtest serve` of one logistic regression, five times: without a log, with the log in SQLite, with an experiment that
splits all units between two such models, with one that shadows all, and of the second model alone. They are loaded in
turns, over 4 connections, with 200 units. The next turn begins when all that was logged is in the file, and the shadow
has scored it or dropped it: every answer must be there. What a shadow may cost is what a second server that answers the
same rows with the challenger takes: its time is added to that of the champion's. The client, the server, its log and
the shadow share the machine's cores.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import tempfile
import timeit
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.linear_model import LogisticRegression

from abtest.live.assignment import Assigner
from abtest.live.experiment import MODES, Experiment
from abtest.live.log import Logged
from abtest.live.store import Store
from benchmarks import servers
from benchmarks.loading import generator, in_turns, rounds_of
from benchmarks.measured import OURS, Aim, Measurement
from benchmarks.timing import compare, interleaved, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.live.experiment import Mode
    from benchmarks.loading import Asked, Load, Turns

CONNECTIONS = 4
_NONE, _LOG, _SPLIT, _SHADOW, _SECOND = "none", "log", "split", "shadow", "second"
# Answered since there is a shadow: an experiment has begun a moment earlier.
_PAIRED = "served AND sequence >= (SELECT min(sequence) FROM abtest_predictions WHERE arm = 'challenger')"
_BATCH, _BY_HAND = 500, "sqlite3 by hand"
_INSERT = "INSERT INTO abtest_predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UNITS = [f"user-{number}" for number in range(200)]


@dataclass(slots=True, kw_only=True)
class _Log:
    """The log of one server, and what must be in it."""

    path: Path
    expected: int = 0
    settled: list[float] = field(default_factory=list)  # how long it took to be whole, by turn

    def rows(self, where: str) -> int:
        with contextlib.closing(sqlite3.connect(self.path)) as database:
            (found,) = database.execute(f"SELECT count(*) FROM abtest_predictions WHERE {where}").fetchone()  # noqa: S608 - ours
        return int(found)

    def settle(self, load: Load, *, shadowed: bool) -> None:
        """Wait until it is whole."""
        self.expected += load.requests
        began = timeit.default_timer()
        servers.until(lambda: self.rows("served") >= self.expected)
        self.settled.append(timeit.default_timer() - began)
        servers.until(lambda: not shadowed or self.rows(_PAIRED) == self.rows("arm = 'challenger'"))
        self.expected = self.rows("served")  # with those that were on their way when the client's time was over


def main(*, quick: bool = False) -> None:
    """Measure servers, then what they do for each row."""
    with tempfile.TemporaryDirectory() as scratch:
        _serve(Path(scratch), quick=quick)
        _write(Path(scratch), rows=1_000 if quick else 20_000)
    _assign(calls=1_000 if quick else 100_000)


def _serve(folder: Path, *, quick: bool) -> None:
    uri = servers.register(folder, [LogisticRegression(C=c, max_iter=10_000) for c in (1.0, 0.1)])
    some = servers.rows(len(_UNITS))
    asked: dict[str, Asked] = {}
    logs: dict[str, _Log] = {}
    with contextlib.ExitStack() as running:
        for name in (_NONE, _LOG, _SPLIT, _SHADOW, _SECOND):
            here = folder / name
            option = ["--no-log"] if name == _NONE else ["--store", f"sqlite:///{here / 'log.db'}"]
            port = running.enter_context(servers.abtest(uri, 2 if name == _SECOND else 1, here, *option))
            asked[name] = servers.ours(port, some, _UNITS)
            if name != _NONE:
                logs[name] = _Log(path=here / "log.db")
        for mode in MODES:
            _start(mode, asked[mode], logs[mode])
        for log in logs.values():
            log.expected = log.rows("served")

        def after(name: str, load: Load) -> None:
            if name in logs:
                logs[name].settle(load, shadowed=name == _SHADOW)

        rounds, seconds = (1, 1) if quick else (7, 2)
        turns = in_turns(asked, connections=CONNECTIONS, rounds=rounds, seconds=seconds, after=after)
    _told(turns, logs)


def _start(mode: Mode, asked: Asked, log: _Log) -> None:
    """Start an experiment, and wait until the server takes part, with a challenger that predicts."""
    with Store(f"sqlite:///{log.path}") as store:
        plan = Experiment(
            name=mode,
            model_name=servers.MODEL,
            mode=mode,
            champion_version=1,
            challenger_version=2,
            planned_n=1_000_000,
            created_at=datetime.now(UTC),
            created_by="benchmarks",
        )
        store.start(plan, inclusion=1.0, why="to be measured")
    servers.until(lambda: servers.answers(asked) and log.rows("arm = 'challenger' AND error IS NULL"))


def _told(turns: Turns, logs: dict[str, _Log]) -> None:
    each = rounds_of(turns, lambda load: load.each)
    rates = "; ".join(f"{name} {1 / statistics.median(of):,.0f}" for name, of in each.items())
    late = max(max(log.settled) for log in logs.values())
    note = f"Requests a second: {rates}. Asked by {generator()}. The log was whole at most {late:.2f} s after a turn."
    none, tenth = "abtest, no log", (Aim(at_most=1 / 0.9, of="abtest, no log"),)
    compare("a request, with the log", {OURS: each[_LOG], none: each[_NONE]}, note=note)
    compare("a request, with the log and a split", {OURS: each[_SPLIT], none: each[_NONE]}, aims=tenth)
    two = "abtest, both models, each in a server with a log"
    both = tuple(one + other for one, other in zip(each[_LOG], each[_SECOND], strict=True))
    dropped = logs[_SHADOW].rows("error = 'dropped'") / logs[_SHADOW].rows("arm = 'challenger'")
    compare(
        "a request, with the log and a shadow",
        {OURS: each[_SHADOW], two: both, none: each[_NONE]},
        aims=(Aim(at_most=1, of=two),),
        note=f"The shadow dropped {dropped:.1%} of its rows.",
    )
    compare("p99, with the log and a split", {OURS: _p99(turns, _SPLIT), none: _p99(turns, _NONE)})
    compare("p99, with the log and a shadow", {OURS: _p99(turns, _SHADOW), none: _p99(turns, _NONE)})


def _p99(turns: Turns, name: str) -> tuple[float, ...]:
    return tuple(load.p99 for load in turns[name])


def _write(folder: Path, *, rows: int) -> None:
    """Write rows of one experiment in batches, beside the same values by hand, into the same table."""
    each: dict[str, list[float]] = {OURS: [], _BY_HAND: []}
    with Store(f"sqlite:///{folder / 'ours.db'}") as store, Store(f"sqlite:///{folder / 'theirs.db'}"):
        by_hand = sqlite3.connect(folder / "theirs.db")
        by_hand.execute("PRAGMA synchronous = FULL")

        def insert(batch: list[tuple[object, ...]]) -> None:
            with by_hand:
                by_hand.executemany(_INSERT, batch)

        for turn in range(6):  # each into what the last one left, under another server's name
            logged = _rows(f"{turn:016x}", rows)
            values = [(one.server, one.sequence, one.arm, one.at, True, 1, "1", one.seconds, None, "split", 1, one.unit,
                       None) for one in logged]  # fmt: skip
            each[OURS].append(_timed(store.write, logged))
            each[_BY_HAND].append(_timed(insert, values))
        by_hand.close()
    rounds = {name: tuple(of[1:]) for name, of in each.items()}
    compare(f"log a row, in batches of {_BATCH}", rounds, note=f"{_BY_HAND} writes no exposures.")


def _rows(server: str, count: int) -> list[Logged]:
    return [
        Logged(server=server, sequence=number, at=1.8e9, arm="champion", served=True, model_version=1, prediction=1,
               seconds=1e-4, experiment="split", epoch=1, unit=_UNITS[number % len(_UNITS)])
        for number in range(count)
    ]  # fmt: skip


def _timed(write: Callable[[list[Any]], object], rows: list[Any]) -> float:
    """Seconds a row."""
    began = timeit.default_timer()
    for at in range(0, len(rows), _BATCH):
        write(rows[at : at + _BATCH])
    return (timeit.default_timer() - began) / len(rows)


def _assign(*, calls: int) -> None:
    """Assign units to arms, half of them included."""
    assign = Assigner("split", "salt", challenger_share=0.5, inclusion=0.5)
    units = [f"user-{number}" for number in range(calls)]
    rounds = interleaved({OURS: lambda: [*map(assign, units)]}, rounds=7)
    each = tuple(seconds / calls for seconds in rounds[OURS])
    record(Measurement(what="assign a unit", ours=each, aims=(Aim(at_most=2e-6),)))
