"""Influences against DeLong and leaving rows out; averaged areas against scikit-learn and resampled rows; precision."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import auc as area_under
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.metrics.probability import average_precision
from abtest.stats.delong import auc, delong
from abtest.stats.ranks import (
    average_precision_draws,
    influence,
    macro_areas,
    precision_recall_points,
    roc_points,
    thinned,
)

Floats = npt.NDArray[np.float64]
Classed = tuple[npt.NDArray[np.int64], Floats, Floats]
SCORE = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6, allow_subnormal=False))
NAMES = ("ant", "bee", "cat", "dog")


@st.composite
def classed(draw: st.DrawFn, classes: int | None = None) -> Classed:
    """Draw a truth with at least two rows of each class, and two matrices of scores with ties."""
    k = classes or draw(st.integers(2, 4))
    truth = [*range(k), *range(k), *draw(st.lists(st.integers(0, k - 1), max_size=20))]
    rows = st.lists(SCORE, min_size=k * len(truth), max_size=k * len(truth))
    first, second = (np.array(draw(rows)).reshape(-1, k) for _ in range(2))
    return np.array(truth, dtype=np.int64), first, second


def softmax(scores: Floats) -> Floats:
    """Make probabilities of scores, as scikit-learn asks of areas of several classes."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def simulated(n: int, k: int, seed: int) -> Classed:
    """Draw scores of two sides that lean towards the truth, and towards each other."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    shared = rng.normal(0, 1, (n, k)) + np.eye(k)[truth]
    return truth, shared + rng.normal(0, 0.7, (n, k)), shared + rng.normal(0, 0.9, (n, k))


@given(classed(2))
def test_influence_is_delongs(drawn: Classed) -> None:
    """Influences add up to zero, and their squares to DeLong's variance but for its two corrections."""
    truth, first, _ = drawn
    positive, scores = truth == 1, first[:, 1]
    area, rows = influence(positive, scores)
    assert area == auc(positive, scores)
    assert rows.sum() == pytest.approx(0, abs=1e-11)
    p, q = int(positive.sum()), int((~positive).sum())
    corrected = np.square(rows[positive]).sum() * p / (p - 1) + np.square(rows[~positive]).sum() * q / (q - 1)
    try:
        theirs = delong(positive, scores, np.zeros(truth.size)).champion_variance
    except NotApplicableError:  # an area without any spread
        theirs = 0.0
    assert corrected / truth.size**2 == pytest.approx(theirs, rel=1e-11, abs=1e-18)


@given(classed(2), st.data())
def test_influence_is_what_a_row_more_does(drawn: Classed, data: st.DataObject) -> None:
    """With one row counted a little more often, the area of all weighted pairs moves by the row's influence."""
    truth, first, _ = drawn
    positive, scores = truth == 1, first[:, 1]
    row = data.draw(st.integers(0, truth.size - 1))
    area, rows = influence(positive, scores)
    up, down = scores[positive], scores[~positive]
    won = ((up[:, None] > down).astype(float) + (up[:, None] >= down)) / 2

    def weighted(more: float) -> float:
        weights = np.ones(truth.size)
        weights[row] += more
        w, v = weights[positive], weights[~positive]
        return float(w @ won @ v / (w.sum() * v.sum()))

    assert weighted(0) == pytest.approx(area, rel=1e-12)
    step = 1e-5
    slope = (weighted(step) - weighted(-step)) / (2 * step)
    assert slope * truth.size == pytest.approx(rows[row], abs=1e-6)


def reproduced(truth: npt.NDArray[np.int64], first: Floats, second: Floats) -> None:
    """Compare mirrored columns with DeLong's test of one of them."""
    one, other = (np.column_stack([-side, side]) for side in (first, second))
    try:
        theirs = delong(truth == 1, first, second)
    except NotApplicableError:
        with pytest.raises(NotApplicableError, match="without spread"):
            macro_areas(truth, one, other, ("no", "yes"))
        return
    ours = macro_areas(truth, one, other, ("no", "yes"))
    for name in ("champion", "challenger", "effect", "statistic", "pvalue", "standard_error"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-14), name
    for name in ("champion_variance", "challenger_variance", "covariance"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-14), name
    assert (ours.interval is None) == (theirs.interval is None)
    if ours.interval and theirs.interval:
        assert ours.interval.lower == pytest.approx(theirs.interval.lower, abs=1e-12)
        assert ours.interval.upper == pytest.approx(theirs.interval.upper, abs=1e-12)


