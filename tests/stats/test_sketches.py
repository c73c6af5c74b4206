"""Sketches are functions of the rows: any cut, any order, the same to the last bit; and as fine as they say."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.stats.sketches import BINS, LONGEST, VALUES, Numbers, Sketch, Values, add, from_dict

NUMBER = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 1.7976931348623157e308]))
CUTS = st.lists(st.integers(0, 3000), max_size=3)
SHAPES = st.sampled_from(["normal", "uniform", "cauchy", "whole", "cents", "wide", "bits", "both ends"])


def drawn(shape: str, rows: int, seed: int) -> npt.NDArray[np.float64]:
    """Draw a column, of numbers in many shapes and some that are none."""
    rng = np.random.default_rng(seed)
    column = {
        "normal": rng.normal(size=rows),
        "uniform": rng.random(rows),
        "cauchy": rng.standard_cauchy(rows),
        "whole": rng.integers(-2000, 2000, rows).astype(np.float64),
        "cents": np.round(rng.exponential(100, rows), 2),
        "wide": rng.choice([-1.0, 1.0], rows) * 10.0 ** rng.uniform(-320, 308, rows),
        "bits": rng.integers(-(2**63), 2**63 - 1, rows).view(np.float64),
        "both ends": rng.choice([-1.7976931348623155e308, 1.7976931348623157e308], rows),
    }[shape]
    column[rng.random(rows) < 0.01] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
    return column


def spelled(sketch: Sketch) -> dict[str, Any]:
    """Spell a sketch, which is to compare it to the last bit."""
    return sketch.to_dict()


def by_hand(column: npt.NDArray[np.float64]) -> tuple[int, dict[int, int]]:
    """Sketch numbers as the docstring says, one by one and shift by shift: the oracle."""
    keys = []
    for number in column[np.isfinite(column)].tolist():
        (size,) = struct.unpack("<q", struct.pack("<d", abs(number)))
        keys.append(0 if abs(number) < 2.2250738585072014e-308 else -size if number < 0 else size)
    shift = next(shift for shift in range(64) if len({key >> shift for key in keys}) <= BINS)
    counts: dict[int, int] = {}
    for key in sorted(keys):
        counts[key >> shift] = counts.get(key >> shift, 0) + 1
    return shift, counts


@given(SHAPES, st.integers(0, 3000), st.integers(0, 99))
def test_numbers_are_what_the_rule_says(shape: str, rows: int, seed: int) -> None:
    """The shift is the least with at most BINS bins that are not empty, and every number is counted in its bin."""
    column = drawn(shape, rows, seed)
    sketch = Numbers.of(column)
    shift, counts = by_hand(column)
    assert (sketch.shift, dict(zip(sketch.bins.tolist(), sketch.counts.tolist(), strict=True))) == (shift, counts)
    assert sketch.missing == np.isnan(column).sum()
    assert sketch.infinite == np.isinf(column).sum()
    assert sketch.rows == rows


@pytest.mark.parametrize("shape", ["normal", "uniform", "cauchy", "whole", "cents", "wide", "bits", "both ends"])
def test_many_numbers_are_counted_as_few_are(shape: str) -> None:
    """However many rows there are, and however they are counted for speed, the rule holds."""
    column = drawn(shape, 100_000, 7)
    sketch = Numbers.of(column)
    assert (sketch.shift, dict(zip(sketch.bins.tolist(), sketch.counts.tolist(), strict=True))) == by_hand(column)


@given(SHAPES, SHAPES, CUTS, st.integers(0, 99), st.randoms())
def test_numbers_merge(one: str, other: str, cuts: list[int], seed: int, random: Any) -> None:
    """However rows are cut, and in whatever order and grouping parts are added, the sum is the whole's sketch."""
    column = np.concatenate([drawn(one, 1500, seed), drawn(other, 1500, seed + 1)])
    parts = [Numbers.of(column[start:end]) for start, end in pairwise(sorted([0, 3000, *cuts]))]
    while len(parts) > 1:
        random.shuffle(parts)
        parts.append(parts.pop() + parts.pop())
    assert spelled(parts[0]) == spelled(Numbers.of(column))


