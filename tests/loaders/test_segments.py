"""Segments are found alike in every format and batch: categories, crossings, and numbers cut at their quartiles."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from abtest.engines.local import score
from abtest.engines.predicted import tally_columns, tally_file
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import open_data
from abtest.loaders.models import Model, from_object
from abtest.loaders.segments import MISSING, NO_SEGMENTS, check_columns, columns_of, find_segments, told_apart
from tests import zoo
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from abtest.outcomes import PairedOutcomes

    Cells = dict[tuple[str, str], dict[Any, int]]

QUARTER = 0.005  # three standard errors of a quartile's rank in a sample of 2¹⁶ rows: √(3/16/2¹⁶) = .0017


def values_of(values: Any, name: str = "s") -> list[str]:
    """Each row's value, as a column of a data frame tells it."""
    return told(open_data(pd.DataFrame({name: values})), name)[name]


def told(data: Any, *names: str) -> dict[str, list[str]]:
    """Each row's value under each segmentation."""
    segmentation = find_segments(data, names, target="y")
    types = dict.fromkeys(segmentation.columns, pa.string())
    found: dict[str, list[str]] = {name: [] for name in names}
    for batch in data.batches(list(segmentation.columns), types, rows=7):
        for name, codes in segmentation.codes(batch).items():
            found[name] += [segmentation.groups[name][code] for code in codes.tolist()]
    return found


def tables(outcomes: PairedOutcomes) -> Cells:
    """Rows by segment, and by truth and predictions within it."""
    return {segment.key: dict(outcomes.of(segment).to_counts()) for segment in outcomes.segments}


def predicted(**columns: Any) -> pd.DataFrame:
    """Predictions on as many rows as the columns have, and the columns."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(columns)
    for name in ("y", "a", "b"):
        frame[name] = rng.integers(0, 2, len(frame))
    return frame


SIDES: dict[str, Any] = {"target": "y", "champion": "a", "challenger": "b"}

WRITERS: dict[str, Callable[[pd.DataFrame], str | pd.DataFrame]] = {}


def writer(write: Callable[[pd.DataFrame], str | pd.DataFrame]) -> Callable[[pd.DataFrame], str | pd.DataFrame]:
    """Enter one way to store rows."""
    WRITERS[write.__name__] = write
    return write


@writer
def csv(frame: pd.DataFrame) -> str:
    """As text."""
    frame.to_csv("t.csv", index=False)
    return "t.csv"


@writer
def parquet(frame: pd.DataFrame) -> str:
    """With types, in small row groups."""
    frame.to_parquet("t.parquet", row_group_size=11)
    return "t.parquet"


@writer
def lines(frame: pd.DataFrame) -> str:
    """Each row an object, with its types."""
    frame.to_json("t.jsonl", orient="records", lines=True, double_precision=15)
    return "t.jsonl"


@writer
def files(frame: pd.DataFrame) -> str:
    """Cut into two files."""
    Path("d").mkdir(exist_ok=True)
    half = len(frame) // 2
    frame[:half].to_parquet("d/1.parquet")
    frame[half:].to_parquet("d/2.parquet")
    return "d"


@writer
def itself(frame: pd.DataFrame) -> pd.DataFrame:
    """Not at all."""
    return frame


@writer
def categories(frame: pd.DataFrame) -> pd.DataFrame:
    """As pandas' categories, one of which no row has."""
    return _categorised(frame)


@writer
def dictionaries(frame: pd.DataFrame) -> str:
    """As Arrow's dictionaries, in a file."""
    _categorised(frame).to_parquet("c.parquet", row_group_size=13)
    return "c.parquet"


def _categorised(frame: pd.DataFrame) -> pd.DataFrame:
    kept = [name for name in frame.columns if name not in SIDES.values()]
    frame = frame.assign(**{name: frame[name].astype("category") for name in kept})
    if "region" in frame:
        frame["region"] = frame["region"].cat.add_categories(["nowhere"])
    return frame


