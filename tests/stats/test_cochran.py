"""Cochran's Q against print, against shuffling within rows, against statsmodels; and what its null leaves out."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import contingency_tables

from abtest.errors import InvalidInputError
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.stats.cochran import CochranQ, cochran_q
from abtest.stats.mcnemar import mcnemar
from abtest.stats.multiplicity import holm

Rows = list[list[int]]
Pairs = dict[tuple[int, int], Contingency]


def repeated(patterns: Rows, counts: list[int]) -> Rows:
    """Spell rows out that are printed as patterns with counts."""
    return [pattern for pattern, count in zip(patterns, counts, strict=True) for _ in range(count)]


# Cochran 1950: diphtheria bacilli grown on four media from 69 throats.
MEDIA = repeated([[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], [4, 2, 3, 1, 59])
# Agresti, Categorical Data Analysis; SAS/STAT User's Guide, PROC FREQ: three drugs, 46 patients, F as 1.
DRUGS = repeated(
    [[1, 1, 1], [0, 1, 1], [1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]], [6, 2, 16, 4, 2, 6, 4, 6]
)


def pairs_of(right: npt.ArrayLike) -> Pairs:
    """Tally every two models from who is right on each row, shape (rows, models)."""
    matrix = np.asarray(right, dtype=np.float64)  # which multiplies faster than integers, and counts as exactly
    both, rows = (matrix.T @ matrix).astype(np.int64).tolist(), len(matrix)
    return {
        (i, j): Contingency(
            both=both[i][j],
            champion_only=both[i][i] - both[i][j],
            challenger_only=both[j][j] - both[i][j],
            neither=rows - both[i][i] - both[j][j] + both[i][j],
        )
        for i, j in itertools.combinations(range(matrix.shape[1]), 2)
    }


def q_of(right: npt.ArrayLike) -> CochranQ:
    """Test rows."""
    return cochran_q(pairs_of(right))


@st.composite
def rows_of(draw: st.DrawFn, *, models: int | None = None) -> Rows:
    """Draw what two to six models got right, row by row."""
    k = models or draw(st.integers(2, 6))
    return draw(st.lists(st.lists(st.integers(0, 1), min_size=k, max_size=k), min_size=1, max_size=40))


def test_published_values() -> None:
    """Cochran's own example has Q = 8.05, Agresti's drugs have p = .0145 as SAS prints it."""
    assert round(q_of(MEDIA).statistic, 2) == 8.05
    assert round(q_of(DRUGS).pvalue, 4) == 0.0145
    assert q_of(DRUGS).degrees_of_freedom == 2


def by_hand(rows: Rows) -> Fraction:
    """Q as the between-models sum of squares over the mean within-row variance, in fractions."""
    k = len(rows[0])
    totals = [sum(column) for column in zip(*rows, strict=True)]
    mean = Fraction(sum(totals), k)
    within = sum((Fraction(sum(row) * (k - sum(row)), k * (k - 1)) for row in rows), Fraction())
    return sum(((total - mean) ** 2 for total in totals), Fraction()) / within


@given(rows_of())
def test_agrees_with_the_definition_and_statsmodels(rows: Rows) -> None:
    """Q is the spread between models over that within rows, and statsmodels' where that is a number."""
    ours = q_of(rows)
    if all(len(set(row)) == 1 for row in rows):
        assert (ours.statistic, ours.pvalue) == (0.0, 1.0)
        return
    assert ours.statistic == float(by_hand(rows))
    theirs = contingency_tables.cochrans_q(np.array(rows))
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-12, abs=1e-12)
    assert ours.pvalue == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.degrees_of_freedom == theirs.df
    assert 0 <= ours.pvalue <= 1


def shuffled_within_rows(rows: Rows) -> list[tuple[Fraction, Fraction]]:
    """Every Q that shuffling each row's rights over the models gives, with its probability."""
    mixed = [row for row in rows if len(set(row)) > 1]
    k = len(rows[0])
    totals: Counter[tuple[int, ...]] = Counter({(0,) * k: 1})
    for row in mixed:
        grown: Counter[tuple[int, ...]] = Counter()
        for placed in set(itertools.permutations(row)):
            for total, ways in totals.items():
                grown[tuple(map(sum, zip(total, placed, strict=True)))] += ways
        totals = grown
    within = sum((Fraction(sum(row) * (k - sum(row)), k * (k - 1)) for row in mixed), Fraction())
    ways_in_all = totals.total()
    return [
        (sum(((c - Fraction(sum(total), k)) ** 2 for c in total), Fraction()) / within, Fraction(ways, ways_in_all))
        for total, ways in totals.items()
    ]


