"""The slope of a series whose points have weights of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abtest.stats.moments import student_quantile
from abtest.stats.proportions import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

_ROUNDING = 1e-24  # of the weighted squares: a spread below this share is what rounding leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A straight line's slope, and its interval; None where points do not spread about the line."""

    value: float
    interval: Interval | None


def slope(
    x: npt.ArrayLike, y: npt.ArrayLike, weights: npt.ArrayLike, *, confidence_level: float = 0.95
) -> Slope | None:
    """Fit a straight line by weighted least squares.

    Null:
        None: an estimate.

    Assumes:
        Points are independent about the line, with variances in inverse proportion to their weights.

    Args:
        x: Where, shape (points,).
        y: The values, likewise.
        weights: Positive, likewise.
        confidence_level: Nominal coverage of the interval, by Student's t.

    Returns:
        None of fewer than three points, or where ``x`` does not vary.

    References:
        Draper & Smith (1998), Applied Regression Analysis, section 9.2.

    Example:
        >>> found = slope([0, 1, 2, 3], [0.9, 0.91, 0.88, 0.87], [1, 1, 1, 1])
        >>> round(found.value, 4), round(found.interval.lower, 4), round(found.interval.upper, 4)
        (-0.012, -0.0348, 0.0108)
    """
    at, values, w = (np.asarray(column, dtype=np.float64) for column in (x, y, weights))
    w = w / w.sum()
    dx, dy = at - w @ at, values - w @ values
    spread = float(w @ np.square(dx))
    if at.size < 3 or spread == 0:
        return None
    steep = float(w @ (dx * dy)) / spread
    left = float(w @ np.square(dy - steep * dx))
    if left <= _ROUNDING * float(w @ np.square(values)):
        return Slope(value=steep, interval=None)
    half = student_quantile(at.size - 2, confidence_level) * math.sqrt(left / (at.size - 2) / spread)
    return Slope(value=steep, interval=Interval(lower=steep - half, upper=steep + half))
