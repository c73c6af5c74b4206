"""Labels of predictions that were tracked before: found by id or by position, and added to the hours they belong to."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest.coded import Coded
from abtest.errors import BackendError, LabelMismatchError
from abtest.labels import cast_label, kind_of
from abtest.loaders.columns import CODED_TEXT, labelled
from abtest.loaders.datasets import DIGEST_DIGITS, Dataset
from abtest.monitoring.joined import shared_types, side_by_side
from abtest.monitoring.reading import ids_of, labels_of, plain, twice_there
from abtest.monitoring.tallying import Tallying
from abtest.monitoring.times import Times

if TYPE_CHECKING:
    from abtest.labels import Label, LabelType, Task
    from abtest.live.store import Store
    from abtest.live.tracked import Batch, TrackedRow
    from abtest.monitoring.known import Known
    from abtest.windows import Bucket

_TRIES = 10
_CHUNK = 10_000  # rows that are looked up together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LateLabels:
    """Labels of some rows.

    Attributes:
        ids: What names each row, shape (rows,).
        column: Their labels as they are read.
        numbers: The rows' numbers in the file, from 1, shape (rows,).
        at: When each label became known, in seconds since 1970, shape (rows,).
    """

    ids: Sequence[str]
    column: pa.Array
    numbers: npt.NDArray[np.int64]
    at: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of late labels.

    Attributes:
        n: Rows with a label.
        labelled: Labels added.
        unchanged: Labels that were there.
        corrected: Labels that say otherwise than the first.
        unknown: Labels of rows that nobody tracked.
    """

    n: int = 0
    labelled: int = 0
    unchanged: int = 0
    corrected: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFile:
    """A file of labels of rows that were tracked.

    Attributes:
        labels: The file.
        column: Its column with the labels.
        by_position: The file of their rows, and how its batch is called; None where ids name them.
        shared: Columns of both, which must agree.
        id_column: Names the rows, where ids do.
        time_column: When labels became known; None where no column says.
        at: Then it is this moment, in seconds since 1970.
        batch_rows: Rows in memory at a time.
    """

    labels: Dataset
    column: str
    by_position: tuple[Dataset, str] | None
    shared: tuple[str, ...]
    id_column: str | None
    time_column: str | None
    at: float
    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    batch_rows: int

    def read(self, task: Task | None) -> Iterator[LateLabels]:
        """Read it, in parts.

        Raises:
            InvalidInputError: An id is there twice, or a file is longer than the other.
        """
        first = 1
        times = Times(self.time_column, self.at) if self.time_column else None
        seen: dict[str, int] = {}
        for batch, positions in self._batches(task):
            numbers = np.arange(first, first + batch.num_rows)
            ids = positions or []
            if positions is None:
                ids = ids_of(batch.column(self.id_column), str(self.id_column), numbers).to_pylist()
                before = next((name for name in ids if name in seen), None)
                if before is not None:
                    raise twice_there(str(self.id_column), before, seen[before], first + ids.index(before))
                seen.update(zip(ids, numbers.tolist(), strict=True))
            column = batch.column(self.column)
            known = labelled(column)
            keep = known.to_numpy(zero_copy_only=False)
            at = times.seconds(batch.column(self.time_column), numbers) if times else np.full(len(numbers), self.at)
            yield LateLabels(
                ids=[name for name, there in zip(ids, keep.tolist(), strict=True) if there],
                column=column.filter(known), numbers=numbers[keep], at=at[keep],
            )  # fmt: skip
            first += batch.num_rows

    def _batches(self, task: Task | None) -> Iterator[tuple[pa.RecordBatch, list[str] | None]]:
        types: dict[str, pa.DataType] = {self.column: pa.string() if task == "regression" else CODED_TEXT}
        aside = [name for name in (self.id_column, self.time_column) if name is not None]
        if self.labels.is_text:
            types |= dict.fromkeys(aside, pa.string())
        types |= shared_types(self.labels, self.shared, self.types)
        theirs = self.labels.batches([self.column, *aside, *self.shared], types, rows=min(_CHUNK, self.batch_rows))
        if self.by_position is None:
            for batch in theirs:
                yield batch, None
            return
        data, name = self.by_position
        first = 1
        wanted = self.shared or data.columns[:1]
        ours = data.batches(wanted, self.types, rows=min(_CHUNK, self.batch_rows))
        for _, batch in side_by_side(data, self.labels, (ours, theirs), self.shared):
            yield batch, [position_id(name, row) for row in range(first, first + batch.num_rows)]
            first += batch.num_rows


def position_id(batch: str, row: int) -> str:
    """What a row without an id is called: by its batch, and its number in the file."""
    return f"#{batch}:{row}"


def add_labels(
    store: Store,
    file: LateFile,
    batch: Batch,
    *,
    task: Task | None,
    label_type: LabelType | None,
    known: Known,
    progress: Callable[[int], None] = lambda _rows: None,
) -> tuple[Added, tuple[str, ...]]:
    """Add labels to rows that were tracked, all of them or none.

    Args:
        store: Where they are.
        file: The labels.
        batch: What the file is called; the same file again adds what it could not add before, and nothing else.
        task: What the rows are of; None where the labels tell.
        label_type: Of all labels; None to find one.
        known: What is known of the model.
        progress: Called with the number of rows done.

    Raises:
        InvalidInputError: A label is none, or an id is there twice.
        LabelMismatchError: Labels and predictions share no type or class.
        BackendError: Others label the same rows all the time.
    """
    is_known = any(one.batch == batch.batch for one in store.batches(batch.model_name))
    for _ in range(_TRIES):
        look = _Look(store, batch.model_name, task, again=is_known)
        for part in file.read(task):
            look.add(part)
            progress(look.added.n)
        labels, buckets, said = look.found(label_type, known, truth_is_text=file.labels.is_text)
        if not labels and (is_known or not look.added.corrected):
            return look.added, said
        named = replace(batch, n=look.added.n, batch=_another(batch.batch, labels) if is_known else batch.batch)
        if not store.begin_batch(named):  # another has just given the same file
            is_known = True
            continue
        try:
            if store.end_labels(named, labels, buckets):
                return look.added, said
        except BaseException:
            store.drop_batch(named)
            raise
        store.drop_batch(named)
    raise BackendError(
        f"Labels of {file.labels.name} could not be added: others label the same rows.", hint="try later."
    )


