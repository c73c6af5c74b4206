"""The one p-value that a verdict hangs on, before anything else is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.evaluator.table import tested
from abtest.metrics.catalogue import DECISIVE
from abtest.metrics.regression import compare

if TYPE_CHECKING:
    from abtest.metrics.errors import PairedErrors
    from abtest.outcomes import PairedOutcomes
    from abtest.policy import Policy
    from abtest.stats.clusters import UnitTables


def decisive_pvalue(
    outcomes: PairedOutcomes | None, errors: PairedErrors | None, units: UnitTables | None, policy: Policy
) -> float | None:
    """Test what the policy's rule tests first: equal accuracy, or of a regression equal squared errors.

    Args:
        outcomes: The table, of a classification.
        errors: Both sides' errors, of a regression.
        units: Where rows come in units.
        policy: Names the rule.

    Returns:
        None where it is an interval that decides, or the test of another metric.

    Example:
        >>> from abtest.outcomes import PairedOutcomes
        >>> from abtest.policy import Policy
        >>> table = PairedOutcomes.from_predictions([0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1])
        >>> decisive_pvalue(table, None, None, Policy())
        0.5
    """
    by_interval = policy.rule == "non-inferior" or (policy.rule == "primary" and policy.margin is not None)
    if by_interval or policy.decisive != DECISIVE[policy.task]:
        return None
    if errors is not None:
        found = compare(errors.whole.outcomes, "rmse", units=errors.whole.units if errors.in_units else None)
        return 1.0 if found.pvalue is None else found.pvalue
    if outcomes is None:
        return None
    return tested(outcomes.contingency(), units.whole if units else None, policy).pvalue
