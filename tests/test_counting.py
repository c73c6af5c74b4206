"""Combinations of codes counted: in a block or by sorting, all at once or batch by batch, the counts are the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest import counting
from abtest.counting import CountTable, merged

Batch = tuple[list[tuple[int, ...]], list[int] | None]

SIZES = (
    [2, 3, 3],
    [40, 41, 39],
    [1, 1, 65_536],
    [1, 65_536, 65_536],
    [3, 300, 300, 300],
    [200, 65_536, 65_536, 65_536],
)


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[int], list[Batch]]:
    """Draw how many codes each column may have, and batches of rows, some of which stand for many."""
    sizes = draw(st.sampled_from(SIZES))
    row = st.tuples(*(st.one_of(st.integers(0, min(1, size - 1)), st.integers(0, size - 1)) for size in sizes))
    rows = draw(st.lists(st.lists(row, max_size=20), min_size=1, max_size=4))
    counts = st.integers(1, 2**40)
    return sizes, [
        (part, draw(st.one_of(st.none(), st.lists(counts, min_size=len(part), max_size=len(part))))) for part in rows
    ]


def counted(sizes: list[int], parts: list[Batch], *, grow: bool) -> npt.NDArray[np.int64]:
    """Count batches; columns may have grown from batch to batch."""
    table, seen = CountTable(), [1] * len(sizes)
    for rows, counts in parts:
        columns = np.array(rows, dtype=np.int64).reshape(-1, len(sizes)).T
        if len(rows):
            seen = [max(size, int(column.max()) + 1) for size, column in zip(seen, columns, strict=True)]
        table.add([*columns], seen if grow else sizes, None if counts is None else np.array(counts, dtype=np.int64))
    return table.cells(len(sizes))


@given(drawn=batches(), grow=st.booleans())
def test_every_row_is_counted_once(drawn: tuple[list[int], list[Batch]], *, grow: bool) -> None:
    """A table holds what a loop over the rows counts, sorted, whether or not columns grow on the way."""
    sizes, parts = drawn
    looped: Counter[tuple[int, ...]] = Counter()
    for rows, counts in parts:
        for row, count in zip(rows, counts or [1] * len(rows), strict=True):
            looped[row] += count
    assert counted(sizes, parts, grow=grow).tolist() == [[*row, looped[row]] for row in sorted(looped)]


@pytest.mark.parametrize("classes", [2, 30, 300, 3000])
@pytest.mark.parametrize("batch", [700, 20_000, 100_000])
def test_blocks_and_sorting_count_alike(classes: int, batch: int) -> None:
    """At any number of classes and rows a batch, the counts are NumPy's of whole rows."""
    rng = np.random.default_rng(0)
    columns = rng.integers(0, classes, (3, 100_000)) * (rng.random((3, 100_000)) < 0.5)
    table = CountTable()
    for start in range(0, 100_000, batch):
        table.add([*columns[:, start : start + batch].astype(np.uint16)], [classes] * 3)
    cells, rows = np.unique(columns.T, axis=0, return_counts=True)
    assert np.array_equal(table.cells(3), np.column_stack([cells, rows]))


def test_counts_have_64_bits() -> None:
    """Counts beyond what doubles hold exactly are added up exactly, in a block and by sorting."""
    large = 2**53
    for sizes in ([2, 2], [60_000, 60_000]):
        table = CountTable()
        for count in (large, 1, 1):
            table.add([np.array([1]), np.array([1])], sizes, np.array([count]))
        assert table.cells(2).tolist() == [[1, 1, large + 2]]


def test_sorted_runs_are_merged_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many keys come, those sorted so far are put together, and none is lost."""
    monkeypatch.setattr(counting, "_WAITING", 64)
    rng = np.random.default_rng(1)
    columns = rng.integers(0, 5000, (3, 2000))
    table = CountTable()
    for start in range(0, 2000, 50):
        table.add([*columns[:, start : start + 50]], [5000] * 3)
    cells, rows = np.unique(columns.T, axis=0, return_counts=True)
    assert np.array_equal(table.cells(3), np.column_stack([cells, rows]))


def test_merging_adds_up_equal_cells() -> None:
    """Equal cells become one, cells are sorted, and nobody may write into them."""
    found = merged(np.array([[1, 0, 0, 2], [0, 1, 1, 3], [1, 0, 0, 5]]))
    assert found.tolist() == [[0, 1, 1, 3], [1, 0, 0, 7]]
    assert not found.flags.writeable
    assert merged(np.zeros((0, 4), dtype=np.int64)).shape == (0, 4)
