"""A file of predictions → the store: its tallies, and the rows that wait for a label or are remembered by their id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest.errors import InvalidInputError
from abtest.live.tracked import TrackedRow
from abtest.loaders.datasets import DIGEST_DIGITS
from abtest.monitoring.late import position_id
from abtest.monitoring.reading import Reading, as_ids, plain, tallied, twice_there
from abtest.monitoring.tallying import Tallying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abtest.live.store import Store
    from abtest.live.tracked import Batch
    from abtest.monitoring.columns import Columns
    from abtest.monitoring.known import Known
    from abtest.monitoring.reading import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedRows:
    """What became of a file of predictions.

    Attributes:
        batch: Its name.
        n: Its rows.
        tracked: How many were added: all, or none where the file was there.
        labelled: Of these, those with a label.
        start: The earliest moment, in UTC; None where nothing was added.
        end: The latest.
        notices: What is to be said.
    """

    batch: str
    n: int
    tracked: int = 0
    labelled: int = 0
    start: datetime | None = None
    end: datetime | None = None
    notices: tuple[str, ...] = ()


def add_predictions(
    store: Store,
    columns: Columns,
    batch: Batch,
    known: Known,
    *,
    version: int | None,
    at: float,
    batch_rows: int,
    progress: Callable[[int, int | None], None],
) -> AddedRows:
    """Add a file, as a whole or not at all.

    Args:
        store: Where it goes.
        columns: What is read of it.
        batch: What it is called.
        known: What is known of the model.
        version: Which predicted.
        at: When, in seconds since 1970, where no column says.
        batch_rows: Rows in memory at a time.
        progress: Called with the number of rows done, and of all.

    Raises:
        InvalidInputError: A value is not as it must be, an id was tracked before, or the file was, read otherwise.
        LabelMismatchError: Labels and predictions share no type or class, or not that of the rows before.
    """
    holds = batch.batch[: DIGEST_DIGITS // 2]
    if any(one.batch.startswith(holds) and one.batch != batch.batch for one in store.batches(batch.model_name)):
        raise InvalidInputError(
            f"{columns.data.name} was tracked before, read otherwise: its rows would count twice.",
            hint="give the same options as then; --labels adds labels to its rows.",
        )
    if not store.begin_batch(batch):
        n = next(one.n for one in store.batches(batch.model_name) if one.batch == batch.batch)
        said = f"{columns.data.name} was tracked before, and changes nothing."
        return AddedRows(batch=batch.batch, n=n, notices=(said,))
    try:
        reading = Reading(columns, at=at, now=batch.received_at.timestamp(), batch_rows=batch_rows)
        tallying = Tallying(columns.task, reading.apart.groups, columns.features)
        total, n, labelled = columns.data.row_count(), 0, 0
        for rows in reading:
            tallied(tallying, rows, version)
            _add_rows(store, batch, columns, remembered(rows, reading.apart.groups, version, batch.batch), rows)
            n, labelled = n + len(rows.numbers), labelled + int(rows.known.sum())
            progress(n, total)
        found = tallying.found(label_type=columns.label_type, truth_is_text=columns.truth_is_text, known=known.labels)
        known.check(found.buckets)
        store.end_batch(replace(batch, n=n), found.buckets, found.sketches)
    except BaseException:
        store.drop_batch(batch)
        raise
    said_of = known.notices(columns.given.segments, found.sketches)
    return AddedRows(
        batch=batch.batch, n=n, tracked=n, labelled=labelled, start=reading.start, end=reading.end,
        notices=(*reading.notices(), *found.notices, *said_of),
    )  # fmt: skip


def remembered(
    rows: Rows, values: Mapping[str, Mapping[str, int]], version: int | None, batch: str
) -> list[TrackedRow]:
    """Give the rows that wait, and those that have an id.

    Args:
        rows: Of one batch.
        values: By the name of each segmentation, its values by code.
        version: Which version predicted them.
        batch: What a row without an id is named by, with its position.
    """
    kept = np.flatnonzero(~rows.known) if rows.ids is None else np.arange(len(rows.numbers))
    if not len(kept) or rows.at is None:
        return []
    predicted, at = plain(rows.predicted), rows.at.tolist()
    texts = {name: [*own] for name, own in values.items()}
    apart = {name: codes.tolist() for name, codes in rows.codes.items()}
    named = None if rows.ids is None else rows.ids.to_pylist()
    ids = named or [position_id(batch, row) for row in rows.numbers.tolist()]
    given = dict(zip(np.flatnonzero(rows.known).tolist(), plain(rows.truth), strict=True))
    return [
        TrackedRow(
            id=ids[i], at=at[i], version=version, prediction=predicted[i],
            segments={name: texts[name][codes[i]] for name, codes in apart.items()}, label=given.get(i),
        )
        for i in kept.tolist()
    ]  # fmt: skip


def _add_rows(store: Store, batch: Batch, columns: Columns, written: list[TrackedRow], rows: Rows) -> None:
    if not written:
        return
    try:
        store.add_rows(batch, written)
    except InvalidInputError:
        if rows.ids is not None:
            _refuse_twice(columns, rows.ids, int(rows.numbers[0]))
        raise


def _refuse_twice(columns: Columns, ids: pa.Array, first: int) -> None:
    """Refuse ids that earlier rows of the same file have: a second look is cheap beside an error without a place."""
    name, row = str(columns.given.id_column), 1
    types = {name: columns.types[name]} if name in columns.types else {}
    for batch in columns.data.batches([name], types):
        before = as_ids(batch.column(name)).slice(0, max(0, first - row))
        at = pc.index(pc.is_in(before, value_set=ids), value=True).as_py()
        if at >= 0:
            given = before[at].as_py()
            raise twice_there(name, given, row + at, first + pc.index(ids, given).as_py())
        row += batch.num_rows
        if row >= first:
            return
