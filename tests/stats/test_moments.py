"""Mergeable moments against exact fractions and NumPy, the paired t test against SciPy and by hand."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.moments import Moments, PairedMoments, paired_t, student_quantile

Pairs = list[tuple[float, float]]
VALUES = st.one_of(
    st.floats(-1e6, 1e6, allow_subnormal=False),
    st.sampled_from([0.0, 1.0, -1.0, 1e8, 1e8 + 1, 1e12, 1e-9, 0.1]),
)
PAIRS = st.lists(st.tuples(VALUES, VALUES), max_size=30)


def moments(pairs: Pairs) -> PairedMoments:
    """Spell rows as columns."""
    columns = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return PairedMoments.of(columns[:, 0], columns[:, 1])


def exactly(column: list[float]) -> tuple[Fraction, Fraction]:
    """Mean and sum of squared deviations, in fractions."""
    values = [Fraction(x) for x in column]
    mean = sum(values, Fraction()) / len(values)
    return mean, sum(((x - mean) ** 2 for x in values), Fraction())


def assert_alike(ours: Moments, theirs: Moments) -> None:
    """Agree to 1e-12, the mean relative to the root mean square that it is the mean of."""
    size = math.sqrt(theirs.mean_square)
    assert ours.n == theirs.n
    assert ours.mean == pytest.approx(theirs.mean, rel=1e-12, abs=1e-12 * size)
    assert ours.squares == pytest.approx(theirs.squares, rel=1e-12, abs=1e-24 * size * size * ours.n)


@given(PAIRS.filter(len))
def test_agrees_with_fractions(pairs: Pairs) -> None:
    """Means, spreads and the spread of the difference are what exact arithmetic gives."""
    ours = moments(pairs)
    columns = ([a for a, _ in pairs], [b for _, b in pairs], [b - a for a, b in pairs])
    for part, column in zip((ours.champion, ours.challenger, ours.difference), columns, strict=True):
        mean, squares = exactly(column)
        size = max(map(abs, column))
        assert part.mean == pytest.approx(float(mean), rel=1e-13, abs=1e-14 * size)
        assert part.squares == pytest.approx(float(squares), rel=1e-12, abs=1e-28 * size * size)


def test_a_spread_of_the_last_bit() -> None:
    """Values one bit apart, whose mean no double holds, have the spread that exact arithmetic gives."""
    for size in (1.0, 1e9, 1e130):
        column = [size, math.nextafter(size, math.inf), math.nextafter(size, math.inf)]
        mean, squares = exactly(column)
        ours = Moments.of(column)
        assert ours.squares == pytest.approx(float(squares), rel=1e-12, abs=0)
        assert float(Fraction(ours.mean) + Fraction(ours.mean_low) - mean) == pytest.approx(0, abs=1e-30 * size)


@given(PAIRS, st.lists(st.integers(0, 30), max_size=8), st.randoms(use_true_random=False))
def test_any_cut_gives_the_whole(pairs: Pairs, cuts: list[int], shuffle: object) -> None:
    """Batches cut anywhere and merged in any order agree with the whole to 1e-12."""
    ends = [0, *sorted(min(cut, len(pairs)) for cut in cuts), len(pairs)]
    batches = [moments(pairs[start:end]) for start, end in pairwise(ends)]
    shuffle.shuffle(batches)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    merged = moments([])
    for batch in batches:
        merged += batch
    whole = moments(pairs)
    assert_alike(merged.champion, whole.champion)
    assert_alike(merged.challenger, whole.challenger)
    assert_alike(merged.difference, whole.difference)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e9])
def test_many_batches_far_from_zero(offset: float) -> None:
    """Five thousand rows merged one by one agree with the whole to 1e-12, a billion spreads away from zero too."""
    rng = np.random.default_rng(3)
    first = offset + rng.normal(0, 1, 5000)
    second = first + rng.normal(1e-6, 1e-6, 5000)
    merged = PairedMoments.of([], [])
    for a, b in zip(first, second, strict=True):
        merged += PairedMoments.of([a], [b])
    whole = PairedMoments.of(first, second)
    for ours, theirs in ((merged.champion, whole.champion), (merged.difference, whole.difference)):
        assert ours.mean == pytest.approx(theirs.mean, rel=1e-12)
        assert ours.squares == pytest.approx(theirs.squares, rel=1e-12)


@given(PAIRS, PAIRS)
def test_merging_commutes_and_has_a_zero(one: Pairs, other: Pairs) -> None:
    """Merging does not care for order, to the last bit; no rows add nothing; swapping sides swaps them in a merge."""
    a, b = moments(one), moments(other)
    assert a + b == b + a
    assert a + moments([]) == a
    assert (a + b).swapped() == a.swapped() + b.swapped()
    assert a.swapped().swapped() == a
    assert moments([(y, x) for x, y in one]) == a.swapped()


@given(st.lists(st.tuples(VALUES, VALUES, st.integers(0, 3)), max_size=30))
def test_groups_are_their_rows(rows: list[tuple[float, float, int]]) -> None:
    """The moments of a group are those of its rows alone; one that has no row has none."""
    group = np.array([g for *_, g in rows], dtype=np.int64)
    found = PairedMoments.by_group([x for x, _, _ in rows], [y for _, y, _ in rows], group, 5)
    assert found[4] == moments([])
    for g, ours in enumerate(found):
        alone = moments([(x, y) for x, y, own in rows if own == g])
        for one, other in ((ours.champion, alone.champion), (ours.difference, alone.difference)):
            assert one.n == other.n
            assert (one.mean, one.squares) == pytest.approx((other.mean, other.squares), rel=1e-12, abs=1e-18)


@given(st.lists(st.tuples(st.integers(-9, 9).map(float), st.integers(-9, 9).map(float)), max_size=30))
def test_powers_of_two_scale_exactly(pairs: Pairs) -> None:
    """Halved moments are those of the halved columns, to the last bit."""
    assert moments(pairs).scaled(-1) == moments([(x / 2, y / 2) for x, y in pairs])


@given(PAIRS)
def test_round_trip(pairs: Pairs) -> None:
    """Written as JSON and read again, moments are the same."""
    ours = moments(pairs)
    assert PairedMoments.from_dict(json.loads(json.dumps(ours.to_dict()))) == ours


def test_agrees_with_numpy() -> None:
    """Variances and covariance are NumPy's."""
    rng = np.random.default_rng(0)
    first = rng.gamma(2, 3, 500)
    second = 0.7 * first + rng.normal(0, 1, 500)
    ours = PairedMoments.of(first, second)
    covariance = np.cov(first, second)
    assert ours.champion.variance == pytest.approx(covariance[0, 0], rel=1e-12)
    assert ours.challenger.variance == pytest.approx(covariance[1, 1], rel=1e-12)
    assert ours.cross / 499 == pytest.approx(covariance[0, 1], rel=1e-12)
    assert ours.effect == pytest.approx(second.mean() - first.mean(), rel=1e-12)
    assert ours.champion.mean_square == pytest.approx(np.square(first).mean(), rel=1e-12)


