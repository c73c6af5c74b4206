"""Labels of predictions that were tracked before, added to the hours that these belong to; of each row the first."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest.coded import Coded
from abtest.errors import BackendError, LabelMismatchError
from abtest.labels import cast_label, kind_of
from abtest.loaders.datasets import DIGEST_DIGITS
from abtest.monitoring.reading import labels_of, plain
from abtest.monitoring.tallying import Tallying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from abtest.labels import Label, LabelType, Task
    from abtest.live.store import Store
    from abtest.live.tracked import Batch, TrackedRow
    from abtest.monitoring.known import Known
    from abtest.monitoring.late import LateFile, LateLabels
    from abtest.windows import Bucket

_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedLabels:
    """What became of late labels.

    Attributes:
        batch: What the file is called; None where nothing was to be done.
        n: Rows with a label.
        labelled: Labels added.
        unchanged: Labels that were there.
        corrected: Labels that say otherwise than the first.
        unknown: Labels of rows that nobody tracked.
        notices: What is to be said.
    """

    batch: str | None = None
    n: int = 0
    labelled: int = 0
    unchanged: int = 0
    corrected: int = 0
    unknown: int = 0
    notices: tuple[str, ...] = ()


def add_labels(
    store: Store,
    file: LateFile,
    batch: Batch,
    known: Known,
    *,
    task: Task | None,
    label_type: LabelType | None,
    progress: Callable[[int, int | None], None],
) -> AddedLabels:
    """Add labels to rows that were tracked, all of them or none.

    Args:
        store: Where they are.
        file: The labels.
        batch: What the file is called; the same file again adds what it could not add before, and nothing else.
        known: What is known of the model.
        task: What the rows are of; None where the labels tell.
        label_type: Of all labels; None to find one.
        progress: Called with the number of labels done, and of rows.

    Raises:
        InvalidInputError: A label is none, or an id is there twice.
        LabelMismatchError: Labels and predictions share no type or class.
        BackendError: Others label the same rows all the time.
    """
    is_known = any(one.batch == batch.batch for one in store.batches(batch.model_name))
    total = file.labels.row_count()
    for _ in range(_TRIES):
        look = _Look(store, batch.model_name, task, again=is_known, by_position=file.position is not None)
        for part in file.read(task):
            look.add(part)
            progress(look.added.n, total)
        labels, buckets, said = look.found(label_type, known, truth_is_text=file.labels.is_text)
        if not labels and (is_known or not look.added.corrected):
            return replace(look.added, notices=said)
        named = replace(batch, n=look.added.n, batch=_another(batch.batch, labels) if is_known else batch.batch)
        if not store.begin_batch(named):  # another has just given the same file
            is_known = True
            continue
        try:
            if store.end_labels(named, labels, buckets):
                return replace(look.added, batch=named.batch, notices=said)
        except BaseException:
            store.drop_batch(named)
            raise
        store.drop_batch(named)
    raise BackendError(
        f"Labels of {file.labels.name} could not be added: others label the same rows.", hint="try later."
    )


class _Look:
    """Labels of one file beside the rows that they are of."""

    def __init__(self, store: Store, model_name: str, task: Task | None, *, again: bool, by_position: bool) -> None:
        self._store, self._model_name, self._task = store, model_name, task
        self._again, self._by_position = again, by_position
        self._values: dict[str, dict[str, int]] = {}
        self._tallying: Tallying | None = None
        self._given: dict[str, Label] = {}
        self._known: Counter[tuple[float, int | None, type, Label, type, Label]] = Counter()
        self.added = AddedLabels()

    def add(self, part: LateLabels) -> None:
        rows = self._store.rows_of(self._model_name, part.ids)
        there = np.fromiter((name in rows for name in part.ids), bool, len(part.ids))
        new = np.fromiter((name in rows and rows[name].label is None for name in part.ids), bool, len(part.ids))
        missed = len(part.ids) - int(there.sum())
        self.added = replace(
            self.added,
            n=self.added.n + len(part.ids),
            labelled=self.added.labelled + int(new.sum()),
            unchanged=self.added.unchanged
            + (missed if self._by_position else 0),  # they were labelled when they were tracked
            unknown=self.added.unknown + (0 if self._by_position else missed),
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
            if _same(first, label, kind or kind_of([first])):
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


def _same(first: Label, label: Label, kind: LabelType) -> bool:
    """Whether a label that came again says what the first said.

    Raises:
        LabelMismatchError: It is of another type.
    """
    try:
        return cast_label(label, kind) == cast_label(first, kind)
    except ValueError:
        raise LabelMismatchError(
            f"Labels cannot be read as {kind}, which the first ones are: {label!r}.",
            hint="give labels of the same type.",
        ) from None


def _another(batch: str, labels: Mapping[str, Label]) -> str:
    """Another name for a file that was given before and adds more now."""
    return hashlib.sha256(f"{batch}\x1f{min(labels)}\x1f{len(labels)}".encode()).hexdigest()[:DIGEST_DIGITS]
