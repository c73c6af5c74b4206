"""Weighted slopes: against statsmodels, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.trends import slope
from tests.known import known


@given(st.integers(3, 40), st.integers(0, 2**32 - 1))
def test_slopes_are_statsmodels(points: int, seed: int) -> None:
    """Slope and interval are those of statsmodels' weighted least squares, wherever the days are counted from."""
    rng = np.random.default_rng(seed)
    x, y, weights = 20_000 + np.arange(points), rng.normal(size=points), rng.integers(1, 500, points)
    found = known(slope(x, y, weights, confidence_level=0.9))
    fit = sm.WLS(y, sm.add_constant(x - x.mean()), weights=weights).fit()
    assert found.value == pytest.approx(fit.params[1], rel=1e-6, abs=1e-9)
    interval = known(found.interval)
    assert (interval.lower, interval.upper) == pytest.approx(fit.conf_int(0.1)[1], rel=1e-5, abs=1e-8)


def test_no_slope() -> None:
    """Two points, or points at one place, have no slope; points on a line have one without an interval."""
    assert slope([0, 1], [0.1, 0.2], [1, 1]) is None
    assert slope([2, 2, 2], [0.1, 0.2, 0.3], [1, 1, 1]) is None
    line = known(slope([0, 1, 2], [0.5, 0.6, 0.7], [3, 1, 2]))
    assert line.value == pytest.approx(0.1)
    assert line.interval is None
    flat = known(slope([0, 1, 2], [1.0, 1.0, 1.0], [3, 1, 2]))
    assert (flat.value, flat.interval) == (0, None)
