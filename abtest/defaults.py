"""What a comparison is asked for, with a project's defaults filled in: options and settings → those of ``compare``.

The command line and the pytest plugin read them here, so that both mean the same by the same ``abtest.toml``.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest.cache.store import LIMIT_GIB, Store, default_folder
from abtest.errors import InvalidInputError
from abtest.policy import Policy
from abtest.registry import Reference
from abtest.settings import listed, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.labels import Side
    from abtest.settings import Settings

KINDS = ("stage", "version", "alias", "uri")
_REGISTRY = ("model_name", "tracking_uri", "registry_uri")
_PASSED = (
    "train_data", "confirm_data", "target", "task", "unit", "label_type", "average", "pos_label", "resamples", "seed",
    "batch_size", "drop_unlabelled", "engine", "spark_master", "save_plot", "experiment",
)  # fmt: skip


def kinds(side: Side, options: Mapping[str, Any]) -> list[str]:
    """List the kinds of reference that options name a side by.

    Example:
        >>> kinds("champion", {"champion_alias": "serving", "challenger_version": "2"})
        ['alias']
    """
    return [kind for kind in KINDS if options.get(f"{side}_{kind}") is not None]


def references(side: Side, options: Mapping[str, Any]) -> list[Reference]:
    """Read a side's references off options, in the order of the kinds; challengers may be several.

    Raises:
        InvalidInputError: An option names nothing.

    Example:
        >>> [str(one) for one in references("challenger", {"challenger_version": "3, 4"})]
        ['version 3', 'version 4']
    """
    found: list[Reference] = []
    for kind in kinds(side, options):
        given = options[f"{side}_{kind}"]
        whole = kind == "uri" or side == "champion"  # a URI may hold commas
        values = ((given,) if isinstance(given, str) else tuple(given)) if whole else listed(given)
        if not values:
            raise InvalidInputError(f"{side}-{kind} must name a model, got {given!r}.")
        found += [Reference(kind=kind, value=value) for value in values]  # type: ignore[arg-type] # one of the four
    return found


def sides(settings: Settings) -> tuple[Reference | None, list[Reference]]:
    """Read both sides off the settings: the champion, if one is named, and the challengers that are.

    Raises:
        InvalidInputError: They name a side twice.
    """
    named: tuple[Side, Side] = ("champion", "challenger")
    for side in named:
        found = kinds(side, settings.compare)
        if len(found) > 1:
            told = " and ".join(f"{side}_{kind}" for kind in found)
            raise InvalidInputError(f"The settings name the {side} twice, by {told}.", hint="keep one.")
    champion = references("champion", settings.compare)
    return champion[0] if champion else None, references("challenger", settings.compare)


def options(given: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Fill in what ``compare`` takes beside the models: what was given wins over the settings.

    Args:
        given: Options by the names they have in ``abtest.toml``, those that were given.
        settings: The defaults in force.

    Raises:
        AbtestError: The policy cannot be read, or contradicts itself.
    """
    chosen = {**settings.compare, **given}
    return {
        **{name: chosen[name] for name in _PASSED if name in chosen},
        **({"data": chosen["test_data"]} if "test_data" in chosen else {}),
        **{name: given.get(name) or settings.registry.get(name) for name in _REGISTRY},
        "segments": listed(chosen.get("segments")),
        "policy": policy(given, settings),
        "cache": _store(chosen) if chosen.get("cache") is True else chosen.get("cache", False),
    }


def policy(given: Mapping[str, Any], settings: Settings) -> Policy:
    """Read the policy: as given, by name or as it is, else from the settings, else the default.

    A confidence and a method that were given win over all of them; those of the settings never over a policy that was
    given.

    Raises:
        AbtestError: It cannot be read, or contradicts itself.
    """
    named = given.get("policy") or settings.compare.get("policy")
    levels = dict(given) if given.get("policy") else {**settings.compare, **given}
    if isinstance(named, Policy):
        found = named
    elif named is not None:
        table = read_toml(Path(named).expanduser())
        found = Policy.from_mapping(table.get("policy", table), source=str(named))
    else:
        found = Policy.from_mapping(settings.policy, source=f"{settings.source} [policy]")
    return replace(found, **{name: levels[name] for name in ("confidence", "method") if name in levels})


def _store(chosen: Mapping[str, Any]) -> Store:
    """Where predictions are kept."""
    folder = chosen.get("cache_dir")
    return Store(Path(folder) if folder else default_folder(os.environ), chosen.get("cache_gib", LIMIT_GIB) * 2**30)