ROWS = 60
COLUMNS: dict[str, Any] = {
    "region": ["EU", "US", "Asia, east", None] * 15,
    "device": ["desk", "phone", "desk"] * 20,
    "year": [2023, 2024] * 30,
    "stars": [1.0, 2.0, 3.5, np.nan] * 15,
    "member": [True, False, False] * 20,
    "age": [18 + 7 * i % 61 for i in range(ROWS)],
    "weight": [None if i % 9 == 4 else 50 + i / 4 for i in range(ROWS)],
    "zip": [f"0{i % 12:02d}" for i in range(ROWS)],
    "count": [f"{i}" for i in range(ROWS)],
    "visits": [max(0, i - 50) for i in range(ROWS)],
    "large": [1234567890123.0 + i % 2 for i in range(ROWS)],
    "a*b": ["x", "y"] * 30,
}
EXPECTED: dict[str, list[str]] = {
    "region": ["Asia, east", "EU", "US", MISSING],
    "device": ["desk", "phone"],
    "year": ["2023", "2024"],
    "stars": ["1", "2", "3.5", MISSING],
    "member": ["false", "true"],
    "age": ["below 32", "32 to below 47", "47 to below 62", "62 and above"],
    "weight": ["below 53.75", "53.75 to below 57.25", "57.25 to below 61", "61 and above", MISSING],
    "zip": [f"0{i:02d}" for i in range(12)],
    "count": ["below 14", "14 to below 29", "29 to below 44", "44 and above"],
    "visits": ["below 1", "1 and above"],
    "large": ["1234567890123", "1234567890124"],
    "a*b": ["x", "y"],
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_format_has_the_same_segments(write: Callable[[pd.DataFrame], str | pd.DataFrame]) -> None:
    """Text, typed files and data frames, cut anyhow and shuffled, give the same values and the same tables."""
    frame = predicted(**COLUMNS)
    names = [*COLUMNS, "region*device", "stars*member*age"]
    counted = tally_columns(
        frame["y"], frame["a"], frame["b"],
        segments={name: frame[name] for name in COLUMNS}, crossings=names[len(COLUMNS) :],
    )  # fmt: skip
    expected = counted.outcomes
    assert counted.notices == ()
    found = {name: [s.value for s in known(expected).segments if s.name == name] for name in COLUMNS}
    assert found == EXPECTED
    for rows, batch in ((frame, 50_000), (frame, 7), (frame, 1), (frame.sample(frac=1, random_state=3), 7)):
        scored = tally_file(open_data(write(rows)), **SIDES, segments=names, batch_rows=batch)
        assert scored.outcomes == expected
        assert [s.key for s in known(scored.outcomes).segments] == [s.key for s in known(expected).segments]


def test_segments_are_what_pandas_groups_by() -> None:
    """Rows of a column's values, and of two or three columns' crossed, are those of pandas' groups."""
    frame = predicted(**COLUMNS)
    outcomes = tally_file(open_data(csv(frame)), **SIDES, segments=["region", "region*device", "year*region*device"])
    text = frame.assign(region=frame["region"].fillna(MISSING), year=frame["year"].astype(str))
    theirs: Cells = {}
    for columns in (["region"], ["region", "device"], ["year", "region", "device"]):
        for key, own in text.groupby(columns):
            cells = own.groupby(["y", "a", "b"]).size()
            theirs["*".join(columns), " × ".join(map(str, key))] = dict(cells.to_dict())
    assert tables(known(outcomes.outcomes)) == theirs
    assert len(theirs) == 4 + 8 + 8  # a year's rows have two of the regions


@given(
    numbers=st.lists(
        st.one_of(st.none(), st.integers(-50, 50), st.floats(-1e6, 1e6, allow_nan=False)), min_size=1, max_size=120
    )
)
def test_quartiles_cut_as_pandas_cuts(numbers: list[float | None]) -> None:
    """Cuts are values of the column, pandas cuts the rows alike at the same edges, and missing rows stand apart."""
    column = pd.Series(numbers, dtype=float)
    segmentation = find_segments(open_data(pd.DataFrame({"s": column})), ["s"], target="y")
    cuts, found = segmentation.columns["s"].cuts, values_of(column)
    assert [value == MISSING for value in found] == column.isna().tolist()
    if cuts is None:
        assert column.nunique() <= 8
        return
    groups = segmentation.groups["s"]
    assert set(cuts) <= set(column.dropna())
    bins = pd.cut(column, [-np.inf, *cuts, np.inf], right=False, labels=list(groups[: len(cuts) + 1]))
    assert found == bins.astype(object).fillna(MISSING).tolist()
    assert set(found) == set(groups)  # none is empty
    shares = [found.count(value) / column.count() for value in groups if value != MISSING]
    most = column.value_counts(normalize=True).max()  # equal numbers are not parted, so a range may be larger by them
    assert max(shares) <= max(0.25 + most + 1 / column.count(), 0.75 + most)
    if column.nunique() == column.count() >= 20:
        assert shares == pytest.approx([0.25] * 4, abs=1 / column.count() + 1e-12)


@pytest.mark.parametrize("rows", [65_536, 65_537, 300_000])
@pytest.mark.parametrize("draw", ["uniform", "lognormal", "integers"])
def test_quartiles_of_many_rows_are_sampled(rows: int, draw: str) -> None:
    """Beyond 65,536 numbers cuts come from a sample, half a percent of the rows off at most, and always the same.

    The rows are in order, so that a sample of the first ones would be far off.
    """
    rng = np.random.default_rng(rows)
    drawn: dict[str, npt.NDArray[Any]] = {
        "uniform": rng.random(rows),
        "lognormal": rng.lognormal(size=rows),
        "integers": rng.integers(0, 10**9, rows),
    }
    values = np.sort(drawn[draw])
    pq.write_table(pa.table({"s": values}), "t.parquet")
    cuts, again = (find_segments(open_data("t.parquet"), ["s"], target="y").columns["s"].cuts for _ in range(2))
    assert cuts is not None
    assert again is not None
    assert cuts.tolist() == again.tolist()
    shares = np.searchsorted(values, cuts) / rows
    assert shares == pytest.approx([0.25, 0.5, 0.75], abs=QUARTER if rows > 65_536 else 2 / rows)
    assert set(cuts.tolist()) <= set(values.tolist())


@pytest.mark.parametrize("values", [9, 5_000, 65_536])
def test_quartiles_of_few_values_are_exact(values: int) -> None:
    """Up to 65,536 different numbers in however many rows are cut where NumPy has their quartiles."""
    numbers = np.random.default_rng(values).geometric(3 / values, 200_000).clip(max=values) / 8
    cuts = find_segments(open_data(pd.DataFrame({"s": numbers})), ["s"], target="y").columns["s"].cuts
    assert cuts is not None
    quartiles = np.quantile(numbers, [0.25, 0.5, 0.75], method="inverted_cdf")
    assert cuts.tolist() == sorted({float(cut) for cut in quartiles if cut > numbers.min()})


@given(rows=st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 5)), min_size=1, max_size=60))
def test_rows_that_were_counted_before(rows: list[tuple[int, int]]) -> None:
    """A row that stands for several is told apart as so many rows."""
    numbers, counts = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    batch = pa.RecordBatch.from_arrays([pa.array(numbers)], names=["s"])
    found = told_apart(["s"], ["s"], [batch], counts=counts)
    frame = pd.DataFrame({"s": np.repeat(numbers, counts)})
    assert found.groups == find_segments(open_data(frame), ["s"], target="y").groups


