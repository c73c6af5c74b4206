"""Does the kind of score matter to DeLong's test, and what do bins lose?

The same two columns of scores as decision scores, as probabilities, of two decimals and in single precision, beside
scikit-learn's two AUCs, which are no test. Then in bins, as beyond what is kept: beside the exact test.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import special
from sklearn.metrics import roc_auc_score

from abtest.stats.delong import delong
from abtest.stats.histograms import JointHistogram, binned_delong
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim
from benchmarks.spelling import rows_text
from benchmarks.timing import Calls, compare, interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.stats.placements import Floats

_AUCS = "scikit-learn, no test"
_KINDS: dict[str, Callable[[Floats], Floats]] = {
    "decision scores": lambda scores: scores,
    "probabilities": special.expit,
    "probabilities of two decimals": lambda scores: special.expit(scores).round(2),
    "single precision": lambda scores: special.expit(scores).astype(np.float32),
}


def main(*, quick: bool = False) -> None:
    """Measure at up to 10⁷ rows; every answer is compared with theirs first."""
    for rows in (1_000,) if quick else (100_000, 1_000_000, 10_000_000):
        truth, champion, challenger = _scores(rows)
        for kind, made in _KINDS.items():
            _of_a_kind(f"{rows_text(rows)}, {kind}", truth, made(champion), made(challenger))
        _in_bins(rows_text(rows), truth, special.expit(champion), special.expit(challenger))


def _of_a_kind(what: str, truth: Floats, champion: Floats, challenger: Floats) -> None:
    def theirs() -> list[float]:
        return [roc_auc_score(truth, side) for side in (champion, challenger)]

    found = delong(truth, champion, challenger)
    must_agree((found.champion, found.challenger), theirs(), within=1e-9)
    calls: Calls = {"abtest": partial(delong, truth, champion, challenger), _AUCS: theirs}
    compare(what, interleaved(calls, rounds=5), aims=(Aim(at_most=1 / 3, of=_AUCS),))


def _in_bins(what: str, truth: Floats, champion: Floats, challenger: Floats) -> None:
    def binned() -> object:
        return binned_delong([JointHistogram.of(truth, champion, challenger)])

    exact = delong(truth, champion, challenger)
    found = binned_delong([JointHistogram.of(truth, champion, challenger)])
    note = (
        f"the effect within {found.error_bound:.1e}, "
        f"its standard error {found.standard_error / exact.standard_error:.3f} times the exact one"
    )
    calls: Calls = {"abtest, in bins": binned, "abtest, exact": partial(delong, truth, champion, challenger)}
    compare(f"{what}, in bins", interleaved(calls, rounds=5), note=note)


def _scores(rows: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.3).astype(np.float64)
    return y, 0.8 * y + rng.normal(0, 1, rows), 1.2 * y + rng.normal(0, 1, rows)
