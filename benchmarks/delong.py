"""DeLong's test against MLstatkit's, which the project does not depend on: ``pip install MLstatkit`` to compare."""

from __future__ import annotations

import importlib
import time

import numpy as np

from abtest.stats.delong import Floats, delong
from benchmarks.timing import report, side_by_side


def main() -> None:
    """Measure both where theirs is installed; ours alone at sizes that theirs would take minutes for."""
    try:
        theirs = importlib.import_module("MLstatkit").Delong_test
    except ImportError:
        print("skipped the comparison: MLstatkit is not installed")
    else:
        for rows in (1_000, 10_000):
            columns = _scores(rows)
            found = delong(*columns)
            assert np.allclose(theirs(*columns)[:2], (found.statistic, found.pvalue), rtol=1e-9)  # noqa: S101 - a speed of something else says nothing
            ours, others = side_by_side(lambda c=columns: delong(*c), lambda c=columns: theirs(*c), rounds=5)  # type: ignore[misc] # mypy cannot type defaults
            report(f"DeLong's test, {rows:,} rows", ours, others, aim="at most 1/20 at 10,000 rows")
            print(f"MLstatkit takes {others / ours:,.0f} times as long")
    for rows in (100_000, 1_000_000):
        columns = _scores(rows)
        start = time.perf_counter()
        delong(*columns)
        print(f"DeLong's test, {rows:,} rows: {time.perf_counter() - start:.3f} s")


def _scores(rows: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows).astype(np.float64)
    return y, 0.8 * y + rng.normal(0, 1, rows), 1.2 * y + rng.normal(0, 1, rows)