@given(classed(2))
def test_two_mirrored_columns_are_delongs_test(drawn: Classed) -> None:
    """With two columns that mirror each other every number is DeLong's, to rounding."""
    truth, first, second = drawn
    reproduced(truth, first[:, 0], second[:, 0])


def test_worked_value() -> None:
    """The worked example of DeLong's test comes out of mirrored columns."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 60)
    first = 0.8 * y + rng.normal(0, 1, 60)
    second = 1.2 * y + rng.normal(0, 1, 60)
    ours = macro_areas(y, np.column_stack([-first, first]), np.column_stack([-second, second]), (0, 1))
    assert (ours.champion, ours.challenger) == pytest.approx((0.8148148148, 0.7575757576), abs=6e-11)
    variances = (ours.champion_variance, ours.challenger_variance)
    assert variances == pytest.approx((0.003227837964, 0.004066772796), abs=6e-13)
    assert ours.statistic == pytest.approx(-0.6701949416, abs=6e-11)
    assert ours.pvalue == pytest.approx(0.502733528, abs=6e-10)


@given(classed())
def test_averages_are_scikit_learns(drawn: Classed) -> None:
    """Both averages are scikit-learn's of one class against the rest; nothing is NaN and p is in [0, 1]."""
    truth, *scores = drawn
    first, second = map(softmax, scores)
    try:
        ours = macro_areas(truth, first, second, NAMES[: first.shape[1]])
    except NotApplicableError:  # no spread: the test on swapped sides sees to it
        return
    for side, value in ((first, ours.champion), (second, ours.challenger)):
        theirs = (
            roc_auc_score(truth, side, multi_class="ovr", average="macro")
            if side.shape[1] > 2
            else np.mean([roc_auc_score(truth == k, side[:, k]) for k in range(2)])
        )
        assert value == pytest.approx(theirs, abs=1e-12)
    assert ours.effect == pytest.approx(ours.challenger - ours.champion, abs=1e-12)
    assert 0 <= ours.pvalue <= 1
    assert all(map(math.isfinite, (ours.statistic, ours.standard_error, ours.covariance)))
    if ours.interval:
        assert -1 <= ours.interval.lower <= ours.effect <= ours.interval.upper <= 1


@given(classed(), st.randoms(use_true_random=False))
def test_swapping_and_shuffling(drawn: Classed, shuffle: object) -> None:
    """Swapping sides negates effect, z and interval and keeps p, to the last bit; row order does nothing."""
    truth, first, second = drawn
    names = NAMES[: first.shape[1]]
    try:
        ours = macro_areas(truth, first, second, names)
    except NotApplicableError:
        with pytest.raises(NotApplicableError, match="without spread"):
            macro_areas(truth, second, first, names)
        return
    theirs = macro_areas(truth, second, first, names)
    assert (theirs.effect, theirs.statistic, theirs.pvalue) == (-ours.effect, -ours.statistic, ours.pvalue)
    if ours.interval and theirs.interval:
        assert (theirs.interval.lower, theirs.interval.upper) == (-ours.interval.upper, -ours.interval.lower)
    at = [*range(truth.size)]
    shuffle.shuffle(at)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    shuffled = macro_areas(truth[at], first[at], second[at], names)
    assert shuffled.effect == pytest.approx(ours.effect, abs=1e-14)
    assert shuffled.standard_error == pytest.approx(ours.standard_error, rel=1e-9)
    assert shuffled.pvalue == pytest.approx(ours.pvalue, abs=1e-9)


@given(classed())
def test_identical_scores(drawn: Classed) -> None:
    """Scores that order the rows alike have effect 0, z = 0, p = 1 and no interval."""
    truth, first, _ = drawn
    ours = macro_areas(truth, first, 4 * first, NAMES[: first.shape[1]])
    assert (ours.effect, ours.statistic, ours.pvalue, ours.interval) == (0, 0, 1, None)


def test_classes_that_never_happen() -> None:
    """A class that only a model knows has no share in the average, and its column does nothing."""
    truth, first, second = simulated(80, 3, seed=2)
    one, other = (np.column_stack([side, np.arange(80.0)]) for side in (first, second))
    ours = macro_areas(truth, first, second, NAMES[:3])
    assert macro_areas(truth, one, other, NAMES) == ours


