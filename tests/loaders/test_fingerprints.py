"""Rows are told apart by their values alone, and what two data sets share is what comparing all pairs of rows finds."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import struct
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.loaders.datasets import open_data
from abtest.loaders.fingerprints import Fingerprinter, Fingerprints, Mark
from abtest.loaders.rowhash import Hasher
from abtest.stats.priors import prior_shift

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abtest.labels import Label

Row = tuple[float | None, str | None, str]
HASHER = Hasher(columns=["x", "t"], target="y", types={})
SCHEMA = pa.schema([("x", pa.float64()), ("t", pa.string()), ("y", pa.string())])
ROWS = st.lists(
    st.tuples(
        st.sampled_from([0.0, -0.0, 1.0, 2.5, math.nan, None]),
        st.sampled_from(["a", "b", "", None, "eight by", "eight bytes and more"]),
        st.sampled_from(["cat", "dog", "1"]),
    ),
    max_size=25,
)


def batches(rows: Sequence[Row], *cuts: int) -> list[pa.RecordBatch]:
    """Spell rows as batches, cut where told."""
    table = pa.Table.from_pylist([dict(zip("xty", row, strict=True)) for row in rows], SCHEMA).combine_chunks()
    whole = (table.to_batches() or [pa.RecordBatch.from_pylist([], SCHEMA)])[0]
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    return [whole.slice(start, end - start) for start, end in itertools.pairwise(edges)]


def taken(
    given_batches: Iterable[pa.RecordBatch], *, marks: Sequence[int] = (), hasher: Hasher = HASHER
) -> Fingerprints:
    """Take in batches."""
    reader = Fingerprinter(hasher, marks=marks)
    for batch in given_batches:
        reader.add(batch)
    return reader.fingerprints()


def hashed(column: pa.Array, kind: pa.DataType | None = None) -> list[int]:
    """The hashes of rows of one column."""
    hasher = Hasher(columns=["x"], target="y", types={"x": kind} if kind else {})
    batch = pa.RecordBatch.from_arrays([column, pa.nulls(len(column))], names=["x", "y"])
    return list(hasher.split(batch)[0].tolist())


def value(row: Row) -> tuple[object, object]:
    """What of a row's features counts: nothing but whether it is missing tells missing values apart."""
    x, t, _ = row
    return (None if x is None or math.isnan(x) else x + 0.0, t or None)


@given(ROWS, st.integers(0, 25), st.integers(0, 25), st.lists(st.integers(1, 25), max_size=3))
def test_batches_do_not_matter(rows: list[Row], one: int, other: int, marks: list[int]) -> None:
    """Wherever rows are cut into batches, hashes, digests at every mark, duplicates and classes are the same."""
    whole, cut = taken(batches(rows), marks=marks), taken(batches(rows, one, other), marks=marks)
    assert np.array_equal(whole.features, cut.features)
    assert np.array_equal(whole.labels[whole.codes], cut.labels[cut.codes])
    assert (whole.end, whole.marks, whole.duplicates) == (cut.end, cut.marks, cut.duplicates)
    assert whole.classes == cut.classes == dict(Counter(1 if y == "1" else y for *_, y in rows))
    assert [mark.n for mark in whole.marks] == sorted({mark for mark in marks if mark <= len(rows)})


@given(ROWS, ROWS, st.integers(0, 25))
def test_leaks_are_what_comparing_all_rows_finds(test: list[Row], train: list[Row], cut: int) -> None:
    """Leaked, conflicting and duplicate rows are those that comparing every pair of rows counts."""
    found = taken(batches(test)).leaked(batches(train, cut), show=3)
    leaked, conflicting = [], 0
    for number, row in enumerate(test, start=1):
        alike = [other for other in train if value(other) == value(row)]
        if any(other[2] == row[2] for other in alike):
            leaked.append(number)
        elif alike:
            conflicting += 1
    assert (found.n_train, found.leaked, found.conflicting) == (len(train), len(leaked), conflicting)
    assert found.first_rows == tuple(leaked[:3])
    assert found.train_classes == dict(Counter(1 if y == "1" else y for *_, y in train))
    assert taken(batches(test)).duplicates == len(test) - len({(value(row), row[2]) for row in test})