def test_the_sample_does_not_hang_on_how_rows_are_cut() -> None:
    """The same rows in one file of many, in row groups or in a data frame are sampled alike."""
    frame = pd.DataFrame({"s": np.random.default_rng(0).normal(size=150_000)})
    frame.to_parquet("one.parquet", row_group_size=777)
    Path("many").mkdir()
    for i in range(3):
        frame[i * 50_000 : (i + 1) * 50_000].to_parquet(f"many/{i}.parquet")
    groups = {find_segments(open_data(s), ["s"], target="y").groups["s"] for s in ("one.parquet", "many", frame)}
    assert len(groups) == 1


NUMBERS: dict[str, tuple[Any, list[str]]] = {
    "eight numbers": (range(8), [f"{i}" for i in range(8)]),
    "nine numbers": (range(9), ["below 2"] * 2 + ["2 to below 4"] * 2 + ["4 to below 6"] * 2 + ["6 and above"] * 3),
    "constant": ([7.0] * 20, ["7"] * 20),
    "sorted by size": ([10, 9, -1, 100], ["10", "9", "-1", "100"]),
    "mostly zero": ([0] * 90 + [*range(5, 25)], ["below 5"] * 90 + ["5 and above"] * 20),
    "mostly zero, few": ([0] * 90 + [1, 2, 3], ["0"] * 90 + ["1", "2", "3"]),
    "mostly high": ([9] * 90 + [*range(-10, 0)], ["9 and above"] * 90 + ["below 9"] * 10),
    "text of numbers": (["1", "2.0", "2", "1.50"], ["1", "2", "2", "1.5"]),
    "text of big numbers": (["9007199254740993", "9007199254740992"], ["9007199254740993", "9007199254740992"]),
    "codes": (["01", "1", "02"], ["01", "1", "02"]),
    "many codes": ([f"{i:02d}" for i in range(12)], [f"{i:02d}" for i in range(12)]),
    "zero and its fractions": (["0", "0.5", "-0.5", "-0"], ["0", "0.5", "-0.5", "0"]),
    "one word among numbers": ([*map(str, range(20)), "x"], [*map(str, range(20)), "x"]),
    "text and NaN": (["1", "NaN", "2", "nan"], ["1", MISSING, "2", MISSING]),
    "infinite": ([float("inf"), 1.0, float("-inf")], ["inf", "1", "-inf"]),
    "floating noise": ([0.1 + 0.2, 0.3], ["0.3", "0.3"]),
    "single precision": (np.array([0.1, 2.5], dtype="float32"), ["0.1", "2.5"]),
    "half precision": (np.array([0.5, 2.5], dtype="float16"), ["0.5", "2.5"]),
    "large": ([1e14 + 1, 1e14 + 2, 2.0**60], ["100000000000001", "100000000000002", "1.15292150461e+18"]),
    "decimals": ([Decimal("1.50"), Decimal(2), None], ["1.5", "2", MISSING]),
    "nullable": (pd.array([3, None, 1], dtype="Int64"), ["3", MISSING, "1"]),
    "booleans and none": (pd.array([True, None, False], dtype="boolean"), ["true", MISSING, "false"]),
    "spelled booleans": (["True", "false", "TRUE"], ["true", "false", "true"]),
    "nothing": ([None, None], [MISSING, MISSING]),
    "only NaN": ([np.nan, np.nan], [MISSING, MISSING]),
    "called so alone": (["b", MISSING], ["b", MISSING]),
    "called missing": (["a", MISSING, None], ["a", MISSING, MISSING]),
    "words": (["b", "", "a b", "é"], ["b", "", "a b", "é"]),
    "days": (pd.to_datetime(["2026-01-02", "2026-01-01"]).date, ["2026-01-02", "2026-01-01"]),
}  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_values_are_written_as_one_reads_them(values: Any, expected: list[str]) -> None:
    """A row's value is what a reader of the column would call it, and no two values of one column share a name."""
    assert values_of(values) == expected
    codes = tally_columns(*[[0] * len(expected)] * 3, segments={"s": values}).outcomes
    counts = {s.value: int(s.cells[:, 3].sum()) for s in known(codes).segments}
    assert counts == {value: expected.count(value) for value in expected}


