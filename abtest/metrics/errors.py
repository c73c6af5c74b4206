"""Errors of both sides on the same rows: their sums, and the sums of blocks of rows that are resampled together.

Resampling blocks draws weights over them, and every metric is a function of weighted sums: one matrix product gives it
for all draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.metrics.custom import CustomLoss, custom_loss
from abtest.metrics.regression import METRICS, RegressionOutcomes, UnitSums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abtest.labels import Side

Floats: TypeAlias = npt.NDArray[np.float64]
Key: TypeAlias = tuple[str, str]

_PAIRS = ("errors", "absolute", "squared")  # and then losses of the user's own, two columns each
_SHARED = 3  # columns before them: rows, truth and its square
_PAIR_OF = {"bias": 0, "mae": 1, "rmse": 2, "r2": 2}
_CONSTANT = 1e-12  # a truth's spread below this share of its squares is what rounding leaves


def custom_losses(names: Iterable[str]) -> tuple[CustomLoss, ...]:
    """Import those of these metrics that are the user's own.

    Raises:
        InvalidInputError: There is no such function.
    """
    return tuple(custom_loss(name) for name in dict.fromkeys(names) if name not in METRICS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorSums:
    """Errors of some rows.

    Attributes:
        outcomes: Their sums.
        blocks: Sums of rows that are resampled together, shape (blocks, columns). The columns are the rows' number,
            the truth less a fixed origin, its square, and then of the champion and of the challenger in turn the
            errors, their sizes, their squares, and each loss of the user's own.
    """

    outcomes: RegressionOutcomes
    blocks: Floats

    @property
    def units(self) -> UnitSums:
        """The blocks' losses, where a block is a unit."""
        names = (*_PAIRS, *self.outcomes.losses)
        pairs = {name: self.blocks[:, _SHARED + 2 * i : _SHARED + 2 * i + 2] for i, name in enumerate(names)}
        return UnitSums(rows=self.blocks[:, 0], losses=pairs)

    def swapped(self) -> ErrorSums:
        """Let the sides change places."""
        return ErrorSums(outcomes=self.outcomes.swapped(), blocks=swapped_columns(self.blocks))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """Errors of the rows whose truth lies in one range.

    Attributes:
        lower: Least truth of the range; None for the first.
        upper: The truth it ends before; None for the last.
        errors: Of its rows.
    """

    lower: float | None
    upper: float | None
    errors: ErrorSums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedErrors:
    """Both sides' errors on the same rows.

    Attributes:
        whole: Of all rows.
        segments: Of each segment's rows, by its name and value.
        bands: By the size of the truth, from the least.
        sample: Truth, champion's and challenger's predictions of rows drawn at random, shape (rows, 3).
        in_units: Whether rows come in units; a block is then a unit.
        losses: Losses of the user's own, in the order of the columns.
    """

    whole: ErrorSums
    segments: Mapping[Key, ErrorSums] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    sample: Floats
    in_units: bool = False
    losses: tuple[CustomLoss, ...] = ()

    @property
    def n(self) -> int:
        """Rows."""
        return self.whole.outcomes.n

    def swapped(self) -> PairedErrors:
        """Let the sides change places."""
        return PairedErrors(
            whole=self.whole.swapped(),
            segments={key: errors.swapped() for key, errors in self.segments.items()},
            bands=tuple(Band(lower=band.lower, upper=band.upper, errors=band.errors.swapped()) for band in self.bands),
            sample=self.sample[:, [0, 2, 1]],
            in_units=self.in_units,
            losses=self.losses,
        )


def loss_pairs(
    losses: Sequence[CustomLoss], y_true: Floats, champion: Floats, challenger: Floats
) -> dict[str, tuple[Floats, Floats]]:
    """Each loss of the user's own, by name: the champion's by row, and the challenger's."""
    return {loss.name: (loss.rows(y_true, champion), loss.rows(y_true, challenger)) for loss in losses}


def row_columns(
    y_true: Floats,
    champion: Floats,
    challenger: Floats,
    *,
    origin: float = 0.0,
    losses: Mapping[str, tuple[Floats, Floats]] | None = None,
) -> Floats:
    """Lay rows out in the columns of blocks, each row a block of its own, shape (rows, columns).

    The origin keeps R² exact: squares of a truth far from 0 would cancel when its mean is taken off.

    Example:
        >>> row_columns(np.array([3.0]), np.array([5.0]), np.array([2.5]), origin=2.0).tolist()
        [[1.0, 1.0, 1.0, 2.0, -0.5, 2.0, 0.5, 4.0, 0.25]]
    """
    centred, errors = y_true - origin, [champion - y_true, challenger - y_true]
    pairs = [*errors, *map(np.abs, errors), *map(np.square, errors)]
    own = [column for pair in (losses or {}).values() for column in pair]
    return np.column_stack([np.ones_like(y_true), centred, np.square(centred), *pairs, *own])


def swapped_columns(blocks: Floats) -> Floats:
    """The same blocks with the sides' columns exchanged."""
    order = np.arange(blocks.shape[1])
    order[_SHARED:] = order[_SHARED:].reshape(-1, 2)[:, ::-1].ravel()
    return blocks[:, order]


def metric_values(totals: Floats, metric: str, side: Side, losses: Sequence[str] = ()) -> Floats:
    """Compute one side's metric from weighted sums of blocks.

    Args:
        totals: Sums, shape (..., columns): weights of shape (draws, blocks) times the blocks.
        metric: Which.
        side: Whose.
        losses: Names of the losses of the user's own, in the order of their columns.

    Returns:
        Shape (...); NaN for R² where the truth of a draw does not vary, so that there is none.

    Example:
        >>> blocks = row_columns(np.array([1.0, 3.0]), np.array([1.0, 5.0]), np.array([1.0, 3.0]))
        >>> metric_values(np.array([[1, 1], [0, 2]]) @ blocks, "mae", "champion").tolist()
        [1.0, 2.0]
    """
    pair = _PAIR_OF[metric] if metric in _PAIR_OF else len(_PAIRS) + list(losses).index(metric)
    n, y, squares = (totals[..., i] for i in range(_SHARED))
    total = totals[..., _SHARED + 2 * pair + (side == "challenger")]
    if metric == "r2":
        spread = squares - y * y / n
        varies = spread > _CONSTANT * squares
        return np.where(varies, 1 - total / np.where(varies, spread, 1.0), np.nan)
    mean: Floats = total / n
    return np.sqrt(mean) if metric == "rmse" else mean
