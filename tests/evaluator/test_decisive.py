"""The one p-value that a verdict hangs on is the one that the evaluation finds, and SciPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

from abtest.engines.predicted import tally_columns
from abtest.evaluator import decisive_pvalue, evaluate, evaluate_errors
from abtest.policy import Policy
from abtest.stats.mcnemar import METHODS
from tests.known import known

if TYPE_CHECKING:
    from abtest.engines.pairs import Scored
    from abtest.evaluator import Evaluation

TESTED: list[dict[str, Any]] = [{}, {"rule": "primary"}]
NOT_TESTED: list[dict[str, Any]] = [
    {"rule": "non-inferior", "margin": 0.1},
    {"rule": "primary", "margin": 0.1},
]


def classes(seed: int, *, units: bool = False) -> Scored:
    """Labels of two sides, of forty rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 40)
    sides = [np.where(rng.random(40) < share, y, (y + 1) % 3) for share in (0.6, 0.8)]
    return tally_columns(y, *sides, unit=np.arange(40) // 4 if units else None)


def numbers(seed: int, *, units: bool = False) -> tuple[Scored, tuple[Any, Any, Any]]:
    """Numbers of two sides, of forty rows."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(2, 2, 40)
    columns = (y, y + rng.normal(0, 1, 40), y + rng.normal(0, 0.8, 40))
    return tally_columns(*columns, task="regression", unit=np.arange(40) // 4 if units else None), columns


def asked(scored: Scored, policy: Policy) -> float | None:
    """The p-value of what was tallied."""
    return decisive_pvalue(scored.outcomes, scored.errors, scored.units, policy)


def value_of(evaluation: Evaluation) -> float | None:
    """The p-value of the evaluation's test of what is always tested."""
    return evaluation.tested.pvalue


@hypothesis_settings(max_examples=30)
@given(seed=st.integers(0, 2**32), units=st.booleans(), method=st.sampled_from(METHODS))
def test_of_classes_it_is_the_test_of_accuracy(seed: int, method: Any, *, units: bool) -> None:
    """It is McNemar's in the form asked for, or that of units, to the last bit the one in the evaluation."""
    scored = classes(seed, units=units)
    for rule in TESTED:
        policy = Policy(method=method, metrics=("accuracy",), **rule)
        found = evaluate(scored.table, policy, units=scored.units, resamples=100)
        assert asked(scored, policy) == known(found.mcnemar).pvalue
        assert 0 <= known(asked(scored, policy)) <= 1


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_of_numbers_it_is_the_test_of_squared_errors(seed: int, *, units: bool) -> None:
    """It is the evaluation's p-value of RMSE; of rows that come in no units, SciPy's paired t of squared errors."""
    scored, (y, *sides) = numbers(seed, units=units)
    for rule in TESTED:
        policy = Policy(metrics=("rmse", "mae"), **rule)
        found = evaluate_errors(known(scored.errors), policy, resamples=100, seed=0)
        assert asked(scored, policy) == value_of(found)
    if not units:
        squares = [np.square(side - y) for side in sides]
        assert asked(scored, Policy(primary="rmse")) == pytest.approx(stats.ttest_rel(*squares).pvalue, rel=1e-9)


@pytest.mark.parametrize("rule", NOT_TESTED, ids=str)
def test_where_an_interval_decides_there_is_none(rule: dict[str, Any]) -> None:
    """Rules that hold an interval against a margin hang on no test; nor does a test of another metric."""
    assert asked(classes(0), Policy(**rule)) is None
    assert asked(classes(0), Policy(rule="primary", primary="f1")) is None
    assert asked(numbers(0)[0], Policy(**{"primary": "rmse", **rule})) is None
    assert asked(numbers(0)[0], Policy(rule="primary", primary="mae")) is None


def test_equal_sides_have_p_one() -> None:
    """Nothing tells equal sides apart, of classes or of numbers, by row or by unit."""
    y = [0, 1, 2, 1] * 5
    for unit in (None, np.arange(20) // 2):
        assert asked(tally_columns(y, y, y, unit=unit), Policy()) == 1.0
        shifted = [value + 0.5 for value in y]
        same = tally_columns(y, shifted, shifted, task="regression", unit=unit)
        assert asked(same, Policy(primary="rmse")) == 1.0


def test_a_difference_without_a_test_shows_nothing() -> None:
    """Where errors differ by one constant there is no test; the level is then shared as if p were 1."""
    y = np.arange(10.0)
    scored = tally_columns(y, y + 2, y + 1, task="regression")
    policy = Policy(primary="rmse")
    assert evaluate_errors(known(scored.errors), policy, resamples=100, seed=0).metric("rmse").pvalue is None
    assert asked(scored, policy) == 1.0