@given(st.lists(NUMBER, max_size=40), st.randoms())
def test_order_of_rows_is_irrelevant(numbers: list[float], random: Any) -> None:
    """Rows in any order have one sketch, and few distinct numbers are told apart exactly."""
    sketch = Numbers.of(numbers)
    shuffled = random.sample(numbers, len(numbers))
    assert spelled(Numbers.of(shuffled)) == spelled(sketch)
    assert sketch.shift == 0
    finite = sorted(0.0 if abs(it) < 2.2250738585072014e-308 else it for it in numbers if math.isfinite(it))
    assert np.repeat(sketch.middles(), sketch.counts).tolist() == finite if finite else sketch.least is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(0, 1))
def test_quantiles_are_numpys_where_numbers_are_few(numbers: list[float], q: float) -> None:
    """Of numbers that are told apart a quantile is the inverse of the distribution function."""
    rank = max(1, math.ceil(q * len(numbers)))  # as NumPy's inverted_cdf, but for how it rounds q·n
    flushed = sorted(0.0 if abs(it) < 2.2250738585072014e-308 else it for it in numbers)
    assert Numbers.of(numbers).quantile(q) == flushed[rank - 1]


@pytest.mark.parametrize("shape", ["normal", "uniform", "cauchy", "cents"])
def test_bins_are_narrow(shape: str) -> None:
    """Of a hundred thousand numbers no bin holds more than 2 %, and a quantile is near NumPy's."""
    column = drawn(shape, 100_000, 3)
    finite = column[np.isfinite(column)]
    sketch = Numbers.of(column)
    assert sketch.counts[sketch.bins != 0].max() <= 0.02 * sketch.n
    for q in (0.1, 0.25, 0.5, 0.9):
        low, high = np.quantile(finite, [max(0, q - 0.02), q + 0.02])
        got = sketch.quantile(q)
        assert got is not None
        assert low <= got <= high


def test_zero_has_a_bin_of_its_own() -> None:
    """However many small numbers surround it, 0 is counted alone."""
    small = np.geomspace(1e-150, 1.0, 50_000)
    sketch = Numbers.of(np.concatenate([small, -small, np.zeros(777), -np.zeros(3)]))
    assert sketch.counts[sketch.bins == 0].tolist() == [780]
    assert sketch.middles()[sketch.bins == 0].tolist() == [0.0]


@pytest.mark.parametrize(
    "column",
    [[1, 2, 3], np.array([True, False]), np.array([1.5], dtype=np.float32), np.array([2**63], dtype=np.uint64)],
)
def test_any_numeric_type_is_taken_as_doubles(column: npt.ArrayLike) -> None:
    """A column of another type has the sketch of its doubles."""
    assert spelled(Numbers.of(column)) == spelled(Numbers.of(np.asarray(column, dtype=np.float64)))


@pytest.mark.parametrize("column", [["a"], [[1.0]], 3.0, [None, object()]])
def test_what_is_no_column_of_numbers_is_refused(column: Any) -> None:
    """What is no column of numbers is refused in a sentence."""
    with pytest.raises(InvalidInputError, match="numbers must be"):
        Numbers.of(column)


COUNTED = st.dictionaries(st.text(max_size=3), st.integers(1, 9), max_size=30)


@given(st.lists(COUNTED, min_size=1, max_size=5), st.randoms())
def test_values_merge(parts: list[dict[str, int]], random: Any) -> None:
    """Counts of values add up, in any order."""
    whole: dict[str, int] = {}
    for part in parts:
        for value, count in part.items():
            whole[value] = whole.get(value, 0) + count
    total = Values.of({})
    for part in random.sample(parts, len(parts)):
        total += Values.of(part, missing=1)
    assert spelled(total) == spelled(Values.of(whole, missing=len(parts)))
    assert dict(total.counts) == whole


def counted(rows: npt.NDArray[np.int64]) -> dict[str, int]:
    """Count rows by their value, as text."""
    return {f"v{value}": count for value, count in Counter(rows.tolist()).items()}


@given(st.integers(0, 99), st.integers(2, 6))
def test_many_values_merge(seed: int, batches: int) -> None:
    """Of more distinct values than are told apart, parts tell apart what the whole does, however they are cut."""
    rng = np.random.default_rng(seed)
    rows = rng.zipf(1.3, 6000) % 5000
    whole = Values.of(counted(rows))
    parts = [Values.of(counted(part)) for part in np.array_split(rng.permutation(rows), batches)]
    total = parts[0]
    for part in parts[1:]:
        total += part
    assert spelled(total) == spelled(whole)
    exact = counted(rows)
    assert len(whole.counts) == min(VALUES, len(exact))
    assert all(exact[value] == count for value, count in whole.counts.items())
    assert whole.n == rows.size