def test_agrees_with_pandas() -> None:
    """On ten thousand rows, duplicates and leaks are those that pandas finds by merging."""
    rng = np.random.default_rng(0)
    test, train = (
        pd.DataFrame({"a": rng.integers(0, 60, n), "b": rng.integers(0, 60, n) / 4, "y": rng.integers(0, 3, n)})
        for n in (10_000, 7_000)
    )
    hasher = Hasher(columns=["a", "b"], target="y", types={})
    ours = taken(open_data(test).batches(["a", "b", "y"], {}, rows=999), hasher=hasher)
    leak = ours.leaked(open_data(train).batches(["y", "b", "a"], {}, rows=501))
    assert ours.duplicates == int(test.duplicated().sum()) > 0
    shared = test.merge(train.drop_duplicates(), how="left", indicator=True)["_merge"] == "both"
    features = train[["a", "b"]].drop_duplicates()
    alike = test.merge(features, how="left", indicator=True, on=["a", "b"])["_merge"] == "both"
    assert leak.leaked == int(shared.sum()) > 0
    assert leak.conflicting == int((alike & ~shared).sum()) > 0
    assert leak.first_rows == tuple((np.flatnonzero(shared)[:5] + 1).tolist())


ALIKE: dict[str, list[pa.Array]] = {
    "whole numbers": [pa.array([3], kind) for kind in (pa.int8(), pa.uint16(), pa.int64(), pa.float32(), pa.float64())]
    + [pa.array([Decimal("3.00")]), pa.array([3, None]).slice(0, 1)],
    "zeros": [pa.array([0]), pa.array([0.0]), pa.array([-0.0]), pa.array([False])],
    "truth": [pa.array([True]), pa.array([1]), pa.array([True, None]).slice(0, 1)],
    "missing": [
        pa.array([None], pa.float64()), pa.array([math.nan]), pa.array([None], pa.int64()), pa.nulls(1),
        pa.array([None], pa.string()), pa.array([""]), pa.array([None], pa.bool_()), pa.array([None], pa.date32()),
        pa.array([None], pa.string()).dictionary_encode(), pa.array([None, "x"]).dictionary_encode().slice(0, 1),
        pa.array([None], pa.list_(pa.int64())),
    ],
    "text": [
        pa.array(["schön"]), pa.array(["schön"], pa.large_string()), pa.array(["schön"], pa.string_view()),
        pa.array(["schön"]).dictionary_encode(), pa.array(["ant", "schön", "bee"]).slice(1, 1),
        pa.array([None, "schön"]).slice(1, 1), pa.array(["schön".encode()]),
        pa.array(["schön".encode()], pa.large_binary()),
        pa.array(["ant", None, "schön"]).dictionary_encode().slice(2, 1),
    ],
    "days": [
        pa.array([dt.date(2026, 2, 3)]), pa.array([dt.date(2026, 2, 3)], pa.date64()),
        pa.array(["2026-02-03"]).cast(pa.timestamp("s")), pa.array(["2026-02-03"]).cast(pa.timestamp("ns")),
        pa.array(["2026-02-03"]).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
    ],
    "lists": [pa.array([[1, 2]]), pa.array([[0], [1, 2]]).slice(1, 1)],
    "beyond doubles": [
        pa.array([2**60 + 1]), pa.array([2**60 + 1], pa.uint64()), pa.array([2**60 + 1, None]).slice(0, 1),
    ],
}  # fmt: skip


@pytest.mark.parametrize("columns", ALIKE.values(), ids=ALIKE.keys())
def test_stored_otherwise_hashed_alike(columns: list[pa.Array]) -> None:
    """One value has one hash, whatever it is stored as, whatever stands around it."""
    assert len({hashed(column)[0] for column in columns}) == 1


