"""What do segments cost, and what do rows?

Every metric, test and interval from ten thousand resamples: of twenty segments beside none, and of the same table of
counts at ten thousand rows and at a hundred million.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from abtest.engines.predicted import tally_columns
from abtest.evaluator import evaluate
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from benchmarks.timing import report, side_by_side

CLASSES, SEGMENTS = 10, 20


def main(*, quick: bool = False) -> None:
    """Ten classes, ten thousand resamples; mistakes fall on a few neighbours of each class, or on all of them."""
    rounds = 1 if quick else 3
    for rows, kinds in ((10_000, 9),) if quick else ((10_000, 9), (100_000, 2), (100_000, 9)):
        whole, parts = _table(rows, kinds, segments=False), _table(rows, kinds, segments=True)
        ours, without = side_by_side(
            partial(evaluate, parts, Policy()), partial(evaluate, whole, Policy()), rounds=rounds
        )
        cells = f"{len(whole.cells)} cells"
        report(
            f"{SEGMENTS} segments, {rows:,} rows, {cells}, against none",
            ours,
            without,
            aim="at most 3",
            rival="abtest, no segments",
        )
    few = _table(10_000, 2, segments=False)
    for factor in (100, 10_000):
        many = PairedOutcomes.from_counts({key: factor * count for key, count in few.to_counts().items()})
        ours, theirs = side_by_side(partial(evaluate, many, Policy()), partial(evaluate, few, Policy()), rounds=rounds)
        report(
            f"the same {len(few.cells)} cells, {many.n:,} rows, against {few.n:,}",
            ours,
            theirs,
            aim="at most 1.1",
            rival="abtest, fewer rows",
        )


def _table(rows: int, kinds: int, *, segments: bool) -> PairedOutcomes:
    """Two sides of about 90 % that mistake each class for ``kinds`` others."""
    rng = np.random.default_rng(0)
    y, hard = rng.integers(0, CLASSES, rows), rng.random(rows)
    own = np.where(rng.random(rows) < 0.7, hard, rng.random(rows))
    wrong = [(y + 1 + rng.integers(0, kinds, rows)) % CLASSES for _ in range(2)]
    champion, challenger = np.where(hard < 0.9, y, wrong[0]), np.where(own < 0.91, y, wrong[1])
    names = np.array([f"shop {i}" for i in range(SEGMENTS)])
    told_apart = {"shop": names[rng.integers(0, SEGMENTS, rows)]} if segments else None
    return tally_columns(y, champion, challenger, segments=told_apart).table
