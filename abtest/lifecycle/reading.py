"""What there is: a listing, a model with its versions, two versions side by side, the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest import mover, wording
from abtest.errors import InvalidInputError, ModelNotFoundError, near
from abtest.lifecycle.logged import logged
from abtest.lifecycle.records import ListedModel, LoggedComparison, LoggedRow, ShownModel, ShownVersion
from abtest.registry.versions import numbered
from abtest.trail import History, Trail, history_of
from abtest.transitions import PRODUCTION, STAGING, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.registry import ModelVersion, RegistryClient, VersionDetails


def listing(registry: RegistryClient) -> tuple[ListedModel, ...]:
    """Every registered model in a line."""
    return tuple(
        ListedModel(
            name=model.name,
            production=model.stages.get(PRODUCTION),
            staging=model.stages.get(STAGING),
            aliases=model.aliases,
            latest=model.latest,
            description=model.description,
            updated_at=model.updated_at,
        )
        for model in registry.overview()
    )


def shown(registry: RegistryClient, name: str) -> ShownModel:
    """A model with its versions."""
    details = registry.details(name)
    description, tags = registry.model_tags(name)
    ran = logged(registry, details)
    versions = tuple(
        ShownVersion(
            details=it, metrics=ran[it.version.version].metrics, user=it.created_by or ran[it.version.version].user
        )
        for it in details
    )
    standing = Standing.of([it.version for it in details])
    return ShownModel(
        name=name, description=description, tags=tags, versions=versions, standing=standing,
        notices=notices(registry, name, [it.version for it in details]),
    )  # fmt: skip


def notices(registry: RegistryClient, name: str, versions: Sequence[ModelVersion]) -> tuple[str, ...]:
    """What the trail has to tell whoever looks at the model."""
    movements = Trail(registry, name).read()
    told = [str(one.error()) for one in mover.unfinished(movements, versions)]
    told += [
        f"A {waiting.title} waits for approval, asked for by {waiting.by} ({waiting.why}). "
        f"{wording.command('models', 'approve', name)}, or reject, settles it."
        for waiting in mover.awaiting(movements)
    ]
    past = history_of(name, movements, Standing.of(versions))
    if past.unrecorded and past.unrecorded[-1] is past.entries[-1] and not told:
        told.append(f"It was moved outside abtest since the last record: it stands at {past.entries[-1].standing}.")
    return tuple(told)


def history(registry: RegistryClient, name: str) -> History:
    """What was in production when, who moved it, and why."""
    movements = Trail(registry, name).read()
    try:
        versions = registry.versions(name)
    except ModelNotFoundError:
        if not movements:
            raise
        versions = ()  # it was deleted, and its trail was not
    return history_of(name, movements, Standing.of(versions))


def compared(
    registry: RegistryClient, name: str, first: str | int, second: str | int, metrics: Sequence[str] = ()
) -> LoggedComparison:
    """Two versions' logged metrics and parameters side by side.

    Raises:
        ModelNotFoundError: A version is not there.
        InvalidInputError: A metric was logged for neither, or both versions are the same.
    """
    details = registry.details(name)
    one, other = (detailed(name, details, text) for text in (first, second))
    if one is other:
        raise InvalidInputError(f"Both are version {one.version.version} of '{name}'.", hint="name two versions.")
    found = logged(registry, (one, other))
    sides = found[one.version.version], found[other.version.version]
    known = sorted({*sides[0].metrics, *sides[1].metrics})
    for metric in metrics:
        if metric not in known:
            raise InvalidInputError(
                f"Metric '{metric}' was logged for neither version; logged: {', '.join(known) or 'none'}.",
                hint=near(metric, known),
            )
    rows = [
        LoggedRow(kind="metric", name=metric, first=sides[0].metrics.get(metric), second=sides[1].metrics.get(metric))
        for metric in metrics or known
    ]
    if not metrics:
        rows += [
            LoggedRow(kind="parameter", name=key, first=sides[0].params.get(key), second=sides[1].params.get(key))
            for key in sorted({*sides[0].params, *sides[1].params})
        ]
    rows.sort(key=lambda row: (row.kind, not row.differs, row.name))
    return LoggedComparison(model=name, versions=(one.version.version, other.version.version), rows=tuple(rows))


def detailed(name: str, details: Sequence[VersionDetails], text: str | int) -> VersionDetails:
    """The version that a number names.

    Raises:
        InvalidInputError: It is no number.
        ModelNotFoundError: There is no such version.
    """
    version = numbered(name, tuple(it.version for it in details), str(text))
    return next(it for it in details if it.version == version)
