"""The checks of an experiment: quiet where nothing is wrong, loud where it is, and quiet again below the burn-in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from abtest.evaluator.checks import label_coverage, sample_ratio, shadow_drops, shadow_drops_of_errors
from abtest.stats.mismatch import ALPHA
from abtest.stats.moments import Moments
from tests.known import known


@pytest.mark.parametrize(
    ("counts", "share", "held"),
    [((5200, 4800), 0.5, True), ((5500, 4500), 0.5, False), ((8900, 1100), 0.1, True), ((0, 0), 0.5, True)],
)
def test_a_ratio_is_held_against_its_plan(counts: tuple[int, int], share: float, held: bool) -> None:  # noqa: FBT001 - a parameter
    """The check fails exactly where the evidence is beyond its line."""
    found = sample_ratio(*counts, share)
    assert found.held == held == (known(found.log_evidence) <= -math.log(ALPHA))
    assert ("reached the arms as planned" in found.text) == held


def test_the_ratio_is_a_dirichlet_multinomial() -> None:
    """Log E is SciPy's Dirichlet-multinomial over the plan's multinomial."""
    counts, weights = np.array([5300, 4700]), np.array([0.5, 0.5])
    ours = known(sample_ratio(5300, 4700, 0.5).log_evidence)
    theirs = stats.dirichlet_multinomial.logpmf(counts, 100 * weights, np.array(10_000)) - stats.multinomial.logpmf(
        counts, 10_000, weights
    )
    assert ours == pytest.approx(float(np.squeeze(theirs)), abs=1e-6)


def test_an_arm_that_misses_no_label_is_compared_too() -> None:
    """All labels in one arm and half in the other fails, although one rate has no spread."""
    found = label_coverage((1000, 1000), (500, 1000), planned_n=2000)
    assert not found.held
    assert "did not come equally often" in found.text


@pytest.mark.parametrize(
    "rates", [((0, 0), (0, 0)), ((50, 50), (0, 50)), ((1000, 1000), (1000, 1000)), ((0, 900), (3, 900))]
)
def test_too_few_tell_nothing(rates: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Below the burn-in, or with next to no failures, a check holds."""
    assert label_coverage(*rates, planned_n=None).pvalue == 1.0
    assert shadow_drops(*rates, planned_n=None).held


def test_what_is_not_tested_is_not_said_to_be_alike() -> None:
    """Below the burn-in no check says that both sides are alike."""
    assert "too few" in label_coverage((40, 50), (10, 50), planned_n=None).text
    assert "too few" in shadow_drops((900, 1000), (1, 9), planned_n=None).text


def test_the_arms_may_change_places() -> None:
    """Which arm lacks the labels changes no p-value."""
    one, other = (450, 500), (400, 520)
    assert label_coverage(one, other, planned_n=None).pvalue == label_coverage(other, one, planned_n=None).pvalue


def test_errors_of_dropped_rows_are_compared() -> None:
    """Of a regression, the champion's squared errors must be alike where pairs were dropped."""
    rng = np.random.default_rng(0)
    alike, larger = Moments.of(rng.exponential(1, 500)), Moments.of(rng.exponential(4, 500))
    scored = Moments.of(rng.exponential(1, 500))
    assert shadow_drops_of_errors(scored, alike, planned_n=None).held
    assert not shadow_drops_of_errors(scored, larger, planned_n=None).held
    assert shadow_drops_of_errors(scored, Moments.of([]), planned_n=None).text == "No shadow prediction was dropped."


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_alarms_are_rarely_false(rate: float, share: float) -> None:
    """Looked at after every hundred of 10,000 units, arms of one coverage are told apart about once in a thousand."""
    rng, runs, cried = np.random.default_rng(1), 3000, 0
    for _ in range(runs):
        arm, labelled = rng.random(10_000) < share, rng.random(10_000) < rate
        counts = [
            np.add.reduceat(part.astype(np.int64), range(0, 10_000, 100)).cumsum()
            for part in (~arm & labelled, ~arm, arm & labelled, arm)
        ]
        cried += any(
            not label_coverage((int(a), int(n)), (int(b), int(m)), planned_n=10_000).held
            for a, n, b, m in zip(*counts, strict=True)
        )
    assert cried / runs <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