class _Look:
    """Labels of one file beside the rows that they are of."""

    def __init__(self, store: Store, model_name: str, task: Task | None, *, again: bool) -> None:
        self._store, self._model_name, self._task, self._again = store, model_name, task, again
        self._values: dict[str, dict[str, int]] = {}
        self._tallying: Tallying | None = None
        self._given: dict[str, Label] = {}
        self._known: Counter[tuple[float, int | None, type, Label, type, Label]] = Counter()
        self.added = Added()

    def add(self, part: LateLabels) -> None:
        rows = self._store.rows_of(self._model_name, part.ids)
        there = np.fromiter((name in rows for name in part.ids), bool, len(part.ids))
        new = np.fromiter((name in rows and rows[name].label is None for name in part.ids), bool, len(part.ids))
        missed = len(part.ids) - int(there.sum())
        by_position = bool(part.ids) and part.ids[0].startswith("#")
        self.added = replace(
            self.added,
            n=self.added.n + len(part.ids),
            labelled=self.added.labelled + int(new.sum()),
            unchanged=self.added.unchanged
            + (missed if by_position else 0),  # they were labelled when they were tracked
            unknown=self.added.unknown + (0 if by_position else missed),
        )
        if not there.any():
            return
        tallying = self._tallying = self._tallying or self._started(rows.values())
        task = self._task or "classification"
        own = [rows[name] for name, is_new in zip(part.ids, new.tolist(), strict=True) if is_new]
        if own:
            truth = labels_of(part.column, new, "labels", part.numbers, task)
            at = np.array([row.at for row in own])
            group = tallying.groups(at, [row.version for row in own], len(own))
            predicted = [row.prediction for row in own]
            tallying.labels(
                group,
                truth,
                Coded.by_value(predicted) if task == "classification" else np.array(predicted, dtype=np.float64),
                self._codes(own),
            )
            lag = part.at[new] - at
            tallying.lags(group[lag >= 0], lag[lag >= 0])
            self._given.update(zip((row.id for row in own), plain(truth), strict=True))
        old = there & ~new
        if old.any():
            again = plain(labels_of(part.column, old, "labels", part.numbers, task))
            names = [name for name, is_old in zip(part.ids, old.tolist(), strict=True) if is_old]
            for name, label in zip(names, again, strict=True):
                row = rows[name]
                if row.label is not None:
                    hour = row.at // 3600 * 3600
                    self._known[hour, row.version, type(row.label), row.label, type(label), label] += 1

    def found(
        self, label_type: LabelType | None, known: Known, *, truth_is_text: bool
    ) -> tuple[dict[str, Label], tuple[Bucket, ...], tuple[str, ...]]:
        """The labels of rows that had none, and what is added to their hours."""
        if self._tallying is None:
            return {}, (), ()
        kind = None if self._task == "regression" else known.label_type_of(label_type)
        for (hour, version, _, first, _, label), count in self._known.items():
            if _same(first, label):
                self.added = replace(self.added, unchanged=self.added.unchanged + count)
                continue
            self.added = replace(self.added, corrected=self.added.corrected + count)
            if not self._again:
                self._tallying.corrected(int(self._tallying.groups(np.array([hour]), version, 1)[0]), count)
        found = self._tallying.found(label_type=kind, truth_is_text=truth_is_text, known=known.labels)
        if self._task == "regression":
            return self._given, found.buckets, found.notices
        return {name: found.truths[type(raw), raw] for name, raw in self._given.items()}, found.buckets, found.notices

    def _started(self, rows: Iterable[TrackedRow]) -> Tallying:
        if self._task is None:
            fractions = any(isinstance(row.prediction, float) and not row.prediction.is_integer() for row in rows)
            self._task = "regression" if fractions else "classification"
        return Tallying(self._task, self._values)

    def _codes(self, rows: Sequence[TrackedRow]) -> dict[str, npt.NDArray[np.int64]]:
        names = dict.fromkeys(name for row in rows for name in row.segments)
        found = {}
        for name in names:
            known = self._values.setdefault(name, {})
            found[name] = np.fromiter(
                (known.setdefault(row.segments[name], len(known)) if name in row.segments else -1 for row in rows),
                np.int64, len(rows),
            )  # fmt: skip
        return found


def _same(first: Label, label: Label) -> bool:
    """Whether a label that came again says what the first said.

    Raises:
        LabelMismatchError: It is of a type that the first cannot be of.
    """
    try:
        return cast_label(label, kind_of([first])) == first
    except ValueError:
        raise LabelMismatchError(
            f"Labels cannot be read as {kind_of([first])}, which the first ones are: {label!r}.",
            hint="give labels of the same type.",
        ) from None


def _another(batch: str, labels: Mapping[str, Label]) -> str:
    """Another name for a file that was given before and adds more now."""
    return hashlib.sha256(f"{batch}\x1f{min(labels)}\x1f{len(labels)}".encode()).hexdigest()[:DIGEST_DIGITS]
