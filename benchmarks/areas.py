"""Two areas and DeLong's test against scikit-learn's two areas without a test, and against MLstatkit's test.

MLstatkit is not among our dependencies: ``pip install MLstatkit`` to compare. Times are of the processor, by turns.
"""

from __future__ import annotations

import importlib
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
from scipy import special
from sklearn.metrics import roc_auc_score

from abtest.stats.delong import delong
from abtest.stats.histograms import JointHistogram, binned_delong
from benchmarks.timing import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.stats.placements import Floats

_KINDS: dict[str, Callable[[Floats], Floats]] = {
    "decision scores": lambda scores: scores,
    "probabilities": special.expit,
    "probabilities of two decimals": lambda scores: special.expit(scores).round(2),
    "in single precision": lambda scores: special.expit(scores).astype(np.float32),
}


def main() -> None:
    """Measure at 10⁵ to 10⁷ rows; each answer is checked against theirs first."""
    for rows, rounds in ((100_000, 7), (1_000_000, 5), (10_000_000, 2)):
        truth, *scores = _scores(rows)
        for kind, made in _KINDS.items():
            _against_scikit_learn(f"{kind}, {rows:,} rows", truth, *(made(side) for side in scores), rounds=rounds)
        _beyond(truth, *(special.expit(side) for side in scores))
    _against_mlstatkit()


def _against_scikit_learn(what: str, truth: Floats, champion: Floats, challenger: Floats, *, rounds: int) -> None:
    def theirs() -> tuple[float, float]:
        return roc_auc_score(truth, champion), roc_auc_score(truth, challenger)

    found = delong(truth, champion, challenger)
    assert np.allclose(theirs(), (found.champion, found.challenger), rtol=1e-9)  # noqa: S101 - a speed of something else says nothing
    ours, others = _by_turns(lambda: delong(truth, champion, challenger), theirs, rounds=rounds)
    report(f"DeLong's test, {what}", ours, others, aim="at most 1/3 of scikit-learn's two areas")


def _beyond(truth: Floats, champion: Floats, challenger: Floats) -> None:
    exact = delong(truth, champion, challenger)
    start = time.process_time()
    found = binned_delong([JointHistogram.of(truth, champion, challenger)])
    seconds = time.process_time() - start
    print(
        f"in bins, {truth.size:,} rows: {seconds:.3f} s, the effect within {found.error_bound:.1e}, "
        f"its standard error {found.standard_error / exact.standard_error:.3f} times DeLong's",
        flush=True,
    )


def _against_mlstatkit() -> None:
    try:
        theirs = importlib.import_module("MLstatkit").Delong_test
    except ImportError:
        print("skipped the comparison: MLstatkit is not installed")
        return
    for rows in (1_000, 10_000):
        columns = _scores(rows)
        found = delong(*columns)
        assert np.allclose(theirs(*columns)[:2], (found.statistic, found.pvalue), rtol=1e-9)  # noqa: S101 - a speed of something else says nothing
        ours, others = _by_turns(lambda c=columns: delong(*c), lambda c=columns: theirs(*c), rounds=5)  # type: ignore[misc] # mypy cannot type defaults
        report(f"DeLong's test, {rows:,} rows", ours, others, aim="at most 1/20 of MLstatkit's at 10,000 rows")


def _by_turns(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """Median seconds of the processor, each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, call in zip(seconds, (ours, theirs), strict=True):
            start = time.process_time()
            call()
            side.append(time.process_time() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _scores(rows: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.3).astype(np.float64)
    return y, 0.8 * y + rng.normal(0, 1, rows), 1.2 * y + rng.normal(0, 1, rows)
