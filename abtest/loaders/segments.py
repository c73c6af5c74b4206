"""Segments: named subsets of rows, fixed before anything is compared on them.

A segmentation is a column, or columns crossed (``region*device``). A first pass over those columns alone finds their
values; numbers of many values are cut at their quartiles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from abtest.loaders.datasets import Dataset, Named

MISSING = "(missing)"
_CROSS = "*"
_QUARTERS = (1, 2, 3)
_NUMBERS_KEPT = 8  # a number of at most so many values (a year, a rating) is not cut
_MOST_VALUES = 200
_SAMPLE = 1 << 16  # of more numbers than these the quartiles are those of so many rows, within half a percent
Codes: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Column:
    """The values of one column: told apart as text, or by cuts between numbers. The last may be ``MISSING``."""

    name: str
    values: tuple[str, ...]
    numeric: bool
    cuts: npt.NDArray[np.float64] | None

    def codes(self, column: pa.Array) -> Codes:
        """Find each row's value, as an index into ``values``; shape (rows,)."""
        column = nullable(column)
        codes = self._named(column) if self.cuts is None else self._cut(column, self.cuts)
        if len(codes) and codes.min() < 0:  # the first pass has read every row
            raise InvalidInputError(f"Column '{self.name}' changed while it was read.", hint="run it again.")
        return codes

    def _named(self, column: pa.Array) -> Codes:
        index = {value: code for code, value in enumerate(self.values)}
        encoded = pc.dictionary_encode(column)
        texts = spellings(encoded.dictionary)
        spelled = [_number(text) for text in texts] if self.numeric else texts
        known = np.array([index.get(value, -1) for value in (*spelled, MISSING)], dtype=np.int64)
        found: Codes = known[encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]
        return found

    def _cut(self, column: pa.Array, cuts: npt.NDArray[np.float64]) -> Codes:
        numbers = _numbers(column)
        if numbers is None:
            return np.full(len(column), -1, dtype=np.int64)
        missing = len(self.values) - 1 if self.values[-1] == MISSING else -1
        return np.where(np.isnan(numbers), missing, np.searchsorted(cuts, numbers, side="right")).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Every way in which rows are told apart.

    Attributes:
        groups: The values of each segmentation by its name, in order.
        columns: The columns that hold them.
    """

    groups: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, _Column]

    def codes(self, batch: pa.RecordBatch) -> dict[str, Codes]:
        """Find each row's value under every segmentation, as indexes into ``groups``; shape (rows,) each."""
        own = {name: column.codes(batch.column(name)) for name, column in self.columns.items()}
        return {name: self._crossed([*parts_of(name, own)], own) for name in self.groups}

    def cuts(self) -> dict[str, list[float] | None]:
        """Between which numbers each column is cut; None where it is told apart by its values."""
        return {name: None if it.cuts is None else it.cuts.tolist() for name, it in self.columns.items()}

    def _crossed(self, parts: Sequence[str], own: Mapping[str, Codes]) -> Codes:
        codes = own[parts[0]]
        for part in parts[1:]:
            codes = codes * len(self.columns[part].values) + own[part]
        return codes


NO_SEGMENTS = Segmentation(groups={}, columns={})


