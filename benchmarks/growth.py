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
from abtest.wording import plural
from benchmarks.data import columns
from benchmarks.measured import Point
from benchmarks.spelling import count, rows_text
from benchmarks.timing import Calls, compare, interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from abtest.outcomes import PairedOutcomes

_LIBRARY = "scikit-learn, values alone"


def main(*, quick: bool = False) -> None:
    """Measure each along its own axis."""
    rows = 2_000 if quick else 100_000
    for classes in (2, 5) if quick else (2, 10, 100, 1_000, 10_000):
        y, *sides = of = columns(rows, classes)
        calls: Calls = {"abtest": _evaluated(tally_columns(*of).table), _LIBRARY: partial(_values, y, sides)}
        _measure("classes", classes, rows, f"{count(classes)} classes", calls)
    y, *sides = of = columns(rows, 10)
    rng = np.random.default_rng(1)
    for segments in (1, 3) if quick else (1, 10, 50, 200):
        shop = rng.integers(0, segments, rows)
        table = tally_columns(*of, segments={"shop": [f"shop {number}" for number in shop]}).table
        calls = {"abtest": _evaluated(table), _LIBRARY: partial(_values_by, y, sides, shop)}
        _measure("segments", segments, rows, f"10 classes, {plural(segments, 'segment')}", calls)
    table = tally_columns(*of).table
    for resamples in (100, 200) if quick else (100, 1_000, 10_000, 100_000):
        calls = {"abtest": _evaluated(table, resamples)}
        _measure("resamples", resamples, rows, f"10 classes, {count(resamples)} resamples", calls)


def _evaluated(table: PairedOutcomes, resamples: int = RESAMPLES) -> Callable[[], object]:
    return partial(evaluate, table, Policy(), resamples=resamples)


def _measure(along: str, at: int, rows: int, what: str, calls: Calls) -> None:
    question = f"How does an evaluation grow with {along}, at {rows_text(rows)}?"
    rounds = interleaved(calls, rounds=3, budget=10)
    compare(f"{rows_text(rows)}, {what}", rounds, point=Point(question=question, along=along, at=at))


def _values(y: npt.NDArray[np.int64], sides: list[npt.NDArray[np.int64]]) -> None:
    """Both sides' values, overall and by class."""
    for said in sides:
        accuracy_score(y, said)
        precision_recall_fscore_support(y, said, average="macro", zero_division=0)
        precision_recall_fscore_support(y, said, average=None, zero_division=0)


def _values_by(y: npt.NDArray[np.int64], sides: list[npt.NDArray[np.int64]], shop: npt.NDArray[np.int64]) -> None:
    """The same, and accuracy and macro averages of each segment."""
    _values(y, sides)
    for rows in pd.Series(np.arange(len(y))).groupby(shop).indices.values():
        for said in sides:
            accuracy_score(y[rows], said[rows])
            precision_recall_fscore_support(y[rows], said[rows], average="macro", zero_division=0)
