"""Candidates from the best, and what is between them."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.stats.multiplicity import holm
from abtest.stats.resampled import corrected_t
from abtest.training.ranking import ranked
from tests.stats.test_resampled import cross_validated

VALUES = st.lists(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=5, max_size=5), min_size=1, max_size=5)


@given(VALUES, st.booleans())
def test_the_best_by_mean(values: list[list[float]], greater: bool) -> None:  # noqa: FBT001 - Hypothesis draws it
    """Ranks follow the means over folds, ties the order given; what is behind is what the best is better by."""
    given_ = {f"m{i}": value for i, value in enumerate(values)}
    found, _ = ranked(given_, greater_is_better=greater, test_over_train=1 / 4)
    sign = 1 if greater else -1
    assert list(found) == sorted(given_, key=lambda name: -sign * found[name].mean)
    best = next(iter(found.values()))
    assert (best.behind, best.ci_lower, best.ci_upper, best.pvalue) == (None, None, None, None)
    for name, each in list(found.items())[1:]:
        assert each.by_fold == tuple(given_[name])
        assert each.behind is not None
        assert each.behind >= 0
        assert each.behind == pytest.approx(sign * (best.mean - statistics.fmean(given_[name])), abs=1e-12)
        if each.ci_lower is not None and each.ci_upper is not None:
            assert each.ci_lower <= each.behind <= each.ci_upper


@given(VALUES, st.randoms())
def test_order_changes_no_number(values: list[list[float]], rng: object) -> None:
    """Listing candidates in another order changes nothing, but which of equals comes first."""
    means = {statistics.fmean(value) for value in values}
    if len(means) < len(values):
        return
    given_ = {f"m{i}": value for i, value in enumerate(values)}
    other = list(given_.items())
    rng.shuffle(other)  # type: ignore[attr-defined] # one of Python's own
    assert (
        ranked(dict(other), greater_is_better=True, test_over_train=1 / 3)[0]
        == ranked(given_, greater_is_better=True, test_over_train=1 / 3)[0]
    )


def test_adjusted_over_all_pairs() -> None:
    """p-values are Holm's over the tests of all pairs, of which the best's are told."""
    given_ = {"a": [0.9, 0.8, 0.95, 0.9], "b": [0.8, 0.75, 0.9, 0.8], "c": [0.5, 0.6, 0.5, 0.55]}
    found, _ = ranked(given_, greater_is_better=True, test_over_train=1 / 3)
    raw = [
        corrected_t([x - y for x, y in zip(given_[i], given_[j], strict=True)], test_over_train=1 / 3).pvalue
        for i, j in itertools.combinations("abc", 2)
    ]
    assert [found["b"].pvalue, found["c"].pvalue] == pytest.approx(holm(raw).tolist()[:2])


@pytest.mark.slow
def test_level_after_a_search() -> None:
    """The best of 20 equally good settings is surely better than an equal without a search about 6 times in 100."""
    rng, rounds, sure = np.random.default_rng(3), 600, 0
    for _ in range(rounds):
        alone, *settings = cross_validated(rng, 21, 5)
        found, _ = ranked(
            {"searched": max(settings, key=np.mean), "alone": alone}, greater_is_better=True, test_over_train=1 / 4
        )
        pvalue = found["alone"].pvalue
        sure += next(iter(found)) == "searched" and pvalue is not None and pvalue < 0.05
    assert 0.03 < sure / rounds < 0.09


def test_what_cannot_be_tested_is_said() -> None:
    """A candidate that is behind by the same in every fold has no interval; equals have p = 1."""
    found, skipped = ranked(
        {"a": [0.9, 0.8], "b": [0.9, 0.8], "c": [0.5, 0.4]}, greater_is_better=True, test_over_train=1 / 3
    )
    assert (found["b"].behind, found["b"].pvalue, found["b"].ci_lower) == (0.0, 1.0, None)
    assert found["c"].behind == pytest.approx(0.4)
    assert found["c"].pvalue is None
    assert [each.what for each in skipped] == ["the test of c against a"]
