"""Old versions and runs thrown away: planned, shown, and then deleted one by one, each looked at again before.

Never what is staged, has an alias or is in the history, nor a run that any version which stays, or any record of the
trail, stands on. A run that goes is deleted as MLflow deletes runs: it can be restored until ``mlflow gc``.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest import wording
from abtest.books import tracing
from abtest.books.retention import Cleaned, CleanupPlan, Item, Retention, ranked
from abtest.books.used import in_use, referred
from abtest.errors import AbtestError, PromotionError, RefusedError
from abtest.lifecycle import moving
from abtest.talking import told_as_ours
from abtest.tracking import PARENT
from abtest.trail import Outcome, records_of_all
from abtest.transitions import PRODUCTION, STAGING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlflow.entities import Run

    from abtest.registry import RegistryClient

REMOVABLE = ("comparison", "comparisons", "training", "candidate", "monitoring", "prediction")
_IN_USE, _UNDER_WAY, _ASIDE = "is in use", "is under way", "stays"
_PLACING = ("promotion", "rollback", "registration", "recovery")  # records that make a version part of the history
_RETRAINING = "retraining"
_ENDED = ("FINISHED", "FAILED", "KILLED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a cleanup is to look at.

    Attributes:
        retention: How much is kept.
        model: One model and the runs about it; None for all.
        versions: Whether versions go.
        runs: Whether runs go.
    """

    retention: Retention
    model: str | None = None
    versions: bool = True
    runs: bool = True


def plan(registry: RegistryClient, wanted: Wanted, *, now: datetime | None = None) -> CleanupPlan:
    """Plan a cleanup; nothing is touched.

    Raises:
        ModelNotFoundError: There is no such model, nor a run about it.
        BackendError: MLflow does not answer, or a record cannot be read: nothing is known to be free then.
    """
    now = now or datetime.now(UTC)
    versions = _versions(registry, wanted, now)
    kept = {_key(it): it.reason for it in versions if it.reason is not None}
    runs = tracing.own_runs(registry)
    groups = _groups(runs)
    if wanted.model is not None and not any(wanted.model in _models(group) for group in groups):
        registry.versions(wanted.model)  # says that there is no such model, if there is none
    used = in_use(registry, kept)
    items = _runs(groups, wanted, _with_retrainings(used.runs, runs), now) if wanted.runs else []
    seen = [it for it in versions if wanted.versions and wanted.model in (None, it.model)]
    everything = [*_by_age(seen), *_by_age(items)]
    return CleanupPlan(
        going=tuple(it for it in everything if it.reason is None),
        staying=tuple(it for it in everything if it.reason is not None),
        deleted=tuple(run.info.run_id for run in runs if _is_deleted(run) and tracing.kind(run) in REMOVABLE),
        deleted_in_use=tuple(run.info.run_id for run in runs if _is_deleted(run) and run.info.run_id in used.runs),
    )


def clean(
    registry: RegistryClient, shown: CleanupPlan, *, progress: Callable[[str, int, int | None], None] | None = None
) -> Cleaned:
    """Delete what a plan says, each thing looked at again before; what something stands on by now stays.

    Args:
        registry: Where it is.
        shown: The plan.
        progress: Is told what is done, how many of it, and of how many.

    Returns:
        What was done. Where MLflow fails it stops there, and ``failed`` says why.
    """
    deleted: list[Item] = []
    spared: list[Item] = []
    for number, item in enumerate(shown.going):
        if progress is not None:
            progress("Deleting", number, len(shown.going))
        try:
            held = _held(registry, item)
            if held is None:
                _delete(registry, item)
        except KeyboardInterrupt as stop:
            stop.add_note(f"{len(deleted)} of {len(shown.going)} were deleted.")
            raise
        except PromotionError as error:  # moved, or being moved, meanwhile
            held = (str(error),)
        except AbtestError as error:
            told = f"{item.what} could not be deleted: {error.message}"
            return Cleaned(
                deleted=tuple(deleted), spared=tuple(spared), left=shown.going[number:],
                failed=wording.capitalised(told),
            )  # fmt: skip
        if held is not None:
            spared.append(replace(item, reason=_IN_USE, because=held))
            continue
        deleted.append(item)
    return Cleaned(deleted=tuple(deleted), spared=tuple(spared), left=(), failed=None)


def _versions(registry: RegistryClient, wanted: Wanted, now: datetime) -> list[Item]:
    """Every version there is, with why it stays; of a model that is not looked at, all of them do."""
    reasons = protected(registry)
    found = []
    for name, details in registry.all_details().items():
        items = [
            Item(
                kind="version", model=name, version=it.version.version, run_ids=(),
                what=f"version {it.version.version} of '{name}'", at=it.created_at,
            )
            for it in details
        ]  # fmt: skip
        looked_at = wanted.versions and wanted.model in (None, name)
        for item, rank in zip(items, ranked(items), strict=True):
            because = reasons.get(_key(item), ())
            spared = wanted.retention.spares(item.at, rank, now) if looked_at else _ASIDE
            found.append(replace(item, reason=because[0] if because else spared, because=because))
    return found


