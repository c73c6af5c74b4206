"""Whether the same categories are as frequent in two samples, and how far apart the samples are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError

EXPECTED = 5  # rows that χ² needs to expect in a category of either sample
SMOOTHING = 0.5  # rows that PSI adds to each group of either sample
_TERMS = 2000  # of an exact tail whose mean is below 5: the rest is nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquared:
    """What the test of homogeneity says."""

    statistic: float
    degrees_of_freedom: int
    pvalue: float


def chi_squared(baseline: npt.ArrayLike, recent: npt.ArrayLike) -> ChiSquared:
    """Test whether the same categories are as frequent in two samples.

    Null:
        Both are draws from one distribution over the categories.

    Assumes:
        Rows are independent, and of each category at least 5 or so are to be expected in either sample.

    Args:
        baseline: Rows by category, shape (categories,).
        recent: Likewise.

    Returns:
        χ² with (categories - 1) degrees of freedom, without a continuity correction; 0 and p = 1 of one category.

    References:
        Pearson (1900), Philosophical Magazine 50:157. Cochran (1954), Biometrics 10:417, for the 5.

    Example:
        >>> test = chi_squared([762, 327, 468], [484, 239, 477])  # Agresti (2007), table 2.5
        >>> round(test.statistic, 2), test.degrees_of_freedom, test.pvalue < 0.001
        (30.07, 2, True)
    """
    table = np.array([baseline, recent], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    rows, columns = table.sum(axis=1, keepdims=True), table.sum(axis=0)
    expect_rows(*rows.ravel().tolist())
    expected = rows * columns / rows.sum()
    statistic = float((np.square(table - expected) / expected).sum())
    degrees = columns.size - 1
    pvalue = float(special.chdtrc(degrees, statistic)) if degrees else 1.0
    return ChiSquared(statistic=statistic if degrees else 0.0, degrees_of_freedom=degrees, pvalue=pvalue)


def two_shares(baseline: int, n_baseline: int, recent: int, n_recent: int) -> float:
    """Test whether a share of rows is the same in two samples: the two-sided p-value.

    Null:
        Both are draws from one population.

    Assumes:
        Rows are independent. By χ² where 5 rows are to be expected in each of the four cells, else Fisher's exact
        test, as twice the smaller tail.

    Args:
        baseline: Such rows in the baseline.
        n_baseline: Its rows.
        recent: Such rows in the recent sample.
        n_recent: Its rows.

    Raises:
        NotApplicableError: A sample has no row.

    References:
        Fisher (1935), Journal of the Royal Statistical Society 98:39. Cochran (1954), Biometrics 10:417.

    Example:
        >>> round(two_shares(0, 1000, 3, 10), 9)
        1.402e-06
    """
    expect_rows(n_baseline, n_recent)
    such, n = baseline + recent, n_baseline + n_recent
    if min(n_baseline, n_recent) * min(such, n - such) >= EXPECTED * n:
        return chi_squared([baseline, n_baseline - baseline], [recent, n_recent - recent]).pvalue
    # The cell with the fewest rows to be expected: its mean is below 5, so that its tails are short.
    cell = recent if n_recent <= n_baseline else baseline
    rows = min(n_baseline, n_recent)
    cell, such = (cell, such) if 2 * such <= n else (rows - cell, n - such)
    could = np.arange(max(0, rows + such - n), min(rows, such, cell + _TERMS) + 1, dtype=np.float64)
    log = _log_choose(rows, could) + _log_choose(n - rows, such - could) - _log_choose(n, np.array(float(such)))
    chances = np.exp(log)
    tails = float(chances[could <= cell].sum()), float(chances[could >= cell].sum())
    return min(1.0, 2 * min(tails))


def stability_index(baseline: npt.ArrayLike, recent: npt.ArrayLike) -> float:
    """Compute the population stability index (PSI) of two samples over the same groups.

    PSI is Σ (p - q)·ln(p/q), the symmetric Kullback-Leibler divergence in nats. Half a row is added to each group of
    either sample, so that it is finite where a group is empty; groups that are empty in both are left out.

    Under one distribution it is about χ² with (groups - 1) degrees of freedom, times 1/n + 1/m: 0.1 and 0.25, which
    are often taken for limits, are rules of thumb that know nothing of n.

    Args:
        baseline: Rows by group, shape (groups,).
        recent: Likewise.

    References:
        Siddiqi (2006), Credit Risk Scorecards, for the rules of thumb. Yurdakul (2018), Statistical Properties of
        Population Stability Index, dissertation, Western Michigan University, for the distribution.

    Example:
        >>> stability_index([10, 20], [10, 20]), round(stability_index([30, 70], [70, 30]), 3)
        (0.0, 0.664)
    """
    p, q = _shares(baseline, recent, smoothing=SMOOTHING)
    return max(0.0, float(((p - q) * np.log(p / q)).sum()))


def jensen_shannon(baseline: npt.ArrayLike, recent: npt.ArrayLike) -> float:
    """Compute the Jensen-Shannon distance of two samples over the same groups, in [0, 1].

    It is the square root of the divergence in bits, and a metric.

    Args:
        baseline: Rows by group, shape (groups,).
        recent: Likewise.

    References:
        Lin (1991), IEEE Transactions on Information Theory 37:145. Endres & Schindelin (2003), IEEE Transactions on
        Information Theory 49:1858, who show that it is a metric.

    Example:
        >>> jensen_shannon([1, 0], [0, 1]), jensen_shannon([1, 3], [2, 6])
        (1.0, 0.0)
    """
    p, q = _shares(baseline, recent)
    middle = (p + q) / 2
    divergence = (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum() / (2 * math.log(2))
    return math.sqrt(min(1.0, max(0.0, float(divergence))))


def total_variation(baseline: npt.ArrayLike, recent: npt.ArrayLike) -> float:
    """Compute the total variation distance: the share of rows that have other values, in [0, 1].

    Args:
        baseline: Rows by group, shape (groups,).
        recent: Likewise.

    Example:
        >>> round(total_variation([30, 70], [50, 50]), 3)
        0.2
    """
    p, q = _shares(baseline, recent)
    return min(1.0, float(np.abs(p - q).sum()) / 2)


def expect_rows(baseline: float, recent: float) -> None:
    """Refuse samples of which one has no row.

    Raises:
        NotApplicableError: One of them has none.
    """
    if not baseline or not recent:
        which = "the baseline" if not baseline else "the recent window"
        raise NotApplicableError(f"{which} has no row with a value.")


def _shares(
    baseline: npt.ArrayLike, recent: npt.ArrayLike, *, smoothing: float = 0.0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    table = np.array([baseline, recent], dtype=np.float64)
    if table.ndim != 2 or not (table >= 0).all():
        raise InvalidInputError("counts must be two columns of as many numbers from 0.")
    expect_rows(*table.sum(axis=1).tolist())
    table = table[:, table.sum(axis=0) > 0] + smoothing
    p, q = table / table.sum(axis=1, keepdims=True)
    return p, q


def _log_choose(n: int, k: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))
