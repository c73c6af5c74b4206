"""Servers that start, end and are replaced: what is accepted is answered, and what is answered is written down."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from abtest.live.store import Store
from tests import zoo
from tests.live import moody
from tests.live.logs import away
from tests.live.servers import serving
from tests.waiting import until

if TYPE_CHECKING:
    import pandas as pd

    from abtest.lifecycle import Registry
    from abtest.registry import RegistryClient

PEAR = {"width": 5.0, "height": 9.0}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_writes_down_all_that_it_answered(
    iris: Registry, tmp_path: Path, how: signal.Signals
) -> None:
    """After SIGTERM, and after Ctrl-C, every prediction is in the log, which knows that the server was closed."""
    with serving("--model-name", "iris", "--tracking-uri", str(iris), folder=tmp_path) as server:
        asked = 300
        for _ in range(asked // 5):
            server.post("/predict/batch", {"instances": [PEAR] * 5})
        assert server.end(how) == 0
    with Store(f"sqlite:///{tmp_path / 'abtest-live.db'}") as store:
        (known,) = store.servers()
    assert (known.closed, known.assigned, known.logged, known.lost) == (True, asked, asked, 0)


def test_what_was_accepted_is_answered_before_a_server_ends(registry: RegistryClient, tmp_path: Path) -> None:
    """While a slow model thinks a server says that it is well; told to end, it answers the request, and logs it."""
    dawdling, enough = tmp_path / "dawdling", tmp_path / "enough"

    def slow(frame: pd.DataFrame) -> Any:
        import time

        dawdling.touch()
        while not enough.exists():
            time.sleep(0.01)
        return ["pear"] * len(frame)

    source = zoo.save(slow, tmp_path / "model", inputs=zoo.signature(width="double", height="double"))
    zoo.register(registry.client, "slow", source, stages={1: "Production"})
    answers: list[httpx.Response] = []
    with serving("--model-name", "slow", "--tracking-uri", registry.tracking_uri, folder=tmp_path) as server:
        asking = threading.Thread(target=lambda: answers.append(server.client.post("/predict", json=PEAR)))
        asking.start()
        until(dawdling.exists)
        with httpx.Client(base_url=server.client.base_url, timeout=30) as other:
            assert other.get("/health").status_code == 200
        server.process.terminate()
        until(lambda: _refuses(str(server.client.base_url)))
        enough.touch()
        assert server.process.wait(60) == 0
        asking.join()
    assert answers[0].json()["prediction"] == "pear"
    with Store(f"sqlite:///{tmp_path / 'abtest-live.db'}") as store:
        (known,) = store.servers()
    assert (known.closed, known.logged) == (True, 1)


def _refuses(url: str) -> bool:
    try:
        httpx.get(url, timeout=5)
    except httpx.TransportError:
        return True
    return False


def test_a_worker_that_dies_is_replaced(iris: Registry, tmp_path: Path) -> None:
    """Two workers share one port and one log; one that is killed is replaced, and its loss is what the log lacks."""
    arguments = ("--model-name", "iris", "--tracking-uri", str(iris), "--workers", "2")
    with serving(*arguments, folder=tmp_path) as server:

        def names() -> set[str]:
            named = set()
            for _ in range(40):
                with httpx.Client(base_url=server.client.base_url, timeout=30) as client:
                    named.add(client.get("/model/info").json()["server"])
            return named

        until(lambda: len(names()) == 2)
        before = names()
        killed = max(_children(server.process.pid))
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(names() - before) == 1 and len(names()) == 2)
        assert server.post("/predict", PEAR)["prediction"] == "pear"
        assert server.end() == 0
    with Store(f"sqlite:///{tmp_path / 'abtest-live.db'}") as store:
        assert [known.closed for known in store.servers()].count(False) == 1


def _children(parent: int) -> list[int]:
    """The workers: children of a process that answer requests."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            words = status.with_name("cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == parent and b"spawn_main" in words:
            found.append(int(status.parent.name))
    return found


def test_workers_that_cannot_load_end_the_server(registry: RegistryClient, tmp_path: Path) -> None:
    """A model that does not load ends a server at its start, of one process or of several, with the reason."""
    moody.register(registry, tmp_path / "models")
    for workers in ("1", "2"):
        with serving(
            "--model-name", "moody", "--version", "3", "--tracking-uri", registry.tracking_uri, "--workers", workers,
            folder=tmp_path, ready=False,
        ) as server:  # fmt: skip
            assert server.process.wait(60) == 1
            assert "models:/moody/3" in server.said
            assert "does not load" in server.said
            assert "Traceback" not in server.said


def test_a_database_that_is_gone_stops_labels_and_not_predictions(iris: Registry, tmp_path: Path) -> None:
    """While the log does not answer, predictions are answered and written later; a label is refused, not lost."""
    url = f"sqlite:///{tmp_path / 'abtest-live.db'}"
    with serving("--model-name", "iris", "--tracking-uri", str(iris), folder=tmp_path) as server:
        named = server.post("/predict", PEAR)["prediction_id"]
        label = {"prediction_id": named, "label": "pear"}
        with away(url):
            assert server.post("/predict", PEAR)["prediction"] == "pear"
            told = server.post("/feedback", label, status=503)
            assert told["hint"]
        until(lambda: server.client.post("/feedback", json=label).status_code in {200, 201})
        assert server.end() == 0
    with Store(url) as store:
        (known,) = store.servers()
    assert (known.logged, known.lost) == (2, 0)


def test_without_a_log_predictions_are_answered_and_labels_are_not(iris: Registry, tmp_path: Path) -> None:
    """A server without a log writes nothing, numbers its predictions, and says that it takes no labels."""
    with serving("--model-name", "iris", "--tracking-uri", str(iris), "--no-log", folder=tmp_path) as server:
        named = server.post("/predict", PEAR)["prediction_id"]
        assert named.endswith("-1")
        told = server.post("/feedback", {"prediction_id": named, "label": "pear"}, status=503)
        assert "no log" in told["error"]
    assert not (tmp_path / "abtest-live.db").exists()


def test_the_model_of_a_run_is_served(trained: tuple[RegistryClient, tuple[str, ...]], tmp_path: Path) -> None:
    """A model that a run logged is served unregistered: without a version, and with its run."""
    registry, runs = trained
    with serving("--run-id", runs[0], "--tracking-uri", registry.tracking_uri, folder=tmp_path) as server:
        info = server.info()
        assert (info["version"], info["run_id"]) == (None, runs[0])
        assert server.post("/predict", PEAR)["model_version"] is None


def test_a_durable_prediction_is_in_the_log_when_it_is_answered(iris: Registry, tmp_path: Path) -> None:
    """With --durable a prediction that was answered is in the log, though the server is killed at once."""
    with serving("--model-name", "iris", "--tracking-uri", str(iris), "--durable", folder=tmp_path) as server:
        numbers = [int(server.post("/predict", PEAR)["prediction_id"].split("-")[1]) for _ in range(20)]
        server.end(signal.SIGKILL)
    with Store(f"sqlite:///{tmp_path / 'abtest-live.db'}") as store:
        (known,) = store.servers()
    assert (numbers, known.logged, known.closed) == (list(range(1, 21)), 20, False)
