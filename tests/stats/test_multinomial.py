"""Three ways to draw a cell, against every resample of its rows, and against each other."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest.stats import multinomial
from abtest.stats.multinomial import MOST_LIGHT, PoissonTable, cheapest, costs, missing_rows, recipe_of
from abtest.stats.resampling import multinomial_blocks

Counts = npt.NDArray[np.int64]
COUNTS = st.lists(st.integers(0, 300), min_size=1, max_size=60).filter(any).map(np.array)


def enumerated(counts: Counts) -> dict[tuple[int, ...], float]:
    """Resample rows with replacement in every possible way: the chance of each table of counts."""
    rows = np.repeat(np.arange(counts.size), counts)
    ways = Counter(
        tuple(np.bincount(chosen, minlength=counts.size).tolist())
        for chosen in itertools.product(rows.tolist(), repeat=rows.size)
    )
    return {table: times / rows.size**rows.size for table, times in ways.items()}


@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("most", [0, 1, 2, 4])
@pytest.mark.parametrize("counts", [[2, 1, 1], [1, 3, 0, 1], [4, 1], [1, 0, 2, 2], [2, 1, 1, 1, 1]])
def test_however_cells_are_drawn_they_are_row_resamples(
    counts: list[int], most: int, margin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each table comes as often as enumerating every resample says: of binomials, Poisson numbers, rows, any mixture.

    Without a margin Poisson numbers are too many half of the time, and drawn again; with the usual one a lump as small
    as these is drawn row by row.
    """
    monkeypatch.setattr(multinomial, "_MARGIN", margin)
    chance, draws = enumerated(np.array(counts)), 40_000
    drawn = recipe_of(np.array(counts), most=most).draw(draws, np.random.default_rng(1)).T
    found = Counter(map(tuple, drawn.tolist()))
    assert set(found) <= set(chance)
    common = {table: draws * share for table, share in chance.items() if draws * share >= 5}
    squares = sum((found[table] - expected) ** 2 / expected for table, expected in common.items())
    assert stats.chi2.sf(squares, len(common)) > 1e-4


