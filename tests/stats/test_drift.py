"""How far apart two samples are: published values, brute force, SciPy; bounds that hold; chance at its level."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.drift import (
    EXPECTED,
    binned,
    categories,
    chi_squared,
    deciles,
    jensen_shannon,
    kolmogorov_smirnov,
    stability_index,
    total_variation,
    two_shares,
)
from abtest.stats.sketches import Numbers, Values

if TYPE_CHECKING:
    import numpy.typing as npt

FEW = st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 1.25, 1e9]), min_size=1, max_size=30)
COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8)
MANY = st.sampled_from(["normal", "uniform", "exponential", "zeros"])


def columns(counts: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Cut counts into two samples, neither without rows."""
    baseline, recent = [one for one, _ in counts], [other for _, other in counts]
    assume(sum(baseline) and sum(recent))
    return baseline, recent


def drawn(shape: str, rows: int, seed: int) -> npt.NDArray[np.float64]:
    """Draw many numbers."""
    rng = np.random.default_rng(seed)
    if shape == "zeros":
        return np.where(rng.random(rows) < 0.6, 0.0, rng.exponential(1.0, rows))
    column: npt.NDArray[np.float64] = getattr(rng, shape)(size=rows)
    return column


@given(FEW, FEW)
def test_d_is_scipys_where_numbers_are_few(one: list[float], other: list[float]) -> None:
    """Of numbers that are told apart D is SciPy's, in both directions, with nothing left in doubt."""
    from scipy import stats

    ours = kolmogorov_smirnov(binned(Numbers.of(one), Numbers.of(other)))
    assert ours.error_bound == 0
    theirs = [
        stats.ks_2samp(one, other, alternative=it, method="exact").statistic for it in ("two-sided", "greater", "less")
    ]
    assert [ours.statistic, ours.rise, ours.fall] == pytest.approx(theirs, abs=1e-12)


@given(FEW, FEW)
def test_d_is_the_greatest_difference_at_any_number(one: list[float], other: list[float]) -> None:
    """D is the greatest difference of the shares at most as large, looked up at every number."""
    gaps = [
        abs(sum(it <= at for it in one) / len(one) - sum(it <= at for it in other) / len(other)) for at in one + other
    ]
    assert kolmogorov_smirnov(binned(Numbers.of(one), Numbers.of(other))).statistic == pytest.approx(
        max(gaps), abs=1e-15
    )


@given(MANY, MANY, st.integers(300, 20_000), st.integers(300, 20_000), st.integers(0, 99))
def test_d_is_within_its_bound(one: str, other: str, n: int, m: int, seed: int) -> None:
    """Of many numbers the exact D is at least the one at the bins' ends, and at most that and its bound: below 3 %."""
    from scipy import stats

    baseline, recent = drawn(one, n, seed), drawn(other, m, seed + 1)
    ours = kolmogorov_smirnov(binned(Numbers.of(baseline), Numbers.of(recent)))
    exact = stats.ks_2samp(baseline, recent, method="asymp").statistic
    assert ours.statistic - 1e-12 <= exact <= ours.statistic + ours.error_bound + 1e-12
    assert ours.error_bound < 0.03