def test_too_few_rows() -> None:
    """A class with fewer than two rows, or which leaves fewer than two, is named with its rows."""
    scores = np.arange(15.0).reshape(5, 3)
    with pytest.raises(NotApplicableError, match=r"class 'bee' needs 2 rows of it and 2 of the rest, got 1 and 4\."):
        macro_areas([0, 0, 1, 2, 2], scores, scores, NAMES[:3])
    with pytest.raises(NotApplicableError, match=r"class 'ant' needs 2 rows of it and 2 of the rest, got 5 and 0\."):
        macro_areas([0] * 5, scores, scores, NAMES[:3])
    with pytest.raises(NotApplicableError, match=r"There are no rows to compare\."):
        macro_areas([], scores[:0], scores[:0], NAMES[:3])


def test_what_does_not_fit_is_refused() -> None:
    """Shapes, classes, scores and levels that are none are refused."""
    scores = np.arange(8.0).reshape(4, 2)
    with pytest.raises(InvalidInputError, match=r"truth must be one whole number in \[0, 1\] a row, got int64"):
        macro_areas([0, 0, 1, 2], scores, scores, NAMES[:2])
    with pytest.raises(InvalidInputError, match=r"scores must have shape \(4, 2\), got \(4, 1\)"):
        macro_areas([0, 0, 1, 1], scores, scores[:, :1], NAMES[:2])
    with pytest.raises(InvalidInputError, match=r"confidence must be in \(0, 1\)"):
        macro_areas([0, 0, 1, 1], scores, scores, NAMES[:2], confidence_level=95)
    with pytest.raises(InvalidInputError, match="scores must be finite, got nan"):
        macro_areas([0, 0, 1, 1], scores, np.full((4, 2), np.nan), NAMES[:2])
    with pytest.raises(InvalidInputError, match=r"weights must be one for each of 4 rows, got \(1, 3\)"):
        average_precision_draws([0, 0, 1, 1], scores[:, 0], np.ones((1, 3), dtype=np.int64))


def test_how_many_rows_of_which_class_is_chance_too() -> None:
    """Where one class weighs on every area, the error is that of leaving rows out: the mix of classes is chance too."""
    rng = np.random.default_rng(6)
    truth = np.repeat([0, 1, 2], [60, 30, 90])
    first = rng.normal(0, 1, (180, 3))
    second = (
        rng.normal(0, 1, (180, 3)) + 3 * np.array([[1, -1, 1], [0, 0, 0], [0, 0, 0]])[truth]
    )  # ants stand out everywhere
    ours = macro_areas(truth, first, second, NAMES[:3])

    def effect(rows: npt.NDArray[np.int64]) -> float:
        sides = ([auc(truth[rows] == k, side[rows, k]) for k in range(3)] for side in (first, second))
        champion, challenger = map(np.mean, sides)
        return float(challenger - champion)

    left_out = [effect(np.delete(np.arange(180), row)) for row in range(180)]
    assert ours.standard_error == pytest.approx(math.sqrt(179 * np.var(left_out)), rel=0.01)


def test_perfect_against_constant() -> None:
    """A perfect matrix against a constant one is 0.5 without any spread: not applicable."""
    truth = np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(NotApplicableError, match=r"needs ranks that vary, got 0\.5 and 1 without spread\."):
        macro_areas(truth, np.zeros((6, 3)), np.eye(3)[truth], NAMES[:3])


@pytest.mark.slow
def test_interval_is_as_wide_as_resampled_rows_say() -> None:
    """The interval of three classes is as wide as that of scikit-learn's average over resampled rows, to 4 %."""
    truth, *scores = simulated(600, 3, seed=3)
    first, second = map(softmax, scores)
    ours = macro_areas(truth, first, second, NAMES[:3])
    rng = np.random.default_rng(0)
    effects = []
    for _ in range(3000):
        at = rng.integers(0, truth.size, truth.size)
        theirs, their_own = (roc_auc_score(truth[at], side[at], multi_class="ovr") for side in (first, second))
        effects.append(their_own - theirs)
    lower, upper = np.quantile(effects, [0.025, 0.975])
    assert ours.interval is not None
    assert ours.interval.upper - ours.interval.lower == pytest.approx(upper - lower, rel=0.04)
    assert ours.standard_error == pytest.approx(np.std(effects), rel=0.04)  # itself known to 1.3 %


@pytest.mark.slow
def test_level() -> None:
    """With equal average areas of four classes at 200 rows 5 % are rejected, to four sigmas of 3,000 simulations."""
    rejected = []
    for seed in range(3000):
        rng = np.random.default_rng([7, seed])
        truth = rng.choice(4, 200, p=[0.1, 0.2, 0.3, 0.4])
        shared = rng.normal(0, 0.7, (200, 4)) + np.eye(4)[truth]
        first, second = (shared + rng.normal(0, 0.7, (200, 4)) for _ in range(2))
        rejected.append(macro_areas(truth, first, second, NAMES).pvalue <= 0.05)
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 3000))


