"""A row's hash, which depends on its values and not on how they are stored or cut into batches.

Columns are first cast to the types the models are fed, where those are given. Then numbers, booleans among them, are
hashed as doubles (-0.0 as 0.0; whole numbers from 2^53 on as they are), times as microseconds, text as UTF-8, and
everything missing alike: null, NaN, and the empty text, which CSV cannot tell from it. Labels are hashed by what they
read as: 1, 1.0, "1" and True are one class. A hash has 64 bits, so n rows and m others that have nothing in common are
expected to have n·m/2^64 matches: 0.000005 for a million against a hundred million. It does not resist one who makes
rows collide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from abtest.labels import Label, LabelType, cast_label
from abtest.loaders.columns import cast_column

Hashes: TypeAlias = npt.NDArray[np.uint64]

MISSING = np.uint64(0x6D697373696E6721)
_STEP = np.uint64(0x9E3779B97F4A7C15)  # this and the two below: splitmix64 (Steele, Lea & Flood 2014)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_EXACT = 2.0**53  # from here on doubles skip whole numbers
_TEXT = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary())
_READ_AS: tuple[LabelType, ...] = ("int", "float", "bool")


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

    def split(self, batch: pa.RecordBatch, *, first_row: int = 1) -> tuple[Hashes, Labels]:
        """Hash the features of each row, shape (rows,), and take in its labels.

        Raises:
            InvalidInputError: A value cannot be cast; rows are counted from ``first_row``.
        """
        hashes = np.full(batch.num_rows, MISSING)
        rows = np.arange(first_row, first_row + batch.num_rows)
        for name in self.columns:
            column, kind = batch.column(name), self.types.get(name)
            append(hashes, words_of(cast_column(column, kind, name, rows) if kind is not None else column))
        return hashes, Labels.of(batch.column(self.target))


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """A batch's labels: the distinct ones, what each is hashed to, and which one each row has."""

    values: tuple[Label | None, ...]
    hashes: Hashes
    codes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, column: pa.Array) -> Labels:
        """Take in a column of labels."""
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        encoded = column.dictionary_encode(null_encoding="encode")
        values = tuple(read_label(value) for value in encoded.dictionary.to_pylist())
        spelled = pa.array([None if value is None else str(value) for value in values], pa.string())
        return cls(values=values, hashes=_text_words(spelled), codes=encoded.indices.to_numpy().astype(np.int64))

    def counts(self) -> Counter[Label]:
        """Rows by label; those without one are left out."""
        rows = np.bincount(self.codes, minlength=len(self.values)).tolist()
        found: Counter[Label] = Counter()
        for value, count in zip(self.values, rows, strict=True):
            if value is not None and count:
                found[value] += count
        return found


def read_label(value: Any) -> Label | None:  # noqa: ANN401 - whatever a target column holds
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


def append(hashes: Hashes, words: Hashes) -> Hashes:
    """Let each hash take in one word more, in place; the order of words matters."""
    hashes *= _STEP
    hashes ^= words
    return _mixed(hashes)


def distinct(hashes: Hashes) -> Hashes:
    """The distinct ones, ascending."""
    ordered = np.sort(hashes)  # ten times as fast as np.unique, which builds a table of them first
    return np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])


def paired(features: Hashes, labels: Hashes) -> Hashes:
    """Hash each row whole: its features, and its label."""
    return append(features.copy(), labels)


def words_of(column: pa.Array) -> Hashes:
    """Take each value of a column as 64 bits that do not depend on how it is stored."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        missing = column.indices.is_null().to_numpy(zero_copy_only=False)
        codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        distinct = np.append(words_of(column.dictionary), MISSING)
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
    values = (column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False)
    numbers = np.add(values, 0.0, dtype=np.float64)  # -0.0 + 0.0 is 0.0
    words: Hashes = numbers.view(np.uint64)
    if values.dtype.kind == "f":
        words[np.isnan(numbers)] = MISSING
    elif (large := np.abs(numbers) >= _EXACT).any():
        words[large] = values[large].astype(np.uint64)
    if column.null_count:
        words[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
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
    hashes[length == 0] = MISSING
    return hashes
