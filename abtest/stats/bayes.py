"""The Bayesian reading: how likely the challenger is better, and what promoting it is expected to cost.

The posterior of a table of counts is a Dirichlet distribution over its cells (the Bayesian bootstrap), with one
pseudo-row among the champion-only cells and one among the challenger-only cells: without them a single discordant row
would make one side better for certain. For accuracy everything is computed; other metrics are drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.outcomes import Contingency

Floats = npt.NDArray[np.float64]

_CHUNK_BYTES = 32 << 20
_NODES = 200
_OUTSIDE = 1e-18  # probability that the integral leaves out at either end


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What to believe of an effect that is better when positive.

    Attributes:
        better: P(effect > 0).
        better_by_margin: P(effect > margin).
        rope: P(-margin <= effect <= margin), the region of practical equivalence.
        expected_loss: E[max(-effect, 0)]: what promoting the challenger costs on average, in the metric's unit.
        margin: The smallest effect that matters.
        monte_carlo_error: Largest standard error of the three probabilities from drawing; 0 where they are computed.
        expected_loss_error: Standard error of the expected loss from drawing; 0 where it is computed.
    """

    better: float
    better_by_margin: float
    rope: float
    expected_loss: float
    margin: float
    monte_carlo_error: float = 0.0
    expected_loss_error: float = 0.0


def better_probability(table: Contingency) -> float:
    """Compute the posterior probability that the challenger is more accurate, in closed form.

    Null:
        None: a probability of the effect given the data. It equals 1 − the one-sided mid-p of McNemar's test exactly.

    Assumes:
        Rows are independent. The pseudo-rows say, before any data, that either side may be right where they differ.

    Args:
        table: Counts of correctness.

    Returns:
        P(Beta(champion_only + 1, challenger_only + 1) < 1/2); 1/2 where no row is discordant.

    References:
        Rubin (1981), Annals of Statistics 9:130. Altham (1969), Journal of the Royal Statistical Society B 31:261, for
        exact tests as posterior probabilities.

    Example:
        >>> from abtest.outcomes import Contingency
        >>> better_probability(Contingency(both=1, champion_only=1, challenger_only=7, neither=12))
        0.98046875
    """
    return float(special.betainc(table.champion_only + 1, table.challenger_only + 1, 0.5))


def accuracy_posterior(table: Contingency, *, margin: float = 0.0) -> Posterior:
    """Compute what to believe of the challenger's accuracy minus the champion's.

    Null:
        None: probabilities of the effect given the data.

    Assumes:
        Rows are independent. A discordant share D ~ Beta(m + 2, n − m) and the challenger's share S of it
        ~ Beta(challenger_only + 1, champion_only + 1) are then independent, and the effect is D(2S − 1).

    Args:
        table: Counts of correctness.
        margin: The smallest effect that matters, in [0, 1]: 0.01 is one point.

    Returns:
        P(better) and the expected loss in closed form; the two with a margin by one integral over D, to about 1e-12.

    Raises:
        InvalidInputError: The margin is none.
        NotApplicableError: There are no rows.

    References:
        Rubin (1981), Annals of Statistics 9:130. Kruschke (2018), Advances in Methods and Practices in Psychological
        Science 1:270, for the region of practical equivalence.

    Example:
        >>> from abtest.outcomes import Contingency
        >>> ours = accuracy_posterior(Contingency(both=80, champion_only=4, challenger_only=12, neither=4), margin=0.02)
        >>> round(ours.better, 4), round(ours.better_by_margin, 4), round(ours.rope, 4), round(ours.expected_loss, 5)
        (0.9755, 0.9294, 0.0634, 0.00039)
    """
    if not 0 <= margin <= 1:
        raise InvalidInputError(f"margin must be in [0, 1], got {margin}.", hint="0.01 is one point.")
    if not table.n:
        raise NotApplicableError("There are no rows to compare.")
    b, c, rest = table.champion_only, table.challenger_only, table.both + table.neither
    above, below = _beyond(c, b, rest, margin), _beyond(b, c, rest, margin)
    return Posterior(
        better=better_probability(table),
        better_by_margin=above,
        rope=min(max(1.0 - above - below, 0.0), 1.0) if margin else 0.0,
        expected_loss=(b + c + 2) / (table.n + 2) * _mean_shortfall(c + 1, b + 1),
        margin=margin,
    )


