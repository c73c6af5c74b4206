"""What is asked of a retraining, and the champion that is to be challenged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.errors import InvalidInputError, ModelNotFoundError
from abtest.lifecycle.reading import history
from abtest.loaders.datasets import open_data
from abtest.loaders.references import BASELINE, pin
from abtest.policy import Policy
from abtest.promoter import PromoteOn
from abtest.registry import Reference
from abtest.training.recipe import Recipe
from abtest.transitions import ARCHIVED

if TYPE_CHECKING:
    from abtest.registry import ModelVersion, RegistryClient

LEASE = timedelta(hours=12)
_OF_NO_WEIGHT = ("cache", "command", "experiment", "save_plot", "batch_size")  # change nothing of what comes of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a retraining.

    Attributes:
        model: The registered model.
        recipe: What to train, and how.
        data: The new rows.
        champion: Which version is to be challenged; None for what is in Production or has the alias ``champion``.
        test_data: Rows to compare on; None for those held out.
        policy: What must hold.
        options: Of ``abtest.compare``, beside these.
        promote_on: The least verdict that is promoted; None promotes nothing.
        require_approval: Ask for approval, and move nothing.
        again: Do it though it was done.
        lease: How long one whose process cannot be seen from here is taken to go on.
        output: The folder for both reports.
    """

    model: str
    recipe: Recipe
    data: str
    champion: Reference | None = None
    test_data: str | None = None
    policy: Policy = field(default_factory=Policy)
    options: Mapping[str, Any] = field(default_factory=dict)
    promote_on: PromoteOn | None = None
    require_approval: bool = False
    again: bool = False
    lease: timedelta = LEASE
    output: str = "reports"


def digests(request: Request) -> dict[str, str]:
    """Name what is asked for by its content: the recipe, the rows, the policy, and everything together.

    Raises:
        InvalidInputError: A file cannot be read.
    """
    files = {"data": request.data, "test-data": request.test_data, "confirm-data": request.options.get("confirm_data")}
    found = {name: open_data(path, name).digest() for name, path in files.items() if path is not None}
    weighty = {name: value for name, value in request.options.items() if name not in _OF_NO_WEIGHT}
    asked = [request.recipe.digest, found, request.policy.digest, weighty]
    text = json.dumps(asked, sort_keys=True, default=str)
    return {
        "data": _found_again(request.data),
        "recipe_digest": request.recipe.digest,
        "data_digest": found["data"],
        "policy_digest": request.policy.digest,
        "asked_digest": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def _found_again(data: str) -> str:
    """Where rows are, from whatever folder one looks; without credentials."""
    return str(Path(data).resolve()) if Path(data).exists() else wording.redacted(data)


def champion_of(registry: RegistryClient, request: Request) -> ModelVersion | None:
    """Find the version that serves; None where none does, or the model is not there yet: then it is the first.

    Raises:
        ModelNotFoundError: It was named, and is not there.
        InvalidInputError: Several serve, or it is no registered version.
    """
    reference = request.champion
    if reference is not None and reference.kind == "uri":
        _, reference = Reference.from_uri(reference.value)
        if reference.kind == "uri":
            raise InvalidInputError(
                f"The champion {reference} is no version of '{request.model}', so nothing could take its place."
            )
    if reference is not None and reference.value == BASELINE:
        return None
    try:
        return pin(registry, request.model, "champion", reference).version
    except ModelNotFoundError:
        if reference is not None:
            raise
        _refuse_orphaned(registry, request.model)
        return None


def told(champion: ModelVersion | None) -> str:
    """What the record knows a champion by."""
    return BASELINE if champion is None else str(champion.version)


def _refuse_orphaned(registry: RegistryClient, model: str) -> None:
    """Refuse to take a model for new that has served: beating the baseline would be too little.

    Raises:
        ModelNotFoundError: A version serves now under another name, served once, or is archived.
    """
    try:
        versions, past = registry.versions(model), history(registry, model)
    except ModelNotFoundError:  # it is new
        return
    served = {version for entry in past.earlier for version in entry.standing.serving}
    served |= {it.version for it in versions if it.stage == ARCHIVED}
    if served:
        raise ModelNotFoundError(
            f"No version of '{model}' is the champion, and version {max(served)} has served: this is no first one.",
            hint="--champion-alias or --champion-version names it; --champion-version baseline begins anew.",
        )
