"""The area under the ROC curve, exactly, by ranks; and DeLong's test of two areas on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.moments import finite_column
from abtest.stats.placements import Flags, Floats, Placements, dot
from abtest.stats.proportions import Interval, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class DeLong:
    """Two areas on the same rows, and the test of their difference.

    Attributes:
        champion: The champion's area.
        challenger: The challenger's area.
        champion_variance: Of the champion's area.
        challenger_variance: Of the challenger's area.
        covariance: Of the two areas.
        effect: Challenger minus champion.
        standard_error: Of the effect.
        interval: Of the effect, within [-1, 1]; None where it is not estimable.
        statistic: z, the effect in standard errors.
        pvalue: Two-sided.
    """

    champion: float
    challenger: float
    champion_variance: float
    challenger_variance: float
    covariance: float
    effect: float
    standard_error: float
    interval: Interval | None
    statistic: float
    pvalue: float


def delong(
    positive: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike, *, confidence_level: float = 0.95
) -> DeLong:
    """Test whether two scores of the same rows have the same area under the ROC curve.

    Null:
        The two areas are equal.

    Assumes:
        Rows are independent. Conservative from areas of about .96 with few rows of a class.

    Args:
        positive: Whether each row is of the positive class: booleans, or 0 and 1.
        champion: The champion's scores, greater meaning more likely positive; any scale.
        challenger: The challenger's scores.
        confidence_level: Nominal coverage of the interval.

    Returns:
        z = 0 and p = 1 where both scores rank every positive among the negatives alike.

    Raises:
        InvalidInputError: Columns of different lengths, scores that are not finite, or a level that is none.
        NotApplicableError: Fewer than two rows of a class; or areas that differ without any spread to judge it by.

    References:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837. Sun & Xu (2014), IEEE Signal Processing Letters
        21:1389, for ranks instead of pairs: a row's midrank among all less its midrank in its own class counts the
        rows of the other class below it, ties as halves.

    Example:
        >>> test = delong([0, 0, 1, 0, 1, 1], [1, 2, 3, 4, 5, 6], [1, 4, 3, 2, 6, 5])
        >>> round(test.champion, 4), round(test.challenger, 4), test.effect, test.pvalue
        (0.8889, 0.8889, 0.0, 1.0)
    """
    z = normal_quantile(confidence_level)
    truth = boolean_column(positive)
    first, second = (
        Placements.of(truth, finite_column(scores, f"{side} scores", rows=truth.size))
        for side, scores in (("champion", champion), ("challenger", challenger))
    )
    p, q = first.above.size, first.below.size
    if min(p, q) < 2:
        raise NotApplicableError(f"DeLong's test needs 2 rows of each class, got {p} positive and {q} negative.")
    # In whole numbers twice the pairs won: no two scores that order the pairs alike ever seem to differ.
    alone, other, both = _spreads(first, first), _spreads(second, second), _spreads(first, second)
    apart = second.won - first.won
    effect = apart / (2 * p * q)
    error = math.sqrt(_variance([x + y - 2 * xy for x, y, xy in zip(alone, other, both, strict=True)], p, q))
    if error == 0 and effect != 0:
        raise NotApplicableError(
            f"DeLong's test needs ranks that vary, got areas of {first.area:g} and {second.area:g} without spread."
        )
    statistic = effect / error if error else 0.0
    return DeLong(
        champion=first.area,
        challenger=second.area,
        champion_variance=_variance(alone, p, q),
        challenger_variance=_variance(other, p, q),
        covariance=_variance(both, p, q),
        effect=effect,
        standard_error=error,
        interval=Interval(lower=max(effect - z * error, -1.0), upper=min(effect + z * error, 1.0)) if error else None,
        statistic=statistic,
        pvalue=min(1.0, 2 * float(special.ndtr(-abs(statistic)))),
    )


def auc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Compute the area under the ROC curve: how often a positive outscores a negative, ties counting half.

    Args:
        positive: Whether each row is of the positive class.
        scores: Greater meaning more likely positive; any scale.

    Raises:
        InvalidInputError: Columns of different lengths, or scores that are not finite.
        NotApplicableError: A class has no row.

    References:
        Mann & Whitney (1947), Annals of Mathematical Statistics 18:50. Hanley & McNeil (1982), Radiology 143:29.

    Example:
        >>> auc([False, True, False, True], [0.1, 0.4, 0.4, 0.8])
        0.875
    """
    truth = boolean_column(positive)
    return Placements.of(truth, finite_column(scores, "scores", rows=truth.size)).area


def boolean_column(positive: npt.ArrayLike) -> Flags:
    """Read which rows are positive.

    Raises:
        InvalidInputError: They are neither booleans nor 0 and 1.
    """
    column = np.asarray(positive)
    if column.ndim != 1 or column.dtype.kind not in "biuf":
        raise InvalidInputError(f"positive must be one boolean a row, got {column.dtype} of shape {column.shape}.")
    wrong = np.flatnonzero((column != 0) & (column != 1))
    if wrong.size:
        raise InvalidInputError(
            f"positive must be booleans, or 0 and 1, got {column[wrong[0]]} in row {wording.whole(int(wrong[0]) + 1)}."
        )
    return column.astype(np.bool_)


def unit_column(values: npt.ArrayLike, what: str, *, rows: int) -> Floats:
    """Read numbers in [0, 1].

    Raises:
        InvalidInputError: They are not; with a count and the first row.
    """
    column = finite_column(values, what, rows=rows)
    wrong = np.flatnonzero((column < 0) | (column > 1))
    if wrong.size:
        raise InvalidInputError(
            f"{what} must be in [0, 1], got {column[wrong[0]]:g} (first: row {wording.whole(int(wrong[0]) + 1)}; "
            f"{wording.plural(wrong.size, 'row')} in all)."
        )
    return column


def _spreads(one: Placements, other: Placements) -> tuple[int, int]:
    """Of positives and of negatives, rows times the sum of products of deviations from the means: whole numbers."""
    both = one.won * other.won  # each class's placements add up to the pairs won
    p, q = one.above.size, one.below.size
    return p * dot(one.above, other.above) - both, q * dot(one.below, other.below) - both


def _variance(spreads: Sequence[int], p: int, q: int) -> float:
    """DeLong's (co)variance, of placements that count each pair twice."""
    of_positives, of_negatives = spreads
    return of_positives / (4 * p * p * q * q * (p - 1)) + of_negatives / (4 * p * p * q * q * (q - 1))
