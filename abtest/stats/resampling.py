"""The paired bootstrap, on a table of counts instead of on rows: the same distribution at any number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.proportions import Interval, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

NOISE = 1e-12  # a difference of metrics below this is floating-point noise, not an effect

_CHUNK_BYTES = 32 << 20
_LIGHT = 16  # a binomial number costs about as much as drawing so many rows
_FEWEST_LUMPED = 32


def multinomial_draws(
    counts: npt.NDArray[np.int64], *, resamples: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Resample the rows behind a table of counts, with replacement.

    Null:
        None: draws from the empirical distribution. Both sides are drawn together, so that their pairing is kept.

    Assumes:
        Rows are independent. Each draw of n rows is then Multinomial(n, counts / n) over the cells, exactly.

    Args:
        counts: Rows by cell, shape (cells,).
        resamples: Draws in all.
        rng: Where the randomness comes from; the draws depend on it and on nothing else.

    Returns:
        Chunks of draws, shape (draws, cells), each of about 32 MiB at most; their rows add up to ``resamples``.

    Raises:
        InvalidInputError: There is nothing to draw.
        NotApplicableError: There are no rows.

    References:
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 20.2: resampling vectors are multinomial.

    Example:
        >>> [draws] = multinomial_draws(np.array([70, 20, 10]), resamples=3, rng=np.random.default_rng(0))
        >>> draws.shape, draws.sum(axis=1).tolist()
        ((3, 3), [100, 100, 100])
    """
    if resamples < 1:
        raise InvalidInputError(f"resamples must be at least 1, got {resamples}.")
    if not counts.sum():
        raise NotApplicableError("There are no rows to resample.")
    return _chunks(counts, resamples, rng)


def percentile_interval(draws: npt.NDArray[np.float64], *, confidence_level: float = 0.95) -> Interval | None:
    """Compute the percentile interval of resampled values.

    Null:
        None: an interval, not a test.

    Assumes:
        The resampled values spread around the observed one as the observed one does around the truth. On these
        discrete tables it covers better than BCa.

    Args:
        draws: Resampled values of one quantity, shape (resamples,).
        confidence_level: Nominal coverage.

    Returns:
        The limits, or None where the values do not spread: not estimable, which is not the same as certain.

    Raises:
        InvalidInputError: The level is no level.

    References:
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.

    Example:
        >>> percentile_interval(np.arange(101.0), confidence_level=0.5)
        Interval(lower=25.0, upper=75.0)
        >>> percentile_interval(np.zeros(101)) is None
        True
    """
    normal_quantile(confidence_level)  # refuses what is no level
    if draws.size == 0 or np.ptp(draws) <= NOISE:
        return None
    tail = (1 - confidence_level) / 2
    lower, upper = np.quantile(draws, [tail, 1 - tail])
    return Interval(lower=float(lower), upper=float(upper))


def bootstrap_pvalue(effects: npt.NDArray[np.float64]) -> float:
    """Compute the two-sided bootstrap p-value of an effect from its resampled values.

    Null:
        The effect is zero.

    Assumes:
        What the percentile interval assumes, as this inverts it: p is about the level at which zero falls out of it.

    Args:
        effects: Resampled effects, shape (resamples,). Those within ``NOISE`` of zero count on both sides.

    Returns:
        At least 2 / (resamples + 1), so many tests at once need many resamples; at most 1.

    References:
        Davison & Hinkley (1997), Bootstrap Methods and their Application, chapter 4, for adding the observed one:
        no p-value is zero.

    Example:
        >>> bootstrap_pvalue(np.array([1.0] * 98 + [-1.0]))
        0.04
    """
    not_above, not_below = int(np.sum(effects <= NOISE)), int(np.sum(effects >= -NOISE))
    return min(1.0, 2 * (min(not_above, not_below) + 1) / (effects.size + 1))


def _chunks(counts: npt.NDArray[np.int64], resamples: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Draw chunk by chunk; each of the two streams of randomness is used draw by draw, wherever chunks are cut."""
    light = np.flatnonzero((counts > 0) & (counts <= _LIGHT))
    lump = counts[light]
    if light.size < _FEWEST_LUMPED:
        light, lump = light[:0], lump[:0]
    heavy = np.setdiff1d(np.flatnonzero(counts), light, assume_unique=True)
    rows, stream = np.repeat(np.arange(light.size), lump), rng.spawn(1)[0]
    size = max(1, _CHUNK_BYTES // (counts.size * counts.itemsize))
    for start in range(0, resamples, size):
        number = min(size, resamples - start)
        drawn = _multinomial(np.append(counts[heavy], lump.sum()), number, rng)
        draws = np.zeros((number, counts.size), dtype=np.int64)
        draws[:, heavy] = drawn[:, :-1]
        if light.size:
            draws[:, light] = _from_lump(drawn[:, -1], rows, light.size, stream)
        yield draws


def _multinomial(counts: npt.NDArray[np.int64], number: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    # NumPy gives the last cell whatever the others leave, having tracked the probability that remains; with the largest
    # cell last, that sum's rounding can neither put rows into an empty cell nor push a ratio above 1.
    order = np.arange(counts.size)
    largest = int(np.argmax(counts))
    order[[largest, -1]] = order[[-1, largest]]
    n = int(counts.sum())
    # A Generator draws row by row: the numbers do not depend on where the chunks are cut.
    draws = rng.multinomial(n, counts[order] / n, size=number)
    draws[:, [largest, -1]] = draws[:, [-1, largest]]
    return draws


def _from_lump(
    taken: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], cells: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw rows one by one from cells of few rows: cheaper than a binomial number for each cell, and the same draw."""
    found = rows[rng.integers(0, rows.size, size=int(taken.sum()))]
    found += np.repeat(np.arange(taken.size) * cells, taken)
    return np.bincount(found, minlength=taken.size * cells).reshape(taken.size, cells)
