"""Intervals for one proportion, and for the difference of two that were measured on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.outcomes import Contingency

_HALVINGS = 64  # 2 / 2**64 is below the spacing of doubles around any limit that matters


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The limits of a confidence interval, in the unit of what it is for."""

    lower: float
    upper: float


def normal_quantile(confidence_level: float) -> float:
    """Find the z with P(|Z| <= z) = ``confidence_level`` for a standard normal Z.

    Raises:
        InvalidInputError: The level is no level.

    Example:
        >>> round(normal_quantile(0.95), 6)
        1.959964
    """
    if not 0 < confidence_level < 1:
        raise InvalidInputError(f"confidence must be in (0, 1), got {confidence_level}.")
    return -float(special.ndtri((1 - confidence_level) / 2))  # by the lower tail: (1 + level) / 2 may round to 1


def tango_statistic(table: Contingency, delta: float) -> float:
    """Compute Tango's score statistic T(δ) for a hypothesised difference of paired proportions.

    Null:
        Challenger's accuracy minus champion's is ``delta``.

    Assumes:
        Rows are independent, and enough of them for a score to be normal (in practice about ten).

    Args:
        table: Counts of correctness.
        delta: The hypothesised effect, in [-1, 1]. ``-margin`` makes it a test of non-inferiority.

    Returns:
        T(δ), standard normal under the null: positive where the observed effect exceeds ``delta``, 0 where it equals
        it, infinite where ``delta`` is ±1 and the data say otherwise. T(0)² is McNemar's uncorrected chi-square.

    Raises:
        InvalidInputError: ``delta`` is no difference of proportions.
        NotApplicableError: There are no rows.

    References:
        Tango (1998), Statistics in Medicine 17:891 (mirrored: the paper has θ = (b - c)/n).

    Example:
        >>> from abtest.outcomes import Contingency
        >>> table = Contingency(both=20, champion_only=12, challenger_only=2, neither=16)
        >>> round(tango_statistic(table, 0.0) ** 2, 4), tango_statistic(table, -0.2)
        (7.1429, 0.0)
    """
    if not -1 <= delta <= 1:
        raise InvalidInputError(f"delta must be in [-1, 1], got {delta}.")
    b, c, n = table.champion_only, table.challenger_only, _rows(table.n)
    # For δ >= 0 nothing in the quadratic cancels, and the sides then mirror each other to the last bit.
    return _score(b, c, n, delta) if delta >= 0 else 0.0 - _score(c, b, n, -delta)


def tango_interval(table: Contingency, *, confidence_level: float = 0.95) -> Interval:
    """Compute Tango's score interval for challenger's accuracy minus champion's on the same rows.

    Null:
        Each δ inside is one that the two-sided score test does not reject: |T(δ)| ≤ z.

    Assumes:
        Rows are independent. Coverage is close to nominal even for few rows and rare discordance; as it inverts the
        *uncorrected* test it can disagree with mid-p at the edge, and then the test decides.

    Args:
        table: Counts of correctness.
        confidence_level: Nominal coverage.

    Returns:
        Limits within [-1, 1] that hold the observed effect; exactly ±z²/(n + z²) where no row is discordant.

    Raises:
        InvalidInputError: The level is no level.
        NotApplicableError: There are no rows.

    References:
        Tango (1998), Statistics in Medicine 17:891. Recommended by Fagerland, Lydersen & Laake (2014), Statistics in
        Medicine 33:2850.

    Example:
        >>> from abtest.outcomes import Contingency
        >>> interval = tango_interval(Contingency(both=20, champion_only=12, challenger_only=2, neither=16))
        >>> round(interval.lower, 6), round(interval.upper, 6)
        (-0.344709, -0.061112)
    """
    z, n = normal_quantile(confidence_level), _rows(table.n)
    if table.discordant == 0:
        half = z * z / (n + z * z)
        return Interval(lower=-half, upper=half)
    return Interval(
        lower=_bisect(lambda delta: tango_statistic(table, delta) <= z, outside=-1.0, inside=table.effect),
        upper=_bisect(lambda delta: tango_statistic(table, delta) >= -z, outside=1.0, inside=table.effect),
    )


