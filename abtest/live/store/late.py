"""Labels that came later: revisions of a prediction's outcome, and those that wait for a prediction.

A label is told apart by what it says and when it was observed, so that the same file twice changes nothing.
"""

from __future__ import annotations

import itertools
import json
import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from abtest.guardrail import is_number
from abtest.live.log import Receipt, Received
from abtest.live.store.fitting import Fitting
from abtest.live.store.schema import outcomes, predictions, snapshots, waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from abtest.live.log import Feedback
    from abtest.live.store.connecting import Database

LOCK = "labels"
_PREDICTION_ID = re.compile(r"([0-9a-f]{1,64})-([1-9][0-9]{0,17})", re.ASCII)
_AHEAD = 86_400.0  # seconds that another clock may be ahead of ours
_LONGEST_QUOTE = 60  # characters
_MOST_KEYS = 400  # in one statement

Key: TypeAlias = tuple[str, int]  # server and sequence: a prediction's id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Revision:
    """One label of one prediction, as it is kept."""

    key: Key
    revision: int
    label: str  # as JSON
    observed_at: float | None
    received_at: float

    def row(self) -> dict[str, Any]:
        return {
            "server": self.key[0], "sequence": self.key[1], "revision": self.revision, "label": self.label,
            "observed_at": self.observed_at, "received_at": self.received_at,
        }  # fmt: skip


def record(
    database: Database,
    connection: sa.Connection,
    labels: Sequence[Feedback],
    *,
    experiment: str | None,
    received_at: float,
) -> tuple[Receipt, ...]:
    """Record labels, each of them or say why not; the lock on labels must be held."""
    read = [_read(label, received_at) for label in labels]
    keys = sorted({one.key for one in read if isinstance(one, _Revision)})
    at = _predicted(connection, keys)
    find(database, connection, waits(connection, at))  # what waited for them came earlier
    known = _Revisions(connection, outcomes, at)
    aside = _Revisions(connection, waiting, [key for key in keys if key not in at])
    fitting, receipts = Fitting(connection, experiment), []
    for label, one in zip(labels, read, strict=True):
        lag, why = None, one if isinstance(one, str) else None
        if isinstance(one, _Revision) and one.key in at:
            why = fitting.why_not(one.label, at[one.key][1])
        if isinstance(one, str) or why is not None:
            received = Received.REFUSED
        elif one.key in at:
            received, why = known.append(one)
            lag = received_at - at[one.key][0] if received is Received.RECORDED else None
        else:
            aside.append(one)
            received = Received.WAITING
        receipts.append(Receipt(prediction_id=label.prediction_id, received=received, why=why, lag=lag))
    known.insert(connection)
    aside.insert(connection)
    return tuple(receipts)


def find(database: Database, connection: sa.Connection, keys: Iterable[Key]) -> int:
    """Move the labels that wait for these predictions, which must be there, to where labels are; say how many.

    Those that cannot be labels of theirs stay aside, where they spoil nothing.
    """
    moved, fitting = 0, Fitting(connection)
    for server, some in _by_server(keys):
        database.lock(connection, LOCK)
        of = _predicted(connection, [(server, sequence) for sequence in some])
        rows = connection.execute(
            sa.select(waiting).where(_is_among(waiting, server, some)).order_by(*waiting.primary_key)
        ).mappings()
        waited = [_revision(row) for row in rows]
        unfit = {one.key for one in waited if fitting.why_not(one.label, of[one.key][1])}
        found = [one for one in waited if one.key not in unfit or not fitting.why_not(one.label, of[one.key][1])]
        known = _Revisions(connection, outcomes, {one.key for one in found})
        for one in found:
            known.append(one)
        known.insert(connection)
        done = [sequence for sequence in some if (server, sequence) not in unfit]
        connection.execute(sa.delete(waiting).where(_is_among(waiting, server, done)))
        moved += len(found)
    return moved


def retry(database: Database, connection: sa.Connection) -> int:
    """Find the predictions of labels that wait; the lock on labels must be held."""
    wait, of = waiting.c, predictions.c
    is_there = sa.exists().where(of.server == wait.server, of.sequence == wait.sequence)
    rows = connection.execute(sa.select(wait.server, wait.sequence).where(is_there).distinct())
    return find(database, connection, [(server, sequence) for server, sequence in rows])


def waits(connection: sa.Connection, keys: Iterable[Key]) -> list[Key]:
    """Those of the predictions for which a label waits; as a rule none does, and it is cheap to see so."""
    found: set[Key] = set()
    for server, some in _by_server(keys):
        between = waiting.c.sequence.between(some[0], some[-1])
        rows = connection.scalars(sa.select(waiting.c.sequence).where(waiting.c.server == server, between))
        found.update((server, sequence) for sequence in set(rows) & set(some))
    return sorted(found)


