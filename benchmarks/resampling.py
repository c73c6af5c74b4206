"""What does one resample cost?

The effects in macro precision, recall and F1 of one resample, on one core. abtest draws tables of counts, exactly as
rows drawn with replacement would fill them. The loop is what a user writes in NumPy: it draws the rows, counts each
side's hits, predictions and truths by label, in the faster of two ways, and divides. Mistakes fall on every other class
alike, which makes as many cells as there can be. A time is that of many resamples, divided by how many.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest.evaluator.table import Draws, Plan, resample
from abtest.metrics.catalogue import resolve
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from benchmarks.data import columns
from benchmarks.measured import Aim, Measurement, Point, Rival
from benchmarks.spelling import count, rows_text
from benchmarks.timing import interleaved, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Codes

    Columns = tuple[Codes, Codes, Codes]
    Counting = Callable[[npt.NDArray[np.int64]], float]

LOOP = "a NumPy loop over rows"
ROWS, CLASSES = (10_000, 100_000, 1_000_000, 10_000_000), (2, 10, 100, 1_000)
_AIMS = {(1_000_000, 10): 1 / 100}
_FEWEST, _MOST = 64, 10_000  # resamples of ours a round
_CELLS_A_ROUND, _ROWS_A_ROUND = 40_000_000, 1_000_000


def main(*, quick: bool = False) -> None:
    """Measure rows by classes."""
    _check(columns(1_000, 10), 10)
    for classes in (2, 10) if quick else CLASSES:
        for rows in (1_000,) if quick else ROWS:
            record(_measured(rows, classes))


def _measured(rows: int, classes: int) -> Measurement:
    of = columns(rows, classes)
    table = _table(of, classes)
    many = min(_MOST, max(_FEWEST, _CELLS_A_ROUND // len(table.cells)))
    few = max(2, _ROWS_A_ROUND // rows)
    loop = partial(_loop, of, classes, few)
    found = interleaved({"ours": partial(_ours, table, many), LOOP: loop}, rounds=3)
    return Measurement(
        what=f"{rows_text(rows)}, {count(classes)} classes, {len(table.cells):,} cells",
        ours=tuple(seconds / many for seconds in found["ours"]),
        rivals=(Rival(name=LOOP, values=tuple(seconds / few for seconds in found[LOOP])),),
        aims=(Aim(at_most=_AIMS.get((rows, classes), 1.0), of=LOOP),),
        point=Point(question=f"How does a resample grow, at {count(classes)} classes?", along="rows", at=rows),
    )


def _check(of: Columns, classes: int) -> None:
    """Effects in macro F1 spread alike: of a thousand resamples within a tenth."""
    ours, theirs = _ours(_table(of, classes), 1_000).overall["f1"], _loop(of, classes, 1_000)
    np.testing.assert_allclose(np.std(ours), np.std(theirs), rtol=0.15)


def _ours(table: PairedOutcomes, resamples: int) -> Draws:
    policy = Policy()
    plan = Plan(
        policy=policy,
        metrics=resolve(policy.metrics, policy.costs),
        average="macro",
        positive=None,
        labels=table.labels,
        resamples=resamples,
        seed=0,
    )
    return resample(table, plan, None)


def _loop(of: Columns, classes: int, resamples: int) -> list[float]:
    rng, rows = np.random.default_rng(0), len(of[0])
    effect = (_by_fused_code if classes**3 <= rows else _by_column)(of, classes)
    return [effect(rng.integers(0, rows, rows)) for _ in range(resamples)]


def _by_fused_code(of: Columns, k: int) -> Counting:
    y, champion, challenger = of
    fused = (y * k + champion) * k + challenger

    def effect(drawn: npt.NDArray[np.int64]) -> float:
        counts = np.bincount(fused[drawn], minlength=k**3).reshape(k, k, k)
        first, second = (
            _f1(confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))
            for confusion in (counts.sum(axis=2), counts.sum(axis=1))
        )
        return second - first

    return effect


def _by_column(of: Columns, k: int) -> Counting:
    y, *sides = of
    right = [np.where(side == y, y, k) for side in sides]

    def effect(drawn: npt.NDArray[np.int64]) -> float:
        support = np.bincount(y[drawn], minlength=k)
        first, second = (
            _f1(np.bincount(hit[drawn], minlength=k + 1)[:k], np.bincount(side[drawn], minlength=k), support)
            for side, hit in zip(sides, right, strict=True)
        )
        return second - first

    return effect


def _f1(hits: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], support: npt.NDArray[np.int64]) -> float:
    """Macro precision, recall and F1; the last is returned."""
    _, _, f1 = (
        float(np.divide(hits, bottom, out=np.zeros(len(hits)), where=bottom > 0).mean())
        for bottom in (predicted, support, (predicted + support) / 2)
    )
    return f1


def _table(of: Columns, k: int) -> PairedOutcomes:
    y, champion, challenger = of
    codes, counts = np.unique((y * k + champion) * k + challenger, return_counts=True)
    cells = np.column_stack([codes // k**2, codes // k % k, codes % k, counts])
    return PairedOutcomes(labels=tuple(range(k)), cells=cells)
