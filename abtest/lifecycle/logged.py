"""What was logged when versions were trained: metrics and parameters, read for many versions in a few requests."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.errors import InvalidInputError, near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import RegistryClient, VersionDetails

_LOGGED_MODEL = re.compile(r"models:/(m-[^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What a version's training run logged.

    Attributes:
        metrics: The last value of each; those of the model itself where its run logged several models.
        params: Parameters.
        user: Who ran it.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None

    def metric(self, name: str, version: int) -> float:
        """One metric's value.

        Raises:
            InvalidInputError: It was never logged, or is no number.
        """
        if name not in self.metrics:
            known = ", ".join(sorted(self.metrics)) or "none"
            raise InvalidInputError(
                f"Metric '{name}' was never logged for version {version}; logged: {known}.",
                hint=near(name, self.metrics) or "'abtest compare' measures it on labelled rows instead.",
            )
        value = self.metrics[name]
        if not math.isfinite(value):
            raise InvalidInputError(f"Metric '{name}' of version {version} was logged as {value}, which is no number.")
        return value


def logged(registry: RegistryClient, versions: Sequence[VersionDetails]) -> dict[int, Logged]:
    """Read what was logged for each version; nothing for one without a run.

    Raises:
        BackendError: The tracking server does not answer.
    """
    runs = tracking.runs_of(registry.client, (details.version.run_id for details in versions))
    models = tracking.metrics_of_models(registry.client, map(model_id_of, versions))
    found = {}
    for details in versions:
        run, own = runs.get(details.version.run_id or ""), models.get(model_id_of(details) or "")
        found[details.version.version] = Logged(
            metrics={name: unclipped(value) for name, value in (own or (run.metrics if run else {})).items()},
            params=run.params if run else {},
            user=run.tags.get("mlflow.user") if run else None,
        )
    return found


def unclipped(value: float) -> float:
    """A database keeps infinity as the largest number there is."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value


def model_id_of(details: VersionDetails) -> str | None:
    """The logged model that a version was made from; MLflow tells it in the source alone, or not at all."""
    match = _LOGGED_MODEL.fullmatch(details.source or "")
    return details.model_id or (match[1] if match else None)
