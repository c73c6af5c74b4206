"""Areas from histograms against exact ones: within the bounds told, and never surer than DeLong's own test."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.delong import auc, delong
from abtest.stats.histograms import GROUPS, JointHistogram, ScoreHistogram, binned_delong, groups_of_bins
from abtest.stats.ranks import macro_areas
from tests.stats.test_delong import Rows, columns, rows_of

PROBABILITY = st.one_of(st.sampled_from([0.0, 0.25, 0.2500001, 1 / 65536, 0.5, 1.0]), st.floats(0, 1))
BINS = st.sampled_from([1, 2, 8, 512, 65536])
SLACK = 1e-9  # what rounding may leave of an inequality


def pairs_twice(value: float, truth: npt.NDArray[np.bool_]) -> int:
    """Spell an area as twice the pairs won: a whole number."""
    p, q = int(truth.sum()), int((~truth).sum())
    twice = round(value * 2 * p * q)
    assert value == twice / (2 * p * q)
    return twice


@given(rows_of(PROBABILITY, 1), st.sampled_from([1, 2, 8, 65536]))
def test_histogram_bounds_the_exact_area(rows: Rows, bins: int) -> None:
    """The exact area is within the stated bound of the histogram's, counted in whole pairs."""
    truth, scores, _ = columns(rows)
    histogram = ScoreHistogram.of(truth, scores, bins=bins)
    gap = pairs_twice(histogram.auc, truth) - pairs_twice(auc(truth, scores), truth)
    assert abs(gap) <= pairs_twice(histogram.error_bound, truth)


def test_histogram_bound_is_reached() -> None:
    """A bin whose rows are all in order, or all in reverse, is off by exactly the bound."""
    truth, within = np.array([False, False, True, True]), np.array([0.1, 0.2, 0.3, 0.4])
    histogram = ScoreHistogram.of(truth, within, bins=1)
    assert (histogram.auc, histogram.error_bound) == (0.5, 0.5)
    assert auc(truth, within) - histogram.auc == histogram.error_bound
    assert auc(truth, -within) - histogram.auc == -histogram.error_bound


@given(rows_of(PROBABILITY, 1), st.integers(0, 42), st.sampled_from([1, 2, 65536]))
def test_histograms_merge(rows: Rows, cut: int, bins: int) -> None:
    """Two batches' histograms add up to the whole's."""
    truth, scores, _ = columns(rows)
    whole = ScoreHistogram.of(truth, scores, bins=bins)
    merged = ScoreHistogram.of([], [], bins=bins)
    for start, end in pairwise((0, cut, len(rows) + cut)):
        merged += ScoreHistogram.of(truth[start:end], scores[start:end], bins=bins)
    assert np.array_equal(merged.positives, whole.positives)
    assert np.array_equal(merged.negatives, whole.negatives)


def test_histogram_is_close_on_smooth_scores() -> None:
    """On a hundred thousand smooth scores the bound is below 1e-5, and the area of ties alone is exact."""
    rng = np.random.default_rng(0)
    truth = rng.random(100_000) < 0.3
    scores = 1 / (1 + np.exp(-rng.normal(truth * 1.0, 1.0)))
    histogram = ScoreHistogram.of(truth, scores)
    assert abs(histogram.auc - auc(truth, scores)) <= histogram.error_bound < 1e-5
    coarse = np.round(scores * 100) / 100
    assert ScoreHistogram.of(truth, coarse).auc == auc(truth, coarse)


def test_histogram_of_billions() -> None:
    """Counts whose products leave 64 bits still give an exact area."""
    many = np.array([10**10, 10**10], dtype=np.int64)
    histogram = ScoreHistogram(positives=many, negatives=many)
    assert (histogram.auc, histogram.error_bound) == (0.5, 0.25)


def test_histogram_refuses() -> None:
    """Scores outside [0, 1] and histograms of different bins are refused."""
    with pytest.raises(InvalidInputError, match=r"scores must be in \[0, 1\], got 1\.5 \(first: row 2; 1 row in all\)"):
        ScoreHistogram.of([0, 1], [0.5, 1.5])
    with pytest.raises(InvalidInputError, match="bins must be alike, got 2 and 4"):
        ScoreHistogram.of([0, 1], [0.5, 1.0], bins=2) + ScoreHistogram.of([0, 1], [0.5, 1.0], bins=4)


def binned(rows: Rows, bins: int) -> JointHistogram:
    """Count rows of truth and two scores."""
    return JointHistogram.of(*columns(rows), bins=bins)


def same(one: JointHistogram, other: JointHistogram) -> bool:
    """Whether all counts are the same."""
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in ((one, other), (one.champion, other.champion), (one.challenger, other.challenger))
        for name in ("positives", "negatives")
    )


