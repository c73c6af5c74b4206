"""Both sides must give the same numbers before either is timed: a speed of something else says nothing."""

from __future__ import annotations

import numpy as np


def must_agree(ours: object, theirs: object, *, within: float = 0.0) -> None:
    """Compare two numbers, or two columns of them.

    Raises:
        AssertionError: They differ by more than a relative ``within``.
    """
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=within, atol=within)
