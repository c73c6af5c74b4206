"""One table resampled: on any number of cores, in blocks, at ten thousand classes."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given

from abtest.evaluator import evaluate
from abtest.evaluator.table import Plan, class_columns, overall_rows, resample
from abtest.metrics.catalogue import resolve
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from tests.strategies import paired_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.evaluator.table import Draws

TABLES = paired_outcomes().filter(lambda table: table.n > 0)


def of_classes(k: int, rows: int, seed: int = 0) -> PairedOutcomes:
    """Two sides that are right nine times in ten, and else say any class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, rows)
    sides = [np.where(rng.random(rows) < 0.9, y, rng.integers(0, k, rows)) for _ in range(2)]
    cells, counts = np.unique(np.column_stack([y, *sides]), axis=0, return_counts=True)
    return PairedOutcomes(labels=tuple(range(k)), cells=np.column_stack([cells, counts]))


def plan(table: PairedOutcomes, resamples: int, policy: Policy | None = None) -> Plan:
    """The usual metrics."""
    policy = policy or Policy()
    return Plan(
        policy=policy,
        metrics=resolve(policy.metrics, policy.costs),
        average="macro",
        positive=None,
        labels=table.labels,
        resamples=resamples,
        seed=0,
    )


def drawn(
    table: PairedOutcomes, resamples: int, *, threads: int = 1, progress: Callable[[int], None] = lambda _drawn: None
) -> Draws:
    """All effects, by class too."""
    return resample(table, plan(table, resamples), None, by_class=True, threads=threads, progress=progress)


def test_threads_change_no_number() -> None:
    """Blocks drawn by one thread or by three are the same, in the same order, to the last bit."""
    table = of_classes(100, 30_000)
    one, three = drawn(table, 700), drawn(table, 700, threads=3)
    for ours, theirs in ((one.overall, three.overall), (one.by_class, three.by_class)):
        assert list(ours) == list(theirs)
        for name, effects in ours.items():
            assert len(effects) == 700
            assert np.array_equal(effects, theirs[name])
    assert np.unique(one.overall["f1"]).size > 690  # no block is drawn twice


def test_swapping_the_sides_of_many_blocks_negates_every_effect() -> None:
    """Also of a table whose cells are drawn in every way, in blocks and threads."""
    table = of_classes(60, 30_000)
    ours, theirs = drawn(table, 600, threads=2), drawn(table.swapped(), 600)
    for name, effects in ours.overall.items():
        assert np.array_equal(effects, -theirs.overall[name])
    for name, effects in ours.by_class.items():
        assert np.array_equal(effects, -theirs.by_class[name])


def test_draws_have_the_spread_of_resampled_rows() -> None:
    """Resampled macro F1 spreads around its value as rows drawn one by one and counted by hand do."""
    table, draws = of_classes(12, 2_000), 2_000
    rng = np.random.default_rng(7)
    y, a, b = (np.repeat(table.cells[:, column], table.counts) for column in range(3))
    by_hand = []
    for _ in range(draws):
        rows = rng.integers(0, table.n, table.n)
        truth, values = y[rows], []
        for said in (a[rows], b[rows]):
            hits = np.bincount(truth[said == truth], minlength=12)
            values.append(np.mean(2 * hits / (np.bincount(truth, minlength=12) + np.bincount(said, minlength=12))))
        by_hand.append(values[1] - values[0])
    ours = drawn(table, draws).overall["f1"]
    assert ours.mean() == pytest.approx(np.mean(by_hand), abs=5 * np.std(by_hand) * np.sqrt(2 / draws))
    assert ours.std() == pytest.approx(np.std(by_hand), rel=5 / np.sqrt(draws))


def test_progress_ends_with_all_draws() -> None:
    """Progress counts up, block by block, to the number of resamples."""
    told: list[int] = []
    drawn(of_classes(100, 30_000), 500, threads=2, progress=told.append)
    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == 500


def test_who_stops_waiting_stops() -> None:
    """An error in progress comes out, after the first block and not after all."""

    def stop(_drawn: int) -> None:
        told.append(_drawn)
        raise KeyboardInterrupt

    told: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        drawn(of_classes(100, 30_000), 500, progress=stop)
    assert len(told) == 1


@given(TABLES)
def test_recall_by_class_is_accuracy_of_its_rows(table: PairedOutcomes) -> None:
    """The recall of a class has the test and interval that accuracy has on the rows of that class alone."""
    policy = Policy(metrics=("accuracy", "recall"))
    of = plan(table, 100, policy)
    draws = resample(table, of, None)
    [column] = class_columns(table, of, draws, None)
    for i, row in enumerate(column):
        cells = table.cells[table.cells[:, 0] == i]
        if not len(cells):
            assert row.test == "none"
            continue
        accuracy, _ = overall_rows(alone := PairedOutcomes(labels=table.labels, cells=cells), of, draws, None)
        assert (row.n, row.pvalue, row.statistic) == (alone.n, accuracy.pvalue, accuracy.statistic)
        assert (row.ci_lower, row.ci_upper, row.effect) == (accuracy.ci_lower, accuracy.ci_upper, accuracy.effect)


def test_ten_thousand_classes() -> None:
    """They take memory by the label and by the cell, and never by pairs of labels, of which there are 10^8."""
    table = of_classes(10_000, 60_000)
    tracemalloc.start()
    try:
        drawn(table, 100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20
    evaluation = evaluate(table, Policy(), resamples=100)
    assert len(evaluation.per_class) == 3 * len(table.labels)
    assert evaluation.metric("f1").ci_lower is not None
    assert "10,000 classes are more than" in evaluation.skipped[0].why
