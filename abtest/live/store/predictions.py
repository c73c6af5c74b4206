"""Predictions, exposures and servers in the database."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from abtest.live.log import Server
from abtest.live.store.experiments import moment
from abtest.live.store.schema import exposures, predictions, servers, servings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.log import Logged
    from abtest.live.store.connecting import Database


_json = functools.lru_cache(maxsize=1024, typed=True)(json.dumps)  # of few labels, many times


def write(database: Database, connection: sa.Connection, rows: Sequence[Logged]) -> None:
    """Write predictions, and the first exposure of each unit; what is there already changes nothing."""
    database.insert_new(connection, predictions, [_row(row) for row in rows])
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row.experiment is not None:
            unit = row.unit if row.unit is not None else row.prediction_id
            key = (row.experiment, unit)
            if key not in first:
                first[key] = {"experiment": row.experiment, "unit": unit, "arm": row.arm, "server": row.server,
                              "sequence": row.sequence, "at": row.at}  # fmt: skip
    # In the order of their keys: of two servers that meet in the same units, neither waits for the other in a circle.
    database.insert_new(connection, exposures, [first[key] for key in sorted(first)])


def _row(row: Logged) -> dict[str, Any]:
    return {
        "server": row.server,
        "sequence": row.sequence,
        "arm": row.arm,
        "at": row.at,
        "served": row.served,
        "model_version": row.model_version,
        "prediction": None if row.prediction is None else _json(row.prediction),
        "seconds": row.seconds,
        "error": row.error,
        "experiment": row.experiment,
        "epoch": row.epoch,
        "unit": row.unit,
        "features": row.features,
    }


def serve(database: Database, connection: sa.Connection, server: str, model_name: str | None) -> None:
    """Put on record which model a server serves; it serves one."""
    database.insert_new(connection, servings, [{"server": server, "model_name": model_name}])


def beat(
    database: Database, connection: sa.Connection, server: str, *, at: float, assigned: int, lost: int, closed: bool
) -> None:
    """Put a server's sign of life on record; what it told before is never taken back."""
    told = {"server": server, "began_at": at, "seen_at": at, "closed": closed, "assigned": assigned, "lost": lost}
    insert = database.insert(servers)
    known, new = servers.c, insert.excluded
    later = {
        name: sa.case((new[name] > known[name], new[name]), else_=known[name])
        for name in ("seen_at", "assigned", "lost")
    }
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["server"], set_={**later, "closed": sa.or_(known.closed, new.closed)}
        ),
        told,
    )


def seen(connection: sa.Connection) -> tuple[Server, ...]:
    """Every server, the latest first."""
    logged = (
        sa.select(predictions.c.server, sa.func.count(predictions.c.sequence.distinct()).label("logged"))
        .group_by(predictions.c.server)
        .subquery()
    )
    rows = (
        sa.select(servers, sa.func.coalesce(logged.c.logged, 0).label("logged"))
        .join_from(servers, logged, logged.c.server == servers.c.server, isouter=True)
        .order_by(servers.c.began_at.desc(), servers.c.server)
    )
    return tuple(
        Server(**(dict(row) | {"began_at": moment(row["began_at"]), "seen_at": moment(row["seen_at"])}))
        for row in connection.execute(rows).mappings()
    )
