"""The proxy that breaks connections breaks what it is told to, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from abtest.errors import BackendError
from abtest.registry import RegistryClient
from tests import zoo
from tests.deployment.breaking import ALWAYS, Breaking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployment.servers import Deployed

MOVE = "transition-stage"


@pytest.fixture
def network(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Breaking]:
    """The way to the open server; MLflow's client tries once more, and at once."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with Breaking(deployed.uri) as network:
        yield network


def stage(deployed: Deployed, name: str) -> str | None:
    """Where version 2 is, read past the proxy."""
    return deployed.registry.versions(name)[1].stage


def test_hands_everything_on(deployed: Deployed, network: Breaking) -> None:
    """Unbroken, a registry by way of the proxy is the registry, its models' files too."""
    import mlflow.pyfunc

    name = deployed.register(zoo.linear, zoo.better)
    registry = RegistryClient(network.uri)
    assert registry.versions(name) == deployed.registry.versions(name)
    with registry.active():
        model = mlflow.pyfunc.load_model(f"models:/{name}/2")
    fruit = zoo.fruit()
    assert list(model.predict(fruit[list(zoo.FEATURES)])) == list(zoo.better(fruit))
    registry.set_stage(name, 2, "Archived")
    assert stage(deployed, name) == "Archived"
    assert set(network.outcomes()) == {"passed"}
    assert network.outcomes(MOVE) == ["passed"]


def test_a_swallowed_answer_is_of_a_move_that_was_made(deployed: Deployed, network: Breaking) -> None:
    """Where the answer is lost the client fails, and the move has happened."""
    name = deployed.register(zoo.linear, zoo.better)
    network.swallow(MOVE, times=ALWAYS)
    with pytest.raises(BackendError):
        RegistryClient(network.uri).set_stage(name, 2, "Archived")
    assert stage(deployed, name) == "Archived"
    assert network.outcomes(MOVE) == ["swallowed"] * 2


def test_a_cut_request_is_of_a_move_that_was_not_made(deployed: Deployed, network: Breaking) -> None:
    """Where the request is lost the client fails, and nothing has happened."""
    name = deployed.register(zoo.linear, zoo.better)
    network.cut(MOVE, times=ALWAYS)
    with pytest.raises(BackendError):
        RegistryClient(network.uri).set_stage(name, 2, "Archived")
    assert stage(deployed, name) == "Staging"
    assert network.outcomes(MOVE) == ["cut"] * 2


def test_the_client_gets_over_a_fault_that_passes(deployed: Deployed, network: Breaking) -> None:
    """MLflow's client tries again, a move too: a fault of one time is no failure, whichever it is."""
    name = deployed.register(zoo.linear, zoo.better)
    registry = RegistryClient(network.uri)
    for fault, target in ((network.cut, "Archived"), (network.swallow, "Staging")):
        fault(MOVE)
        registry.set_stage(name, 2, target)
        assert stage(deployed, name) == target
    network.answer(503, MOVE)
    registry.set_stage(name, 2, "Archived")
    assert stage(deployed, name) == "Archived"
    assert network.outcomes(MOVE) == ["cut", "passed", "swallowed", "passed", "answered", "passed"]


def test_the_nth_request_that_matches(deployed: Deployed, network: Breaking) -> None:
    """A fault hits from the n-th match on, as often as it is told; other paths and other counts are left alone."""
    network.cut("/health", nth=2, times=2)
    network.answer(503, "GET /version", nth=2)
    assert requests.get(f"{network.uri}/health", timeout=5).ok
    assert requests.get(f"{network.uri}/version", timeout=5).ok
    for _ in range(2):
        with pytest.raises(requests.ConnectionError, match="reset"):
            requests.get(f"{network.uri}/health", timeout=5)
    assert requests.get(f"{network.uri}/version", timeout=5).status_code == 503
    assert (
        requests.get(f"{network.uri}/health", timeout=5).text == requests.get(f"{deployed.uri}/health", timeout=5).text
    )
    assert network.outcomes("/health") == ["passed", "cut", "cut", "passed"]


def test_refuses_and_heals(network: Breaking) -> None:
    """Refused, nothing answers; healed, everything does, at the same address, and earlier faults are forgotten."""
    network.cut("/health", times=ALWAYS)
    network.refuse()
    with pytest.raises(BackendError, match=r"does not answer \(ConnectionError\)"):
        RegistryClient(network.uri).models()
    network.heal()
    RegistryClient(network.uri).models()
    assert network.outcomes("/health") == ["passed"]
