"""The bootstrap on counts against the bootstrap on rows, enumerated."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.resampling import NOISE, bootstrap_pvalue, multinomial_draws, percentile_interval

Counts = npt.NDArray[np.int64]
COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any).map(np.array)
EFFECTS = hnp.arrays(np.float64, st.integers(1, 60), elements=st.sampled_from([-1.0, -0.25, -NOISE / 2, 0.0, 0.5, 2.0]))


def draw(counts: Counts, resamples: int, seed: int = 0) -> Counts:
    """Draw all resamples into one array."""
    return np.concatenate([*multinomial_draws(counts, resamples=resamples, rng=np.random.default_rng(seed))])


def enumerated(counts: Counts) -> dict[tuple[int, ...], float]:
    """Resample rows with replacement in every possible way: the chance of each table of counts."""
    rows = np.repeat(np.arange(counts.size), counts)
    ways = Counter(
        tuple(np.bincount(chosen, minlength=counts.size).tolist())
        for chosen in itertools.product(rows.tolist(), repeat=rows.size)
    )
    return {table: times / rows.size**rows.size for table, times in ways.items()}


@pytest.mark.parametrize("counts", [[2, 1, 1], [1, 3, 0, 1], [4, 1], [1, 0, 2, 2]])
def test_tables_are_row_resamples(counts: list[int]) -> None:
    """Draws of tables have the distribution of resampling rows: of every way to do it, and of SciPy's multinomial."""
    chance = enumerated(np.array(counts))
    n = sum(counts)
    for table, exactly in chance.items():
        assert stats.multinomial.pmf(table, n, np.array(counts) / n) == pytest.approx(exactly, rel=1e-12)
    drawn = Counter(tuple(row) for row in draw(np.array(counts), 40_000).tolist())
    assert set(drawn) <= set(chance)
    expected = {table: 40_000 * p for table, p in chance.items()}
    common = [table for table in chance if expected[table] >= 5]
    rest = max(40_000 - sum(expected[t] for t in common), 1e-9)
    squares = sum((drawn[t] - expected[t]) ** 2 / expected[t] for t in common)
    squares += (sum(drawn.values()) - sum(drawn[t] for t in common) - rest) ** 2 / rest if rest > 5 else 0
    assert stats.chi2.sf(squares, len(common)) > 1e-4


@given(COUNTS, st.integers(1, 40), st.integers(0, 2**32))
def test_draws_are_tables_of_the_same_rows(counts: Counts, resamples: int, seed: int) -> None:
    """Every draw has as many rows as the table, none in a cell that has none, and the same seed draws the same."""
    drawn = draw(counts, resamples, seed)
    assert drawn.shape == (resamples, counts.size)
    assert drawn.dtype.kind == "i"
    assert (drawn.sum(axis=1) == counts.sum()).all()
    assert (drawn >= 0).all()
    assert not drawn[:, counts == 0].any()
    assert np.array_equal(drawn, draw(counts, resamples, seed))


@pytest.mark.parametrize("most", [4, 100])
def test_blocks_are_bounded(most: int) -> None:
    """Many cells come in blocks of at most 32 MiB, whose rows add up to the draws asked for."""
    counts = np.random.default_rng(1).integers(0, most, 120_000)
    blocks = [*multinomial_draws(counts, resamples=190, rng=np.random.default_rng(2))]
    assert len(blocks) > 1
    assert all(block.nbytes <= 32 << 20 for block in blocks)
    assert sum(map(len, blocks)) == 190


