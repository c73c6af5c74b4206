"""What was done about degradations, in the database: of many processes that would do the same, one does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from abtest.live.store.experiments import moment
from abtest.live.store.schema import acts
from abtest.live.tracked import Act

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.live.store.connecting import Database

LOCK = "acts"
_BINDING = ("begun", "done")


def claim(database: Database, connection: sa.Connection, act: Act, every: float) -> Act | None:
    """Begin an act, unless one of its kind is younger than so many seconds; the lock on acts must be held."""
    of, at = acts.c, act.at.timestamp()
    asked = sa.select(of.at).where(
        of.model_name == act.model_name, of.what == act.what, of.outcome.in_(_BINDING),
        sa.or_(of.at > at - every, of.at == at),
    )  # fmt: skip
    if connection.execute(asked.limit(1)).first() is not None:
        return None
    begun = replace(act, outcome="begun")
    settle(database, connection, begun)
    return begun


def settle(database: Database, connection: sa.Connection, act: Act) -> None:
    """Put on record how an act ended."""
    insert = database.insert(acts)
    told = {name: insert.excluded[name] for name in ("status", "outcome", "text")}
    key = [column.name for column in acts.primary_key]
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=told), _spelled(act))


def told(connection: sa.Connection, model_name: str) -> tuple[Act, ...]:
    """Every act of a model, the latest first."""
    asked = sa.select(acts).where(acts.c.model_name == model_name).order_by(acts.c.at.desc(), acts.c.what)
    return tuple(Act(**(dict(row) | {"at": moment(row["at"])})) for row in connection.execute(asked).mappings())


def _spelled(act: Act) -> Mapping[str, Any]:
    return {name: getattr(act, name) for name in Act.__dataclass_fields__} | {"at": act.at.timestamp()}
