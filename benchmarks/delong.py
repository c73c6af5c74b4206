"""How fast is DeLong's test?

Two AUCs on the same rows, and whether they differ, from labels and two columns of scores: beside MLstatkit's test, and
beside scikit-learn's two AUCs, which are no test.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import roc_auc_score

from abtest.stats.delong import delong
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim, Point
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved, library, not_installed

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.stats.placements import Floats

_MOST_OF_THEIRS = 10_000  # rows: beyond, MLstatkit takes minutes
_AUCS = "scikit-learn, no test"


def main(*, quick: bool = False) -> None:
    """Measure growth in rows, theirs as far as a user would wait."""
    package = library("MLstatkit")
    for rows in (100, 1_000) if quick else (1_000, 10_000, 100_000, 1_000_000, 10_000_000):
        y, champion, challenger = scores = _scores(rows)
        calls: dict[str, Callable[[], object]] = {
            "abtest": partial(delong, *scores),
            _AUCS: lambda y=y, sides=(champion, challenger): [roc_auc_score(y, side) for side in sides],  # type: ignore[misc] # mypy cannot type defaults
        }
        found = delong(*scores)
        areas = [roc_auc_score(y, side) for side in (champion, challenger)]
        must_agree((found.champion, found.challenger), areas, within=1e-9)
        aims = [Aim(at_most=1 / 3, of=_AUCS)] if rows == 10_000_000 else []
        if package is not None and rows <= _MOST_OF_THEIRS:
            calls["MLstatkit"] = partial(package.Delong_test, *scores)
            must_agree(package.Delong_test(*scores)[:2], (found.statistic, found.pvalue), within=1e-9)
            aims += [Aim(at_most=1 / 20, of="MLstatkit")] if rows == _MOST_OF_THEIRS else []
        compare(
            f"{rows_text(rows)}, two AUCs and their test",
            interleaved(calls, rounds=5),
            missing=() if package else not_installed("MLstatkit"),
            aims=tuple(aims),
            point=Point(question="How does DeLong's test grow with rows?", along="rows", at=rows),
        )


def _scores(rows: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows).astype(np.float64)
    return y, 0.8 * y + rng.normal(0, 1, rows), 1.2 * y + rng.normal(0, 1, rows)