@pytest.mark.parametrize(("z", "p"), [(1.2238, 0.1), (1.3581, 0.05), (1.6276, 0.01)])
def test_p_is_smirnovs_table(z: float, p: float) -> None:
    """The p-value is the table's: 1.22, 1.36 and 1.63 are its points of 10, 5 and 1 % (Smirnov 1948)."""
    n = 2_000_000
    rise = round(z / math.sqrt(n / 2) * n)
    samples = binned(Numbers.of([0.0, 1.0]), Numbers.of([0.0, 1.0]))
    baseline, recent = np.array([n // 2 + rise, n // 2 - rise]), np.array([n // 2, n // 2])
    ours = kolmogorov_smirnov(type(samples)(both=samples.both, baseline=baseline, recent=recent))
    assert ours.pvalue == pytest.approx(p, rel=2e-3)


@given(MANY, st.integers(20, 400), st.integers(20, 400), st.integers(0, 999))
def test_p_is_not_surer_than_the_exact_one(shape: str, n: int, m: int, seed: int) -> None:
    """The p-value is Kolmogorov's series, and hardly ever below the exact test's: never by a twentieth of it."""
    from scipy import stats

    baseline, recent = drawn(shape, n, seed), drawn(shape, m, seed + 1)
    ours = kolmogorov_smirnov(binned(Numbers.of(baseline), Numbers.of(recent)))
    z = math.sqrt(n * m / (n + m)) * ours.statistic
    if z > 0.3:  # below, the series needs more terms than it is worth: p is 1 to nine digits
        series = 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * (k * z) ** 2) for k in range(1, 101))
        assert ours.pvalue == pytest.approx(series, abs=1e-9)
    if shape != "zeros":
        assert ours.pvalue >= 0.95 * stats.ks_2samp(baseline, recent, method="exact").pvalue


@given(FEW, FEW)
def test_swapping_samples_mirrors_the_test(one: list[float], other: list[float]) -> None:
    """Samples swapped, D and p stay and rise and fall are swapped; a sample against itself is 0, and p = 1."""
    a, b = Numbers.of(one), Numbers.of(other)
    there, back = kolmogorov_smirnov(binned(a, b)), kolmogorov_smirnov(binned(b, a))
    assert (there.statistic, there.rise, there.fall, there.pvalue) == (
        back.statistic,
        back.fall,
        back.rise,
        back.pvalue,
    )
    same = kolmogorov_smirnov(binned(a, a + a))
    assert (same.statistic, same.pvalue) == (0.0, 1.0)


@given(COUNTS)
def test_chi_squared_is_scipys(counts: list[tuple[int, int]]) -> None:
    """χ² and its p-value are SciPy's, of the categories that have rows."""
    from scipy import stats

    baseline, recent = columns(counts)
    ours = chi_squared(baseline, recent)
    table = np.array([pair for pair in counts if any(pair)]).T
    theirs = stats.chi2_contingency(table, correction=False)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-9)
    assert (ours.degrees_of_freedom, ours.pvalue) == (theirs.dof, pytest.approx(theirs.pvalue, abs=1e-12))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3000), st.integers(0, 60))
def test_two_shares_are_fishers_or_chi_squared(k: int, rest: int, many: int, m: int) -> None:
    """Of few rows the p-value is Fisher's, as twice the smaller tail; of many it is χ²."""
    from scipy import stats

    assume(k + rest and many + m)
    n1, n2 = k + rest, many + m
    such, n = k + m, n1 + n2
    ours = two_shares(k, n1, m, n2)
    assert two_shares(m, n2, k, n1) == pytest.approx(ours, rel=1e-9)
    if min(n1, n2) * min(such, n - such) >= EXPECTED * n:
        assert ours == chi_squared([k, rest], [m, many]).pvalue
    else:
        chance = stats.hypergeom(n, such, n1)
        assert ours == pytest.approx(min(1.0, 2 * min(chance.cdf(k), chance.sf(k - 1))), rel=1e-7)


def test_two_shares_of_a_rare_event_in_millions() -> None:
    """However many rows there are, an exact tail costs and loses nothing: by hand, all k of them in the recent rows."""
    n, m = 10_000_000, 1_000
    by_hand = math.prod((m - i) / (n + m - i) for i in range(3))
    assert two_shares(0, n, 3, m) == pytest.approx(2 * by_hand, rel=1e-6)
    assert two_shares(n, n, m - 3, m) == pytest.approx(2 * by_hand, rel=1e-6)
    assert two_shares(0, n, 0, m) == 1.0


