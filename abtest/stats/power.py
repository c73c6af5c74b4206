"""Power: how many rows a test takes, and how small a difference so many rows can show.

A row is discordant where exactly one side is right; the discordance ψ is the share of such rows. Power is exact: the
number of discordant rows is Binomial(n, ψ), and each number has its own set of splits that the test rejects. Beyond
50,000 expected discordant rows the normal formula stands in; there it is off by less than 0.0001, and by less than
0.002 where over four fifths of all rows are discordant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy import special

from abtest.errors import InvalidInputError
from abtest.stats.exact_power import McNemarPower, first_lasting, null_variance, proof_power, smallest_share
from abtest.stats.proportions import normal_quantile, wilson_interval

if TYPE_CHECKING:
    from abtest.stats.mcnemar import McNemarMethod

_LEAST = 1e-6  # a smaller effect would take more rows than there are


def connor_rows(discordance: float, effect: float, *, power: float = 0.8, confidence_level: float = 0.95) -> int:
    """Estimate the rows that McNemar's test needs by Connor's normal formula, where every search starts.

    Null:
        The two accuracies are equal.

    Assumes:
        Rows are independent, and enough of them discordant for a count to be normal.

    Args:
        discordance: Share of rows on which exactly one side is right, in (0, 1].
        effect: The difference in accuracy to find, as a share: 0.01 is one point. Its sign does not matter.
        power: Probability to find it, in [0.5, 1).
        confidence_level: One minus the level of the test.

    Raises:
        InvalidInputError: A number is out of its range; percentages given for shares are told.

    References:
        Connor (1987), Biometrics 43:207.

    Example:
        >>> connor_rows(0.5, 0.4), connor_rows(0.15, 0.05), connor_rows(0.2, 0.1)
        (23, 469, 155)
    """
    _check_effect(discordance, effect, zero=False)
    _check_levels(confidence_level, power)
    root = normal_quantile(confidence_level) * math.sqrt(discordance)
    root += float(special.ndtri(power)) * math.sqrt(discordance - effect * effect)
    return math.ceil((root / effect) ** 2)


def mcnemar_power(
    n: int, discordance: float, effect: float, *, confidence_level: float = 0.95, method: McNemarMethod = "mid-p"
) -> float:
    """Compute the probability that McNemar's two-sided test rejects.

    Null:
        The two accuracies are equal; at ``effect=0`` the power is the test's true level.

    Assumes:
        Rows are independent, with one discordance and one effect throughout.

    Args:
        n: Rows.
        discordance: Share of rows on which exactly one side is right, in (0, 1].
        effect: True difference in accuracy, as a share. Its sign does not matter.
        confidence_level: One minus the level of the test.
        method: Form of the test, as in ``mcnemar``.

    Returns:
        The power, exact to 1e-12 up to 50,000 expected discordant rows and normal beyond.

    Raises:
        InvalidInputError: A number is out of its range, or there is no such method.

    References:
        Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91, compute power in this way.

    Example:
        >>> round(mcnemar_power(469, 0.15, 0.05), 3), round(mcnemar_power(469, 0.15, 0.05, method="exact"), 3)
        (0.807, 0.776)
    """
    _check_rows(n)
    _check_effect(discordance, effect, zero=True)
    return McNemarPower(discordance, _alpha(confidence_level), method)(n, effect)


def rows_needed(
    discordance: float,
    effect: float,
    *,
    power: float = 0.8,
    confidence_level: float = 0.95,
    method: McNemarMethod = "mid-p",
) -> int:
    """Find the smallest number of rows from which on McNemar's test has this power.

    Power is saw-toothed: where nearly every row is discordant, a row more may lower it. The answer is one more than
    the last number of rows that falls short, so that more rows are never too few. A tooth is about 4/|effect| rows
    long; power is looked at for 6/|effect| rows ahead, at each number of rows or, of many, at some 600.

    Null:
        The two accuracies are equal.

    Assumes:
        As ``mcnemar_power``.

    Args:
        discordance: Share of rows on which exactly one side is right, in (0, 1].
        effect: The difference in accuracy to find, as a share: 0.01 is one point. Its sign does not matter.
        power: Probability to find it, in [0.5, 1).
        confidence_level: One minus the level of the test.
        method: Form of the test, as in ``mcnemar``.

    Raises:
        InvalidInputError: A number is out of its range, or there is no such method.

    References:
        Connor (1987), Biometrics 43:207, for the start; the rest is search.

    Example:
        >>> rows_needed(0.15, 0.05), rows_needed(0.15, 0.05, method="exact")
        (461, 498)
    """
    start = connor_rows(discordance, effect, power=power, confidence_level=confidence_level)
    found = McNemarPower(discordance, _alpha(confidence_level), method)
    return first_lasting(lambda n: found(n, effect) >= power, start, ahead=math.ceil(6 / abs(effect)))


def detectable_effect(
    n: int,
    discordance: float,
    *,
    power: float = 0.8,
    confidence_level: float = 0.95,
    method: McNemarMethod = "mid-p",
) -> float | None:
    """Find the smallest difference in accuracy that so many rows find with this power.

    Null:
        The two accuracies are equal.

    Assumes:
        As ``mcnemar_power``.

    Args:
        n: Rows.
        discordance: Share of rows on which exactly one side is right, in (0, 1].
        power: Probability to find it, in [0.5, 1).
        confidence_level: One minus the level of the test.
        method: Form of the test, as in ``mcnemar``.

    Returns:
        The effect, positive; None where not even one that all discordant rows favour is found.

    Raises:
        InvalidInputError: A number is out of its range, or there is no such method.

    References:
        None: power grows with the effect, so bisection finds it.

    Example:
        >>> round(detectable_effect(461, 0.15), 3), detectable_effect(5, 0.15)
        (0.05, None)
    """
    _check_rows(n)
    _check_discordance(discordance)
    _check_levels(confidence_level, power)
    found = McNemarPower(discordance, _alpha(confidence_level), method)
    return smallest_share(lambda effect: found(n, effect) >= power, discordance)


def noninferiority_power(n: int, discordance: float, margin: float, *, confidence_level: float = 0.95) -> float:
    """Compute the probability that Tango's interval for two equally accurate sides lies above minus the margin.

    Null:
        The challenger is less accurate by the margin or more.

    Assumes:
        Rows are independent, with one discordance throughout; the sides are equally accurate.

    Args:
        n: Rows.
        discordance: Share of rows on which exactly one side is right, in (0, 1].
        margin: The loss in accuracy that is tolerated, as a share in (0, 1).
        confidence_level: Of the two-sided interval.

    Returns:
        The power, exact to 1e-12 up to 50,000 expected discordant rows and normal beyond.

    Raises:
        InvalidInputError: A number is out of its range.

    References:
        Tango (1998), Statistics in Medicine 17:891. Liu, Hsueh, Hsieh & Chen (2002), Statistics in Medicine 21:231.

    Example:
        >>> round(noninferiority_power(1500, 0.1, 0.02), 2)
        0.68
    """
    _check_rows(n)
    _check_margin(discordance, margin)
    return proof_power(n, discordance, margin, _z(confidence_level))


def noninferiority_rows(
    discordance: float, margin: float, *, power: float = 0.8, confidence_level: float = 0.95
) -> int:
    """Find the smallest number of rows from which on two equally accurate sides are told not to differ by the margin.

    Null:
        The challenger is less accurate by the margin or more.

    Assumes:
        As ``noninferiority_power``. A challenger that is truly a little worse takes more rows.

    Args:
        discordance: Share of rows on which exactly one side is right, in (0, 1].
        margin: The loss in accuracy that is tolerated, as a share in (0, 1).
        power: Probability that the interval lies above minus the margin, in [0.5, 1).
        confidence_level: Of the two-sided interval.

    Returns:
        Rows; saw-teeth are dealt with as in ``rows_needed``.

    Raises:
        InvalidInputError: A number is out of its range.

    References:
        Liu, Hsueh, Hsieh & Chen (2002), Statistics in Medicine 21:231, for the start; the rest is search.

    Example:
        >>> noninferiority_rows(0.1, 0.02)
        1994
    """
    _check_margin(discordance, margin)
    _check_levels(confidence_level, power)
    z = _z(confidence_level)
    root = z * math.sqrt(null_variance(discordance, margin)) + float(special.ndtri(power)) * math.sqrt(discordance)
    start = math.ceil((root / margin) ** 2)
    return first_lasting(lambda n: proof_power(n, discordance, margin, z) >= power, start, ahead=math.ceil(6 / margin))


def provable_margin(n: int, discordance: float, *, power: float = 0.8, confidence_level: float = 0.95) -> float | None:
    """Find the smallest margin that so many rows prove two equally accurate sides not to differ by.

    Null:
        The challenger is less accurate by the margin or more.

    Assumes:
        As ``noninferiority_power``.

    Args:
        n: Rows.
        discordance: Share of rows on which exactly one side is right, in (0, 1].
        power: Probability to prove it, in [0.5, 1).
        confidence_level: Of the two-sided interval.

    Returns:
        The margin; None where there is none below 1.

    Raises:
        InvalidInputError: A number is out of its range.

    References:
        None: power grows with the margin, so bisection finds it.

    Example:
        >>> round(provable_margin(1994, 0.1), 3)
        0.02
    """
    _check_rows(n)
    _check_discordance(discordance)
    _check_levels(confidence_level, power)
    z = _z(confidence_level)
    return smallest_share(lambda margin: proof_power(n, discordance, margin, z) >= power, 1 - _LEAST)


def discordance_limit(n: int, discordant: int, *, confidence_level: float = 0.95) -> float:
    """Find how large the discordance may be, given what was seen; to plan with where no row was discordant.

    Null:
        None: the upper limit of Wilson's interval.

    Assumes:
        Rows are independent.

    Args:
        n: Rows seen.
        discordant: Rows of them on which exactly one side was right.
        confidence_level: Of the two-sided interval.

    Returns:
        The limit; z²/(n + z²) where no row was discordant, which is also how far Tango's interval reaches there. The
        exact limits (Clopper-Pearson's, or three over n) differ from it by less than planning is uncertain.

    Raises:
        InvalidInputError: The level is no level, or ``discordant`` is no part of ``n``.
        NotApplicableError: There are no rows.

    References:
        Wilson (1927), Journal of the American Statistical Association 22:209.

    Example:
        >>> round(discordance_limit(1000, 0), 5)
        0.00383
    """
    return wilson_interval(discordant, n, confidence_level=confidence_level).upper


def _alpha(confidence_level: float) -> float:
    _check_levels(confidence_level)
    return round(1 - confidence_level, 12)  # 1 - 0.95 is 0.05, as a policy has it


def _z(confidence_level: float) -> float:
    _check_levels(confidence_level)
    return normal_quantile(confidence_level)


def _check_rows(n: int) -> None:
    if n < 1:
        raise InvalidInputError(f"n must be at least 1 row, got {n}.")


def _check_levels(confidence_level: float, power: float = 0.8) -> None:
    if not 0 < round(1 - confidence_level, 12) < 1:  # a level that rounds to 0 rejects nothing, ever
        hint = _as_share(confidence_level, "%")
        raise InvalidInputError(f"confidence must be in (0, 1), got {confidence_level:g}.", hint=hint)
    if not 0.5 <= power < 1:  # below, power near the level would rise and fall with every row
        raise InvalidInputError(f"power must be in [0.5, 1), got {power:g}.", hint=_as_share(power, "%"))


def _check_discordance(discordance: float) -> None:
    if not 0 < discordance <= 1:
        hint = _as_share(discordance, "%")
        if discordance == 0:
            hint = "where none of n rows was discordant, plan with 4/n."
        raise InvalidInputError(f"discordance must be in (0, 1], got {discordance:g}.", hint=hint)


def _check_effect(discordance: float, effect: float, *, zero: bool) -> None:
    _check_discordance(discordance)
    if not abs(effect) <= discordance:
        hint = _as_share(effect, "points") or (
            f"sides of which exactly one is right on {100 * discordance:g} % of the rows differ by at most "
            f"{100 * discordance:g} points."
        )
        raise InvalidInputError(f"effect must be at most the discordance, {discordance:g}, got {effect:g}.", hint=hint)
    if abs(effect) < _LEAST and not (zero and effect == 0):
        raise InvalidInputError(
            f"effect must be at least {_LEAST:.6f} in size, got {effect:g}.",
            hint="give the smallest difference that matters; 0.01 means 1 point.",
        )


def _check_margin(discordance: float, margin: float) -> None:
    _check_discordance(discordance)
    if not _LEAST <= margin < 1:
        hint = _as_share(margin, "points")
        if -1 < margin < 0:
            hint = f"{-margin:g} tolerates a loss of {-100 * margin:g} points."
        raise InvalidInputError(f"margin must be in [{_LEAST:.6f}, 1), got {margin:g}.", hint=hint)


def _as_share(value: float, unit: str) -> str | None:
    """What a percentage given for a share was meant to be."""
    return f"{value / 100:g} means {value:g} {unit}." if 1 <= abs(value) < 100 else None
