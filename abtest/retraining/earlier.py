"""What earlier retrainings have left: the answer to what is asked, or a version to go on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.comparison import Comparison
from abtest.errors import InvalidInputError, NotFoundError
from abtest.loaders.datasets import open_data
from abtest.record import ComparisonRecord
from abtest.retraining.request import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.registry import ModelVersion, RegistryClient
    from abtest.retraining.audit import Retraining
    from abtest.retraining.request import Request

_ACTED_ON = {"promote": ("PROMOTE",), "conditional": ("PROMOTE", "CONDITIONAL"), None: ()}


def answers(one: Retraining, asked: Mapping[str, str], champion: ModelVersion | None, request: Request) -> bool:
    """Whether what came of an earlier retraining is what would come of this one."""
    if one.asked != asked["asked_digest"] or one.verdict is None:
        return False
    if champion is not None and champion.version == one.version:  # it serves, whoever promoted it
        return True
    if one.outcome != "done" or one.champion != told(champion):
        return False
    return one.promotion_run_id is not None or one.verdict not in _ACTED_ON[request.promote_on]


def comparison(registry: RegistryClient, one: Retraining) -> Comparison | None:
    """Read its comparison again; None where it was deleted, or is of another version: the verdict is known anyway."""
    if one.comparison_run_id is None:
        return None
    try:
        text = tracking.read_artifact(registry.client, one.comparison_run_id, "comparison.json")
        return Comparison(ComparisonRecord.from_dict(json.loads(text)), registry, run_id=one.comparison_run_id)
    except (NotFoundError, InvalidInputError):
        return None


def left(
    known: Sequence[Retraining],
    asked: Mapping[str, str],
    registry: RegistryClient,
    champion: ModelVersion | None,
    request: Request,
) -> Retraining | None:
    """Find the last one by the same recipe on the same rows, if its version and its rows to compare on are there."""
    for one in reversed(known):
        if (one.recipe_digest, one.data_digest) != (asked["recipe_digest"], asked["data_digest"]):
            continue
        if one.version is None or (champion is not None and champion.version == one.version):
            continue
        if not (request.test_data or _is_there(one)):
            continue
        if any(version.version == one.version for version in registry.versions(request.model)):
            return one
    return None


def _is_there(one: Retraining) -> bool:
    if one.holdout is None or not Path(one.holdout).is_file():
        return False
    return open_data(one.holdout, "holdout").digest() == one.holdout_digest