@given(COUNTS)
def test_distances_are_scipys_and_by_hand(counts: list[tuple[int, int]]) -> None:
    """The Jensen-Shannon distance is SciPy's; total variation and PSI are their sums, term by term."""
    from scipy.spatial import distance

    baseline, recent = columns(counts)
    n, m = sum(baseline), sum(recent)
    theirs = distance.jensenshannon(baseline, recent, base=2)
    assert jensen_shannon(baseline, recent) ** 2 == pytest.approx(0 if math.isnan(theirs) else theirs**2, abs=1e-12)
    assert total_variation(baseline, recent) == pytest.approx(sum(max(0, p / n - q / m) for p, q in counts), abs=1e-12)
    groups = [pair for pair in counts if any(pair)]
    shares = [((p + 0.5) / (n + len(groups) / 2), (q + 0.5) / (m + len(groups) / 2)) for p, q in groups]
    assert stability_index(baseline, recent) == pytest.approx(sum((p - q) * math.log(p / q) for p, q in shares))


def test_the_index_of_a_worked_example() -> None:
    """Shares of 40, 30, 30 % against 35, 25, 40 % have an index of 0.0446: each term to be checked by hand."""
    many = 10**9
    terms = (0.40 - 0.35) * math.log(0.40 / 0.35), (0.30 - 0.25) * math.log(0.30 / 0.25), 0.10 * math.log(0.40 / 0.30)
    assert [round(term, 4) for term in terms] == [0.0067, 0.0091, 0.0288]
    assert stability_index(
        [0.4 * many, 0.3 * many, 0.3 * many], [0.35 * many, 0.25 * many, 0.4 * many]
    ) == pytest.approx(0.04456, abs=5e-6)


@given(COUNTS, st.lists(st.integers(0, 50), min_size=8, max_size=8))
def test_jensen_shannon_is_a_metric(counts: list[tuple[int, int]], third: list[int]) -> None:
    """No detour is shorter (Endres & Schindelin 2003), and the divergence is at most the total variation (Lin 1991)."""
    baseline, recent = columns(counts)
    other = third[: len(counts)]
    assume(sum(other))
    direct = jensen_shannon(baseline, recent)
    assert direct <= jensen_shannon(baseline, other) + jensen_shannon(other, recent) + 1e-9
    assert direct**2 <= total_variation(baseline, recent) + 1e-9


@given(COUNTS)
def test_distances_are_symmetric_and_finite(counts: list[tuple[int, int]]) -> None:
    """Distances stay when samples are swapped, are 0 of a sample and itself, and are never infinite."""
    baseline, recent = columns(counts)
    for distance in (stability_index, jensen_shannon, total_variation):
        assert distance(baseline, recent) == pytest.approx(distance(recent, baseline), abs=1e-12)
        assert distance(baseline, baseline) == 0
        assert 0 <= distance(baseline, recent) < math.inf


@given(FEW, FEW)
def test_deciles_cut_where_the_baseline_does(one: list[float], other: list[float]) -> None:
    """Groups end at the baseline's deciles, and a number that a tenth of it has is a group of its own."""
    deciles_of = {float(it) for it in np.quantile(one, np.arange(1, 10) / 10, method="inverted_cdf")}
    often = {number for number, count in Counter(one).items() if 10 * count >= len(one)}
    groups: Counter[tuple[int, int]] = Counter()
    for at, column in enumerate((one, other)):
        for number in column:
            after = sum(cut < number for cut in deciles_of | often) + sum(cut <= number for cut in often)
            groups[after, at] += 1
    by_hand = [(groups[it, 0], groups[it, 1]) for it in sorted({after for after, _ in groups})]
    baseline, recent = deciles(binned(Numbers.of(one), Numbers.of(other)))
    assert list(zip(baseline.tolist(), recent.tolist(), strict=True)) == by_hand


def test_a_constant_is_left_in_either_direction() -> None:
    """A baseline that is constant is told from recent numbers below it as from those above."""
    constant = Numbers.of([5.0] * 100)
    for recent in (3.0, 7.0):
        assert stability_index(*deciles(binned(constant, Numbers.of([recent] * 100)))) > 5


VALUES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 40), min_size=1)


