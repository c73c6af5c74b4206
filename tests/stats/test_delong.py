"""DeLong's test against its worked value, all pairs, midranks and scikit-learn."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.delong import auc, delong

Rows = list[tuple[bool, float, float]]
SCORE = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e9, 1e9, allow_subnormal=False))  # 8 times is exact


def rows_of(score: st.SearchStrategy[float], fewest: int) -> st.SearchStrategy[Rows]:
    """Draw rows of truth and two scores, at least so many of each class."""
    drawn = st.lists(st.tuples(st.booleans(), score, score), max_size=40)
    ends = st.lists(st.tuples(score, score), min_size=2 * fewest, max_size=2 * fewest)
    return st.tuples(drawn, ends).map(
        lambda both: [*both[0], *((i < fewest, *scores) for i, scores in enumerate(both[1]))]
    )


def columns(rows: Rows) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Spell rows as columns."""
    truth, first, second = zip(*rows, strict=True)
    return np.array(truth), np.array(first), np.array(second)


def components(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> tuple[list[Fraction], list[Fraction]]:
    """Compare all pairs: each positive's share of negatives won, each negative's share of positives lost to."""
    positives, negatives = scores[truth].tolist(), scores[~truth].tolist()

    def kernel(x: float, y: float) -> Fraction:
        return Fraction((x > y) + (x >= y), 2)

    v10 = [sum((kernel(x, y) for y in negatives), Fraction()) / len(negatives) for x in positives]
    v01 = [sum((kernel(x, y) for x in positives), Fraction()) / len(positives) for y in negatives]
    return v10, v01


def covariance(one: list[Fraction], other: list[Fraction]) -> Fraction:
    """Covariance with n − 1, in fractions."""
    mean, other_mean = sum(one, Fraction()) / len(one), sum(other, Fraction()) / len(other)
    products = ((x - mean) * (y - other_mean) for x, y in zip(one, other, strict=True))
    return sum(products, Fraction()) / (len(one) - 1)


def test_worked_value() -> None:
    """The worked example comes out, to every digit given."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 60)
    first = 0.8 * y + rng.normal(0, 1, 60)
    second = 1.2 * y + rng.normal(0, 1, 60)
    ours = delong(y, first, second)
    assert (ours.champion, ours.challenger) == pytest.approx((0.8148148148, 0.7575757576), abs=6e-11)
    variances = (ours.champion_variance, ours.challenger_variance)
    assert variances == pytest.approx((0.003227837964, 0.004066772796), abs=6e-13)
    assert ours.covariance == pytest.approx(1.6351026e-7, abs=6e-15)
    assert ours.statistic == pytest.approx(-0.6701949416, abs=6e-11)
    assert ours.pvalue == pytest.approx(0.502733528, abs=6e-10)


@given(rows_of(SCORE, 2))
def test_all_pairs(rows: Rows) -> None:
    """Areas, variances and covariance are those of comparing all pairs in fractions, ties and all."""
    truth, first, second = columns(rows)
    (a10, a01), (b10, b01) = components(truth, first), components(truth, second)
    p, q = len(a10), len(a01)
    effect = sum(b10, Fraction()) / p - sum(a10, Fraction()) / p
    variance = covariance(a10, a10) / p + covariance(a01, a01) / q
    other = covariance(b10, b10) / p + covariance(b01, b01) / q
    both = covariance(a10, b10) / p + covariance(a01, b01) / q
    square = variance + other - 2 * both
    if square == 0 and effect != 0:
        with pytest.raises(NotApplicableError, match="without spread"):
            delong(truth, first, second)
        return
    ours = delong(truth, first, second)
    assert ours.champion == float(sum(a10, Fraction()) / p) == auc(truth, first)
    assert ours.effect == float(effect)
    assert ours.champion_variance == pytest.approx(float(variance), rel=1e-12)
    assert ours.challenger_variance == pytest.approx(float(other), rel=1e-12)
    assert ours.covariance == pytest.approx(float(both), rel=1e-12, abs=1e-14)
    assert ours.standard_error == pytest.approx(math.sqrt(square), rel=1e-12)
    z = float(effect) / math.sqrt(square) if square else 0.0
    assert ours.statistic == pytest.approx(z, rel=1e-12)
    assert ours.pvalue == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-12)
    assert 0 <= ours.pvalue <= 1


@given(rows_of(SCORE, 1))
def test_midranks_and_scikit_learn(rows: Rows) -> None:
    """The area is scikit-learn's, and the rank sum's of SciPy's midranks."""
    truth, scores, _ = columns(rows)
    p, q = int(truth.sum()), int((~truth).sum())
    by_ranks = (stats.rankdata(scores)[truth].sum() - p * (p + 1) / 2) / (p * q)
    assert auc(truth, scores) == pytest.approx(by_ranks, rel=1e-13)
    assert auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


@given(rows_of(SCORE, 2), st.permutations(range(44)))
def test_swapping_and_shuffling(rows: Rows, order: list[int]) -> None:
    """Swapping sides negates effect, z and interval and keeps p; row order and a rising change of scale do nothing."""
    truth, first, second = columns(rows)
    try:
        ours = delong(truth, first, second)
    except NotApplicableError:
        with pytest.raises(NotApplicableError):
            delong(truth, second, first)
        return
    theirs = delong(truth, second, first)
    assert (theirs.effect, theirs.statistic, theirs.pvalue) == (-ours.effect, -ours.statistic, ours.pvalue)
    if ours.interval and theirs.interval:
        assert (theirs.interval.lower, theirs.interval.upper) == (-ours.interval.upper, -ours.interval.lower)
        assert -1 <= ours.interval.lower <= ours.effect <= ours.interval.upper <= 1
    at = [i for i in order if i < len(rows)]
    shuffled = delong(truth[at], 8 * first[at], second[at])
    assert shuffled == ours  # to the last bit: every sum is of whole numbers


@given(rows_of(SCORE, 2))
def test_identical_scores(rows: Rows) -> None:
    """Scores that order the rows alike have effect 0, z = 0, p = 1 and no interval."""
    truth, scores, _ = columns(rows)
    ours = delong(truth, scores, 4 * scores)
    assert (ours.effect, ours.statistic, ours.pvalue, ours.interval) == (0, 0, 1, None)


def test_perfect_against_constant() -> None:
    """A perfect score against a constant one is 0.5 without any spread: not applicable."""
    truth = np.array([False] * 5 + [True] * 5)
    with pytest.raises(NotApplicableError, match=r"areas of 0\.5 and 1 without spread"):
        delong(truth, np.zeros(10), truth.astype(float))


@pytest.mark.parametrize(("positives", "negatives"), [(1, 5), (5, 1), (0, 3), (3, 0), (0, 0)])
def test_too_few_rows(positives: int, negatives: int) -> None:
    """Fewer than two rows of a class: not applicable; an area needs one of each."""
    truth = np.array([True] * positives + [False] * negatives, dtype=bool)
    scores = np.arange(truth.size, dtype=np.float64)
    with pytest.raises(NotApplicableError, match=r"of each class|of both classes"):
        delong(truth, scores, -scores)
    if not (positives and negatives):
        with pytest.raises(NotApplicableError, match="needs rows of both classes"):
            auc(truth, scores)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_scores(bad: float) -> None:
    """Scores that are not finite are refused with a count and the first row; so are columns that do not fit."""
    with pytest.raises(InvalidInputError, match=r"challenger scores must be finite, got .*first: row 2; 2 rows in all"):
        delong([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [1.0, bad, 3.0, bad])
    with pytest.raises(InvalidInputError, match="champion scores must be one number for each of 4 rows"):
        delong([0, 1, 0, 1], [1.0], [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(InvalidInputError, match=r"positive must be booleans, or 0 and 1, got 2 in row 3\."):
        auc([0, 1, 2], [1.0, 2.0, 3.0])
    with pytest.raises(InvalidInputError, match="positive must be one boolean a row, got <U1"):
        auc(["a", "b"], [1.0, 2.0])
    with pytest.raises(InvalidInputError, match=r"confidence must be in \(0, 1\)"):
        delong([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], confidence_level=95)


@pytest.mark.slow
def test_level_and_coverage() -> None:
    """With equal areas of .76 at 200 rows DeLong's test rejects in 5 %, to four sigmas of 4,000 simulations."""
    rng = np.random.default_rng(5)
    rejected = []
    for _ in range(4000):
        truth = rng.random(200) < 0.4
        shared = rng.normal(0, 0.7, 200)
        first, second = (truth + shared + rng.normal(0, 0.7, 200) for _ in range(2))
        ours = delong(truth, first, second)
        assert ours.interval is not None
        rejected.append(ours.pvalue <= 0.05)
        assert rejected[-1] == (not ours.interval.lower <= 0 <= ours.interval.upper)
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 4000))
