"""Units against McNemar's test on single rows, against resampling every unit, against statsmodels, under dependence."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.outcomes import PairedOutcomes
from abtest.stats.clusters import ClusterTest, Units, UnitTally, cluster_test, unit_draws
from abtest.stats.mcnemar import mcnemar
from abtest.stats.proportions import tango_statistic
from abtest.stats.resampling import multinomial_draws
from abtest.tally import Tally

Array = npt.NDArray[Any]
Rows = list[tuple[int, int, int, int]]  # unit, truth, champion, challenger

LABEL = st.integers(0, 2)
ROWS = st.lists(st.tuples(st.integers(0, 6), LABEL, LABEL, LABEL), min_size=1, max_size=40)


def tallied(rows: Rows, *, cut: int | None = None) -> UnitTally:
    """Tally rows in one batch, or in two."""
    tally = UnitTally()
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    for part in (slice(None, cut), slice(cut, None)) if cut is not None else (slice(None),):
        tally.add(*(column[part] for column in columns))
    return tally


def spelled(units: Units) -> list[list[tuple[object, int]]]:
    """Spell the units' rows by their labels, in an order that does not depend on how they were numbered."""
    keys = list(units.outcomes.to_counts())
    by_unit: list[list[tuple[object, int]]] = [[] for _ in range(units.n_units)]
    for unit, cell, count in zip(units.unit.tolist(), units.cell.tolist(), units.count.tolist(), strict=True):
        by_unit[unit].append((keys[cell], count))
    return sorted(sorted(rows, key=repr) for rows in by_unit)


def by_hand(rows: Rows) -> ClusterTest:
    """The test and its interval, a row and a unit at a time, from the formulas in print."""
    d: Counter[int] = Counter()
    size: Counter[int] = Counter()
    for unit, y, a, b in rows:
        d[unit] += (b == y) - (a == y)
        size[unit] += 1
    n, k = len(rows), len(size)
    effect = sum(d.values()) / n
    squares = sum(x * x for x in d.values())
    z = sum(d.values()) / math.sqrt(squares) if squares else 0.0
    centred = math.fsum((d[u] - effect * size[u]) ** 2 for u in size)
    interval = None
    if k > 1 and centred > 1e-20:
        half = stats.t.ppf(0.975, k - 1) * math.sqrt(k / (k - 1) * centred) / n
        interval = (max(effect - half, -1), min(effect + half, 1))
    return ClusterTest(n_units=k, effect=effect, statistic=z, pvalue=2 * stats.norm.sf(abs(z)), interval=interval)  # type: ignore[arg-type] # a pair will do


@given(rows=ROWS, counts=st.lists(st.integers(1, 4), min_size=40, max_size=40))
def test_rows_that_were_counted_before(rows: Rows, counts: list[int]) -> None:
    """A row that stands for several counts as so many rows."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    tally = UnitTally()
    tally.add(*columns, counts=np.array(counts[: len(rows)]))
    assert spelled(tally.units()) == spelled(
        tallied([row for row, n in zip(rows, counts, strict=False) for _ in range(n)]).units()
    )


@given(ROWS)
def test_is_what_the_formulas_say(rows: Rows) -> None:
    """Statistic, p-value and interval are those found by hand; never NaN."""
    ours, theirs = cluster_test(tallied(rows).units()), by_hand(rows)
    assert ours.n_units == theirs.n_units
    assert ours.effect == pytest.approx(theirs.effect, abs=1e-15)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.interval is None) == (theirs.interval is None)
    if ours.interval:
        assert (ours.interval.lower, ours.interval.upper) == pytest.approx(theirs.interval, abs=1e-9)
    assert 0 <= ours.pvalue <= 1


@given(st.lists(st.tuples(LABEL, LABEL, LABEL), min_size=1, max_size=60))
def test_one_row_a_unit_is_mcnemar(labels: list[tuple[int, int, int]]) -> None:
    """With one row a unit, z² is McNemar's uncorrected chi-square, and z is Tango's score of no effect."""
    units = tallied([(i, *row) for i, row in enumerate(labels)]).units()
    table, test = units.outcomes.contingency(), cluster_test(units)
    if table.discordant:
        chi2 = (table.champion_only - table.challenger_only) ** 2 / table.discordant
        assert test.statistic**2 == pytest.approx(chi2, rel=1e-12)
        assert test.statistic == pytest.approx(tango_statistic(table, 0.0), rel=1e-12)
        assert test.pvalue == pytest.approx(stats.chi2.sf(chi2, 1), rel=1e-9)
    else:
        assert (test.statistic, test.pvalue) == (0.0, 1.0)


def test_worked_example() -> None:
    """Units that differ by 3, 1, 1, -1, 0, 2 have z = 6/√16 = 1.5 and p = .1336, the table of the normal's."""
    rows: Rows = []
    for unit, difference in enumerate([3, 1, 1, -1, 0, 2]):
        rows += [(unit, 1, int(difference < 0), int(difference > 0))] * max(1, abs(difference))
    test = cluster_test(tallied(rows).units())
    assert (test.n_units, test.statistic, test.effect) == (6, 1.5, 6 / 9)
    assert test.pvalue == pytest.approx(0.1336, abs=5e-5)


