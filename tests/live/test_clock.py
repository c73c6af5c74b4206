"""A clock that steps back, as clocks do that are set: nothing is lost, nothing counts too early, no look takes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abtest.live.log import Feedback
from abtest.live.store import Store
from abtest.live.writing.writer import Writer
from tests.live import logs
from tests.live.traffic import SERVER, START, logged, plan
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HORIZON, BACK = 60.0, 3600.0  # seconds


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'log.db'}") as store:
        yield store


def clock(sequence: int) -> float:
    """Seconds since the start by a clock that is set back by an hour after every hundredth row."""
    return sequence - BACK * (sequence // 100)


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_what_is_counted_only_grows(store: Store, mode: str) -> None:
    """With times that step back, each unit counts once its own time and horizon have passed, and from then on."""
    experiment = plan(mode=mode, planned_n=300, horizon=HORIZON)
    store.start(experiment, inclusion=1.0, why="test")
    rows = range(1, 301)
    for i in rows:
        arms = ("champion", "challenger") if mode == "shadow" else ("challenger" if i % 2 else "champion",)
        store.write([logged(experiment, arm, i % 3, sequence=i, at=clock(i)) for arm in arms])  # type: ignore[arg-type] # they are
        store.record([Feedback(prediction_id=f"{SERVER}-{i}", label=0)], received_at=START.timestamp() + clock(i) + 1)
    read = store.pairs if mode == "shadow" else store.arms
    before = 0
    for second in range(-3 * int(BACK), 400, 25):
        now = START + timedelta(seconds=second)
        period, groups = read(experiment, until=now)
        counted = sum(group.n for group in groups)
        assert counted == sum(clock(i) + HORIZON <= second for i in rows)
        assert counted >= before
        assert all(0 <= group.bucket < period.buckets for group in groups)
        before = counted
    assert before == 300


def test_labels_from_before_their_predictions_are_kept(store: Store) -> None:
    """A label that comes, by the clock, before its prediction counts when the prediction is mature, and no earlier."""
    experiment = plan(horizon=HORIZON)
    store.start(experiment, inclusion=1.0, why="test")
    store.write([logged(experiment, arm, 0, sequence=1, at=BACK) for arm in ("champion", "challenger")])
    store.record([Feedback(prediction_id=f"{SERVER}-1", label=0)], received_at=START.timestamp())
    mature = START + timedelta(seconds=BACK + HORIZON)
    for moment, known in ((mature - timedelta(seconds=1), 0), (mature, 1)):
        assert sum(group.n for group in store.pairs(experiment, until=moment)[1]) == known


def test_a_server_writes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose clock is set back writes all its rows and labels, and its last sign of life stays the last."""
    writer = Writer(store)
    log = f"{store}"
    until(store.servers)
    (known,) = store.servers()
    ago = datetime.now(UTC).timestamp() - BACK
    monkeypatch.setattr("time.time", lambda: ago)
    rows = [logs.row(writer.server, number, at=ago) for number in writer.sequence.next(50)]
    writer.log(rows[:25])
    writer.durable(rows[25:]).result(30)
    receipts = writer.feedback([Feedback(prediction_id=row.prediction_id, label="yes") for row in rows]).result(30)
    assert {str(receipt.received) for receipt in receipts} == {"recorded"}
    counters = writer.close(patience=30)
    assert (counters.written, counters.lost, counters.labels) == (50, 0, 50)
    assert logs.sequences(log, writer.server) == [*range(1, 51)]
    (after,) = store.servers()
    assert after.seen_at >= known.seen_at
    assert after.closed