@given(rows_of(PROBABILITY, 2), BINS)
def test_never_surer_than_delong(rows: Rows, bins: int) -> None:
    """The interval holds DeLong's of the exact scores, the standard error and p are at least his, whatever the bins."""
    ours = binned_delong([binned(rows, bins)])
    assert 0 <= ours.pvalue <= 1
    try:
        exact = delong(*columns(rows))
    except NotApplicableError:
        return
    assert abs(ours.effect - exact.effect) <= ours.error_bound + SLACK
    assert ours.standard_error >= exact.standard_error * (1 - SLACK)
    assert ours.pvalue >= exact.pvalue - SLACK
    if exact.interval is not None:
        assert ours.interval is not None
        assert ours.interval.lower <= exact.interval.lower + SLACK
        assert ours.interval.upper >= exact.interval.upper - SLACK


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), BINS)
def test_an_average_is_never_surer_either(seed: int, classes: int, bins: int) -> None:
    """Of areas averaged over classes, the same holds against the exact test of averages."""
    rng = np.random.default_rng(seed)
    truth = np.r_[np.repeat(np.arange(classes), 2), rng.integers(0, classes, 30)]
    first, second = (rng.dirichlet(np.ones(classes), truth.size).round(rng.integers(1, 9)) for _ in range(2))
    first, second = (np.clip(side, 0, 1) for side in (first, second))
    own = [JointHistogram.of(truth == k, first[:, k], second[:, k], bins=bins) for k in range(classes)]
    ours = binned_delong(own, confidence_level=0.9)
    exact = macro_areas(truth, first, second, [*range(classes)], confidence_level=0.9)
    assert abs(ours.effect - exact.effect) <= ours.error_bound + SLACK
    assert ours.standard_error >= exact.standard_error * (1 - SLACK)
    assert ours.pvalue >= exact.pvalue - SLACK


@given(rows_of(PROBABILITY, 2), st.integers(0, 42), BINS)
def test_joint_histograms_merge(rows: Rows, cut: int, bins: int) -> None:
    """Two batches' joint histograms add up to the whole's, in either order, and to what their counts make."""
    whole, none = binned(rows, bins), JointHistogram.of([], [], [], bins=bins)
    parts = [binned(part, bins) if part else none for part in (rows[:cut], rows[cut:])]
    assert same(parts[0] + parts[1], whole)
    assert same(parts[1] + none + parts[0], whole)
    rebuilt = JointHistogram(
        champion=ScoreHistogram(positives=whole.champion.positives, negatives=whole.champion.negatives),
        challenger=ScoreHistogram(positives=whole.challenger.positives, negatives=whole.challenger.negatives),
        positives=whole.positives,
        negatives=whole.negatives,
    )
    assert binned_delong([rebuilt]) == binned_delong([whole])


@given(rows_of(PROBABILITY, 2), BINS)
def test_swapping_sides(rows: Rows, bins: int) -> None:
    """Swapping sides negates effect and z and keeps the standard error and p, to the last bit."""
    ours = binned_delong([binned(rows, bins)])
    theirs = binned_delong([binned([(y, c, a) for y, a, c in rows], bins)])
    assert (theirs.effect, theirs.error_bound) == (-ours.effect, ours.error_bound)
    assert (theirs.statistic, theirs.standard_error, theirs.pvalue) == (
        -ours.statistic,
        ours.standard_error,
        ours.pvalue,
    )


def test_groups_of_pairs_by_hand() -> None:
    """A row is counted in the bin of each side's score, and in the cell of both bins' groups."""
    histogram = JointHistogram.of([1, 0, 1], [0.1, 0.6, 1.0], [0.9, 0.3, 0.3], bins=2)
    assert histogram.positives.tolist() == [[0, 1], [1, 0]]
    assert histogram.negatives.tolist() == [[0, 0], [1, 0]]
    assert histogram.champion.positives.tolist() == [1, 1]
    assert histogram.challenger.negatives.tolist() == [1, 0]


@pytest.mark.parametrize("bins", [1, 2, 256, 257, 1024, 65536])
def test_groups_hold_neighbours(bins: int) -> None:
    """Groups number the bins upwards, mirror each other, and no bin is so near an edge that rounding could move it."""
    groups = groups_of_bins(bins)
    assert (groups[0], groups[-1]) == (0, min(bins, GROUPS) - 1)
    assert (np.diff(groups) >= 0).all()
    if bins > GROUPS:
        middle = (np.arange(bins) + 0.5) / bins
        odds = np.log(middle / (1 - middle))
        share = GROUPS * (middle / 2 + (odds / odds[-1] + 1) / 4)
        inner = share[1:-1]
        assert np.abs(inner - np.round(inner))[np.abs(middle[1:-1] - 0.5) > 1 / bins].min() > 1e-9


