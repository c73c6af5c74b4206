"""Which runs and versions are in use, and by what: nobody may throw them away. The registry is read once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.lifecycle.logged import model_id_of
from abtest.registry import run_id_of
from abtest.tracking import PARENT
from abtest.trail import Movement, Outcome, history_of, records_of_all
from abtest.transitions import PRODUCTION, STAGING, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abtest.registry import RegistryClient, VersionDetails

SHORT = 12  # letters of a run's id that tell it from others
_REFERS = re.compile(r"abtest\.(\w+_)?run_id")  # abtest.comparison_run_id, abtest.request_run_id, …


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What is in use, and by what.

    Attributes:
        versions: By model and number; the reasons complete "version 1 of 'iris' …", such as "is in Production".
        runs: By id; the reasons are clauses, such as "version 1 of 'iris', which is in Production, was made of it".
    """

    versions: Mapping[tuple[str, int], tuple[str, ...]]
    runs: Mapping[str, tuple[str, ...]]


def used_by(registry: RegistryClient) -> Mapping[str, tuple[str, ...]]:
    """Tell which runs are in use, and by what: those that nobody may delete.

    They are the runs that versions stand on which are in Production or Staging, have an alias, or are in the history;
    the records of the trail; and the comparisons and trainings that any of these refers to or is nested in.

    Args:
        registry: Where the models are.

    Returns:
        Reasons by the run's id, as clauses.

    Raises:
        BackendError: MLflow does not answer, or a record cannot be read: nothing is known to be free then.
    """
    return in_use(registry).runs


def in_use(registry: RegistryClient, also: Mapping[tuple[str, int], str] | None = None) -> InUse:
    """Tell which versions and runs are in use. See ``used_by``.

    Args:
        registry: Where the models are.
        also: Versions to be kept for other reasons, and why, as in "is the newest": what they stand on is in use too.
    """
    details = registry.all_details()
    records = records_of_all(registry)
    trail: dict[str, list[Movement]] = defaultdict(list)
    for movement in records:
        trail[movement.model].append(movement)
    versions = {
        (name, number): reasons
        for name, known in details.items()
        for number, reasons in _versions(name, known, trail.get(name, ())).items()
    }
    for key, reason in (also or {}).items():
        versions[key] = (*versions.get(key, ()), reason)
    runs: dict[str, list[str]] = defaultdict(list)
    kept = [it for known in details.values() for it in known if (it.version.name, it.version.version) in versions]
    made_of = _made_of(registry, kept)
    for it in kept:
        told = _told(it, versions)
        for run_id in made_of.get((it.version.name, it.version.version), ()):
            runs[run_id].append(f"{told}, was made of it")
        for run_id in referred(it.tags):
            runs[run_id].append(f"{told}, refers to it")
    for movement in records:
        runs[movement.run_id].append(f"it is the record of the {movement.title}")
        for run_id in referred(movement.evidence):
            runs[run_id].append(f"the record of the {movement.title} refers to it")
    _follow(registry, runs)
    return InUse(versions=versions, runs={run_id: tuple(dict.fromkeys(why)) for run_id, why in runs.items()})


def _told(it: VersionDetails, versions: Mapping[tuple[str, int], tuple[str, ...]]) -> str:
    name, number = it.version.name, it.version.version
    return f"version {number} of '{name}', which {' and '.join(versions[name, number])}"


def _versions(name: str, known: Sequence[VersionDetails], trail: Sequence[Movement]) -> dict[int, tuple[str, ...]]:
    """Reasons for which versions of a model are in use, by their numbers; those that are not are left out."""
    standing = Standing.of([it.version for it in known])
    past = history_of(name, trail, standing)
    served = {number for entry in past.entries for number in entry.standing.serving}
    unsettled = {m.version: m.kind for m in trail if m.is_open or m.outcome is Outcome.AWAITING}
    found = {}
    for version in (it.version for it in known):
        reasons = [f"is in {version.stage}"] if version.stage in (PRODUCTION, STAGING) else []
        reasons += [f"has the alias {alias}" for alias in version.aliases]
        if version.version in unsettled:
            reasons.append(f"has a {unsettled[version.version]} that is not settled")
        # Of a model that was made again, another version may have had the number: that one too many is kept is no harm.
        if version.version in served and version.version not in standing.serving:
            reasons.append("was in production")
        if reasons:
            found[version.version] = tuple(reasons)
    return found


def _made_of(registry: RegistryClient, kept: Iterable[VersionDetails]) -> dict[tuple[str, int], set[str]]:
    """The runs that versions stand on; of one that names none, that of the model it was made from."""
    found: dict[tuple[str, int], set[str]] = {}
    nameless: dict[tuple[str, int], str] = {}
    for it in kept:
        key = (it.version.name, it.version.version)
        run_ids = {it.version.run_id, run_id_of(it.source or "")} - {None}
        found[key] = {run_id for run_id in run_ids if run_id}
        model_id = model_id_of(it)
        if not run_ids and model_id:
            nameless[key] = model_id
    sources = tracking.runs_of_models(registry.client, nameless.values()) if nameless else {}
    for key, model_id in nameless.items():
        if model_id in sources:
            found[key].add(sources[model_id])
    return found


def referred(tags: Mapping[str, str]) -> list[str]:
    """Runs that tags of ours name."""
    return [value for name, value in tags.items() if _REFERS.fullmatch(name)]


def _follow(registry: RegistryClient, runs: dict[str, list[str]]) -> None:
    """Add what runs in use refer to, and what they are nested in, and so on."""
    fresh = set(runs)
    while fresh:
        there = tracking.runs_of(registry.client, fresh, deleted=True)
        fresh = set()
        for run in there.values():
            told = f"run {run.run_id[:SHORT]}, which is in use,"
            named = dict.fromkeys(referred(run.tags), f"{told} refers to it")
            if PARENT in run.tags:
                named[run.tags[PARENT]] = f"{told} is nested in it"
            for run_id, why in named.items():
                if run_id not in runs:
                    fresh.add(run_id)
                    runs[run_id].append(why)