def test_different_values_differ() -> None:
    """Values that differ in one bit, byte, place, digit or sign, or in kind, have different hashes."""
    values: list[pa.Array] = [column[0] for column in ALIKE.values()]
    values += [
        pa.array([number]) for number in (2, 3.0000000000000004, -3, 2**53, 2**53 + 2, 5e-324, math.inf, -math.inf)
    ]
    values += [pa.array([2**60]), pa.array([2**60 + 2]), pa.array([2**63 - 1]), pa.array([-(2**63)])]
    values += [
        pa.array([text])
        for text in (
            "3", "0", "a", "b", "ab", "ba", " ", "\0", "\0\0", "12345678", "123456789", "12345679", "1234567\0",
            "1234567", "abcdefghABCDEFGH", "ABCDEFGHabcdefgh", "schon", "None", "[1, 2]x",
        )
    ]  # fmt: skip
    hashes = [hashed(column)[0] for column in values]
    assert len(set(hashes)) == len(hashes)


def test_order_of_columns_matters() -> None:
    """Swapping the values of two columns makes another row."""
    batch = pa.RecordBatch.from_pydict({"x": [1, 2], "t": [2, 1], "y": [0, 0]})
    assert len(set(HASHER.split(batch)[0].tolist())) == 2


LABELS = {
    "one": [pa.array([1]), pa.array([1.0]), pa.array(["1"]), pa.array([True]), pa.array(["1.0"]), pa.array(["true"]),
            pa.array(["1"]).dictionary_encode(), pa.array([Decimal(1)])],
    "word": [pa.array(["cat"]), pa.array(["cat"], pa.large_string()), pa.array(["dog", "cat"]).dictionary_encode()[1:]],
    "half": [pa.array([1.5]), pa.array(["1.5"]), pa.array([Decimal("1.5")])],
    "none": [pa.array([None], pa.int64()), pa.array([math.nan]), pa.array([""]), pa.nulls(1)],
    "zero": [pa.array([0]), pa.array([-0.0]), pa.array(["false"])],
}  # fmt: skip


def test_labels_are_what_they_read_as() -> None:
    """A label is one class whatever its type, and other labels are other classes; a missing one is of no class."""
    seen: dict[int, str] = {}
    for name, columns in LABELS.items():
        for column in columns:
            batch = pa.RecordBatch.from_arrays([pa.array([7.0]), column], names=["x", "y"])
            found = taken([batch], hasher=Hasher(columns=["x"], target="y", types={}))
            assert seen.setdefault(int(found.labels[0]), name) == name
            assert len(found.classes) == (name != "none")
    assert len(seen) == len(LABELS)


def test_rows_from_every_format(tmp_path: Any) -> None:
    """The same rows read from CSV by the signature, from Parquet, JSON Lines or a frame share every hash and digest."""
    frame = pd.DataFrame(
        {
            "n": [1, 2, 3, 2], "x": [0.1, -0.0, math.nan, 0.30000000000000004], "t": ["a", "", None, "schön, naja"],
            "f": [0.1, 2.0, 3.0, 0.7], "b": [True, False, True, True], "y": [0, 1, 1, 0],
        }
    )  # fmt: skip
    frame.to_csv(tmp_path / "d.csv", index=False)
    frame.to_parquet(tmp_path / "d.parquet")
    narrow = frame.astype({"n": "int32", "t": "category", "f": "float32"}).assign(y=frame["y"].map(str))
    pq.write_table(pa.Table.from_pandas(narrow[list("bnxtyf")], preserve_index=False), tmp_path / "narrow.parquet")
    frame.to_json(tmp_path / "d.jsonl", orient="records", lines=True, double_precision=15)
    types = {"n": pa.int64(), "x": pa.float64(), "t": pa.string(), "f": pa.float32(), "b": pa.bool_()}
    hasher = Hasher(columns=list("nxtfb"), target="y", types=types)
    found = []
    for source in (tmp_path / "d.csv", tmp_path / "d.parquet", tmp_path / "narrow.parquet", frame):
        data = open_data(source)
        read = {**types, "y": pa.string()} if data.is_text else types
        found.append(taken(data.batches([*types, "y"], read, rows=3), hasher=hasher))
    assert len({one.end for one in found}) == 1
    assert len({one.features.tobytes() for one in found}) == 1
    leak = found[0].leaked(open_data(frame).batches([*types, "y"], types, rows=2))
    assert (leak.leaked, leak.conflicting) == (4, 0)
    json_rows = taken(open_data(tmp_path / "d.jsonl").batches([*types, "y"], {}, rows=3), hasher=hasher)
    assert json_rows.leaked(open_data(frame).batches([*types, "y"], types)).leaked == 3  # JSON has 15 digits