@pytest.mark.parametrize(("noise", "most"), [(1.0, 1.03), (0.3, 1.10), (0.1, 1.25)])
def test_little_is_lost(noise: float, most: float) -> None:
    """On a hundred thousand smooth scores the standard error is hardly above DeLong's, the less alike the sides are."""
    rng = np.random.default_rng(0)
    latent = rng.normal(0, 1.5, 100_000)
    truth = rng.random(latent.size) < special.expit(latent)
    first, second = (special.expit(latent + rng.normal(0, noise, latent.size)) for _ in range(2))
    ours = binned_delong([JointHistogram.of(truth, first, second)])
    assert 1 <= ours.standard_error / delong(truth, first, second).standard_error <= most


def test_identical_and_constant_scores() -> None:
    """Identical sides are p = 1; where nothing spreads there is no interval, or no test of a sure difference."""
    truth = np.array([False] * 5 + [True] * 5)
    scores = np.linspace(0, 1, 10)
    alike = binned_delong([JointHistogram.of(truth, scores, scores)])
    assert (alike.effect, alike.statistic, alike.pvalue) == (0, 0, 1)
    flat = JointHistogram.of(truth, truth.astype(float), truth.astype(float), bins=2)
    found = binned_delong([flat])
    assert (found.champion, found.error_bound, found.interval, found.pvalue) == (1, 0, None, 1)
    turned = JointHistogram.of(truth, (~truth).astype(float), truth.astype(float), bins=2)
    with pytest.raises(NotApplicableError, match="areas of 0 and 1 without spread"):
        binned_delong([turned])


@pytest.mark.parametrize(("positives", "negatives"), [(1, 5), (5, 1), (0, 3), (0, 0)])
def test_too_few_rows(positives: int, negatives: int) -> None:
    """Fewer than two rows of a class: not applicable; an area needs one of each."""
    truth = np.array([True] * positives + [False] * negatives, dtype=bool)
    scores = np.linspace(0, 1, truth.size)
    with pytest.raises(NotApplicableError, match=r"of each class|of both classes"):
        binned_delong([JointHistogram.of(truth, scores, scores)])
    with pytest.raises(NotApplicableError, match="no rows"):
        binned_delong([])
    if not (positives and negatives):
        with pytest.raises(NotApplicableError, match="needs rows of both classes"):
            _ = ScoreHistogram.of(truth, scores).auc


def test_counts_that_do_not_fit() -> None:
    """Counts of other shapes, below 0, no whole numbers, or of other rows are refused."""
    two, three, low = np.array([1, 2]), np.array([1, 2, 3]), np.array([1, -2])
    side = ScoreHistogram(positives=two, negatives=two)
    joint = np.array([[1, 0], [1, 1]])
    assert JointHistogram(champion=side, challenger=side, positives=joint, negatives=joint).standard_error > 0
    with pytest.raises(InvalidInputError, match="of one shape"):
        ScoreHistogram(positives=two, negatives=three)
    with pytest.raises(InvalidInputError, match="of one shape"):
        ScoreHistogram(positives=two, negatives=np.array([0.5, 1.0]))
    with pytest.raises(InvalidInputError, match="at least 0, got -2"):
        ScoreHistogram(positives=two, negatives=low)
    with pytest.raises(InvalidInputError, match=r"must have shape \(2, 2\), got \(1, 1\)"):
        JointHistogram(champion=side, challenger=side, positives=joint[:1, :1], negatives=joint[:1, :1])
    with pytest.raises(InvalidInputError, match=r"of the same rows, got \[3, 6\] positives"):
        JointHistogram(champion=side, challenger=side, positives=2 * joint, negatives=joint)


@pytest.mark.slow
@pytest.mark.parametrize("bins", [64, 65536])
def test_level(bins: int) -> None:
    """With equal areas the test rejects in 5 % at most, and at many bins in hardly fewer, to four sigmas."""
    rng = np.random.default_rng(7)
    rejected = []
    for _ in range(1000):
        latent = rng.normal(0, 1, 4000)
        truth = rng.random(latent.size) < special.expit(latent)
        first, second = (special.expit(latent + rng.normal(0, 0.7, latent.size)) for _ in range(2))
        rejected.append(binned_delong([JointHistogram.of(truth, first, second, bins=bins)]).pvalue <= 0.05)
    sigma = math.sqrt(0.05 * 0.95 / 1000)
    assert np.mean(rejected) <= 0.05 + 4 * sigma
    if bins == 65536:
        assert np.mean(rejected) >= 0.05 - 4 * sigma
