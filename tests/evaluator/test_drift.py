"""Drift of features and predictions, and changes of the schema: in words, always an answer, seldom a wrong one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.evaluator.drift import drift
from abtest.evaluator.monitored import Drift, SchemaChange
from abtest.stats.multiplicity import benjamini_hochberg
from abtest.stats.sketches import Numbers, Sketch, Values

RNG = np.random.default_rng(3)
NORMAL = RNG.normal(10.0, 2.0, 4000)
COLOURS = Values.of({"red": 2000, "blue": 1500, "green": 500})

RARE = "values are too rare, or rows too few, to compare how often each occurs."
SKETCHES = st.one_of(
    st.lists(st.one_of(st.floats(), st.sampled_from([0.0, 5.0])), max_size=30).map(Numbers.of),
    st.builds(
        lambda counts, missing: Values.of(counts, missing=missing),
        st.dictionaries(st.text(max_size=2), st.integers(1, 99), max_size=5),
        st.integers(0, 99),
    ),
)


def one(baseline: Sketch, recent: Sketch) -> Drift:
    """Compare one feature."""
    rows, _ = drift({"it": baseline}, {"it": recent})
    return rows[0]


def changes(baseline: Sketch, recent: Sketch) -> list[tuple[str, str]]:
    """Name the changes of one feature's schema."""
    return [(it.what, it.text) for it in drift({"it": baseline}, {"it": recent})[1]]


@pytest.mark.parametrize(
    ("recent", "words"),
    [
        (NORMAL + 1, "higher: median from"),
        (NORMAL - 1, "lower: median from"),
        (10 + 2 * (NORMAL - 10), "wider: the middle half from"),
        (10 + (NORMAL - 10) / 2, "narrower: the middle half from"),
    ],
)
def test_numbers_that_moved_are_named(recent: np.ndarray[tuple[int], np.dtype[np.float64]], words: str) -> None:
    """Numbers that are higher, lower, wider or narrower drifted, and the words say which."""
    row = one(Numbers.of(NORMAL), Numbers.of(recent))
    assert (row.kind, row.test, row.drifted) == ("number", "Kolmogorov-Smirnov", True)
    assert row.direction.startswith(words)
    assert row.pvalue is not None
    assert row.pvalue < 1e-6


def test_numbers_whose_median_stays_are_named_by_a_share() -> None:
    """Where most numbers are 0 in both windows, the words say the share that moved."""
    row = one(Numbers.of([0.0] * 800 + [5.0] * 200), Numbers.of([0.0] * 600 + [5.0] * 400))
    assert (row.distance, row.drifted, row.direction) == (0.2, True, "higher: up to 0 from 80.0 % to 60.0 %")


def test_values_that_moved_are_named() -> None:
    """The value that gained or lost most is named with its shares; the distance is the share of rows that moved."""
    row = one(COLOURS, Values.of({"red": 500, "blue": 350, "green": 150}))
    assert (row.kind, row.test, row.drifted) == ("text", "chi-squared", False)
    row = one(COLOURS, Values.of({"red": 300, "blue": 400, "green": 300}))
    assert row.direction == "'red' from 50.0 % to 30.0 %"
    assert row.distance == pytest.approx(0.2)
    assert row.drifted


def test_what_is_sure_but_small_is_no_drift() -> None:
    """A million rows make a hundredth of a deviation significant, and not a drift."""
    rng = np.random.default_rng(1)
    row = one(Numbers.of(rng.normal(size=1_000_000)), Numbers.of(rng.normal(0.01, 1, 1_000_000)))
    assert row.pvalue_adjusted is not None
    assert row.pvalue_adjusted < 0.05
    assert not row.drifted