@given(classed(2), st.data())
def test_weights_are_repeated_rows(drawn: Classed, data: st.DataObject) -> None:
    """Under weights average precision is that of rows repeated as often, by two libraries; 0 without positive."""
    truth, first, _ = drawn
    scores = first[:, 0]
    size = truth.size
    draws = data.draw(st.lists(st.lists(st.integers(0, 3), min_size=size, max_size=size), min_size=1, max_size=3))
    weights = np.array([*draws, [1] * size])
    found = average_precision_draws(truth, scores, weights)
    for value, times in zip(found.tolist(), weights, strict=True):
        at = np.repeat(np.arange(size), times)
        if truth[at].any():
            assert value == pytest.approx(average_precision(truth[at], scores[at]), abs=1e-12)
            assert value == pytest.approx(average_precision_score(truth[at], scores[at]), abs=1e-12)
        else:
            assert value == 0
    assert average_precision_draws(truth * 0, scores, weights).tolist() == [0.0] * len(weights)


@given(classed(2))
def test_curves_are_scikit_learns(drawn: Classed) -> None:
    """The ROC curve is scikit-learn's, with the area of the ranks; precision over recall has average precision's."""
    truth, first, _ = drawn
    scores = first[:, 0]
    x, y = roc_points(truth, scores)
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert (x.tolist(), y.tolist()) == (pytest.approx(fpr.tolist()), pytest.approx(tpr.tolist()))
    assert area_under(x, y) == pytest.approx(auc(truth, scores), abs=1e-12)
    recall, precision = precision_recall_points(truth, scores)
    assert float(np.diff(recall) @ precision[1:]) == pytest.approx(average_precision(truth, scores), abs=1e-12)
    theirs = {*zip(*(side.round(9).tolist() for side in precision_recall_curve(truth, scores)[:2]), strict=True)}
    assert {*zip(precision.round(9).tolist(), recall.round(9).tolist(), strict=True)} - {
        (round(float(precision[0]), 9), 0.0)
    } <= theirs
    assert (recall[0], recall[-1]) == (0, 1)
    assert precision[0] == precision[1]  # nothing is made up at recall 0


@pytest.mark.parametrize("truth", [[], [0, 0], [1, 1]])
def test_curves_need_both_classes(truth: list[int]) -> None:
    """Without a positive there is no curve; without a negative no ROC curve."""
    scores = np.arange(len(truth), dtype=np.float64)
    with pytest.raises(NotApplicableError, match="needs rows of both classes"):
        roc_points(truth, scores)
    if not any(truth):
        with pytest.raises(NotApplicableError, match="needs a positive row"):
            precision_recall_points(truth, scores)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=60), st.integers(2, 20))
def test_thinning_keeps_the_shape(steps: list[tuple[float, float]], most: int) -> None:
    """A rising curve keeps its ends and at most so many points, evenly along its length but for its longest step."""
    assume(sum(map(sum, steps)) > 0.01)
    x, y = np.cumsum(np.array([(0.0, 0.0), *steps]), axis=0).T
    kept_x, kept_y = thinned(x, y, most=most)
    assert kept_x.size <= most
    assert ((kept_x[0], kept_y[0]), (kept_x[-1], kept_y[-1])) == ((x[0], y[0]), (x[-1], y[-1]))
    points = {*zip(x.tolist(), y.tolist(), strict=True)}
    assert {*zip(kept_x.tolist(), kept_y.tolist(), strict=True)} <= points
    if x.size <= most:
        assert kept_x.size == x.size
        return
    longest = max(map(sum, steps)) + (x[-1] + y[-1]) / (most - 1)
    assert np.max(np.diff(kept_x) + np.diff(kept_y)) <= longest + 1e-9


def test_a_thinned_curve_has_the_area() -> None:
    """Two hundred points of a smooth curve of ten thousand rows have its area to 0.0005."""
    truth, first, _ = simulated(10_000, 2, seed=4)
    x, y = thinned(*roc_points(truth, first[:, 1]))
    assert x.size <= 201
    assert area_under(x, y) == pytest.approx(auc(truth, first[:, 1]), abs=0.0005)
    recall, precision = thinned(*precision_recall_points(truth, first[:, 1]))
    assert np.diff(recall) @ precision[1:] == pytest.approx(average_precision(truth, first[:, 1]), abs=0.005)
