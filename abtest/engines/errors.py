"""Both models' errors, tallied batch by batch: sums, blocks of rows to resample, and a sample of rows to draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.loaders.columns import labelled
from abtest.metrics.errors import Band, ErrorSums, PairedErrors, custom_losses, loss_pairs, row_columns
from abtest.metrics.regression import MOST_ERROR, RegressionOutcomes
from abtest.stats.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from abtest.loaders.datasets import Dataset

Array: TypeAlias = npt.NDArray[Any]
Codes: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Key: TypeAlias = tuple[str, str]

MOST_BLOCKS = 10_000  # of rows that come in no units: up to here each row is a block
MOST_DRAWN = 10_000  # rows of the sample
_SAMPLE = 1 << 16  # of a longer target its deciles are those of so many of its rows, within half a percent
_DECILES = np.arange(1, 10) / 10
_MOST = MOST_ERROR / 10  # numbers up to here have differences whose squares add up


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What a look at the target alone tells.

    Attributes:
        target: Its column.
        origin: Its mean: what the baseline predicts, and what sums of the truth are taken from.
        cuts: Where the bands of the truth meet, ascending, shape (bands − 1,).
        n: Rows that have one.
    """

    target: str
    origin: float
    cuts: Floats
    n: int


def first_look(data: Dataset, target: str, types: Mapping[str, pa.DataType]) -> Truth:
    """Read the target once, for its mean and its deciles; rows without one are left out.

    Args:
        data: The rows.
        target: The column that holds the truth.
        types: How a text format's columns are read.

    Raises:
        InvalidInputError: The column is not there, or a value is no number; the message has its row.
    """
    moments, read = Moments.of([]), 0
    sample = _Sample(1, _SAMPLE)
    rng = np.random.default_rng(0)
    for batch in data.batches([target], {name: kind for name, kind in types.items() if name == target}):
        column = batch.column(target)
        known = labelled(column).to_numpy(zero_copy_only=False)
        numbers = truth_numbers(target, _as_numpy(column)[known], np.flatnonzero(known) + read + 1)
        moments += Moments.of(numbers)
        sample.add(rng.random(len(column))[known], numbers[:, None])
        read += len(column)
    return Truth(target=target, origin=moments.mean, cuts=_cuts(sample.rows[:, 0]), n=moments.n)