def drawn_posterior(improvements: Floats, *, margin: float = 0.0) -> Posterior:
    """Summarise draws of an effect from its posterior.

    Null:
        None: probabilities of the effect given the data.

    Assumes:
        The draws are independent and from the posterior, as metrics of ``dirichlet_draws`` are.

    Args:
        improvements: Draws of the effect, signed so that positive is better, shape (draws,).
        margin: The smallest effect that matters, in the metric's unit, at least 0.

    Returns:
        Shares of the draws, those within ``NOISE`` of zero half for each side, with their Monte-Carlo errors.

    Raises:
        InvalidInputError: The margin is none, or a draw is not finite.
        NotApplicableError: There are no draws.

    References:
        Rubin (1981), Annals of Statistics 9:130.

    Example:
        >>> drawn_posterior(np.array([0.5, 0.25, 0.0, -0.25]), margin=0.25).better
        0.625
    """
    if not 0 <= margin < math.inf:
        raise InvalidInputError(f"margin must be at least 0, got {margin}.")
    if not improvements.size:
        raise NotApplicableError("There are no draws.")
    if not np.isfinite(improvements).all():
        raise InvalidInputError("improvements must be finite in every draw.")
    ties = np.abs(improvements) <= NOISE
    losses = np.maximum(-improvements, 0.0)
    return Posterior(
        better=float(np.mean(np.where(ties, 0.5, improvements > 0))),
        better_by_margin=float(np.mean(improvements > margin + NOISE)),
        rope=float(np.mean(np.abs(improvements) <= margin + NOISE)),
        expected_loss=float(losses.mean()),
        margin=margin,
        monte_carlo_error=0.5 / math.sqrt(improvements.size),
        expected_loss_error=float(losses.std()) / math.sqrt(improvements.size),
    )


def smoothed(
    counts: npt.NDArray[np.int64], champion_only: npt.NDArray[np.bool_], challenger_only: npt.NDArray[np.bool_]
) -> Floats:
    """Add one pseudo-row to each side's cells, spread as the rows there are; evenly where there are none.

    Args:
        counts: Rows by cell, shape (cells,). Cells without rows may be given, and are where an empty side needs them.
        champion_only: Cells in which only the champion is right.
        challenger_only: Cells in which only the challenger is right.

    Returns:
        Counts for ``dirichlet_draws``, shape (cells,). Accuracy drawn with them has the posterior of
        ``accuracy_posterior``, however many cells its four counts are cut into.

    Raises:
        NotApplicableError: A side has no cell to put the pseudo-row into.

    Example:
        >>> counts = np.array([90, 6, 2, 0, 0])
        >>> smoothed(counts, np.array([0, 1, 1, 0, 0], bool), np.array([0, 0, 0, 1, 1], bool)).tolist()
        [90.0, 6.75, 2.25, 0.5, 0.5]
    """
    result = counts.astype(np.float64)
    for name, cells in (("champion", champion_only), ("challenger", challenger_only)):
        if not cells.any():
            raise NotApplicableError(
                f"There is no cell in which only the {name} is right.", hint="add one that counts no rows."
            )
        rows = counts[cells]
        result[cells] += rows / rows.sum() if rows.any() else 1 / rows.size
    return result


