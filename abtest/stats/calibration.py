"""Calibration: of the rows given a probability of .8, are eight in ten positive? And the parts of the Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.delong import boolean_column, unit_column
from abtest.stats.placements import Counts, Floats

BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """One side's reliability curve, and what its Brier score is made of.

    ``brier = reliability − resolution + uncertainty + within_variance − within_covariance``, to rounding.

    Attributes:
        counts: Rows by bin, each at least 1, shape (bins,).
        predicted: Mean probability of a bin's rows, ascending, shape (bins,).
        observed: Share of a bin's rows that are positive, shape (bins,).
        ece: Expected calibration error: mean distance of ``observed`` from ``predicted``, weighted by rows. It is above
            0 for a calibrated model too, the more so the fewer rows a bin has, and never decides.
        brier: Mean squared distance of the probability from what happened (0 or 1), in [0, 1].
        reliability: Miscalibration of the bins; less is better.
        resolution: How far the bins' shares are from the overall share; more is better.
        uncertainty: Of the truth alone, the same for both sides.
        within_variance: Spread of the probabilities inside bins.
        within_covariance: Twice their covariance with the truth inside bins.
    """

    counts: Counts
    predicted: Floats
    observed: Floats
    ece: float
    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.counts.sum())


def calibration(positive: npt.ArrayLike, probabilities: npt.ArrayLike, *, bins: int = BINS) -> Calibration:
    """Compare probabilities with what happened, in bins of as equal mass as ties allow.

    Null:
        None: a description. A calibrated model has E[positive | probability] = probability.

    Assumes:
        Rows are independent.

    Args:
        positive: Whether each row is of the class that the probabilities are of: booleans, or 0 and 1.
        probabilities: In [0, 1].
        bins: At most so many. Rows of one probability are never split; where there are no more distinct ones than
            bins, each is a bin of its own, and nothing is left within bins.

    Raises:
        InvalidInputError: Columns of different lengths, what is no probability, or no bins.
        NotApplicableError: There are no rows.

    References:
        Murphy (1973), Journal of Applied Meteorology 12:595, for reliability, resolution and uncertainty. Stephenson,
        Coelho & Jolliffe (2008), Weather and Forecasting 23:752, for the two terms within bins. Naeini, Cooper &
        Hauskrecht (2015), AAAI 29:2901, for the expected calibration error.

    Example:
        >>> curve = calibration([0, 0, 1, 0, 1, 1], [0.1, 0.1, 0.1, 0.7, 0.7, 0.9], bins=3)
        >>> curve.counts.tolist(), curve.predicted.round(3).tolist(), curve.observed.round(3).tolist()
        ([3, 2, 1], [0.1, 0.7, 0.9], [0.333, 0.5, 1.0])
    """
    if bins < 1:
        raise InvalidInputError(f"bins must be at least 1, got {bins}.")
    truth = boolean_column(positive)
    p = unit_column(probabilities, "probabilities", rows=truth.size)
    if not p.size:
        raise NotApplicableError("There are no rows to compare.")
    y = truth.astype(np.float64)
    bin_of = _equal_mass(p, bins)
    counts = np.bincount(bin_of)
    predicted = np.minimum(np.bincount(bin_of, weights=p) / counts, 1.0)  # a mean of ones may round above
    observed = np.bincount(bin_of, weights=y) / counts
    share, rate = counts / p.size, float(y.mean())
    p_rest, y_rest = p - predicted[bin_of], y - observed[bin_of]
    return Calibration(
        counts=counts,
        predicted=predicted,
        observed=observed,
        ece=float(share @ np.abs(observed - predicted)),
        brier=float(np.square(p - y).mean()),
        reliability=float(share @ np.square(observed - predicted)),
        resolution=float(share @ np.square(observed - rate)),
        uncertainty=rate * (1 - rate),
        within_variance=float(np.square(p_rest).mean()),
        within_covariance=2 * float((p_rest * y_rest).mean()),
    )


def _equal_mass(p: Floats, bins: int) -> Counts:
    """Put each row into a bin, shape (rows,): every distinct value goes whole into the bin its middle row falls in."""
    _, value_of, rows = np.unique(p, return_inverse=True, return_counts=True)
    if rows.size <= bins:
        return np.asarray(value_of)
    twice_middle = 2 * np.cumsum(rows) - rows
    chosen = bins * twice_middle // (2 * p.size)
    _, numbered = np.unique(chosen, return_inverse=True)  # a bin jumped over by a large tie is no bin
    return np.asarray(numbered[value_of])
