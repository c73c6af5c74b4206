"""A gate on logged metrics: weaker than a comparison, since nobody knows on which rows they were measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError, RefusedError
from abtest.lifecycle.logged import logged
from abtest.lifecycle.moving import promote
from abtest.lifecycle.reading import detailed
from abtest.registry import stage_name
from abtest.transitions import PRODUCTION, STAGING, Standing

if TYPE_CHECKING:
    from abtest.lifecycle.records import Moved
    from abtest.registry import RegistryClient

WEAKER = "logged metrics are weaker evidence than 'abtest compare', which scores both models on the same rows"


def auto_promote(
    registry: RegistryClient,
    name: str,
    version: str | int,
    *,
    metric: str,
    threshold: float,
    to_stage: str = STAGING,
    lower_is_better: bool = False,
    compare: bool = True,
    require_approval: bool = False,
    dry_run: bool = False,
) -> Moved:
    """Promote a version whose logged metric is good enough. See ``Registry.auto_promote``."""
    stage = stage_name(to_stage)
    if stage not in (STAGING, PRODUCTION):
        raise InvalidInputError(f"to-stage must be {STAGING} or {PRODUCTION}, got {to_stage!r}.")
    if not math.isfinite(threshold):
        raise InvalidInputError(f"threshold must be a number, got {threshold}.")
    details = registry.details(name)
    it = detailed(name, details, version)
    number = it.version.version
    seen = Standing.of([other.version for other in details]).serving
    serving = [other for other in details if other.version.version in seen]
    rivals = [other for other in serving if other is not it] if compare else []
    found = logged(registry, (it, *rivals))
    value = found[number].metric(metric, number)
    bound = "at most" if lower_is_better else "at least"
    if not (value <= threshold if lower_is_better else value >= threshold):
        raise RefusedError(
            f"Version {number} of '{name}' was logged with {metric} {value:g}, which is not {bound} {threshold:g}.",
            hint="nothing was promoted.",
        )
    told, evidence = [f"logged {metric} {value:g} is {bound} {threshold:g}"], {}
    for rival in rivals:
        other = rival.version.version
        theirs = found[other].metric(metric, other)
        if not (value < theirs if lower_is_better else value > theirs):
            raise RefusedError(
                f"Version {number} of '{name}' was logged with {metric} {value:g}, which is not better than {theirs:g} "
                f"of version {other}, which serves.",
                hint="nothing was promoted; --no-compare looks at the threshold alone.",
            )
        told.append(f"and better than {theirs:g} of version {other}")
        evidence["abtest.champion_value"] = str(theirs)
    evidence |= {"abtest.metric": metric, "abtest.value": str(value), "abtest.threshold": str(threshold)}
    return promote(
        registry, name, number,
        to_stage=None if stage == PRODUCTION else stage,
        why=f"{' '.join(told)}; {WEAKER}",
        evidence=evidence, serving=seen, require_approval=require_approval, dry_run=dry_run,
    )  # fmt: skip