@pytest.mark.parametrize("rows", [MEDIA, DRUGS], ids=["media", "drugs"])
def test_chi_square_approximates_shuffling(rows: Rows) -> None:
    """Over all shuffles within rows Q has mean k - 1 exactly, and p is near the share of shuffles as far apart.

    Near is loose here: ten mixed rows of four models in Cochran's example. He found the approximation good enough.
    """
    spread = shuffled_within_rows(rows)
    assert sum(q * share for q, share in spread) == len(rows[0]) - 1
    exact = sum(share for q, share in spread if q >= by_hand(rows))
    assert q_of(rows).pvalue == pytest.approx(float(exact), abs=0.01)


@given(rows_of(models=2))
def test_two_models_are_mcnemar(rows: Rows) -> None:
    """Of two models Q is McNemar's uncorrected chi-square, with its p-value; swapping the sides changes nothing."""
    table = pairs_of(rows)[0, 1]
    ours = cochran_q({(0, 1): table})
    swapped = replace(table, champion_only=table.challenger_only, challenger_only=table.champion_only)
    assert cochran_q({(0, 1): swapped}) == ours
    if not table.discordant:
        assert (ours.statistic, ours.pvalue) == (0.0, 1.0)
        return
    assert ours.statistic == (table.champion_only - table.challenger_only) ** 2 / table.discordant
    counts = [[table.both, table.champion_only], [table.challenger_only, table.neither]]
    assert ours.pvalue == pytest.approx(
        contingency_tables.mcnemar(counts, exact=False, correction=False).pvalue, rel=1e-9
    )


@given(rows_of(), st.randoms(use_true_random=False))
def test_order_is_irrelevant(rows: Rows, shuffle: Any) -> None:
    """Neither the order of the models nor that of their pairs changes Q; nor does taking wrong for right."""
    pairs = pairs_of(rows)
    ours = cochran_q(pairs)
    assert cochran_q(dict(shuffle.sample(sorted(pairs.items(), key=lambda item: item[0]), len(pairs)))) == ours
    order = shuffle.sample(range(len(rows[0])), len(rows[0]))
    assert q_of([[row[at] for at in order] for row in rows]) == ours
    assert q_of([[1 - x for x in row] for row in rows]) == ours


@given(rows_of(), st.integers(2, 5))
def test_identical_models(rows: Rows, copies: int) -> None:
    """Models that never differ have Q = 0 and p = 1; rows on which all are right or wrong change nothing."""
    same = q_of([[row[0]] * copies for row in rows])
    assert (same.statistic, same.degrees_of_freedom, same.pvalue) == (0.0, copies - 1, 1.0)
    k = len(rows[0])
    assert q_of([*rows, [1] * k, [0] * k]) == q_of(rows)


def test_no_rows() -> None:
    """Where there are no rows, no model differs."""
    assert q_of(np.zeros((0, 3))) == CochranQ(statistic=0.0, degrees_of_freedom=2, pvalue=1.0)


def test_from_predictions() -> None:
    """Pairs tallied from labels, as a comparison of several models has them, give Q of the rows they are right on."""
    truth, *models = np.random.default_rng(4).integers(0, 3, (5, 200))
    pairs = {
        (i, j): PairedOutcomes.from_predictions(truth, models[i], models[j]).contingency()
        for i, j in itertools.combinations(range(4), 2)
    }
    rows = (np.array(models) == truth).T.astype(int).tolist()
    assert pairs == pairs_of(rows)
    assert cochran_q(pairs).statistic == float(by_hand(rows))


def test_many_models_and_rows() -> None:
    """Thirteen models agree with statsmodels, and a billion rows leave the range where squares are exact."""
    right = np.random.default_rng(0).random((5_000, 13)) < 0.8
    theirs = contingency_tables.cochrans_q(right.astype(int))
    assert q_of(right).statistic == pytest.approx(theirs.statistic, rel=1e-12)
    n = 10**9
    many = {
        pair: Contingency(
            both=table.both * n,
            champion_only=table.champion_only * n,
            challenger_only=table.challenger_only * n,
            neither=table.neither * n,
        )
        for pair, table in pairs_of(MEDIA).items()
    }
    assert cochran_q(many).statistic == float(by_hand(MEDIA) * n)