class _Revisions:
    """The revisions of some predictions, and those to be added."""

    def __init__(self, connection: sa.Connection, table: sa.Table, keys: Iterable[Key]) -> None:
        self._table = table
        self._by_key: dict[Key, list[_Revision]] = {}
        self._new: list[_Revision] = []
        for server, some in _by_server(keys):
            rows = sa.select(table).where(_is_among(table, server, some)).order_by(*table.primary_key)
            for row in connection.execute(rows).mappings():
                one = _revision(row)
                self._by_key.setdefault(one.key, []).append(one)
        # A look that was kept has seen what came before it: what corrects that comes after it, whatever the clock says.
        self._looked_at = connection.scalar(sa.select(sa.func.max(snapshots.c.at))) or -math.inf

    def append(self, one: _Revision) -> tuple[Received, str | None]:
        there = self._by_key.setdefault(one.key, [])
        if any(other.label == one.label and other.observed_at == one.observed_at for other in there):
            why = None if there[-1].label == one.label else "it was corrected since; observed_at tells it from another."
            return Received.UNCHANGED, why
        received = Received.RECORDED
        received_at = one.received_at
        if there:
            received = Received.UNCHANGED if there[-1].label == one.label else Received.CORRECTED
            received_at = max(received_at, there[-1].received_at, self._looked_at)
        added = _Revision(
            key=one.key, revision=len(there) + 1, label=one.label, observed_at=one.observed_at, received_at=received_at
        )
        there.append(added)
        self._new.append(added)
        return received, None

    def insert(self, connection: sa.Connection) -> None:
        if self._new:
            connection.execute(self._table.insert(), [one.row() for one in self._new])


def _read(feedback: Feedback, now: float) -> _Revision | str:
    """Read a label, or say why it cannot be one."""
    # From JSON each may be anything.
    prediction_id, label, observed_at = _given(feedback)
    named = _PREDICTION_ID.fullmatch(prediction_id) if isinstance(prediction_id, str) else None
    if named is None:
        return f"prediction_id must be as the answer to the request has it, got {_short(prediction_id)}."
    if not (isinstance(label, bool | str) or is_number(label)):
        return f"label must be a finite number, text or a boolean, got {_short(label)}."
    if observed_at is not None and not (is_number(observed_at) and 0 <= observed_at <= now + _AHEAD):
        return f"observed_at must be in seconds since 1970, and not in the future, got {_short(observed_at)}."
    return _Revision(
        key=(named[1], int(named[2])),
        revision=0,
        label=json.dumps(label),
        observed_at=None if observed_at is None else float(observed_at),
        received_at=now,
    )


def _given(feedback: Feedback) -> tuple[Any, Any, Any]:
    return feedback.prediction_id, feedback.label, feedback.observed_at


def _short(value: object) -> str:
    return repr(value)[:_LONGEST_QUOTE] if isinstance(value, str | float | bool | None) else type(value).__name__


def _predicted(connection: sa.Connection, keys: Iterable[Key]) -> dict[Key, tuple[float, str | None]]:
    """Those of the predictions that are there: when they were answered, and the experiment they took part in."""
    of, found = predictions.c, {}
    for server, some in _by_server(keys):
        rows = sa.select(of.sequence, sa.func.min(of.at), sa.func.max(of.experiment))
        rows = rows.where(_is_among(predictions, server, some)).group_by(of.sequence)
        found.update({(server, sequence): (at, experiment) for sequence, at, experiment in connection.execute(rows)})
    return found


def _is_among(table: sa.Table, server: str, sequences: Sequence[int]) -> sa.ColumnElement[bool]:
    return (table.c.server == server) & table.c.sequence.in_(sequences)


def _by_server(keys: Iterable[Key]) -> Iterator[tuple[str, list[int]]]:
    """Keys by server, at most so many at a time: SQLite finds pairs of values in a list by reading all rows."""
    for server, some in itertools.groupby(sorted(set(keys)), key=operator.itemgetter(0)):
        left = (sequence for _, sequence in some)
        while sequences := list(itertools.islice(left, _MOST_KEYS)):
            yield server, sequences


def _revision(row: Mapping[Any, Any]) -> _Revision:
    return _Revision(
        key=(row["server"], row["sequence"]), revision=row["revision"], label=row["label"],
        observed_at=row["observed_at"], received_at=row["received_at"],
    )  # fmt: skip


def waiting_now(connection: sa.Connection) -> int:
    """How many labels wait."""
    return connection.scalar(sa.select(sa.func.count()).select_from(waiting)) or 0
