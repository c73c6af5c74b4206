"""Tallies by the hour and sketches by the day in the database: told by a batch each, added up when they are read."""

from __future__ import annotations

import itertools
import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from abtest.live.store.experiments import moment
from abtest.live.store.schema import batches, marks, sketches, tallies
from abtest.stats.sketches import from_dict
from abtest.windows import DAY, HOUR, LIVE, Bucket, Sketched, Tallied, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from abtest.labels import Task

_NO_VERSION = 0
_MOST_KEYS = 400  # in one statement


def write(
    connection: sa.Connection, model_name: str, batch: str, buckets: Sequence[Bucket], features: Sequence[Sketched]
) -> None:
    """Write what a batch tells: an hour or a day of a version once."""
    common = {"model_name": model_name, "batch": batch}
    hours = [
        common | {"hour": _seconds(one.start, HOUR), "version": one.version or _NO_VERSION, "n": one.tallied.n,
                  "tallied": _packed(one.tallied.to_dict())}
        for one in buckets
    ]  # fmt: skip
    days = [
        common | {"day": _seconds(one.day, DAY), "version": one.version or _NO_VERSION,
                  "features": _packed({name: sketch.to_dict() for name, sketch in one.features.items()})}
        for one in features
    ]  # fmt: skip
    for table, rows in ((tallies, hours), (sketches, days)):
        if rows:
            connection.execute(table.insert(), rows)


def add(
    connection: sa.Connection, model_name: str, batch: str, buckets: Sequence[Bucket], features: Sequence[Sketched]
) -> None:
    """Add to what a batch tells of these hours and days; nobody else may write of it meanwhile."""
    hours = [_added_hour(connection, model_name, batch, one) for one in buckets]
    days = [_added_day(connection, model_name, batch, one) for one in features]
    write(connection, model_name, batch, hours, days)


def _added_hour(connection: sa.Connection, model_name: str, batch: str, one: Bucket) -> Bucket:
    told = _taken(connection, tallies.c.tallied, tallies.c.hour == _seconds(one.start, HOUR), model_name, batch, one)
    return one if told is None else replace(one, tallied=Tallied.from_dict(told) + one.tallied)


def _added_day(connection: sa.Connection, model_name: str, batch: str, one: Sketched) -> Sketched:
    told = _taken(connection, sketches.c.features, sketches.c.day == _seconds(one.day, DAY), model_name, batch, one)
    if told is None or one.day is None:
        return one
    before = replace(one, features={name: from_dict(sketch) for name, sketch in told.items()})
    added = Window(start=one.day, end=one.day, buckets=(), sketches=(before, one)).features()
    return replace(one, features=added)


def _taken(  # noqa: PLR0917 - what names a row
    connection: sa.Connection,
    told: sa.Column[Any],
    is_then: sa.ColumnElement[bool],
    model_name: str,
    batch: str,
    one: Bucket | Sketched,
) -> Any:  # noqa: ANN401 - from JSON it may be anything
    """Take out what a batch tells of a period; None where it tells nothing."""
    of = told.table.c
    is_one = (of.model_name == model_name) & (of.batch == batch) & (of.version == (one.version or _NO_VERSION))
    found = connection.scalar(sa.select(told).where(is_one, is_then))
    if found is None:
        return None
    connection.execute(sa.delete(told.table).where(is_one, is_then))
    return _unpacked(found)


def buckets(connection: sa.Connection, model_name: str, start: datetime, end: datetime) -> tuple[Bucket, ...]:
    """Hours that begin in a period, by version, added up over batches."""
    return tuple(
        Bucket(start=at, version=version, tallied=Tallied.sum(Tallied.from_dict(text) for text in told))
        for at, version, told in _read(connection, (tallies.c.hour, tallies.c.tallied), model_name, start, end)
    )


def features(connection: sa.Connection, model_name: str, start: datetime, end: datetime) -> tuple[Sketched, ...]:
    """Days that begin in a period, by version, added up over batches."""
    found = []
    for at, version, told in _read(connection, (sketches.c.day, sketches.c.features), model_name, start, end):
        days = [
            Sketched(day=at, version=version, features={name: from_dict(one) for name, one in text.items()})
            for text in told
        ]
        added = Window(start=at, end=at, buckets=(), sketches=tuple(days)).features()
        found.append(Sketched(day=at, version=version, features=added))
    return tuple(found)