def test_values_stand_in_order() -> None:
    """Words stand in the order of the alphabet, numbers in that of size, also as text; missing ones last."""
    for values, order in (
        (["b", None, "a", "c"], ("a", "b", "c", MISSING)),
        (["b", MISSING, "z"], ("b", "z", MISSING)),
        ([10, 9, -1, 100], ("-1", "9", "10", "100")),
        (["10", "9.5", "-1", None], ("-1", "9.5", "10", MISSING)),
    ):
        assert find_segments(open_data(pd.DataFrame({"s": values})), ["s"], target="y").groups["s"] == order


def test_cuts_that_are_close_are_told_apart() -> None:
    """Ranges of numbers that six digits do not tell apart are named by all their digits; whole ones always are."""
    close = set(values_of(1 + np.arange(40) / 1e9))
    assert len(close) == 4
    assert "below 1.00000001" not in close
    assert sorted(set(values_of(np.arange(40) * 1_234_567))) == [
        "11111103 to below 23456773", "23456773 to below 35802443", "35802443 and above", "below 11111103",
    ]  # fmt: skip


def test_values_may_come_late() -> None:
    """A value, a missing one, or a number among words that only a later batch holds is a segment like the others."""
    column = ["1"] * 60_000 + ["2", None, "word"]
    pq.write_table(pa.table({"s": column}), "t.parquet")
    assert find_segments(open_data("t.parquet"), ["s"], target="y").groups["s"] == ("1", "2", "word", MISSING)
    numbers = [*range(60_000), None]
    pq.write_table(pa.table({"s": numbers}), "t.parquet")
    assert find_segments(open_data("t.parquet"), ["s"], target="y").groups["s"][-1] == MISSING
    Path("t.jsonl").write_text('{"s": 1}\n{"s": 2}\n' * 5_000 + '{"s": 1.0}\n{"s": 2.5}\n{}\n{"s": 1}\n', "utf-8")
    found = told(open_data("t.jsonl"), "s")["s"]
    assert {value: found.count(value) for value in found} == {"1": 5_002, "2": 5_000, "2.5": 1, MISSING: 1}
    Path("t.jsonl").write_text('{"s": null}\n' * 10_000 + '{"s": "b"}\n' * 10_000 + "{}\n" * 3, "utf-8")
    assert told(open_data("t.jsonl"), "s")["s"] == [MISSING] * 10_000 + ["b"] * 10_000 + [MISSING] * 3


