"""What the analysis reads of an experiment, grouped by the database: one row a unit, the first it was exposed to.

A prediction is mature ``horizon`` seconds after its answer. The label that counts is the last one received before that,
else the first one received; so no later correction changes what was seen. A prediction became known when it was both
mature and labelled.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from abtest.labels import SIDES
from abtest.live.log import NEVER_SCORED, ArmGroup, ArmTraffic, ArmTries, DropGroup, PairGroup, Period
from abtest.live.store.experiments import moment
from abtest.live.store.schema import exposures, outcomes, predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from abtest.labels import Label, Side
    from abtest.live.experiment import Experiment

_FIRST = exposures.alias("first")
_CHAMPION, _CHALLENGER, _SERVED = (predictions.alias(name) for name in ("champion", "challenger", "served"))
_OUTCOME, _LATER, _CORRECTION = (outcomes.alias(name) for name in ("outcome", "later", "correction"))


def pairs(
    connection: sa.Connection, experiment: Experiment, *, until: datetime, buckets: int, most: int | None
) -> tuple[Period, tuple[PairGroup, ...]]:
    """Count labelled, mature pairs of shadow mode."""
    joined = _join(_FIRST, _CHAMPION, "champion")
    joined = joined.join(_CHALLENGER, _same(_CHALLENGER, _FIRST) & (_CHALLENGER.c.arm == "challenger"))
    columns = (_CHAMPION.c.prediction.label("champion"), _CHALLENGER.c.prediction.label("challenger"))
    rows = _known(joined, _CHAMPION, experiment, until, *columns).where(_is_scored(_CHALLENGER))
    names = ("label", "champion", "challenger")
    period, counted = _counted(connection, experiment, rows, names, until=until, buckets=buckets, most=most)
    return period, tuple(
        PairGroup(bucket=bucket, label=json.loads(label), champion=_label(one), challenger=_label(other), n=n)
        for bucket, label, one, other, n in counted
    )


def arms(
    connection: sa.Connection, experiment: Experiment, *, until: datetime, buckets: int, most: int | None
) -> tuple[Period, tuple[ArmGroup, ...]]:
    """Count labelled, mature predictions of a split."""
    columns = (_FIRST.c.arm.label("arm"), _SERVED.c.prediction.label("prediction"))
    rows = _known(_join(_FIRST, _SERVED, _FIRST.c.arm), _SERVED, experiment, until, *columns)
    names = ("label", "arm", "prediction")
    period, counted = _counted(connection, experiment, rows, names, until=until, buckets=buckets, most=most)
    return period, tuple(
        ArmGroup(bucket=bucket, label=json.loads(label), arm=arm, prediction=_label(prediction), n=n)
        for bucket, label, arm, prediction, n in counted
    )


def drops(connection: sa.Connection, experiment: Experiment, *, until: datetime) -> tuple[DropGroup, ...]:
    """Count labelled, mature units of shadow mode by whether their challenger was dropped."""
    scored = _CHALLENGER.c.arm.is_not(None) & _is_scored(_CHALLENGER)
    joined = _join(_FIRST, _CHAMPION, "champion").outerjoin(
        _CHALLENGER, _same(_CHALLENGER, _FIRST) & (_CHALLENGER.c.arm == "challenger")
    )
    dropped = sa.case((scored, 0), else_=1).label("dropped")
    rows = _known(joined, _CHAMPION, experiment, until, _CHAMPION.c.prediction.label("champion"), dropped).subquery()
    by = (rows.c.dropped, rows.c.label, rows.c.champion)
    return tuple(
        DropGroup(dropped=bool(was), label=json.loads(label), champion=_label(champion), n=n)
        for was, label, champion, n in connection.execute(sa.select(*by, sa.func.count()).group_by(*by).order_by(*by))
    )


def traffic(connection: sa.Connection, experiment: Experiment, *, until: datetime) -> tuple[ArmTraffic, ...]:
    """What each arm did up to a moment, the champion first."""
    exposed = _exposed(connection, experiment, until)
    rows, dropped = _predicted(connection, experiment, until)
    found = []
    for arm in SIDES:
        predictions_, failed, seconds, squares = rows.get(arm, (0, 0, 0.0, 0.0))
        mature, labelled, corrected = _coverage(connection, experiment, until, arm)
        found.append(
            ArmTraffic(
                arm=arm, exposed=exposed[arm], predictions=predictions_, failed=failed,
                dropped=dropped if arm == "challenger" else 0, mature=mature, labelled=labelled, corrected=corrected,
                seconds=seconds, squares=squares,
            )
        )  # fmt: skip
    return tuple(found)


def tries(connection: sa.Connection, experiment: Experiment, *, until: datetime) -> tuple[ArmTries, ...]:
    """How the first answers to units went, the champion first: rows that were predicted together are one."""
    of = predictions.c
    rows = (
        sa.select(
            of.arm, sa.case((sa.func.count(of.error) > 0, 1), else_=0).label("failed"),
            sa.func.avg(of.seconds).label("seconds"),
        )
        .select_from(_FIRST.join(predictions, _same(predictions, _FIRST)))
        .where(_FIRST.c.experiment == experiment.name, of.at <= until.timestamp())
        .where(_is_scored(predictions) | (of.arm == "champion"))
        .group_by(of.arm, of.server, of.at)
    ).subquery()  # fmt: skip
    sums = sa.select(
        rows.c.arm, sa.func.count(), sa.func.sum(rows.c.failed), sa.func.sum(rows.c.seconds),
        sa.func.sum(rows.c.seconds * rows.c.seconds),
    ).group_by(rows.c.arm)  # fmt: skip
    found = {arm: rest for arm, *rest in connection.execute(sums)}
    told = ((arm, *found.get(arm, (0, 0, 0.0, 0.0))) for arm in SIDES)
    return tuple(
        ArmTries(arm=arm, n=n, failed=int(failed), seconds=seconds, squares=squares)
        for arm, n, failed, seconds, squares in told
    )


def known_labels(connection: sa.Connection, name: str) -> tuple[Label, ...]:
    """What the models of an experiment have predicted, each once."""
    rows = sa.select(predictions.c.prediction).where(
        predictions.c.experiment == name, predictions.c.prediction.is_not(None)
    )
    return tuple(json.loads(text) for text in sorted(connection.scalars(rows.distinct())))


def _exposed(connection: sa.Connection, experiment: Experiment, until: datetime) -> dict[Side, int]:
    rows = (
        sa.select(exposures.c.arm, sa.func.count())
        .where(exposures.c.experiment == experiment.name, exposures.c.at <= until.timestamp())
        .group_by(exposures.c.arm)
    )
    by_arm = {row[0]: row[1] for row in connection.execute(rows)}
    if experiment.mode == "shadow":  # every unit is both arms'
        return dict.fromkeys(SIDES, sum(by_arm.values()))
    return {arm: by_arm.get(arm, 0) for arm in SIDES}


def _predicted(
    connection: sa.Connection, experiment: Experiment, until: datetime
) -> tuple[dict[Side, tuple[int, int, float, float]], int]:
    """Rows by arm, how many failed, their seconds and squares; and how many the challenger never scored."""
    of = predictions.c
    here = (of.experiment == experiment.name) & (of.at <= until.timestamp())
    never: sa.ColumnElement[int] = sa.case((_is_scored(predictions) | (of.arm == "champion"), 0), else_=1)
    if experiment.mode == "split":
        never = sa.literal_column("0", sa.Integer)
    rows = connection.execute(
        sa.select(of.arm, never.label("never"), sa.func.count(), sa.func.count(of.error), sa.func.sum(of.seconds),
                  sa.func.sum(of.seconds * of.seconds)).where(here).group_by(of.arm, sa.text("never"))
    ).all()  # fmt: skip
    found = {arm: (n, failed, seconds, squares) for arm, never_, n, failed, seconds, squares in rows if not never_}
    dropped = sum(row[2] for row in rows if row[1])
    if experiment.mode == "shadow":
        alone = ~sa.exists().where(_same(_CHALLENGER, predictions), _CHALLENGER.c.arm == "challenger")
        dropped += int(
            connection.scalar(
                sa.select(sa.func.count()).select_from(predictions).where(here, of.arm == "champion", alone)
            )
            or 0
        )
    return found, dropped


def _coverage(connection: sa.Connection, experiment: Experiment, until: datetime, arm: Side) -> tuple[int, int, int]:
    """Units whose first prediction is mature; of them labelled; of them corrected since."""
    one = _SERVED
    now = until.timestamp()
    joined = _join(_FIRST, one, arm).outerjoin(
        _OUTCOME, _same(_OUTCOME, _FIRST) & (_OUTCOME.c.revision == 1) & (_OUTCOME.c.received_at <= now)
    )
    corrected = sa.exists().where(
        _same(_CORRECTION, _OUTCOME), _CORRECTION.c.revision > 1, _CORRECTION.c.received_at <= now,
        _CORRECTION.c.label != _OUTCOME.c.label,
    )  # fmt: skip
    rows = (
        sa.select(sa.func.count(), sa.func.count(_OUTCOME.c.revision), sa.func.sum(sa.case((corrected, 1), else_=0)))
        .select_from(joined)
        .where(_FIRST.c.experiment == experiment.name, one.c.at + experiment.horizon <= now)
    )
    if experiment.mode == "split":
        rows = rows.where(_FIRST.c.arm == arm)
    elif arm == "challenger":
        rows = rows.where(_is_scored(one))
    mature, labelled, changed = connection.execute(rows).one()
    return mature, labelled, int(changed or 0)


def _known(
    joined: sa.Join, one: sa.FromClause, experiment: Experiment, until: datetime, *columns: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """First predictions of units, mature and labelled, with the label that counts and when they became known."""
    matured = one.c.at + experiment.horizon
    counts = (
        _same(_OUTCOME, _FIRST)
        & ((_OUTCOME.c.revision == 1) | (_OUTCOME.c.received_at < matured))
        & ~sa.exists().where(
            _same(_LATER, _OUTCOME), _LATER.c.revision > _OUTCOME.c.revision, _LATER.c.received_at < matured
        )
    )
    known_at = sa.case((_OUTCOME.c.received_at > matured, _OUTCOME.c.received_at), else_=matured)
    now = until.timestamp()
    return (
        sa.select(
            known_at.label("known_at"), _FIRST.c.server, _FIRST.c.sequence, _OUTCOME.c.label.label("label"), *columns
        )
        .select_from(joined.join(_OUTCOME, counts))
        .where(_FIRST.c.experiment == experiment.name, matured <= now, _OUTCOME.c.received_at <= now)
    )


def _counted(
    connection: sa.Connection, experiment: Experiment, rows: sa.Select[Any], names: Sequence[str], *,
    until: datetime, buckets: int, most: int | None,
) -> tuple[Period, Iterable[Any]]:  # fmt: skip
    """Count rows that are alike in these columns by the period in which they became known."""
    first = connection.scalar(sa.select(sa.func.min(exposures.c.at)).where(exposures.c.experiment == experiment.name))
    end = until.timestamp()
    start = end if first is None else min(first, end)
    if most is not None:
        rows = rows.order_by(sa.text("known_at"), _FIRST.c.server, _FIRST.c.sequence).limit(most)
    known = rows.subquery()
    width = (end - start) / buckets or 1.0
    which: Any = (known.c.known_at - start) / width
    if connection.dialect.name == "postgresql":  # where a cast rounds; SQLite's cuts off
        which = sa.func.floor(which)
    cut = sa.cast(which, sa.BigInteger)
    bucket = sa.case((cut >= buckets, buckets - 1), (cut < 0, 0), else_=cut).label("bucket")
    columns = [known.c[name] for name in names]
    counted = (
        sa.select(bucket, *columns, sa.func.count()).group_by(sa.text("1"), *columns).order_by(sa.text("1"), *columns)
    )
    period = Period(start=moment(start), end=moment(end), buckets=buckets)
    return period, connection.execute(counted)


def _join(first: sa.FromClause, one: sa.FromClause, arm: Any) -> sa.Join:  # noqa: ANN401 - a name or a column
    return first.join(one, _same(one, first) & (one.c.arm == arm))


def _same(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether two rows are about one prediction."""
    return (one.c.server == other.c.server) & (one.c.sequence == other.c.sequence)


def _is_scored(one: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether the model had its turn: it predicted, or failed by itself."""
    return one.c.error.is_(None) | one.c.error.not_in(NEVER_SCORED)


def _label(text: str | None) -> Label | None:
    found: Label | None = None if text is None else json.loads(text)
    return found
