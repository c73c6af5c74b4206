"""What serves follows the registry: at once where it can, later where it cannot, and never by dropping a request."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from abtest.errors import InvalidInputError, ModelNotFoundError
from abtest.live.server.watching import NotReadyError, Serving, Watcher
from abtest.registry import Reference, RegistryClient
from tests.live.servers import serving
from tests.waiting import until

if TYPE_CHECKING:
    from abtest.lifecycle import Registry
    from abtest.live.shadow.shadow import Shadow
    from abtest.loaders.references import Pinned

PEAR = {"width": 5.0, "height": 9.0}


class Loader:
    """Makes no model ready; remembers which versions it was asked for, and does not load those that are broken."""

    def __init__(self, *broken: int) -> None:
        self.broken = set(broken)
        self.asked: list[int] = []

    def __call__(self, side: str, pinned: Pinned) -> Any:
        """Load a version, or not."""
        assert side == "champion"
        assert pinned.version is not None
        self.asked.append(pinned.version.version)
        if pinned.version.version in self.broken:
            raise InvalidInputError(f"Version {pinned.version.version} does not load.")
        return object()


def cast_nobody(experiment: object) -> Shadow:
    """There is no experiment."""
    raise AssertionError(experiment)


def watcher(registry: Registry, load: Loader, reference: Reference | None = None) -> Watcher:
    """One that looks when it is told to."""
    client = RegistryClient(str(registry))
    return Watcher(client, load, name="iris", reference=reference, experiment=lambda: None, cast=cast_nobody)


def test_nothing_serves_before_it_is_loaded() -> None:
    """What serves before the first model is loaded is nothing, and says so."""
    with pytest.raises(NotReadyError, match="No model is loaded yet"):
        Serving().ready()


def test_a_version_is_loaded_once_and_a_promoted_one_takes_its_place(iris: Registry) -> None:
    """While the registry says the same, nothing is loaded; a promotion and a rollback each load what serves then."""
    load = Loader()
    watched = watcher(iris, load)
    watched.load_champion()
    first = watched.now
    watched.look()
    assert (load.asked, watched.now.champion) == ([1], first.champion)
    iris.promote("iris", 2, why="test")
    watched.look()
    assert watched.now.ready().version == 2
    assert first.ready().version == 1  # a request that holds on to it is answered by it
    iris.rollback("iris", why="test")
    watched.look()
    assert (load.asked, watched.now.ready().version) == ([1, 2, 1], 1)


def test_where_a_version_stands_is_told_without_loading_it_again(iris: Registry) -> None:
    """A stage or an alias that changes of the version that serves is told, and the model stays loaded."""
    load = Loader()
    watched = watcher(iris, load, Reference(kind="version", value="2"))
    watched.load_champion()
    iris.promote("iris", 2, why="test")
    watched.look()
    version = watched.now.ready().pinned.version
    assert version is not None
    assert (version.stage, load.asked) == ("Production", [2])


def test_a_version_that_does_not_load_leaves_the_one_that_serves(iris: Registry) -> None:
    """A new version that does not load is not tried at every look, and what served goes on and says why."""
    load = Loader(2)
    watched = watcher(iris, load)
    watched.load_champion()
    iris.promote("iris", 2, why="test")
    for _ in range(3):
        watched.look()
    assert (load.asked, watched.now.ready().version) == ([1, 2], 1)
    assert "Version 2 does not load" in str(watched.now.trouble)
    iris.rollback("iris", why="test")
    watched.look()
    assert watched.now.trouble is None


def test_a_registry_that_is_gone_is_told_once_and_found_again(iris: Registry, caplog: pytest.LogCaptureFixture) -> None:
    """While the registry is gone what served goes on; it is logged once, counted each time, and found again."""
    watched = watcher(iris, Loader())
    watched.load_champion()
    database = Path(str(iris).removeprefix("sqlite:///"))
    kept = shutil.copy(database, database.with_suffix(".kept"))
    database.write_bytes(b"no database")
    for _ in range(3):
        watched.look()
    assert (watched.now.ready().version, watched.failures) == (1, 3)
    assert watched.now.trouble
    assert len(caplog.records) == 1
    shutil.copy(kept, database)
    watched.look()
    assert watched.now.trouble is None


def test_a_stage_that_is_emptied_leaves_what_serves(iris: Registry) -> None:
    """Where no version is in the stage any more, what served goes on; at the start it is an error."""
    watched = watcher(iris, Loader(), Reference(kind="stage", value="Production"))
    watched.load_champion()
    iris.archive("iris", 1, why="test")
    watched.look()
    assert watched.now.ready().version == 1
    with pytest.raises(ModelNotFoundError):
        watcher(iris, Loader(), Reference(kind="stage", value="Production")).load_champion()


def test_a_promotion_reaches_a_server_without_dropping_a_request(iris: Registry, tmp_path: Path) -> None:
    """While requests flow, a promotion and a rollback change who answers within seconds, and each is answered."""
    answered: list[tuple[int, int]] = []
    ended = threading.Event()
    with serving("--model-name", "iris", "--tracking-uri", str(iris), folder=tmp_path) as server:

        def ask() -> None:
            with httpx.Client(base_url=server.client.base_url, timeout=30) as client:
                while not ended.is_set():
                    answer = client.post("/predict", json=PEAR)
                    answered.append((answer.status_code, answer.json().get("model_version")))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: len(answered) > 10)
            iris.promote("iris", 2, why="test")
            until(lambda: answered[-1][1] == 2)
            iris.rollback("iris", why="test")
            until(lambda: answered[-1][1] == 1)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
    assert {status for status, _ in answered} == {200}
    assert {version for _, version in answered} == {1, 2}