def test_a_value_that_does_not_fit_has_its_place() -> None:
    """A value that cannot be cast to what the models are fed is named, with its row in the whole data."""
    hasher = Hasher(columns=["x"], target="y", types={"x": pa.int64()})
    reader = Fingerprinter(hasher)
    reader.add(pa.RecordBatch.from_pydict({"x": ["1", "2"], "y": [0, 1]}))
    with pytest.raises(InvalidInputError, match=r"^Column 'x' must be int64, got 'two' in row 4\."):
        reader.add(pa.RecordBatch.from_pydict({"x": ["1", "two"], "y": [0, 1]}))
    good = pa.RecordBatch.from_pydict({"x": [1], "y": [0]})
    with pytest.raises(InvalidInputError, match=r"got 1\.5 in row 2\."):
        reader.fingerprints().leaked([good, pa.RecordBatch.from_pydict({"x": [1.5], "y": [0]})])


MASK = 2**64 - 1


def mixed(word: int) -> int:
    """The finaliser of splitmix64, in Python's whole numbers."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK
    return word ^ word >> 31


def text_word(text: str) -> int:
    """Hash a text a word at a time."""
    content = text.encode()
    words = [int.from_bytes(content[i : i + 8], "little") for i in range(0, len(content), 8)]
    total = sum(mixed(word ^ (i * 0x9E3779B97F4A7C15 & MASK)) for i, word in enumerate(words, start=1))
    return mixed((total + len(content)) & MASK) if content else int.from_bytes(b"missing!", "big")


def test_finaliser_is_splitmix64() -> None:
    """The reference below is splitmix64: its first outputs from seed 0 are those in print."""
    outputs = [mixed(i * 0x9E3779B97F4A7C15 & MASK) for i in (1, 2, 3)]
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@given(st.lists(st.tuples(st.floats(width=64), st.text(max_size=30)), min_size=1, max_size=10))
def test_hash_is_its_definition(rows: list[tuple[float, str]]) -> None:
    """A row's hash is what its definition gives in whole numbers, so digests stored once are comparable for good."""
    batch = pa.RecordBatch.from_pydict({"x": [x for x, _ in rows], "t": [t for _, t in rows], "y": ["k"] * len(rows)})
    expected = []
    for x, t in rows:
        number = text_word("") if math.isnan(x) else int.from_bytes(struct.pack("<d", x + 0.0), "little")
        row = text_word("")
        for word in (number, text_word(t)):
            row = mixed(row * 0x9E3779B97F4A7C15 & MASK ^ word)
        expected.append(row)
    found = taken([batch])
    assert found.features.tolist() == expected
    assert found.labels.tolist() == [text_word("k")]


