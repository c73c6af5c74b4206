"""Rows of metrics from paired scores: against scikit-learn and SciPy, and the laws that every row obeys."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from abtest.errors import InvalidInputError
from abtest.evaluator.rows import NOT_ESTIMABLE, MetricRow
from abtest.evaluator.scores import EVERY_CLASS, NAMES, SCORE_METRICS, class_rows, reading, segment_rows, whole_rows
from abtest.evaluator.table import Plan
from abtest.metrics.probability import brier_rows, log_loss_rows
from abtest.policy import Policy
from abtest.scores import PairedScores
from abtest.stats.delong import delong
from abtest.stats.histograms import JointHistogram
from abtest.stats.moments import PairedMoments
from tests.multitest import multipletests

if TYPE_CHECKING:
    from abtest.labels import Label, Side
    from abtest.scores import Curve, Floats, Kind
    from abtest.stats.placements import Counts

WORDS = ("ant", "bee", "cat", "dog")
PROBABILITY = st.one_of(st.integers(1, 9).map(lambda tenths: tenths / 10), st.floats(0.01, 0.99))


def plan(*, resamples: int = 100, seed: int = 0, positive: int | None = None, confidence: float = 0.95) -> Plan:
    """How the rows of these tests are made."""
    policy = Policy(confidence=confidence)
    average = "macro" if positive is None else "binary"
    return Plan(
        policy=policy,
        metrics=(),
        average=average,  # type: ignore[arg-type] # one of the two
        labels=WORDS[:2],
        positive=positive,
        resamples=resamples,
        seed=seed,
    )


def paired(
    truth: Counts,
    champion: Floats,
    challenger: Floats,
    segments: dict[tuple[str, str], Counts] | None = None,
    kind: Kind = "probability",
) -> PairedScores:
    """Pair scores whose rows are kept; a segment is given by its rows."""
    losses = {}
    if kind == "probability":
        for name, rows in (("log_loss", log_loss_rows), ("brier", brier_rows)):
            losses[name] = PairedMoments.of(rows(truth, champion), rows(truth, challenger))
    return PairedScores(
        classes=WORDS[: champion.shape[1]],
        kind=kind,
        n=truth.size,
        truth=truth,
        champion=champion,
        challenger=challenger,
        losses=losses,
        segments={
            key: paired(truth[at], champion[at], challenger[at], kind=kind) for key, at in (segments or {}).items()
        },
    )


def swapped(scores: PairedScores) -> PairedScores:
    """Let the sides change places."""
    return dataclasses.replace(
        scores,
        champion=scores.challenger,
        challenger=scores.champion,
        losses={name: moments.swapped() for name, moments in scores.losses.items()},
        histograms=tuple(
            dataclasses.replace(
                one,
                champion=one.challenger,
                challenger=one.champion,
                positives=one.positives.T,
                negatives=one.negatives.T,
            )
            for one in scores.histograms
        ),
    )


def taken(scores: PairedScores, at: Counts) -> PairedScores:
    """Some of the rows, in this order."""
    sides = (scores.side("champion")[at], scores.side("challenger")[at])
    return paired(scores.truth[at].astype(np.int64), *sides, kind=scores.kind)


def binned(scores: PairedScores) -> PairedScores:
    """The same where rows were not kept."""
    none = np.zeros((0, len(scores.classes)))
    return dataclasses.replace(
        scores,
        truth=np.zeros(0, dtype=np.int64),
        champion=none,
        challenger=none,
        histograms=tuple(
            JointHistogram.of(scores.truth == k, scores.champion[:, k], scores.challenger[:, k], bins=512)
            for k in range(len(scores.classes))
        ),
    )


@st.composite
def scored(draw: st.DrawFn, classes: int | None = None) -> PairedScores:
    """Draw rows of two to four classes, at least two each, with ties; both sides' probabilities."""
    k = classes or draw(st.integers(2, 4))
    truth = np.array([*range(k), *range(k), *draw(st.lists(st.integers(0, k - 1), max_size=20))], dtype=np.int64)
    size = k * truth.size

    def side() -> Floats:
        raw = np.array(draw(st.lists(PROBABILITY, min_size=size, max_size=size))).reshape(-1, k)
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))

    return paired(truth, side(), side())