def test_values_told_apart_are_a_fair_choice() -> None:
    """Which of many values are told apart is like chance: about the same share of any part of them."""
    whole = Values.of({f"{it:05}": 1 for it in range(20_000)})
    low = sum(value < "10000" for value in whole.counts)
    assert abs(low - VALUES / 2) < 4 * math.sqrt(VALUES / 4)


@given(st.text(min_size=LONGEST, max_size=3 * LONGEST), st.text(min_size=1, max_size=3))
def test_long_values_are_known_by_begin_and_hash(value: str, more: str) -> None:
    """Long values are shortened, stay apart, and are not shortened twice."""
    sketch = Values.of({value: 2, value + more: 3})
    assert sorted(sketch.counts.values()) == [2, 3]
    assert max(map(len, sketch.counts)) <= LONGEST
    assert spelled(Values.of(sketch.counts)) == spelled(sketch)


@given(SHAPES, st.integers(0, 3000), st.integers(0, 99))
def test_numbers_are_read_as_they_are_written(shape: str, rows: int, seed: int) -> None:
    """Written as JSON and read, a sketch of numbers is the same."""
    sketch = Numbers.of(drawn(shape, rows, seed), missing=2)
    back = from_dict(json.loads(json.dumps(sketch.to_dict(), allow_nan=False)))
    assert isinstance(back, Numbers)
    assert spelled(back) == spelled(sketch)
    assert np.array_equal(back.bins, sketch.bins)
    assert spelled(back + sketch) == spelled(sketch + sketch)


@given(COUNTED, st.integers(0, 9))
def test_values_are_read_as_they_are_written(counts: dict[str, int], missing: int) -> None:
    """Written as JSON and read, a sketch of values is the same."""
    sketch = Values.of(counts, missing=missing)
    assert spelled(from_dict(json.loads(json.dumps(sketch.to_dict())))) == spelled(sketch)


NUMBERS = Numbers.of([1.0, 2.0, 4.0]).to_dict()
VALUES_OF = Values.of({"a": 1}).to_dict()


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"kind": "histogram"}, {"kind": "numbers"}, {**NUMBERS, "more": 1}, {**NUMBERS, "shift": 64},
        {**NUMBERS, "shift": True}, {**NUMBERS, "counts": [1, 2]}, {**NUMBERS, "counts": [1, 0, 1]},
        {**NUMBERS, "counts": [1, -1, 1]}, {**NUMBERS, "counts": [1, 1.0, 1]}, {**NUMBERS, "steps": [1, -2, 3]},
        {**NUMBERS, "steps": [2**70, 1, 1]}, {**NUMBERS, "steps": None}, {**NUMBERS, "least": None},
        {**NUMBERS, "least": "1"}, {**NUMBERS, "least": math.nan}, {**NUMBERS, "most": 5.0}, {**NUMBERS, "missing": -1},
        {**NUMBERS, "steps": [], "counts": []}, {**VALUES_OF, "rest": 1}, {**VALUES_OF, "counts": {"a": 0}},
        {**VALUES_OF, "counts": {"a": 1.5}}, {**VALUES_OF, "counts": {1: 1}}, {**VALUES_OF, "counts": ["a"]},
        {**VALUES_OF, "missing": None}, {**VALUES_OF, "counts": {f"{it}": 1 for it in range(VALUES + 1)}},
    ],
)  # fmt: skip
def test_what_is_no_sketch_is_refused(data: object) -> None:
    """What no sketch wrote is refused in a sentence."""
    with pytest.raises(InvalidInputError, match="no sketch of a column"):
        from_dict(data)


def test_columns_without_a_value_are_of_either_kind() -> None:
    """Rows that are all missing are added to numbers and to values alike; numbers and values are not added up."""
    nothing, text, numbers = Numbers.of([np.nan]), Values.of({"a": 1}, missing=1), Numbers.of([1.0])
    for one, other in ((nothing, text), (text, nothing)):
        total = add(one, other)
        assert total is not None
        assert spelled(total) == spelled(Values.of({"a": 1}, missing=2))
    total = add(Values.of({}, missing=3), numbers)
    assert total is not None
    assert spelled(total) == spelled(Numbers.of([1.0], missing=3))
    assert add(text, numbers) is None
    with pytest.raises(TypeError):
        _ = text + numbers  # type: ignore[operator]  # what is tested
