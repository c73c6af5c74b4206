"""A real server is killed, or its disk is full, under load: what it acknowledged is there."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from abtest.live.log import Feedback, Received
from abtest.live.store import Store
from tests.live.disks import fill, small_disk
from tests.live.flowing import flowing
from tests.live.logs import sequences
from tests.live.servers import serving
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from abtest.lifecycle import Registry

__all__ = ["small_disk"]  # a fixture

PEAR = {"width": 5.0, "height": 9.0}


@pytest.mark.slow
def test_a_durable_server_that_is_killed_under_load_keeps_its_word(iris: Registry, tmp_path: Path) -> None:
    """Killed three times while requests and labels flow, no prediction or label that was acknowledged is missing."""
    url = f"sqlite:///{tmp_path / 'abtest-live.db'}"
    acknowledged: dict[str, str] = {}
    arguments = ("--model-name", "iris", "--tracking-uri", str(iris), "--durable")
    for kills in range(3):
        with serving(*arguments, folder=tmp_path) as server:
            with flowing([server.client.base_url], PEAR, threads=4) as flow:
                while len(acknowledged) < 30 * (kills + 1):
                    flow.go_on(5)
                    for named in flow.ids[-5:]:
                        told = server.post("/feedback", {"prediction_id": named, "label": "pear"}, status=201)
                        assert told["received"] == "recorded"
                        acknowledged[named] = "pear"
                server.end(signal.SIGKILL)
            assert {asked.status for asked in flow.asked} <= {0, 200}
            own = {int(each.partition("-")[2]) for each in flow.ids}
            logged = sequences(url, flow.ids[0].partition("-")[0])
        assert own <= set(logged)
        assert len(logged) == len(set(logged)) <= len(own) + 4  # what was committed, and not answered any more
    with Store(url) as store:
        labels = [Feedback(prediction_id=named, label=label) for named, label in acknowledged.items()]
        assert {receipt.received for receipt in store.record(labels)} == {Received.UNCHANGED}
        assert [known.closed for known in store.servers()] == [False] * 3


@pytest.mark.slow
def test_a_full_disk_stops_labels_and_not_predictions(iris: Registry, small_disk: Path, tmp_path: Path) -> None:
    """While the log's disk is full predictions are answered, and labels are refused; with room again, all is there."""
    url = f"sqlite:///{small_disk / 'log.db'}"
    arguments = ("--model-name", "iris", "--tracking-uri", str(iris), "--store", url, "--log-features", "1")
    with serving(*arguments, folder=tmp_path) as server:
        named = server.post("/predict", PEAR)["prediction_id"]
        until(lambda: sequences(url, named.partition("-")[0]) == [1])
        ballast = small_disk / "ballast"
        fill(ballast)
        with flowing([server.client.base_url], PEAR) as flow:
            until(lambda: _refuses_labels(server.client, named))
            flow.go_on(100)
            assert {asked.status for asked in flow.asked} == {200}
        ballast.unlink()
        until(lambda: server.client.post("/feedback", json={"prediction_id": named, "label": "pear"}).is_success)
        assert server.end() == 0
    with Store(url) as store:
        (known,) = store.servers()
    assert (known.logged, known.lost, known.closed) == (len(flow.asked) + 1, 0, True)


def _refuses_labels(client: httpx.Client, named: str) -> bool:
    return client.post("/feedback", json={"prediction_id": named, "label": "apple"}).status_code == 503
