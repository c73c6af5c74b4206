"""The model that is asked is the one that was named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from abtest.bulk.choosing import choose
from abtest.errors import AbtestError, InvalidInputError, ModelNotFoundError
from abtest.registry import Reference
from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.registry import RegistryClient


@pytest.mark.parametrize(
    ("named", "version"),
    [
        ({}, 1),
        ({"reference": Reference(kind="stage", value="Staging")}, 2),
        ({"reference": Reference(kind="version", value="3")}, 3),
        ({"reference": Reference(kind="alias", value="challenger")}, 2),
    ],
)
def test_a_version_of_a_registered_model(stocked: RegistryClient, named: dict[str, Any], version: int) -> None:
    """By default the one in Production; else as it is named, pinned to a number."""
    chosen = choose("fruit", tracking_uri=stocked.tracking_uri, **named)
    assert (chosen.name, chosen.named.version, chosen.named.uri) == ("fruit", version, f"models:/fruit/{version}")
    assert chosen.told == f"fruit version {version}"


def test_the_alias_stands_in_for_the_stage(stocked: RegistryClient) -> None:
    """Where nothing is in Production, champion is meant."""
    stocked.set_stage("fruit", 1, "None")
    assert choose("fruit", tracking_uri=stocked.tracking_uri).named.version == 1


@pytest.mark.parametrize("uri", ["models:/fruit/2", "models:/fruit@challenger", "models:/fruit/Staging"])
def test_a_registered_model_by_its_uri(stocked: RegistryClient, uri: str) -> None:
    """It is that version of that model."""
    chosen = choose(model_uri=uri, tracking_uri=stocked.tracking_uri)
    assert (chosen.name, chosen.named.version) == ("fruit", 2)


def test_what_a_run_logged(trained: tuple[RegistryClient, tuple[str, ...]]) -> None:
    """A run's one model, registered or not; of several none is guessed."""
    registry, runs = trained
    chosen = choose(run_id=runs[1], tracking_uri=registry.tracking_uri)
    assert (chosen.name, chosen.named.run_id) == (None, runs[1])
    assert chosen.model.features == zoo.FEATURES
    by_uri = choose(model_uri=f"runs:/{runs[1]}/model", tracking_uri=registry.tracking_uri)
    assert by_uri.model.features == zoo.FEATURES
    with pytest.raises(InvalidInputError, match="logged several models"):
        choose(run_id=runs[3], tracking_uri=registry.tracking_uri)


def test_a_folder_needs_no_registry(tmp_path: Path) -> None:
    """A model in a folder is loaded where no registry is."""
    chosen = choose(model_uri=zoo.save(zoo.linear, tmp_path / "model"))
    assert chosen.registry is None
    with pytest.raises(ModelNotFoundError, match="There is no model"):
        choose(model_uri=str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"model_name": "friut"}, "did you mean 'fruit'"),
        ({"model_name": "bare"}, "'bare' has no champion"),
        ({"model_name": "torn"}, "say which with --stage Production or --alias champion"),
        ({"model_name": "crowd"}, "all in stage Production|in stage Production"),
        ({"model_name": "fruit", "reference": Reference(kind="version", value="5")}, "does not load"),
        ({}, "Name one model"),
        ({"model_name": "fruit", "run_id": "0"}, "Name one model"),
    ],
)
def test_no_model_is_guessed(stocked: RegistryClient, named: dict[str, Any], says: str) -> None:
    """What is not there, or is there twice, is told with the options that name it."""
    with pytest.raises(AbtestError, match=says):
        choose(tracking_uri=stocked.tracking_uri, **named)
