"""How far each row pulls the average precision: its spread on many rows, without resampling them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import NotApplicableError
from abtest.stats.delong import boolean_column
from abtest.stats.moments import finite_column
from abtest.stats.placements import Counts, Flags, Floats, ranked
from abtest.stats.proportions import Interval, normal_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """The test of an effect from how far each row pulls it.

    Attributes:
        standard_error: Of the effect.
        interval: Of the effect, within [-1, 1]; None where no row pulls.
        statistic: z, the effect in standard errors.
        pvalue: Two-sided.
    """

    standard_error: float
    interval: Interval | None
    statistic: float
    pvalue: float


def precision_pulls(positive: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[float, Floats]:
    """Compute the average precision, and what a little more weight on each row does to it.

    Args:
        positive: Whether each row is of the positive class: booleans, or 0 and 1.
        scores: Greater meaning more likely positive; any scale.

    Returns:
        The average precision, and its derivatives by the rows' weights, shape (rows,). They add up to 0.

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.
        NotApplicableError: No row is positive.

    References:
        Jaeckel (1972), The Infinitesimal Jackknife, Bell Laboratories MM 72-1215-11.

    Example:
        >>> value, pulls = precision_pulls([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> round(value, 4), pulls[1:].round(3).tolist()
        (0.8333, [-0.111, -0.028, 0.139])
    """
    truth = boolean_column(positive)
    order, ends = descending(finite_column(scores, "scores", rows=truth.size))
    hit = truth[order]
    hits, called = np.cumsum(hit)[ends], ends + 1
    if not (hits.size and hits[-1]):
        raise NotApplicableError("average_precision needs a positive row, got none.")
    found, precision = np.diff(hits, prepend=0), hits / called
    value = float(found @ precision / hits[-1])
    # A row is among those called at its own score and at all that are lower.
    up, down = (np.cumsum((part / called)[::-1])[::-1] for part in (found, found * precision))
    run = np.repeat(np.arange(ends.size), np.diff(ends, prepend=-1))
    pulls = np.empty(truth.size)
    pulls[order] = (hit * (precision - value + up)[run] - down[run]) / hits[-1]
    return value, pulls


def pulled(effect: float, pulls: Floats, *, confidence_level: float = 0.95) -> Pulled:
    """Test an effect by how far each row pulls it.

    Null:
        The effect is zero.

    Assumes:
        Rows are independent, and enough of each class for the effect to be normal.

    Args:
        effect: Challenger minus champion.
        pulls: Its derivatives by the rows' weights, shape (rows,).
        confidence_level: Nominal coverage of the interval.

    Raises:
        InvalidInputError: The level is no level.
        NotApplicableError: There is an effect, and no row pulls it.

    References:
        Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, section 6.1: the sum of the squares of
        the pulls is what the bootstrap's variance comes to, on many rows.

    Example:
        >>> pulled(0.5, np.array([0.2, -0.2, 0.1, -0.1])).statistic.__round__(4)
        1.5811
    """
    z = normal_quantile(confidence_level)
    error = math.sqrt(float(np.square(pulls).sum()))
    if not error and effect:
        raise NotApplicableError(f"An effect of {effect:g} that no row pulls cannot be tested.")
    statistic = effect / error if error else 0.0
    limits = max(effect - z * error, -1.0), min(effect + z * error, 1.0)
    return Pulled(
        standard_error=error,
        interval=Interval(lower=limits[0], upper=limits[1]) if error else None,
        statistic=statistic,
        pvalue=min(1.0, 2 * float(special.ndtr(-abs(statistic)))),
    )


def descending(scores: Floats) -> tuple[Counts, Counts]:
    """Sort finite scores from the greatest down: the rows, and the place of the last row of each score."""
    rows, alike = ranked(scores)
    ends: Flags = np.ones(scores.size, dtype=np.bool_)
    ends[:-1] = ~alike[::-1]
    return rows[::-1], np.flatnonzero(ends)
