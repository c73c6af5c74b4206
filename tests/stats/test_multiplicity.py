"""Holm's method, as adjusted p-values and as levels, and e-BH: against their definitions and other libraries."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import special
from ville.evalues import ebh

from abtest.errors import InvalidInputError
from abtest.stats.multiplicity import benjamini_hochberg, e_benjamini_hochberg, holm, holm_levels
from tests.multitest import multipletests

PVALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 1.0])), max_size=25)
# Multiplied by a number of tests these stay exact, and are often equal to alpha.
EXACT = st.lists(st.integers(0, 40).map(lambda x: x / 1024) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=6)
EXACT_ALPHA = st.integers(1, 120).map(lambda x: x / 1024)


@settings(max_examples=25)  # statsmodels takes its time
@given(PVALUES.filter(len))
def test_agrees_with_statsmodels(pvalues: list[float]) -> None:
    """Adjusted p-values are statsmodels', ties and all."""
    assert holm(pvalues) == pytest.approx(multipletests(pvalues, method="holm")[1], rel=1e-12)


@given(PVALUES, st.floats(0.001, 0.999))
def test_steps_down(pvalues: list[float], alpha: float) -> None:
    """Rejecting adjusted p-values at α is walking from the smallest up, while the i-th is at most α / (K - i)."""
    rejected: set[int] = set()
    for i, k in enumerate(sorted(range(len(pvalues)), key=lambda k: pvalues[k])):
        if pvalues[k] * (len(pvalues) - i) > alpha:
            break
        rejected.add(k)
    assert set(np.flatnonzero(holm(pvalues) <= alpha)) == rejected


@given(PVALUES.flatmap(lambda p: st.tuples(st.just(p), st.permutations(range(len(p))))))
def test_order_is_kept(drawn: tuple[list[float], list[int]]) -> None:
    """Shuffling the tests shuffles the answers; none falls below its raw p-value or above 1; order is preserved."""
    pvalues, order = drawn
    adjusted = holm(pvalues)
    assert holm([pvalues[k] for k in order]).tolist() == adjusted[order].tolist()
    assert all(raw <= ours <= 1 for raw, ours in zip(pvalues, adjusted, strict=True))
    assert np.all(np.diff(adjusted[np.argsort(pvalues, kind="stable")]) >= 0)


def test_none_and_one() -> None:
    """No tests give no answers; one test keeps its p-value."""
    assert holm([]).shape == (0,)
    assert holm([]).dtype == np.float64
    assert holm(np.array([0.04])).tolist() == [0.04]


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.5])
def test_no_pvalue(wrong: float) -> None:
    """What is no p-value is refused by value."""
    with pytest.raises(InvalidInputError, match=rf"^pvalues must be in \[0, 1\], got {wrong}\.$"):
        holm([0.5, wrong])


def rejected_by_closure(pvalues: list[float], alpha: float) -> list[bool]:
    """Reject a test where every set of tests it is in has a smallest p below Bonferroni's level for that set."""
    tests = range(len(pvalues))
    sets = [chosen for size in tests for chosen in itertools.combinations(tests, size + 1)]
    low = {chosen: min(pvalues[i] for i in chosen) < Fraction(alpha) / len(chosen) for chosen in sets}
    return [all(low[chosen] for chosen in sets if i in chosen) for i in tests]


@given(EXACT, EXACT_ALPHA)
@example([0.015625, 0.015625], 0.03125)
def test_levels_close_bonferroni(pvalues: list[float], alpha: float) -> None:
    """Rejecting below the levels is the closure of Bonferroni's test, over all sets of tests."""
    levels = holm_levels(pvalues, alpha)
    assert [p < level for p, level in zip(pvalues, levels, strict=True)] == rejected_by_closure(pvalues, alpha)


@given(
    st.one_of(
        st.tuples(PVALUES, st.floats(0, 1, exclude_min=True, exclude_max=True)),
        st.tuples(EXACT, EXACT_ALPHA),
        # Within rounding of the edge, for every number of tests there is.
        st.floats(1e-3, 0.5).flatmap(
            lambda alpha: st.tuples(st.lists(st.integers(1, 30).map(lambda m: alpha / m), max_size=30), st.just(alpha))
        ),
    )
)
@example(([0.05 / 19] * 19, 0.05))
@example(([math.nextafter(0.05 / 29, 0)] * 29, 0.05))
@example(([5e-324, 0.0, 1.0], 5e-324))
def test_levels_reject_what_holm_does(drawn: tuple[list[float], float]) -> None:
    """A p-value is below its level exactly where its adjusted p-value is below alpha, ties, zeros and edges too."""
    pvalues, alpha = drawn
    levels = holm_levels(pvalues, alpha)
    assert [p < level for p, level in zip(pvalues, levels, strict=True)] == (holm(pvalues) < alpha).tolist()


