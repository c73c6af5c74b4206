"""The paired bootstrap, on a table of counts instead of on rows: the same distribution at any number of rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.multinomial import Recipe, cheapest
from abtest.stats.proportions import Interval, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

Counts: TypeAlias = npt.NDArray[np.integer[Any]]
Block: TypeAlias = Callable[[], Counts]

NOISE = 1e-12  # a difference of metrics below this is floating-point noise, not an effect

_BLOCK_BYTES = 4 << 20  # of draws: about what a core's caches hold
_FEWEST_DRAWS, _MOST_BYTES = 64, 32 << 20  # of many cells more, as short rows take long


def multinomial_draws(counts: Counts, *, resamples: int, rng: np.random.Generator) -> Iterator[Counts]:
    """Resample the rows behind a table of counts, with replacement.

    Null:
        None: draws from the empirical distribution. Both sides are drawn together, so that their pairing is kept.

    Assumes:
        Rows are independent. Each draw of n rows is then Multinomial(n, counts / n) over the cells, exactly.

    Args:
        counts: Rows by cell, shape (cells,).
        resamples: Draws in all.
        rng: Where the randomness comes from; the draws depend on it and on the counts, and on nothing else.

    Returns:
        Blocks of draws, shape (draws, cells), each of at most 32 MiB or of one draw; their rows add up to
        ``resamples``.

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
    return (block() for block in multinomial_blocks(counts, resamples=resamples, rng=rng))


def multinomial_blocks(counts: Counts, *, resamples: int, rng: np.random.Generator) -> list[Block]:
    """Prepare the same draws, block by block: each has randomness of its own, and is called once, by any thread.

    Raises:
        InvalidInputError: There is nothing to draw.
        NotApplicableError: There are no rows.
    """
    if resamples < 1:
        raise InvalidInputError(f"resamples must be at least 1, got {resamples}.")
    if not counts.sum():
        raise NotApplicableError("There are no rows to resample.")
    recipe = cheapest(counts)
    size = _block_size(counts.size * np.dtype(recipe.dtype).itemsize)
    numbers = [min(size, resamples - start) for start in range(0, resamples, size)]
    return [partial(_block, recipe, number, own) for number, own in zip(numbers, rng.spawn(len(numbers)), strict=True)]


def _block_size(draw: int) -> int:
    """Draws in a block, by the bytes of one: of the table alone, so that no number depends on the machine."""
    return max(1, _BLOCK_BYTES // draw, min(_FEWEST_DRAWS, _MOST_BYTES // draw))


def _block(recipe: Recipe, number: int, rng: np.random.Generator) -> Counts:
    return recipe.draw(number, rng).T


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
