"""Holm's method against its definition and against statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from abtest.errors import InvalidInputError
from abtest.stats.multiplicity import holm

PVALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 1.0])), max_size=25)


@settings(max_examples=25)  # statsmodels takes its time
@given(PVALUES.filter(len))
def test_agrees_with_statsmodels(pvalues: list[float]) -> None:
    """Adjusted p-values are statsmodels', ties and all."""
    assert holm(pvalues) == pytest.approx(multipletests(pvalues, method="holm")[1], rel=1e-12)


@given(PVALUES, st.floats(0.001, 0.999))
def test_steps_down(pvalues: list[float], alpha: float) -> None:
    """Rejecting adjusted p-values at α is walking from the smallest up, while the i-th is at most α / (K - i)."""
    rejected: set[int] = set()
    for i, k in enumerate(sorted(range(len(pvalues)), key=lambda k: pvalues[k])):
        if pvalues[k] * (len(pvalues) - i) > alpha:
            break
        rejected.add(k)
    assert set(np.flatnonzero(holm(pvalues) <= alpha)) == rejected


@given(PVALUES.flatmap(lambda p: st.tuples(st.just(p), st.permutations(range(len(p))))))
def test_order_is_kept(drawn: tuple[list[float], list[int]]) -> None:
    """Shuffling the tests shuffles the answers; none falls below its raw p-value or above 1; order is preserved."""
    pvalues, order = drawn
    adjusted = holm(pvalues)
    assert holm([pvalues[k] for k in order]).tolist() == adjusted[order].tolist()
    assert all(raw <= ours <= 1 for raw, ours in zip(pvalues, adjusted, strict=True))
    assert np.all(np.diff(adjusted[np.argsort(pvalues, kind="stable")]) >= 0)


def test_none_and_one() -> None:
    """No tests give no answers; one test keeps its p-value."""
    assert holm([]).shape == (0,)
    assert holm([]).dtype == np.float64
    assert holm(np.array([0.04])).tolist() == [0.04]


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.5])
def test_no_pvalue(wrong: float) -> None:
    """What is no p-value is refused by value."""
    with pytest.raises(InvalidInputError, match=rf"^pvalues must be in \[0, 1\], got {wrong}\.$"):
        holm([0.5, wrong])
