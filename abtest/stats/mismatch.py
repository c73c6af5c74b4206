"""Whether units reached their arms in the shares that were planned, looked at as often as one likes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONCENTRATION = 100.0  # of the mixture about the planned shares: sharp for shares that are off by some points
ALPHA = 0.001  # a mismatch stops every verdict, so a false alarm has to be rare


def mismatch_evidence(
    counts: Sequence[int], weights: Sequence[float], *, concentration: float = CONCENTRATION
) -> float:
    """Compute the natural logarithm of the evidence E that units do not come in the planned shares.

    Null:
        Each unit falls to arm i with probability ``weights[i]``, whatever the units before it did. E then exceeds 1/α
        at any look, ever, with probability α at most (Ville's inequality); ``sequential.anytime_pvalue`` turns it into
        a p-value.

    Assumes:
        Units are counted once each, at their first exposure.

    Args:
        counts: Units by arm, shape (arms,).
        weights: Planned shares by arm, all positive; in proportion, they need not add up to 1.
        concentration: The mixture is Dirichlet(concentration · weights) over the true shares.

    Returns:
        log E: 0 before any unit.

    Raises:
        InvalidInputError: A count is negative, a weight or the concentration is not positive, or there are not as many
            weights as counts.

    References:
        Lindon & Malek (2022), Advances in Neural Information Processing Systems 35: Anytime-valid inference for
        multinomial count data.

    Example:
        >>> round(mismatch_evidence((5200, 4800), (0.5, 0.5)), 8)
        5.61361341
        >>> round(mismatch_evidence((8900, 1100), (0.9, 0.1)), 8)
        2.98925188
    """
    return float(mismatch_evidence_by_look([counts], weights, concentration=concentration)[0])


def mismatch_evidence_by_look(
    counts: npt.ArrayLike, weights: Sequence[float], *, concentration: float = CONCENTRATION
) -> npt.NDArray[np.float64]:
    """Compute ``mismatch_evidence`` at each of many looks at once.

    Null:
        That of ``mismatch_evidence``.

    Assumes:
        That of ``mismatch_evidence``.

    Args:
        counts: Units by arm by each look, shape (looks, arms).
        weights: As there.
        concentration: As there.

    Returns:
        log E at each look, shape (looks,).

    Raises:
        InvalidInputError: As there.

    References:
        Those of ``mismatch_evidence``.

    Example:
        >>> mismatch_evidence_by_look([(50, 50), (5200, 4800)], (0.5, 0.5)).round(4).tolist()
        [-0.3478, 5.6136]
    """
    n = np.asarray(counts, dtype=np.float64)
    w = np.asarray(weights, dtype=np.float64)
    _check(n, w, concentration)
    w = w / w.sum()
    prior = concentration * w
    of_arms = special.gammaln(prior + n) - special.gammaln(prior) - n * np.log(w)
    log_e: npt.NDArray[np.float64] = (
        special.gammaln(concentration) - special.gammaln(concentration + n.sum(axis=-1)) + of_arms.sum(axis=-1)
    )
    return log_e


def _check(n: npt.NDArray[np.float64], w: npt.NDArray[np.float64], concentration: float) -> None:
    if n.ndim != 2 or w.ndim != 1 or w.size < 2 or n.shape[1] != w.size:
        raise InvalidInputError(
            f"counts must have one column for each of two or more weights, got shapes {n.shape} and {w.shape}."
        )
    for name, numbers, right, rule in (
        ("counts", n, n >= 0, "at least 0"),
        ("weights", w, (w > 0) & (w < math.inf), "positive"),
        ("concentration", np.array(concentration), np.array(0 < concentration < math.inf), "positive"),
    ):
        if not right.all():
            raise InvalidInputError(f"{name} must be {rule}, got {numbers[~right].flat[0]:g}.")
