"""Rows by their hashes: what was trained on and is tested on, what occurs twice, and what an earlier test set held.

A row's hash depends on its values, not on how they are stored or cut into batches. Columns are first cast to the types
the models are fed, where those are given. Then numbers, booleans among them, are hashed as doubles (-0.0 as 0.0; whole
numbers from 2^53 on as they are), times as microseconds, text as UTF-8, and everything missing alike: null, NaN, and
the empty text, which CSV cannot tell from it. Labels are hashed by what they read as: 1, 1.0, "1" and True are one
class. A hash has 64 bits, so n test rows and m training rows that have nothing in common are expected to have
n·m/2^64 matches: 0.000005 for a million against a hundred million. It does not resist one who makes rows collide.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.labels import Label, LabelType, cast_label, label_order
from abtest.loaders.columns import cast_column
from abtest.loaders.datasets import DIGEST_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable

Hashes: TypeAlias = npt.NDArray[np.uint64]

_VERSION = "1"  # of the hash: what another one recorded is not compared
_MISSING = np.uint64(0x6D697373696E6721)
_STEP = np.uint64(0x9E3779B97F4A7C15)  # this and the two below: splitmix64 (Steele, Lea & Flood 2014)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_EXACT = 2.0**53  # from here on doubles skip whole numbers
_TEXT = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary())
_READ_AS: tuple[LabelType, ...] = ("int", "float", "bool")


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
        features: A hash of each row's features, shape (rows,).
        codes: Each row's label, as an index into ``labels``, shape (rows,).
        labels: A hash of each distinct label, shape (labels,).
        classes: Rows by class; rows without a label are left out.
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
    def duplicates(self) -> int:
        """Rows beyond the first of their kind, label and all."""
        return self.n - int(_distinct(self._rows()).size)

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
        """
        rows = self._rows()
        known, known_features = _Known(rows), _Known(self.features)
        classes: Counter[Label] = Counter()
        n_train = 0
        for batch in train:
            features, label = self.hasher.split(batch, first_row=n_train + 1)
            known.mark(_paired(features, label.hashes[label.codes]))
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
        return _paired(self.features, self.labels[self.codes])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hasher:
    """What of a row is hashed.

    Attributes:
        columns: The features, in an order that stays the same. An earlier test set is recognised by the same columns
            only, so name all that the data have rather than those of one model.
        target: The column with the labels.
        types: What the models are fed, by column; a column that is not in here is hashed as what it is.
    """

    columns: Sequence[str]
    target: str
    types: Mapping[str, pa.DataType]

    def split(self, batch: pa.RecordBatch, *, first_row: int = 1) -> tuple[Hashes, _Labels]:
        """Hash the features of each row, shape (rows,), and take in its labels.

        Raises:
            InvalidInputError: A value cannot be cast; rows are counted from ``first_row``.
        """
        hashes = np.full(batch.num_rows, _MISSING)
        rows = np.arange(first_row, first_row + batch.num_rows)
        for name in self.columns:
            column, kind = batch.column(name), self.types.get(name)
            _append(hashes, _words(cast_column(column, kind, name, rows) if kind is not None else column))
        return hashes, _Labels.of(batch.column(self.target))