def test_students_sleep() -> None:
    """Student's ten patients (1908): 1.58 hours more sleep by the second drug, t = 4.06, p = .0028."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    ours = paired_t(PairedMoments.of(first, second))
    assert ours.effect == pytest.approx(1.58, abs=1e-12)
    assert ours.statistic == pytest.approx(4.0621, abs=5e-5)
    assert ours.pvalue == pytest.approx(0.002833, abs=5e-7)
    assert ours.interval is not None
    assert (ours.interval.lower, ours.interval.upper) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


@given(st.integers(2, 400), st.integers(0, 2**32), st.floats(-1, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_agrees_with_scipy(n: int, seed: int, shift: float, level: float) -> None:
    """Statistic, p-value and interval are those of SciPy's paired t test."""
    rng = np.random.default_rng(seed)
    first = rng.exponential(1, n)
    second = first + rng.normal(shift, 0.5, n)
    ours, theirs = paired_t(PairedMoments.of(first, second), confidence_level=level), stats.ttest_rel(second, first)
    limits = theirs.confidence_interval(level)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-9)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-8)
    assert ours.interval is not None
    assert (ours.interval.lower, ours.interval.upper) == pytest.approx((limits.low, limits.high), rel=1e-8)
    assert ours.standard_error == pytest.approx((second - first).std(ddof=1) / math.sqrt(n), rel=1e-9)


@given(PAIRS.filter(len))
def test_swapping_negates(pairs: Pairs) -> None:
    """Swapping sides negates effect, statistic and interval, and keeps the p-value, which is in [0, 1]."""
    one = moments(pairs)
    try:
        ours = paired_t(one)
    except NotApplicableError:
        with pytest.raises(NotApplicableError):
            paired_t(one.swapped())
        return
    theirs = paired_t(one.swapped())
    assert (theirs.effect, theirs.statistic, theirs.pvalue) == (-ours.effect, -ours.statistic, ours.pvalue)
    assert 0 <= ours.pvalue <= 1
    assert (ours.interval is None) == (theirs.interval is None)
    if ours.interval and theirs.interval:
        assert (theirs.interval.lower, theirs.interval.upper) == (-ours.interval.upper, -ours.interval.lower)


