"""Candidates on shared folds, from the best: what is between each and the best, with a corrected paired interval."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from abtest.errors import NotApplicableError
from abtest.evaluator.rows import Skipped
from abtest.record.trained import CrossValidated
from abtest.stats.multiplicity import holm
from abtest.stats.resampled import ResampledT, corrected_t

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def ranked(
    by_fold: Mapping[str, Sequence[float]], *, greater_is_better: bool, test_over_train: float
) -> tuple[dict[str, CrossValidated], tuple[Skipped, ...]]:
    """Rank candidates by their means over folds, ties in the order given, and hold each against the best.

    Which is the best is known from these same folds, so a difference to it is one of all pairs' that were looked
    through: p-values are adjusted over all pairs (Holm), not over the candidates alone. Intervals are not adjusted.

    Args:
        by_fold: Of each candidate, one value a fold, in the metric's own unit.
        greater_is_better: Whether more of the metric is better.
        test_over_train: Rows tested on over rows trained on, in the mean over folds.

    Returns:
        The candidates from the best; and what could not be tested.

    Example:
        >>> by_fold = {"A": [0.8, 0.7, 0.9], "B": [0.9, 0.85, 0.95]}
        >>> found, _ = ranked(by_fold, greater_is_better=True, test_over_train=1 / 2)
        >>> list(found), round(found["A"].behind, 3), round(found["A"].ci_lower, 3)
        (['B', 'A'], 0.1, -0.096)
    """
    sign = 1 if greater_is_better else -1
    means = {name: float(np.mean(values)) for name, values in by_fold.items()}
    order = sorted(by_fold, key=lambda name: -sign * means[name])
    tests: dict[tuple[str, str], ResampledT] = {}
    skipped = []
    for first, second in itertools.combinations(order, 2):
        ahead = sign * (np.asarray(by_fold[first]) - np.asarray(by_fold[second]))
        try:
            tests[first, second] = corrected_t(ahead, test_over_train=test_over_train)
        except NotApplicableError as error:
            if first == order[0]:
                skipped.append(Skipped(what=f"the test of {second} against {first}", why=error.message))
    adjusted = dict(zip(tests, holm([test.pvalue for test in tests.values()]).tolist(), strict=True))
    found = {}
    for name in order:
        test = tests.get((order[0], name))
        found[name] = CrossValidated(
            mean=means[name],
            by_fold=tuple(by_fold[name]),
            behind=None if name == order[0] else sign * (means[order[0]] - means[name]) + 0.0,
            ci_lower=test.interval.lower if test and test.interval else None,
            ci_upper=test.interval.upper if test and test.interval else None,
            pvalue=adjusted.get((order[0], name)),
        )
    return found, tuple(skipped)
