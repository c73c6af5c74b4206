"""The stream of errors: what is evidence, from when, at which level, and where there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from abtest.evaluator.degradation import sequential
from abtest.stats.multiplicity import holm
from abtest.windows import Tallied, Window
from tests.evaluator.degradation import DAY, START, days, of_errors, tallied, timeless, window
from tests.known import known

CELLS = {(0, 0): 90, (0, 1): 10}


def test_a_fall_is_found_and_dated() -> None:
    """Fifteen points less from the tenth day on are evidence from about that day, and of that share."""
    rng = np.random.default_rng(0)
    baseline = window(days(rng, 20, right=0.9))
    since = window([*days(rng, 10, right=0.9), *days(rng, 5, right=0.75)], first=20)
    [row], skipped = sequential(baseline, since)
    assert skipped == ()
    assert row.pvalue_adjusted < 0.05
    assert abs(known(row.since) - (START + 30 * DAY)) <= DAY
    assert known(row.recent) == pytest.approx(0.75, abs=0.04)
    assert (row.n, row.segment, row.value) == (3000, None, None)


def test_looking_earlier_finds_no_more() -> None:
    """As rows come the evidence never falls, and what was found stays found."""
    rng = np.random.default_rng(1)
    baseline = window(days(rng, 10, right=0.9))
    parts = [*days(rng, 8, right=0.82), *days(rng, 8, right=0.95)]
    pvalues = [sequential(baseline, window(parts[:n], first=10))[0][0].pvalue for n in range(1, 17)]
    assert pvalues == sorted(pvalues, reverse=True)
    assert pvalues[-1] < 0.05


def test_null_is_the_baselines_limit() -> None:
    """Of independent rows the null is Clopper and Pearson's limit at half the level, which the p-value holds."""
    baseline = timeless(window([tallied(CELLS)]))
    [row], skipped = sequential(baseline, window([tallied({(0, 0): 40, (0, 1): 60})] * 5))
    assert stats.binom.cdf(10, 100, row.null) == pytest.approx(0.025)
    assert row.pvalue == pytest.approx(0.025 + math.exp(-row.log_evidence))
    assert [note.what for note in skipped] == ["spread of the baseline by day in the sequential check"]


def test_segments_share_the_level() -> None:
    """Of all rows and two segments each baseline takes a sixth of the level, and p-values are Holm's."""
    parts = {("region", "EU"): {(0, 0): 45, (0, 1): 5}, ("region", "US"): {(0, 0): 45, (0, 1): 5}}
    worse = {("region", "EU"): {(0, 0): 20, (0, 1): 30}, ("region", "Asia"): {(0, 0): 50}}
    baseline = timeless(window([tallied(CELLS, parts)]))
    since = window([tallied({(0, 0): 70, (0, 1): 30}, worse)] * 5)
    rows, _ = sequential(baseline, since)
    assert [(row.segment, row.value) for row in rows] == [(None, None), ("region", "EU")]
    assert stats.binom.cdf(10, 100, rows[0].null) == pytest.approx(0.05 / 4)
    assert [row.pvalue_adjusted for row in rows] == holm([row.pvalue for row in rows]).tolist()


def test_lucky_days_are_no_evidence() -> None:
    """Where the baseline's days vary, rows count for less: the same rows say less than of days without luck."""
    rng = np.random.default_rng(2)
    varied = window(days(rng, 20, right=0.9, alike=0.05))
    table = varied.whole().table()
    right = table.contingency().both
    even = window([tallied({(0, 0): right, (0, 1): table.n - right})] * 20)
    since = window(days(rng, 5, right=0.8), first=20)
    by_luck, by_row = (sequential(of, since)[0][0] for of in (varied, even))
    assert by_luck.log_evidence < by_row.log_evidence
    assert by_luck.null > by_row.null


@pytest.mark.parametrize("alike", [0.0, 0.02])
def test_a_baseline_without_days_is_no_reason_to_cry_wolf(alike: float) -> None:
    """Days that are alike in luck are no fall from a file of test rows, as what days differ by tells their spread."""
    rng, alarms, repeats = np.random.default_rng(5), 0, 40
    for _ in range(repeats):
        baseline = timeless(window([tallied({(0, 0): 1800, (0, 1): 200})]))
        since = window(days(rng, 30, right=0.9, rows=480, alike=alike))
        alarms += sequential(baseline, since)[0][0].pvalue < 0.05
    assert alarms / repeats <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats)


def test_a_fall_from_a_baseline_without_days_is_found() -> None:
    """Ten points less are found and dated, as one change for good is no difference of days from each other."""
    rng = np.random.default_rng(6)
    baseline = timeless(window([tallied({(0, 0): 1800, (0, 1): 200})]))
    since = window([*days(rng, 10, right=0.9, rows=480), *days(rng, 5, right=0.8, rows=480)])
    [row], _ = sequential(baseline, since, threshold=0.05)
    assert row.pvalue < 0.05
    assert abs(known(row.since) - (START + 10 * DAY)) <= DAY
    assert (row.baseline, row.tolerated) == (0.9, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0.0, 0.01])
def test_false_alarms(alike: float) -> None:
    """Nothing changes for thirty days, and at no look more than a twentieth of streams say so, within four errors."""
    rng, alarms, repeats = np.random.default_rng(3), 0, 300
    for _ in range(repeats):
        baseline = window(days(rng, 14, right=0.9, rows=300, alike=alike))
        since = window(days(rng, 30, right=0.9, rows=300, alike=alike), first=14)
        alarms += sequential(baseline, since)[0][0].pvalue < 0.05
    assert alarms / repeats <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats)


def test_a_day_may_be_missing() -> None:
    """Days without a row in the middle change nothing but which day is which."""
    rng = np.random.default_rng(4)
    baseline, parts = window(days(rng, 10, right=0.9)), days(rng, 6, right=0.7)
    whole = window([*parts[:2], Tallied(), *parts[2:]], first=10)
    gap = replace(whole, buckets=tuple(bucket for bucket in whole.buckets if bucket.tallied.n))
    assert sequential(baseline, gap) == sequential(baseline, whole)
    assert sequential(baseline, gap)[0][0].pvalue < 0.05


def test_a_baseline_that_is_always_wrong() -> None:
    """Nothing is worse than a baseline without a right row, and nothing is found."""
    baseline, since = timeless(window([tallied({(0, 1): 9})])), window([tallied({(0, 1): 9})] * 5)
    [row], _ = sequential(baseline, since)
    assert (row.null, row.log_evidence, row.pvalue, row.since, row.recent) == (1, 0, 1, None, None)


def test_nothing_to_look_at() -> None:
    """A regression, rows without time, and windows without labels are no stream, and it is said why."""
    full, empty = window([tallied(CELLS)]), Window(start=START, end=START + DAY, buckets=())
    four = window([tallied(CELLS)] * 4)
    numbers = window([of_errors(np.arange(9.0), np.ones(9))])
    for baseline, since, why in (
        (numbers, numbers, "Errors without bound have no test that holds at every look here."),
        (empty, full, "The baseline has no labelled row."),
        (full, empty, "The window since has no labelled row."),
        (
            timeless(full),
            four,
            "Neither the baseline nor the days since has 5 days with labels, which tell their spread.",
        ),
        (full, timeless(full), "The rows since the baseline have no time."),
    ):
        rows, [note] = sequential(baseline, since)
        assert (rows, note.why) == ((), why)
