"""Two real servers on one registry and one PostgreSQL: one experiment, one log, and what befalls both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from abtest.lifecycle import Registry
from abtest.live.assignment import Assigner
from abtest.live.experiment import State
from abtest.live.store import Store
from abtest.registry import RegistryClient
from tests import zoo
from tests.live import logs
from tests.live.flowing import flowing, round_robin
from tests.live.servers import Server, serving
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from abtest.live.experiment import Experiment

NEAR = {"width": 5.0, "height": 5.5}  # version 1 takes it for an apple, version 2 for a pear
FAR = {"width": 5.0, "height": 9.0}  # a pear to both
UNITS = [f"user-{number}" for number in range(40)]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two servers of "iris": one answers at once, the other once a prediction is committed.

    Attributes:
        quick, durable: The servers.
        registry: Theirs; version 1 is in Production.
        url: Of their log.
    """

    quick: Server
    durable: Server
    registry: Registry
    url: str

    @property
    def both(self) -> tuple[Server, Server]:
        """Both servers."""
        return self.quick, self.durable

    @property
    def addresses(self) -> list[httpx.URL]:
        """Where they are."""
        return [server.client.base_url for server in self.both]

    def begin(self, store: Store, **plan: Any) -> Experiment:
        """Start an experiment, and wait until both take part."""
        told: dict[str, Any] = {"model_name": "iris", "name": f"e-{uuid.uuid4().hex[:8]}", **plan}
        experiment = logs.experiment(created_at=datetime.now(UTC), **told)
        store.start(experiment, inclusion=1.0, why="test")
        for server in self.both:
            until(lambda server=server: server.post("/predict", {"features": FAR})["epoch"] == 1)  # type: ignore[misc] # mypy infers no defaults of a lambda
        return experiment

    def serve(self, version: int) -> None:
        """Wait until both serve a version."""
        for server in self.both:
            until(lambda server=server: server.info()["version"] == version)  # type: ignore[misc] # likewise