def test_p_values_are_adjusted_over_features_and_predictions() -> None:
    """All that have a p-value are adjusted together, and what drifted is significant and far enough."""
    rng = np.random.default_rng(5)
    before = {f"x{it}": Numbers.of(rng.normal(size=300)) for it in range(6)} | {"none": Numbers.of([], missing=3)}
    now = {name: Numbers.of(rng.normal(0.1 * at, 1, 300)) for at, name in enumerate(before)}
    rows, _ = drift(before, now, predictions=(COLOURS, Values.of({"red": 90, "blue": 5, "green": 5})))
    assert [row.kind for row in rows] == ["prediction", *["number"] * 7]
    tested = [row for row in rows if row.pvalue is not None]
    assert [row.pvalue_adjusted for row in tested] == benjamini_hochberg(
        [row.pvalue for row in tested if row.pvalue is not None]
    ).tolist()
    for row in tested:
        assert row.distance is not None
        assert row.pvalue_adjusted is not None
        assert row.drifted == (row.pvalue_adjusted < 0.05 and row.distance >= 0.1)
    distances = [row.distance for row in rows[1:] if row.distance is not None]
    assert distances == sorted(distances, reverse=True)
    assert rows[-1].feature == "none"
    none, _ = drift(before, now, floor=1.1)
    assert not any(row.drifted for row in none)


@pytest.mark.parametrize(
    ("baseline", "recent", "words"),
    [
        (Numbers.of([]), Numbers.of([1.0]), "nothing to compare: the baseline has no row with a value."),
        (Numbers.of([1.0]), Numbers.of([math.nan]), "nothing to compare: the recent window has no row with a value."),
        (Values.of({"a": 1}), Numbers.of([math.nan]), "nothing to compare: the recent window has no row with a value."),
        (Values.of({"a": 1, "b": 1}), Values.of({"a": 1}), f"nothing to compare: {RARE}"),
        (Numbers.of([math.inf]), Numbers.of([1.0]), "nothing to compare: the baseline has no row with a value."),
        (Numbers.of([5.0]), Numbers.of([5.0, 5.0]), "the same"),
        (Values.of({"a": 3}), Values.of({"a": 1}), "the same"),
    ],
)  # fmt: skip
def test_where_nothing_can_be_said_a_sentence_says_so(baseline: Sketch, recent: Sketch, words: str) -> None:
    """Windows without rows, features without values, and constants have a sentence."""
    row = one(baseline, recent)
    assert (row.direction, row.drifted) == (words, False)
    assert (row.pvalue is None) == words.startswith("nothing")
    assert row.pvalue in {None, 1.0}


@given(SKETCHES, SKETCHES, SKETCHES, SKETCHES)
def test_no_number_is_ever_none_at_all(one: Sketch, other: Sketch, said: Sketch, says: Sketch) -> None:
    """Whatever two windows hold, every number is finite and within its bounds, and nothing is without words."""
    rows, schema = drift({"a": one, "b": other}, {"a": other, "b": one}, predictions=(said, says))
    for row in rows:
        assert row.direction
        for share in (row.missing_baseline, row.missing_recent, row.error_bound):
            assert 0 <= share <= 1
        for bounded in (row.pvalue, row.pvalue_adjusted, row.distance, row.js):
            assert bounded is None or 0 <= bounded <= 1
        for number in (row.statistic, row.psi):
            assert number is None or 0 <= number < math.inf
    assert all(change.text.endswith(".") for change in schema)


@given(SKETCHES)
def test_a_window_against_itself_is_the_same(sketch: Sketch) -> None:
    """A window against itself has no drift and no change of schema."""
    rows, schema = drift({"it": sketch}, {"it": sketch}, predictions=(sketch, sketch))
    assert not schema
    assert not any(row.drifted for row in rows)
    assert all(row.distance in {None, 0.0} and row.pvalue in {None, 1.0} for row in rows)


def test_columns_come_and_go() -> None:
    """A feature that only one window has is gone or new; where a window has none at all nobody knows."""
    some = {"a": COLOURS, "b": COLOURS}
    rows, schema = drift(some, {"b": COLOURS, "c": COLOURS})
    assert [row.feature for row in rows] == ["b"]
    assert [(it.feature, it.what) for it in schema] == [("a", "gone"), ("c", "new")]
    assert drift(some, {}) == drift({}, some) == ((), ())


def test_a_type_that_changed_is_named_alone() -> None:
    """Numbers that became text are a change of the type, and no drift; without a value they are of either type."""
    rows, schema = drift({"it": Numbers.of([1.0, 2.0])}, {"it": COLOURS})
    assert not rows
    assert schema == (SchemaChange(feature="it", what="type", text="It held numbers, and holds text now."),)
    assert changes(Numbers.of([], missing=3), Values.of({}, missing=3)) == []


