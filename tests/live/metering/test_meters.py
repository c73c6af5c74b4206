"""What one process counts, and what several that are one server count together."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import prometheus_client
from hypothesis import given
from hypothesis import strategies as st

from abtest.live.log import NEVER_SCORED, Receipt, Received
from abtest.live.metering.followed import Rising
from abtest.live.metering.meters import Meters, shared
from tests.live import logs, scraped
from tests.live.servers import Server, serving
from tests.waiting import until

if TYPE_CHECKING:
    import pytest

    from abtest.live.log import Logged

ERRORS = (None, "raised", "deadline", "dropped", "crashed", "shape")


def exposed(meters: Meters, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name."""
    return scraped.values(prometheus_client.generate_latest(meters.registry).decode(), name)


@st.composite
def batches(draw: st.DrawFn) -> list[list[Logged]]:
    """Requests of some rows."""
    kinds = st.tuples(st.sampled_from(("champion", "challenger")), st.sampled_from(ERRORS), st.sampled_from((0.1, 2.0)))
    rows = st.lists(kinds, min_size=1, max_size=4)
    return [
        [logs.row("a", at, arm=arm, error=error, seconds=seconds) for at, (arm, error, seconds) in enumerate(some)]
        for some in draw(st.lists(rows, max_size=5))
    ]


@given(batches())
def test_every_row_is_counted_once(requests: list[list[Logged]]) -> None:
    """A row is a prediction or a failure of one kind, however rows are batched; time is of those that had a turn."""
    meters = Meters("fruit")
    for rows in requests:
        meters.rows(rows)
    every = [row for rows in requests for row in rows]
    done = Counter(row.arm for row in every if row.error is None)
    assert exposed(meters, "abtest_predictions_total") == {(arm, "fruit", "true", "1"): n for arm, n in done.items()}
    failed = Counter((row.arm, str(row.error), "fruit", "1") for row in every if row.error is not None)
    assert exposed(meters, "abtest_prediction_failures_total") == dict(failed)
    timed = Counter(
        (arm,)
        for rows in requests
        for _, arm, _, _ in {(r.error, r.arm, r.served, r.seconds) for r in rows if r.error not in NEVER_SCORED}
    )
    assert exposed(meters, "abtest_prediction_duration_seconds_count") == dict(timed)


def test_labels_are_counted_by_what_happened() -> None:
    """Each receipt counts once; a lag is observed where a label was the first, and never below 0."""
    meters = Meters("fruit")
    meters.labels([Receipt(prediction_id="a-1", received=Received.RECORDED, lag=lag) for lag in (-1.0, 90.0)])
    meters.labels([Receipt(prediction_id="a-1", received=Received.UNCHANGED)])
    assert exposed(meters, "abtest_labels_total") == {("recorded",): 2, ("unchanged",): 1}
    assert exposed(meters, "abtest_label_lag_seconds_sum") == {(): 90}
    assert exposed(meters, "abtest_label_lag_seconds_count") == {(): 2}


def test_a_folder_is_there_while_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started meanwhile finds the folder in its environment; after that all is as it was."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "the user's")
    with shared():
        folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        assert folder.is_dir()
    assert not folder.exists()
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == "the user's"


def workers(server: Server) -> list[int]:
    """The processes that answer: children of the server that listen."""
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text(encoding="ascii")
    return [pid for pid in map(int, found.split()) if "spawn_main" in _command(pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def test_workers_count_together(registered: Path, tmp_path: Path) -> None:
    """Whichever worker is asked tells of all; a worker that is killed takes nothing with it; the folder is removed."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = ("--model-name", "iris", "--tracking-uri", f"sqlite:///{registered}", "--workers", "2", "--no-log")
    with serving(*arguments, folder=tmp_path, variables={"TMPDIR": str(temporary)}) as server:

        def counted() -> set[float]:
            """Rows predicted, as told by whoever answers ten connections."""
            found = set()
            for _ in range(10):
                with httpx.Client(base_url=server.client.base_url) as client:
                    text = client.get("/metrics").text
                    found.add(sum(scraped.values(text, "abtest_predictions_total").values()))
            return found

        def ask(times: int) -> None:
            for _ in range(times):
                with httpx.Client(base_url=server.client.base_url) as client:
                    client.post("/predict", json={"features": [5.0, 9.0]}).raise_for_status()

        ask(30)
        assert counted() == {30.0}
        assert list(temporary.glob("abtest-meters-*"))
        before = workers(server)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(workers(server)) == 2 and before[0] not in workers(server))
        ask(10)
        assert counted() == {40.0}
        assert server.end() == 0
    assert not list(temporary.glob("abtest-meters-*"))


def test_followed_totals_never_fall() -> None:
    """A total that starts again, since another one counts, adds to what was there."""
    registry = prometheus_client.CollectorRegistry()
    rising = Rising(prometheus_client.Counter("abtest_x", "X.", registry=registry))
    one, other = object(), object()
    for of, total, expected in ((one, 3, 3), (one, 5, 5), (other, 2, 7), (other, 2, 7), (one, 1, 8)):
        rising.follow(of, total)
        assert registry.get_sample_value("abtest_x_total") == expected
