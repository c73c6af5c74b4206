"""The tests of two arms that are looked at once: of shares, and of means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from abtest.errors import NotApplicableError
from abtest.stats.proportions import Interval, normal_quantile, wilson_interval

if TYPE_CHECKING:
    from abtest.stats.moments import Moments

_FEW = 10  # successes or failures expected in an arm
_ROUNDING = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoArms:
    """Two arms compared once.

    Attributes:
        effect: The challenger's share or mean minus the champion's.
        statistic: Standard normal under the null, with the sign of the effect.
        pvalue: Two-sided.
        interval: Of the effect.
    """

    effect: float
    statistic: float
    pvalue: float
    interval: Interval


def two_proportions(
    champion: tuple[int, int], challenger: tuple[int, int], *, confidence_level: float = 0.95
) -> TwoArms:
    """Test whether two arms are right equally often.

    Null:
        Both arms have the same share of successes.

    Assumes:
        Units are independent. Where fewer than ten successes or failures are expected in an arm, z is too sure of
        itself (of ten units that fail 5 % of the time, two are significant, and in 8.6 % so many fail), so p is at
        least that of Fisher's exact test then.

    Args:
        champion: Successes, and units.
        challenger: Likewise.
        confidence_level: Nominal coverage of the interval.

    Returns:
        The pooled z test, of rare outcomes Fisher's, and Newcombe's interval of Wilson's limits, which the test may
        disagree with at the edge.

    Raises:
        NotApplicableError: An arm has no units.

    References:
        Newcombe (1998), Statistics in Medicine 17:873, method 10, for the interval. Fleiss, Levin & Paik (2003),
        Statistical Methods for Rates and Proportions, section 3.1, for the test. Fisher (1935), Journal of the Royal
        Statistical Society 98:39, for his.

    Example:
        >>> found = two_proportions((100, 1000), (130, 1000))
        >>> round(found.statistic, 4), round(found.pvalue, 4), round(found.interval.lower, 4)
        (2.1027, 0.0355, 0.002)
    """
    (x, n), (y, m) = champion, challenger
    if not (n and m):
        raise NotApplicableError("There are no units in an arm.")
    first, second, pooled = x / n, y / m, (x + y) / (n + m)
    effect = second - first
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    z = effect / error if error else 0.0
    one, two = (wilson_interval(*arm, confidence_level=confidence_level) for arm in (champion, challenger))
    return TwoArms(
        effect=effect,
        statistic=z,
        pvalue=max(_two_sided(z), _fisher((x, n), (y, m)) if _is_rare(pooled, min(n, m)) else 0.0),
        interval=Interval(
            lower=effect - math.hypot(second - two.lower, one.upper - first),
            upper=effect + math.hypot(two.upper - second, first - one.lower),
        ),
    )


def _is_rare(rate: float, units: int) -> bool:
    return units * min(rate, 1 - rate) < _FEW


def _fisher(champion: tuple[int, int], challenger: tuple[int, int]) -> float:
    """The two-sided p-value of Fisher's exact test: of all tables as likely as this one, or less."""
    (x, n), (y, m) = sorted((champion, challenger))  # so that changing places changes nothing, to the last bit
    total = x + y
    k = np.arange(max(0, total - m), min(total, n) + 1)
    log = -special.gammaln(np.array([k + 1, n - k + 1, total - k + 1, m - total + k + 1])).sum(axis=0)
    chance = np.exp(log - log.max())
    as_rare = chance <= chance[x - k[0]] * (1 + _ROUNDING)
    return min(1.0, float(chance[as_rare].sum() / chance.sum()))


def two_means(champion: Moments, challenger: Moments, *, confidence_level: float = 0.95) -> TwoArms:
    """Test whether two arms have the same mean loss.

    Null:
        Both arms have the same mean.

    Assumes:
        Units are independent, of finite variance, and enough of them (hundreds in each arm) for means to be normal.

    Args:
        champion: The champion's losses.
        challenger: The challenger's.
        confidence_level: Nominal coverage of the interval.

    Raises:
        NotApplicableError: An arm has fewer than two units, or no loss varies.

    References:
        Welch (1938), Biometrika 29:350, in the limit of many units.

    Example:
        >>> from abtest.stats.moments import Moments
        >>> found = two_means(Moments.of([1.0, 2.0, 3.0]), Moments.of([2.0, 3.0, 4.0]))
        >>> round(found.statistic, 4), round(found.pvalue, 4)
        (1.2247, 0.2207)
    """
    arms = (champion, challenger)
    if min(arm.n for arm in arms) < 2 or not any(arm.variance for arm in arms):
        raise NotApplicableError("The test of two arms needs losses that vary, in both of them.")
    effect = challenger.mean - champion.mean
    error = math.sqrt(sum(arm.variance / arm.n for arm in arms))
    half = normal_quantile(confidence_level) * error
    return TwoArms(
        effect=effect,
        statistic=effect / error,
        pvalue=_two_sided(effect / error),
        interval=Interval(lower=effect - half, upper=effect + half),
    )


def _two_sided(z: float) -> float:
    return min(1.0, 2 * float(special.ndtr(-abs(z))))
