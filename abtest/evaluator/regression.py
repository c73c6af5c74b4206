"""Paired errors in, evaluation out: every metric, effect, interval and test of a regression.

Means of losses are compared by the paired t test, which also bounds them. RMSE and R² are no means: their test is that
of the mean squared errors, and their interval comes from resampling, as does that of how much nearer to 0 a bias is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest import wording
from abtest.engines.errors import MOST_BLOCKS
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.evaluator.bayes import posterior_of_errors
from abtest.evaluator.power import power_reading
from abtest.evaluator.rows import FEW_ROWS, NOT_ESTIMABLE, Evaluation, MetricRow, Skipped
from abtest.evaluator.segments import by_segment, contrasts, few_rows_in
from abtest.labels import SIDES
from abtest.metrics.custom import CustomLoss
from abtest.metrics.errors import ErrorSums, PairedErrors, metric_values, swapped_columns
from abtest.metrics.regression import LOWER_IS_BETTER, compare
from abtest.metrics.residuals import ErrorBand, ErrorHistogram, ErrorReading, Plane
from abtest.policy import Policy
from abtest.stats.multiplicity import holm
from abtest.stats.proportions import Interval
from abtest.stats.resampling import NOISE, multinomial_draws, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Floats: TypeAlias = npt.NDArray[np.float64]

_RESAMPLED = ("rmse", "r2", "bias")
_TESTS = {
    "rmse": "paired t of squared errors",
    "r2": "paired t of squared errors",
    "bias": "paired t, both signs",
}
_DRAWN_COLUMNS = 9  # of a block: losses of the user's own are means, and are not resampled
_UNDEFINED = 0.01  # share of the draws in which R² may not be
_FEW_UNITS = 30  # for their sum to be normal
_HEAVY = 0.1  # share of the squared errors
_MANY_BLOCKS = 100  # of fewer, one may well make up so much
NOT_COUNTED = {
    "r2": "R² is counted once with RMSE: on the same rows they rise and fall together.",
    "bias": "Bias is not counted: of two biases near 0 either may be the nearer by chance. A guardrail can hold it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How all rows, and those of each segment, are evaluated."""

    policy: Policy
    in_units: bool
    losses: Mapping[str, CustomLoss]
    resamples: int
    seed: int


def evaluate_errors(
    errors: PairedErrors,
    policy: Policy,
    *,
    resamples: int,
    seed: int,
    progress: Callable[[int], None] = lambda _drawn: None,
) -> Evaluation:
    """Compute every metric, effect, interval and test of a regression.

    Args:
        errors: Both sides', of at least one row.
        policy: Names the metrics and the confidence of intervals.
        resamples: Draws of the paired bootstrap.
        seed: Of the draws; the same seed and rows give the same numbers, whichever side is called champion.
        progress: Called with the number of draws done, now and then; all rows and each segment are drawn once.

    Raises:
        InvalidInputError: No rows, or a metric that was not summed.

    Example:
        >>> from abtest.metrics.errors import row_columns
        >>> from abtest.metrics.regression import RegressionOutcomes
        >>> rows = np.array([[1.0, 1.5, 1.2], [2.0, 1.0, 1.8], [3.0, 4.0, 3.0], [4.0, 4.5, 4.0]])
        >>> whole = ErrorSums(outcomes=RegressionOutcomes.of(*rows.T), blocks=row_columns(*rows.T))
        >>> errors = PairedErrors(whole=whole, sample=rows)
        >>> row = evaluate_errors(errors, Policy(primary="rmse"), resamples=100, seed=0).metric("mae")
        >>> round(row.effect, 3), round(row.pvalue, 4), row.test
        (-0.65, 0.0249, 'paired t')
    """
    if not errors.n:
        raise InvalidInputError("The data hold no labelled row to compare on.")
    plan = _Plan(
        policy=policy,
        in_units=errors.in_units,
        losses={loss.name: loss for loss in errors.losses},
        resamples=resamples,
        seed=seed,
    )
    metrics, skipped = _rows(errors.whole, plan, progress)
    segments = by_segment(
        errors.segments,
        lambda part: _rows(part, plan)[0],
        lambda done: progress((1 + done) * resamples),
    )
    decisive = next((row for row in metrics if row.metric == policy.decisive), None)
    power = power_reading(decisive, None, policy)
    return Evaluation(
        metrics=metrics,
        per_class=(),
        segments=segments,
        counted=tuple(name for name in policy.metrics if name not in NOT_COUNTED),
        skipped=skipped,
        power=power,
        bayes=posterior_of_errors(errors.whole, policy, margin=power.margin if power else 0.0, seed=seed),
        errors=_reading(errors, plan),
        notices=(
            *_about_units(errors),
            *contrasts([row for row in metrics if row.metric not in NOT_COUNTED], segments, policy.alpha),
            *(told for name, told in NOT_COUNTED.items() if name in policy.metrics and policy.rule == "share"),
            *_heavy(errors),
            *few_rows_in({key: part.outcomes.n for key, part in errors.segments.items()}),
        ),
    )