def simulated(n: int, k: int, seed: int = 0) -> PairedScores:
    """Draw probabilities of two sides that lean towards the truth, in two halves told apart."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    shared = rng.normal(0, 1, (n, k)) + np.eye(k)[truth]

    def side(noise: float) -> Floats:
        powers = np.exp(shared + rng.normal(0, noise, (n, k)))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    half = np.arange(n) < n // 3
    segments = {("half", "one"): np.flatnonzero(half), ("half", "other"): np.flatnonzero(~half)}
    return paired(truth.astype(np.int64), side(0.9), side(0.6), segments)


def by_name(scores: PairedScores, how: Plan) -> dict[str, MetricRow]:
    """The rows over all rows, by metric."""
    return {row.metric: row for row in whole_rows(scores, how, NAMES)[0]}


def assert_sane(row: MetricRow) -> None:
    """Nothing is NaN, p is in [0, 1], the improvement has the metric's sign, and types are plain."""
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        assert value is None or type(value) in {str, float, int, bool}, field.name
        assert not isinstance(value, float) or math.isfinite(value), field.name
    assert row.pvalue is None or 0 <= row.pvalue <= 1
    assert row.improvement == (row.effect if row.greater_is_better else -row.effect)
    assert row.effect == pytest.approx(row.challenger - row.champion, abs=1e-12)
    assert (row.ci_lower is None) == (row.ci_upper is None) == (row.ci_method == NOT_ESTIMABLE)
    assert (row.pvalue is None) == (row.test == "none")


def opposite(row: MetricRow, other: MetricRow) -> None:
    """One row is the other with its sides swapped: p to the last bit, limits to rounding."""
    assert (row.champion, row.challenger) == (other.challenger, other.champion)
    assert (row.effect, row.improvement, row.pvalue) == (-other.effect, -other.improvement, other.pvalue)
    assert (row.test, row.ci_method, row.n) == (other.test, other.ci_method, other.n)
    assert row.statistic == (None if other.statistic is None else -other.statistic)
    if row.ci_lower is not None and other.ci_upper is not None and row.ci_upper is not None:
        assert (row.ci_lower, row.ci_upper) == pytest.approx((-other.ci_upper, -(other.ci_lower or 0)), abs=1e-12)


def value_of(name: str, scores: PairedScores, side: Side) -> float:
    """What scikit-learn makes of one side: of the last of two classes, or averaged over the classes."""
    truth, matrix = scores.truth, scores.side(side)
    k = matrix.shape[1]
    if name == "log_loss":
        return float(oracle.log_loss(truth, matrix, labels=range(k)))
    if name == "brier":
        return float(oracle.brier_score_loss(truth, matrix, labels=range(k), scale_by_half=k == 2))
    one: Any = oracle.roc_auc_score if name == "roc_auc" else oracle.average_precision_score
    columns = [1] if k == 2 else range(k)
    return float(np.mean([one(truth == c, matrix[:, c]) for c in columns]))


@given(scored())
@hypothesis_settings(max_examples=40)
def test_values_are_scikit_learns(scores: PairedScores) -> None:
    """All four metrics have scikit-learn's values on both sides; no row is NaN, and p is in [0, 1]."""
    rows, skipped = whole_rows(scores, plan(), NAMES)
    assert {row.metric for row in rows} | {entry.what for entry in skipped} == set(NAMES)
    for row in rows:
        assert_sane(row)
        assert row.champion == pytest.approx(value_of(row.metric, scores, "champion"), abs=1e-12)
        assert row.challenger == pytest.approx(value_of(row.metric, scores, "challenger"), abs=1e-12)
        assert row.n == scores.n
    assert all("without spread" in entry.why for entry in skipped)


