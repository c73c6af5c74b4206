"""Paired bootstrap of a table of counts, against a NumPy loop over resampled rows: time a resample, on one core."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.evaluator.table import Plan, resample
from abtest.metrics.catalogue import resolve
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from benchmarks.timing import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Columns: TypeAlias = tuple[npt.NDArray[np.int64], ...]

ROWS, CLASSES, ROUNDS = (10_000, 100_000, 1_000_000, 10_000_000), (2, 10, 100, 1_000), 3
_AT_LEAST, _AT_MOST = 64, 10_000  # resamples of ours a round
_CELLS_A_ROUND, _ROWS_A_ROUND = 40_000_000, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One size: seconds a resample of accuracy and macro precision, recall and F1 of both sides."""

    rows: int
    classes: int
    cells: int
    ours: float
    row_loop: float

    @property
    def ratio(self) -> float:
        """How many times as long the loop over rows takes."""
        return self.row_loop / self.ours


def main() -> None:
    """Two sides of about 90 %, whose mistakes fall on every other class alike: as many cells as there can be."""
    for found in measured(ROWS, CLASSES):
        print(
            f"{found.rows:,} rows, {found.classes:,} classes, {found.cells:,} cells: {found.ours * 1e6:,.1f} µs a "
            f"resample against {found.row_loop * 1e6:,.1f} µs, the row loop takes {found.ratio:,.0f} times as long",
            flush=True,
        )


def measured(rows: tuple[int, ...], classes: tuple[int, ...]) -> Iterator[Measured]:
    """Measure every size, ours and the loop by turns."""
    for k in classes:
        for n in rows:
            columns = _columns(n, k)
            table = _table(columns, k)
            many = min(_AT_MOST, max(_AT_LEAST, _CELLS_A_ROUND // len(table.cells)))
            few = max(2, _ROWS_A_ROUND // n)
            ours, theirs = side_by_side(
                partial(resample, table, _plan(table, many), None), _row_loop(columns, k, few), rounds=ROUNDS
            )
            yield Measured(rows=n, classes=k, cells=len(table.cells), ours=ours / many, row_loop=theirs / few)


def _row_loop(columns: Columns, k: int, resamples: int) -> Callable[[], None]:
    """What a user would write: draw rows, count them by label, divide; with whichever counting is the faster."""
    y, *sides = columns
    rng = np.random.default_rng(0)
    fused = (y * k + sides[0]) * k + sides[1]
    right = [np.where(side == y, y, k) for side in sides]

    def by_fused_code(drawn: npt.NDArray[np.int64]) -> None:
        counts = np.bincount(fused[drawn], minlength=k**3).reshape(k, k, k)
        for confusion in (counts.sum(axis=2), counts.sum(axis=1)):
            _metrics(confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))

    def by_column(drawn: npt.NDArray[np.int64]) -> None:
        support = np.bincount(y[drawn], minlength=k)
        for side, hit in zip(sides, right, strict=True):
            hits, predicted = np.bincount(hit[drawn], minlength=k + 1)[:k], np.bincount(side[drawn], minlength=k)
            _metrics(hits, predicted, support)

    count = by_fused_code if k**3 <= len(y) else by_column

    def loop() -> None:
        for _ in range(resamples):
            count(rng.integers(0, len(y), len(y)))

    return loop


def _metrics(hits: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], support: npt.NDArray[np.int64]) -> None:
    hits.sum() / support.sum()
    for bottom in (predicted, support, (predicted + support) / 2):
        np.divide(hits, bottom, out=np.zeros(len(hits)), where=bottom > 0).mean()


def _columns(rows: int, k: int) -> Columns:
    rng = np.random.default_rng(0)
    y, hard = rng.integers(0, k, rows), rng.random(rows)
    own = np.where(rng.random(rows) < 0.7, hard, rng.random(rows))
    wrong = [(y + 1 + rng.integers(0, k - 1, rows)) % k for _ in range(2)]
    return y, np.where(hard < 0.9, y, wrong[0]), np.where(own < 0.91, y, wrong[1])


def _table(columns: Columns, k: int) -> PairedOutcomes:
    y, champion, challenger = columns
    codes, counts = np.unique((y * k + champion) * k + challenger, return_counts=True)
    cells = np.column_stack([codes // k**2, codes // k % k, codes % k, counts])
    return PairedOutcomes(labels=tuple(range(k)), cells=cells)


def _plan(table: PairedOutcomes, resamples: int) -> Plan:
    policy = Policy()
    metrics = resolve(policy.metrics, policy.costs)
    return Plan(
        policy=policy,
        metrics=metrics,
        average="macro",
        positive=None,
        labels=table.labels,
        resamples=resamples,
        seed=0,
    )