@given(st.lists(VALUES, min_size=1))
def test_identical_sides(values: list[float]) -> None:
    """Sides that are alike have effect 0, p = 1 and no interval, one row or many."""
    ours = paired_t(PairedMoments.of(values, values))
    assert (ours.effect, ours.standard_error, ours.statistic, ours.pvalue) == (0, 0, 0, 1)
    assert ours.interval is None


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_a_constant_difference_is_not_applicable(rows: int) -> None:
    """A difference that is the same in every row, but for rounding, has nothing to judge it by."""
    first = np.linspace(0.1, 7.7, rows)
    with pytest.raises(NotApplicableError, match=r"differences that vary, got 0\.3 in (every|the only) row\."):
        paired_t(PairedMoments.of(first, first + 0.3))
    noise = paired_t(PairedMoments.of(first, first * (1 + 1e-15)))
    assert noise.pvalue == 1


def test_no_rows_and_no_level() -> None:
    """No rows: not applicable; no level: refused."""
    with pytest.raises(NotApplicableError, match="no rows"):
        paired_t(PairedMoments.of([], []))
    with pytest.raises(InvalidInputError, match=r"confidence must be in \(0, 1\), got 1\.5\."):
        paired_t(PairedMoments.of([1.0], [2.0]), confidence_level=1.5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e141])
def test_no_number(bad: float) -> None:
    """What is not finite, or too large to square, is refused with its first row and how many there are."""
    with pytest.raises(InvalidInputError, match=r"challenger values must be .*first: row 2; 2 rows in all"):
        PairedMoments.of([1.0, 2.0, 3.0], [1.0, bad, -bad])
    with pytest.raises(InvalidInputError, match=r"^values must be numbers, got <U1\.$"):
        Moments.of(["a"])
    with pytest.raises(InvalidInputError, match=r"challenger values must be one number for each of 2 rows"):
        PairedMoments.of([1.0, 2.0], [1.0])


def test_the_largest_still_add_up() -> None:
    """A hundred million batches of the largest values allowed stay in range."""
    ours = PairedMoments.of([1e140, -1e140], [-1e140, 1e140])
    for _ in range(27):
        ours += ours
    assert math.isfinite(paired_t(ours).standard_error)
    assert ours.champion.squares == pytest.approx(2e280 * 2**27, rel=1e-12)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"n": 1, "mean": 0.0, "squares": 0.0, "mean_low": 0.0, "squares_low": math.nan},
        {"n": 1.5, "mean": 0.0, "squares": 0.0, "mean_low": 0.0, "squares_low": 0.0},
        {"n": -1, "mean": 0.0, "squares": 0.0, "mean_low": 0.0, "squares_low": 0.0},
        {"n": 2, "mean": 0.0, "squares": -1.0, "mean_low": 0.0, "squares_low": 0.0},
        {"n": 2, "mean": "0", "squares": 1.0, "mean_low": 0.0, "squares_low": 0.0},
    ],
)
def test_broken_records(broken: dict[str, float]) -> None:
    """A record that is no moments is refused by the name of what is wrong."""
    with pytest.raises(InvalidInputError, match=r"^(Paired)?Moments"):
        Moments.from_dict(broken)
    whole = PairedMoments.of([1.0], [2.0]).to_dict()
    with pytest.raises(InvalidInputError, match=r"^(Paired)?Moments"):
        PairedMoments.from_dict({**whole, "champion": broken})


def test_sides_of_different_rows() -> None:
    """Sides that count different rows are no pair."""
    whole = PairedMoments.of([1.0], [2.0]).to_dict()
    with pytest.raises(InvalidInputError, match="must count the same rows"):
        PairedMoments.from_dict({**whole, "champion": Moments.of([1.0, 2.0]).to_dict()})
    with pytest.raises(InvalidInputError, match="PairedMoments must hold champion, challenger, difference"):
        PairedMoments.from_dict({"champion": {}})


@pytest.mark.parametrize("degrees", [1, 2, 9, 100, 10**8])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_quantile_is_scipys(degrees: int, level: float) -> None:
    """Student's quantile is SciPy's."""
    assert student_quantile(degrees, level) == pytest.approx(stats.t.isf((1 - level) / 2, degrees), rel=1e-9)


def level_of_t(n: int, simulations: int) -> float:
    """Reject at 5 % how often, with losses of equal mean and a long tail."""
    rng = np.random.default_rng(7)
    losses: npt.NDArray[np.float64] = rng.exponential(1, (simulations, 2, n))
    tests = (paired_t(PairedMoments.of(*sides)) for sides in losses)
    return float(np.mean([test.pvalue <= 0.05 for test in tests]))


@pytest.mark.slow
def test_level_with_long_tails() -> None:
    """At 200 rows of exponential losses of equal mean the test rejects in 5 %, to simulation error of four sigmas."""
    assert level_of_t(200, 20_000) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 20_000))