def test_rounding_matters() -> None:
    """Plain division would not reject what ``holm`` rejects, nor keep what it keeps."""
    assert (0.05 / 19) * 19 < 0.05
    assert math.nextafter(0.05 / 29, 0) * 29 >= 0.05


@given(PVALUES, st.floats(0.001, 0.999))
def test_levels_step_down(pvalues: list[float], alpha: float) -> None:
    """The j-th smallest has alpha / (K - j), and from the first that is not rejected on all have its level."""
    levels, k = holm_levels(pvalues, alpha), len(pvalues)
    smallest_first = sorted(range(k), key=lambda i: pvalues[i])
    rejected = sum(p < level for p, level in zip(pvalues, levels, strict=True))
    expected = [alpha / (k - min(j, rejected)) for j in range(k)]
    assert [levels[i] for i in smallest_first] == pytest.approx(expected, rel=1e-15)
    assert len({levels[i] for i in smallest_first[rejected:]}) <= 1
    assert all(alpha / k * (1 - 1e-15) <= level <= alpha for level in levels)


@given(PVALUES.filter(len), st.floats(0.001, 0.999))
@settings(max_examples=25)  # statsmodels takes its time
def test_levels_agree_with_statsmodels(pvalues: list[float], alpha: float) -> None:
    """Off the edge the same tests are rejected as by statsmodels, which rejects on the edge too."""
    edges = [alpha / m for m in range(1, len(pvalues) + 1)]
    assume(all(abs(p - edge) > 1e-12 for p in pvalues for edge in edges))
    levels = holm_levels(pvalues, alpha)
    theirs = multipletests(pvalues, alpha=alpha, method="holm")[0].tolist()
    assert [p < level for p, level in zip(pvalues, levels, strict=True)] == theirs


@given(PVALUES.flatmap(lambda p: st.tuples(st.just(p), st.permutations(range(len(p))))), st.floats(0.001, 0.999))
def test_levels_keep_order(drawn: tuple[list[float], list[int]], alpha: float) -> None:
    """Shuffling tests whose p-values differ shuffles their levels."""
    pvalues, order = drawn
    assume(len(set(pvalues)) == len(pvalues))
    levels = holm_levels(pvalues, alpha)
    assert holm_levels([pvalues[i] for i in order], alpha) == [levels[i] for i in order]


def test_levels_of_none_and_one() -> None:
    """No tests have no levels; one test has alpha, whatever its p-value."""
    assert holm_levels([], 0.05) == []
    for p in (0.0, 0.01, 0.05, 1.0):
        assert holm_levels([p], 0.05) == [0.05]


def test_intervals_at_these_levels() -> None:
    """Of three effects beyond doubt, intervals at these levels miss one or more in 8.9 %, to four standard errors."""
    effects, runs = np.array([30.0, 22.0, 14.0]), 20_000
    noise = np.random.default_rng(3).standard_normal((runs, 3))
    pvalues = (2 * special.ndtr(-np.abs(effects + noise))).tolist()
    half_widths = -special.ndtri(np.array([holm_levels(p, 0.05) for p in pvalues]) / 2)
    missed = float((np.abs(noise) > half_widths).any(axis=1).mean())
    expected = 1 - (1 - 0.05 / 3) * (1 - 0.05 / 2) * (1 - 0.05)
    assert round(expected, 3) == 0.089
    assert missed == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / runs))


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.05, 1.5, math.nan])
def test_no_level(wrong: float) -> None:
    """A level outside (0, 1) is refused by value, and so is what is no p-value."""
    with pytest.raises(InvalidInputError, match=rf"^alpha must be in \(0, 1\), got {wrong}\. Hint: try 0\.05\.$"):
        holm_levels([0.5], wrong)
    with pytest.raises(InvalidInputError, match=r"^pvalues must be in \[0, 1\], got nan\.$"):
        holm_levels([0.5, math.nan], 0.05)


LOGS = st.lists(st.one_of(st.floats(-20, 20), st.just(-math.inf)), max_size=12)
LEVELS = st.floats(0.001, 0.5)