@given(VALUES, VALUES)
def test_categories_are_common_enough_for_chi_squared(one: dict[str, int], other: dict[str, int]) -> None:
    """Every row is in a category, and in each 5 rows are to be expected in either sample."""
    baseline, recent = Values.of(one), Values.of(other)
    try:
        found = categories(baseline, recent)
    except NotApplicableError:
        assert len({*one, *other}) > 1
        return
    assert (found.baseline.sum(), found.recent.sum()) == (baseline.n, recent.n)
    smaller = min(baseline.n, recent.n) / (baseline.n + recent.n)
    if len(found.names) > 1:
        assert ((found.baseline + found.recent) * smaller >= EXPECTED - 1e-9).all()
    for name, p, q in zip(found.names, found.baseline, found.recent, strict=True):
        assert name is None or (p, q) == (one.get(name, 0), other.get(name, 0))
    exact = [(one.get(name, 0), other.get(name, 0)) for name in {*one, *other}]
    apart = total_variation(found.baseline, found.recent)
    assert apart - 1e-12 <= total_variation(*zip(*exact, strict=True)) <= apart + found.error_bound + 1e-12


def test_what_is_not_told_apart_is_one_category() -> None:
    """Values beyond those that both samples tell apart are counted together, and bound what that hides."""
    one = {"often": 5000, **{f"{it:05}": 10 for it in range(5000)}}
    other = {name: 3 * count for name, count in one.items() if name != "01234"}
    found = categories(Values.of(one), Values.of(other))
    assert found.names[-1] is None
    assert len(found.names) == 1001
    assert (found.baseline.sum(), found.recent.sum()) == (sum(one.values()), sum(other.values()))
    exact = total_variation(list(one.values()), [other.get(name, 0) for name in one])
    apart = total_variation(found.baseline, found.recent)
    assert apart <= exact <= apart + found.error_bound


def test_samples_without_rows_have_no_answer() -> None:
    """Where a sample has no row nothing is asked, and what is no count is refused."""
    some, none = Numbers.of([1.0]), Numbers.of([math.nan])
    with pytest.raises(NotApplicableError, match="the baseline has no row"):
        binned(none, some)
    with pytest.raises(NotApplicableError, match="the recent window has no row"):
        categories(Values.of({"a": 1}), Values.of({}, missing=4))
    for asked in (chi_squared, stability_index, jensen_shannon, total_variation):
        with pytest.raises(NotApplicableError):
            asked([0, 0], [1, 2])
    with pytest.raises(NotApplicableError):
        two_shares(0, 0, 1, 2)
    with pytest.raises(InvalidInputError, match="from 0"):
        stability_index([-1, 2], [1, 2])


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 3_000, 100_000])
def test_levels_hold_without_drift(n: int) -> None:
    """Of one distribution the tests reject no more often than their level, and a fifth of a deviation is found."""
    rng = np.random.default_rng(n)
    rounds = 2000 if n < 100_000 else 300
    chances = np.array([0.4, 0.3, 0.2, 0.05, 0.05])
    rejected = np.zeros(3)
    indices = []
    for _ in range(rounds):
        baseline, recent = Numbers.of(rng.normal(size=n)), Numbers.of(rng.normal(size=n))
        samples = binned(baseline, recent)
        moved = binned(baseline, Numbers.of(rng.normal(0.2, 1.0, n)))
        values = chi_squared(rng.multinomial(n, chances), rng.multinomial(n, chances))
        rejected += [it.pvalue <= 0.05 for it in (kolmogorov_smirnov(samples), values, kolmogorov_smirnov(moved))]
        indices.append(stability_index(*deciles(samples)))
    slack = 3 * math.sqrt(0.05 * 0.95 / rounds)
    numbers, text, power = rejected / rounds
    assert numbers <= 0.05 + slack
    assert abs(text - 0.05) <= slack
    assert power >= (0.5 if n == 300 else 0.99)
    assert np.mean(indices) == pytest.approx(9 * 2 / n, rel=0.15)  # Yurdakul (2018): χ² with 9 degrees, times 1/n + 1/m
