"""Scores kept small come back to the last bit, whatever batches they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.engines.kept import Kept, stacked

if TYPE_CHECKING:
    from abtest.scores import Floats

SCORE = st.one_of(
    st.floats(0, 1, width=32), st.floats(0, 1), st.sampled_from([-0.0, 1e-300, 1e300, -7.5, float(np.float32(0.1))])
)


@st.composite
def matrices(draw: st.DrawFn) -> Floats:
    """Draw a batch of one to three columns; of two, often such as mirror each other."""
    classes = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(SCORE, min_size=classes, max_size=classes), max_size=5))
    matrix = np.array(rows, dtype=np.float64).reshape(-1, classes)
    if classes == 2 and draw(st.booleans()):
        matrix[:, 0] = 1 - matrix[:, 1]
    return matrix


@given(st.lists(matrices(), max_size=4))
def test_every_bit_comes_back(batches: list[Floats]) -> None:
    """Alone or put together, scores are what they were, and nothing for classes that came later."""
    kept = [Kept.of(batch) for batch in batches]
    for batch, own in zip(batches, kept, strict=True):
        assert np.array_equal(own.whole(batch.shape[1]), batch)
        assert own.columns.size <= batch.size
    whole = stacked(kept, 3).whole(3)
    padded = [np.pad(batch, ((0, 0), (0, 3 - batch.shape[1]))) for batch in batches]
    assert np.array_equal(whole, np.concatenate([np.zeros((0, 3)), *padded]))


@pytest.mark.parametrize(
    ("matrix", "size"),
    [
        ([[0.75, 0.25]], 4),  # one number of single precision
        ([[0.9, 0.1]], 8),  # 1 - 0.1 is 0.9 to the last bit
        ([[0.75, 0.25, 0.0]], 12),
        ([[0.7, 0.3 + 1e-16, 0.0]], 24),
        ([[1.0, 1e-300]], 8),  # 1 - 1e-300 is 1 too
    ],
)
def test_what_is_kept(matrix: list[list[float]], size: int) -> None:
    """Single precision and one column of two are used just where they lose nothing."""
    kept = Kept.of(np.array(matrix))
    assert kept.columns.nbytes == size
    assert np.array_equal(kept.whole(len(matrix[0])), matrix)


def test_a_batch_of_its_own() -> None:
    """What is kept does not change with the array it came from."""
    matrix = np.array([[0.1, 0.2, 0.7]])
    kept = Kept.of(matrix)
    matrix[:] = 0
    assert kept.columns.tolist() == [[0.1, 0.2, 0.7]]