def test_three_classes_are_averaged_as_scikit_learn_does() -> None:
    """The area of three classes is scikit-learn's own average of one against the rest."""
    scores = simulated(200, 3)
    theirs = oracle.roc_auc_score(scores.truth, scores.champion, multi_class="ovr", average="macro")
    assert by_name(scores, plan())["roc_auc"].champion == pytest.approx(theirs, abs=1e-12)


def test_catalogue() -> None:
    """Of the two losses less is better, of the others more."""
    better = {metric.name: metric.greater_is_better for metric in SCORE_METRICS}
    assert better == {"roc_auc": True, "average_precision": True, "log_loss": False, "brier": False}
    rows = by_name(simulated(100, 2), plan())
    assert {name: row.greater_is_better for name, row in rows.items()} == better


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize(("name", "of"), [("log_loss", log_loss_rows), ("brier", brier_rows)])
def test_losses_are_scipys_paired_t(k: int, name: str, of: Any) -> None:
    """The losses' t, p and interval are those of SciPy's paired t test of the rows' losses."""
    scores = simulated(150, k)
    row = by_name(scores, plan(confidence=0.9))[name]
    theirs = stats.ttest_rel(of(scores.truth, scores.challenger), of(scores.truth, scores.champion))
    assert (row.statistic, row.pvalue) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    assert (row.ci_lower, row.ci_upper) == pytest.approx(tuple(theirs.confidence_interval(0.9)), rel=1e-9)
    assert (row.test, row.ci_method) == ("paired t", "paired t")


def test_area_of_two_classes_is_delongs() -> None:
    """With two classes the test, its interval and its level are DeLong's, of the positive class."""
    scores = simulated(150, 2)
    for positive, k in ((None, 1), (0, 0), (1, 1)):
        row = by_name(scores, plan(positive=positive, confidence=0.9))["roc_auc"]
        sides = scores.champion[:, k], scores.challenger[:, k]
        test = delong(scores.truth == k, *sides, confidence_level=0.9)
        assert test.interval is not None
        assert (row.champion, row.effect, row.statistic, row.pvalue) == (
            test.champion,
            test.effect,
            test.statistic,
            test.pvalue,
        )
        assert (row.ci_lower, row.ci_upper) == (test.interval.lower, test.interval.upper)
        assert (row.test, row.ci_method) == ("delong", "delong")


def test_the_positive_label_is_found_by_its_name() -> None:
    """The plan's positive label means the column of that name, in whichever order the columns stand."""
    scores = simulated(120, 2)
    mirrored = dataclasses.replace(
        scores,
        classes=scores.classes[::-1],
        truth=1 - scores.truth,
        champion=scores.champion[:, ::-1],
        challenger=scores.challenger[:, ::-1],
    )
    for positive in (0, 1):
        one, other = (by_name(side, plan(positive=positive)) for side in (scores, mirrored))
        for name in ("roc_auc", "average_precision"):
            assert (one[name].champion, one[name].challenger) == (other[name].champion, other[name].challenger)
        assert one["average_precision"].champion == pytest.approx(
            oracle.average_precision_score(scores.truth == positive, scores.champion[:, positive]), abs=1e-12
        )
    with pytest.raises(InvalidInputError, match=r"pos_label must be one of 'ant', 'bee', got 'dog'\."):
        reading(scores, "dog")


@given(scored())
@hypothesis_settings(max_examples=25)
def test_swapping_negates(scores: PairedScores) -> None:
    """Swapping the sides negates every effect and keeps every p-value, over all rows and by class."""
    rows, skipped = whole_rows(scores, plan(), NAMES)
    others, theirs = whole_rows(swapped(scores), plan(), NAMES)
    assert [entry.what for entry in skipped] == [entry.what for entry in theirs]
    for row, other in zip(rows, others, strict=True):
        opposite(row, other)
    one, two = class_rows(scores, plan(), NAMES), class_rows(swapped(scores), plan(), NAMES)
    assert {name: list(own) for name, own in one.items()} == {name: list(own) for name, own in two.items()}
    for name, own in one.items():
        for label, row in own.items():
            opposite(row, two[name][label])
            assert row.pvalue_adjusted == two[name][label].pvalue_adjusted


