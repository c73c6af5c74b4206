"""Rows of a file → tallies by the hour: scored or predicted already, labelled now or later; each row once."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest.errors import InvalidInputError
from abtest.live.tracked import Batch, TrackedRow
from abtest.loaders.datasets import BATCH_ROWS, DIGEST_DIGITS, open_data
from abtest.monitoring.columns import columns_of, told
from abtest.monitoring.joined import label_column_of
from abtest.monitoring.known import known_of
from abtest.monitoring.late import LateFile, add_labels, position_id
from abtest.monitoring.reading import Reading, plain, tallied, twice_there
from abtest.monitoring.tallying import Tallying
from abtest.monitoring.times import AHEAD, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from abtest.labels import LabelType, Task
    from abtest.live.store import Store
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model
    from abtest.monitoring.columns import Columns
    from abtest.monitoring.known import Known
    from abtest.monitoring.reading import Rows

    Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """What became of a file.

    Attributes:
        batch: Its name; None where nothing was to be done.
        n: Rows read.
        tracked: Predictions added.
        labelled: Labels added.
        unchanged: Rows or labels that were there already, and changed nothing.
        corrected: Labels that say otherwise than the first: counted, and nothing else.
        unknown: Labels of predictions that nobody tracked.
        waiting: Rows of the model that wait for a label, of earlier files too.
        start: The earliest moment of its rows, in UTC.
        end: The latest.
        notices: What else is to be said.
    """

    batch: str | None
    n: int
    tracked: int = 0
    labelled: int = 0
    unchanged: int = 0
    corrected: int = 0
    unknown: int = 0
    waiting: int = 0
    start: datetime | None = None
    end: datetime | None = None
    notices: tuple[str, ...] = ()


def track(
    store: Store,
    model_name: str,
    data: str | Path | pd.DataFrame | None,
    *,
    model: Model | None = None,
    version: int | None = None,
    prediction: str | None = None,
    target: str | None = None,
    labels: str | Path | pd.DataFrame | None = None,
    id_column: str | None = None,
    label_column: str | None = None,
    time_column: str | None = None,
    at: datetime | None = None,
    segments: Sequence[str] = (),
    features: Sequence[str] | None = None,
    task: Task | None = None,
    label_type: LabelType | None = None,
    batch_rows: int = BATCH_ROWS,
    progress: Progress | None = None,
) -> Tracked:
    """Track predictions, or labels of predictions that were tracked before, or both.

    A file of predictions is added as a whole or not at all; the same file again, read in the same way, changes nothing.
    So it is with labels, of which the first counts.

    Args:
        store: Where predictions are tracked.
        model_name: The model.
        data: CSV, Parquet, JSON Lines, or a data frame; None where only labels are given.
        model: Scores the rows.
        version: The version that predicted; None of what is no registered version.
        prediction: The column that has predictions already, instead of ``model``.
        target: The column that has the truth, where the same file has it; rows without wait for it.
        labels: A file of labels. With ``id_column`` they find their rows by id, those of earlier files too; without,
            by position in ``data``: then the columns that both files share must agree.
        id_column: Names each row, in both files; no id is tracked twice.
        label_column: Of ``labels``; by default ``target``, or "label", or the only column that can be it.
        time_column: When each row was predicted, or each label became known where only labels are given: timestamps,
            dates, ISO 8601, or seconds since 1970; without a zone they are in UTC.
        at: When all were, where no column says; now when None.
        segments: Columns whose values tell segments apart, or columns crossed by ``*``; values are taken as they are.
        features: Columns that are sketched for drift; by default what the model takes, or every other column.
        task: "classification" or "regression"; by default what earlier rows, the model and the truth say.
        label_type: Cast all labels to this type.
        batch_rows: Rows in memory at a time.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Raises:
        InvalidInputError: A column, a value, a time or a label is not as it must be, or an id was tracked before.
        LabelMismatchError: Labels and predictions share no type or class, or not that of the rows before.
        NotFoundError: There is no such file.
        BackendError: The store does not answer; the same call can be made again.
    """
    if data is None and (labels is None or id_column is None):
        raise InvalidInputError(
            "labels must come with an id or with their rows, got neither.",
            hint="--id joins them by id; --input with the same file joins them by position.",
        )
    now = time.time()
    moment = now if at is None else (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    if moment > now + AHEAD:
        raise InvalidInputError(f"at must not be in the future, got {utc(moment):%Y-%m-%d %H:%M} UTC.")
    known = known_of(store, model_name)
    rows = None if data is None else open_data(data, "input")
    truth = None if labels is None else _truth_of(labels, rows, target, id_column, label_column, time_column)
    by_position = truth if id_column is None else None
    work = _Work(store, model_name, known, moment=moment, now=now, batch_rows=batch_rows, progress=progress)
    if rows is None:
        columns, tracked, is_new = None, Tracked(batch=None, n=0), False
    else:
        columns = columns_of(
            rows, model=told(model), prediction=prediction,
            target=None if truth else target, labels=by_position and by_position[0],
            label_column=truth[1] if truth else "", id_column=id_column, time_column=time_column, segments=segments,
            features=features, task=task, label_type=label_type, known=known,
        )  # fmt: skip
        asked = [at and moment, segments, features, task, label_type]
        tracked, is_new = work.predictions(columns, version, asked)
    if truth is not None and not (is_new and by_position):
        tracked = work.labels(
            truth, columns, tracked, id_column=id_column, time_column=None if rows else time_column,
            task=columns.task if columns else known.task_of(task), label_type=label_type,
        )  # fmt: skip
    return replace(tracked, waiting=store.waiting_rows(model_name))


def _truth_of(
    labels: str | Path | pd.DataFrame,
    rows: Dataset | None,
    target: str | None,
    id_column: str | None,
    label_column: str | None,
    time_column: str | None,
) -> tuple[Dataset, str]:
    """The file of labels, and its column that has them."""
    opened = open_data(labels, "labels")
    if id_column is not None and id_column not in opened.columns:
        raise opened.missing(id_column, "id column")
    shared = rows.columns if rows else ()
    column = label_column_of(opened, label_column, target, (id_column, time_column), shared)
    if target is not None and target != column and target in shared:
        raise InvalidInputError(
            f"'{target}' and '{column}' of {opened.name} both hold the truth.", hint="leave one out."
        )
    return opened, column


class _Work:
    """What is done for one call.

    Args:
        store: Where predictions are tracked.
        model_name: The model.
        known: What is known of it.
        moment: When rows were predicted, where no column says.
        now: In seconds since 1970.
        batch_rows: Rows in memory at a time.
        progress: As of ``track``.
    """

    def __init__(
        self, store: Store, model_name: str, known: Known, *, moment: float, now: float, batch_rows: int,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self._store, self._model_name, self._known = store, model_name, known
        self._moment, self._now, self._batch_rows, self._progress = moment, now, batch_rows, progress

    def predictions(self, columns: Columns, version: int | None, asked: Sequence[object]) -> tuple[Tracked, bool]:
        """Track a file of predictions; whether it is new, or was read in the same way before."""
        how = [columns.prediction, columns.target, columns.id_column, columns.time_column, version, *asked]
        batch = self._batch(columns.data, "predictions", how)
        if not self._store.begin_batch(batch):
            n = next(one.n for one in self._store.batches(self._model_name) if one.batch == batch.batch)
            said = f"{columns.data.name} was tracked before, and changes nothing."
            return Tracked(batch=batch.batch, n=n, unchanged=n, notices=(said,)), False
        try:
            return self._whole(columns, version, batch), True
        except BaseException:
            self._store.drop_batch(batch)
            raise

    def _whole(self, columns: Columns, version: int | None, batch: Batch) -> Tracked:
        reading = Reading(columns, at=self._moment, now=self._now, batch_rows=self._batch_rows)
        tallying = Tallying(columns.task, reading.apart.values, columns.features)
        total = columns.data.row_count() if self._progress else None
        n = labelled = 0
        for rows in reading:
            tallied(tallying, rows, version)
            self._remember(columns, rows, reading.apart.values, version, batch)
            n, labelled = n + len(rows.numbers), labelled + int(rows.known.sum())
            if self._progress:
                self._progress("Tracking", n, total)
        found = tallying.found(
            label_type=columns.label_type, truth_is_text=columns.truth_is_text, known=self._known.labels
        )
        self._known.check(found.buckets)
        self._store.end_batch(replace(batch, n=n), found.buckets, found.sketches)
        return Tracked(
            batch=batch.batch, n=n, tracked=n, labelled=labelled, start=reading.start, end=reading.end,
            notices=(
                *reading.notices(), *found.notices, *self._known.notices(columns.segments, found.sketches),
            ),
        )  # fmt: skip

    def _remember(
        self, columns: Columns, rows: Rows, values: Mapping[str, Mapping[str, int]], version: int | None, batch: Batch
    ) -> None:
        """Write rows that wait, and those that have an id."""
        kept = np.flatnonzero(~rows.known) if rows.ids is None else np.arange(len(rows.numbers))
        if not len(kept) or rows.at is None:
            return
        predicted, at = plain(rows.predicted), rows.at.tolist()
        texts = {name: [*own] for name, own in values.items()}
        apart = {name: codes.tolist() for name, codes in rows.codes.items()}
        ids = (
            rows.ids.to_pylist()
            if rows.ids is not None
            else [position_id(batch.batch, n) for n in rows.numbers.tolist()]
        )
        given = dict(zip(np.flatnonzero(rows.known).tolist(), plain(rows.truth), strict=True))
        written = [
            TrackedRow(
                id=ids[i], at=at[i], version=version, prediction=predicted[i],
                segments={name: texts[name][codes[i]] for name, codes in apart.items()}, label=given.get(i),
            )
            for i in kept.tolist()
        ]  # fmt: skip
        try:
            self._store.add_rows(batch, written)
        except InvalidInputError:
            if rows.ids is not None:
                _refuse_twice(columns, rows.ids, int(rows.numbers[0]))
            raise

    def labels(
        self,
        truth: tuple[Dataset, str],
        columns: Columns | None,
        tracked: Tracked,
        *,
        id_column: str | None,
        time_column: str | None,
        task: Task | None,
        label_type: LabelType | None,
    ) -> Tracked:
        """Add labels to rows that were tracked."""
        opened, column = truth
        by_position = (columns.data, str(tracked.batch)) if columns and id_column is None else None
        file = LateFile(
            labels=opened, column=column, by_position=by_position, shared=columns.shared if columns else (),
            id_column=id_column, time_column=time_column, at=self._moment, types=columns.types if columns else {},
            batch_rows=self._batch_rows,
        )  # fmt: skip
        if time_column is not None and time_column not in opened.columns:
            raise opened.missing(time_column, "time column")
        batch = self._batch(opened, "labels", [column, id_column, by_position and by_position[1]])
        total = opened.row_count() if self._progress else None
        tell = (lambda rows: self._progress("Labels", rows, total)) if self._progress else (lambda _rows: None)
        added, said = add_labels(
            self._store, file, batch, task=task, label_type=label_type, known=self._known, progress=tell
        )
        if columns and by_position and not tracked.tracked:  # the file's own rows changed nothing, its labels may
            tracked = replace(tracked, unchanged=0, notices=())
        is_first = added.labelled or added.corrected
        return replace(
            tracked,
            batch=tracked.batch if tracked.tracked else batch.batch if is_first else None,
            n=tracked.n if columns else added.n,
            labelled=tracked.labelled + added.labelled,
            unchanged=tracked.unchanged + added.unchanged,
            corrected=added.corrected,
            unknown=added.unknown,
            notices=(*tracked.notices, *said),
        )

    def _batch(self, data: Dataset, kind: Literal["predictions", "labels"], how: Sequence[object]) -> Batch:
        told = json.dumps([kind, self._model_name, data.digest(), *how], default=str)
        return Batch(
            model_name=self._model_name, batch=hashlib.sha256(told.encode()).hexdigest()[:DIGEST_DIGITS], kind=kind,
            source=data.name, n=data.row_count() or 0, received_at=utc(self._now),
        )  # fmt: skip


def _refuse_twice(columns: Columns, ids: pa.Array, first: int) -> None:
    """Refuse ids that earlier rows of the same file have: a second look is cheap beside an error without a place."""
    name, row = str(columns.id_column), 1
    types = {name: columns.types[name]} if name in columns.types else {}
    for batch in columns.data.batches([name], types):
        before = pc.cast(batch.column(name), pa.string()).slice(0, max(0, first - row))
        at = pc.index(pc.is_in(before, value_set=ids), True).as_py()
        if at >= 0:
            given = before[at].as_py()
            raise twice_there(name, given, row + at, first + pc.index(ids, given).as_py())
        row += batch.num_rows
        if row >= first:
            return
