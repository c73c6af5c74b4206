"""The same of a regression: errors of live traffic in, evaluation out.

Means of losses keep a test and an interval at every look: squared errors, absolute errors, losses of the user's own.
RMSE and R² are no means: their test is that of the squared errors, and they have no interval.
"""

from __future__ import annotations

import itertools
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.errors import NotApplicableError
from abtest.evaluator.looks import NOT_YET, SEQUENCE, Path, Tuning
from abtest.evaluator.regression import NOT_COUNTED, evaluate_errors
from abtest.evaluator.rows import Evaluation, MetricRow, Skipped
from abtest.evaluator.traffic import NOT_OF_ARMS, NOT_WHILE_LOOKING
from abtest.metrics.errors import PairedErrors, custom_losses
from abtest.metrics.regression import LOWER_IS_BETTER, RegressionOutcomes
from abtest.stats.moments import Moments
from abtest.stats.sequences import LEAST_UNITS
from abtest.stats.two_arms import two_means

if TYPE_CHECKING:
    from abtest.policy import Policy

Floats: TypeAlias = npt.NDArray[np.float64]

TWO_MEANS = "two-sample z test"
TOO_FEW = f"not known below {LEAST_UNITS} units in each arm"
_SQUARED = ("rmse", "r2")  # no means: tested by their squared errors
_FEWEST_RESAMPLES = 100  # of intervals that are left out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmErrors:
    """Errors of one arm's rows.

    Attributes:
        outcomes: Their sums, where both sides are the arm.
        squared: Squared errors by each look.
    """

    outcomes: RegressionOutcomes
    squared: tuple[Moments, ...]


def by_look(losses: Floats, bucket: npt.NDArray[np.integer[Any]], looks: int) -> tuple[Moments, ...]:
    """Sum a column by each look.

    Args:
        losses: One a row.
        bucket: The look by which it became known, from 0, shape (rows,).
        looks: How many there are.

    Example:
        >>> [moments.n for moments in by_look(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), 2)]
        [2, 3]
    """
    return tuple(itertools.accumulate(Moments.by_group(losses, bucket, looks), operator.add))


def evaluate_paired_errors(
    errors: PairedErrors, differences: tuple[Moments, ...], policy: Policy, *, tuning: Tuning
) -> tuple[Evaluation, Path]:
    """Evaluate rows that both sides predicted, while one may look at any time.

    Args:
        errors: Both sides', of at least one row.
        differences: The challenger's squared error minus the champion's, by each look.
        policy: Names the metrics and the confidence.
        tuning: What was fixed before the first look.

    Returns:
        The evaluation, and the evidence on the squared errors.
    """
    whole = Path.of_differences(differences)
    found = evaluate_errors(errors, policy, resamples=_FEWEST_RESAMPLES, seed=0)
    rows = tuple(
        _at_any_look(
            row,
            whole
            if row.metric in _SQUARED
            else Path.of_differences([errors.whole.outcomes.losses_of(row.metric).difference]),
            tuning,
        )
        for row in found.metrics
    )
    reading = found.errors and replace(
        found.errors,
        bands=tuple(replace(band, ci_lower=None, ci_upper=None, pvalue=None) for band in found.errors.bands),
    )
    return replace(found, metrics=rows, errors=reading, power=None, bayes=None), whole


def evaluate_arm_errors(
    champion: ArmErrors, challenger: ArmErrors, policy: Policy, *, tuning: Tuning | None
) -> tuple[Evaluation, Path | None]:
    """Evaluate rows of two arms: each side's values are those of its own rows.

    Args:
        champion: The champion's errors, of at least one row.
        challenger: The challenger's.
        policy: Names the metrics and the confidence.
        tuning: What was fixed before the first look; None where one looks once.

    Returns:
        The evaluation, and the evidence on the squared errors; None of one look.
    """
    whole = Path.of_means(champion.squared, challenger.squared)
    greater = {loss.name: loss.greater_is_better for loss in custom_losses(policy.metrics)}
    rows, skipped, sums = [], [], (champion.outcomes, challenger.outcomes)
    for name in policy.metrics:
        try:
            values = [arm.value(name, "champion") for arm in sums]
        except NotApplicableError as error:
            skipped.append(Skipped(what=name, why=error.message))
            continue
        better = greater[name] if name in greater else not LOWER_IS_BETTER.get(name, True)  # type: ignore[call-overload] # any name
        row = _bare_row(name, values[0], values[1], sum(arm.n for arm in sums), greater_is_better=better)
        losses = [arm.losses_of(name).champion for arm in sums]
        if tuning is None:
            row = _once(row, losses[0], losses[1], policy)
        else:
            row = _at_any_look(row, whole if name in _SQUARED else Path.of_means(losses[:1], losses[1:]), tuning)
        rows.append(row)
    found = Evaluation(
        metrics=tuple(rows),
        per_class=(),
        counted=tuple(name for name in policy.metrics if name not in NOT_COUNTED),
        skipped=tuple(skipped),
        notices=tuple(told for name, told in NOT_COUNTED.items() if name in policy.metrics and policy.rule == "share"),
    )
    return found, whole if tuning else None


def _bare_row(metric: str, champion: float, challenger: float, n: int, *, greater_is_better: bool) -> MetricRow:
    effect = challenger - champion
    improvement = effect if greater_is_better else 0.0 - effect  # not -0.0
    return MetricRow(
        metric=metric,
        champion=champion,
        challenger=challenger,
        effect=effect,
        rel_effect=effect / abs(champion) if champion else None,
        improvement=abs(champion) - abs(challenger) if metric == "bias" else improvement,
        greater_is_better=greater_is_better,
        ci_lower=None,
        ci_upper=None,
        ci_method=NOT_OF_ARMS,
        test="none",
        statistic=None,
        pvalue=None,
        pvalue_adjusted=None,
        n=n,
    )


def _at_any_look(row: MetricRow, path: Path, tuning: Tuning) -> MetricRow:
    """Keep what is valid at every look, and nothing else."""
    interval = None if row.metric in (*_SQUARED, "bias") else path.interval(tuning)
    pvalue = None if row.metric == "bias" else path.pvalue(tuning)
    by = SEQUENCE if interval else NOT_WHILE_LOOKING if row.metric in (*_SQUARED, "bias") else NOT_YET
    return replace(
        row,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        ci_method=NOT_YET if row.metric in _SQUARED and pvalue is None else by,
        test="none" if pvalue is None else path.test,
        statistic=None,
        pvalue=pvalue,
        improvement_lower=None,
        improvement_upper=None,
    )


def _once(row: MetricRow, champion: Moments, challenger: Moments, policy: Policy) -> MetricRow:
    """Add the test of two arms that are looked at once, where each has units enough for means to be normal."""
    if row.metric == "bias":
        return row
    if min(champion.n, challenger.n) < LEAST_UNITS:
        return replace(row, ci_method=TOO_FEW)
    try:
        found = two_means(champion, challenger, confidence_level=policy.confidence)
    except NotApplicableError:
        return row
    tested = replace(row, test=TWO_MEANS, statistic=found.statistic, pvalue=found.pvalue)
    if row.metric in _SQUARED:
        return tested
    return replace(tested, ci_lower=found.interval.lower, ci_upper=found.interval.upper, ci_method="two-sample z")