def test_interval_is_statsmodels_cluster_robust() -> None:
    """The interval's variance is statsmodels' cluster-robust one of a mean, with its correction for few units."""
    rng = np.random.default_rng(3)
    unit = rng.integers(0, 25, 200)
    y, a, b = (rng.integers(0, 3, 200) for _ in range(3))
    b = np.where(rng.random(200) < 0.4, y, b)
    ours = cluster_test(tallied([*zip(unit.tolist(), y.tolist(), a.tolist(), b.tolist(), strict=True)]).units())
    d = (b == y).astype(float) - (a == y)
    fit = sm.OLS(d, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": unit}, use_t=True)
    # statsmodels multiplies by (n - 1)/(n - 1) too: a mean has one parameter.
    assert ours.effect == pytest.approx(fit.params[0], rel=1e-12)
    assert ours.interval is not None
    assert (ours.interval.lower, ours.interval.upper) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-9)


@given(ROWS)
def test_sides_may_change_places(rows: Rows) -> None:
    """Swapping the sides negates effect and statistic, mirrors the interval and keeps p; identical sides give p = 1."""
    ours = cluster_test(tallied(rows).units())
    theirs = cluster_test(tallied([(u, y, b, a) for u, y, a, b in rows]).units())
    assert (ours.effect, ours.statistic, ours.pvalue) == (-theirs.effect, -theirs.statistic, theirs.pvalue)
    assert (ours.interval is None) == (theirs.interval is None)
    if ours.interval and theirs.interval:
        assert (ours.interval.lower, ours.interval.upper) == (-theirs.interval.upper, -theirs.interval.lower)
    same = cluster_test(tallied([(u, y, a, a) for u, y, a, _ in rows]).units())
    assert (same.effect, same.statistic, same.pvalue, same.interval) == (0.0, 0.0, 1.0, None)


@given(ROWS, ROWS, st.integers(0, 40))
def test_batches_and_merging_do_not_matter(first: Rows, second: Rows, cut: int) -> None:
    """Rows tallied in one batch, in two, or in two tallies that are added are the same units of the same rows."""
    together = tallied(first + second).units()
    for other in (tallied(first + second, cut=cut), tallied(first) + tallied(second)):
        units = other.units()
        assert units.outcomes == together.outcomes
        assert spelled(units) == spelled(together)
        assert cluster_test(units) == cluster_test(together)
        draws, expected = (draw(u, 5) for u in (units, together))
        assert np.array_equal(draws, expected)  # whatever the units' numbers


@given(ROWS)
def test_the_table_is_that_of_the_rows(rows: Rows) -> None:
    """The units' outcomes are what the rows tally to without units, and each unit has its rows."""
    columns = np.array(rows, dtype=np.int64).T
    units = tallied(rows).units()
    assert units.outcomes == PairedOutcomes.from_predictions(*columns[1:])
    assert sorted(units.rows.tolist()) == sorted(Counter(columns[0].tolist()).values())
    assert units.n_units == len(set(columns[0].tolist()))
    assert np.bincount(units.cell, weights=units.count).tolist() == units.outcomes.counts.tolist()


