"""Cochran's Q against print, against shuffling within rows, against statsmodels; and what its null leaves out."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
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
from abtest.stats.cochran import CorrectnessPatterns, cochran_q
from abtest.stats.mcnemar import mcnemar
from abtest.stats.multiplicity import holm

Rows = list[list[int]]

# Cochran 1950: diphtheria bacilli grown on four media from 69 throats.
MEDIA = CorrectnessPatterns.from_counts(
    [[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], [4, 2, 3, 1, 59]
)
# Agresti, Categorical Data Analysis; SAS/STAT User's Guide, PROC FREQ: three drugs, 46 patients, F as 1.
DRUGS = CorrectnessPatterns.from_counts(
    [[1, 1, 1], [0, 1, 1], [1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]], [6, 2, 16, 4, 2, 6, 4, 6]
)


@st.composite
def rows_of(draw: st.DrawFn, *, most: int = 40, models: int | None = None) -> Rows:
    """Draw what two to six models got right, row by row; no rows are some."""
    k = models or draw(st.integers(2, 6))
    return draw(st.lists(st.lists(st.integers(0, 1), min_size=k, max_size=k), min_size=1, max_size=most))


def test_published_values() -> None:
    """Cochran's own example has Q = 8.05, Agresti's drugs have p = .0145 as SAS prints it."""
    assert round(cochran_q(MEDIA).statistic, 2) == 8.05
    assert round(cochran_q(DRUGS).pvalue, 4) == 0.0145
    assert cochran_q(DRUGS).degrees_of_freedom == 2


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
    ours = cochran_q(CorrectnessPatterns.of(rows))
    if all(len(set(row)) == 1 for row in rows):
        assert (ours.statistic, ours.pvalue) == (0.0, 1.0)
        return
    assert ours.statistic == pytest.approx(float(by_hand(rows)), rel=1e-15)
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


@pytest.mark.parametrize("patterns", [MEDIA, DRUGS], ids=["media", "drugs"])
def test_chi_square_approximates_shuffling(patterns: CorrectnessPatterns) -> None:
    """Over all shuffles within rows Q has mean k - 1 exactly, and p is near the share of shuffles as far apart.

    Near is loose here: ten mixed rows of four models in Cochran's example. He found the approximation good enough.
    """
    rows = [row for row, n in zip(patterns.patterns.tolist(), patterns.counts, strict=True) for _ in range(n)]
    spread = shuffled_within_rows(rows)
    assert sum(q * share for q, share in spread) == patterns.models - 1
    ours = cochran_q(patterns)
    exact = sum(share for q, share in spread if q >= by_hand(rows))
    assert ours.pvalue == pytest.approx(float(exact), abs=0.01)


@given(rows_of(models=2))
def test_two_models_are_mcnemar(rows: Rows) -> None:
    """Of two models Q is McNemar's uncorrected chi-square, with its p-value."""
    patterns = CorrectnessPatterns.of(rows)
    ours, table = cochran_q(patterns), patterns.contingency(0, 1)
    if not table.discordant:
        assert (ours.statistic, ours.pvalue) == (0.0, 1.0)
        return
    assert ours.statistic == pytest.approx((table.champion_only - table.challenger_only) ** 2 / table.discordant)
    counts = [[table.both, table.champion_only], [table.challenger_only, table.neither]]
    assert ours.pvalue == pytest.approx(
        contingency_tables.mcnemar(counts, exact=False, correction=False).pvalue, rel=1e-9
    )


@given(rows_of(), st.randoms(use_true_random=False))
def test_order_is_irrelevant(rows: Rows, shuffle: Any) -> None:
    """Neither the order of the rows nor that of the models changes Q; nor does taking wrong for right."""
    ours = cochran_q(CorrectnessPatterns.of(rows))
    moved = shuffle.sample(rows, len(rows))
    assert CorrectnessPatterns.of(moved) == CorrectnessPatterns.of(rows)
    order = shuffle.sample(range(len(rows[0])), len(rows[0]))
    assert cochran_q(CorrectnessPatterns.of([[row[at] for at in order] for row in rows])) == ours
    assert cochran_q(CorrectnessPatterns.of([[1 - x for x in row] for row in rows])) == ours


@given(rows_of(), st.integers(2, 5))
def test_identical_models(rows: Rows, copies: int) -> None:
    """Models that never differ have Q = 0 and p = 1; rows on which all are right or wrong change nothing."""
    same = CorrectnessPatterns.of([[row[0]] * copies for row in rows])
    assert (cochran_q(same).statistic, cochran_q(same).pvalue) == (0.0, 1.0)
    k = len(rows[0])
    assert cochran_q(CorrectnessPatterns.of([*rows, [1] * k, [0] * k])) == cochran_q(CorrectnessPatterns.of(rows))


@given(rows_of(models=3), rows_of(models=3))
def test_merging_is_concatenation(one: Rows, other: Rows) -> None:
    """Batches added up are the whole, in either order, and as JSON it is the same record."""
    a, b, whole = (CorrectnessPatterns.of(rows) for rows in (one, other, [*one, *other]))
    nothing = CorrectnessPatterns.of(np.zeros((0, 3)))
    assert a + b == b + a == whole
    assert hash(a + b) == hash(whole)
    assert a + nothing == a
    assert cochran_q(nothing).pvalue == 1
    assert CorrectnessPatterns.from_counts([[0, 1, 1], [0, 0, 0], [0, 0, 0]], [0, 0, 0]) == nothing
    for record in (whole, nothing):
        assert CorrectnessPatterns.from_dict(json.loads(json.dumps(record.to_dict()))) == record