@given(scored(), st.randoms(use_true_random=False))
@hypothesis_settings(max_examples=25)
def test_row_order_is_irrelevant(scores: PairedScores, shuffle: Any) -> None:
    """Rows in another order give the same rows, resampled ones too."""
    at = [*range(scores.n)]
    shuffle.shuffle(at)
    other = by_name(taken(scores, np.array(at)), plan())
    for name, row in by_name(scores, plan()).items():
        for field in ("champion", "challenger", "effect", "ci_lower", "ci_upper", "pvalue"):
            ours, theirs = getattr(row, field), getattr(other[name], field)
            assert (ours is None) == (theirs is None)
            assert ours is None or theirs == pytest.approx(ours, rel=1e-9, abs=1e-12)


@given(scored())
@hypothesis_settings(max_examples=25)
def test_identical_sides(scores: PairedScores) -> None:
    """Identical sides have effect 0, p = 1 and no interval, over all rows and by class."""
    same = paired(scores.truth.astype(np.int64), scores.side("champion"), scores.side("champion"))
    rows, skipped = whole_rows(same, plan(), NAMES)
    assert (len(rows), skipped) == (4, ())
    by_class = class_rows(same, plan(), NAMES)
    for row in (*rows, *(row for own in by_class.values() for row in own.values())):
        assert (row.effect, row.improvement, row.pvalue, row.ci_method) == (0, 0, 1, NOT_ESTIMABLE)


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 3])
def test_average_precision_against_resampled_rows(k: int) -> None:
    """The interval of average precision is that of scikit-learn's value over resampled rows, to 5 % of its width."""
    scores = simulated(300, k)
    row = by_name(scores, plan(resamples=20_000))["average_precision"]
    rng = np.random.default_rng(0)
    effects = []
    # A limit is known to 1.5 % of the width from 2,000 draws, and to 0.5 % from 20,000: together as from 4,000 twice.
    for _ in range(2000):
        own = taken(scores, rng.integers(0, scores.n, scores.n))
        sides = [value_of("average_precision", own, side) for side in ("champion", "challenger")]
        effects.append(sides[1] - sides[0])
    lower, upper = np.quantile(effects, [0.025, 0.975])
    assert (row.ci_lower, row.ci_upper) == pytest.approx((lower, upper), abs=0.05 * (upper - lower))
    assert (row.test, row.ci_method) == ("paired bootstrap", "bootstrap percentile")


def test_seed_and_rows_alike() -> None:
    """The seed decides the draws; they depend on nothing else."""
    scores = simulated(100, 2)
    one, again, other = (by_name(scores, plan(seed=seed))["average_precision"] for seed in (0, 0, 1))
    assert one == again
    assert one.ci_lower != other.ci_lower


def test_fewer_resamples_are_told() -> None:
    """Where rows take long to rank again fewer resamples are drawn, and it is said."""
    scores = simulated(2_000, 2)
    rows, (told,) = whole_rows(scores, plan(resamples=10_000), ["average_precision"])
    assert told.what == "10,000 resamples of average_precision"
    assert told.why == "5,000 were drawn: 2,000 rows take long to rank again."
    assert rows[0].pvalue is not None
    assert rows[0].pvalue >= 2 / 5001
    assert whole_rows(scores, plan(resamples=500), ["average_precision"])[1] == ()


