"""Where a version comes from and what became of it, gathered from the registry, its trail and MLflow's runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.books import tracing
from abtest.books.environments import environment_of
from abtest.errors import BackendError, NotPermittedError
from abtest.record.traced import LineageRecord, Served, TracedCode, TracedData, TracedMove
from abtest.trail import Trail, history_of
from abtest.transitions import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow.entities import Run

    from abtest.record.traced import Environment
    from abtest.registry import Reference, RegistryClient, VersionDetails
    from abtest.trail import History, Movement
    from abtest.transitions import Transition

_LEEWAY = timedelta(minutes=1)  # clocks differ: what is older than a version by more is another's of that number
_COMMIT, _SOURCE = "mlflow.source.git.commit", "mlflow.source.name"
_RECIPE, _DATA, _HOLDOUT = "abtest.recipe_digest", "abtest.data_digest", "abtest.holdout_digest"


def lineage(registry: RegistryClient, name: str, reference: Reference) -> LineageRecord:
    """Gather a version's lineage; what is nowhere on record is named, and never guessed.

    Args:
        registry: Where it is.
        name: The registered model.
        reference: Which version, by its number, a stage or an alias.

    Raises:
        ModelNotFoundError: There is no such model or version.
        BackendError: MLflow does not answer.
    """
    version = registry.resolve(name, reference).version
    details = registry.details(name)
    it = next(one for one in details if one.version.version == version)
    movements = Trail(registry, name).read()
    past = history_of(name, movements, Standing.of([one.version for one in details]))
    since = it.created_at - _LEEWAY
    environment, unread = _environment(registry, it)
    moves = tuple(_moved(one, version) for one in movements if one.began_at >= since and _about(one, version))
    became = _became(registry, it, served(past, version, since), since)
    found = LineageRecord(
        model_name=name,
        version=version,
        stage=it.version.stage,
        aliases=it.version.aliases,
        registered_at=it.created_at,
        registered_by=it.created_by or next((one.by for one in moves if one.kind == "registration"), None),
        description=it.description,
        source=_text(it.source),
        environment=environment,
        moves=moves,
        unknown=(),
        registry=str(registry),
        **_made_from(registry, it),
        **became,
    )
    return replace(found, unknown=_unknown(found, it, unread))


def _environment(registry: RegistryClient, it: VersionDetails) -> tuple[Environment | None, str]:
    """A version's environment; where the files cannot be read that it is in, why, to be said beside."""
    try:
        return environment_of(registry, it.version), ""
    except (BackendError, NotPermittedError) as error:
        return None, f" ({error.message.rstrip('.')})"


def _made_from(registry: RegistryClient, it: VersionDetails) -> dict[str, Any]:
    """What is known of the run that trained a version, and of the training around it."""
    experiments = tracing.experiments_of(registry)
    run = tracing.run_of(registry, it.version.run_id)
    parent = tracing.parent_of(registry, run)
    ran = [one for one in (run, parent) if one is not None]
    return {
        "run": tracing.traced(run, experiments) if run else None,
        "parent": tracing.traced(parent, experiments) if parent else None,
        "data": _data(ran),
        "holdout_digest": _tag(ran, _HOLDOUT),
        "code": TracedCode(
            git_commit=_tag(ran, _COMMIT), source=_text(_tag(ran, _SOURCE)), recipe_digest=_tag(ran, _RECIPE)
        ),
        "params": {name: wording.redacted(value) for name, value in run.data.params.items()} if run else {},
        "metrics": _metrics(run),
    }


def _became(registry: RegistryClient, it: VersionDetails, times: tuple[Served, ...], since: datetime) -> dict[str, Any]:
    """What MLflow's runs tell of a version after it was registered."""
    name, version, experiments = it.version.name, it.version.version, tracing.experiments_of(registry)
    runs = [one for one in tracing.runs_about(registry, name, experiments) if tracing.started(one) >= since]
    monitored = [one for one in runs if tracing.kind(one) == "monitoring" and _within(tracing.started(one), times)]
    return {
        "comparisons": tracing.comparisons(runs, name, version),
        "served": times,
        "monitoring": tuple(tracing.traced(one, experiments) for one in monitored),
        "retraining": tuple(tracing.traced(one, experiments) for one in runs if tracing.is_retraining_of(one, version)),
    }


