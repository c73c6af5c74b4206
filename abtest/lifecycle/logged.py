"""What was logged when versions were trained: metrics and parameters, read for many versions in a few requests."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError, near
from abtest.talking import all_pages, told_as_ours
from abtest.tracking import FoundRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from abtest.registry import RegistryClient, VersionDetails

_A_TIME = 100  # ids in one filter
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
    client = registry.client
    with told_as_ours("The runs that trained these versions could not be read"):
        experiments = [experiment.experiment_id for experiment in all_pages(client.search_experiments)]
        runs = {
            run.info.run_id: FoundRun.of(run)
            for wanted in _filters("attributes.run_id", (details.version.run_id for details in versions))
            for run in all_pages(client.search_runs, experiment_ids=experiments, filter_string=wanted)
        }
        models = {
            model.model_id: model
            for wanted in _filters("model_id", map(model_id_of, versions))
            for model in all_pages(client.search_logged_models, experiment_ids=experiments, filter_string=wanted)
        }
    found = {}
    for details in versions:
        run, model = runs.get(details.version.run_id or ""), models.get(model_id_of(details) or "")
        own = {metric.key: metric.value for metric in (model.metrics or [])} if model else {}
        found[details.version.version] = Logged(
            metrics=own or (run.metrics if run else {}),
            params=run.params if run else {},
            user=run.tags.get("mlflow.user") if run else None,
        )
    return found


def model_id_of(details: VersionDetails) -> str | None:
    """The logged model that a version was made from; MLflow tells it in the source alone, or not at all."""
    match = _LOGGED_MODEL.fullmatch(details.source or "")
    return details.model_id or (match[1] if match else None)


def _filters(attribute: str, ids: Iterable[str | None]) -> Iterator[str]:
    known = sorted({name for name in ids if name and "'" not in name})
    for start in range(0, len(known), _A_TIME):
        quoted = ", ".join(f"'{name}'" for name in known[start : start + _A_TIME])
        yield f"{attribute} IN ({quoted})"
