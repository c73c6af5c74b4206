"""Whether an estimate has fallen from one window to another, and by how much at least and at most."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from abtest.stats.proportions import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

_HALVINGS = 60
_FARTHEST = 1e4  # standard errors: no p-value is told from 0 there
_FEW = 10  # right or wrong rows expected in a window


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a window says of one quantity.

    Attributes:
        value: The estimate.
        variance: Of it, clusters and all.
        degrees: Of freedom of the variance.
        is_share: Whether it lies in [0, 1], where limits are Wilson's, with as many independent rows as give this
            variance.
        rows: As many independent rows as it is worth, of a share.
    """

    value: float
    variance: float
    degrees: float = math.inf
    is_share: bool = False
    rows: float = math.inf

    def below(self, z: float) -> float:
        """How far the lower limit is away, at z standard errors."""
        return _wilson(1 - self.value, self.rows, z) if self.is_share else z * math.sqrt(self.variance)

    def above(self, z: float) -> float:
        """How far the upper limit is away."""
        return _wilson(self.value, self.rows, z) if self.is_share else z * math.sqrt(self.variance)

    def of_more(self, times: float) -> Estimate:
        """What so many times the rows would say, were they of the same kind."""
        return replace(self, variance=self.variance / times, rows=self.rows * times)

    def interval(self, confidence_level: float) -> Interval:
        """The interval of the estimate itself."""
        z = student(self.degrees, (1 - confidence_level) / 2)
        return Interval(lower=self.value - self.below(z), upper=self.value + self.above(z))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A recent estimate against a baseline's; their errors are independent.

    Null:
        The recent window's quantity is not smaller (or not greater) than the baseline's.

    Assumes:
        Estimates are normal, with variances that are known with so many degrees of freedom; of shares, the score is.

    Attributes:
        baseline: What was.
        recent: What is.

    References:
        Newcombe (1998), Statistics in Medicine 17:873, method 10, for limits of a difference from those of its parts;
        Zou & Donner (2008), Statistics in Medicine 27:1693, that the parts may be any estimates. Korn & Graubard
        (1998), Survey Methodology 24:193, for effective rows. Mickey & Brown (1966), Annals of Mathematical Statistics
        37:639, for the degrees of freedom.

    Example:
        >>> baseline = Estimate(value=0.9, variance=0.09 / 1000, is_share=True, rows=1000)
        >>> recent = Estimate(value=0.85, variance=0.1275 / 1000, is_share=True, rows=1000)
        >>> shift = Shift(baseline=baseline, recent=recent)
        >>> limits = shift.interval(0.95)
        >>> round(limits.lower, 4), round(limits.upper, 4), round(shift.pvalue(worse="less"), 5)
        (-0.079, -0.021, 0.00038)
    """

    baseline: Estimate
    recent: Estimate

    @property
    def effect(self) -> float:
        """Recent minus baseline."""
        return self.recent.value - self.baseline.value

    @property
    def degrees(self) -> float:
        """Of freedom of the effect's variance: the fewer of both, which is never too many."""
        return min(self.baseline.degrees, self.recent.degrees)

    @property
    def standard_error(self) -> float:
        """Of the effect."""
        return math.sqrt(self.baseline.variance + self.recent.variance)

    def lower(self, z: float) -> float:
        """The effect's lower limit, at z standard errors."""
        return self.effect - math.hypot(self.recent.below(z), self.baseline.above(z))

    def upper(self, z: float) -> float:
        """The effect's upper limit, at z standard errors."""
        return self.effect + math.hypot(self.recent.above(z), self.baseline.below(z))

    def interval(self, confidence_level: float) -> Interval:
        """The two-sided interval of the effect."""
        z = student(self.degrees, (1 - confidence_level) / 2)
        return Interval(lower=self.lower(z), upper=self.upper(z))

    def bounds(self, confidence_level: float) -> Interval:
        """Two one-sided limits, each at that level."""
        z = student(self.degrees, 1 - confidence_level)
        return Interval(lower=self.lower(z), upper=self.upper(z))

    def statistic(self) -> float:
        """How many standard errors the effect is from 0: where a limit meets it."""
        if self.effect == 0:
            return 0.0
        limit = self.upper if self.effect < 0 else self.lower
        return math.copysign(_crossing(lambda z: limit(z) * self.effect > 0), self.effect)

    def pvalue(self, *, worse: str) -> float:
        """The one-sided p-value of no worsening, which agrees with the one-sided limit.

        Args:
            worse: "less" where a lower value is worse, "greater" where a higher one is.
        """
        statistic = self.statistic()
        return tail(self.degrees, -statistic if worse == "less" else statistic)


def student(degrees: float, tail_: float) -> float:
    """The quantile above which so much of Student's distribution lies; normal where degrees are infinite."""
    return -float(special.ndtri(tail_) if math.isinf(degrees) else special.stdtrit(degrees, tail_))


def tail(degrees: float, t: float) -> float:
    """How much of Student's distribution lies above t."""
    return float(special.ndtr(-t) if math.isinf(degrees) else special.stdtr(degrees, -t))


def is_rare(baseline: tuple[int, int], recent: tuple[int, int]) -> bool:
    """Whether fewer than ten successes or failures are expected in a window, where no score is normal."""
    (x, n), (y, m) = baseline, recent
    rate = (x + y) / (n + m)
    return min(n, m) * min(rate, 1 - rate) < _FEW


def fisher_fall(baseline: tuple[int, int], recent: tuple[int, int]) -> float:
    """Compute the one-sided p-value of Fisher's exact test: of so few successes in the recent window, or fewer.

    Null:
        Both windows have the same share of successes, or the recent one has more.

    Assumes:
        Rows are independent.

    Args:
        baseline: Successes, and rows.
        recent: Likewise.

    References:
        Fisher (1935), Journal of the Royal Statistical Society 98:39.

    Example:
        >>> round(fisher_fall((9, 10), (2, 6)), 6)
        0.035714
    """
    (x, n), (y, m) = baseline, recent
    total = x + y
    k = np.arange(max(0, total - n), min(total, m) + 1)
    log = -special.gammaln(np.array([k + 1, m - k + 1, total - k + 1, n - total + k + 1], dtype=np.float64)).sum(axis=0)
    chance = np.exp(log - log.max())
    return min(1.0, float(chance[: y - k[0] + 1].sum() / chance.sum()))


def _wilson(share: float, rows: float, z: float) -> float:
    """How far Wilson's upper limit is above a share of so many rows, whole or not."""
    if math.isinf(rows):
        return 0.0
    square = z * z / rows
    root = z * math.sqrt(max(share * (1 - share), 0.0) / rows + square / (4 * rows))
    return min(max(((1 - 2 * share) * square / 2 + root) / (1 + square), 0.0), 1 - share)


def _crossing(apart: Callable[[float], bool]) -> float:
    """Find the z up to which something holds, from 0 on."""
    near, far = 0.0, 1.0
    while apart(far):
        near, far = far, 2 * far
        if far > _FARTHEST:
            return _FARTHEST
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (middle, far) if apart(middle) else (near, middle)
    return (near + far) / 2