def _data(runs: Sequence[Run]) -> tuple[TracedData, ...]:
    """The rows that the run and the training around it read; each once."""
    whole = _tag(runs, _DATA)
    found: dict[tuple[str, str], TracedData] = {}
    for run in runs:
        for entry in run.inputs.dataset_inputs if run.inputs else ():
            context = next((tag.value for tag in entry.tags if tag.key == "mlflow.data.context"), None)
            digest = entry.dataset.digest or None
            known = whole is not None and digest is not None and whole.startswith(digest)  # MLflow cuts long ones off
            data = TracedData(
                name=entry.dataset.name, context=context, path=_path(entry.dataset.source),
                digest=whole if known else digest, whole=known,
            )  # fmt: skip
            found.setdefault((data.name, str(data.digest)), data)
    if whole is not None and not any(data.whole for data in found.values()):
        found["", whole] = TracedData(name="training data", context="training", path=None, digest=whole, whole=True)
    return tuple(found.values())


def _path(source: str) -> str | None:
    try:
        told = json.loads(source)
    except ValueError:
        return None
    path = (told.get("uri") or told.get("path") or told.get("url")) if isinstance(told, dict) else None
    return wording.redacted(str(path)) if path else None


def _tag(runs: Sequence[Run], name: str) -> str | None:
    return next((run.data.tags[name] for run in runs if run.data.tags.get(name)), None)


def _text(text: str | None) -> str | None:
    return None if text is None else wording.redacted(text)


def _metrics(run: Run | None) -> dict[str, float | None]:
    values = dict(run.data.metrics) if run else {}
    return {name: value if math.isfinite(value) else None for name, value in sorted(values.items())}


def _about(movement: Movement, version: int) -> bool:
    """Whether a movement is about a version, or moved it."""
    return movement.version == version or any(_touches(step, version) for step in movement.plan)


def _touches(step: Transition, version: int) -> bool:
    return step.version == version or (step.kind == "alias" and step.before == str(version))


def _moved(movement: Movement, version: int) -> TracedMove:
    return TracedMove(
        run_id=movement.run_id,
        at=movement.settled_at or movement.began_at,
        kind=movement.kind,
        what=movement.what,
        outcome=str(movement.outcome),
        by=movement.evidence.get("abtest.requested_by", movement.by),
        approved_by=movement.evidence.get("abtest.approved_by"),
        why=movement.why,
        steps=tuple(str(step) for step in movement.plan if _touches(step, version)),
        comparison_run_id=movement.evidence.get("abtest.comparison_run_id"),
    )


def served(past: History, version: int, since: datetime) -> tuple[Served, ...]:
    """Tell when a version was in production, by the history from some moment on."""
    found: list[Served] = []
    begun: datetime | None = None
    serves = False
    for entry in past.entries:
        holds = version in entry.standing.serving and (entry.at is None or entry.at >= since)
        if holds and not serves:
            begun, serves = entry.at, True
        elif serves and not holds:
            found.append(Served(since=begun, until=entry.at, now=False))
            serves = False
    return (*found, Served(since=begun, until=None, now=True)) if serves else tuple(found)


def _within(moment: datetime, served: Sequence[Served]) -> bool:
    now = datetime.now(UTC)
    return any(it.since is not None and it.since <= moment <= (it.until or now) for it in served)


def _unknown(found: LineageRecord, it: VersionDetails, unread: str) -> tuple[str, ...]:
    """Name what is not on record."""
    told: Mapping[str, object] = {
        "who registered it": found.registered_by,
        "the training data": found.data,
        "the git commit": found.code.git_commit,
        f"the environment{unread}": found.environment,
        "Python's version": found.environment is None or found.environment.python,
    }
    unknown = [what for what, known in told.items() if not known]
    if found.run is None:
        run_id = it.version.run_id
        unknown.insert(0, f"run {run_id}, which is gone" if run_id else "the run that trained it")
    return tuple(unknown)