def newcombe_interval(table: Contingency, *, confidence_level: float = 0.95) -> Interval:
    """Compute Newcombe's square-and-add interval for challenger's accuracy minus champion's, in closed form.

    Null:
        None: an interval combined from two Wilson intervals, not the inversion of a test.

    Assumes:
        Rows are independent.

    Args:
        table: Counts of correctness.
        confidence_level: Nominal coverage.

    Raises:
        InvalidInputError: The level is no level.
        NotApplicableError: There are no rows.

    References:
        Newcombe (1998), Statistics in Medicine 17:2635, method 10 (mirrored: the paper has θ = (b - c)/n).

    Example:
        >>> from abtest.outcomes import Contingency
        >>> interval = newcombe_interval(Contingency(both=20, champion_only=12, challenger_only=2, neither=16))
        >>> round(interval.lower, 6), round(interval.upper, 6)
        (-0.329207, -0.056156)
    """
    n = _rows(table.n)
    challenger, champion = table.both + table.challenger_only, table.both + table.champion_only
    p1, p2 = challenger / n, champion / n
    w1 = wilson_interval(challenger, n, confidence_level=confidence_level)
    w2 = wilson_interval(champion, n, confidence_level=confidence_level)
    phi = _correlation(table)
    below = _add_squares(p1 - w1.lower, w2.upper - p2, phi)
    above = _add_squares(w1.upper - p1, p2 - w2.lower, phi)
    return Interval(lower=max(table.effect - below, -1.0), upper=min(table.effect + above, 1.0))


def wilson_interval(successes: int, n: int, *, confidence_level: float = 0.95) -> Interval:
    """Compute Wilson's score interval for one proportion.

    Null:
        Each p inside is one that the two-sided score test does not reject.

    Assumes:
        Rows are independent.

    Args:
        successes: Rows that count.
        n: Rows.
        confidence_level: Nominal coverage.

    Returns:
        Limits within [0, 1]; the lower is exactly 0 at no success, the upper exactly 1 at no failure.

    Raises:
        InvalidInputError: The level is no level, or ``successes`` is no part of ``n``.
        NotApplicableError: There are no rows.

    References:
        Wilson (1927), Journal of the American Statistical Association 22:209.

    Example:
        >>> interval = wilson_interval(81, 263)
        >>> round(interval.lower, 4), round(interval.upper, 4)
        (0.2553, 0.3662)
    """
    z = normal_quantile(confidence_level)
    if not 0 <= successes <= n:
        raise InvalidInputError(f"successes must be in [0, {n}], got {successes}.")
    failures = _rows(n) - successes
    root = z * math.sqrt(z * z + 4 * successes * failures / n)
    # The lower limit by the conjugate: the textbook's difference loses every digit at a handful in a hundred million.
    lower = 2 * successes * successes / (n * (2 * successes + z * z + root)) if successes else 0.0
    upper = (2 * successes + z * z + root) / (2 * (n + z * z)) if failures else 1.0
    return Interval(lower=lower, upper=min(upper, 1.0))


def _rows(n: int) -> int:
    if n == 0:
        raise NotApplicableError("There are no rows to compare.")
    return n


def _score(b: int, c: int, n: int, delta: float) -> float:
    """T(δ) for 0 <= δ <= 1, with q the probability of a champion-only row that is likeliest under δ."""
    big_b = (2 * n - c + b) * delta - (b + c)
    minus_c = b * delta * (1 - delta)
    root = math.sqrt(big_b * big_b + 8 * n * minus_c)
    q = 2 * minus_c / (big_b + root) if big_b > 0 else (root - big_b) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    excess = c - b - n * delta
    if variance > 0:
        return excess / math.sqrt(variance)
    return math.copysign(math.inf, excess) if excess else 0.0


def _bisect(accepted: Callable[[float], bool], *, outside: float, inside: float) -> float:
    """Find where a hypothesis stops being accepted, going from ``inside`` towards ``outside``."""
    if accepted(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        if accepted(middle):
            inside = middle
        else:
            outside = middle
    return inside


def _correlation(table: Contingency) -> float:
    """Newcombe's φ of the two sides' correctness, continuity-corrected; in integers, as the counts may be huge."""
    n11, b, c, n00 = table.both, table.champion_only, table.challenger_only, table.neither
    margins = (n11 + b) * (c + n00) * (n11 + c) * (b + n00)
    if margins == 0:
        return 0.0
    determinant = n11 * n00 - b * c
    corrected = max(determinant - table.n / 2, 0.0) if determinant > 0 else float(determinant)
    return corrected / math.sqrt(margins)


def _add_squares(x: float, y: float, phi: float) -> float:
    return math.sqrt((x - y) ** 2 + 2 * (1 - phi) * x * y)  # x² - 2φxy + y², which rounding could send below 0
