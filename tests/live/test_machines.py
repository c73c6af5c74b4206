"""More than one process on one PostgreSQL: the same arms, and one log."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from abtest.live.store import Store
from tests.live.logs import engine, epoch, experiment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

ROOT = Path(__file__).parents[2]
UNITS = [f"user-{number}" for number in range(300)]


@contextlib.contextmanager
def server(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that routes and logs, ended in order."""
    command = [sys.executable, "-m", "tests.live.routed", url]
    with subprocess.Popen(  # noqa: S603 - our own
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def ask(process: subprocess.Popen[str], units: Sequence[str]) -> list[list[str]]:
    """What the process says of units."""
    assert process.stdin is not None
    assert process.stdout is not None
    said = []
    for unit in units:
        process.stdin.write(f"{unit}\n")
        process.stdin.flush()
        said.append(process.stdout.readline().split())
    return said


def test_two_processes_give_the_same_arms_and_one_log(request: pytest.FixtureRequest) -> None:
    """Whichever process a unit meets, its arm is the same, before and after a ramp, and the log has them all."""
    url = request.getfixturevalue("postgresql").url
    with Store(url) as store:
        store.start(experiment(salt="s"), inclusion=0.3, why="tests")
        with server(url) as one, server(url) as other:
            few = ask(one, UNITS)
            assert ask(other, UNITS) == few
            store.turn(epoch(2, inclusion=1.0))
            for process in (one, other):
                while ask(process, UNITS[:1])[0][3] != "2":
                    pass  # asking takes time: it is no busy loop
            all_of_them = ask(one, UNITS)
            assert ask(other, UNITS) == all_of_them
        assert {words[1] for words in all_of_them} == {"champion", "challenger"}
        was = {words[0]: words[1] for words in few if words[2] != "None"}
        assert 0 < len(was) < len(UNITS)
        assert was.items() <= {words[0]: words[1] for words in all_of_them}.items()
        assert all(each.closed and each.logged == each.assigned >= 600 for each in store.servers())
        assert len(store.servers()) == 2
    with engine(url).connect() as connection:
        exposed = connection.execute(
            sa.text("SELECT arm, count(*) FROM abtest_exposures GROUP BY arm ORDER BY arm")
        ).all()
        arms = sorted(words[1] for words in all_of_them)
        assert [tuple(each) for each in exposed] == [(arm, arms.count(arm)) for arm in ("challenger", "champion")]