class Fingerprinter:
    """Takes in a test set batch by batch.

    Args:
        hasher: What of a row is hashed.
        marks: Row counts at which to take a digest: those of earlier test sets that this one may extend.

    Example:
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

    def __init__(self, hasher: Hasher, *, marks: Iterable[int] = ()) -> None:
        self._hasher = hasher
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
        self._classes.update(label.counts())
        codes = np.empty(len(label.values), dtype=np.int64)
        for i, value in enumerate(label.values):
            if value not in self._known:
                self._known[value] = len(self._known)
                self._hashes.append(label.hashes[i : i + 1])
            codes[i] = self._known[value]
        self._features.append(features)
        self._codes.append(codes[label.codes].astype(np.min_scalar_type(len(self._known))))
        self._digest(_paired(features, label.hashes[label.codes]))

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
        self._sorted = _distinct(hashes)
        self._seen = np.zeros(self._sorted.size, dtype=bool)

    def mark(self, hashes: Hashes) -> None:
        if not self._sorted.size:
            return
        looked_up = np.sort(hashes)  # in order, the look-ups walk through memory instead of jumping about
        at = np.minimum(np.searchsorted(self._sorted, looked_up), self._sorted.size - 1)
        self._seen[at[self._sorted[at] == looked_up]] = True

    def marked(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        return self._seen[np.searchsorted(self._sorted, hashes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labels:
    """A batch's labels: the distinct ones, what each is hashed to, and which one each row has."""

    values: tuple[Label | None, ...]
    hashes: Hashes
    codes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.Array) -> _Labels:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        encoded = column.dictionary_encode(null_encoding="encode")
        values = tuple(_read(value) for value in encoded.dictionary.to_pylist())
        spelled = pa.array([None if value is None else str(value) for value in values], pa.string())
        return cls(values=values, hashes=_text_words(spelled), codes=encoded.indices.to_numpy().astype(np.int64))

    def counts(self) -> Counter[Label]:
        rows = np.bincount(self.codes, minlength=len(self.values)).tolist()
        found: Counter[Label] = Counter()
        for value, count in zip(self.values, rows, strict=True):
            if value is not None and count:
                found[value] += count
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassShare:
    """One class's share of the training rows and of the test rows."""

    label: Label
    train: float
    test: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorShift:
    """How differently the classes are mixed.

    Attributes:
        shares: By class, in the order of the labels.
        statistic: Pearson's chi-square.
        pvalue: Of equal mixes.
        total_variation: Half the sum of the absolute differences of shares: 0 for equal mixes, 1 for disjoint classes.
    """

    shares: tuple[ClassShare, ...]
    statistic: float
    pvalue: float
    total_variation: float


