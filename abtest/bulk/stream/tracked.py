"""What a stream predicts, tallied for monitoring: some rows at a time, now and then, after they were answered."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from abtest import wording
from abtest.bulk.stream.apart import apart
from abtest.bulk.stream.faults import Faults
from abtest.errors import BackendError, InvalidInputError
from abtest.monitoring.appending import Stream
from abtest.windows import HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.bulk.choosing import Chosen
    from abtest.bulk.stream.answers import Answered
    from abtest.labels import Label
    from abtest.live.store import Store

_TOGETHER = 5_000  # rows of a transaction
_MOST_WAITING = 100_000  # while the store does not answer
_MOST_REFUSALS = 100  # of some rows, after which the others are refused as a whole


class _Row(NamedTuple):
    line: int
    at: float
    values: dict[str, Any]
    prediction: Label


class Tallier:
    """Tallies rows that were answered.

    Args:
        stream: Where they go.
        keep: Columns that are no features, where the model names none.

    Attributes:
        n: Rows tallied.
        faults: Why others are not.
        aside: Columns that are no features.
        every: Seconds that a row waits to be tallied, while the store answers.
    """

    every = 10.0

    def __init__(self, stream: Stream, keep: Sequence[str] = ()) -> None:
        self.n, self.faults = 0, Faults()
        self._stream, self._known = stream, stream.known()
        self._settled = False  # whether known is of rows of this stream too
        self.aside = tuple(it for it in (stream.target, stream.id_column, stream.time_column) if it is not None)
        features = stream.model.features
        self._columns = None if features is None else frozenset((*features, *self.aside))
        self._kept = frozenset(keep).difference(self.aside)
        self._waiting: list[_Row] = []
        self._due, self._down = 0.0, False

    def add(self, answers: Sequence[Answered]) -> None:
        """Take in rows that were predicted; now and then add them to the store.

        Raises:
            BackendError: The store does not answer, and too many rows wait.
        """
        at, monotonic = time.time(), time.monotonic()
        if not self._waiting:
            self._due = monotonic + self.every
        self._waiting += [
            _Row(one.number, at, self._own(one.row), one.prediction)
            for one in answers
            if one.row is not None and one.prediction is not None
        ]
        if monotonic < self._due and len(self._waiting) < (_MOST_WAITING if self._down else _TOGETHER):
            return
        self._due = monotonic + self.every
        try:
            self.settle()
        except BackendError:
            if len(self._waiting) >= _MOST_WAITING:
                raise
            self._down = True
        else:
            self._down = False

    def settle(self) -> None:
        """Add all that waits.

        Raises:
            BackendError: The store does not answer; what is not added waits still.
        """
        try:
            self._settle()
        except BackendError as error:
            many = wording.plural(len(self._waiting), "prediction is", "predictions are")
            raise BackendError(f"{many} not tracked yet: {error.message}", hint=error.hint) from error

    def _settle(self) -> None:
        while self._waiting:
            part = self._new(self._of_an_hour())
            for some, told in apart(part, self._append, most=_MOST_REFUSALS):
                if isinstance(told, InvalidInputError):
                    self.faults.add("refused", some[0].line, told.message, n=len(some))
                else:
                    self.n += len(some)
                del self._waiting[: len(some)]

    def _of_an_hour(self) -> list[_Row]:
        """The first rows that wait, of one hour: they are added as of the first one's moment."""
        hour = self._waiting[0].at // HOUR
        some = itertools.islice(self._waiting, _TOGETHER)
        return [*itertools.takewhile(lambda row: row.at // HOUR == hour, some)]

    def _append(self, rows: Sequence[_Row]) -> None:
        values, predictions = [row.values for row in rows], [row.prediction for row in rows]
        self._stream.append(values, predictions, self._known, at=rows[0].at)
        if not self._settled:  # its task and the type of its labels hold from here on
            self._known, self._settled = self._stream.known(), True

    def _new(self, rows: Sequence[_Row]) -> list[_Row]:
        """Leave out rows without what names or times them, and those that a queue has delivered twice."""
        named = [name for name in (self._stream.id_column, self._stream.time_column) if name is not None]
        id_column, new = self._stream.id_column or "", []
        seen = set(self._stream.there([str(row.values.get(id_column)) for row in rows])) if id_column else set()
        for row in rows:
            lacking = next((name for name in named if row.values.get(name) in (None, "")), None)
            id_ = str(row.values.get(id_column))
            if lacking is not None:
                self.faults.add("no id or time", row.line, f"'{lacking}' is missing.")
            elif id_column and id_ in seen:
                self.faults.add("tracked before", row.line, f"Id '{id_column}' {id_!r} was tracked already.")
            else:
                seen.add(id_)
                new.append(row)
        self._waiting[: len(rows)] = new
        return new

    def _own(self, row: dict[str, Any]) -> dict[str, Any]:
        """What is tallied of a row."""
        if self._columns is None:
            return {name: value for name, value in row.items() if name not in self._kept}
        return {name: value for name, value in row.items() if name in self._columns}


def tallier(
    chosen: Chosen,
    store: Store,
    *,
    keep: Sequence[str] = (),
    id_column: str | None = None,
    time_column: str | None = None,
    target: str | None = None,
) -> Tallier:
    """Tally what a registered model predicts.

    Args:
        chosen: The model.
        store: Where.
        keep: Columns that are no features, where the model names none.
        id_column: Names a row, for labels that come later.
        time_column: When it was predicted; by default when it is answered.
        target: Its label, where it is known.

    Raises:
        InvalidInputError: The model is not registered, or two of the columns are one.
        BackendError: The store does not answer.
    """
    if chosen.name is None:
        raise InvalidInputError("track needs a registered model.", hint="--model-name names one.")
    columns = [name for name in (id_column, time_column, target) if name is not None]
    if len({*columns}) < len(columns):
        raise InvalidInputError(f"id, time and target must be columns of their own, got {', '.join(columns)}.")
    stream = Stream(
        store=store, model_name=chosen.name, model=chosen.model, version=chosen.named.version, target=target,
        id_column=id_column, time_column=time_column,
    )  # fmt: skip
    return Tallier(stream, keep)
