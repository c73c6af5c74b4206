"""Predictions of a stream → the store, some at a time, in a batch that grows: what a file of the same rows tallies."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.live.store import Store
from abtest.live.tracked import Batch, TrackedRow
from abtest.loaders.datasets import DIGEST_DIGITS, Dataset
from abtest.loaders.models import Model
from abtest.loaders.tasks import task_of_model
from abtest.monitoring.columns import Given, columns_of
from abtest.monitoring.known import known_of
from abtest.monitoring.predictions import remembered
from abtest.monitoring.reading import Reading, tallied
from abtest.monitoring.tallying import Tallying
from abtest.monitoring.times import utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abtest.labels import Label
    from abtest.monitoring.known import Known

_PREDICTION = "\0prediction"  # no column is called so
_SOURCE = "standard input"


def _unique() -> str:
    return secrets.token_hex(DIGEST_DIGITS // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream of predictions; the store has it as one batch of its own, which is whole at every moment.

    Attributes:
        store: Where it is tracked.
        model_name: The model.
        model: What predicted; it is not asked.
        version: Which version that is.
        target: The column that has the truth, where a row has it.
        id_column: Names each row, for labels that come later; without it none can.
        time_column: When each was predicted.
        batch: What the store calls it.
    """

    store: Store
    model_name: str
    model: Model
    version: int | None
    target: str | None = None
    id_column: str | None = None
    time_column: str | None = None
    batch: str = field(default_factory=_unique)

    def known(self) -> Known:
        """What is known of the model's tracked rows."""
        return known_of(self.store, self.model_name)

    def there(self, ids: Sequence[str]) -> frozenset[str]:
        """Those ids that are tracked already."""
        return frozenset(self.store.rows_of(self.model_name, ids))

    def append(
        self, rows: Sequence[Mapping[str, Any]], predictions: Sequence[Label], known: Known, *, at: float
    ) -> None:
        """Add rows, all or none of them.

        Args:
            rows: Objects by column, as JSON has them.
            predictions: One each.
            known: What is known of rows before.
            at: When they were predicted, in seconds since 1970, where no column says.

        Raises:
            InvalidInputError: A value is not as it must be, or an id was tracked before.
            LabelMismatchError: Labels and predictions share no type or class, or not that of the rows before.
            BackendError: The store does not answer; the same rows can be added again.
        """
        now = time.time()
        batch = Batch(model_name=self.model_name, batch=self.batch, kind="predictions", source=_SOURCE, n=len(rows),
                      received_at=utc(now))  # fmt: skip
        try:
            data = self._data(rows, predictions)
            columns = columns_of(data, self._given(data, known), known)
            reading = Reading(columns, at=at, now=now, batch_rows=len(rows))
            tallying = Tallying(columns.task, reading.apart.groups, columns.features)
            kept: list[TrackedRow] = []
            for some in reading:
                tallied(tallying, some, self.version)
                if self.id_column is not None:  # by its position no label can find a row of a stream
                    kept += remembered(some, reading.apart.groups, self.version, self.batch)
            found = tallying.found(label_type=columns.label_type, known=known.labels)
        except (pa.ArrowException, OverflowError) as error:  # an id that is an object, a number of 70 bits
            raise InvalidInputError(f"Rows cannot be tracked: {wording.first_line(error)}.") from error
        known.check(found.buckets)
        self.store.append(batch, kept, found.buckets, found.sketches)

    def _data(self, rows: Sequence[Mapping[str, Any]], predictions: Sequence[Label]) -> _Rows:
        """Give columns of the rows: what names and times them in any case, the truth where a row has one."""
        names = dict.fromkeys([name for row in rows for name in row])
        names |= dict.fromkeys(name for name in (self.id_column, self.time_column) if name is not None)
        columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
        for name, column in columns.items():
            kind = self.model.type_of(name)
            if pa.types.is_null(column.type) and kind is not None:  # a feature that is missing is one nevertheless
                columns[name] = column.cast(kind)
        if self.target in columns and pa.types.is_null(columns[self.target].type):
            del columns[self.target]
        return _Rows(columns | {_PREDICTION: pa.array(predictions)})

    def _given(self, data: _Rows, known: Known) -> Given:
        features = self.model.features
        return Given(
            prediction=_PREDICTION, target=self.target if self.target in data.columns else None,
            id_column=self.id_column, time_column=self.time_column,
            features=None if features is None else [name for name in features if name in data.columns],
            task=known.task or task_of_model(self.model) or (None if self.target else "classification"),
        )  # fmt: skip


class _Rows(Dataset):
    """Rows in memory."""

    def __init__(self, columns: Mapping[str, pa.Array]) -> None:
        self.name, self.columns = _SOURCE, tuple(columns)
        self._batch = pa.RecordBatch.from_pydict(dict(columns))

    def read(self, columns: Sequence[str], types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        del types  # each value has its own
        yield self._batch.select(list(columns))

    def digest(self) -> str:
        raise NotImplementedError  # a stream is known by its name