@pytest.mark.parametrize("k", [2, 3])
def test_many_rows_are_not_resampled(k: int) -> None:
    """Where few resamples could be drawn the spread comes from the rows' pulls, unless a class is rare."""
    scores = simulated(12_000, k)
    (row,), skipped = whole_rows(scores, plan(resamples=10_000), ["average_precision"])
    assert skipped == ()
    assert_sane(row)
    assert (row.test, row.ci_method) == ("infinitesimal jackknife", "infinitesimal jackknife")
    assert row.champion == pytest.approx(value_of("average_precision", scores, "champion"), abs=1e-12)
    opposite(row, whole_rows(swapped(scores), plan(resamples=10_000), ["average_precision"])[0][0])
    for label, own in class_rows(scores, plan(resamples=10_000), NAMES)["average_precision"].items():
        column = scores.challenger[:, WORDS.index(str(label))]
        theirs = oracle.average_precision_score(scores.truth == WORDS.index(str(label)), column)
        assert own.challenger == pytest.approx(theirs, abs=1e-12)
    rare = taken(scores, np.r_[np.flatnonzero(scores.truth != 0), np.flatnonzero(scores.truth == 0)[:50]])
    (row,), (told,) = whole_rows(rare, plan(resamples=10_000), ["average_precision"])
    assert row.test == "paired bootstrap"
    assert "take long to rank again" in told.why


def test_rows_alike_are_counted() -> None:
    """Many rows of few distinct scores are a small table, drawn as often as asked."""
    few = simulated(50, 2)
    scores = taken(few, np.tile(np.arange(50), 100))
    rows, skipped = whole_rows(scores, plan(resamples=1000), ["average_precision"])
    assert skipped == ()
    assert rows[0].champion == pytest.approx(value_of("average_precision", few, "champion"), abs=1e-12)


@pytest.mark.parametrize("k", [2, 3])
def test_classes(k: int) -> None:
    """A class has DeLong's test and scikit-learn's values against the rest, and p adjusted by statsmodels' Holm."""
    scores = simulated(200, k)
    found = class_rows(scores, plan(), NAMES)
    assert list(found) == ["roc_auc", "average_precision"]
    for name, own in found.items():
        assert list(own) == list(scores.classes)
        one: Any = oracle.roc_auc_score if name == "roc_auc" else oracle.average_precision_score
        for c, (label, row) in enumerate(own.items()):
            assert_sane(row)
            positive = scores.truth == c
            assert (row.metric, row.n) == (name, int(positive.sum())), label
            assert row.champion == pytest.approx(one(positive, scores.champion[:, c]), abs=1e-12)
            assert row.challenger == pytest.approx(one(positive, scores.challenger[:, c]), abs=1e-12)
            if name == "roc_auc":
                assert row.pvalue == delong(positive, scores.champion[:, c], scores.challenger[:, c]).pvalue
        raw = [row.pvalue for row in own.values()]
        adjusted = [row.pvalue_adjusted for row in own.values()]
        assert adjusted == pytest.approx(list(multipletests(raw, method="holm")[1]), abs=1e-12)


def test_the_positive_class_has_the_row_of_the_whole() -> None:
    """With two classes the positive one's row is that of the whole, draws and all, but for n and adjustment."""
    scores = simulated(120, 2)
    whole = by_name(scores, plan())
    for name, own in class_rows(scores, plan(), NAMES).items():
        row = dataclasses.replace(own["bee"], n=whole[name].n, pvalue_adjusted=None)
        assert row == whole[name]


@pytest.mark.parametrize("k", [2, 3])
def test_a_segment_is_its_rows_alone(k: int) -> None:
    """A segment's rows are those of its rows evaluated alone, to the last bit, with its own number of rows."""
    scores = simulated(150, k)
    found = segment_rows(scores, plan(), NAMES)
    assert list(found) == [("half", "one"), ("half", "other")]
    for (_, value), rows in found.items():
        at = np.flatnonzero((np.arange(150) < 50) == (value == "one"))
        assert rows == whole_rows(taken(scores, at), plan(), NAMES)[0]
        assert {row.n for row in rows} == {at.size}
        assert {row.pvalue_adjusted for row in rows} == {None}