def protected(registry: RegistryClient) -> dict[tuple[str, int], tuple[str, ...]]:
    """Versions that are never deleted, and why: staged, with an alias, in the history, or of a retraining under way."""
    found = {key: list(reasons) for key, reasons in in_use(registry).versions.items()}
    for it in records_of_all(registry):
        if it.version is not None and it.kind in _PLACING:
            found.setdefault((it.model, it.version), []).append(f"is in the history ({it.kind})")
    for run in tracing.own_runs(registry, _RETRAINING):
        tags = run.data.tags
        if tags.get("abtest.outcome") == Outcome.PENDING and tags.get("abtest.version", "").isdecimal():
            key = tags.get("abtest.model_name", ""), int(tags["abtest.version"])
            found.setdefault(key, []).append("is being retrained")
    return {key: tuple(dict.fromkeys(reasons)) for key, reasons in found.items()}


def _groups(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs with those nested in them, the outermost last."""
    known = {run.info.run_id: run for run in runs}
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in known.values():
        chain = [run.info.run_id]
        while (parent := known[chain[-1]].data.tags.get(PARENT)) in known and parent not in chain:
            chain.append(parent)
        groups[chain[-1]].append(run)
    return [sorted(group, key=lambda run: run.info.run_id == root) for root, group in groups.items()]


def _runs(
    groups: Sequence[list[Run]], wanted: Wanted, used: Mapping[str, tuple[str, ...]], now: datetime
) -> list[Item]:
    """Abtest's own runs, with why each stays, by model and kind."""
    alike: dict[tuple[str, str], list[tuple[Item, list[Run]]]] = defaultdict(list)
    for group in groups:
        there = [run for run in group if not _is_deleted(run)]
        kind, models = tracing.kind(group[-1]), _models(group)
        if not there or kind not in REMOVABLE or (wanted.model is not None and wanted.model not in models):
            continue
        model = min(models, default=None)
        nested = f" with {wording.plural(len(there) - 1, 'run')} in it" if there[1:] else ""
        item = Item(
            kind="run", model=model, version=None, run_ids=tuple(run.info.run_id for run in there),
            what=f"{kind} run {there[-1].info.run_id[:12]}{nested}" + (f" about '{model}'" if model else ""),
            at=max(tracing.started(run) for run in there),
        )  # fmt: skip
        alike[model or group[-1].info.experiment_id, kind].append((item, there))
    found = []
    for same in alike.values():
        for (item, there), rank in zip(same, ranked([item for item, _ in same]), strict=True):
            because = tuple(dict.fromkeys(why for run in there for why in used.get(run.info.run_id, ())))
            reason = _IN_USE if because else wanted.retention.spares(item.at, rank, now)
            if any(run.info.status not in _ENDED for run in there):
                reason = reason or _UNDER_WAY
            found.append(replace(item, reason=reason, because=because))
    return found


def _with_retrainings(used: Mapping[str, tuple[str, ...]], runs: Iterable[Run]) -> dict[str, tuple[str, ...]]:
    """Add what retrainings refer to: they are records, and stay."""
    found = dict(used)
    for run in runs:
        if tracing.kind(run) == _RETRAINING:
            for run_id in (*referred(run.data.tags), run.info.run_id):
                found[run_id] = (*found.get(run_id, ()), f"the retraining {run.info.run_id[:12]} refers to it")
    return found


def _held(registry: RegistryClient, item: Item) -> tuple[str, ...] | None:
    """Look again: what stands on a thing by now; None where nothing does."""
    if item.kind == "version":
        return protected(registry).get(_key(item))
    kept = {(name, it.version.version): "is there" for name, known in registry.all_details().items() for it in known}
    used = _with_retrainings(in_use(registry, kept).runs, tracing.own_runs(registry, _RETRAINING))
    return tuple(dict.fromkeys(why for run_id in item.run_ids for why in used.get(run_id, ()))) or None


def _delete(registry: RegistryClient, item: Item) -> None:
    """Delete a version, or runs: all of them, or none."""
    if item.kind == "version":
        _delete_version(registry, item)
        return
    done: list[str] = []
    try:
        for run_id in item.run_ids:
            with told_as_ours(f"Run {run_id} could not be deleted"):
                registry.client.delete_run(run_id)
            done.append(run_id)
    except BaseException:  # an interruption, too
        for run_id in done:
            with contextlib.suppress(Exception):  # what went wrong first is what is told
                registry.client.restore_run(run_id)
        raise


def _delete_version(registry: RegistryClient, item: Item) -> None:
    name, number = _key(item)
    shown = moving.delete_version(registry, name, number, dry_run=True).plan
    if any(step.before in (PRODUCTION, STAGING) for step in shown):
        raise RefusedError(f"Version {number} of '{name}' was staged meanwhile.")
    moving.delete_version(registry, name, number, why="cleanup", shown=shown)


def _key(item: Item) -> tuple[str, int]:
    return str(item.model), item.version or 0


def _models(group: Iterable[Run]) -> set[str]:
    return {run.data.tags["abtest.model_name"] for run in group if run.data.tags.get("abtest.model_name")}


def _is_deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage == "deleted")


def _by_age(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda it: (it.at, str(it.model), it.version or 0, it.run_ids))