def test_dictionaries_of_files_may_differ() -> None:
    """Each batch may bring a dictionary of its own, with entries that no row has."""
    Path("d").mkdir()
    for name, words in (("a", ["x", None, "z"]), ("b", ["z", "y"])):
        array = pa.array(words).dictionary_encode()
        wide = pa.DictionaryArray.from_arrays(array.indices, pa.array([*array.dictionary.to_pylist(), "idle"]))
        pq.write_table(pa.table({"s": wide}), f"d/{name}.parquet")
    data = open_data("d")
    assert find_segments(data, ["s"], target="y").groups["s"] == ("x", "y", "z", MISSING)
    assert told(data, "s")["s"] == ["x", MISSING, "z", "z", "y"]


def test_categories_of_numbers_are_numbers() -> None:
    """A category is how a column is stored, not what it means: many numbers are cut, as from a file of text."""
    column = pd.Series(np.arange(40))
    assert values_of(column.astype("category")) == values_of(column)
    assert len(set(values_of(column))) == 4


def test_a_column_named_like_a_crossing_is_a_column() -> None:
    """`a*b` is the column of that name where there is one, and the crossing of two where there is none."""
    frame = pd.DataFrame({"a*b": ["p", "q"], "a": ["1", "2"], "b": ["x", "y"]})
    assert columns_of(["a*b"], list(frame.columns)) == ("a*b",)
    assert told(open_data(frame), "a*b", "a") == {"a*b": ["p", "q"], "a": ["1", "2"]}
    assert columns_of(["a*b", "b", "b * a"], ["a", "b"]) == ("a", "b")
    crossed = told(open_data(frame[["a", "b"]]), "a*b", "b * a", "a*a")
    assert crossed == {"a*b": ["1 × x", "2 × y"], "b * a": ["x × 1", "y × 2"], "a*a": ["1", "2"]}


