"""What to believe of the metric that the verdict hangs on, beside the test and never instead of it.

Of accuracy it is in closed form. Of another metric of the table it is drawn: shares of the cells, with one pseudo-row
on either side of the disagreement. Of a regression it is drawn too: shares of the rows themselves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abtest.evaluator.rows import FEW_ROWS
from abtest.labels import SIDES
from abtest.metrics.errors import metric_values
from abtest.metrics.totals import both_totals
from abtest.stats.bayes import accuracy_posterior, dirichlet_draws, drawn_posterior, smoothed

if TYPE_CHECKING:
    from abtest.evaluator.table import Plan
    from abtest.metrics.errors import ErrorSums
    from abtest.metrics.totals import Floats
    from abtest.outcomes import PairedOutcomes
    from abtest.policy import Policy
    from abtest.stats.bayes import Posterior

_DRAWS = 4_000  # a probability of one half is then known to within .008
_MOST_CELLS = 5_000  # beyond, the draws would take longer than all else


def posterior_of_classes(outcomes: PairedOutcomes, plan: Plan) -> Posterior | None:
    """Read the table; None for a metric of scores, or a table of too many cells to draw."""
    policy, name = plan.policy, plan.policy.decisive
    margin = policy.margin_that_matters(name) or 0.0
    if name == "accuracy":
        return accuracy_posterior(outcomes.contingency(), margin=margin)
    metric = next((metric for metric in plan.metrics if metric.name == name), None)
    if metric is None or len(outcomes.cells) > _MOST_CELLS:
        return None
    table = _with_both_sides(outcomes)
    if table is None:
        return None
    right = {side: table.predicted_by(side) == table.cells[:, 0] for side in SIDES}
    counts = smoothed(table.counts, right["champion"] & ~right["challenger"], right["challenger"] & ~right["champion"])
    sign = 1.0 if metric.greater_is_better else -1.0
    chunks = []
    summed = both_totals(table)
    for shares in dirichlet_draws(counts, draws=_DRAWS, rng=np.random.default_rng(plan.seed)):
        champion, challenger = (plan.value(metric, of) for of in summed(shares))
        chunks.append(sign * (challenger - champion))
    return drawn_posterior(np.concatenate(chunks), margin=margin)


def posterior_of_errors(sums: ErrorSums, policy: Policy, *, margin: float, seed: int) -> Posterior | None:
    """Read the blocks of a regression; None for R² where its truth may not vary, and for losses of the user's own."""
    name = policy.decisive
    if name not in {"rmse", "mae", "bias"} or len(sums.blocks) < FEW_ROWS:  # few rows hardly vary among themselves
        return None
    chunks: list[Floats] = []
    ones = np.ones(len(sums.blocks))
    for shares in dirichlet_draws(ones, draws=_DRAWS, rng=np.random.default_rng(seed)):
        drawn = shares @ sums.blocks
        champion, challenger = (np.abs(metric_values(drawn, name, side)) for side in SIDES)
        chunks.append(champion - challenger)
    return drawn_posterior(np.concatenate(chunks), margin=margin)


def _with_both_sides(outcomes: PairedOutcomes) -> PairedOutcomes | None:
    """Add cells without rows in which one side alone is right, where the table has none; None of a single label."""
    labels = range(len(outcomes.labels))
    if len(labels) < 2:
        return None
    y, champion, challenger, _ = outcomes.cells.T
    there = {
        "champion": bool(((champion == y) & (challenger != y)).any()),
        "challenger": bool(((challenger == y) & (champion != y)).any()),
    }
    truths = sorted(set(y.tolist()))
    added = [
        (i, i, j, 0) if side == "champion" else (i, j, i, 0)
        for side in SIDES
        if not there[side]
        for i in truths
        for j in labels
        if i != j
    ]
    if not added:
        return outcomes
    cells = np.concatenate([outcomes.cells, np.array(added, dtype=np.int64)])
    return replace(outcomes, cells=cells[np.lexsort(cells[:, 2::-1].T)], segments=())