def test_labels_are_reconciled_as_without_units() -> None:
    """Truth that is text and predictions that are numbers meet as they do in a plain tally; equal cells are joined."""
    y = np.array(["0", "1", "1.0", "1"], dtype=object)
    a, b = np.array([0, 1, 1, 0]), np.array([0.0, 1.0, 1.0, 1.0])
    tally, plain = UnitTally(), Tally()
    tally.add(np.array(["u", "u", "u", "v"], dtype=object), y, a, b)
    plain.add(y, a, b)
    units = tally.units(truth_is_text=True)
    assert units.outcomes == PairedOutcomes.from_tally(plain, truth_is_text=True)[0]
    assert units.count.tolist() == [1, 2, 1]
    assert units.differences.tolist() == [0, 1]


def test_a_unit_is_one_whatever_its_type() -> None:
    """A unit that is read as a whole number here and as a double there is one unit."""
    tally, one = UnitTally(), np.array([1])
    for unit in (np.array([7]), np.array([7.0]), np.array([7], dtype=object)):
        tally.add(unit, one, one, one)
    assert tally.units().rows.tolist() == [3]


def test_many_batches() -> None:
    """A million rows in batches, more keys than wait at a time, add up to every unit's rows."""
    tally, rng = UnitTally(), np.random.default_rng(0)
    batches = [rng.integers(0, 400_000, (4, 250_000)) for _ in range(6)]
    for unit, *labels in batches:
        tally.add(unit, *(column % 2 for column in labels))
    units = tally.units()
    expected = np.bincount(np.concatenate([batch[0] for batch in batches]))
    assert sorted(units.rows.tolist()) == sorted(expected[expected > 0].tolist())
    assert np.bincount(units.cell, weights=units.count).tolist() == units.outcomes.counts.tolist()


def draw(units: Units, resamples: int, seed: int = 0) -> Array:
    """Draw all resamples into one array."""
    return np.concatenate([*unit_draws(units, resamples=resamples, rng=np.random.default_rng(seed))])


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 1, 0, 1), (0, 1, 0, 1), (1, 1, 1, 0), (2, 1, 1, 1), (2, 1, 0, 1)],
        [(0, 1, 0, 1), (1, 1, 0, 1), (2, 1, 0, 1), (3, 0, 0, 1), (3, 0, 0, 1)],
        [(0, 0, 0, 1)] * 3 + [(1, 0, 1, 0)],
    ],
)
def test_draws_are_every_resample_of_units(rows: Rows) -> None:
    """Draws of tables have the distribution of resampling whole units, enumerated, at any number of rows a unit."""
    units = tallied(rows).units()
    dense = np.zeros((units.n_units, len(units.outcomes.cells)), dtype=np.int64)
    dense[units.unit, units.cell] = units.count
    ways = Counter(
        tuple(dense[list(chosen)].sum(axis=0).tolist())
        for chosen in itertools.product(range(units.n_units), repeat=units.n_units)
    )
    chance = {table: times / units.n_units**units.n_units for table, times in ways.items()}
    drawn = Counter(tuple(row) for row in draw(units, 40_000).tolist())
    assert set(drawn) <= set(chance)
    expected = np.array([40_000 * p for p in chance.values()])
    found = np.array([drawn[table] for table in chance])
    assert expected.min() >= 5
    assert stats.chisquare(found, expected).pvalue > 1e-4


def test_single_rows_draw_as_rows_do() -> None:
    """With one row a unit, units are rows: the draws are those of the table of counts."""
    rng = np.random.default_rng(5)
    rows = [(i, *row) for i, row in enumerate(rng.integers(0, 2, (300, 3)).tolist())]
    units = tallied(rows).units()
    ours = draw(units, 4000)
    theirs = np.concatenate([*multinomial_draws(units.outcomes.counts, resamples=4000, rng=np.random.default_rng(0))])
    assert (ours.sum(axis=1) == 300).all()
    for cell in range(len(units.outcomes.cells)):
        assert stats.ks_2samp(ours[:, cell], theirs[:, cell]).pvalue > 1e-4


