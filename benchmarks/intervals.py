"""What do intervals cost?

Both sides' accuracy and macro F1, and the effect with its interval, for columns of ten classes. abtest counts the
columns and evaluates them: every metric, overall and by class, each effect with its interval and its test. SciPy's
bootstrap resamples rows in pairs, for the effect in macro F1 alone, which is computed by scikit-learn, or by NumPy from
a confusion matrix. confidenceinterval gives macro F1 of each side an interval of its own, and no effect. What takes
longer than a user would wait is measured with fewer resamples, and said so; nothing is scaled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from sklearn.metrics import f1_score

from abtest.evaluator import RESAMPLES, Evaluation, evaluate
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from benchmarks.data import columns
from benchmarks.measured import Point
from benchmarks.spelling import count, rows_text
from benchmarks.timing import compare, interleaved, library, not_installed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Columns = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]

CLASSES = 10
_QUESTION = "How do intervals grow with resamples, at 10⁵ rows?"
_WAITED = 200  # resamples of rows that a user waits for


def main(*, quick: bool = False) -> None:
    """Measure the same number of resamples, then ours at the default."""
    rows, resamples = (500, (100,)) if quick else (100_000, (100, 1_000, RESAMPLES, 100_000))
    of = columns(rows, CLASSES)
    _check(of)
    for number in resamples:
        calls: dict[str, Callable[[], object]] = {"abtest": partial(_ours, of, number)}
        if number <= _WAITED:
            calls["SciPy's bootstrap of scikit-learn's F1"] = partial(_scipy, of, number, _by_scikit_learn)
        if number <= 5 * _WAITED:
            calls["SciPy's bootstrap of NumPy's F1"] = partial(_scipy, of, number, _by_numpy)
        package = library("confidenceinterval")
        if number <= _WAITED and package:
            calls["confidenceinterval"] = partial(_confidenceinterval, package, of, number)
        compare(
            f"{rows_text(rows)}, {CLASSES} classes, {count(number)} resamples",
            interleaved(calls, rounds=3),
            missing=() if package else not_installed("confidenceinterval"),
            point=Point(question=_QUESTION, along="resamples", at=number),
        )


def _check(of: Columns) -> None:
    """Both intervals of the effect in macro F1 have about the same ends."""
    row = _ours(of, 1000).metric("f1")
    ends = _scipy(of, 1000, _by_numpy)
    assert row.ci_lower is not None  # noqa: S101 - for mypy
    assert row.ci_upper is not None  # noqa: S101 - for mypy
    np.testing.assert_allclose((row.ci_lower, row.ci_upper), ends, atol=0.2 * (row.ci_upper - row.ci_lower))


def _ours(of: Columns, resamples: int) -> Evaluation:
    return evaluate(PairedOutcomes.from_predictions(*of), Policy(), resamples=resamples)


def _scipy(of: Columns, resamples: int, macro_f1: Callable[..., float]) -> tuple[float, float]:
    def effect(y: npt.NDArray[np.int64], a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> float:
        return macro_f1(y, b) - macro_f1(y, a)

    found = stats.bootstrap(
        of, effect, n_resamples=resamples, paired=True, vectorized=False, method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def _by_scikit_learn(y: npt.NDArray[np.int64], said: npt.NDArray[np.int64]) -> float:
    return float(f1_score(y, said, average="macro", zero_division=0))


def _by_numpy(y: npt.NDArray[np.int64], said: npt.NDArray[np.int64]) -> float:
    matrix = np.bincount(y * CLASSES + said, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    return float(np.mean(2 * np.diag(matrix) / (matrix.sum(axis=0) + matrix.sum(axis=1))))


def _confidenceinterval(package: Any, of: Columns, resamples: int) -> list[Any]:  # noqa: ANN401 - it ships no types
    y, *sides = of
    return [
        package.f1_score(y, said, average="macro", method="bootstrap_percentile", n_resamples=resamples)
        for said in sides
    ]