def columns_of(names: Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    """The columns that segmentations need: ``region*device`` needs two, unless one is called so."""
    return tuple(dict.fromkeys(part for name in names for part in parts_of(name, available)))


def check_columns(data: Named, names: Sequence[str], target: str | None) -> tuple[str, ...]:
    """Give the columns that segmentations need, all of which the data have.

    Raises:
        InvalidInputError: A column is not there, or is the target.
    """
    columns = columns_of(names, data.columns)
    for column in columns:
        if column not in data.columns:
            raise data.missing(column, "segment column")
        if column == target:
            raise InvalidInputError(
                f"segments must not be the target '{target}'.", hint="the report has every class of the truth anyway."
            )
    return columns


def find_segments(
    data: Dataset, names: Sequence[str], *, target: str, types: Mapping[str, pa.DataType] | None = None
) -> Segmentation:
    """Read the columns of the segmentations once, to find their values.

    Args:
        data: The rows.
        names: Columns, or columns joined by ``*``.
        target: The column with the truth, which is no segment.
        types: How a text format's columns are read; as text, unless told.

    Raises:
        InvalidInputError: A column is not there, or is the target; or there are too many values for segments.
    """
    columns = check_columns(data, names, target)
    if not columns:
        return NO_SEGMENTS
    if types is None:
        types = dict.fromkeys(columns, pa.string())
    kinds = {column: types[column] for column in columns if column in types}
    return told_apart(names, columns, data.batches(list(columns), kinds))


def told_apart(
    names: Sequence[str],
    columns: Sequence[str],
    batches: Iterable[pa.RecordBatch],
    *,
    counts: npt.NDArray[np.int64] | None = None,
) -> Segmentation:
    """Find the values of segmentations in rows at hand.

    Args:
        names: Columns, or columns joined by ``*``.
        columns: The columns that they need.
        batches: Rows with these columns.
        counts: How many rows each row of the one batch stands for, where others have counted before.

    Raises:
        InvalidInputError: There are too many values for segments.
    """
    looks = {column: _Look(column, sampled=counts is None) for column in columns}
    for batch in batches:
        for column, look in looks.items():
            look.add(batch.column(column), counts)
    return crossed(names, {column: look.column() for column, look in looks.items()})


def crossed(names: Sequence[str], found: Mapping[str, _Column]) -> Segmentation:
    """Cross the columns of each segmentation.

    Raises:
        InvalidInputError: There are too many values for segments.
    """
    groups = {}
    for name in names:
        parts = [found[part].values for part in parts_of(name, found)]
        if math.prod(map(len, parts)) > _MOST_VALUES:
            raise _too_many(name)
        groups[name] = tuple(" × ".join(values) for values in itertools.product(*parts))
    return Segmentation(groups=groups, columns=found)


class _Look:
    """One column's values, gathered batch by batch: all of them as text, or numbers, of which a sample is kept."""

    def __init__(self, name: str, *, sampled: bool) -> None:
        self.name = name
        self._sampled = sampled
        self._texts: dict[str, None] = {}  # in the order of their coming
        self._numbers = np.empty(0)  # distinct ones, ascending, and how many rows have each; up to ``_SAMPLE``
        self._counts = np.empty(0, dtype=np.int64)
        self._numeric, self._missing = True, False
        self._sample = np.empty((2, 0))  # random keys, and the numbers that got them
        self._rng = np.random.default_rng(0)

    def add(self, column: pa.Array, counts: npt.NDArray[np.int64] | None) -> None:
        column = nullable(column)
        self._missing |= column.null_count > 0
        try:
            distinct = pc.unique(column).drop_null()
        except pa.ArrowNotImplementedError:
            raise InvalidInputError(
                f"segments must tell rows apart by text or numbers, and '{self.name}' is of type {column.type}.",
                hint="map it to text.",
            ) from None
        if len(self._texts) <= _MOST_VALUES:
            self._texts |= dict.fromkeys(spellings(distinct))
            self._missing |= MISSING in self._texts
        if self._numeric:
            self._add_numbers(column, counts)
        if not self._numeric and len(self._texts) > _MOST_VALUES:
            raise _too_many(self.name)

    def _add_numbers(self, column: pa.Array, counts: npt.NDArray[np.int64] | None) -> None:
        numbers = _numbers(column)
        if numbers is None:
            self._numeric = False
            return
        known = ~np.isnan(numbers)
        numbers = numbers[known]
        if len(self._numbers) <= _SAMPLE:
            self._count(numbers, np.ones(len(numbers), dtype=np.int64) if counts is None else counts[known])
        if not self._sampled:
            if len(self._numbers) > _SAMPLE:
                raise InvalidInputError(
                    f"segments: '{self.name}' has more than {_SAMPLE:,} different numbers, of which a file's quartiles "
                    "would be those of a sample.",
                    hint="cut them into ranges in a query.",
                )
            return
        keyed = np.concatenate([self._sample, [self._rng.random(len(numbers)), numbers]], axis=1)
        # The rows of the smallest random keys are a sample of all rows seen, wherever the batches were cut.
        if keyed.shape[1] > _SAMPLE:
            keyed = keyed[:, np.argpartition(keyed[0], _SAMPLE)[:_SAMPLE]]
        self._sample = keyed

    def _count(self, numbers: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> None:
        """Add rows to those that have the same number."""
        both = np.concatenate([self._numbers, numbers])
        self._numbers, at = np.unique(both, return_inverse=True)
        total = np.zeros(len(self._numbers), dtype=np.int64)
        np.add.at(total, at, np.concatenate([self._counts, counts]))
        self._counts = total

    def column(self) -> _Column:
        missing = (MISSING,) if self._missing else ()
        if self._numeric and len(self._numbers) > _NUMBERS_KEPT:
            if len(self._numbers) > _SAMPLE:
                cuts = _quartiles(*np.unique(self._sample[1], return_counts=True))
            else:
                cuts = _quartiles(self._numbers, self._counts)
            if len(cuts):
                values = (*_ranges(cuts.tolist()), *missing)
                return _Column(name=self.name, values=values, numeric=True, cuts=cuts)
        kept = sorted({_number(text) for text in self._texts}, key=float) if self._numeric else sorted(self._texts)
        if len(kept) > _MOST_VALUES:
            raise _too_many(self.name)
        values = (*(value for value in kept if value != MISSING), *missing)
        return _Column(name=self.name, values=values, numeric=self._numeric, cuts=None)


def parts_of(name: str, columns: Sequence[str] | Mapping[str, Any]) -> Iterator[str]:
    """The columns that one segmentation crosses: itself, or those between ``*``."""
    if name in columns:
        yield name
    else:
        yield from dict.fromkeys(part.strip() for part in name.split(_CROSS))


def nullable(column: pa.Array) -> pa.Array:
    """Let NaN be missing, as a text format has it, and a dictionary be its values."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return pc.cast(column, pa.string())  # else the one value of its dictionary is None
    if pa.types.is_float16(column.type):
        column = pc.cast(column, pa.float32())  # Arrow finds no distinct values of half floats
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), None, column)
    if _is_text(column.type):
        return pc.if_else(pc.is_in(column, value_set=pa.array(["nan", "NaN"], column.type)), None, column)
    return column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(column: pa.Array) -> npt.NDArray[np.float64] | None:
    """The column as numbers, NaN where missing; None if it holds anything else: 007 is a name."""
    kind = column.type
    if _is_text(kind):
        if pc.any(pc.match_substring_regex(column, r"^[-+]?0\d")).as_py():
            return None
        try:
            column = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            return None
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return None
    numbers = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)


def spellings(values: pa.Array) -> list[str]:
    """Write values as a reader would, whatever format they come from: 1.0 is 1, and a boolean is true or false."""
    digits = 7 if pa.types.is_float32(values.type) else 12
    return [_text(value, digits) for value in values.to_pylist()]


def _text(value: Any, digits: int = 12) -> str:  # noqa: ANN401 - whatever a column holds
    if isinstance(value, float):
        is_whole = value.is_integer() and abs(value) < 1e18
        return str(int(value)) if is_whole else f"{value:.{digits}g}"
    text = str(value)
    return text.lower() if text.lower() in ("true", "false") else text


def _number(text: str) -> str:
    """Write a number that came as text: 1.50 is 1.5."""
    try:
        return str(int(text))
    except ValueError:
        return _text(float(text))


def _quartiles(numbers: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Where to cut distinct numbers, that so many rows have; above the least, where three quarters have it."""
    rows = np.cumsum(counts)
    wanted = [
        -(-quarter * int(rows[-1]) // 4) for quarter in _QUARTERS
    ]  # rounded up: the inverse of their distribution
    cuts = np.unique(numbers[np.searchsorted(rows, wanted)])
    cuts = cuts[cuts > numbers[0]]
    return cuts if len(cuts) else numbers[1:2]


def _ranges(cuts: Sequence[float]) -> Iterator[str]:
    written = [_text(cut, 6 if abs(cut) < 1e5 else 12) for cut in cuts]
    if len(set(written)) < len(written):
        written = [repr(cut) for cut in cuts]  # cuts that six digits do not tell apart
    yield f"below {written[0]}"
    for low, high in itertools.pairwise(written):
        yield f"{low} to below {high}"
    yield f"{written[-1]} and above"


def _too_many(name: str) -> InvalidInputError:
    return InvalidInputError(
        f"segments must be a few groups of rows, and '{name}' has more than {_MOST_VALUES} values.",
        hint="name a column of fewer values, or group them in one.",
    )
