"""Rows by their fingerprints: what was trained on and is tested on, what occurs twice, what an earlier set held."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.labels import Label
from abtest.loaders.datasets import DIGEST_DIGITS
from abtest.loaders.rowhash import Hasher, Hashes, distinct, paired

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

MOST_ROWS_KEPT = 1 << 20  # 9 MB, and as much again while they are joined
_VERSION = "1"  # of the hash: what another one recorded is not compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The first ``n`` rows of a data set, by their digest: all that has to be stored to recognise them later."""

    n: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Test rows that the training data hold.

    Attributes:
        n_train: Training rows read.
        leaked: Test rows whose features and label occur in the training data.
        conflicting: Test rows whose features occur there, but only with other labels.
        first_rows: The first leaked rows' numbers in the test data, counted from 1.
        train_classes: Training rows by class; rows without a label are left out.
    """

    n_train: int
    leaked: int
    conflicting: int
    first_rows: tuple[int, ...]
    train_classes: Mapping[Label, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fingerprints:
    """The rows of a test set: 8 bytes each for the features, and 1 for the label up to 256 classes.

    Attributes:
        features: A hash of each row's features, shape (rows,); none where there were too many to keep.
        codes: Each row's label, as an index into ``labels``, shape (rows,); likewise.
        labels: A hash of each distinct label, shape (labels,).
        classes: Rows by class; rows without a label are left out; likewise.
        end: All rows.
        marks: The first rows, at the row counts that were asked for and reached.
    """

    features: Hashes
    codes: npt.NDArray[np.unsignedinteger[Any]]
    labels: Hashes
    classes: Mapping[Label, int]
    end: Mark
    marks: tuple[Mark, ...]
    hasher: Hasher

    @property
    def n(self) -> int:
        """Rows."""
        return self.end.n

    @property
    def are_kept(self) -> bool:
        """Whether the rows' hashes were kept, and not only the digest of them all."""
        return len(self.features) == self.n

    @property
    def duplicates(self) -> int | None:
        """Rows beyond the first of their kind, label and all; None where the hashes were not kept."""
        return self.n - int(distinct(self._rows()).size) if self.are_kept else None

    def extends(self, earlier: Mark) -> bool:
        """Whether the first rows are an earlier data set's, in its order.

        Raises:
            InvalidInputError: No digest was taken at its row count.
        """
        if earlier.n > self.n:
            return False
        known = {mark.n: mark.digest for mark in (*self.marks, self.end)}
        if earlier.n not in known:
            raise InvalidInputError(
                f"marks must name the row count {earlier.n}, got {sorted(known)}.",
                hint="name every earlier row count before reading the data.",
            )
        return known[earlier.n] == earlier.digest

    def leaked(self, train: Iterable[pa.RecordBatch], *, show: int = 5) -> Leak:
        """Find the test rows that occur in training data, in one pass over these, in memory of the test set alone.

        Args:
            train: Batches that hold the same columns, of any size.
            show: How many rows to name.

        Raises:
            InvalidInputError: A value cannot be cast to the type the models are fed.
            NotApplicableError: The rows' hashes were not kept.
        """
        if not self.are_kept:
            raise NotApplicableError("The rows' hashes were not kept, so there is nothing to look for.")
        rows = self._rows()
        known, known_features = _Known(rows), _Known(self.features)
        classes: Counter[Label] = Counter()
        n_train = 0
        for batch in train:
            features, label = self.hasher.split(batch, first_row=n_train + 1)
            known.mark(paired(features, label.hashes[label.codes]))
            known_features.mark(features)
            classes.update(label.counts())
            n_train += batch.num_rows
        leaked = known.marked(rows)
        conflicting = known_features.marked(self.features) & ~leaked
        return Leak(
            n_train=n_train,
            leaked=int(leaked.sum()),
            conflicting=int(conflicting.sum()),
            first_rows=tuple((np.flatnonzero(leaked)[:show] + 1).tolist()),
            train_classes=dict(classes),
        )

    def _rows(self) -> Hashes:
        return paired(self.features, self.labels[self.codes])