def test_a_million_rows_do_not_collide() -> None:
    """A million rows on a grid of small numbers, and texts that differ in a digit, have a hash each."""
    grid = np.indices((100, 100, 100)).reshape(3, -1)
    batch = pa.RecordBatch.from_arrays([*map(pa.array, grid), pa.nulls(10**6)], names=["a", "b", "c", "y"])
    found = taken([batch], hasher=Hasher(columns=["a", "b", "c"], target="y", types={}))
    assert (found.n, found.duplicates, found.classes) == (10**6, 0, {})
    texts = pa.RecordBatch.from_pydict({"x": [f"customer-{i:06d}" for i in range(300_000)], "y": [0] * 300_000})
    assert taken([texts], hasher=Hasher(columns=["x"], target="y", types={})).duplicates == 0
    assert found.features.nbytes + found.codes.nbytes == 9 * 10**6  # 8 bytes a row, and 1 for the label


def test_every_bit_of_a_hash_is_used() -> None:
    """Over a grid of small numbers each of the 64 bits is set in half of the hashes."""
    grid = np.indices((300, 300)).reshape(2, -1)
    batch = pa.RecordBatch.from_arrays([*map(pa.array, grid), pa.nulls(90_000)], names=["x", "t", "y"])
    bits = np.unpackbits(HASHER.split(batch)[0].view(np.uint8).reshape(-1, 8), axis=1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 5 * 0.5 / 300


@given(ROWS.filter(len), ROWS, st.integers(0, 25))
def test_growth_is_recognised(rows: list[Row], more: list[Row], cut: int) -> None:
    """Rows appended to a test set extend it; the recorded row count and digest are all that it takes to know."""
    earlier = taken(batches(rows)).end
    later = taken(batches(rows + more, cut), marks=[*range(1, earlier.n + 1), 99])
    assert later.extends(earlier)
    assert earlier in later.marks
    assert later.extends(later.end)
    assert not later.extends(Mark(n=earlier.n, digest="0" * 32))
    assert not taken(batches(rows), marks=[99]).extends(Mark(n=99, digest=earlier.digest))


def test_what_is_no_growth() -> None:
    """A changed value or label, other order, a row left out or other columns make another test set."""
    rows: list[Row] = [(1.0, "a", "cat"), (2.0, "b", "dog"), (3.0, "c", "cat")]
    earlier = taken(batches(rows)).end
    for other in (
        [(1.5, "a", "cat"), *rows[1:]],
        [(1.0, "a", "dog"), *rows[1:]],
        [rows[1], rows[0], rows[2]],
        [*rows[1:], rows[0]],
    ):
        assert not taken(batches([*other, rows[0]]), marks=[3]).extends(earlier)
    fewer = Hasher(columns=["x"], target="y", types={})
    assert not taken(batches(rows), marks=[3], hasher=fewer).extends(earlier)
    assert len(earlier.digest) == 32


def test_an_earlier_count_must_be_named_before_reading() -> None:
    """Without a digest at its row count, an earlier test set cannot be judged, and it is said how to."""
    found = taken(batches([(1.0, "a", "cat")] * 5), marks=[2])
    with pytest.raises(InvalidInputError, match=r"^marks must name the row count 3, got \[2, 5\]\. Hint: "):
        found.extends(Mark(n=3, digest="0" * 32))


def test_nothing() -> None:
    """No rows have no duplicates and leak nothing; no training rows leak nothing either."""
    nothing = taken([])
    assert (nothing.n, nothing.duplicates, nothing.classes) == (0, 0, {})
    rows = batches([(1.0, "a", "cat")])
    assert (nothing.leaked(rows).n_train, nothing.leaked(rows).leaked) == (1, 0)
    assert (taken(rows).leaked([]).n_train, taken(rows).leaked([]).leaked) == (0, 0)


def test_more_than_256_classes() -> None:
    """Labels get more bytes when they must, and keep their classes."""
    batch = [pa.RecordBatch.from_pydict({"x": [i], "t": ["a"], "y": [f"k{i}"]}) for i in range(300)]
    found = taken(batch)
    assert found.codes.dtype == np.uint16
    assert found.codes.tolist() == list(range(300))
    assert found.leaked(batch).leaked == 300
    assert len(found.classes) == 300


COUNTS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 500)).filter(lambda c: any(c.values()))