@given(rows_of())
def test_pairs_are_what_the_rows_say(rows: Rows) -> None:
    """Any two models' contingency and all accuracies are those counted row by row."""
    patterns, k = CorrectnessPatterns.of(rows), len(rows[0])
    assert patterns.accuracies == pytest.approx([sum(column) / len(rows) for column in zip(*rows, strict=True)])
    for i, j in itertools.product(range(k), repeat=2):
        table, pairs = patterns.contingency(i, j), Counter((row[i], row[j]) for row in rows)
        assert (table.both, table.champion_only) == (pairs[1, 1], pairs[1, 0])
        assert (table.challenger_only, table.neither) == (pairs[0, 1], pairs[0, 0])


def test_many_models_and_rows() -> None:
    """Thirteen models do not fit a byte, and a billion rows leave the range where squares are exact."""
    rng = np.random.default_rng(0)
    right = rng.random((5_000, 13)) < 0.8
    counted = Counter(map(tuple, right.tolist()))
    patterns = CorrectnessPatterns.of(right)
    assert dict(zip(map(tuple, patterns.patterns.tolist()), patterns.counts.tolist(), strict=True)) == counted
    assert cochran_q(patterns).statistic == pytest.approx(
        contingency_tables.cochrans_q(right.astype(int)).statistic, rel=1e-12
    )
    many = CorrectnessPatterns.from_counts(MEDIA.patterns, MEDIA.counts * 10**9)
    assert cochran_q(many).statistic == pytest.approx(cochran_q(MEDIA).statistic * 10**9, rel=1e-15)


@pytest.mark.parametrize(
    ("right", "told"),
    [
        ([[1], [0]], r"^right must have a column for each of at least 2 models, got shape \(2, 1\)\.$"),
        ([1, 0], r"at least 2 models, got shape \(2,\)"),
        ([[0, 2]], r"^right must be booleans, or 0 and 1\.$"),
        ([[0, math.nan]], "right must be booleans, or 0 and 1"),
        ([["a", "b"]], "right must be booleans, or 0 and 1"),
    ],
)
def test_no_correctness(right: Any, told: str) -> None:
    """Fewer than two models, or values that are neither right nor wrong, are refused."""
    with pytest.raises(InvalidInputError, match=told):
        CorrectnessPatterns.of(right)


def test_counts_that_are_none() -> None:
    """Counts of other lengths, fractions and negative numbers are refused; so are other models' patterns."""
    with pytest.raises(InvalidInputError, match=r"counts must be a whole number for each of 1 pattern, got int64 of"):
        CorrectnessPatterns.from_counts([[0, 1]], [1, 2])
    with pytest.raises(InvalidInputError, match="got float64 of shape"):
        CorrectnessPatterns.from_counts([[0, 1]], [1.5])
    with pytest.raises(InvalidInputError, match=r"counts must be at least 0, got -1"):
        CorrectnessPatterns.from_counts([[0, 1]], [-1])
    with pytest.raises(InvalidInputError, match="Patterns of 4 and 3 models do not add up"):
        MEDIA + DRUGS
    with pytest.raises(InvalidInputError, match=r"challenger must be in \[0, 2\], got 3"):
        DRUGS.contingency(0, 3)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"models": 2, "patterns": [[0, 1]]},
        {"models": 3, "patterns": [[0, 1]], "counts": [1]},
        {"models": 2, "patterns": [[0, 1], [1]], "counts": [1, 1]},
        {"models": 2, "patterns": [[0, 2]], "counts": [1]},
        {"models": 2, "patterns": [[0, 1]], "counts": [1.5]},
        {"models": 2, "patterns": [[0, 1]], "counts": [-1]},
        {"models": 2, "patterns": [[0, 1]], "counts": []},
        {"models": 1, "patterns": [[0]], "counts": [1]},
        {"models": True, "patterns": [[0]], "counts": [1]},
    ],
)
def test_broken_records(broken: Any) -> None:
    """What is no record of patterns is refused."""
    with pytest.raises(InvalidInputError):
        CorrectnessPatterns.from_dict(broken)


def level(simulated: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Reject how often at 5 %, by Q and by any pair after Holm; simulated is of shape (simulations, rows, models)."""
    by_q, by_pairs = 0, 0
    for right in simulated:
        patterns = CorrectnessPatterns.of(right)
        by_q += cochran_q(patterns).pvalue < 0.05
        pairs = itertools.combinations(range(patterns.models), 2)
        by_pairs += bool((holm([mcnemar(patterns.contingency(i, j)).pvalue for i, j in pairs]) < 0.05).any())
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
    champion_only, challenger_only = 60, 40
    patterns = CorrectnessPatterns.from_counts(
        [[1, *[0] * copies], [0, *[1] * copies]], [champion_only, challenger_only]
    )
    assert cochran_q(patterns).statistic == pytest.approx(copies * 20**2 / 100, rel=1e-15)
    assert stats.chi2.sf(stats.chi2.isf(0.05, copies) / copies, 1) == pytest.approx(expected, abs=5e-4)


def test_level_with_a_copy() -> None:
    """A challenger entered twice among three equal models: Q rejects in 8.3 %, Holm's pairs in at most 5 %."""
    rng = np.random.default_rng(2)
    right = rng.random((6_000, 1_000, 2)) < 0.8
    by_q, by_pairs = level(right[:, :, [0, 1, 1]])
    assert by_q == pytest.approx(0.083, abs=4 * math.sqrt(0.083 * 0.917 / 6_000))
    assert by_pairs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 6_000)