def _rows(
    sums: ErrorSums, plan: _Plan, progress: Callable[[int], None] = lambda _drawn: None
) -> tuple[tuple[MetricRow, ...], tuple[Skipped, ...]]:
    """One row a metric, in the policy's order; and what could not be computed."""
    draws, rows, skipped = _draws(sums, plan, progress), [], []
    for name in plan.policy.metrics:
        try:
            rows.append(_row(sums, name, plan, draws))
        except NotApplicableError as error:
            skipped.append(Skipped(what=name, why=error.message))
    return tuple(rows), tuple(skipped)


def _row(sums: ErrorSums, name: str, plan: _Plan, draws: Mapping[str, Floats]) -> MetricRow:
    own, level = plan.losses.get(name), plan.policy.confidence
    greater = own.greater_is_better if own else not LOWER_IS_BETTER.get(name, True)  # type: ignore[call-overload] # any name
    found = compare(
        sums.outcomes,
        name,
        confidence_level=level,
        greater_is_better=greater,
        units=sums.units if plan.in_units else None,
    )
    interval, by = found.interval, "by unit" if plan.in_units else "paired t"
    nearer = None
    if name in _RESAMPLED:
        # Rounding is measured by what the draws are differences of.
        about = "mae" if name == "bias" else name
        sizes = [abs(sums.outcomes.value(about, side) - (name == "r2")) for side in SIDES]
        enough = len(sums.blocks) >= FEW_ROWS  # of fewer, a percentile interval of RMSE proves what is not so
        resampled = _percentiles(draws[name], max(sizes), level) if enough else None
        if name == "bias":
            nearer = resampled
        else:
            interval, by = resampled, "bootstrap percentile"
    is_zero = abs(found.champion) <= (NOISE if name == "r2" else 0.0)
    relative = None if is_zero else found.effect / abs(found.champion)
    test = "by unit" if plan.in_units else _TESTS.get(name, "paired t")
    return MetricRow(
        metric=name,
        champion=found.champion,
        challenger=found.challenger,
        effect=found.effect,
        rel_effect=relative if relative is not None and math.isfinite(relative) else None,
        improvement=found.improvement,
        greater_is_better=greater,
        ci_lower=interval.lower if interval else None,
        ci_upper=interval.upper if interval else None,
        ci_method=by if interval else NOT_ESTIMABLE,
        test="none" if found.pvalue is None else test,
        statistic=found.statistic,
        pvalue=found.pvalue,
        pvalue_adjusted=None,
        n=sums.outcomes.n,
        improvement_lower=nearer.lower if nearer else None,
        improvement_upper=nearer.upper if nearer else None,
    )


def _draws(sums: ErrorSums, plan: _Plan, progress: Callable[[int], None]) -> dict[str, Floats]:
    """Resampled effects of RMSE and R², and improvements of the bias, shape (draws,) each."""
    blocks, sign = _oriented(sums.blocks[:, :_DRAWN_COLUMNS])
    rng = np.random.default_rng(plan.seed)
    blocks = _thrown_together(blocks, rng)
    names = [name for name in _RESAMPLED if name in plan.policy.metrics]
    found: dict[str, list[Floats]] = {name: [] for name in names}
    drawn = 0
    for weights in multinomial_draws(np.ones(len(blocks), dtype=np.int64), resamples=plan.resamples, rng=rng):
        totals = weights.astype(np.float64) @ blocks
        for name in names:
            first, second = (metric_values(totals, name, side) for side in SIDES)
            effect = np.abs(first) - np.abs(second) if name == "bias" else second - first
            found[name].append(sign * effect)
        drawn += len(weights)
        progress(drawn)
    return {name: np.concatenate(chunks) for name, chunks in found.items()}


