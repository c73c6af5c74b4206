"""Tracked predictions in the log's database: batches, and rows that wait for their label.

A batch is open while it is written, and nobody reads of it; at its end it becomes whole, in one transaction with its
tallies. What an open one has written is removed by who wants its name, or an id in it: that takes the batch over, and
whoever still writes it learns so. A stream's batch is never open: what is appended to it is whole at once. All that may
be long is cut into transactions of some rows, so that servers that write to the same log go on.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from abtest.errors import InvalidInputError, RefusedError
from abtest.live.store import tallied
from abtest.live.store.experiments import moment
from abtest.live.store.schema import batches, rows
from abtest.live.tracked import Batch, TrackedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from abtest.labels import Label
    from abtest.live.store.connecting import Database
    from abtest.windows import Bucket, Sketched

T = TypeVar("T")

_TOGETHER = 5000  # rows of a transaction
_MOST_KEYS = 400  # in one statement
_dumps = functools.lru_cache(maxsize=1024, typed=True)(json.dumps)  # of few labels, many times
_loads = functools.lru_cache(maxsize=1024)(json.loads)


class ChangedError(Exception):
    """Undoes a transaction, as what was read before it is so no more."""


def begin(database: Database, batch: Batch, owner: str) -> bool:
    """Put a batch on record as open, with nothing in it; False where it is whole already."""
    told = {"owner": owner, "kind": batch.kind, "source": batch.source, "n": batch.n, "whole": False,
            "received_at": batch.received_at.timestamp()}  # fmt: skip
    with database.writing() as connection:
        key = {"model_name": batch.model_name, "batch": batch.batch}
        database.insert_new(connection, batches, [key | told])
        if _held(connection, batch)["whole"]:
            return False
        connection.execute(sa.update(batches).where(_is(batch)).values(told))
    _empty(database, batch, owner)
    return True


def add(database: Database, batch: Batch, owner: str, some: Sequence[TrackedRow]) -> None:
    """Write rows of an open batch."""
    for chunk in _chunks(some, _TOGETHER):
        while True:
            try:
                with database.writing() as connection:
                    _check_owner(connection, batch, owner)
                    connection.execute(rows.insert(), [_spelled(batch, row) for row in chunk])
            except InvalidInputError as error:
                if not isinstance(error.__cause__, exc.IntegrityError):
                    raise
                _give_way(database, batch, owner, chunk)
            else:
                break


def end(
    connection: sa.Connection,
    batch: Batch,
    owner: str,
    buckets: Sequence[Bucket],
    sketches: Sequence[Sketched],
) -> None:
    """Write the tallies of an open batch, and make it whole."""
    _check_owner(connection, batch, owner)
    tallied.write(connection, batch.model_name, batch.batch, buckets, sketches)
    told = {"whole": True, "n": batch.n, "source": batch.source, "received_at": batch.received_at.timestamp()}
    connection.execute(sa.update(batches).where(_is(batch)).values(told))


def append(
    database: Database,
    batch: Batch,
    owner: str,
    some: Sequence[TrackedRow],
    *,
    buckets: Sequence[Bucket],
    sketches: Sequence[Sketched],
) -> None:
    """Add to a batch that is whole at every moment, in one transaction; ``batch.n`` is of what is added."""
    told = {"owner": owner, "kind": batch.kind, "source": batch.source, "n": 0, "whole": True,
            "received_at": batch.received_at.timestamp()}  # fmt: skip
    key = {"model_name": batch.model_name, "batch": batch.batch}
    while True:
        try:
            with database.writing() as connection:
                database.insert_new(connection, batches, [key | told])
                grown = {"n": batches.c.n + batch.n, "received_at": batch.received_at.timestamp()}
                connection.execute(sa.update(batches).where(_is(batch)).values(grown))
                if some:
                    connection.execute(rows.insert(), [_spelled(batch, row) for row in some])
                tallied.add(connection, batch.model_name, batch.batch, buckets, sketches)
        except InvalidInputError as error:
            if not isinstance(error.__cause__, exc.IntegrityError):
                raise
            _give_way(database, batch, owner, some)
        else:
            return


def drop(database: Database, batch: Batch, owner: str) -> None:
    """Remove an open batch, unless another has taken it over."""
    with database.writing() as connection:
        held = _held(connection, batch)
        if not held or held["whole"] or held["owner"] != owner:
            return
    _empty(database, batch, owner)
    with database.writing() as connection:
        connection.execute(sa.delete(batches).where(_is(batch), batches.c.owner == owner, ~batches.c.whole))


def whole(connection: sa.Connection, model_name: str) -> tuple[Batch, ...]:
    """Batches that are whole, the latest first."""
    found = (
        sa.select(batches)
        .where(batches.c.model_name == model_name, batches.c.whole)
        .order_by(batches.c.received_at.desc(), batches.c.batch)
    )
    return tuple(_batch(row) for row in connection.execute(found).mappings())


def rows_of(connection: sa.Connection, model_name: str, ids: Iterable[str]) -> dict[str, TrackedRow]:
    """Rows of whole batches by their ids, those that are there."""
    found: dict[str, TrackedRow] = {}
    columns = (rows.c.id, rows.c.at, rows.c.version, rows.c.prediction, rows.c.segments, rows.c.label)
    for some in _chunks(sorted(set(ids)), _MOST_KEYS):
        asked = sa.select(*columns).where(rows.c.model_name == model_name, rows.c.id.in_(some), _is_whole())
        for row in connection.execute(asked).all():
            found[row[0]] = _row(*row)
    return found


def waiting(connection: sa.Connection, model_name: str) -> int:
    """How many rows of whole batches have no label."""
    asked = sa.select(sa.func.count()).select_from(rows)
    asked = asked.where(rows.c.model_name == model_name, rows.c.label.is_(None), _is_whole())
    return connection.scalar(asked) or 0


def label(connection: sa.Connection, model_name: str, labels: Mapping[str, Label]) -> None:
    """Set the labels of rows that have none.

    Raises:
        ChangedError: Some have one; the transaction is to be undone.
    """
    if _label(connection, model_name, labels) != len(labels):
        raise ChangedError


def _label(connection: sa.Connection, model_name: str, labels: Mapping[str, Label]) -> int:
    """Set labels, and say of how many rows."""
    told = [(id_, json.dumps(truth)) for id_, truth in sorted(labels.items())]
    if connection.dialect.name == "sqlite":
        statement = f"UPDATE {rows.name} SET label = ? WHERE model_name = ? AND id = ? AND label IS NULL"  # noqa: S608 - a name of ours
        some = [(text, model_name, id_) for id_, text in told]
        return connection.exec_driver_sql(statement, some).rowcount if some else 0
    changed = 0
    for chunk in _chunks(told, _TOGETHER):
        given = sa.values(sa.column("id", sa.Text), sa.column("label", sa.Text), name="given").data(chunk)
        is_one = (rows.c.model_name == model_name) & (rows.c.id == given.c.id) & rows.c.label.is_(None)
        changed += connection.execute(sa.update(rows).where(is_one).values(label=given.c.label)).rowcount
    return changed


def _is(batch: Batch) -> sa.ColumnElement[bool]:
    return (batches.c.model_name == batch.model_name) & (batches.c.batch == batch.batch)


def _is_whole() -> sa.ColumnElement[bool]:
    """Whether a row is of a whole batch."""
    of = batches.c
    return sa.exists().where(of.model_name == rows.c.model_name, of.batch == rows.c.batch, of.whole)


def _held(connection: sa.Connection, batch: Batch) -> Mapping[Any, Any]:
    """A batch as it is on record, which stays so until the transaction ends; empty where it is not."""
    found = connection.execute(sa.select(batches).where(_is(batch)).with_for_update()).mappings().first()
    return found or {}


def _check_owner(connection: sa.Connection, batch: Batch, owner: str) -> None:
    held = _held(connection, batch)
    if not held or held["whole"] or held["owner"] != owner:
        raise RefusedError(
            f"Another process has tracked {batch.source}, or rows of it, since this one began.",
            hint="see what is tracked, and track it again.",
        )


def _empty(database: Database, batch: Batch, owner: str) -> None:
    """Remove the rows of an open batch, some at a time."""
    some = sa.select(rows.c.id).where(rows.c.model_name == batch.model_name, rows.c.batch == batch.batch)
    is_one = (rows.c.model_name == batch.model_name) & rows.c.id.in_(some.limit(_TOGETHER).scalar_subquery())
    removed = 1
    while removed:
        with database.writing() as connection:
            _check_owner(connection, batch, owner)
            removed = connection.execute(sa.delete(rows).where(is_one)).rowcount


def _give_way(database: Database, batch: Batch, owner: str, some: Sequence[TrackedRow]) -> None:
    """Remove other open batches that have ids of these rows.

    Raises:
        InvalidInputError: An id is there in a whole batch or in this one, or twice in these rows.
    """
    asked = [row.id for row in some]
    there: dict[str, str] = {}
    with database.reading() as connection:
        for ids in _chunks(asked, _MOST_KEYS):
            found = sa.select(rows.c.id, rows.c.batch).where(rows.c.model_name == batch.model_name, rows.c.id.in_(ids))
            there.update((id_, of) for id_, of in connection.execute(found))
        asked_of = sa.select(batches).where(
            batches.c.model_name == batch.model_name, batches.c.batch.in_({*there.values()})
        )
        found_of = connection.execute(asked_of).mappings().all()
    known, is_whole = {row["batch"]: _batch(row) for row in found_of}, {row["batch"]: row["whole"] for row in found_of}
    seen: set[str] = set()
    for id_ in asked:
        of = there.get(id_)
        if id_ in seen or of == batch.batch:
            raise InvalidInputError(f"{batch.source} has the id {id_!r} twice.", hint="an id names one prediction.")
        if of is not None and is_whole[of]:
            raise InvalidInputError(
                f"The id {id_!r} was tracked already, in {known[of].source}.", hint="an id names one prediction."
            )
        seen.add(id_)
    for other in known.values():
        with database.writing() as connection:
            connection.execute(sa.update(batches).where(_is(other), ~batches.c.whole).values(owner=owner))
        drop(database, other, owner)


def _chunks(some: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (some[start : start + size] for start in range(0, len(some), size))


def _spelled(batch: Batch, row: TrackedRow) -> dict[str, Any]:
    return {
        "model_name": batch.model_name, "id": row.id, "batch": batch.batch, "at": row.at, "version": row.version,
        "prediction": _dumps(row.prediction), "segments": json.dumps(row.segments),
        "label": None if row.label is None else _dumps(row.label),
    }  # fmt: skip


def _row(  # noqa: PLR0917 - as they are read
    id_: str, at: float, version: int | None, prediction: str, segments: str, label_: str | None
) -> TrackedRow:
    return TrackedRow(
        id=id_, at=at, version=version, prediction=_loads(prediction), segments=dict(_loads(segments)),
        label=None if label_ is None else _loads(label_),
    )  # fmt: skip


def _batch(row: Mapping[Any, Any]) -> Batch:
    return Batch(
        model_name=row["model_name"], batch=row["batch"], kind=row["kind"], source=row["source"], n=row["n"],
        received_at=moment(row["received_at"]),
    )  # fmt: skip