def test_a_segment_of_one_class() -> None:
    """Where a segment has rows of one class only, its losses are compared and its areas are not."""
    scores = simulated(100, 2)
    at = np.flatnonzero(scores.truth == 1)
    one = dataclasses.replace(scores, segments={("half", "one"): taken(scores, at)})
    assert [row.metric for row in segment_rows(one, plan(), NAMES)["half", "one"]] == ["log_loss", "brier"]
    _, skipped = whole_rows(taken(scores, at), plan(), NAMES)
    assert {entry.what: entry.why for entry in skipped} == {
        "roc_auc": f"DeLong's test needs 2 rows of each class, got {at.size} positive and 0 negative.",
        "average_precision": "Average precision needs rows of 2 classes, got 1.",
    }
    assert class_rows(taken(scores, at), plan(), NAMES) == {"roc_auc": {}}
    assert reading(taken(scores, at)) is None


def test_a_rare_class_is_named() -> None:
    """A class of one row leaves the average area out and says which; the other classes keep their rows."""
    scores = simulated(60, 3)
    ant = np.flatnonzero(scores.truth == 0)[1:]
    rare = taken(scores, np.delete(np.arange(60), ant))
    rows, (skipped,) = whole_rows(rare, plan(), NAMES)
    assert [row.metric for row in rows] == ["average_precision", "log_loss", "brier"]
    assert skipped.what == "roc_auc"
    assert skipped.why.startswith("The area of class 'ant' needs 2 rows of it and 2 of the rest, got 1 and ")
    found = class_rows(rare, plan(), NAMES)
    assert (list(found["roc_auc"]), list(found["average_precision"])) == (["bee", "cat"], ["ant", "bee", "cat"])


def test_only_what_is_asked_in_its_order() -> None:
    """Only the metrics named are computed, in the order named."""
    scores = simulated(60, 2)
    rows, _ = whole_rows(scores, plan(), ["brier", "accuracy", "roc_auc"])
    assert [row.metric for row in rows] == ["brier", "roc_auc"]
    assert class_rows(scores, plan(), ["brier", "average_precision"]).keys() == {"average_precision"}


def test_scores_that_only_rank() -> None:
    """Without probabilities there are areas and curves, and neither losses nor reliability."""
    scores = simulated(100, 2)
    sides = 9 * scores.side("champion") - 5, 9 * scores.side("challenger") - 5
    ranks = paired(scores.truth.astype(np.int64), *sides, kind="score")
    rows, skipped = whole_rows(ranks, plan(), NAMES)
    assert [row.metric for row in rows] == ["roc_auc", "average_precision"]
    assert rows[0].effect == by_name(scores, plan())["roc_auc"].effect
    why = "a side ranks the rows and gives no probabilities."
    assert [(entry.what, entry.why) for entry in skipped] == [("log_loss", why), ("brier", why)]
    seen, known = reading(ranks), reading(scores)
    assert seen is not None
    assert known is not None
    assert (seen.kind, seen.champion.reliability, seen.champion.ece) == ("score", (), None)
    assert seen.champion.roc == known.champion.roc


def test_a_constant_difference_is_not_estimable() -> None:
    """A loss that differs by the same in every row has an effect, and nothing to judge it by."""
    truth = np.array([0, 1] * 10)
    sides = [np.where(np.eye(2)[truth] > 0, right, 1 - right) for right in (0.5, 0.75)]
    row = by_name(paired(truth, sides[0], sides[1]), plan())["brier"]
    assert row.effect == 0.0625 - 0.25
    assert (row.ci_lower, row.ci_method, row.test, row.pvalue) == (None, NOT_ESTIMABLE, "none", None)
    assert_sane(row)


def test_perfect_against_reverse() -> None:
    """A perfect ranking against its reverse has no spread for DeLong's test, and says so; the others are compared."""
    truth = np.array([0, 1] * 10)
    perfect, reverse = np.eye(2)[truth], np.eye(2)[1 - truth]
    rows, (skipped,) = whole_rows(paired(truth, reverse, perfect), plan(), NAMES)
    assert skipped.what == "roc_auc"
    assert "areas of 0 and 1 without spread" in skipped.why
    assert [row.metric for row in rows] == ["average_precision", "log_loss", "brier"]
    for row in rows:
        assert_sane(row)


