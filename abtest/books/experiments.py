"""Experiments as MLflow keeps them: folders of runs, not to be taken for experiments on live traffic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from abtest.books import deleting
from abtest.books.runs import LoggedRun, all_experiments, named_experiments, search
from abtest.talking import told_as_ours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.books.runs import Progress
    from abtest.registry import RegistryClient


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedExperiment:
    """An experiment in a line.

    Attributes:
        experiment_id: Its id.
        name: Its name.
        deleted: Whether it was deleted, with its runs.
        runs: How many it holds: of a deleted one the deleted runs, else those that are not.
        last_activity: When the last of them began or ended; None where there is none.
        kinds: How many are of which kind, where abtest logged them.
    """

    experiment_id: str
    name: str
    deleted: bool
    runs: int
    last_activity: datetime | None
    kinds: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "experiment_id": self.experiment_id,
            "name": self.name,
            "deleted": self.deleted,
            "runs": self.runs,
            "last_activity": self.last_activity.isoformat() if self.last_activity else None,
            "kinds": dict(self.kinds),
        }


def listing(
    registry: RegistryClient, *, deleted: bool = False, progress: Progress | None = None
) -> tuple[ListedExperiment, ...]:
    """Experiments, those first in which something happened last.

    Args:
        registry: Whose tracking server is asked.
        deleted: Those that were deleted, instead of those that were not.
        progress: Told how many runs were read.
    """
    there = all_experiments(registry)
    names = there
    if deleted:
        names = {n: name for n, name in all_experiments(registry, deleted=True).items() if n not in there}
    return _told(names, search(registry, deleted=deleted, progress=progress).runs, deleted=deleted)


def _told(names: Mapping[str, str], runs: Sequence[LoggedRun], *, deleted: bool) -> tuple[ListedExperiment, ...]:
    held: dict[str, list[LoggedRun]] = {number: [] for number in names}
    for run in runs:
        if run.experiment_id in held:
            held[run.experiment_id].append(run)
    found = [
        ListedExperiment(
            experiment_id=number,
            name=names[number],
            deleted=deleted,
            runs=len(within),
            last_activity=max((at for run in within if (at := run.ended_at or run.started_at)), default=None),
            kinds=dict(sorted(Counter(run.kind for run in within if run.kind).items())),
        )
        for number, within in held.items()
    ]
    return tuple(sorted(found, key=lambda it: (-(it.last_activity.timestamp() if it.last_activity else 0), it.name)))


def planned(registry: RegistryClient, named: Sequence[str], *, deleted: bool) -> tuple[ListedExperiment, ...]:
    """The experiments of these names or ids that are deleted, or are not, with their runs; others are left out.

    Raises:
        NotFoundError: There is no such experiment.
    """
    there = all_experiments(registry)
    wanted = {n: name for n, name in named_experiments(registry, named).items() if (n not in there) == deleted}
    runs = search(registry, experiments=list(wanted), deleted=deleted).runs if wanted else ()
    return _told(wanted, runs, deleted=deleted)


def refuse_used(registry: RegistryClient, experiments: Sequence[ListedExperiment]) -> None:
    """Refuse to delete any where a run in one is in use.

    Raises:
        RefusedError: One is in use.
    """
    for it in experiments:
        # Runs that were deleted one by one, too: what is in use may still be brought back.
        held = [run for gone in (False, True) for run in search(registry, experiments=[it.name], deleted=gone).runs]
        deleting.refuse_used(registry, held, what=f"experiment '{it.name}'")


def delete(registry: RegistryClient, experiments: Sequence[ListedExperiment]) -> None:
    """Delete experiments with their runs; MLflow keeps both until ``mlflow gc``.

    Raises:
        RefusedError: A run in one is in use: looked at again, since time has passed since they were shown.
        BackendError: MLflow does not do it.
    """
    refuse_used(registry, experiments)
    for it in experiments:
        with told_as_ours(f"Experiment '{it.name}' could not be deleted", typed=True):
            registry.client.delete_experiment(it.experiment_id)


def restore(registry: RegistryClient, experiments: Sequence[ListedExperiment]) -> None:
    """Bring deleted experiments back with all their runs, those too that had been deleted before them: so MLflow does.

    Raises:
        BackendError: MLflow does not do it.
    """
    for it in experiments:
        with told_as_ours(f"Experiment '{it.name}' could not be restored", typed=True):
            registry.client.restore_experiment(it.experiment_id)