class Fingerprinter:
    """Takes in a test set batch by batch.

    Args:
        hasher: What of a row is hashed.
        marks: Row counts at which to take a digest: those of earlier test sets that this one may extend.
        keep: Up to so many rows, each row's hash is kept; of more, only the digest of them all.

    Example:
        >>> import pyarrow as pa
        >>> reader = Fingerprinter(Hasher(columns=["x"], target="y", types={}), marks=[2])
        >>> reader.add(pa.RecordBatch.from_pydict({"x": [1.0, 1.0, 2.0], "y": ["a", "a", "b"]}))
        >>> test = reader.fingerprints()
        >>> test.n, test.duplicates, test.marks[0].n
        (3, 1, 2)
        >>> train = pa.RecordBatch.from_pydict({"x": [2, 1], "y": ["b", "c"]})
        >>> leak = test.leaked([train])
        >>> leak.leaked, leak.conflicting, leak.first_rows
        (1, 2, (3,))
    """

    def __init__(self, hasher: Hasher, *, marks: Iterable[int] = (), keep: float = MOST_ROWS_KEPT) -> None:
        self._hasher = hasher
        self._keep = keep
        self._asked = sorted(set(marks))
        self._features: list[Hashes] = []
        self._codes: list[npt.NDArray[np.unsignedinteger[Any]]] = []
        self._known: dict[Label | None, int] = {}
        self._hashes: list[Hashes] = []
        self._classes: Counter[Label] = Counter()
        self._chain = hashlib.sha256("\x1f".join([_VERSION, *hasher.columns, hasher.target]).encode())
        self._marks: list[Mark] = []
        self._n = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the next rows.

        Raises:
            InvalidInputError: A value cannot be cast to the type the models are fed.
        """
        features, label = self._hasher.split(batch, first_row=self._n + 1)
        if self._n > self._keep:
            self._digest(paired(features, label.hashes[label.codes]))
            return
        self._classes.update(label.counts())
        codes = np.empty(len(label.values), dtype=np.int64)
        for i, value in enumerate(label.values):
            if value not in self._known:
                self._known[value] = len(self._known)
                self._hashes.append(label.hashes[i : i + 1])
            codes[i] = self._known[value]
        self._features.append(features)
        self._codes.append(codes[label.codes].astype(np.min_scalar_type(len(self._known))))
        self._digest(paired(features, label.hashes[label.codes]))
        if self._n > self._keep:
            # Of a continuous truth, every row is a class of its own.
            for kept in (self._features, self._codes, self._known, self._hashes, self._classes):
                kept.clear()

    def fingerprints(self) -> Fingerprints:
        """What was taken in so far."""
        none = np.zeros(0, dtype=np.uint64)
        return Fingerprints(
            features=np.concatenate([none, *self._features]),
            codes=np.concatenate([none.astype(np.uint8), *self._codes]),
            labels=np.concatenate([none, *self._hashes]),
            classes=dict(self._classes),
            end=self._mark(self._n),
            marks=tuple(self._marks),
            hasher=self._hasher,
        )

    def _digest(self, rows: Hashes) -> None:
        """Digest the rows in their order, stopping where a digest was asked for."""
        content, start = rows.astype("<u8").tobytes(), 0
        for n in self._asked:
            if self._n < n <= self._n + len(rows):
                end = 8 * (n - self._n)
                self._chain.update(content[start:end])
                self._marks.append(self._mark(n))
                start = end
        self._chain.update(content[start:])
        self._n += len(rows)

    def _mark(self, n: int) -> Mark:
        return Mark(n=n, digest=self._chain.hexdigest()[:DIGEST_DIGITS])


class _Known:
    """Hashes looked for, sorted, and which of them were seen."""

    def __init__(self, hashes: Hashes) -> None:
        self._sorted = distinct(hashes)
        self._seen = np.zeros(self._sorted.size, dtype=bool)

    def mark(self, hashes: Hashes) -> None:
        if not self._sorted.size:
            return
        looked_up = np.sort(hashes)  # in order, the look-ups walk through memory instead of jumping about
        at = np.minimum(np.searchsorted(self._sorted, looked_up), self._sorted.size - 1)
        self._seen[at[self._sorted[at] == looked_up]] = True

    def marked(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        return self._seen[np.searchsorted(self._sorted, hashes)]
