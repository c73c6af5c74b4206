"""Sums by label and by pair of labels, exact at any width and whatever the order in memory."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from abtest.labels import SIDES
from abtest.metrics.classification import CATALOGUE, class_values
from abtest.metrics.totals import both_totals, totals
from abtest.outcomes import PairedOutcomes
from tests.strategies import paired_outcomes

TABLES = paired_outcomes().filter(lambda table: table.n > 0)


@given(table=TABLES, seed=st.integers(0, 99))
def test_both_sides_at_once_are_each_side(table: PairedOutcomes, seed: int) -> None:
    """However draws lie in memory, and whatever holds them, both sides' sums are those of each side by itself."""
    counts = np.random.default_rng(seed).integers(0, 5, size=(4, len(table.cells)))
    prepared = both_totals(table)
    for weights in (counts, counts.astype(np.int32), counts.astype(np.float64), np.asfortranarray(counts)):
        for side, ours in zip(SIDES, prepared(weights), strict=True):
            alone = totals(table, side, counts)
            assert np.array_equal(ours.hits, alone.hits)
            assert np.array_equal(ours.predicted, alone.predicted)
            assert np.array_equal(ours.support, alone.support)
            assert np.array_equal(ours.confusion, alone.confusion)


def test_sums_are_exact_up_to_32_bits_and_beyond() -> None:
    """Narrow counts that add up to nearly 2^31 do so exactly, and products of their confusions do not overflow."""
    table = PairedOutcomes.from_predictions([0, 0, 1], [0, 0, 1], [0, 1, 1])
    of = totals(table, "champion", np.array([[2**30, 2**30 - 3, 2]], dtype=np.int32))
    assert of.hits.tolist() == of.predicted.tolist() == of.support.tolist() == [[2**31 - 3, 2]]
    assert class_values(CATALOGUE["f1"], of).tolist() == [[1.0, 1.0]]
    assert int(of.confusion[0, 0, 0] * of.confusion[0, 0, 0]) == (2**31 - 3) ** 2
    wide = totals(table, "champion", np.array([[2**52, 2**52 - 3, 2]]))
    assert wide.support.tolist() == [[2**53 - 3, 2]]


@given(table=TABLES, seed=st.integers(0, 99))
def test_pairs_are_the_confusion_matrix_that_a_loop_counts(table: PairedOutcomes, seed: int) -> None:
    """Pairs, and the matrix they fill, hold each cell's rows; pairs come in order, and occur."""
    counts = np.random.default_rng(seed).integers(0, 5, size=len(table.cells))
    for side in SIDES:
        of = totals(table, side, counts)
        counted = np.zeros((len(table.labels),) * 2, dtype=np.int64)
        for y, said, count in zip(table.cells[:, 0], table.predicted_by(side), counts, strict=True):
            counted[y, said] += count
        pairs = list(zip(of.cells.pairs.truth.tolist(), of.cells.pairs.said.tolist(), strict=True))
        assert pairs == sorted(set(zip(table.cells[:, 0].tolist(), table.predicted_by(side).tolist(), strict=True)))
        assert of.by_pair.tolist() == [counted[pair] for pair in pairs]
        assert np.array_equal(of.confusion, counted)
        assert of.confusion.dtype == np.int64