def dirichlet_draws(
    counts: npt.NDArray[np.int64] | Floats, *, draws: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Draw the shares that cells have among all rows there could be, given the rows there are.

    Null:
        None: draws from the posterior, under the prior that cells without rows do not occur.

    Assumes:
        Rows are independent.

    Args:
        counts: Rows by cell, shape (cells,), pseudo-rows included if wanted.
        draws: Draws in all.
        rng: Where the randomness comes from; the draws depend on it and on nothing else.

    Returns:
        Chunks of weights that sum to 1, shape (draws, cells), each of about 32 MiB at most. They take the place of
        counts in whatever is a ratio of sums of counts.

    Raises:
        InvalidInputError: There is nothing to draw, or a count is negative.
        NotApplicableError: There are no rows.

    References:
        Rubin (1981), Annals of Statistics 9:130.

    Example:
        >>> [weights] = dirichlet_draws(np.array([70, 20, 0]), draws=3, rng=np.random.default_rng(0))
        >>> weights.shape, weights.sum(axis=1).round(12).tolist(), weights[:, 2].tolist()
        ((3, 3), [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    """
    if draws < 1:
        raise InvalidInputError(f"draws must be at least 1, got {draws}.")
    shapes = np.asarray(counts, dtype=np.float64)
    if not np.all((shapes >= 0) & (shapes < math.inf)):  # NaN too
        raise InvalidInputError("counts must be at least 0 in every cell.")
    if shapes.sum() < 1:
        raise NotApplicableError("There are no rows to draw from.")
    return _chunks(shapes, draws, rng)


def _chunks(shapes: Floats, draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    size = max(1, _CHUNK_BYTES // shapes.nbytes)
    for start in range(0, draws, size):
        # A Generator draws row by row: the numbers do not depend on where the chunks are cut.
        gammas = rng.standard_gamma(shapes, size=(min(size, draws - start), shapes.size))
        yield gammas / gammas.sum(axis=1, keepdims=True)


def _beyond(wins: int, losses: int, rest: int, margin: float) -> float:
    """P(D(2S − 1) > margin): the integral over D of its density times P(S > (1 + margin/D)/2)."""

    def share_beyond(discordant: Floats) -> Floats:
        return np.asarray(special.betaincc(wins + 1, losses + 1, np.minimum((1 + margin / discordant) / 2, 1.0)))

    if margin == 0 or rest == 0:  # D does not matter, or is 1
        return float(share_beyond(np.ones(1))[0])
    a = wins + losses + 2
    low, high = float(special.betaincinv(a, rest, _OUTSIDE)), float(special.betainccinv(a, rest, _OUTSIDE))
    start = max(low, margin)  # below the margin no split of D reaches it, and at it the integrand has a kink
    if start >= high:
        return 0.0
    density_all, step_all = _density(a, rest, low, high)[1:]
    nodes, density, step = _density(a, rest, start, high)
    return min(float(density @ (step * share_beyond(nodes))) / float(density_all @ step_all), 1.0)


def _density(a: int, b: int, low: float, high: float) -> tuple[Floats, Floats, Floats]:
    """Beta density up to a factor at the nodes of an interval, with their weights.

    Taken relative to its value at the mean: at a hundred million rows the plain logarithms would leave eight digits.
    """
    x, w = _legendre()
    nodes = low + (high - low) * (x + 1) / 2
    mean = a / (a + b)
    off = nodes - mean
    density = np.exp((a - 1) * np.log1p(off / mean) + (b - 1) * np.log1p(-off / (1 - mean)))
    return nodes, density, w * (high - low) / 2


@cache
def _legendre() -> tuple[Floats, Floats]:
    x, w = special.roots_legendre(_NODES)
    return np.asarray(x), np.asarray(w)


def _mean_shortfall(a: int, b: int) -> float:
    """E[max(1 − 2S, 0)] for S ~ Beta(a, b): by parts, as I_x(a + 1, b) = I_x(a, b) − x^a (1 − x)^b / (a B(a, b))."""
    tail = float(special.betainc(a, b, 0.5))
    edge = math.exp((1 - a - b) * math.log(2) - float(special.betaln(a, b))) / (a + b)
    return max((b - a) / (a + b) * tail + edge, 0.0)
