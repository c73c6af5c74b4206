"""How does an evaluation grow with classes, segments and resamples?

From a table of counts to everything a report holds: each metric of both sides, each effect with its interval and its
test, overall, by class and by segment, with 10,000 resamples unless said otherwise. There is no rival with the same
result: pandas and scikit-learn stand beside it with both sides' values alone, without any interval or test.
Above 500 classes, precision and F1 have no interval by class.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from abtest.engines.predicted import tally_columns
from abtest.evaluator import RESAMPLES, evaluate
from abtest.policy import Policy
from benchmarks.data import columns
from benchmarks.measured import Point
from benchmarks.spelling import count, rows_text
from benchmarks.timing import compare, interleaved

if TYPE_CHECKING:
    import numpy.typing as npt

    from abtest.outcomes import PairedOutcomes

_LIBRARY = "scikit-learn, values alone"


def main(*, quick: bool = False) -> None:
    """Measure each along its own axis."""
    rows = 2_000 if quick else 100_000
    for classes in (2, 5) if quick else (2, 10, 100, 1_000, 10_000):
        y, *sides = of = columns(rows, classes)
        table = tally_columns(*of).table
        _measure(
            f"{rows_text(rows)}, {count(classes)} classes",
            table,
            partial(_values, y, sides),
            point=Point(question=f"How does an evaluation grow with classes, at {rows_text(rows)}?", along="classes", at=classes),
        )
    y, *sides = of = columns(rows, 10)
    rng = np.random.default_rng(1)
    for segments in (1, 3) if quick else (1, 10, 100, 1_000):
        shop = rng.integers(0, segments, rows)
        table = tally_columns(*of, segments={"shop": [f"shop {number}" for number in shop]}).table
        _measure(
            f"{rows_text(rows)}, 10 classes, {count(segments)} segments",
            table,
            partial(_values_by, y, sides, shop),
            point=Point(question=f"How does an evaluation grow with segments, at {rows_text(rows)}?", along="segments", at=segments),
        )
    table = tally_columns(*of).table
    for resamples in (100, 200) if quick else (100, 1_000, 10_000, 100_000):
        _measure(
            f"{rows_text(rows)}, 10 classes, {count(resamples)} resamples",
            table,
            None,
            resamples=resamples,
            point=Point(question="How does an evaluation grow with resamples?", along="resamples", at=resamples),
        )


def _measure(
    what: str, table: PairedOutcomes, values: partial[None] | None, *, point: Point, resamples: int = RESAMPLES
) -> None:
    ours = {"abtest": partial(evaluate, table, Policy(), resamples=resamples)}
    calls = {**ours, _LIBRARY: values} if values else ours
    compare(what, interleaved(calls, rounds=3, budget=10), point=point)


def _values(y: npt.NDArray[np.int64], sides: list[npt.NDArray[np.int64]]) -> None:
    """Both sides' values, overall and by class."""
    for said in sides:
        accuracy_score(y, said)
        precision_recall_fscore_support(y, said, average="macro", zero_division=0)
        precision_recall_fscore_support(y, said, average=None, zero_division=0)


def _values_by(
    y: npt.NDArray[np.int64], sides: list[npt.NDArray[np.int64]], shop: npt.NDArray[np.int64]
) -> None:
    """The same, and accuracy and macro averages of each segment."""
    _values(y, sides)
    for rows in pd.Series(np.arange(len(y))).groupby(shop).indices.values():
        for said in sides:
            accuracy_score(y[rows], said[rows])
            precision_recall_fscore_support(y[rows], said[rows], average="macro", zero_division=0)
