"""What these rows could have shown, and how many would settle the question."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from abtest.metrics.catalogue import unit
from abtest.stats import power as exact
from abtest.stats.proportions import normal_quantile

if TYPE_CHECKING:
    from abtest.evaluator.rows import MetricRow
    from abtest.outcomes import Contingency
    from abtest.policy import Policy
    from abtest.stats.clusters import Units

POWER = 0.8
_LEAST_MARGIN = 1e-6  # a smaller one would take more rows than there are
_SHARE_THAT_MATTERS = 0.01  # of the champion's error, where nobody says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReading:
    """The power of a comparison, from the observed discordance or spread and never from the observed effect.

    Attributes:
        metric: The metric that the verdict hangs on.
        power: The probability meant by "could have shown".
        discordance: Share of rows on which exactly one side is right; where that is none, the most it may be. None for
            a metric other than accuracy, whose interval's width says as much.
        margin: The smallest effect that matters.
        detectable: The smallest effect that these rows show with that probability; under the rule "non-inferior" the
            smallest margin that they prove between equals. None where they show nothing.
        rows_needed: Rows that settle the margin with that probability; None where no number does, as an effect of that
            size cannot be.
    """

    metric: str
    power: float
    discordance: float | None
    margin: float
    detectable: float | None
    rows_needed: int | None


def power_reading(
    row: MetricRow | None, table: Contingency | None, policy: Policy, units: Units | None = None
) -> PowerReading | None:
    """Find what so many rows can show on a metric.

    An error is in the unit of the target: without a margin of the policy's, one per cent of the champion's matters.

    Args:
        row: The metric the verdict hangs on.
        table: Who was right where; None of a regression.
        policy: Names the rule, the margin that matters, the confidence and the test.
        units: Where rows come in units.

    Returns:
        None where the metric was not computed, has no margin, or one too small to plan for, or no interval.
    """
    if row is None:
        return None
    margin, least = policy.margin_that_matters(row.metric), _LEAST_MARGIN
    if table is None and unit(row.metric) == "number":  # in units of any size
        least *= abs(row.champion)
        if margin is None and row.metric != "bias":  # a share of what is best at 0 means nothing
            margin = _SHARE_THAT_MATTERS * abs(row.champion)
    if not margin or margin < least:
        return None
    if row.metric == "accuracy" and table is not None and units is None:
        return _of_accuracy(row, table, policy, margin)
    likely = row.likely_improvement
    return None if likely is None else _of_width(row, likely.upper - likely.lower, policy, margin)


def _of_accuracy(row: MetricRow, table: Contingency, policy: Policy, margin: float) -> PowerReading:
    limit = exact.discordance_limit(table.n, table.discordant, confidence_level=policy.confidence)
    discordance = table.discordant / table.n if table.discordant else limit
    level = policy.confidence
    if policy.rule == "non-inferior":
        detectable = exact.provable_margin(table.n, discordance, power=POWER, confidence_level=level)
        needed: int | None = exact.noninferiority_rows(discordance, margin, power=POWER, confidence_level=level)
    else:
        detectable = exact.detectable_effect(
            table.n, discordance, power=POWER, confidence_level=level, method=policy.method
        )
        needed = None
        if margin <= discordance:
            needed = exact.rows_needed(discordance, margin, power=POWER, confidence_level=level, method=policy.method)
    return PowerReading(
        metric=row.metric,
        power=POWER,
        discordance=discordance,
        margin=margin,
        detectable=detectable,
        rows_needed=needed,
    )


def rows_by_width(n: int, width: float, margin: float, *, confidence: float) -> int:
    """Reckon the rows that settle a margin between two equal models from the width of an interval on ``n`` rows."""
    return math.ceil(n * (_reach(width, confidence) / margin) ** 2)


def _reach(width: float, confidence: float) -> float:
    """By the normal formula: an interval's width is 2z standard errors, which shrink with the root of the rows."""
    z = normal_quantile(confidence)
    return width * (z + float(special.ndtri(POWER))) / (2 * z)


def _of_width(row: MetricRow, width: float, policy: Policy, margin: float) -> PowerReading:
    return PowerReading(
        metric=row.metric,
        power=POWER,
        discordance=None,
        margin=margin,
        detectable=_reach(width, policy.confidence),
        rows_needed=rows_by_width(row.n, width, margin, confidence=policy.confidence),
    )