def test_draws_come_in_chunks() -> None:
    """Many distinct units come in several chunks, which add up to the resamples asked for and average to the rows."""
    rng = np.random.default_rng(0)
    units = tallied(
        [
            (int(u), *row)
            for u, row in zip(rng.integers(0, 3000, 30_000), rng.integers(0, 4, (30_000, 3)).tolist(), strict=True)
        ]
    ).units()
    chunks = [*unit_draws(units, resamples=2000, rng=np.random.default_rng(0))]
    assert len(chunks) > 1
    assert sum(map(len, chunks)) == 2000
    assert all(chunk.dtype == np.int64 for chunk in chunks)
    mean = np.concatenate(chunks).mean(axis=0)
    assert np.abs(mean - units.outcomes.counts).max() < 8 * math.sqrt(units.outcomes.counts.max() * 3 / 2000)


def test_nothing_to_test() -> None:
    """No rows: not applicable; columns of other lengths, rows without a unit, or no level: refused by name."""
    empty = UnitTally().units()
    with pytest.raises(NotApplicableError, match="no rows to compare"):
        cluster_test(empty)
    with pytest.raises(NotApplicableError, match="no rows to resample"):
        unit_draws(empty, resamples=1, rng=np.random.default_rng(0))
    one = np.array([1])
    with pytest.raises(InvalidInputError, match=r"equal length, got shapes \(2,\), \(1,\), \(1,\), \(1,\)"):
        UnitTally().add(np.array([1, 2]), one, one, one)
    two = np.array([1, 2])
    for unit in (
        np.array([1.0, math.nan]),
        np.array(["u", None], dtype=object),
        np.array(["u", math.nan], dtype=object),
    ):
        with pytest.raises(InvalidInputError, match=r"unit must be there in every row, got 1 row without one\."):
            UnitTally().add(unit, two, two, two)
    with pytest.raises(InvalidInputError, match=r"confidence must be in \(0, 1\), got 2\."):
        cluster_test(tallied([(0, 1, 1, 1)]).units(), confidence_level=2)
    with pytest.raises(InvalidInputError, match=r"resamples must be at least 1, got 0\."):
        unit_draws(tallied([(0, 1, 1, 1)]).units(), resamples=0, rng=np.random.default_rng(0))


def half_dependent(units: int, size: int, rng: np.random.Generator) -> Units:
    """Rows of equal models, a fifth of them discordant: each row is its unit's with probability 1/2, else its own."""
    cell = rng.choice(3, p=[0.1, 0.1, 0.8], size=(units, 1))
    own = rng.choice(3, p=[0.1, 0.1, 0.8], size=(units, size))
    rows = np.where(rng.random((units, size)) < 0.5, cell, own).ravel()
    tally = UnitTally()
    tally.add(
        np.repeat(np.arange(units), size), np.ones(rows.size, int), (rows != 0).astype(int), (rows != 1).astype(int)
    )
    return tally.units()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "mcnemar_level"), [(5, 0.17), (10, 0.28)])
def test_level_on_half_dependent_rows(size: int, mcnemar_level: float) -> None:
    """McNemar rejects equal models in 17 % of series at 5 rows a unit, 28 % at 10; the units' test in 5 %."""
    rng = np.random.default_rng(size)
    rejected, missed, plain, series = 0, 0, 0, 4000
    for _ in range(series):
        units = half_dependent(200, size, rng)
        test = cluster_test(units)
        rejected += test.pvalue < 0.05
        missed += test.interval is None or not test.interval.lower <= 0 <= test.interval.upper
        plain += mcnemar(units.outcomes.contingency()).pvalue < 0.05
    assert plain / series == pytest.approx(mcnemar_level, abs=0.02)
    assert rejected / series == pytest.approx(0.05, abs=0.0105)  # three standard errors
    assert missed / series == pytest.approx(0.05, abs=0.0105)
