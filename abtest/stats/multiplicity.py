"""Many tests at once: any false alarm among them is as rare as for one, or false ones are a small share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence


def holm(pvalues: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Adjust p-values by Holm's step-down method.

    Null:
        Each test's own. Rejecting where the adjusted p is at most a level keeps any false rejection that rare.

    Assumes:
        Nothing about how the tests depend on each other.

    Args:
        pvalues: Shape (tests,).

    Returns:
        Adjusted p-values in the order given, shape (tests,): never below the raw ones, never above 1.

    Raises:
        InvalidInputError: One of them is no p-value.

    References:
        Holm (1979), Scandinavian Journal of Statistics 6:65.

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    p = _checked(pvalues)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    return adjusted


def holm_levels(pvalues: Sequence[float], alpha: float) -> list[float]:
    """Give each of several tests the level that Holm's step-down method holds it against.

    Null:
        Each test's own. Rejecting where p is below its level is rejecting where ``holm`` is below ``alpha``, to the
        last bit: any false rejection is as rare as ``alpha``.

    Assumes:
        Nothing about how the tests depend on each other. An interval of confidence 1 - level agrees with its test.
        All intervals together miss more often than ``alpha``, for the levels are chosen by the data: where three
        effects are beyond doubt, one or more of their three intervals miss in 8.9 %, not 5 %.

    Args:
        pvalues: One a test.
        alpha: The level of them all, in (0, 1).

    Returns:
        Levels in the order given. Of K tests the smallest p has alpha / K, the next alpha / (K - 1), and so on; from
        the first p that is not below its level, all have that one's. Where rounding would make p * K and alpha / K
        disagree, a level is next to that.

    Raises:
        InvalidInputError: One of them is no p-value, or alpha is no level.

    References:
        Holm (1979), Scandinavian Journal of Statistics 6:65.

    Example:
        >>> holm_levels([0.01, 0.04, 0.03], 0.06)
        [0.02, 0.03, 0.03]
    """
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must be in (0, 1), got {alpha}.", hint="try 0.05.")
    p = _checked(pvalues)
    levels, level, rejects = [alpha] * p.size, alpha, True
    for left, at in zip(range(p.size, 0, -1), np.argsort(p, kind="stable").tolist(), strict=True):
        if rejects:
            own = float(p[at])
            rejects = own * left < alpha  # as holm rounds, which dividing does not: (0.05 / 19) * 19 < 0.05
            level = max(alpha / left, math.nextafter(own, 1)) if rejects else min(alpha / left, own)
        levels[at] = level
    return levels


def benjamini_hochberg(pvalues: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Adjust p-values by the step-up method of Benjamini and Hochberg.

    Null:
        Each test's own. Rejecting where the adjusted p is at most a level keeps the expected share of false rejections
        among all at that level.

    Assumes:
        The tests are independent, or depend on each other positively, as two-sided tests of correlated columns mostly
        do.

    Args:
        pvalues: Shape (tests,).

    Returns:
        Adjusted p-values in the order given, shape (tests,): never below the raw ones, never above Holm's.

    Raises:
        InvalidInputError: One of them is no p-value.

    References:
        Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57:289. Benjamini & Yekutieli (2001),
        Annals of Statistics 29:1165, for the dependence.

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.04, 0.04]
    """
    p = _checked(pvalues)
    order = np.argsort(p, kind="stable")[::-1]
    scaled = p[order] * (p.size / np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def e_benjamini_hochberg(logs: Sequence[float], alpha: float) -> list[bool]:
    """Choose among many tests by their evidence, so that false choices are a small share of all: e-BH.

    Null:
        Each test's own. Of the tests chosen, the expected share whose null is true is at most ``alpha``.

    Assumes:
        Each E is at most 1 in expectation under its null, as any e-process is at a look; nothing about how they
        depend on each other.

    Args:
        logs: log E, one a test; minus infinity is no evidence.
        alpha: The level of the false discovery rate, in (0, 1).

    Returns:
        Whether each is chosen, in the order given: the k with the most evidence, for the largest k of which even the
        least has E of at least K / (k·alpha), of K tests.

    Raises:
        InvalidInputError: One of them is not a number, or alpha is no level.

    References:
        Wang & Ramdas (2022), Journal of the Royal Statistical Society B 84:822, definition 1 and theorem 2.

    Example:
        >>> e_benjamini_hochberg([math.log(50), math.log(2), math.log(31)], 0.05)
        [True, False, True]
        >>> e_benjamini_hochberg([math.log(50), math.log(2), math.log(29)], 0.05)
        [False, False, False]
    """
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha must be in (0, 1), got {alpha}.", hint="try 0.05.")
    log_e = np.asarray(logs, dtype=np.float64)
    if np.isnan(log_e).any():
        raise InvalidInputError("logs must be numbers, got nan.")
    needed = math.log(max(log_e.size, 1) / alpha) - np.log(np.arange(1, log_e.size + 1))
    enough = np.flatnonzero(np.sort(log_e)[::-1] >= needed)
    chosen: list[bool] = (log_e >= needed[enough[-1]]).tolist() if enough.size else [False] * log_e.size
    return chosen


def _checked(pvalues: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    p = np.asarray(pvalues, dtype=np.float64)
    wrong = ~((p >= 0) & (p <= 1))  # NaN too
    if wrong.any():
        raise InvalidInputError(f"pvalues must be in [0, 1], got {p[wrong][0]}.")
    return p