@pytest.mark.parametrize("k", [2, 3])
def test_rows_not_kept(k: int) -> None:
    """Without the rows areas come from histograms, within the bound told, tested with allowance; losses as ever."""
    kept = simulated(2000, k)
    scores = binned(kept)
    rows, skipped = whole_rows(scores, plan(), NAMES)
    assert [row.metric for row in rows] == ["roc_auc", "log_loss", "brier"]
    exact = by_name(kept, plan())
    assert rows[1:] == (exact["log_loss"], exact["brier"])
    area, whole = rows[0], exact["roc_auc"]
    assert_sane(area)
    assert (area.test, area.ci_method, area.n) == ("delong in bins", "delong in bins", 2000)
    assert [entry.what for entry in skipped] == ["exact roc_auc", "average_precision"]
    assert skipped[1].why == "The rows' scores do not fit in memory."
    bound = float(skipped[0].why.partition(" of the exact one.")[0].rpartition(" ")[2])
    assert 0 < bound < 0.005
    assert abs(area.effect - whole.effect) <= 1.05 * bound  # told in two digits
    assert (area.pvalue or 0) >= (whole.pvalue or 0)
    assert (area.ci_lower or 0) <= (whole.ci_lower or 0) < (whole.ci_upper or 0) <= (area.ci_upper or 0)
    by_class = class_rows(scores, plan(), NAMES)["roc_auc"]
    assert by_class.keys() == set(scores.classes)
    for label, row in class_rows(kept, plan(), ["roc_auc"])["roc_auc"].items():
        assert (by_class[label].pvalue or 0) >= (row.pvalue or 0)
    assert reading(scores) is None
    opposite(area, whole_rows(swapped(scores), plan(), ["roc_auc"])[0][0])
    _, (none,) = whole_rows(dataclasses.replace(scores, histograms=()), plan(), ["roc_auc"])
    assert (none.what, none.why) == ("roc_auc", "The rows' scores do not fit in memory.")


@pytest.mark.parametrize("only", [0, 1])
def test_one_column_of_two(only: int) -> None:
    """Where one column is kept of two that mirror each other, all rows are those of both columns."""
    both = simulated(300, 2)
    column = both.champion[:, [only]]
    whole = np.hstack([column, 1 - column] if only == 0 else [1 - column, column])
    both = dataclasses.replace(both, champion=whole, challenger=both.champion)
    one = dataclasses.replace(both, champion=column, only={"champion": only})
    for positive in (None, 0, 1):
        assert whole_rows(one, plan(positive=positive), NAMES) == whole_rows(both, plan(positive=positive), NAMES)
        assert reading(one, None if positive is None else WORDS[positive]) == reading(
            both, None if positive is None else WORDS[positive]
        )
    assert class_rows(one, plan(), NAMES) == class_rows(both, plan(), NAMES)


def test_no_rows() -> None:
    """Without a row everything is skipped."""
    none = np.zeros((0, 2))
    for scores in (paired(np.zeros(0, dtype=np.int64), none, none), binned(paired(np.zeros(0, np.int64), none, none))):
        rows, skipped = whole_rows(scores, plan(), NAMES)
        assert (rows, [entry.what for entry in skipped]) == ((), list(NAMES))
        assert reading(scores) is None
        assert not any(class_rows(scores, plan(), NAMES).values())


def area(curve: Curve) -> float:
    """The area under a curve whose points are joined."""
    return float(oracle.auc(curve.x, curve.y))


