"""Experiments on a server's traffic: who answers, what is logged, and what a challenger that goes wrong does to it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from abtest.live.assignment import Assigner
from abtest.live.experiment import State
from abtest.live.store import Store
from abtest.registry import RegistryClient
from tests import zoo
from tests.live import logs, moody
from tests.live.moody import Mood
from tests.live.servers import Server, serving
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abtest.live.experiment import Experiment

DEADLINE = 0.5


@pytest.fixture(scope="module")
def folder(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a registry of "moody": a version 1 that answers, and a version 2 that does what it is told."""
    made = tmp_path_factory.mktemp("moody")
    moody.register(RegistryClient(zoo.copy(templates / "empty.db", made)), made / "models")
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server of version 1."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with serving(
        "--model-name", "moody", "--version", "1", "--tracking-uri", uri, "--deadline", str(DEADLINE), folder=folder
    ) as server:
        yield server


@pytest.fixture
def store(server: Server, folder: Path) -> Iterator[Store]:
    """The server's log."""
    assert server.process.poll() is None
    with Store(f"sqlite:///{folder / 'abtest-live.db'}") as store:
        yield store


def begin(store: Store, server: Server, **plan: Any) -> Experiment:
    """Start an experiment, and wait until the server takes part."""
    experiment = logs.experiment(model_name="moody", created_at=datetime.now(UTC), **plan)
    store.start(experiment, inclusion=1.0, why="test")
    until(lambda: server.post("/predict", row(Mood.PREDICT))["epoch"] == 1)
    return experiment


def stop(store: Store, server: Server, experiment: Experiment) -> None:
    """Stop an experiment, and wait until the server knows."""
    now = datetime.now(UTC)
    store.turn(logs.epoch(2, experiment=experiment.name, state=State.STOPPED, inclusion=0.0, began_at=now))
    until(lambda: server.info()["experiment"] is None)
    until(lambda: server.info()["challenger"] is None)


def row(mood: Mood, unit: str | None = None) -> dict[str, Any]:
    """A row that version 2 answers in a mood."""
    return {"features": {"number": 7, "mood": mood}, "unit": unit}


def logged(folder: Path, named: str, arms: int = 1) -> dict[str, dict[str, Any]]:
    """What the log has of a prediction, by arm, once it has it."""
    server, number = named.split("-")
    engine = logs.engine(f"sqlite:///{folder / 'abtest-live.db'}")
    query = sa.text("SELECT * FROM abtest_predictions WHERE server = :server AND sequence = :number")

    def found() -> dict[str, dict[str, Any]]:
        with engine.connect() as connection:
            rows = connection.execute(query, {"server": server, "number": int(number)}).mappings()
            return {each["arm"]: dict(each) for each in rows}

    until(lambda: len(found()) == arms)
    return found()


def test_a_split_sends_each_unit_to_its_arm(server: Server, store: Store, folder: Path) -> None:
    """In a split a unit's arm is that of the pure function, each time, and the log has it; it ends with the split."""
    plan = begin(store, server, name="split-a")
    assign = Assigner(plan.name, plan.salt, challenger_share=plan.challenger_share, inclusion=1.0)
    units = [f"user-{number}" for number in range(20)]
    answers = [server.post("/predict", row(Mood.PREDICT, unit)) for unit in units]
    assert [answer["arm"] for answer in answers] == [assign(unit) for unit in units]
    assert {answer["arm"]: answer["model_version"] for answer in answers} == {"champion": 1, "challenger": 2}
    batch = server.post("/predict/batch", {"instances": [[7, Mood.PREDICT]] * 20, "units": units})["predictions"]
    assert [answer["arm"] for answer in batch] == [assign(unit) for unit in units]
    for answer in (*answers[:3], *batch[:3]):
        (entry,) = logged(folder, answer["prediction_id"]).values()
        assert (entry["arm"], entry["experiment"], entry["epoch"], entry["served"]) == (
            answer["arm"],
            "split-a",
            1,
            True,
        )
    stop(store, server, plan)
    assert {server.post("/predict", row(Mood.PREDICT, unit))["arm"] for unit in units} == {"champion"}


MOODS = [(Mood.RAISE, "raised"), (Mood.QUIT, "raised"), (Mood.SHORTEN, "shape"), (Mood.HANG, "deadline")]


def test_the_champion_answers_for_a_challenger_that_fails(server: Server, store: Store, folder: Path) -> None:
    """A challenger that raises, exits, returns the wrong length or hangs is answered for, and logged as failed."""
    plan = begin(store, server, name="split-b")
    assign = Assigner(plan.name, plan.salt, challenger_share=plan.challenger_share, inclusion=1.0)
    unit = next(f"user-{number}" for number in range(50) if assign(f"user-{number}") == "challenger")
    for mood, error in MOODS:
        answer = server.post("/predict", row(mood, unit))
        assert (answer["prediction"], answer["arm"], answer["model_version"]) == (7, "champion", 1)
        entry = logged(folder, answer["prediction_id"])["challenger"]
        assert (entry["error"], entry["prediction"], entry["model_version"]) == (error, None, 2)
        assert not entry["served"]
    began = time.monotonic()
    assert server.client.get("/health").status_code == 200  # though the challenger still hangs
    assert time.monotonic() - began < 30
    assert server.post("/predict", row(Mood.PREDICT, unit))["arm"] == "challenger"
    stop(store, server, plan)


def test_in_shadow_mode_the_champion_answers_and_the_challenger_is_logged(
    server: Server, store: Store, folder: Path
) -> None:
    """In shadow mode every answer is the champion's, and the challenger's is in the log under the same id."""
    plan = begin(store, server, name="shadow-a", mode="shadow", planned_n=None)
    for mood, error in ((Mood.PREDICT, None), (Mood.RAISE, "raised")):
        answer = server.post("/predict", row(mood, "user-1"))
        assert (answer["prediction"], answer["arm"], answer["epoch"]) == (7, "champion", 1)
        entries = logged(folder, answer["prediction_id"], arms=2)
        assert (entries["champion"]["served"], entries["challenger"]["served"]) == (True, False)
        assert entries["challenger"]["error"] == error
        assert entries["challenger"]["unit"] == entries["champion"]["unit"]
    stop(store, server, plan)


def test_a_challenger_that_does_not_load_takes_part_in_nothing(server: Server, store: Store) -> None:
    """Where the challenger does not load, nobody takes part, the champion answers, and the server says why."""
    plan = logs.experiment(name="split-c", model_name="moody", challenger_version=3, created_at=datetime.now(UTC))
    store.start(plan, inclusion=1.0, why="test")
    until(lambda: server.info()["trouble"])
    assert "does not load" in server.info()["trouble"]
    answer = server.post("/predict", row(Mood.PREDICT, "user-1"))
    assert (answer["arm"], answer["epoch"]) == ("champion", None)
    stop(store, server, plan)
    until(lambda: server.info()["trouble"] is None)


def test_an_experiment_of_another_champion_is_stale(server: Server, store: Store) -> None:
    """An experiment whose champion is not what serves includes nobody, and is told to be stale."""
    plan = logs.experiment(
        name="split-d", model_name="moody", champion_version=3, challenger_version=2, created_at=datetime.now(UTC)
    )
    store.start(plan, inclusion=1.0, why="test")
    until(lambda: server.info()["experiment"])
    assert server.info()["experiment"]["stale"]
    assert server.post("/predict", row(Mood.PREDICT, "user-1"))["epoch"] is None
    stop(store, server, plan)
