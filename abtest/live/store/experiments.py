"""Plans, epochs and looks in the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from abtest.errors import InvalidInputError, NotFoundError, RefusedError, StaleChampionError, near
from abtest.live.experiment import Epoch, Experiment, State
from abtest.live.log import Snapshot
from abtest.live.store.schema import epochs, experiments, snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.live.store.connecting import Database


def start(connection: sa.Connection, experiment: Experiment, *, inclusion: float, why: str) -> Epoch:
    """Put a plan and its first epoch on record."""
    if connection.scalar(sa.select(experiments.c.name).where(experiments.c.name == experiment.name)) is not None:
        raise InvalidInputError(f"There is an experiment '{experiment.name}' already.", hint="choose another name.")
    going_on = active(connection, experiment.model_name)
    if going_on is not None:
        other, epoch = going_on
        raise InvalidInputError(
            f"Experiment '{other.name}' of model '{experiment.model_name}' goes on ({epoch.state}).",
            hint=f"'abtest experiment stop {other.name}' ends it.",
        )
    first = Epoch(
        experiment=experiment.name, number=1, state=State.RUNNING, inclusion=inclusion,
        began_at=experiment.created_at, by=experiment.created_by, why=why,
    )  # fmt: skip
    connection.execute(
        experiments.insert(),
        {
            "name": experiment.name,
            "model_name": experiment.model_name,
            "created_at": experiment.created_at.timestamp(),
            "plan": _adapter().dump_json(experiment).decode(),
        },
    )
    _insert(connection, first)
    return first


def plans(connection: sa.Connection, model_name: str | None = None) -> tuple[tuple[Experiment, Epoch], ...]:
    """Every plan with its last epoch, the latest first."""
    latest = (
        sa.select(epochs.c.experiment, sa.func.max(epochs.c.number).label("number"))
        .group_by(epochs.c.experiment)
        .subquery()
    )
    rows = (
        sa.select(experiments.c.plan, *epochs.c)
        .join_from(experiments, latest, latest.c.experiment == experiments.c.name)
        .join(epochs, (epochs.c.experiment == latest.c.experiment) & (epochs.c.number == latest.c.number))
        .order_by(experiments.c.created_at.desc(), experiments.c.name)
    )
    if model_name is not None:
        rows = rows.where(experiments.c.model_name == model_name)
    return tuple((_plan(row["plan"]), _epoch(row)) for row in connection.execute(rows).mappings())


def active(connection: sa.Connection, model_name: str) -> tuple[Experiment, Epoch] | None:
    """The experiment of a model that is not over, with its last epoch."""
    return next((pair for pair in plans(connection, model_name) if not pair[1].state.is_over), None)


def find(connection: sa.Connection, name: str) -> Experiment | None:
    """Read a plan, if there is one of that name."""
    found = connection.scalar(sa.select(experiments.c.plan).where(experiments.c.name == name))
    return None if found is None else _plan(found)


def plan(connection: sa.Connection, name: str) -> Experiment:
    """Read one plan."""
    found = find(connection, name)
    if found is None:
        known = connection.scalars(sa.select(experiments.c.name).order_by(experiments.c.created_at.desc())).all()
        listed = f"there are {', '.join(known[:8])}." if known else "there are none yet."
        raise NotFoundError(f"There is no experiment '{name}'.", hint=near(name, known) or listed)
    return found


def epochs_of(connection: sa.Connection, name: str) -> tuple[Epoch, ...]:
    """Every epoch of an experiment, in order."""
    plan(connection, name)
    rows = sa.select(epochs).where(epochs.c.experiment == name).order_by(epochs.c.number)
    return tuple(_epoch(row) for row in connection.execute(rows).mappings())


def turn(connection: sa.Connection, epoch: Epoch) -> Epoch:
    """Begin an epoch, if it is the next one."""
    last = epochs_of(connection, epoch.experiment)[-1]
    if epoch.number != last.number + 1:
        raise StaleChampionError(
            f"Experiment '{epoch.experiment}' is in epoch {last.number} ({last.state}, by {last.by}: {last.why}), "
            f"so that {epoch.number} cannot begin.",
            hint="look at its status, and try again.",
        )
    if last.state.is_over:
        raise RefusedError(f"Experiment '{epoch.experiment}' is over: {last.state} by {last.by}, {last.why}.",
                           hint="start another one.")  # fmt: skip
    _insert(connection, epoch)
    return epoch


def keep(database: Database, connection: sa.Connection, snapshot: Snapshot) -> None:
    """Keep what a look showed; the same look twice is one."""
    plan(connection, snapshot.experiment)
    values: dict[str, Any] = {name: getattr(snapshot, name) for name in Snapshot.__dataclass_fields__}
    database.insert_new(connection, snapshots, [values | {"at": snapshot.at.timestamp()}])


def looks(connection: sa.Connection, name: str) -> tuple[Snapshot, ...]:
    """Every look at an experiment that was kept, in order of time."""
    plan(connection, name)
    rows = sa.select(snapshots).where(snapshots.c.experiment == name).order_by(snapshots.c.at)
    return tuple(Snapshot(**(dict(row) | {"at": moment(row["at"])})) for row in connection.execute(rows).mappings())


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _insert(connection: sa.Connection, epoch: Epoch) -> None:
    connection.execute(
        epochs.insert(),
        {
            "experiment": epoch.experiment,
            "number": epoch.number,
            "state": epoch.state.value,
            "inclusion": epoch.inclusion,
            "began_at": epoch.began_at.timestamp(),
            "by": epoch.by,
            "why": epoch.why,
            "evidence": json.dumps(dict(epoch.evidence)),
        },
    )


def _epoch(row: Mapping[Any, Any]) -> Epoch:
    return Epoch(
        experiment=row["experiment"], number=row["number"], state=State(row["state"]), inclusion=row["inclusion"],
        began_at=moment(row["began_at"]), by=row["by"], why=row["why"], evidence=json.loads(row["evidence"]),
    )  # fmt: skip


def _plan(text: str) -> Experiment:
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"A plan in the store cannot be read: {where}: {first['msg']}.") from error


@cache
def _adapter() -> TypeAdapter[Experiment]:
    return TypeAdapter(Experiment)
