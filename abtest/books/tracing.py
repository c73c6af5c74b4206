"""MLflow's runs as lineage tells them: the one that trained, the one around it, and those about a model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import wording
from abtest.record.traced import TracedComparison, TracedRun
from abtest.registry import Reference
from abtest.talking import all_pages, is_missing, quoted, told_as_ours
from abtest.tracking import PARENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlflow.entities import Run

    from abtest.registry import RegistryClient

_ALL = 3  # MLflow's ViewType.ALL: deleted runs are part of what happened
_KIND, _MODEL = "abtest.kind", "abtest.model_name"
_SIDES = {"champion": "abtest.champion_version", "challenger": "abtest.challenger_version"}


def run_of(registry: RegistryClient, run_id: str | None) -> Run | None:
    """Read a run; None where there is none, or it is gone for good."""
    if run_id is None:
        return None
    with told_as_ours(f"The run {run_id} could not be read"):
        try:
            return registry.client.get_run(run_id)
        except Exception as error:
            if not is_missing(error):
                raise
            return None


def parent_of(registry: RegistryClient, run: Run | None) -> Run | None:
    """Read the run that a run is nested in."""
    return run_of(registry, run.data.tags.get(PARENT)) if run else None


def experiments_of(registry: RegistryClient) -> dict[str, str]:
    """Names of all experiments by their ids, deleted ones too."""
    with told_as_ours("The experiments could not be read"):
        return {it.experiment_id: it.name for it in all_pages(registry.client.search_experiments, view_type=_ALL)}


def runs_about(registry: RegistryClient, name: str, experiments: Iterable[str]) -> tuple[Run, ...]:
    """Every run of abtest's about a model, in any of these experiments, the oldest first."""
    return _search(registry, experiments, f"tags.`{_MODEL}` = {quoted(name)}", f"the runs about '{name}'")


def _search(registry: RegistryClient, experiments: Iterable[str], wanted: str, what: str) -> tuple[Run, ...]:
    ids = list(experiments)
    with told_as_ours(f"{wording.capitalised(what)} could not be read"):
        found = all_pages(
            registry.client.search_runs, experiment_ids=ids, filter_string=wanted, run_view_type=_ALL
        )  # fmt: skip
        return tuple(sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))) if ids else ()


def own_runs(registry: RegistryClient, like: str = "%") -> tuple[Run, ...]:
    """Every run of abtest's whose kind is like this, deleted ones too, the oldest first."""
    return _search(registry, experiments_of(registry), f"tags.`{_KIND}` LIKE '{like}'", "abtest's runs")


def kind(run: Run) -> str | None:
    """What a run is to abtest."""
    told: str | None = run.data.tags.get(_KIND)
    return told


def started(run: Run) -> datetime:
    """When a run began, in UTC."""
    return datetime.fromtimestamp(run.info.start_time / 1000, UTC)


def comparisons(runs: Iterable[Run], name: str, version: int) -> tuple[TracedComparison, ...]:
    """The comparisons, among runs about a model, in which a version of it was a side."""
    found = []
    for run in runs:
        tags = run.data.tags
        if tags.get(_KIND) != "comparison":
            continue
        for side, other in (("champion", "challenger"), ("challenger", "champion")):
            if tags.get(_SIDES[side]) == str(version) and not _is_foreign(run.data.params.get(side), name):
                found.append(
                    TracedComparison(
                        run_id=run.info.run_id,
                        at=started(run),
                        side=side,  # type: ignore[arg-type] # it is one of them
                        other=wording.redacted(tags.get(_SIDES[other], "unknown")),
                        verdict=tags.get("abtest.verdict"),
                        experiment=tags.get("abtest.experiment"),
                        user=tags.get("mlflow.user"),
                        deleted=_deleted(run),
                    )
                )
    return tuple(found)


def _is_foreign(named: str | None, name: str) -> bool:
    """Whether a side was named as another model's: versions of two models may have one number."""
    model = Reference.from_uri(named)[0] if named else None
    return model not in (None, name)


def is_retraining_of(run: Run, version: int) -> bool:
    """Whether a run is a retraining that a version came from, or was held against."""
    tags = run.data.tags
    named = ("abtest.version", *_SIDES.values())
    return tags.get(_KIND) == "retraining" and str(version) in [tags.get(name) for name in named]


def traced(run: Run, experiments: Mapping[str, str]) -> TracedRun:
    """Put a run on record; experiments are named by their ids."""
    tags = run.data.tags
    told = [
        tags[name] for name in ("abtest.status", "abtest.action", "abtest.verdict", "abtest.outcome") if name in tags
    ]
    return TracedRun(
        run_id=run.info.run_id,
        name=run.info.run_name or None,
        kind=tags.get(_KIND),
        experiment=experiments.get(run.info.experiment_id),
        status=run.info.status,
        user=tags.get("mlflow.user") or run.info.user_id or None,
        started_at=started(run),
        deleted=_deleted(run),
        told=", ".join(told) or None,
    )


def _deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage == "deleted")
