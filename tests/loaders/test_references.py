"""What a user typed, or did not type, is pinned to two versions of one model, or refused where it is a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest.errors import InvalidInputError, ModelNotFoundError
from abtest.loaders.references import BASELINE, pin_sides
from abtest.registry import Reference
from tests import zoo

if TYPE_CHECKING:
    from abtest.registry import RegistryClient


def stage(name: str) -> Reference:
    """By stage."""
    return Reference(kind="stage", value=name)


def alias(name: str) -> Reference:
    """By alias."""
    return Reference(kind="alias", value=name)


def version(number: str) -> Reference:
    """By version."""
    return Reference(kind="version", value=number)


def uri(text: str) -> Reference:
    """By URI."""
    return Reference(kind="uri", value=text)


def pinned(
    registry: RegistryClient | None, name: str | None, champion: Reference | None, challenger: Reference | None
) -> tuple[str | None, int | None, int | None]:
    """The model's name and both versions' numbers."""
    found, one, other = pin_sides(registry, name, champion, challenger)
    return found, one.version.version if one.version else None, other.version.version if other.version else None


@pytest.mark.parametrize(
    ("champion", "challenger", "versions"),
    [
        (None, None, (1, 2)),
        (stage("Production"), stage("staging"), (1, 2)),
        (alias("champion"), version("3"), (1, 3)),
        (version("latest"), None, (11, 2)),
        (uri("models:/fruit@champion"), uri("models:/fruit/3"), (1, 3)),
        (uri("models:/fruit/Production"), None, (1, 2)),
        (version(BASELINE), None, (None, 2)),
        (uri("some/folder"), stage("Production"), (None, 1)),
    ],
)
def test_pins_both_sides(
    stocked: RegistryClient, champion: Reference | None, challenger: Reference | None, versions: tuple[int | None, int]
) -> None:
    """Stage, alias, version, latest, URI, baseline, or nothing: each side is one version."""
    assert pinned(stocked, "fruit", champion, challenger) == ("fruit", *versions)


def test_says_where_a_version_is(stocked: RegistryClient) -> None:
    """A pinned version comes with a place to load it from and a URI a reader can use."""
    _, champion, challenger = pin_sides(stocked, "fruit", version(BASELINE), stage("Staging"))
    assert (champion.uri, champion.shown_uri, champion.run_id) == (None, None, None)
    assert challenger.shown_uri == "models:/fruit/2"
    assert challenger.uri is not None
    assert challenger.uri.endswith("/fruit-2")
    _, run, _ = pin_sides(stocked, "fruit", uri("runs:/abc/model"), None)
    assert (run.run_id, run.shown_uri) == ("abc", "runs:/abc/model")


def test_the_default_is_the_stage_then_the_alias(registry: RegistryClient) -> None:
    """Without a reference it is the stage, without one there the alias, and where both agree either."""
    client = registry.client
    zoo.register(client, "aliases", *"abc", aliases={"champion": 2, "challenger": 3})
    zoo.register(client, "mixed", *"abc", stages={2: "Production"}, aliases={"challenger": 1})
    assert pinned(registry, "aliases", None, None) == ("aliases", 2, 3)
    assert pinned(registry, "mixed", None, None) == ("mixed", 2, 1)


def test_a_stage_of_two_versions_beside_an_alias(registry: RegistryClient) -> None:
    """A promotion that was cut off leaves two versions in Production: both are named, and so is where to look."""
    stages = {1: "Production", 2: "Production", 3: "Staging"}
    zoo.register(registry.client, "cut", "a", "b", "c", stages=stages, aliases={"champion": 1})
    told = "holds versions 1 and 2 but alias 'champion' is on version 1.*abtest models show cut tells whether a move"
    with pytest.raises(InvalidInputError, match=told):
        pin_sides(registry, "cut", None, None)


def test_an_alias_called_baseline_is_an_alias(registry: RegistryClient) -> None:
    """Where a version bears the alias, baseline is that version."""
    zoo.register(registry.client, "m", "a", "b", stages={2: "Staging"}, aliases={BASELINE: 1})
    assert pinned(registry, "m", version(BASELINE), None) == ("m", 1, 2)


@pytest.mark.parametrize(
    ("name", "champion", "challenger", "told"),
    [
        ("torn", None, None, "Stage Production of 'torn' holds version 1 but alias 'champion' is on version 2.*say wh"),
        ("crowd", None, None, "Versions 1 and 2 of 'crowd' are all in stage Production"),
        ("fruit", version("2"), None, "Both sides are version 2 of 'fruit' .champion: version 2, challenger: stage St"),
        ("fruit", alias("champion"), version("1"), "Both sides are version 1 of 'fruit'"),
        ("fruit", stage("Prodution"), None, "stage must be one of .*did you mean 'Production'"),
        (None, stage("Prodution"), None, "stage must be one of .*did you mean 'Production'"),
        (None, version("v1"), None, "champion-version must be a number, got 'v1'.*--champion-alias v1"),
        (None, None, version(BASELINE), "challenger-version must be a number: only the champion can be the baseline"),
        ("fruit", uri("models:/torn/1"), None, "model-name is 'fruit' but a URI names torn"),
    ],
)  # fmt: skip
def test_refuses_to_guess(
    stocked: RegistryClient, name: str | None, champion: Reference | None, challenger: Reference | None, told: str
) -> None:
    """What is ambiguous, contradictory or one version twice is refused, whether or not the model is named."""
    with pytest.raises(InvalidInputError, match=told):
        pin_sides(stocked, name, champion, challenger)


def test_infers_the_only_model_that_fits(registry: RegistryClient) -> None:
    """Without a name it is the one model with both references: none, one and several are told apart."""
    with pytest.raises(ModelNotFoundError, match="holds no registered model"):
        pin_sides(registry, None, None, None)
    zoo.register(registry.client, "half", "a", stages={1: "Production"})
    with pytest.raises(ModelNotFoundError, match=r"1 registered model.*none with both references \(half\)"):
        pin_sides(registry, None, None, None)
    zoo.register(registry.client, "whole", "a", "b", stages={1: "Production", 2: "Staging"})
    assert pinned(registry, None, None, None) == ("whole", 1, 2)
    zoo.register(registry.client, "other", "a", "b", aliases={"champion": 1, "challenger": 2})
    with pytest.raises(InvalidInputError, match="model-name is needed: other, whole all have both references"):
        pin_sides(registry, None, None, None)
    assert pinned(registry, None, stage("Production"), stage("Staging")) == ("whole", 1, 2)
    assert pinned(registry, None, version(BASELINE), stage("Staging")) == ("whole", None, 2)


def test_an_ambiguous_model_is_told_as_such(registry: RegistryClient) -> None:
    """If the only model that fits is ambiguous, that is what is told."""
    zoo.register(registry.client, "crowd", *"abc", stages={1: "Production", 2: "Production", 3: "Staging"})
    with pytest.raises(InvalidInputError, match="Versions 1 and 2 of 'crowd' are all in stage Production"):
        pin_sides(registry, None, None, None)


def test_two_models_by_their_uris(stocked: RegistryClient) -> None:
    """Versions of two registered models can be compared, each by its URI."""
    name, champion, challenger = pin_sides(stocked, None, uri("models:/torn/1"), uri("models:/fruit/2"))
    assert (name, champion.shown_uri, challenger.shown_uri) == ("fruit", "models:/torn/1", "models:/fruit/2")


def test_no_registry_is_needed_for_places() -> None:
    """Two paths need no registry; anything registered does, and it is said."""
    assert pinned(None, None, uri("a"), uri("b")) == (None, None, None)
    assert pinned(None, None, version(BASELINE), uri("b")) == (None, None, None)
    with pytest.raises(InvalidInputError, match="A registered model needs a registry"):
        pin_sides(None, "fruit", uri("a"), None)
