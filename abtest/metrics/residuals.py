"""What both sides' errors look like, for figures and for the report; the rows of metrics say what differs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from abtest.metrics.regression import Floats, RegressionOutcomes

Counts = tuple[int, ...]

_ROUND = tuple(map(Decimal, ("1", "1.5", "2", "2.5", "3", "4", "5", "6", "8")))  # widths, times a power of ten
_BINS = 40
_INSIDE = 0.99  # share of the errors between the outermost edges
_TRIM = (0.005, 0.995)  # quantiles of the truth that the squares reach beyond, by a twentieth
_NARROWEST = 1e-12  # a square's width, as a share of the numbers in it, that doubles can still tell


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBand:
    """Rows whose truth lies in one range, and the mean absolute error of both sides on them.

    Attributes:
        lower: Least truth of the range; None for the first.
        upper: The truth it ends before; None for the last.
        n: Rows.
        champion: The champion's mean absolute error.
        challenger: The challenger's.
        effect: Challenger minus champion.
        ci_lower: Lower limit of the effect; None where it is not estimable.
        ci_upper: Upper limit of the effect.
        pvalue: Two-sided, of no effect, adjusted for the number of bands (Holm).
    """

    lower: float | None
    upper: float | None
    n: int
    champion: float
    challenger: float
    effect: float
    ci_lower: float | None
    ci_upper: float | None
    pvalue: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHistogram:
    """How often which error (prediction − truth) occurs.

    Attributes:
        edges: Of the bins, ascending; one more than there are bins. What lies beyond counts in the outermost.
        champion: The champion's errors by bin.
        challenger: The challenger's.
    """

    edges: tuple[float, ...]
    champion: Counts
    challenger: Counts

    @classmethod
    def of(cls, champion: Floats, challenger: Floats) -> ErrorHistogram:
        """Count two columns of errors in at most 41 bins of one round width; the middle one is centred at 0.

        Example:
            >>> histogram = ErrorHistogram.of(np.array([0.0, 20.0, -3.0]), np.array([1.0, 1.0, -19.0]))
            >>> len(histogram.champion), histogram.edges[20:22], histogram.champion[20]
            (41, (-0.5, 0.5), 1)
        """
        sizes = np.abs(np.concatenate([champion, challenger]))
        reach = float(np.quantile(sizes, _INSIDE)) if sizes.size else 0.0
        width = _round_width((reach or float(sizes.max(initial=0.0)) or 1.0) / (_BINS / 2))
        most = min(_BINS // 2, math.ceil(Decimal(reach) / width - Decimal("0.5")) if reach else _BINS // 2)
        edges = [float(width * k / 2) for k in range(-2 * most - 1, 2 * most + 2, 2)]
        counts = (np.bincount(_places(side, edges), minlength=2 * most + 1).tolist() for side in (champion, challenger))
        first, second = (tuple(found) for found in counts)
        return cls(edges=tuple(edges), champion=first, challenger=second)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Predictions against the truth, in squares.

    Attributes:
        edges: Of the squares, ascending, the same both ways; what lies beyond counts in the outermost.
        champion: Rows in each square by truth, then prediction, each an index from 0, and a count; empty ones are left
            out.
        challenger: Likewise.
    """

    edges: tuple[float, ...]
    champion: tuple[Counts, ...]
    challenger: tuple[Counts, ...]

    @classmethod
    def of(cls, truth: Floats, champion: Floats, challenger: Floats) -> Plane:
        """Count rows in squares of one round width, about 40 a side, over the range of nearly all of the truth.

        Example:
            >>> plane = Plane.of(np.array([0.0, 10.0]), np.array([0.0, 99.0]), np.array([10.0, 10.0]))
            >>> plane.edges[0], plane.edges[-1], plane.champion[-1]
            (-0.6, 10.5, (35, 36, 1))
        """
        low, high = np.quantile(truth, _TRIM).tolist() if truth.size else (0.0, 1.0)
        margin = (high - low) / 20
        if not high > low:  # a truth of one value: let the predictions around it be seen
            margin = float(np.abs(np.concatenate([champion, challenger]) - low).max(initial=0.0)) if truth.size else 1.0
        least = max(abs(low), abs(high)) * _NARROWEST
        width = _round_width(max((high - low + 2 * margin) / _BINS, least) or 1 / _BINS)
        first, last = (Decimal(low) - Decimal(margin)) / width, (Decimal(high) + Decimal(margin)) / width
        start, end = math.floor(first), math.ceil(last)
        edges = [float(width * k) for k in range(start, max(end, start + 1) + 1)]
        size, across = len(edges) - 1, _places(truth, edges)

        def counted(predicted: Floats) -> tuple[Counts, ...]:
            found, counts = np.unique(across * size + _places(predicted, edges), return_counts=True)
            return tuple(zip((found // size).tolist(), (found % size).tolist(), counts.tolist(), strict=True))

        return cls(edges=tuple(edges), champion=counted(champion), challenger=counted(challenger))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReading:
    """Both sides' errors on the same rows.

    Attributes:
        sums: From which every metric of all rows can be computed again, and which add up over data.
        bands: By the size of the truth, from the least to the greatest.
        histogram: Of errors.
        plane: Predictions against the truth.
        drawn: Rows in ``histogram`` and ``plane``: a random sample where there are more.
    """

    sums: RegressionOutcomes
    bands: tuple[ErrorBand, ...]
    histogram: ErrorHistogram
    plane: Plane
    drawn: int


def _round_width(least: float) -> Decimal:
    """The least round number that is not below."""
    exact = Decimal(least)
    ten = Decimal(1).scaleb(exact.adjusted())
    return next((digits * ten for digits in _ROUND if digits * ten >= exact), 10 * ten)


def _places(values: Floats, edges: list[float]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The bin of each value; what lies beyond is in the outermost."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
