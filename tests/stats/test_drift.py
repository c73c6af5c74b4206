"""How far apart two samples are: published values, brute force, SciPy; bounds that hold; chance at its level."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import NotApplicableError
from abtest.stats.drift import binned, categories, deciles, kolmogorov_smirnov
from abtest.stats.homogeneity import (
    EXPECTED,
    chi_squared,
    stability_index,
    total_variation,
)
from abtest.stats.sketches import Numbers, Values

if TYPE_CHECKING:
    import numpy.typing as npt

FEW = st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 1.25, 1e9]), min_size=1, max_size=30)
MANY = st.sampled_from(["normal", "uniform", "exponential", "zeros"])


def drawn(shape: str, rows: int, seed: int) -> npt.NDArray[np.float64]:
    """Draw many numbers."""
    rng = np.random.default_rng(seed)
    if shape == "zeros":
        return np.where(rng.random(rows) < 0.6, 0.0, rng.exponential(1.0, rows))
    column: npt.NDArray[np.float64] = getattr(rng, shape)(size=rows)
    return column


@given(FEW.filter(lambda it: len(it) > 2), FEW.filter(lambda it: len(it) > 2))
def test_d_is_scipys_where_numbers_are_few(one: list[float], other: list[float]) -> None:
    """Of numbers that are told apart D is SciPy's, in both directions, with nothing left in doubt."""
    from scipy import stats

    ours = kolmogorov_smirnov(binned(Numbers.of(one), Numbers.of(other)))
    assert ours.error_bound == 0
    theirs = [
        stats.ks_2samp(one, other, alternative=it, method="asymp").statistic for it in ("two-sided", "greater", "less")
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
    """Where a sample has no row nothing is asked."""
    some, none = Numbers.of([1.0]), Numbers.of([math.nan])
    with pytest.raises(NotApplicableError, match="the baseline has no row"):
        binned(none, some)
    with pytest.raises(NotApplicableError, match="the recent window has no row"):
        categories(Values.of({"a": 1}), Values.of({}, missing=4))


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
