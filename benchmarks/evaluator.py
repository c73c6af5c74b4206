"""Table to all metrics, tests and 10,000-resample intervals, against resampling rows with scikit-learn."""

from __future__ import annotations

import time

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from abtest.evaluator import RESAMPLES, evaluate
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from benchmarks.timing import report, side_by_side

ROWS, CLASSES, MEASURED = 100_000, 10, 5


def main() -> None:
    """Measure five row resamples and scale: ten thousand would take a quarter of an hour."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, ROWS)
    sides = [np.where(rng.random(ROWS) < right, y, rng.integers(0, CLASSES, ROWS)) for right in (0.90, 0.91)]
    table = PairedOutcomes.from_predictions(y, *sides)

    def resample_rows() -> None:
        for _ in range(MEASURED):
            drawn = rng.integers(0, ROWS, ROWS)
            for predicted in sides:
                accuracy_score(y[drawn], predicted[drawn])
                precision_recall_fscore_support(y[drawn], predicted[drawn], average="macro", zero_division=0)
                precision_recall_fscore_support(y[drawn], predicted[drawn], average=None, zero_division=0)

    ours, five = side_by_side(lambda: evaluate(table, Policy()), resample_rows, rounds=3)
    theirs = five / MEASURED * RESAMPLES
    report(
        f"evaluate, {ROWS:,} rows, {CLASSES} classes, {len(table.cells)} cells",
        ours,
        theirs,
        aim="at most 1/300",
        rival="scikit-learn",
    )
    print(f"scikit-learn on resampled rows takes {theirs / ours:,.0f} times as long")
    start = time.perf_counter()
    PairedOutcomes.from_predictions(y, *sides)
    print(f"tally: {(time.perf_counter() - start) / ROWS * 1e9:.0f} ns a row")
