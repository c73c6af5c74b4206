"""Labels that came later, from a file into the log: in batches, each committed, and all of them accounted for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.live.log import Feedback, Receipt, Received
from abtest.loaders.datasets import open_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abtest.labels import Label
    from abtest.live.store import Store
    from abtest.loaders.datasets import Dataset

_ROWS = 2000  # committed at a time
_OBSERVED_AT = "observed_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What became of a file of labels.

    Attributes:
        n: Rows.
        recorded: New labels.
        unchanged: Labels that were there already.
        corrected: Labels that correct another.
        waiting: Labels of predictions that are not in the log; kept aside.
        refused: Rows of which nothing was kept.
        problems: A sentence for those that wait, and one for those refused, each with the first row.
    """

    n: int
    recorded: int
    unchanged: int
    corrected: int
    waiting: int
    refused: int
    problems: tuple[str, ...]


def label_file(
    store: Store,
    path: str | Path,
    *,
    id_column: str = "prediction_id",
    label_column: str = "label",
    time_column: str | None = None,
    experiment: str | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> Labelled:
    """Record a file of labels, in batches that are each committed; what was committed stays when a later one fails.

    Args:
        store: The log.
        path: CSV, Parquet or JSON Lines.
        id_column: Names the prediction.
        label_column: The truth.
        time_column: When it was observed; ``observed_at`` by default, where that is a column.
        experiment: Refuse labels of predictions of another one.
        progress: Called as ``progress(what, rows_done, rows_in_all)``.

    Raises:
        InvalidInputError: The file cannot be read, or lacks a column.
        NotFoundError: There is no such file, or no such experiment.
        BackendError: The log does not take them; the same file can be sent again.
    """
    data = open_data(path, "input")
    if experiment is not None:
        store.experiment(experiment)
    if time_column is None and _OBSERVED_AT in data.columns:
        time_column = _OBSERVED_AT
    counts = dict.fromkeys(Received, 0)
    first: dict[Received, tuple[int, Receipt]] = {}
    row, total = 0, data.row_count()
    for batch in _batches(data, id_column, label_column, time_column):
        receipts = _recorded(store, batch, experiment)
        for receipt in receipts:
            row += 1
            counts[receipt.received] += 1
            if receipt.received in (Received.REFUSED, Received.WAITING):
                first.setdefault(receipt.received, (row, receipt))
        if progress:
            progress("Labels", row, total)
    return Labelled(
        n=row,
        recorded=counts[Received.RECORDED],
        unchanged=counts[Received.UNCHANGED],
        corrected=counts[Received.CORRECTED],
        waiting=counts[Received.WAITING],
        refused=counts[Received.REFUSED],
        problems=tuple(_problem(kind, counts[kind], row, *first[kind]) for kind in first),
    )


def _recorded(store: Store, batch: list[Feedback | Receipt], experiment: str | None) -> list[Receipt]:
    """Record what can be; a row that could not be read has its receipt already."""
    answers = iter(store.record([row for row in batch if isinstance(row, Feedback)], experiment=experiment))
    return [next(answers) if isinstance(row, Feedback) else row for row in batch]


def _batches(
    data: Dataset, id_column: str, label_column: str, time_column: str | None
) -> Iterator[list[Feedback | Receipt]]:
    columns = [id_column, label_column, *([time_column] if time_column else [])]
    types = {id_column: pa.string(), label_column: pa.string()} if data.is_text else {id_column: pa.string()}
    for batch in data.batches(columns, types, rows=_ROWS):
        ids = pc.cast(batch.column(id_column), pa.string()).to_pylist()
        labels = batch.column(label_column).to_pylist()
        times = batch.column(time_column).to_pylist() if time_column else [None] * batch.num_rows
        yield [_read(*row) for row in zip(ids, labels, times, strict=True)]


def _read(name: str | None, label: Any, time: Any) -> Feedback | Receipt:  # noqa: ANN401 - whatever a file holds
    if not name:
        return Receipt(prediction_id="", received=Received.REFUSED, why="it names no prediction")
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return Receipt(prediction_id=name, received=Received.REFUSED, why="it has no label")
    try:
        return Feedback(prediction_id=name, label=_plain(label), observed_at=seconds_of(time))
    except InvalidInputError as error:
        return Receipt(prediction_id=name, received=Received.REFUSED, why=error.message.rstrip("."))


def _plain(label: Any) -> Label:  # noqa: ANN401 - whatever a file holds
    if not isinstance(label, bool | int | float | str):
        raise InvalidInputError(f"a label must be text, a number or a boolean, got {type(label).__name__}.")
    return label


def seconds_of(time: Any) -> float | None:  # noqa: ANN401 - whatever a file, or a request, holds
    """Read a moment: seconds since 1970, a time with its zone, or ISO 8601 text with one.

    Raises:
        InvalidInputError: It is none, or has no zone.

    Example:
        >>> seconds_of("2026-01-02T03:04:05Z"), seconds_of(None)
        (1767323045.0, None)
    """
    if time is None or time == "":
        return None
    if isinstance(time, date) and not isinstance(time, datetime):
        time = time.isoformat()
    if isinstance(time, str):
        try:
            time = float(time) if time.strip().replace(".", "", 1).isdigit() else datetime.fromisoformat(time)
        except ValueError:
            raise InvalidInputError(f"observed_at must be a time, got {time!r}.", hint="2026-01-31T12:00:00Z") from None
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise InvalidInputError(
                f"observed_at must have a time zone, got {time.isoformat()!r}.", hint="add Z for UTC."
            )
        return time.timestamp()
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time):
        raise InvalidInputError(f"observed_at must be a time, got {time!r}.", hint="2026-01-31T12:00:00Z")
    return float(time)


def _problem(kind: Received, count: int, n: int, row: int, receipt: Receipt) -> str:
    of, first = f"Of {wording.plural(n, 'label')}, {wording.whole(count)}", f"(first: row {wording.whole(row)}"
    if kind is Received.WAITING:
        names = "names a prediction that is" if count == 1 else "name predictions that are"
        aside = "it is" if count == 1 else "they are"
        return f"{of} {names} not in the log {first}, {receipt.prediction_id!r}); {aside} kept aside and tried again."
    were = "was" if count == 1 else "were"
    why = (receipt.why or "").rstrip(".")
    return f"{of} {were} refused {first}, {receipt.prediction_id!r}: {why})."