@pytest.fixture(scope="module")
def pair(registered: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers, shared by these tests."""
    folder, name = tmp_path_factory.mktemp("pair"), f"t{uuid.uuid4().hex}"
    with sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    url, uri = postgres.replace("/postgres?", f"/{name}?"), zoo.copy(registered, folder)
    arguments = ("--model-name", "iris", "--tracking-uri", uri, "--store", url)
    for one in ("quick", "durable"):
        (folder / one).mkdir()
    with (
        serving(*arguments, folder=folder / "quick") as quick,
        serving(*arguments, "--durable", folder=folder / "durable") as durable,
    ):
        yield Pair(quick=quick, durable=durable, registry=Registry(uri), url=url)


@pytest.fixture
def store(pair: Pair) -> Iterator[Store]:
    """Their log; whatever experiment goes on is stopped in the end."""
    with Store(pair.url) as store:
        yield store
        found = store.active("iris")
        if found is not None:
            store.turn(
                logs.epoch(found[1].number + 1, experiment=found[0].name, state=State.STOPPED, inclusion=0.0,
                           began_at=datetime.now(UTC))
            )  # fmt: skip
        for server in pair.both:
            until(lambda server=server: server.info()["experiment"] is None)  # type: ignore[misc] # likewise


def logged(pair: Pair, experiment: str) -> Counter[str]:
    """How often each prediction of an experiment is in the log."""
    query = sa.text("SELECT server, sequence FROM abtest_predictions WHERE experiment = :name")
    with logs.engine(pair.url).connect() as connection:
        return Counter(f"{server}-{number}" for server, number in connection.execute(query, {"name": experiment}))


def scored(store: Store, plan: Experiment, rows: int) -> None:
    """Wait until a shadow has predicted so many rows: what it gets before it is loaded may be dropped."""
    until(lambda: store.traffic(plan, until=datetime.now(UTC))[1].predictions >= rows)


def label(server: Server, ids: list[str], value: str) -> None:
    """Send labels of many predictions, and wait until each is known."""
    body = [{"prediction_id": each, "label": value} for each in ids]
    until(lambda: {told["status"] for told in server.post("/feedback", body, status=207)["results"]} <= {200, 201})


def test_behind_a_load_balancer_they_are_one_server(pair: Pair, store: Store) -> None:
    """Whichever answers, a unit's arm is that of the pure function; one log has each id once; labels reach either."""
    plan = pair.begin(store)
    assign = Assigner(plan.name, plan.salt, challenger_share=0.5, inclusion=1.0)
    asked: list[dict[str, Any]] = []
    with round_robin(*pair.addresses) as client:
        for unit in (*UNITS, *UNITS, UNITS[0]):  # the last one so that the turns change between the two rounds
            answer = client.post("/predict", json={"features": NEAR, "unit": unit}).json()
            assert (answer["arm"], answer["epoch"]) == (assign(unit), 1)
            assert answer["prediction"] == {"champion": "apple", "challenger": "pear"}[answer["arm"]]
            asked.append(answer)
        ids = [answer["prediction_id"] for answer in asked]
        servers = {each.partition("-")[0] for each in ids}
        assert servers == {server.info()["server"] for server in pair.both}
        until(lambda: set(ids) <= set(logged(pair, plan.name)))
        for named in ids[:10]:  # each by one of them in turn, whoever predicted it
            assert client.post("/feedback", json={"prediction_id": named, "label": "pear"}).status_code == 201
            assert client.post("/feedback", json={"prediction_id": named, "label": "pear"}).status_code == 200
    assert len(set(ids)) == len(ids)
    assert set(logged(pair, plan.name).values()) == {1}
    champion, challenger = store.traffic(plan, until=datetime.now(UTC))
    arms = Counter(assign(unit) for unit in UNITS)
    before = sum(1 for _ in pair.both)  # requests without a unit, while it began, are units of their own
    assert champion.exposed + challenger.exposed >= len(UNITS) + before
    assert min(champion.exposed, challenger.exposed) >= min(arms.values())


@pytest.mark.slow
def test_harm_seen_by_both_is_rolled_back_once(pair: Pair, store: Store) -> None:
    """While requests flow, a challenger that does harm is rolled back in one epoch, and both servers leave it."""
    plan = pair.begin(store, mode="shadow", planned_n=None, auto_rollback=True)
    with flowing(pair.addresses, NEAR) as flow:
        scored(store, plan, 100)
        label(pair.quick, flow.ids, "apple")
        until(lambda: store.epochs(plan.name)[-1].state.is_over, seconds=120)  # a server rests between two looks
        for server in pair.both:
            until(lambda server=server: server.info()["experiment"] is None)  # type: ignore[misc] # likewise
        flow.go_on()
        left = flow.answered[-1]
    assert {asked.status for asked in flow.asked} == {200}
    assert left.told["epoch"] is None
    assert {asked.told["prediction"] for asked in flow.answered} == {"apple"}
    first, last = store.epochs(plan.name)
    assert (first.state, last.state, last.inclusion) == (State.RUNNING, State.ROLLED_BACK, 0.0)
    assert last.by in {f"server {server.info()['server']}" for server in pair.both}
    assert last.evidence["what"] == "quality"


def analyze(pair: Pair, plan: Experiment, folder: Path) -> subprocess.Popen[str]:
    """Begin an analysis that promotes, in a process of its own."""
    folder.mkdir()
    command = [
        sys.executable,
        "-m",
        "abtest",
        "experiment",
        "analyze",
        plan.name,
        "--auto-promote",
        "--store",
        pair.url,
    ]
    return subprocess.Popen(  # noqa: S603 - this interpreter
        [*command, "--auto-promote", "--tracking-uri", str(pair.registry), "--no-save-plot"],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ,
    )  # fmt: skip


@pytest.mark.slow
def test_two_promotions_at_once_are_one(pair: Pair, store: Store, tmp_path: Path) -> None:
    """Two who promote at once while requests flow move a stage once; servers follow, and the experiment is stale."""
    plan = pair.begin(store, mode="shadow", planned_n=None)
    try:
        with flowing(pair.addresses, NEAR) as flow:
            scored(store, plan, 100)
            label(pair.quick, flow.ids, "pear")
            both = [analyze(pair, plan, tmp_path / name) for name in ("one", "other")]
            ends = [(process.communicate(timeout=120), process.returncode) for process in both]
            pair.serve(2)
            flow.go_on()
        assert {asked.status for asked in flow.asked} == {200}
        assert {asked.told["model_version"] for asked in flow.asked} == {1, 2}
        assert 0 in {code for _, code in ends}, ends
        assert all(code in {0, 1} and "Traceback" not in told[1] for told, code in ends), ends
        stages = {version.version: version.stage for version in RegistryClient(str(pair.registry)).versions("iris")}
        assert [number for number, stage in stages.items() if stage == "Production"] == [2]
        for server in pair.both:
            info, answer = server.info(), server.post("/predict", {"features": NEAR, "unit": "user-1"})
            assert info["experiment"]["stale"]
            assert (answer["prediction"], answer["epoch"]) == ("pear", None)
    finally:
        pair.registry.rollback("iris", why="test")
        pair.serve(1)
    until(lambda: not pair.quick.info()["experiment"]["stale"])
    until(lambda: pair.quick.post("/predict", {"features": NEAR})["epoch"] == 1)  # what was begun goes on


def test_a_registry_that_is_gone_stops_nothing(pair: Pair, store: Store) -> None:
    """While the registry's database is no database, both answer, split and log as before, and say what is wrong."""
    plan = pair.begin(store)
    database = Path(str(pair.registry).removeprefix("sqlite:///"))
    kept = shutil.copy(database, database.with_suffix(".kept"))
    try:
        database.write_bytes(b"no database")
        for server in pair.both:
            until(lambda server=server: server.info()["trouble"])  # type: ignore[misc] # likewise
            assert server.client.get("/health").status_code == 200
            answers = [server.post("/predict", {"features": NEAR, "unit": unit}) for unit in UNITS]
            assert {answer["arm"] for answer in answers} == {"champion", "challenger"}
            until(lambda answers=answers: {a["prediction_id"] for a in answers} <= set(logged(pair, plan.name)))  # type: ignore[misc] # likewise
    finally:
        shutil.copy(kept, database)
    for server in pair.both:
        until(lambda server=server: server.info()["trouble"] is None)  # type: ignore[misc] # likewise


def test_a_database_that_is_gone_and_back_loses_nothing_acknowledged(pair: Pair, store: Store) -> None:
    """While PostgreSQL takes nobody the quick server answers and the durable one says 503; both are whole later."""
    plan = pair.begin(store)
    with flowing(pair.addresses, NEAR) as flow:
        flow.go_on()
        with logs.away(pair.url):
            until(lambda: any(asked.status == 503 for asked in flow.asked))
            gone = len(flow.answered)
            until(lambda: len(flow.answered) > gone + 20)  # the quick one's
            told = pair.quick.post("/feedback", {"prediction_id": flow.ids[0], "label": "pear"}, status=503)
            assert told["hint"]
        failed = sum(asked.status == 503 for asked in flow.asked)
        name = pair.durable.info()["server"]
        until(lambda: sum(own.startswith(name) for own in flow.ids[gone:]) > 3)
    assert {asked.status for asked in flow.asked} == {200, 503}
    assert failed
    ids = flow.ids
    until(lambda: set(ids) <= set(logged(pair, plan.name)))
    label(pair.quick, ids[:1], "pear")
    until(lambda: all(each.logged + each.lost == each.assigned for each in store.servers()))
    known = {each.server: each for each in store.servers()}
    assert known[pair.quick.info()["server"]].lost == 0
    assert known[name].lost == sum(asked.status == 503 for asked in flow.asked)


def test_status_counts_what_both_did(pair: Pair, store: Store, tmp_path: Path) -> None:
    """Status, asked of the log alone, has the traffic of both."""
    plan = pair.begin(store)
    ids = [server.post("/predict", {"features": NEAR, "unit": unit})["prediction_id"]
           for server in pair.both for unit in UNITS]  # fmt: skip
    until(lambda: set(ids) <= set(logged(pair, plan.name)))
    command = [
        sys.executable,
        "-m",
        "abtest",
        "experiment",
        "status",
        plan.name,
        "--store",
        pair.url,
        "--format",
        "json",
    ]
    said = subprocess.run([*command, "--format", "json"], cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S603 - this interpreter
    status = json.loads(said.stdout)
    assert {arm["arm"] for arm in status["traffic"]} == {"champion", "challenger"}
    assert sum(arm["predictions"] for arm in status["traffic"]) >= 2 * len(UNITS)