def prior_shift(train: Mapping[Label, int], test: Mapping[Label, int]) -> PriorShift:
    """Test whether training and test data mix the classes alike.

    Null:
        Both are draws from one distribution of classes.

    Assumes:
        Rows are independent, and about five of each class are expected on either side. Of many rows it rejects for a
        shift that does not matter, so read the total variation with it.

    Args:
        train: Training rows by class.
        test: Test rows by class.

    Returns:
        The shares, Pearson's chi-square with (classes - 1) degrees of freedom (0 and p = 1 for a single class), and
        the total-variation distance.

    Raises:
        NotApplicableError: A side has no labelled rows.

    References:
        Pearson (1900), Philosophical Magazine 50:157.

    Example:
        >>> shift = prior_shift({"a": 10, "b": 10, "c": 20}, {"a": 20, "b": 20, "c": 20})
        >>> round(shift.statistic, 4), round(shift.pvalue, 4), round(shift.total_variation, 4)
        (2.7778, 0.2494, 0.1667)
    """
    labels = sorted({label for side in (train, test) for label, n in side.items() if n}, key=label_order)
    counts = np.array([[side.get(label, 0) for label in labels] for side in (train, test)], dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    if not totals.all():
        what = "test" if totals[0, 0] else "training"
        raise NotApplicableError(f"There are no labelled {what} rows to compare the classes of.")
    shares = counts / totals
    expected = totals * counts.sum(axis=0) / totals.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return PriorShift(
        shares=tuple(
            ClassShare(label=label, train=ours, test=theirs)
            for label, ours, theirs in zip(labels, *shares.tolist(), strict=True)
        ),
        statistic=statistic,
        pvalue=float(special.chdtrc(len(labels) - 1, statistic)) if len(labels) > 1 else 1.0,
        total_variation=min(1.0, float(np.abs(shares[0] - shares[1]).sum()) / 2),
    )


def _read(value: Any) -> Label | None:  # noqa: ANN401 - whatever a target column holds
    """Read a label as the number it is or spells, truth values as 1 and 0, else as text; None where it is missing."""
    if value is None or value == "" or value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return None
    if not isinstance(value, bool | int | float | str):
        value = str(value)  # dates; decimals, which as whole numbers would lose their fractions
    for kind in _READ_AS:
        try:
            found = cast_label(value, kind)
            return int(found) if isinstance(found, bool) else found
        except ValueError:
            continue
    return str(value)


def _mixed(words: Hashes) -> Hashes:
    """Scramble words in place, one to one: splitmix64's finaliser."""
    words ^= words >> np.uint64(30)
    words *= _FIRST
    words ^= words >> np.uint64(27)
    words *= _SECOND
    words ^= words >> np.uint64(31)
    return words


def _append(hashes: Hashes, words: Hashes) -> Hashes:
    """Let each hash take in one word more, in place; the order of words matters."""
    hashes *= _STEP
    hashes ^= words
    return _mixed(hashes)


def _distinct(hashes: Hashes) -> Hashes:
    ordered = np.sort(hashes)  # ten times as fast as np.unique, which builds a table of them first
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def _paired(features: Hashes, labels: Hashes) -> Hashes:
    return _append(features.copy(), labels)


def _words(column: pa.Array) -> Hashes:
    """Take each value of a column as 64 bits that do not depend on how it is stored."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        missing = column.indices.is_null().to_numpy(zero_copy_only=False)
        codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        distinct = np.append(_words(column.dictionary), _MISSING)
        return distinct[np.where(missing, distinct.size - 1, codes)]
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        moment = pa.timestamp("us", tz=getattr(kind, "tz", None))
        return _number_words(pc.cast(pc.cast(column, moment, safe=False), pa.int64()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number_words(column)
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return _number_words(pc.cast(column, pa.float64(), safe=False))
    if kind in _TEXT:
        return _text_words(column)
    # Lists, structs, times of day: rare enough for a look at each.
    return _text_words(pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string()))


def _number_words(column: pa.Array) -> Hashes:
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    numbers = values.astype(np.float64) + 0.0  # -0.0 + 0.0 is 0.0
    words: Hashes = numbers.view(np.uint64)
    if values.dtype.kind == "f":
        words[np.isnan(numbers)] = _MISSING
    elif (large := np.abs(numbers) >= _EXACT).any():
        words[large] = values[large].astype(np.uint64)
    if column.null_count:
        words[column.is_null().to_numpy(zero_copy_only=False)] = _MISSING
    return words


def _text_words(column: pa.Array) -> Hashes:
    """Hash text by its bytes, eight at a time: the sum of the words scrambled with their places, and the length."""
    column = pc.cast(column, pa.large_binary()).fill_null(b"")
    _, places, content = column.buffers()
    offsets = np.frombuffer(places, dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    length, start = np.diff(offsets), int(offsets[0])
    size = int(offsets[-1]) - start
    padded = np.zeros(size + 8, dtype=np.uint8)
    if size:
        padded[:size] = np.frombuffer(content, dtype=np.uint8)[start : start + size]
    at_every_byte = np.ndarray((size + 1,), dtype="<u8", buffer=padded.data, strides=(1,))
    count = (length + 7) // 8
    end = np.cumsum(count)
    place = np.arange(int(count.sum())) - np.repeat(end - count, count)  # of a word in its text
    words = at_every_byte[np.repeat(offsets[:-1] - start, count) + 8 * place].astype(np.uint64)
    beyond = 8 - np.minimum(np.repeat(length, count) - 8 * place, 8)  # bytes that are the next text's
    words &= np.uint64(2**64 - 1) >> (8 * beyond).astype(np.uint64)
    words ^= (place + 1).astype(np.uint64) * _STEP
    sums = np.append(np.uint64(0), np.cumsum(_mixed(words)))  # modulo 2^64
    hashes = _mixed(sums[end] - sums[end - count] + length.astype(np.uint64))
    hashes[length == 0] = _MISSING
    return hashes
