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
    from collections.abc import Iterator, Sequence

    from abtest.loaders.datasets import Dataset

MISSING = "(missing)"
_CROSS = "*"
_QUARTILES = (0.25, 0.5, 0.75)
_NUMBERS_KEPT = 8  # a number of at most so many values (a year, a rating) is not cut
_MOST_VALUES = 200
_SAMPLE = 1 << 16  # of a longer column its quartiles are those of so many of its rows, within half a percent
Codes: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Column:
    """The values of one column: told apart as text, or by cuts between numbers. The last may be ``MISSING``."""

    name: str
    values: tuple[str, ...]
    cuts: npt.NDArray[np.float64] | None

    def codes(self, column: pa.Array) -> Codes:
        """Find each row's value, as an index into ``values``; shape (rows,)."""
        if self.cuts is not None:
            numbers = _numbers(column)
            if numbers is None:  # the first pass has read every row, so the data changed since
                raise InvalidInputError(f"Column '{self.name}' held numbers a moment ago, and now it does not.")
            found = np.searchsorted(self.cuts, numbers, side="right")
            return np.asarray(np.where(np.isnan(numbers), len(self.values) - 1, found), dtype=np.int64)
        index = {value: code for code, value in enumerate(self.values)}
        encoded = pc.dictionary_encode(_nullable(column))
        known = np.array([index[value] for value in _texts(encoded.dictionary)] + [index.get(MISSING, -1)])
        codes = encoded.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
        return np.asarray(known[codes], dtype=np.int64)


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
        return {name: self._crossed([*_parts(name, own)], own) for name in self.groups}

    def _crossed(self, parts: Sequence[str], own: Mapping[str, Codes]) -> Codes:
        codes = own[parts[0]]
        for part in parts[1:]:
            codes = codes * len(self.columns[part].values) + own[part]
        return codes


NO_SEGMENTS = Segmentation(groups={}, columns={})


def columns_of(names: Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    """The columns that segmentations need: ``region*device`` needs two, unless one is called so."""
    return tuple(dict.fromkeys(part for name in names for part in _parts(name, available)))


def check_columns(data: Dataset, names: Sequence[str], target: str | None) -> tuple[str, ...]:
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
        types: How a text format's columns are read, where it is not as text.

    Raises:
        InvalidInputError: A column is not there, or is the target; or there are too many values for segments.
    """
    columns = check_columns(data, names, target)
    if not columns:
        return NO_SEGMENTS
    kinds = {column: (types or {}).get(column, pa.string()) for column in columns} if data.is_text else {}
    looks = {column: _Look(column) for column in columns}
    for batch in data.batches(list(columns), kinds):
        for column, look in looks.items():
            look.add(batch.column(column))
    found = {column: look.column() for column, look in looks.items()}
    values = {name: _crossings([found[part].values for part in _parts(name, columns)]) for name in names}
    for name, own in values.items():
        if len(own) > _MOST_VALUES:
            raise _too_many(name, len(own))
    return Segmentation(groups=values, columns=found)


class _Look:
    """One column's values, gathered batch by batch: all of them as text, or numbers of which a sample is kept."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._texts: dict[str, None] = {}  # in the order of their coming
        self._distinct: set[float] = set()
        self._numeric, self._missing = True, False
        self._sample = np.empty((2, 0))  # random keys, and the numbers that got them
        self._rng = np.random.default_rng(0)

    def add(self, column: pa.Array) -> None:
        column = _nullable(column)
        self._missing |= column.null_count > 0
        distinct = pc.unique(column).drop_null()
        if len(self._texts) <= _MOST_VALUES:
            self._texts |= dict.fromkeys(_texts(distinct))
            self._missing |= MISSING in self._texts
        if self._numeric:
            self._add_numbers(column)
        if not self._numeric and len(self._texts) > _MOST_VALUES:
            raise _too_many(self.name, len(self._texts))

    def _add_numbers(self, column: pa.Array) -> None:
        numbers = _numbers(column)
        if numbers is None:
            self._numeric = False
            return
        absent = np.isnan(numbers)
        self._missing |= bool(absent.any())
        numbers = numbers[~absent]
        if len(self._distinct) <= _NUMBERS_KEPT:
            self._distinct.update(np.unique(numbers).tolist())
        keyed = np.concatenate([self._sample, [self._rng.random(len(numbers)), numbers]], axis=1)
        # The rows of the smallest random keys are a sample of all rows seen, wherever the batches were cut.
        if keyed.shape[1] > _SAMPLE:
            keyed = keyed[:, np.argpartition(keyed[0], _SAMPLE)[:_SAMPLE]]
        self._sample = keyed

    def column(self) -> _Column:
        missing = (MISSING,) if self._missing else ()
        if self._numeric and len(self._distinct) > _NUMBERS_KEPT:
            cuts = np.unique(np.quantile(self._sample[1], _QUARTILES, method="inverted_cdf"))
            cuts = cuts[cuts > self._sample[1].min()]
            if len(cuts):
                return _Column(name=self.name, values=(*_ranges(cuts.tolist()), *missing), cuts=cuts)
        kept = sorted((text for text in self._texts if text != MISSING), key=float if self._numeric else None)
        if len(kept) > _MOST_VALUES:
            raise _too_many(self.name, len(kept))
        return _Column(name=self.name, values=(*kept, *missing), cuts=None)


def _parts(name: str, columns: Sequence[str] | Mapping[str, Any]) -> Iterator[str]:
    if name in columns:
        yield name
    else:
        yield from dict.fromkeys(part.strip() for part in name.split(_CROSS))


def _nullable(column: pa.Array) -> pa.Array:
    """Let NaN be missing, and a dictionary be its values."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), None, column)
    return column


def _numbers(column: pa.Array) -> npt.NDArray[np.float64] | None:
    """The column as numbers, NaN where missing; None if it holds anything else."""
    column, kind = _nullable(column), column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            column = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            return None
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        return None
    numbers = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)


def _texts(values: pa.Array) -> list[str]:
    """Write values as a reader would: 1.0 is 1, and a boolean is true or false."""
    return [_text(value) for value in values.to_pylist()]


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a column holds
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.12g}"
    return str(value)


def _ranges(cuts: Sequence[float]) -> Iterator[str]:
    written = [f"{cut:g}" for cut in cuts]
    if len(set(written)) < len(written):
        written = [repr(cut) for cut in cuts]  # cuts that six digits do not tell apart
    yield f"below {written[0]}"
    for low, high in itertools.pairwise(written):
        yield f"{low} to below {high}"
    yield f"{written[-1]} and above"


def _crossings(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    crossed: list[str] = [""]
    for i, values in enumerate(parts):
        crossed = [f"{left} × {value}" if i else value for left in crossed for value in values]
    return tuple(crossed)


def _too_many(name: str, count: int) -> InvalidInputError:
    return InvalidInputError(
        f"segments must be a few groups of rows, and '{name}' has {'more than ' if count > _MOST_VALUES else ''}"
        f"{min(count, _MOST_VALUES)} values.",
        hint="name a column of fewer values, or group them in one.",
    )