def test_worked_shift() -> None:
    """SciPy's documented example, 10 10 20 against 20 20 20, has chi-square 2.7777 and p = 0.24935."""
    shift = prior_shift({"a": 10, "b": 10, "c": 20}, {"a": 20, "b": 20, "c": 20})
    assert shift.statistic == pytest.approx(25 / 9, rel=1e-12)
    assert shift.pvalue == pytest.approx(0.24935220877729619, rel=1e-12)
    assert shift.total_variation == pytest.approx(1 / 6, rel=1e-12)
    assert [(share.label, share.train) for share in shift.shares] == [("a", 0.25), ("b", 0.25), ("c", 0.5)]


@given(COUNTS, COUNTS)
def test_shift_agrees_with_scipy_and_with_counting(train: dict[Label, int], test: dict[Label, int]) -> None:
    """Chi-square and p are SciPy's, and the distance is the most that any set of classes differs by."""
    shift = prior_shift(train, test)
    labels = [share.label for share in shift.shares]
    table = np.array([[side.get(label, 0) for label in labels] for side in (train, test)])
    theirs = stats.chi2_contingency(table, correction=False)
    assert shift.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
    assert shift.pvalue == pytest.approx(theirs.pvalue, rel=1e-7)
    sets = itertools.chain.from_iterable(itertools.combinations(shift.shares, k) for k in range(len(labels) + 1))
    furthest = max(sum(s.train for s in chosen) - sum(s.test for s in chosen) for chosen in sets)
    assert shift.total_variation == pytest.approx(furthest, abs=1e-12)


@given(COUNTS, COUNTS)
def test_shift_laws(train: dict[Label, int], test: dict[Label, int]) -> None:
    """Sides may change places; equal mixes have p = 1 and no distance; shares add up; nothing is NaN."""
    ours, theirs = prior_shift(train, test), prior_shift(test, train)
    assert (ours.statistic, ours.total_variation) == pytest.approx(
        (theirs.statistic, theirs.total_variation), rel=1e-12
    )
    same = prior_shift(train, {label: 3 * count for label, count in train.items()})
    assert same.pvalue == pytest.approx(1, abs=1e-9)
    assert (same.statistic, same.total_variation) == pytest.approx((0, 0), abs=1e-9)
    assert sum(share.train for share in ours.shares) == pytest.approx(1) == sum(share.test for share in ours.shares)
    assert 0 <= ours.pvalue <= 1
    assert 0 <= ours.total_variation <= 1


def test_shift_at_the_edges() -> None:
    """One class on both sides is no shift; disjoint classes are a whole one; a side without rows cannot be compared."""
    one = prior_shift({"a": 5, "b": 0}, {"a": 7})
    assert (one.statistic, one.pvalue, one.total_variation, len(one.shares)) == (0.0, 1.0, 0.0, 1)
    assert prior_shift({"a": 5}, {"b": 5}).total_variation == 1.0
    with pytest.raises(NotApplicableError, match=r"^There are no labelled training rows"):
        prior_shift({}, {"a": 1})
    with pytest.raises(NotApplicableError, match=r"^There are no labelled test rows"):
        prior_shift({1: 2}, {1: 0})


@pytest.mark.slow
def test_shift_keeps_its_level() -> None:
    """Of 20,000 pairs of samples from one mix of four classes, 5 % are called shifted."""
    rng = np.random.default_rng(0)
    mix = [0.5, 0.3, 0.15, 0.05]
    draws = [rng.multinomial(n, mix, 20_000).tolist() for n in (2000, 500)]
    rejected = sum(
        prior_shift(dict(zip("abcd", ours, strict=True)), dict(zip("abcd", theirs, strict=True))).pvalue < 0.05
        for ours, theirs in zip(*draws, strict=True)
    )
    assert rejected / 20_000 == pytest.approx(0.05, abs=0.0062)  # four standard errors