def test_without_names_nothing_is_read() -> None:
    """No segmentation costs no pass over the rows."""
    data = open_data(pd.DataFrame({"s": [1]}))
    data.read = None  # type: ignore[method-assign, assignment] # whoever reads fails
    assert find_segments(data, [], target="y") is NO_SEGMENTS


def test_data_that_change_in_between_are_told() -> None:
    """A value that the first pass did not see is an error that says so, never another segment's row."""
    for before, after in (
        (["a", "b"], ["a", "c"]),
        (["a", "b"], ["a", None]),
        ([*range(20)], [1, None]),
        ([*range(20)], ["x", "y"]),
    ):
        segmentation = find_segments(open_data(pd.DataFrame({"s": before})), ["s"], target="y")
        with pytest.raises(InvalidInputError, match="Column 's' changed while it was read"):
            segmentation.codes(pa.record_batch({"s": pa.array(after)}))
        assert segmentation.codes(pa.record_batch({"s": pa.array([], pa.string())}))["s"].tolist() == []


REFUSED: dict[str, tuple[dict[str, Any], list[str], str, str]] = {
    "unknown": ({"region": ["a"]}, ["regoin"], "has no segment column 'regoin'.", "did you mean 'region'?"),
    "unknown in a crossing": ({"region": ["a"]}, ["region*devise"], "segment column 'devise'.", "its columns are"),
    "half a crossing": ({"region": ["a"]}, ["region*"], "has no segment column ''.", "its columns are"),
    "the target": ({"s": ["a"]}, ["y"], "segments must not be the target 'y'.", "has every class of the truth anyway"),
    "the target crossed": ({"s": ["a"]}, ["s*y"], "segments must not be the target 'y'.", "every class of the truth"),
    "too many words": ({"s": [f"w{i}" for i in range(201)]}, ["s"], "'s' has more than 200 values.", "group them"),
    "too many crossed": (
        {"s": [f"w{i}" for i in range(101)], "t": ["a", "b"] * 50 + ["a"]},
        ["s*t"], "'s*t' has more than 200 values.", "name a column of fewer values",
    ),
    "far too many crossed": (
        {name: [f"w{i}" for i in range(200)] for name in "stuvwx"},
        ["s*t*u*v*w*x"], "'s*t*u*v*w*x' has more than 200 values.", "group them in one",
    ),
    "lists": ({"s": [["a"], ["b"]]}, ["s"], "by text or numbers, and 's' is of type list", "map it to text"),
    "objects": ({"s": [{"a": 1}]}, ["s"], "by text or numbers, and 's' is of type struct", "map it to text"),
}  # fmt: skip


@pytest.mark.parametrize("write", [itself, parquet])
@pytest.mark.parametrize(("columns", "names", "says", "hint"), REFUSED.values(), ids=REFUSED)
def test_what_tells_no_segments_apart_is_refused(
    write: Callable[[pd.DataFrame], str | pd.DataFrame],
    columns: dict[str, Any],
    names: list[str],
    says: str,
    hint: str,
) -> None:
    """A column that is not there, the target, or one of too many values is refused in a sentence with a way out."""
    with pytest.raises(InvalidInputError) as caught:
        tally_file(open_data(write(predicted(**columns))), **SIDES, segments=names)
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")