class ErrorTally:
    """Takes in both sides' predictions of the same rows.

    Rows that come in no units are each a block, up to ``MOST_BLOCKS``. Beyond, each is put into one of so many blocks
    at random, whatever the order of the data: resampling those varies by as much, in expectation, as resampling rows.

    Args:
        truth: What a look at the target told.
        groups: The values of each segmentation by its name, in the order of their codes.
        in_units: Whether rows come in units.
        losses: Metrics of the user's own, ``module:function``.
        seed: Of the blocks, and of the sample.

    Raises:
        InvalidInputError: There is no such function.

    Example:
        >>> truth = Truth(target="price", origin=2.0, cuts=np.array([2.0]), n=3)
        >>> tally = ErrorTally(truth, {}, in_units=False)
        >>> tally.add(np.array(["1", "2", "3"]), None, np.array([1, 2, 4]), {}, np.array([1, 2, 3]))
        >>> errors = tally.errors()
        >>> [round(errors.whole.outcomes.value("mae", side), 3) for side in ("champion", "challenger")]
        [0.667, 0.333]
    """

    def __init__(
        self,
        truth: Truth,
        groups: Mapping[str, Sequence[str]],
        *,
        in_units: bool,
        losses: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self._truth = truth
        self._groups = groups
        self._in_units = in_units
        self._losses = custom_losses(losses)
        self._rng = np.random.default_rng(seed)
        self._sample = _Sample(3, MOST_DRAWN)
        self._units: dict[Hashable, int] = {}
        self._whole = self._sums()
        self._segments = {(name, value): self._sums() for name, values in groups.items() for value in values}
        self._bands = [self._sums() for _ in range(len(truth.cuts) + 1)]

    def add(  # noqa: PLR0917 - the columns of a batch
        self,
        y_true: Array,
        champion: Array | None,
        challenger: Array,
        codes: Mapping[str, Codes],
        rows: Codes,
        units: Array | None = None,
    ) -> None:
        """Take in one batch; arrays are of shape (rows,).

        Args:
            y_true: The truth: numbers, or text that reads as numbers.
            champion: The champion's predictions, likewise; None for the baseline, which predicts the mean of the truth.
            challenger: The challenger's.
            codes: By segmentation, the index of each row's value.
            rows: The rows' numbers in the data, for messages.
            units: What each row belongs to, where rows come in units.

        Raises:
            InvalidInputError: A value is no finite number, a row has no unit, or a loss fails.
        """
        y = truth_numbers(self._truth.target, y_true, rows)
        first = (
            np.full(y.shape, self._truth.origin) if champion is None else predicted_numbers("champion", champion, rows)
        )
        second = predicted_numbers("challenger", challenger, rows)
        lots = self._rng.random((len(y), 2))  # row by row: the same however batches are cut
        blocks = (lots[:, 0] * MOST_BLOCKS).astype(np.int64)
        if self._in_units:
            blocks = self._numbered(units, len(y))
        losses = loss_pairs(self._losses, y, first, second)
        columns = row_columns(y, first, second, origin=self._truth.origin, losses=losses)
        batch = _Batch(sides=(y, first, second), losses=losses, columns=columns, blocks=blocks)
        self._whole.add(batch, None)
        for name, own in codes.items():
            for code in np.unique(own).tolist():
                self._segments[name, self._groups[name][code]].add(batch, own == code)
        bands = np.searchsorted(self._truth.cuts, y, side="right")
        for band in np.unique(bands).tolist():
            self._bands[band].add(batch, bands == band)
        self._sample.add(lots[:, 1], np.column_stack([y, first, second]))

    def errors(self) -> PairedErrors:
        """What was taken in; segments and bands without a row are left out."""
        edges = [None, *self._truth.cuts.tolist(), None]
        return PairedErrors(
            whole=self._whole.errors(),
            segments={key: sums.errors() for key, sums in self._segments.items() if sums.n},
            bands=tuple(
                Band(lower=edges[i], upper=edges[i + 1], errors=sums.errors())
                for i, sums in enumerate(self._bands)
                if sums.n
            ),
            sample=self._sample.rows,
            in_units=self._in_units,
            losses=self._losses,
        )

    def _sums(self) -> _Sums:
        return _Sums(in_units=self._in_units, losses=[loss.name for loss in self._losses])

    def _numbered(self, units: Array | None, n: int) -> Codes:
        """Number units as they come."""
        if units is None or units.shape != (n,):
            got = "none" if units is None else f"shape {units.shape}"
            raise InvalidInputError(f"unit must be a column as long as the truth, got {got}.")
        named = units.tolist()
        missing = sum(unit is None or unit != unit for unit in named)  # noqa: PLR0124 - NaN is what differs from itself
        if missing:
            raise InvalidInputError(
                f"unit must be there in every row, got {wording.plural(missing, 'row')} without one.",
                hint="fill the column, or leave such rows out.",
            )
        known = self._units
        return np.fromiter((known.setdefault(unit, len(known)) for unit in named), np.int64, n)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Batch:
    """Rows of one batch, of which any part can be added up.

    Attributes:
        sides: Truth, champion's and challenger's predictions, each of shape (rows,).
        losses: Of the user's own, by name, both sides'.
        columns: The rows in the columns of blocks, shape (rows, columns).
        blocks: The block of each row, shape (rows,).
    """

    sides: tuple[Floats, Floats, Floats]
    losses: Mapping[str, tuple[Floats, Floats]]
    columns: Floats
    blocks: Codes

    def outcomes(self, those: npt.NDArray[np.bool_] | slice) -> RegressionOutcomes:
        y, first, second = (column[those] for column in self.sides)
        losses = {name: (pair[0][those], pair[1][those]) for name, pair in self.losses.items()}
        return RegressionOutcomes.of(y, first, second, losses)


class _Sums:
    """Sums of some rows, and their blocks."""

    def __init__(self, *, in_units: bool, losses: Sequence[str]) -> None:
        nothing = np.zeros(0)
        none = dict.fromkeys(losses, (nothing, nothing))
        self._outcomes = RegressionOutcomes.of(nothing, nothing, nothing, none)
        self._in_units = in_units
        self._keys = np.zeros(0, dtype=np.int64)
        self._blocks = row_columns(nothing, nothing, nothing, losses=none)
        self._waiting: list[tuple[Codes, Floats]] = []
        self._held = 0

    @property
    def n(self) -> int:
        return self._outcomes.n

    def add(self, batch: _Batch, those: npt.NDArray[np.bool_] | None) -> None:
        chosen = slice(None) if those is None else those
        self._outcomes += batch.outcomes(chosen)
        self._waiting.append((batch.blocks[chosen], batch.columns[chosen]))
        self._held += len(self._waiting[-1][0])
        if self._held > max(MOST_BLOCKS, len(self._blocks)):  # else each batch would sort all
            self._settle()

    def errors(self) -> ErrorSums:
        self._settle()
        return ErrorSums(outcomes=self._outcomes, blocks=self._blocks)

    def _settle(self) -> None:
        """Join what waits with the rest; where blocks are of many rows, add them up by block."""
        keys, blocks = zip((self._keys, self._blocks), *self._waiting, strict=True)
        self._keys, self._blocks = np.concatenate(keys), np.concatenate(blocks)
        self._waiting, self._held = [], 0
        if self._in_units or self.n > MOST_BLOCKS:
            self._keys, self._blocks = _summed(self._keys, self._blocks)


class _Sample:
    """The rows of the smallest random keys: a sample of all rows seen, wherever the batches were cut."""

    def __init__(self, columns: int, most: int) -> None:
        self._keys, self.rows = np.zeros(0), np.zeros((0, columns))
        self._most = most

    def add(self, keys: Floats, rows: Floats) -> None:
        self._keys, self.rows = np.concatenate([self._keys, keys]), np.concatenate([self.rows, rows])
        if len(self._keys) > self._most:
            kept = np.sort(np.argpartition(self._keys, self._most)[: self._most])  # in the order of the data
            self._keys, self.rows = self._keys[kept], self.rows[kept]


def _summed(keys: Codes, rows: Floats) -> tuple[Codes, Floats]:
    """Add up the rows of equal keys; keys ascend."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    start = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    return keys[start], np.add.reduceat(rows[order], start, axis=0) if len(keys) else rows


def _cuts(numbers: Floats) -> Floats:
    """Deciles above the least number; where nine tenths are the least, what is next to it; nowhere if all are."""
    if not numbers.size:
        return numbers
    above = numbers[numbers > numbers.min()]
    cuts = np.unique(np.quantile(numbers, _DECILES, method="inverted_cdf"))
    cuts = cuts[cuts > numbers.min()]
    return cuts if cuts.size else np.unique(above)[:1]


def _as_numpy(column: pa.Array) -> Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return np.asarray(column.to_numpy(zero_copy_only=False))


def truth_numbers(target: str, values: Array, rows: Codes) -> Floats:
    """Read the truth of some rows as numbers, shape (rows,).

    Raises:
        InvalidInputError: One is no number, or too large; the message has its row.
    """
    return _numbers(
        values,
        rows,
        lambda rule, got, row: f"Target '{target}' must be {rule}, got {got} in row {row}.",
        hint="mend it, or leave the row out; --task classification compares classes.",
    )


def predicted_numbers(side: str, values: Array, rows: Codes) -> Floats:
    """Read the predictions of some rows as numbers, shape (rows,); ``side`` predicted them.

    Raises:
        InvalidInputError: One is no number, or too large, or there are more or fewer than rows.
    """
    if values.shape != rows.shape:
        raise InvalidInputError(
            f"The {side} must predict one number a row, got shape {values.shape} for "
            f"{wording.plural(len(rows), 'row')}.",
            hint="log a model of one output.",
        )
    return _numbers(
        values,
        rows,
        lambda rule, got, row: f"The {side} predicts {got} in row {row}; a regression needs {rule}.",
        hint="mend the model; --task classification compares classes.",
    )


def _numbers(values: Array, rows: Codes, complain: Callable[[str, str, str], str], *, hint: str) -> Floats:
    """Read numbers, or text that holds them; the first that is none, or too large, is named with its row."""
    numbers = _as_floats(values)
    if numbers is None:
        at = next((i for i, value in enumerate(values) if not _reads(value)), 0)
        got = repr(str(values[at])) if isinstance(values[at], str) else str(values[at])
        raise InvalidInputError(complain("a number", got, _row(rows, at)), hint=hint)
    wrong = np.flatnonzero(~(np.abs(numbers) <= _MOST))  # NaN too
    if wrong.size:
        number = float(numbers[wrong[0]])
        rule = f"a number of at most {_MOST:g} in size" if math.isfinite(number) else "a finite number"
        raise InvalidInputError(complain(rule, f"{number:g}", _row(rows, int(wrong[0]))), hint=hint)
    return numbers


def _as_floats(values: Array) -> Floats | None:
    if values.dtype.kind not in "iufOUST":  # NumPy would take times and booleans for numbers
        return None
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _reads(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type] # whether it does is the question
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _row(rows: Codes, at: int) -> str:
    return wording.whole(int(rows[at]))