def test_missing_pairs() -> None:
    """A pair too few, a key the wrong way round, or no pair at all is refused."""
    pairs = pairs_of(DRUGS)
    with pytest.raises(InvalidInputError, match=r"^pairs must hold every two of at least 2 models, got none\.$"):
        cochran_q({})
    with pytest.raises(
        InvalidInputError,
        match=r"^pairs must hold every two of 3 models, got none for \(0, 2\)\. Hint: number the models from 0, and ",
    ):
        cochran_q({pair: pairs[pair] for pair in [(0, 1), (1, 2)]})
    for wrong in [(1, 0), (1, 1), (-1, 2)]:
        with pytest.raises(InvalidInputError, match=rf"^pairs must be keyed .* 0 <= i < j, got \({wrong[0]}, "):
            cochran_q({**pairs, wrong: pairs[0, 1]})
    with pytest.raises(InvalidInputError, match=r"^pairs must hold every two of 3 models, got none for \(0, 1\)\."):
        cochran_q({(1, 2): pairs[1, 2]})


def test_pairs_that_disagree() -> None:
    """Pairs of other rows, or by which a model is right more often in one than in another, are refused."""
    pairs = pairs_of(DRUGS)
    table = pairs[0, 2]
    longer = replace(table, neither=table.neither + 1)
    with pytest.raises(
        InvalidInputError,
        match=r"^pairs must have equal rows, got 46 in \(0, 1\) and 47 in \(0, 2\)\. Hint: tally every pair on the ",
    ):
        cochran_q({**pairs, (0, 2): longer})
    told = r"^pairs must agree on the rows that model {} gets right, got {} in \({}\) and {} in \({}\)\. Hint: tally "
    champion = replace(table, champion_only=table.champion_only + 1, neither=table.neither - 1)
    with pytest.raises(InvalidInputError, match=told.format(0, 28, "0, 1", 29, "0, 2")):
        cochran_q({**pairs, (0, 2): champion})
    challenger = replace(table, challenger_only=table.challenger_only + 1, neither=table.neither - 1)
    with pytest.raises(InvalidInputError, match=told.format(2, 17, "0, 2", 16, "1, 2")):
        cochran_q({**pairs, (0, 2): challenger})


def level(simulated: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Reject how often at 5 %, by Q and by any pair after Holm; simulated is of shape (simulations, rows, models)."""
    by_q, by_pairs = 0, 0
    for right in simulated:
        pairs = pairs_of(right)
        by_q += cochran_q(pairs).pvalue < 0.05
        by_pairs += bool((holm([mcnemar(table).pvalue for table in pairs.values()]) < 0.05).any())
    return by_q / len(simulated), by_pairs / len(simulated)


def test_level() -> None:
    """Three equal models whose errors are alike in kind: Q keeps 5 %, to four standard errors; so do Holm's pairs."""
    rng = np.random.default_rng(1)
    hard = rng.random((5_000, 500, 1)) < 0.2
    right = ~(hard & (rng.random((5_000, 500, 3)) < 0.5))
    by_q, by_pairs = level(right)
    assert by_q == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 5_000))
    assert by_pairs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 5_000)


@pytest.mark.parametrize(("copies", "expected"), [(2, 0.083), (4, 0.124), (10, 0.176)])
def test_copies_inflate_the_level(copies: int, expected: float) -> None:
    """With one challenger entered several times Q is (models - 1) times McNemar's, so its level is far above 5 %."""
    rows = repeated([[1, *[0] * copies], [0, *[1] * copies]], [60, 40])
    assert q_of(rows).statistic == pytest.approx(copies * 20**2 / 100, rel=1e-15)
    assert stats.chi2.sf(stats.chi2.isf(0.05, copies) / copies, 1) == pytest.approx(expected, abs=5e-4)


def test_level_with_a_copy() -> None:
    """A challenger entered twice among three equal models: Q rejects in 8.3 %, Holm's pairs in at most 5 %."""
    rng = np.random.default_rng(2)
    right = rng.random((6_000, 1_000, 2)) < 0.8
    by_q, by_pairs = level(right[:, :, [0, 1, 1]])
    assert by_q == pytest.approx(0.083, abs=4 * math.sqrt(0.083 * 0.917 / 6_000))
    assert by_pairs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 6_000)
