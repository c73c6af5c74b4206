"""Load on a server of two processes: every answer is in the log once, and nothing in between is missing."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa
from sklearn.linear_model import LogisticRegression

from abtest.live.store import Store
from abtest.registry import RegistryClient
from benchmarks.hammer import ask
from tests import zoo
from tests.live import logs, models
from tests.live.servers import serving
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

CONNECTIONS, UNITS = 8, 50
FRAME = models.doubles(UNITS)
TRUTH = np.where(FRAME["width"] > 0, "wide", "narrow")


@pytest.fixture(scope="module")
def registry(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry of "fruit": versions 1 and 2, which predict alike."""
    folder = tmp_path_factory.mktemp("load")
    uri = zoo.copy(templates / "empty.db", folder)
    client = RegistryClient(uri).client
    client.create_registered_model("fruit")
    for version, c in enumerate((1.0, 0.5), 1):
        estimator = LogisticRegression(C=c, max_iter=1000).fit(FRAME, TRUTH)
        client.create_model_version("fruit", models.save(estimator, folder / f"model-{version}", FRAME))
    return uri


def load(registry: str, folder: Path, most: int, *options: str) -> None:
    """Ask a server so many times while it splits its units, end it, and hold the log against what it answered."""
    url = f"sqlite:///{folder / 'log.db'}"
    with Store(url) as store:
        store.start(logs.experiment(), inclusion=1.0, why="load")
    told: list[dict[str, Any]] = []
    arguments = ("--model-name", "fruit", "--version", "1", "--tracking-uri", registry, "--store", url)
    with serving(*arguments, "--workers", "2", *options, folder=folder) as server:
        address = (str(server.client.base_url.host), server.client.base_url.port or 0)
        heard = partial(_heard, told)
        requests = posts(address)
        until(lambda: ask(address, requests, most=UNITS, heard=heard)[0] and len(_arms(told)) == 2)
        ask(address, requests, most=most, connections=CONNECTIONS, heard=heard)
        assert server.end() == 0
    check(url, told)


def _heard(told: list[dict[str, Any]], body: bytes) -> None:
    told.append(json.loads(body))


def _arms(told: list[dict[str, Any]]) -> set[str]:
    return {answer["arm"] for answer in told}


def posts(address: tuple[str, int]) -> list[bytes]:
    """A request of each unit."""
    bodies = [
        json.dumps({"features": row, "unit": f"user-{number}"}).encode()
        for number, row in enumerate(FRAME.to_dict("records"))
    ]
    head = f"POST /predict HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nContent-Type: application/json\r\n"
    return [b"%bContent-Length: %d\r\n\r\n%b" % (head.encode(), len(body), body) for body in bodies]


def check(url: str, told: list[dict[str, Any]]) -> None:
    """Every answer is logged once as it was given, each process's numbers have no gap, and each row its latency."""
    with logs.engine(url).connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM abtest_predictions")).mappings().all()
    logged = {f"{row['server']}-{row['sequence']}": row for row in rows}
    assert len(logged) == len(rows)
    answered = {answer["prediction_id"]: answer for answer in told}
    assert len(answered) == len(told)
    assert logged.keys() == answered.keys()
    assert all(json.loads(row["prediction"]) == answered[key]["prediction"] for key, row in logged.items())
    assert all(row["model_version"] == answered[key]["model_version"] for key, row in logged.items())
    assert all(row["served"] and row["seconds"] > 0 for row in rows)
    with Store(url) as store:
        servers = [server for server in store.servers() if server.assigned]
    for server in servers:
        assert logs.sequences(url, server.server) == list(range(1, server.assigned + 1))
        assert (server.logged, server.lost, server.closed) == (server.assigned, 0, True)
    assert sum(server.assigned for server in servers) == len(told)


def test_every_answer_of_two_processes_is_in_the_log_once(registry: str, tmp_path: Path) -> None:
    """After 2,000 requests over 8 connections and a shutdown, the log holds what was answered, and nothing else."""
    load(registry, tmp_path, 2_000)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--durable",)], ids=["logged", "durable"])
def test_every_answer_is_in_the_log_once_after_much_load(
    registry: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """So it is after 8,000 requests, and where each was answered after its commit."""
    load(registry, tmp_path, 8_000, *options)