@pytest.mark.parametrize("margin", [1.0, 3.0])
@pytest.mark.parametrize("most", [0, 1, 7, MOST_LIGHT])
def test_means_and_covariances_are_a_multinomials(most: int, margin: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever cells are light, means and covariances of the draws are n·p and n·(diag(p) - p·pᵀ)."""
    monkeypatch.setattr(multinomial, "_MARGIN", margin)
    counts, draws = np.array([1, 2, 3, 4, 20, 200, 1, 0, 7, 1, 128, 129] * 3), 40_000
    n = int(counts.sum())
    drawn = recipe_of(counts, most=most).draw(draws, np.random.default_rng(3)).T.astype(np.float64)
    share = counts / n
    covariance = n * (np.diag(share) - np.outer(share, share))
    error = np.sqrt((covariance**2 + np.outer(np.diag(covariance), np.diag(covariance)) + n * share.max()) / draws)
    assert (drawn.sum(axis=1) == n).all()
    assert np.abs(drawn.mean(axis=0) - counts).max() < 5 * math.sqrt(covariance.max() / draws)
    assert (np.abs(np.cov(drawn.T, bias=True) - covariance) <= 6 * error).all()


@pytest.mark.parametrize("most", [0, 1, 30, MOST_LIGHT])
def test_each_cell_is_binomial(most: int) -> None:
    """Cells of 1, 30 and 128 rows among many are binomial by SciPy's probabilities, however they are drawn."""
    counts, draws = np.array([1] * 100 + [30] * 20 + [MOST_LIGHT] * 10 + [500]), 20_000
    drawn = recipe_of(counts, most=most).draw(draws, np.random.default_rng(5))
    for cell in (0, 100, 120, 130):
        law = stats.binom(counts.sum(), counts[cell] / counts.sum())
        edges = np.unique(law.ppf(np.linspace(0, 1, 12)[1:-1]))
        found = np.bincount(np.searchsorted(edges, drawn[cell]), minlength=edges.size + 1)
        expected = draws * np.diff([0, *law.cdf(edges), 1])
        assert stats.chisquare(found, expected).pvalue > 1e-4


@pytest.mark.parametrize("mean", [0.001, 0.5, 0.97, 3.3, 40.0, 127.9, 128.0])
def test_tables_have_poisson_probabilities(mean: float) -> None:
    """Slots and what is beyond them add up to SciPy's Poisson probabilities, as closely as doubles do."""
    table = PoissonTable.of(mean)
    slots = np.bincount(table.found, minlength=256)
    chance = (slots[:255] + slots[255] * np.diff(table.beyond, prepend=0.0)) / 65536
    assert chance == pytest.approx(stats.poisson.pmf(np.arange(255), mean), abs=1e-15, rel=1e-9)
    assert stats.poisson.sf(254, mean) < 1e-20
    assert table.beyond[-1] == 1.0


def test_numbers_beyond_the_slots_are_drawn_too() -> None:
    """Numbers follow the table's probabilities, also those that the slots are too coarse for."""
    mean, draws = 128.0, 1 << 20
    found = np.bincount(PoissonTable.of(mean).numbers(1 << 10, 1 << 10, np.random.default_rng(2)).ravel())
    law = stats.poisson(mean)
    low, high = int(law.ppf(1e-5)), int(law.isf(1e-5))
    kept = np.r_[found[:low].sum(), found[low:high], found[high:].sum()]
    expected = draws * np.r_[law.cdf(low - 1), law.pmf(np.arange(low, high)), law.sf(high - 1)]
    assert stats.chisquare(kept, expected).pvalue > 1e-4


@given(COUNTS, st.sampled_from([0, 1, 5, MOST_LIGHT]), st.integers(1, 40))
def test_every_draw_has_as_many_rows(counts: Counts, most: int, number: int) -> None:
    """However cells are drawn, a draw has as many rows as the table, and none in a cell that has none."""
    drawn = recipe_of(counts, most=most).draw(number, np.random.default_rng(0))
    assert drawn.shape == (counts.size, number)
    assert (drawn.sum(axis=0) == counts.sum()).all()
    assert (drawn >= 0).all()
    assert not drawn[counts == 0].any()


@given(COUNTS)
def test_the_cheapest_is_taken(counts: Counts) -> None:
    """The costs are those of a plain reckoning, cell by cell, and the recipe is one of the least."""
    n, reckoned = int(counts.sum()), []
    for most in range(MOST_LIGHT + 1):
        light = [count for count in counts.tolist() if 0 < count <= most]
        lump = sum(light)
        missing = min(lump, 3 * math.sqrt(lump * (1 - lump / n) + lump))
        heavy = sum(count > most for count in counts.tolist())
        reckoned.append(60 * heavy + 1.7 * len(light) * (missing < lump) + 4 * missing)
    assert costs(counts) == pytest.approx(reckoned)
    taken = counts[cheapest(counts).light]
    assert reckoned[int(taken.max(initial=0))] == pytest.approx(min(reckoned))


@pytest.mark.parametrize(
    ("counts", "light"),
    [([10**6] * 8, 0), ([5 * 10**5] * 2 + [1] * 5000, 5000), ([1] * 7, 7), ([20] * 5000, 5000)],
    ids=["few heavy cells", "rare ones", "a handful of rows", "many"],
)
def test_what_is_light(counts: list[int], light: int) -> None:
    """Few heavy cells are binomials, a handful of rows is drawn row by row, and many rare cells are light."""
    recipe = cheapest(np.array(counts))
    assert recipe.light.size == light
    assert recipe.heavy.size == len(counts) - light


def test_few_rows_need_no_table() -> None:
    """Of up to 18 rows that are all there is, each is drawn; of more, few."""
    assert missing_rows(np.array([1, 9, 100, 10**6]), 10**6).tolist() == [1, 9, pytest.approx(30, rel=0.5), 3000]


@pytest.mark.parametrize("n", [2**31 - 1, 2**31, 2**40])
def test_as_many_rows_as_there_may_be(n: int) -> None:
    """Sums stay exact on both sides of 32 bits."""
    counts = np.array([n - 600, *[3] * 200])
    drawn = cheapest(counts).draw(50, np.random.default_rng(0))
    assert [sum(draw) for draw in drawn.T.tolist()] == [n] * 50


def test_blocks_know_no_order() -> None:
    """Blocks drawn backwards, or by threads, are the blocks drawn one after the other; so are more blocks' first."""
    counts = np.random.default_rng(1).integers(0, 9, 30_000)

    def blocks(resamples: int = 500) -> list[multinomial.Counts]:
        made = multinomial_blocks(counts, resamples=resamples, rng=np.random.default_rng(2))
        backwards = [block() for block in reversed(made)]
        return backwards[::-1]

    with ThreadPoolExecutor(max_workers=3) as pool:
        made = multinomial_blocks(counts, resamples=500, rng=np.random.default_rng(2))
        threaded = [*pool.map(lambda block: block(), made)]
    one_by_one = [block() for block in multinomial_blocks(counts, resamples=500, rng=np.random.default_rng(2))]
    assert len(one_by_one) > 3
    for others in (blocks(), threaded, blocks(1000)):
        assert all(np.array_equal(one, other) for one, other in zip(one_by_one[:3], others, strict=False))
    assert all(np.array_equal(one, other) for one, other in zip(one_by_one, threaded, strict=True))
