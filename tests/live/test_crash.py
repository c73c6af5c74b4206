"""kill -9 at any moment: what was acknowledged is in the log, and what was not is a gap that can be counted."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from abtest.live.log import Feedback, Received
from abtest.live.store import Store
from tests.live.logs import engine, sequences

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


def answer_until_killed(url: str, lines: int) -> list[list[str]]:
    """Have a process answer, kill it when it has said so many lines, and give all that it said."""
    command = [sys.executable, "-m", "tests.live.answering", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        said = [line for line, _ in zip(process.stdout, range(lines), strict=False)]
        process.kill()
        said += process.stdout.readlines()
    assert process.returncode == -9
    return [line.split() for line in said if line.endswith("\n")]


def check(url: str, said: Sequence[Sequence[str]]) -> None:
    """Hold the log against what a process said before it was killed."""
    (server,) = [words[1] for words in said if words[0] == "server"]
    predictions = {words[1] for words in said if words[0] == "prediction"}
    labels = {words[1]: words[2] for words in said if words[0] == "label"}
    logged = sequences(url, server)
    assert len(set(logged)) == len(logged)
    assert {int(each.rpartition("-")[2]) for each in predictions} <= set(logged)
    with Store(url) as store:
        receipts = store.record([Feedback(prediction_id=each, label=label) for each, label in labels.items()])
        assert {receipt.received for receipt in receipts} <= {Received.UNCHANGED}
        known = next((each for each in store.servers() if each.server == server), None)
    # Rows that nobody waited for are written in order: what the crash lost is the end of them, and nothing before it.
    assigned = [int(words[1]) for words in said if words[0] == "assigned"]
    written = [number for number in assigned if number in set(logged)]
    assert written == assigned[: len(written)]
    if known is not None:
        gaps = set(range(1, known.assigned + 1)) - set(logged)
        assert not known.closed
        assert (known.logged, known.lost) == (len(logged), 0)
        assert len(gaps) == known.assigned - sum(number <= known.assigned for number in logged)
        acknowledged = {int(each.rpartition("-")[2]) for each in predictions}
        assert not gaps & (acknowledged | set(written))


def kill(url: str, times: int) -> None:
    """Kill a process at random moments, each time in the log that the last one left."""
    moments = random.Random(20260501)  # noqa: S311 - not for secrets
    Store(url).close()
    for _ in range(times):
        check(url, answer_until_killed(url, moments.choice((1, moments.randint(2, 50), moments.randint(50, 2500)))))
    with engine(url).connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM abtest_predictions")) > 0
        if url.startswith("sqlite"):
            assert connection.scalar(sa.text("PRAGMA integrity_check")) == "ok"


def test_what_is_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Killed five times, no acknowledged prediction or label is missing."""
    kill(f"sqlite:///{tmp_path / 'log.db'}", 5)


@pytest.mark.slow
def test_what_is_acknowledged_survives_fifty_kills(tmp_path: Path) -> None:
    """Killed fifty times, no acknowledged prediction or label is missing, and the file is sound."""
    kill(f"sqlite:///{tmp_path / 'log.db'}", 50)


@pytest.mark.slow
def test_what_is_acknowledged_survives_kills_on_postgresql(request: pytest.FixtureRequest) -> None:
    """So it is on PostgreSQL."""
    kill(request.getfixturevalue("postgresql").url, 10)
