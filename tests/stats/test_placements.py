"""Placements from packed keys: in the order of the scores, whatever they are, and summed without rounding."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest.stats.placements import Floats, Placements, dot

TINY = float(np.finfo(np.float64).smallest_subnormal)
CLOSE = float(np.nextafter(0.1, 1))
NUMBER = st.one_of(
    st.sampled_from([0.0, -0.0, TINY, -TINY, 0.1, CLOSE, -0.1, -CLOSE, 1.0, 1e308, -1e308]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
ROWS = st.lists(st.tuples(st.booleans(), NUMBER), max_size=60)


def assert_by_all_pairs(rows: list[tuple[bool, float]]) -> None:
    """Count each row's pairs one by one."""
    positives, negatives = [x for y, x in rows if y], [x for y, x in rows if not y]
    placed = Placements.of(np.array([y for y, _ in rows], dtype=bool), np.array([x for _, x in rows], dtype=float))
    assert placed.above.tolist() == [sum((x > z) + (x >= z) for z in negatives) for x in positives]
    assert placed.below.tolist() == [sum((x > z) + (x >= z) for x in positives) for z in negatives]
    assert placed.won == placed.below.sum()


@given(ROWS)
def test_all_pairs(rows: list[tuple[bool, float]]) -> None:
    """Every row's placement is that of comparing all pairs: signs, -0.0, subnormals, and neighbours among doubles."""
    assert_by_all_pairs(rows)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=2, max_size=60), st.sampled_from([0.1, 1.0, 7e300])
)
def test_scores_that_differ_in_the_last_bits(rows: list[tuple[bool, int]], about: float) -> None:
    """Scores that look alike once the index has taken its bits of the key still keep their order, ties and all."""
    ladder = [-about, 0.0, about]
    for _ in range(10):
        ladder.append(float(np.nextafter(ladder[-1], np.inf)))
    assert_by_all_pairs([(y, ladder[i]) for y, i in rows])


def midranks(truth: np.ndarray, scores: Floats) -> tuple[np.ndarray, np.ndarray]:
    """Twice the rank among all less twice the rank in the own class; the negatives' from above."""
    every = stats.rankdata(scores)
    above = every[truth] - stats.rankdata(scores[truth])
    below = stats.rankdata(-scores)[~truth] - stats.rankdata(-scores[~truth])
    return 2 * above, 2 * below


@pytest.mark.parametrize(
    "kind", ["continuous", "single precision", "hundredths", "ten thousandths", "neighbours", "signed", "constant"]
)
def test_midranks(kind: str) -> None:
    """At fifty thousand rows placements are those of SciPy's midranks, however the scores tie."""
    rng = np.random.default_rng(0)
    truth = rng.random(50_000) < 0.3
    scores = rng.random(truth.size)
    made = {
        "continuous": scores,
        "single precision": scores.astype(np.float32).astype(np.float64),
        "hundredths": scores.round(2),
        "ten thousandths": scores.round(4),
        "neighbours": 1 + np.floor(scores * 5000) * np.finfo(np.float64).eps,
        "signed": np.tan(3 * (scores - 0.5)) * 1e150,
        "constant": np.full(truth.size, 0.3),
    }[kind]
    placed = Placements.of(truth, made)
    above, below = midranks(truth, made)
    assert np.array_equal(placed.above, above)
    assert np.array_equal(placed.below, below)


@given(st.lists(st.tuples(*[st.integers(-(2**62), 2**62)] * 2), max_size=30), st.integers(0, 62))
def test_dot_is_exact(rows: list[tuple[int, int]], shift: int) -> None:
    """Sums of products are those of Python's integers, however large."""
    left, right = (np.array([row[i] >> shift for row in rows], dtype=np.int64) for i in (0, 1))
    assert dot(left, right) == sum(
        Fraction(a) * Fraction(b) for a, b in zip(left.tolist(), right.tolist(), strict=True)
    )


def test_dot_in_blocks() -> None:
    """A sum that leaves 64 bits many times over is exact."""
    column = np.full(100_000, 3 * 10**7, dtype=np.int64)
    assert dot(column, -column) == -100_000 * 9 * 10**14
    assert all(small < large for small, large in pairwise(dot(column[:n], column[:n]) for n in (1, 2, 9_000, 100_000)))
