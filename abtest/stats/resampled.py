"""Two learners on the same folds: what is between them, when folds share most of what they are trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.moments import finite_column, student_quantile
from abtest.stats.proportions import Interval, normal_quantile

_ROUNDING = 1e-12  # of the larger difference: below, differences vary by what rounding leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class ResampledT:
    """A mean difference over folds, and its test.

    Attributes:
        effect: Mean difference.
        standard_error: Of it, corrected.
        statistic: Student's t, the effect in standard errors; 0 where there is no difference in any fold.
        pvalue: Two-sided.
        interval: Of the effect; None where it is not estimable.
    """

    effect: float
    standard_error: float
    statistic: float
    pvalue: float
    interval: Interval | None


def corrected_t(differences: npt.ArrayLike, *, test_over_train: float, confidence_level: float = 0.95) -> ResampledT:
    """Test whether two learners do equally well, from the difference between them in each fold.

    Folds are not independent: any two of ten share eight ninths of their training rows. The paired t test takes them
    for independent and finds differences that are none. The correction takes the correlation of two folds to be the
    share of rows that are tested on.

    Null:
        The expected difference, over training sets of this size, is zero.

    Assumes:
        Differences are about normal, of equal variance and equal correlation. The correlation is no estimate, which
        cannot be had from one cross-validation (Bengio & Grandvalet 2004), but a rule of thumb that holds its level
        where it was tried.

    Args:
        differences: One a fold, shape (folds,).
        test_over_train: Rows tested on over rows trained on, in a fold: 1 / (k − 1) of k folds.
        confidence_level: Nominal coverage of the interval.

    Returns:
        t = d̄ / √((1/k + test_over_train)·s²) on k − 1 degrees of freedom, with the mean d̄ and the variance s² of k
        differences.

    Raises:
        InvalidInputError: Fewer than two folds, a difference that is not finite, a level that is none, or a ratio that
            is not above 0.
        NotApplicableError: The same difference in every fold, which is not 0.

    References:
        Nadeau & Bengio (2003), Machine Learning 52:239, equation 8 and section 4.1. Bouckaert & Frank (2004), PAKDD,
        LNCS 3056:3, for folds in place of random parts.

    Example:
        >>> test = corrected_t([0.02, 0.05, 0.01, 0.04, 0.03], test_over_train=1 / 4)
        >>> round(test.effect, 4), round(test.statistic, 4), round(test.pvalue, 4)
        (0.03, 2.8284, 0.0474)
    """
    normal_quantile(confidence_level)  # refuses what is no level
    column = finite_column(differences, "differences")
    if column.size < 2:
        raise InvalidInputError(f"differences must come from two folds or more, got {column.size}.")
    if not (0 < test_over_train < math.inf):
        raise InvalidInputError(f"test_over_train must be above 0, got {test_over_train:g}.", hint="1 / (folds - 1).")
    effect = float(column.mean())
    spread = float(column.std(ddof=1))
    if spread <= _ROUNDING * float(np.abs(column).max()):
        if effect:
            raise NotApplicableError(f"The test over folds needs differences that vary, got {effect:g} in every fold.")
        return ResampledT(effect=0.0, standard_error=0.0, statistic=0.0, pvalue=1.0, interval=None)
    error = math.sqrt(1 / column.size + test_over_train) * spread
    half = student_quantile(column.size - 1, confidence_level) * error
    return ResampledT(
        effect=effect,
        standard_error=error,
        statistic=effect / error,
        pvalue=min(1.0, 2 * float(special.stdtr(column.size - 1, -abs(effect / error)))),
        interval=Interval(lower=effect - half, upper=effect + half),
    )
