"""On PostgreSQL itself, and over HTTP, a registry is what it is on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest import workflow
from abtest.errors import ModelNotFoundError
from abtest.registry import Reference, RegistryClient
from tests import zoo

if TYPE_CHECKING:
    from abtest.registry import ReferenceKind
    from tests.deployment.servers import Deployed


@pytest.fixture(params=["PostgreSQL", "HTTP"])
def placed(
    request: pytest.FixtureRequest, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> tuple[RegistryClient, str]:
    """A registry, and a model in it that tells fruit, its files in S3: read from there, or by way of the server."""
    if request.param == "HTTP":
        return deployed.registry, deployed.register(zoo.linear, zoo.better)
    for variable, value in deployed.store.variables.items():
        monkeypatch.setenv(variable, value)
    return RegistryClient(deployed.database), deployed.register_in_database(zoo.linear, zoo.better)


def pinned(registry: RegistryClient, name: str, kind: ReferenceKind, value: str) -> int:
    """The number of the version a reference names."""
    return registry.resolve(name, Reference(kind=kind, value=value)).version


def test_references_resolve(placed: tuple[RegistryClient, str]) -> None:
    """References resolve, and what is missing is named with what is there."""
    registry, name = placed
    assert [pinned(registry, name, "stage", "Production"), pinned(registry, name, "alias", "champion")] == [1, 1]
    assert pinned(registry, name, "version", "latest") == 2
    with pytest.raises(ModelNotFoundError, match=rf"No registered model '{name}x'.*did you mean '{name}'"):
        registry.versions(f"{name}x")
    there = r"1 \(Production\) @champion, 2 \(Staging\) @challenger"
    with pytest.raises(ModelNotFoundError, match=rf"'{name}' has no version 3.*{there}"):
        pinned(registry, name, "version", "3")


def test_models_are_read_from_s3(placed: tuple[RegistryClient, str], deployed: Deployed) -> None:
    """A comparison of models whose files are in S3 gives the counts it gives anywhere."""
    registry, name = placed
    comparison = workflow.compare(data=zoo.fruit(), model_name=name, tracking_uri=registry.tracking_uri, resamples=100)
    assert (comparison.contingency.champion_only, comparison.contingency.challenger_only) == (0, 6)
    assert any(key.endswith("python_model.pkl") for key in deployed.store.names())


def test_stages_and_aliases_move(placed: tuple[RegistryClient, str]) -> None:
    """Stages and aliases move as they do on SQLite."""
    registry, name = placed
    registry.set_stage(name, 2, "Archived")
    registry.set_alias(name, "tried", 2)
    assert [(v.stage, v.aliases) for v in registry.versions(name)][1] == ("Archived", ("challenger", "tried"))
    registry.delete_alias(name, "tried")
    registry.set_stage(name, 2, "Staging")
    assert [(v.stage, v.aliases) for v in registry.versions(name)][1] == ("Staging", ("challenger",))
