"""Rows of a file → tallies by the hour: scored or predicted already, labelled now or later; each row once."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

from abtest.errors import InvalidInputError
from abtest.live.tracked import Batch
from abtest.loaders.datasets import BATCH_ROWS, DIGEST_DIGITS, open_data
from abtest.monitoring.columns import Given, columns_of
from abtest.monitoring.joined import label_column_of
from abtest.monitoring.known import known_of
from abtest.monitoring.labelling import add_labels
from abtest.monitoring.late import LateFile
from abtest.monitoring.predictions import add_predictions
from abtest.monitoring.times import AHEAD, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

    from abtest.labels import LabelType, Task
    from abtest.live.store import Store
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model
    from abtest.monitoring.labelling import AddedLabels
    from abtest.monitoring.predictions import AddedRows


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
    progress: Callable[[str, int, int | None], None] | None = None,
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
    rows = None if data is None else open_data(data, "input")
    truth = None if labels is None else _truth_of(labels, rows, target, label_column, (id_column, time_column))
    known = known_of(store, model_name)
    tell = progress or (lambda _what, _done, _total: None)
    tracked, columns, is_new = Tracked(batch=None, n=0), None, False
    if rows is not None:
        given = Given(
            model=model, prediction=prediction, target=None if truth else target, id_column=id_column,
            time_column=time_column, segments=segments, features=features, task=task, label_type=label_type,
        )  # fmt: skip
        beside = truth[0] if truth and id_column is None else None
        columns = columns_of(rows, given, known, labels=beside, label_column=truth[1] if truth else None)
        what = [version, prediction, at and moment]
        how = [given.named(), segments, features, task, label_type]
        batch = _batch(model_name, rows, "predictions", now, what=what, how=how)
        added = add_predictions(
            store, columns, batch, known, version=version, at=moment, batch_rows=batch_rows,
            progress=partial(tell, "Tracking"),
        )  # fmt: skip
        tracked, is_new = _tracked(added), added.tracked > 0
    if truth is not None and not (is_new and id_column is None):
        position = (columns.data, str(tracked.batch)) if columns and id_column is None else None
        late = LateFile(
            labels=truth[0], column=truth[1], position=position, columns=columns, id_column=id_column,
            time_column=None if columns else time_column, at=moment, now=now, batch_rows=batch_rows,
        )  # fmt: skip
        how = [truth[1], id_column, tracked.batch if id_column is None else None]
        found = add_labels(
            store, late, _batch(model_name, truth[0], "labels", now, how=how), known,
            task=columns.task if columns else known.task_of(task), label_type=label_type,
            progress=partial(tell, "Labels"),
        )  # fmt: skip
        tracked = _with_labels(tracked, found, by_position=id_column is None)
    return replace(tracked, waiting=store.waiting_rows(model_name))


def _truth_of(
    labels: str | Path | pd.DataFrame,
    rows: Dataset | None,
    target: str | None,
    label_column: str | None,
    aside: tuple[str | None, str | None],
) -> tuple[Dataset, str]:
    """The file of labels, and its column that has them; ``aside`` are those of the id and of the time."""
    opened, (id_column, _) = open_data(labels, "labels"), aside
    if id_column is not None and id_column not in opened.columns:
        raise opened.missing(id_column, "id column")
    shared = rows.columns if rows else ()
    column = label_column_of(opened, label_column, target, aside, shared)
    if target is not None and target != column and target in shared:
        raise InvalidInputError(
            f"'{target}' and '{column}' of {opened.name} both hold the truth.", hint="leave one out."
        )
    return opened, column


def _batch(
    model_name: str,
    data: Dataset,
    kind: Literal["predictions", "labels"],
    now: float,
    *,
    how: Sequence[object],
    what: Sequence[object] = (),
) -> Batch:
    """Name a file by what it holds, first, and then by how it is read."""
    named = (_hexed([kind, model_name, data.digest(), *what]), _hexed(how))
    return Batch(
        model_name=model_name, batch="".join(named), kind=kind, source=data.name, n=data.row_count() or 0,
        received_at=utc(now),
    )  # fmt: skip


def _hexed(told: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[: DIGEST_DIGITS // 2]


def _tracked(added: AddedRows) -> Tracked:
    return Tracked(
        batch=added.batch, n=added.n, tracked=added.tracked, labelled=added.labelled,
        unchanged=added.n - added.tracked, start=added.start, end=added.end, notices=added.notices,
    )  # fmt: skip


def _with_labels(tracked: Tracked, added: AddedLabels, *, by_position: bool) -> Tracked:
    """Say what became of labels, too; of a file that was tracked before its labels are what matters."""
    if by_position:
        tracked = replace(tracked, unchanged=0, notices=())
    return replace(
        tracked,
        batch=tracked.batch if tracked.tracked else added.batch,
        n=tracked.n or added.n,
        labelled=tracked.labelled + added.labelled,
        unchanged=tracked.unchanged + added.unchanged,
        corrected=added.corrected,
        unknown=added.unknown,
        notices=(*tracked.notices, *added.notices),
    )