@pytest.mark.parametrize(("k", "positive"), [(2, None), (2, "ant"), (2, "bee"), (3, None)])
def test_curves_have_the_areas(k: int, positive: Label | None) -> None:
    """Curves of at most 201 points from left to right have the areas of the exact ones, to thinning."""
    scores = simulated(5000, k)
    found = reading(scores, positive)
    assert found is not None
    index = None if positive is None else WORDS.index(str(positive))
    exact = by_name(scores, plan(positive=index))
    for side, name in ((found.champion, "champion"), (found.challenger, "challenger")):
        for curve in (side.roc, side.precision_recall):
            assert 2 <= len(curve.x) == len(curve.y) <= 201
            assert all(left <= right for left, right in pairwise(curve.x))
            assert all(0 <= value <= 1 for value in (*curve.x, *curve.y))
            assert (curve.x[0], curve.x[-1]) == (0, 1)
        assert (side.roc.y[0], side.roc.y[-1]) == (0, 1)
        assert area(side.roc) == pytest.approx(getattr(exact["roc_auc"], name), abs=0.002)
        assert area(side.precision_recall) == pytest.approx(getattr(exact["average_precision"], name), abs=0.005)
    counts = np.bincount(scores.truth, minlength=k) / scores.n
    rate = 1 / 3 if k == 3 else counts[-1 if index is None else index]
    assert found.n == 5000
    assert found.base_rate == pytest.approx(rate)
    assert found.about == (EVERY_CLASS if k == 3 else positive or "bee")


def test_curves_of_classes_are_vertical_averages() -> None:
    """On a grid of 101 rates each class's curve is read off as it is defined, and averaged."""
    scores = simulated(90, 3)
    found = reading(scores)
    assert found is not None
    matrix = scores.challenger
    rates, precisions = [], []
    for k in range(3):
        positive, column = scores.truth == k, matrix[:, k]
        called = [column >= cut for cut in sorted(column.tolist(), reverse=True)]
        recall = np.array([0, *((positive & rows).sum() / positive.sum() for rows in called)])
        false = np.array([0, *((~positive & rows).sum() / (~positive).sum() for rows in called)])
        precision = np.array([0, *((positive & rows).sum() / rows.sum() for rows in called)])
        first = [np.flatnonzero((recall >= at) & (recall > 0))[0] for at in np.linspace(0, 1, 101)]
        precisions.append(precision[first])
        steps = [np.max(recall[false <= at + 1e-12]) for at in np.linspace(0, 1, 101)]  # no ties: only steps
        rates.append(steps)
    curve = found.challenger.precision_recall
    assert curve.x == pytest.approx(np.linspace(0, 1, 101).tolist())
    assert curve.y == pytest.approx(np.mean(precisions, axis=0).tolist())
    roc = found.challenger.roc
    assert (roc.x[0], roc.y[0]) == (0, 0)
    assert roc.x[1:] == pytest.approx(np.linspace(0, 1, 101).tolist())
    assert roc.y[1:] == pytest.approx(np.mean(rates, axis=0).tolist(), abs=0.05)
    # Between two rows the curve is a line, and below it a step; at both ends they meet.
    assert [roc.y[1], roc.y[-1]] == pytest.approx([np.mean(rates, axis=0)[at] for at in (0, -1)])


@given(scored())
@hypothesis_settings(max_examples=40)
def test_reliability(scores: PairedScores) -> None:
    """Bins add up to the rows and to the mean probability and outcome, and the error is their weighted distance."""
    found = reading(scores)
    assert found is not None
    k = len(scores.classes)
    for side, matrix in ((found.champion, scores.champion), (found.challenger, scores.challenger)):
        given_, came = matrix[:, 1], scores.truth == 1
        if k > 2:
            given_, came = matrix.max(axis=1), matrix.argmax(axis=1) == scores.truth
        bins = side.reliability
        assert 1 <= len(bins) <= 15
        assert sum(one.n for one in bins) == scores.n
        assert sum(one.n * one.predicted for one in bins) == pytest.approx(given_.sum())
        assert sum(one.n * one.observed for one in bins) == pytest.approx(came.sum())
        distance = sum(one.n * abs(one.observed - one.predicted) for one in bins)
        assert side.ece == pytest.approx(distance / scores.n)