def _oriented(blocks: Floats) -> tuple[Floats, float]:
    """Sort blocks, and take whichever orientation sorts first, with the sign of its effect.

    So neither the order of the rows nor which side is called champion changes what is drawn.
    """
    one, other = (part[np.lexsort(part.T[::-1])] for part in (blocks, swapped_columns(blocks)))
    differing = np.flatnonzero(one.ravel() != other.ravel())
    turned = differing.size > 0 and other.ravel()[differing[0]] < one.ravel()[differing[0]]
    return (other, -1.0) if turned else (one, 1.0)


def _thrown_together(blocks: Floats, rng: np.random.Generator) -> Floats:
    """Put more units than can be drawn one by one into blocks at random; these vary by as much, in expectation."""
    if len(blocks) <= MOST_BLOCKS:
        return blocks
    into = rng.integers(0, MOST_BLOCKS, len(blocks))
    return np.column_stack([np.bincount(into, weights=column, minlength=MOST_BLOCKS) for column in blocks.T])


def _percentiles(draws: Floats, size: float, confidence_level: float) -> Interval | None:
    """The percentile interval of draws whose rounding is in proportion to ``size``, whatever the unit."""
    known = draws[np.isfinite(draws)]
    if not size or known.size < (1 - _UNDEFINED) * draws.size:
        return None
    found = percentile_interval(known / size, confidence_level=confidence_level)
    return Interval(lower=found.lower * size, upper=found.upper * size) if found else None


def _reading(errors: PairedErrors, plan: _Plan) -> ErrorReading:
    truth, champion, challenger = errors.sample.T
    return ErrorReading(
        sums=errors.whole.outcomes,
        bands=_bands(errors, plan),
        histogram=ErrorHistogram.of(champion - truth, challenger - truth),
        plane=Plane.of(truth, champion, challenger),
        drawn=len(truth),
    )


def _bands(errors: PairedErrors, plan: _Plan) -> tuple[ErrorBand, ...]:
    """The mean absolute error by the size of the truth; p-values are adjusted over the bands (Holm)."""
    bands = []
    for band in errors.bands:
        units = band.errors.units if plan.in_units else None
        found = compare(band.errors.outcomes, "mae", confidence_level=plan.policy.confidence, units=units)
        bands.append(
            ErrorBand(
                lower=band.lower,
                upper=band.upper,
                n=band.errors.outcomes.n,
                champion=found.champion,
                challenger=found.challenger,
                effect=found.effect,
                ci_lower=found.interval.lower if found.interval else None,
                ci_upper=found.interval.upper if found.interval else None,
                pvalue=found.pvalue,
            )
        )
    adjusted = iter(holm([band.pvalue for band in bands if band.pvalue is not None]).tolist())
    return tuple(band if band.pvalue is None else replace(band, pvalue=next(adjusted)) for band in bands)


def _about_units(errors: PairedErrors) -> Iterator[str]:
    if len(errors.whole.blocks) < FEW_ROWS:
        what = "units" if errors.in_units else "rows"
        yield f"Fewer than {FEW_ROWS} {what} are too few for an interval of RMSE or R², and their tests are rough."
    if not errors.in_units:
        return
    units = len(errors.whole.blocks)
    yield (
        f"The {wording.plural(errors.n, 'row')} come in {wording.plural(units, 'unit')}: units, not rows, are taken to "
        "be independent, and are what is tested and resampled."
    )
    if units < _FEW_UNITS:
        yield f"Fewer than {_FEW_UNITS} units are too few to trust their test and intervals."


def _heavy(errors: PairedErrors) -> Iterator[str]:
    """Say where the squared errors hang on next to nothing: no mean of so few is normal."""
    blocks = errors.whole.blocks
    if len(blocks) < _MANY_BLOCKS:
        return
    squares = errors.whole.units.losses["squared"]
    totals = squares.sum(axis=0)
    shares = squares.max(axis=0) / np.where(totals > 0, totals, 1.0)
    side, share = SIDES[int(shares.argmax())], float(shares.max())
    if share > _HEAVY:
        who = "One unit makes" if errors.in_units else "One row makes" if len(blocks) == errors.n else "A few rows make"
        yield (
            f"{who} up {wording.percent(share)} of the {side}'s squared errors: RMSE and R² hang on it, and their test "
            "and intervals are rough."
        )
