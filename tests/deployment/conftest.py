"""What the tests of a real deployment share: its servers, started once, and models of each test's own on them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests import zoo
from tests.deployment import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli, Told

Become = Any  # a callable: (user, password=None)
Compare = Any  # a callable: (model, uri, *options, code=0) -> Told


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be no user and know no store, whatever this machine's environment says."""
    for variable in list(os.environ):
        if variable.startswith(("MLFLOW_TRACKING_", "MLFLOW_S3_", "AWS_")):
            monkeypatch.delenv(variable)


@pytest.fixture(scope="session")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Secured]:
    """The servers, all of them; about seven seconds."""
    why = servers.missing()
    if why:
        pytest.skip(why)
    with servers.running(tmp_path_factory.mktemp("deployment")) as secured:
        yield secured


@pytest.fixture
def deployed(_servers: servers.Secured) -> servers.Deployed:
    """An MLflow server on PostgreSQL with its artifacts in S3; ``register`` gives a test models of its own."""
    return _servers.deployed


@pytest.fixture
def secured(_servers: servers.Secured) -> servers.Secured:
    """The same with passwords; ``register`` gives a test models of its own, ``become`` makes it a user."""
    return _servers


@pytest.fixture
def become(_servers: servers.Secured, monkeypatch: pytest.MonkeyPatch) -> Become:
    """Be a user of the server with passwords: ``become("reader")``, or with another password than theirs."""

    def become(user: str, password: str | None = None) -> None:
        for variable, value in _servers.variables(user, password).items():
            monkeypatch.setenv(variable, value)

    return become


@pytest.fixture
def compare(cli: Cli) -> Compare:
    """Type ``abtest compare`` for a model at an address, on fruit enough for the better rule to be promoted."""
    zoo.fruit(300).to_csv("fruit.csv", index=False)

    def type_in(name: str, uri: str, *options: str, code: int = 0) -> Told:
        where = ["--model-name", name, "--tracking-uri", uri, "--test-data", "fruit.csv", "--target", "kind"]
        told: Told = cli("compare", *where, *options, code=code)
        return told

    return type_in
