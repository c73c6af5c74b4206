"""A file of predictions, read once: what each row predicts and when, its label if it has one, and its segments."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.coded import Coded
from abtest.engines.ahead import ahead
from abtest.engines.asking import Asked
from abtest.engines.errors import predicted_numbers, truth_numbers
from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import cast_label, kind_of
from abtest.loaders.columns import CODED_TEXT, label_array, label_column, labelled
from abtest.loaders.feeding import Fed
from abtest.loaders.scores import Scorer, scorer
from abtest.loaders.unwrapped import unwrapped
from abtest.monitoring.apart import Apart
from abtest.monitoring.joined import shared_types, side_by_side
from abtest.monitoring.times import Times, utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from abtest.labels import Label, LabelType, Task
    from abtest.monitoring.columns import Columns
    from abtest.monitoring.tallying import Tallying

Array: TypeAlias = npt.NDArray[Any]
Codes: TypeAlias = npt.NDArray[np.int64]
Labels: TypeAlias = Array | Coded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows of one batch.

    Attributes:
        numbers: Theirs in the data, from 1, shape (rows,).
        batch: Their columns.
        predicted: Shape (rows,).
        at: When, in seconds since 1970, shape (rows,); None where there is no time.
        ids: What names each, shape (rows,); None where nothing does.
        known: Which have a label, shape (rows,).
        truth: Theirs, shape (labelled rows,).
        codes: By segmentation, the index of each row's value.
    """

    numbers: Codes
    batch: pa.RecordBatch
    predicted: Labels
    at: npt.NDArray[np.float64] | None
    ids: pa.Array | None
    known: npt.NDArray[np.bool_]
    truth: Labels
    codes: Mapping[str, Codes]


class Reading:
    """Gives a file's rows, each once, in order.

    Args:
        columns: Which column is what.
        at: When all rows were predicted, in seconds since 1970, where no column says.
        now: The moment that others must not be after.
        batch_rows: Rows in memory at a time.

    Attributes:
        apart: What tells rows apart.
        start: The earliest moment of the rows so far, in UTC; None where there is no time.
        end: The latest.
    """

    def __init__(self, columns: Columns, *, at: float | None, now: float, batch_rows: int) -> None:
        self._columns, self._at, self._rows = columns, at, batch_rows
        self.start: datetime | None = None
        self.end: datetime | None = None
        self.apart = Apart(columns.data, columns.given.segments, columns.given.target)
        self._times = Times(columns.given.time_column, now) if columns.given.time_column else None
        self._asked = None
        if (model := columns.model) is not None:
            found = scorer(model) if columns.task == "classification" else None
            needed = found if isinstance(found, Scorer) and not found.predicts_labels else None
            self._asked = Asked(model, columns.fed, needed, unwrapped=unwrapped(model))

    def __iter__(self) -> Iterator[Rows]:
        first = 1
        for batch, truth in ahead(self._batches(), lambda _: None):
            if not batch.num_rows:
                continue
            numbers = np.arange(first, first + batch.num_rows)
            yield self._read(batch, truth, numbers)
            first += batch.num_rows
        if first == 1:
            raise InvalidInputError(f"{self._columns.data.name} holds no rows.")

    def notices(self) -> tuple[str, ...]:
        """How times were read, and what was cast for the model."""
        model = self._columns.model
        cast = model.cast_notice() if model and not self._columns.data.is_text else None
        return (
            *self._columns.notices,
            *(self._times.notices() if self._times else ()),
            *([cast] if cast else []),
            *(self._asked.notices() if self._asked else ()),
        )

    def _batches(self) -> Iterator[tuple[pa.RecordBatch, pa.Array | None]]:
        """Batches, each with its column of the truth."""
        it = self._columns
        batches = it.data.batches(it.read(), it.types, rows=self._rows)
        if it.labels is None:
            for batch in batches:
                yield batch, batch.column(it.given.target) if it.given.target else None
            return
        kind = CODED_TEXT if it.task == "classification" else pa.string()
        column = str(it.label_column)
        types = shared_types(it.labels, it.shared, it.types) | {column: kind}
        theirs = it.labels.batches([*it.shared, column], types, rows=self._rows)
        for batch, other in side_by_side(it.data, it.labels, (batches, theirs), it.shared):
            yield batch, other.column(column)

    def _read(self, batch: pa.RecordBatch, truth: pa.Array | None, rows: Codes) -> Rows:
        it = self._columns
        known = np.zeros(len(rows), dtype=bool) if truth is None else labelled(truth).to_numpy(zero_copy_only=False)
        at = None
        if self._times is not None:
            at = self._times.seconds(batch.column(it.given.time_column), rows)
        elif self._at is not None:
            at = np.full(len(rows), self._at)
        if at is not None:
            least, most = utc(float(at.min())), utc(float(at.max()))
            self.start, self.end = min(least, self.start or least), max(most, self.end or most)
        name = it.label_column or ""
        return Rows(
            numbers=rows,
            batch=batch,
            predicted=self._predicted(batch, rows),
            at=at,
            ids=None
            if it.given.id_column is None
            else ids_of(batch.column(it.given.id_column), it.given.id_column, rows),
            known=known,
            truth=np.zeros(0) if truth is None else labels_of(truth, known, name, rows, it.task),
            codes=self.apart.codes(batch),
        )

    def _predicted(self, batch: pa.RecordBatch, rows: Codes) -> Labels:
        it = self._columns
        if self._asked is not None and it.model is not None:
            answer = self._asked.answer(Fed(batch, rows))
            it.model.note(answer.casts)
            found = answer.labels
        else:
            column = batch.column(it.given.prediction)
            there = labelled(column).to_numpy(zero_copy_only=False)
            if not there.all():
                raise InvalidInputError(
                    f"Prediction '{it.given.prediction}' is missing in {wording.plural(int((~there).sum()), 'row')} "
                    f"(first: row {wording.whole(int(rows[~there][0]))}).",
                    hint="leave such rows out.",
                )
            found = labels_of(column, there, str(it.given.prediction), rows, it.task, what="model")
        if it.task == "regression":
            return predicted_numbers("model", found.decoded() if isinstance(found, Coded) else found, rows)
        return found if it.label_type is None else cast(Coded.of(found), it.label_type, rows)