def test_one_draw_larger_than_a_block() -> None:
    """A table too wide for a block comes a draw at a time."""
    counts = np.ones((32 << 20) // 4 + 1, dtype=np.int64)
    counts[0] = 0
    blocks = [*multinomial_draws(counts, resamples=2, rng=np.random.default_rng(0))]
    assert [block.shape for block in blocks] == [(1, counts.size)] * 2
    assert [block.sum() for block in blocks] == [counts.sum()] * 2


AWKWARD = {
    "sevenths, then nothing": [1] * 7 + [0],
    "thirds": [3, 3, 3, 1],
    "one cell": [10**8],
    "a hundred million among ones": [1] * 54_999 + [10**8],
    "a hundred million first": [10**8] + [1] * 54_999,
    "zeros at the end": [10**8, 1, 1, *[0] * 1000],
    "uneven": [*range(1, 55_001)],
}


@pytest.mark.parametrize("counts", AWKWARD.values(), ids=AWKWARD.keys())
def test_awkward_counts(counts: list[int]) -> None:
    """No table's probabilities fail to add up, and cells average what they hold."""
    held = np.array(counts)
    drawn = draw(held, 20)
    assert (drawn.sum(axis=1) == held.sum()).all()
    assert not drawn[:, held == 0].any()
    spread = np.sqrt(held * (1 - held / held.sum()) / 20)
    assert (np.abs(drawn.mean(axis=0) - held) <= 8 * spread + 1e-9).all()


def test_nothing_to_draw() -> None:
    """No rows: not applicable; no resamples: refused; both when asked, not when first read."""
    rng = np.random.default_rng(0)
    for empty in ([], [0, 0]):
        with pytest.raises(NotApplicableError, match="no rows"):
            multinomial_draws(np.array(empty, dtype=np.int64), resamples=1, rng=rng)
    with pytest.raises(InvalidInputError, match=r"resamples must be at least 1, got 0\."):
        multinomial_draws(np.array([1]), resamples=0, rng=rng)


@given(EFFECTS, st.sampled_from([0.5, 0.9, 0.95]))
def test_percentile_interval_is_the_sorted_middle(effects: npt.NDArray[np.float64], level: float) -> None:
    """The limits cut equal tails off the sorted draws, between two draws by the share of the way."""
    ours = percentile_interval(effects, confidence_level=level)
    if effects.max() - effects.min() <= 1e-12:
        assert ours is None
        return
    ordered = sorted(effects)
    limits = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        below = min(int(share * (len(ordered) - 1)), len(ordered) - 2)
        way = share * (len(ordered) - 1) - below
        limits.append(ordered[below] + way * (ordered[below + 1] - ordered[below]))
    assert ours is not None
    assert (ours.lower, ours.upper) == pytest.approx(tuple(limits), abs=1e-9)


@given(EFFECTS)
def test_swapping_mirrors_the_interval_and_keeps_p(effects: npt.NDArray[np.float64]) -> None:
    """Negating every effect mirrors the interval and keeps the p-value."""
    ours, theirs = percentile_interval(effects), percentile_interval(-effects)
    assert (ours is None) == (theirs is None)
    if ours and theirs:
        assert (ours.lower, ours.upper) == pytest.approx((-theirs.upper, -theirs.lower), abs=1e-12)
    assert bootstrap_pvalue(effects) == bootstrap_pvalue(-effects)


@pytest.mark.parametrize("value", [0.0, 0.3, -7.0])
def test_no_spread_is_not_estimable(value: float) -> None:
    """Draws that are all alike, but for noise, have no interval, whatever the value; nor has no draw."""
    assert percentile_interval(np.full(100, value)) is None
    assert percentile_interval(value + np.linspace(0, NOISE / 2, 100)) is None
    assert percentile_interval(np.array([])) is None


def test_no_confidence_level() -> None:
    """A level outside (0, 1) is refused, spread or no spread."""
    with pytest.raises(InvalidInputError, match=r"confidence must be in \(0, 1\), got 1\.5\."):
        percentile_interval(np.zeros(3), confidence_level=1.5)


@given(EFFECTS)
def test_pvalue_counts(effects: npt.NDArray[np.float64]) -> None:
    """The p-value counts draws on the far side of zero, one by one; noise around zero counts on both."""
    signs = [0 if abs(effect) <= 1e-12 else (1 if effect > 0 else -1) for effect in effects]
    beyond = min(sum(s <= 0 for s in signs), sum(s >= 0 for s in signs)) + 1
    assert bootstrap_pvalue(effects) == min(1.0, 2 * beyond / (len(signs) + 1))
    assert 2 / (len(signs) + 1) <= bootstrap_pvalue(effects) <= 1


def test_identical_sides() -> None:
    """Effects that are all zero, or noise, have p = 1."""
    assert bootstrap_pvalue(np.zeros(999)) == 1
    assert bootstrap_pvalue(np.full(999, 5e-13)) == 1


def test_pvalue_and_interval_agree_on_a_mean() -> None:
    """For a mean, bootstrap p and percentile interval say what the t test says, to simulation error."""
    counts, values = np.array([40, 25, 60, 75]), np.array([-1.0, -0.5, 0.0, 0.6])
    means = draw(counts, 20_000) @ values / counts.sum()
    rows = np.repeat(values, counts)
    t = stats.ttest_1samp(rows, 0.0)
    limits = t.confidence_interval(0.95)
    ours = percentile_interval(means)
    assert ours is not None
    assert (ours.lower, ours.upper) == pytest.approx((limits.low, limits.high), abs=0.005)
    assert bootstrap_pvalue(means) == pytest.approx(t.pvalue, abs=0.02)
