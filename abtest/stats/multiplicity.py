"""Many tests at once: p-values adjusted so that any false alarm among them is as rare as for one."""

from __future__ import annotations

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
    p = np.asarray(pvalues, dtype=np.float64)
    wrong = ~((p >= 0) & (p <= 1))  # NaN too
    if wrong.any():
        raise InvalidInputError(f"pvalues must be in [0, 1], got {p[wrong][0]}.")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    return adjusted