def test_as_many_values_as_allowed() -> None:
    """Two hundred values are segments, in a column and crossed; the order of checks needs no target."""
    frame = pd.DataFrame({"s": [f"w{i % 100}" for i in range(200)], "t": [i // 100 for i in range(200)]})
    data = open_data(frame)
    assert len(find_segments(data, ["s*t"], target="y").groups["s*t"]) == 200
    assert check_columns(data, ["s*t"], None) == ("s", "t")


@pytest.mark.parametrize(
    ("segments", "says"),
    [
        ({"s": ["x"]}, "segments: 's' has 1 rows but y_true has 2."),
        ({"t": ["x", "y"], "s": range(2_000)}, "segments: 's' has 2,000 rows but y_true has 2."),
        ({"s": [["x"], ["y"]]}, "segments: 's' must be one-dimensional, got shape (2, 1)."),
        ({"s": "xy"}, "segments: 's' must be one-dimensional, got shape ()."),
        ({"s": [["x"], ["y", "z"]]}, "segments: 's' hold rows of different lengths."),
        ({}, "segments: no column is given that tells 's*t' apart."),
        ({"s": ["x", "y"]}, "the data frame has no segment column 't'."),
    ],
)
def test_columns_that_do_not_fit_are_refused(segments: dict[str, Any], says: str) -> None:
    """Columns of segments that are no columns, or not as long as the truth, are refused by name."""
    with pytest.raises(InvalidInputError) as caught:
        tally_columns([0, 1], [0, 1], [0, 1], segments=segments, crossings=["s*t"])
    assert caught.value.message == says


def test_columns_of_any_kind() -> None:
    """Lists, series of any index, categories and Arrow's arrays of the same values tell the same segments apart."""
    words: list[Any] = ["a", None, "b", "a"]
    kinds: Sequence[Any] = (
        words, tuple(words), np.array(words, dtype=object), pd.Series(words, index=[3, 3, 1, 0]), pd.Categorical(words),
        pd.Series(words, dtype="string"), pa.array(words), pa.array(words).dictionary_encode(), ["a", np.nan, "b", "a"],
    )  # fmt: skip
    found = [tally_columns([0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0], segments={"s": kind}).outcomes for kind in kinds]
    assert all(outcomes == found[0] for outcomes in found)
    assert [s.value for s in known(found[0]).segments] == ["a", "b", MISSING]


# What models are given


class Seen:
    """A predictor that remembers the columns and types it was given."""

    def __init__(self) -> None:
        self.columns: list[str] = []
        self.kinds: dict[str, str] = {}

    def predict(self, features: pd.DataFrame) -> Any:
        """Take for a pear what is higher than wide."""
        self.columns = list(features.columns)
        self.kinds = {str(name): dtype.kind for name, dtype in features.dtypes.items()}
        return zoo.better(features)


def models(**signature: Any) -> tuple[Model, Model]:
    """Both sides, of one signature."""
    return (
        Model(side="champion", predictor=Seen(), **signature),
        Model(side="challenger", predictor=Seen(), **signature),
    )


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_segment_may_be_a_feature(write: Callable[[pd.DataFrame], str | pd.DataFrame]) -> None:
    """A column that the signature names tells segments apart and reaches the model as the signature says."""
    frame = zoo.fruit().assign(region=["EU", "US", "EU"] * 20)
    types = {"width": pa.float64(), "height": pa.float64()}
    champion, challenger = models(features=("width", "height"), types=types)
    names = ["width", "region", "region*width"]
    scored = score(champion, challenger, open_data(write(frame)), target="kind", segments=names, batch_rows=7)
    for side in (champion, challenger):
        assert isinstance(side.predictor, Seen)
        assert side.predictor.columns == ["width", "height"]
        assert set(side.predictor.kinds.values()) == {"f"}
    said = zoo.better(frame)
    expected = tally_columns(
        frame["kind"], said, said,
        segments={"width": frame["width"], "region": frame["region"]}, crossings=["region*width"],
    ).outcomes  # fmt: skip
    assert scored.outcomes == expected
    assert len(known(expected).segments) == 4 + 2 + 8


@pytest.mark.parametrize("write", [csv, parquet, itself])
def test_a_model_without_signature_gets_no_segments(write: Callable[[pd.DataFrame], str | pd.DataFrame]) -> None:
    """Columns that only tell segments apart are no features of a model that takes every column, crossed ones too."""
    frame = zoo.fruit().assign(region="EU", device=["desk", "phone"] * 30)
    champion, challenger = models()
    scored = score(champion, challenger, open_data(write(frame)), target="kind", segments=["region*device"])
    for side in (champion, challenger):
        assert isinstance(side.predictor, Seen)
        assert side.predictor.columns == ["width", "height"]
    assert [s.key for s in known(scored.outcomes).segments] == [
        ("region*device", "EU × desk"), ("region*device", "EU × phone"),
    ]  # fmt: skip


def test_a_fitted_estimator_gets_numbers_of_a_segment() -> None:
    """An estimator that knows its features' names alone gets a segment's column as numbers, from text too."""
    frame = zoo.fruit().assign(tier=[1, 2, 3] * 20)
    for source in (csv(frame), parquet(frame)):
        predictor = Seen()
        predictor.feature_names_in_ = np.array(["width", "height", "tier"])  # type: ignore[attr-defined] # as fit does
        side = from_object("challenger", predictor)
        scored = score(None, side, open_data(source), target="kind", segments=["tier", "width"])
        assert predictor.kinds == {"width": "f", "height": "f", "tier": "i"}
        assert [s.value for s in known(scored.outcomes).segments][:3] == ["1", "2", "3"]
        assert len(known(scored.outcomes).segments) == 3 + 4


def test_unlabelled_rows_are_in_no_segment() -> None:
    """Rows dropped for want of a label are dropped from their segments; a segment of such rows alone is left out."""
    frame = zoo.fruit().assign(region=np.where(zoo.fruit()["kind"] == "pear", "EU", "US"))
    frame.loc[[58, 59], "region"] = "Mars"
    frame.loc[[3, 58, 59], "kind"] = None
    kept = frame.dropna()
    said = zoo.better(kept)
    expected = tally_columns(kept["kind"], said, said, segments={"region": kept["region"]}).outcomes
    regions = [(value, int((kept["region"] == value).sum())) for value in ("EU", "US")]
    champion, challenger = models(features=("width", "height"))
    for batch in (1, 7, 1000):
        scored = score(
            champion, challenger, open_data(frame), target="kind", segments=["region"],
            drop_unlabelled=True, batch_rows=batch,
        )  # fmt: skip
        assert (scored.unlabelled, known(scored.outcomes).n) == (3, 57)
        assert scored.outcomes == expected
        assert [(s.value, int(s.cells[:, 3].sum())) for s in known(scored.outcomes).segments] == regions


def test_the_majority_champion_by_segment() -> None:
    """Without a champion the majority class stands in, in every segment, as found over all rows."""
    frame = pd.DataFrame({"width": 1.0, "height": [2.0] * 7 + [0.5] * 3, "kind": ["pear"] * 7 + ["apple"] * 3})
    frame["region"] = ["EU"] * 6 + ["US"] * 4
    _, challenger = models(features=("width", "height"))
    scored = score(None, challenger, open_data(frame), target="kind", segments=["region"])
    assert scored.majority == "pear"
    assert tables(known(scored.outcomes))["region", "US"] == {
        ("pear", "pear", "pear"): 1,
        ("apple", "pear", "apple"): 3,
    }


@given(codes=st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("pq")), min_size=1, max_size=30))
@hypothesis_settings(max_examples=25)
def test_crossed_segments_part_their_columns(codes: list[tuple[str, str]]) -> None:
    """The rows of a crossing, summed over one of its columns, are those of the other."""
    left, right = ([*column] for column in zip(*codes, strict=True))
    outcomes = tally_columns(
        *[[0] * len(codes)] * 3, segments={"left": left, "right": right}, crossings=["left*right"]
    ).outcomes
    counts = {segment.key: int(segment.cells[:, 3].sum()) for segment in known(outcomes).segments}
    for value in set(left):
        assert counts["left", value] == sum(counts.get(("left*right", f"{value} × {r}"), 0) for r in "pq")
    for value in set(right):
        assert counts["right", value] == sum(counts.get(("left*right", f"{x} × {value}"), 0) for x in "xyz")


def test_segmentations_are_frozen() -> None:
    """What was found before looking at predictions cannot be changed after."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        NO_SEGMENTS.groups = {}  # type: ignore[misc] # the mistake tested