def test_missing_rows_are_named() -> None:
    """More or fewer rows without a value are named where that is sure and matters, and all of them where it is sure."""
    full, text = Numbers.of(NORMAL), "All 5 recent rows lack it; none of the baseline's did."
    assert changes(full, Numbers.of([math.nan] * 5)) == [("all missing", text)]
    assert changes(COLOURS, Numbers.of([], missing=5)) == [("all missing", text)]
    assert changes(Numbers.of(NORMAL[:60], missing=40), Numbers.of([], missing=3)) == []  # as three in a row may be
    seldom, text = Numbers.of(NORMAL[:30], missing=970), "All 1,000 recent rows lack it; 97.0 % of the baseline's did."
    assert changes(seldom, Numbers.of([], missing=1000)) == [("all missing", text)]
    text = "20.0 % of recent rows lack it; none of the baseline's did."
    assert changes(full, Numbers.of(NORMAL[:400], missing=100)) == [("missing", text)]
    assert changes(Numbers.of(NORMAL[:40]), Numbers.of(NORMAL[:4], missing=1)) == []  # one of five may be chance
    assert changes(full, Numbers.of(NORMAL, missing=150)) == []  # sure, and too few to matter
    text = "No recent row lacks it; 20.0 % of the baseline's did."
    assert changes(Numbers.of(NORMAL[:400], missing=100), full) == [("missing", text)]


def test_new_and_gone_values_are_named() -> None:
    """Values that only one window has are named with their shares, but for those that may be chance."""
    now = Values.of({"red": 1900, "blue": 1950, "pink": 100, "grey": 50, "odd": 1})
    assert changes(COLOURS, now) == [
        ("new values", "3.7 % of recent rows have values that the baseline has not: 'pink' (2.5 %), 'grey' (1.2 %)."),
        ("gone values", "12.5 % of the baseline's rows had values that recent rows have not: 'green' (12.5 %)."),
    ]
    assert changes(COLOURS, Values.of({"red": 10, "blue": 9})) == []  # too few rows to miss the green ones


def test_values_out_of_range_are_named() -> None:
    """A share of numbers beyond the baseline's is named where that is sure and matters; a new greatest one is not."""
    whole = np.arange(1000.0)
    assert changes(Numbers.of(whole), Numbers.of(np.r_[whole, 1005.0])) == []
    text = "4.9 % of recent rows are outside 0 to 999.0, the range of the baseline: down to −5.000 and up to 1,000,000."
    assert changes(Numbers.of(whole), Numbers.of(np.r_[whole, np.full(50, 1e6), -5.0])) == [("range", text)]


def test_infinite_values_are_named() -> None:
    """Infinite numbers are named where the baseline had none."""
    some = Numbers.of([1.0, math.inf])
    assert changes(Numbers.of([1.0, 1.0]), some) == [
        ("infinite", "1 recent row is infinite; none of the baseline was.")
    ]
    assert changes(some, some) == []


def window(rng: np.random.Generator, n: int) -> dict[str, Sketch]:
    """Draw eight features of numbers, and one of text."""
    text = {f"v{at}": int(count) for at, count in enumerate(rng.multinomial(n, np.full(12, 1 / 12))) if count}
    return {**{f"x{it}": Numbers.of(rng.normal(size=n)) for it in range(8)}, "text": Values.of(text)}


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 10_000, 1_000_000])
def test_false_alarms_are_rare_and_drift_is_found(n: int) -> None:
    """Without drift hardly a report names any feature or change, at any size; what moved by 0.4 is found."""
    rng = np.random.default_rng(n)
    rounds = {300: 300, 10_000: 60, 1_000_000: 2}[n]
    alarms = named = found = 0
    for _ in range(rounds):
        before, now = window(rng, n), window(rng, n)
        rows, schema = drift(before, now)
        alarms += any(row.drifted for row in rows)
        named += bool(schema)
        now["x0"] = Numbers.of(rng.normal(0.4, 1.0, n))
        found += any(row.drifted for row in drift(before, now)[0] if row.feature == "x0")
    assert alarms <= 0.05 * rounds + 3 * math.sqrt(0.05 * 0.95 * rounds)
    assert named <= 0.05 * rounds + 3 * math.sqrt(0.05 * 0.95 * rounds)
    assert found >= 0.9 * rounds