def ends(connection: sa.Connection, model_name: str) -> tuple[datetime | None, datetime | None]:
    """The first and the last hour in which something was predicted."""
    hour = tallies.c.hour
    asked = sa.select(sa.func.min(hour), sa.func.max(hour)).where(
        tallies.c.model_name == model_name, tallies.c.n > 0, _counts(tallies)
    )
    first, last = connection.execute(asked).one()
    return (None, None) if first is None else (moment(first), moment(last))


def models(connection: sa.Connection) -> tuple[str, ...]:
    """Models of which something is tracked."""
    return tuple(sorted(connection.scalars(sa.select(tallies.c.model_name).where(_counts(tallies)).distinct())))


def counted(connection: sa.Connection, model_name: str, since: float) -> dict[int, int]:
    """Predictions of the live log by hour, as they were counted."""
    asked = (
        sa.select(tallies.c.hour, sa.func.sum(tallies.c.n))
        .where(tallies.c.model_name == model_name, tallies.c.hour >= since, tallies.c.batch == LIVE)
        .group_by(tallies.c.hour)
    )
    return {hour: int(n) for hour, n in connection.execute(asked)}


def put(
    connection: sa.Connection,
    model_name: str,
    told: Sequence[Bucket],
    days: Sequence[Sketched],
    *,
    hours: Iterable[datetime],
    mark: tuple[float, Task],
) -> None:
    """Replace hours of the live log, and days of which there are sketches; the lock of its model must be held.

    Where another process has counted up to a later moment, it has counted all this: nothing changes then.
    """
    known = read_mark(connection, model_name)
    if known is not None and known[0] > mark[0]:
        return
    _remove(connection, tallies, tallies.c.hour, model_name, {_seconds(hour, HOUR) for hour in hours})
    _remove(connection, sketches, sketches.c.day, model_name, {_seconds(one.day, DAY) for one in days})
    write(connection, model_name, LIVE, told, days)
    connection.execute(sa.delete(marks).where(marks.c.model_name == model_name))
    connection.execute(marks.insert(), {"model_name": model_name, "mark": mark[0], "task": mark[1]})


def read_mark(connection: sa.Connection, model_name: str) -> tuple[float, Task] | None:
    """Up to when the live log was counted, and as what."""
    row = connection.execute(sa.select(marks.c.mark, marks.c.task).where(marks.c.model_name == model_name)).first()
    return None if row is None else (row[0], row[1])


def _remove(
    connection: sa.Connection, table: sa.Table, at: sa.Column[Any], model_name: str, moments: Iterable[int]
) -> None:
    listed = sorted(moments)
    for start in range(0, len(listed), _MOST_KEYS):
        some = at.in_(listed[start : start + _MOST_KEYS])
        is_one = (table.c.model_name == model_name) & some & (table.c.batch == LIVE)
        connection.execute(sa.delete(table).where(is_one))


def _read(
    connection: sa.Connection,
    columns: tuple[sa.Column[Any], sa.Column[Any]],
    model_name: str,
    start: datetime,
    end: datetime,
) -> Iterator[tuple[datetime, int | None, list[Any]]]:
    at, told = columns
    table = at.table
    asked = (
        sa.select(at, table.c.version, told)
        .where(table.c.model_name == model_name, at >= start.timestamp(), at < end.timestamp(), _counts(table))
        .order_by(at, table.c.version, table.c.batch)
    )
    for (moment_, version), some in itertools.groupby(connection.execute(asked), key=lambda row: (row[0], row[1])):
        yield moment(moment_), version or None, [_unpacked(row[2]) for row in some]


def _counts(table: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 - a table, or what a column says of its own
    """Whether it is told by the live log or a whole batch."""
    of = batches.c
    is_whole = sa.exists().where(of.model_name == table.c.model_name, of.batch == table.c.batch, of.whole)
    return sa.or_(table.c.batch == LIVE, is_whole)


def _seconds(at: datetime | None, width: int) -> int:
    if at is None or at.timestamp() % width:
        raise ValueError(f"{at} begins no period of {width} s.")  # a mistake of the caller's
    return int(at.timestamp())


def _packed(data: Mapping[str, Any]) -> bytes:
    return zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 1)


def _unpacked(data: bytes) -> Any:  # noqa: ANN401 - from JSON it may be anything
    return json.loads(zlib.decompress(data))
