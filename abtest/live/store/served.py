"""What monitoring reads of the log of servers: served predictions and their first labels, counted by the database.

Which model a row is of is told by its server, which says so with its first sign of life. Servers from before they did
are taken to serve the only model that the log knows of; in a log of several, their rows count where they took part in
an experiment of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from abtest.live.store.schema import experiments, outcomes, predictions, servings
from abtest.windows import HOUR

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_FIRST, _LATER = outcomes.alias("first"), outcomes.alias("later")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Served predictions of an hour that are alike.

    Attributes:
        hour: Its begin, in seconds since 1970.
        version: The version that predicted; None of a run.
        prediction: As JSON; None where it failed.
        label: The first one, as JSON; None where there is none.
        n: How many.
        corrected: Labels of them that came again and said otherwise.
        lag: Sum of the seconds from prediction to label.
        squares: Sum of their squares.
    """

    hour: int
    version: int | None
    prediction: str | None
    label: str | None
    n: int
    corrected: int
    lag: float
    squares: float


def changed(
    connection: sa.Connection, model_name: str, counted: Mapping[int, int], *, rows_since: float, labels_since: float
) -> tuple[dict[int, bool], bool]:
    """Hours with something new, and whether numbers with fractions are in them."""
    mine, hour = _mine(connection, model_name), _hour(connection)
    rows = sa.select(hour, sa.func.count()).where(mine, predictions.c.at >= rows_since).group_by(sa.text("1"))
    found = {at: True for at, n in connection.execute(rows) if counted.get(at) != n}
    labelled = (
        sa.select(hour)
        .select_from(outcomes.join(predictions, _same(outcomes, predictions)))
        .where(mine, outcomes.c.received_at >= labels_since)
        .distinct()
    )
    for at in connection.scalars(labelled):
        found.setdefault(at, False)
    return found, bool(found) and _has_fractions(connection, mine, hour, found)


def groups(connection: sa.Connection, model_name: str, hours: Collection[int]) -> tuple[Group, ...]:
    """Count served predictions of some hours that are alike."""
    mine, hour = _mine(connection, model_name), _hour(connection)
    lag = _FIRST.c.received_at - predictions.c.at
    is_first = _same(_FIRST, predictions) & (_FIRST.c.revision == 1)
    by = (hour.label("hour"), predictions.c.model_version, predictions.c.prediction, _FIRST.c.label)
    asked = (
        sa.select(*by, sa.func.count(), sa.func.sum(lag), sa.func.sum(lag * lag))
        .select_from(predictions.outerjoin(_FIRST, is_first))
        .where(mine, _within(hour, hours))
        .group_by(*(sa.text(str(at)) for at in (1, 2, 3, 4)))
        .order_by(*(sa.text(str(at)) for at in (1, 2, 3, 4)))
    )
    corrected = _corrected(connection, mine, hour, hours)
    return tuple(
        Group(
            hour=at, version=version, prediction=prediction, label=label, n=n,
            corrected=corrected.get((at, version, prediction, label), 0), lag=seconds or 0.0, squares=squares or 0.0,
        )
        for at, version, prediction, label, n, seconds, squares in connection.execute(asked).all()
    )  # fmt: skip


def features(connection: sa.Connection, model_name: str, start: int, end: int) -> tuple[tuple[int | None, str], ...]:
    """Versions and features of predictions served in a period."""
    of = predictions.c
    asked = sa.select(of.model_version, of.features).where(
        _mine(connection, model_name), of.at >= start, of.at < end, of.features.is_not(None)
    )
    return tuple((version, text) for version, text in connection.execute(asked).all())


def _corrected(
    connection: sa.Connection, mine: sa.ColumnElement[bool], hour: sa.ColumnElement[int], hours: Collection[int]
) -> dict[tuple[Any, ...], int]:
    """How many later labels say otherwise than the first."""
    joined = predictions.join(_LATER, _same(_LATER, predictions)).join(_FIRST, _same(_FIRST, predictions))
    by = (hour, predictions.c.model_version, predictions.c.prediction, _FIRST.c.label)
    asked = (
        sa.select(*by, sa.func.count())
        .select_from(joined)
        .where(mine, _within(hour, hours), _FIRST.c.revision == 1, _LATER.c.revision > 1)
        .where(_LATER.c.label != _FIRST.c.label)
        .group_by(*(sa.text(str(at)) for at in (1, 2, 3, 4)))
    )
    return {tuple(key): n for *key, n in connection.execute(asked)}


def _has_fractions(
    connection: sa.Connection, mine: sa.ColumnElement[bool], hour: sa.ColumnElement[int], hours: Collection[int]
) -> bool:
    joined = predictions.outerjoin(outcomes, _same(outcomes, predictions) & (outcomes.c.revision == 1))
    asked = sa.select(sa.literal(1)).select_from(joined).where(mine, _within(hour, hours))
    either = sa.or_(_is_fraction(predictions.c.prediction), _is_fraction(outcomes.c.label))
    return connection.execute(asked.where(either).limit(1)).first() is not None


def _is_fraction(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether JSON is a number with a fraction: Python writes a float that has none with .0, or as a power of ten."""
    return sa.and_(column.not_like('"%'), sa.or_(column.like("%.%"), column.like("%e-%")), column.not_like("%.0"))


def _mine(connection: sa.Connection, model_name: str) -> sa.ColumnElement[bool]:
    """Whether a row was served by a model."""
    known = set(connection.scalars(sa.select(servings.c.model_name).distinct()))
    known |= set(connection.scalars(sa.select(experiments.c.model_name).distinct()))
    of = predictions.c
    silent = of.server.not_in(sa.select(servings.c.server))
    plans = sa.select(experiments.c.name).where(experiments.c.model_name == model_name)
    is_alone = sa.literal(not known - {model_name, None})
    own = of.experiment.in_(plans) | (of.experiment.is_(None) & is_alone)
    told = of.server.in_(sa.select(servings.c.server).where(servings.c.model_name == model_name))
    return sa.and_(of.served, sa.or_(told, sa.and_(silent, own)))


def _hour(connection: sa.Connection) -> sa.ColumnElement[int]:
    hours: Any = predictions.c.at / float(HOUR)
    if connection.dialect.name == "postgresql":  # where a cast rounds; SQLite's cuts off
        hours = sa.func.floor(hours)
    return sa.cast(hours, sa.BigInteger) * HOUR


def _within(hour: sa.ColumnElement[int], hours: Collection[int]) -> sa.ColumnElement[bool]:
    """Whether a row is of one of these hours, of which there are some."""
    between = (predictions.c.at >= min(hours)) & (predictions.c.at < max(hours) + HOUR)
    if max(hours) - min(hours) == (len(hours) - 1) * HOUR:
        return between
    return between & hour.in_(sa.bindparam("hours", sorted(hours), expanding=True, literal_execute=True))


def _same(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether two rows are about one prediction."""
    return (one.c.server == other.c.server) & (one.c.sequence == other.c.sequence)