@given(LOGS, LEVELS)
def test_e_bh_by_definition(logs: list[float], alpha: float) -> None:
    """The k with the most evidence are chosen, k being the largest for which k of them have E of at least K / (kα)."""
    e, tests = [math.exp(log_e) for log_e in logs], len(logs)
    needed = {k: tests / (k * alpha) for k in range(1, tests + 1)}
    assume(all(abs(x / need - 1) > 1e-9 for x in e for need in needed.values()))  # not within rounding
    k = max((k for k, need in needed.items() if sum(x >= need for x in e) >= k), default=0)
    expected = [k > 0 and x >= needed[k] for x in e]
    assert e_benjamini_hochberg(logs, alpha) == expected
    assert sum(expected) == k


@given(LOGS.filter(len), LEVELS)
def test_e_bh_agrees_with_ville(logs: list[float], alpha: float) -> None:
    """The tests chosen are ville's; those that share the evidence of the last one chosen are all chosen."""
    e = np.exp(logs)
    assume((np.abs(np.outer(e, np.arange(1, e.size + 1)) * alpha / e.size - 1) > 1e-9).all())  # not within rounding
    assert e_benjamini_hochberg(logs, alpha) == ebh(e, alpha).tolist()


@given(LOGS.filter(len), LEVELS, LEVELS, st.floats(0, 10), st.data())
def test_e_bh_is_monotone(logs: list[float], alpha: float, other: float, more: float, data: st.DataObject) -> None:
    """A higher level, or more evidence for one test, never takes a choice back; order is kept."""
    low, high = sorted((alpha, other))
    chosen = e_benjamini_hochberg(logs, low)
    k = data.draw(st.integers(0, len(logs) - 1))
    raised = e_benjamini_hochberg([log_e + more * (i == k) for i, log_e in enumerate(logs)], low)
    for after in (e_benjamini_hochberg(logs, high), raised):
        assert all(now for now, before in zip(after, chosen, strict=True) if before)
    assert e_benjamini_hochberg(logs[::-1], low) == chosen[::-1]


def test_e_bh_of_none_and_one() -> None:
    """No tests give no answers; one test is chosen where E is at least 1/α."""
    assert e_benjamini_hochberg([], 0.05) == []
    assert e_benjamini_hochberg([3.0], 0.05) == [True]
    assert e_benjamini_hochberg([2.99], 0.05) == [False]
    assert e_benjamini_hochberg([math.inf, -math.inf], 0.05) == [True, False]


@pytest.mark.parametrize(
    ("logs", "alpha", "message"),
    [
        ([1.0, math.nan], 0.05, "logs must be numbers, got nan."),
        ([1.0], 1.0, "alpha must be in (0, 1), got 1.0. Hint: try 0.05."),
    ],
)
def test_no_e_bh(logs: list[float], alpha: float, message: str) -> None:
    """Evidence that is no number, and a level that is none, are refused by name."""
    with pytest.raises(InvalidInputError) as refused:
        e_benjamini_hochberg(logs, alpha)
    assert str(refused.value) == message


@settings(max_examples=25)  # statsmodels takes its time
@given(PVALUES)
def test_benjamini_hochberg_is_statsmodels(pvalues: list[float]) -> None:
    """Adjusted p-values are statsmodels' where there are any, and lie between the raw ones and Holm's."""
    adjusted = benjamini_hochberg(pvalues)
    if pvalues:
        assert adjusted == pytest.approx(multipletests(pvalues, method="fdr_bh")[1], rel=1e-12)
    assert (adjusted >= np.array(pvalues)).all()
    assert (adjusted <= holm(pvalues) * (1 + 1e-12)).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.3))
def test_benjamini_hochberg_rejects_by_the_rule(pvalues: list[float], alpha: float) -> None:
    """Rejected are the k smallest, for the largest k of which the k-th is at most k/K of the level."""
    k = max((at for at, p in enumerate(sorted(pvalues), 1) if p * (len(pvalues) / at) <= alpha), default=0)
    assert (benjamini_hochberg(pvalues) <= alpha).sum() == sum(p <= sorted(pvalues)[k - 1] for p in pvalues if k)


def test_benjamini_hochberg_of_the_paper() -> None:
    """Of the fifteen p-values of Benjamini & Hochberg (1995), section 3.2, four are rejected; Holm rejects three."""
    pvalues = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip
    assert (benjamini_hochberg(pvalues) <= 0.05).tolist() == [True] * 4 + [False] * 11
    assert (holm(pvalues) <= 0.05).sum() == 3
    with pytest.raises(InvalidInputError):
        benjamini_hochberg([0.5, math.nan])