def labels_of(
    column: pa.Array, known: npt.NDArray[np.bool_], name: str, rows: Codes, task: Task, *, what: str = "target"
) -> Labels:
    """The labels of those rows that have one, or their numbers.

    Args:
        column: Shape (rows,).
        known: Which have one, shape (rows,).
        name: The column's, for messages.
        rows: The rows' numbers in the data, for messages; shape (rows,).
        task: What they are of.
        what: Whether the column holds the truth, or predictions of the "model".

    Raises:
        InvalidInputError: One is no label, or no number.
    """
    own = column if known.all() else column.filter(pa.array(known))
    if task == "classification":
        return label_column(own, name)
    numbers = label_array(own, name, numbers=True)
    return numbers if what == "model" else truth_numbers(name, numbers, rows[known])


def as_ids(column: pa.Array) -> pa.Array:
    """Names of rows as text: whole numbers that a missing one made floats are whole numbers still."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        with contextlib.suppress(pa.ArrowInvalid):
            column = pc.cast(column, pa.int64())
    return pc.cast(column, pa.string())


def ids_of(column: pa.Array, name: str, rows: Codes) -> pa.Array:
    """What names each row, as text.

    Raises:
        InvalidInputError: One is missing, or there twice in the batch.
    """
    ids = as_ids(column)
    missing = pc.fill_null(pc.equal(ids, ""), fill_value=True).to_numpy(zero_copy_only=False)
    if missing.any():
        raise InvalidInputError(
            f"Id '{name}' is missing in {wording.plural(int(missing.sum()), 'row')} "
            f"(first: row {wording.whole(int(rows[missing][0]))}).",
            hint="leave such rows out.",
        )
    counted = pc.value_counts(ids)
    twice = pc.filter(counted.field("values"), pc.greater(counted.field("counts"), 1))
    if len(twice):
        where = rows[pc.equal(ids, twice[0]).to_numpy(zero_copy_only=False)]
        raise twice_there(name, twice[0].as_py(), int(where[0]), int(where[1]))
    return ids


def twice_there(name: str, given: str, one: int, other: int) -> InvalidInputError:
    """What to say of an id that two rows have."""
    return InvalidInputError(
        f"Id '{name}' must be another in every row, got {given!r} in rows {wording.whole(one)} and "
        f"{wording.whole(other)}.",
        hint="leave one out.",
    )


def cast(column: Coded, kind: LabelType, rows: Codes, what: str = "Predictions") -> Coded:
    """Bring labels to one type.

    Raises:
        LabelMismatchError: One has no exact counterpart of that type; the message has its row.
    """
    if column.values and kind_of([*column.values][:1]) == kind == kind_of(column.values):
        return column
    values: list[Label] = []
    for code, value in enumerate(column.values):
        try:
            values.append(cast_label(value, kind))
        except ValueError:
            where = np.flatnonzero(column.codes == code)
            if len(where):
                raise LabelMismatchError(
                    f"{what} cannot be read as {kind}: {value!r} in row {wording.whole(int(rows[where[0]]))}.",
                    hint="tracked rows have labels of that type; --label-type chooses another for a new name.",
                ) from None
            values.append(value)
    return Coded(codes=column.codes, values=values)


def plain(labels: Labels) -> Sequence[Label]:
    """Labels as Python has them."""
    if isinstance(labels, Coded):
        values = [*labels.values] if not isinstance(labels.values, range) else labels.values
        return [values[code] for code in labels.codes.tolist()]
    found: list[Label] = labels.tolist()
    return found


def tallied(tallying: Tallying, rows: Rows, version: int | None) -> None:
    """Tally the rows of a batch."""
    group = tallying.groups(rows.at, version, len(rows.numbers))
    tallying.predictions(group, rows.predicted)
    if rows.known.all():
        tallying.labels(group, rows.truth, rows.predicted, rows.codes)
    elif rows.known.any():
        codes = {name: own[rows.known] for name, own in rows.codes.items()}
        tallying.labels(group[rows.known], rows.truth, rows.predicted[rows.known], codes)
    tallying.features(rows.at, version, rows.batch)
