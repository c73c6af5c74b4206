"""Live traffic evaluated: values as offline, inference only where looking leaves it valid."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.evaluator import MetricRow, evaluate
from abtest.evaluator.looks import Path, Tuning
from abtest.evaluator.traffic import Arms, evaluate_arms, evaluate_pairs
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.stats.sequential import tuned
from tests.decision import COSTS, SEEDS, random_table
from tests.known import known

if TYPE_CHECKING:
    from abtest.labels import Label
    from abtest.metrics.classification import Average
    from abtest.outcomes import Counts

TUNING = Tuning(alpha=0.05, rollback_alpha=0.05, planned_n=1000)
POLICY = Policy(costs=COSTS)
INFERRED = {
    "ci_lower", "ci_upper", "ci_method", "test", "statistic", "pvalue", "pvalue_adjusted", "improvement_lower",
    "improvement_upper",
}  # fmt: skip


def grown(table: PairedOutcomes, looks: int, seed: int) -> Counts:
    """The table's rows by correctness, dealt out to looks at random."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((looks, len(table.labels), 4), dtype=np.int64)
    for y, a, b, n in table.cells.tolist():
        counts[:, y, 2 * (a != y) + (b != y)] += rng.multinomial(n, np.full(looks, 1 / looks))
    return counts.cumsum(axis=0)


def measured(row: MetricRow) -> dict[str, Any]:
    """A row without what is inferred."""
    return {field.name: getattr(row, field.name) for field in fields(row) if field.name not in INFERRED}


@given(seed=SEEDS, looks=st.integers(1, 5), average=st.sampled_from(["macro", "weighted"]))
def test_pairs_have_the_values_of_a_table(seed: int, looks: int, average: Average) -> None:
    """Every value, class and contingency is that of `evaluate`, however the rows came."""
    table = replace(random_table(seed), segments=())
    ours, path = evaluate_pairs(table, grown(table, looks, seed), POLICY, tuning=TUNING, average=average)
    theirs = evaluate(table, POLICY, resamples=100, average=average)
    assert [measured(row) for row in ours.metrics] == [measured(row) for row in theirs.metrics]
    assert [measured(row) for row in ours.per_class] == [measured(row) for row in theirs.per_class]
    assert (ours.contingency, ours.counted) == (theirs.contingency, theirs.counted)
    assert (path.now.n, path.now.effect) == (table.n, table.contingency().effect)


@given(seed=SEEDS)
def test_swapping_the_sides_negates_the_evidence(seed: int) -> None:
    """Swapped, effects and limits change sign, `better` and `worse` change places, and the two-sided p stays."""
    table = replace(random_table(seed), segments=())
    counts = grown(table, 3, seed)
    (one, first), (other, second) = (
        evaluate_pairs(outcomes, by_look, POLICY, tuning=TUNING)
        for outcomes, by_look in ((table, counts), (table.swapped(), counts[..., [0, 2, 1, 3]]))
    )
    assert first.better == pytest.approx(known(second.worse), abs=1e-9)
    for ours, theirs in zip((*one.metrics, *one.per_class), (*other.metrics, *other.per_class), strict=True):
        assert ours.effect == pytest.approx(-theirs.effect, abs=1e-12)
        assert (ours.pvalue is None) == (theirs.pvalue is None)
        assert (ours.pvalue or 0) == pytest.approx(theirs.pvalue or 0, rel=1e-9)
        if ours.ci_lower is not None:
            assert ours.ci_lower == pytest.approx(-known(theirs.ci_upper), abs=1e-12)


@given(seed=SEEDS, looks=st.integers(1, 6))
def test_one_more_look_keeps_what_was_found(seed: int, looks: int) -> None:
    """The evidence counts at its largest: looking in between makes no p-value larger."""
    table = replace(random_table(seed), segments=())
    counts = grown(table, looks, seed)
    often, once = (evaluate_pairs(table, it, POLICY, tuning=TUNING)[0].tested.pvalue for it in (counts, counts[-1:]))
    assert known(often) <= known(once) + 1e-12


@given(seed=SEEDS, other=SEEDS)
def test_each_arm_has_its_own_values(seed: int, other: int) -> None:
    """The champion's values are those of its own rows, whatever the challenger's are."""
    tables = [random_table(one) for one in (seed, other)]
    labels: tuple[Label, ...] = tuple(sorted({*tables[0].labels, *tables[1].labels}, key=str))
    own = [PairedOutcomes.from_counts(_alone(table, 1 + i), labels=labels) for i, table in enumerate(tables)]
    by_look = [np.stack([table.confusion("champion").diagonal(), table.truth_support], axis=-1)[None] for table in own]
    arms = Arms(champion=own[0], challenger=own[1], by_look=(by_look[0], by_look[1]))
    found, path = evaluate_arms(arms, POLICY, tuning=TUNING)
    for side, table in zip(("champion", "challenger"), own, strict=True):
        alone = evaluate(table, POLICY, resamples=100)
        assert [getattr(row, side) for row in found.metrics] == [getattr(row, side) for row in alone.metrics]
    assert found.tested.n == arms.n == known(path).now.n
    assert (found.contingency, found.mcnemar) == (None, None)


def _alone(table: PairedOutcomes, column: int) -> dict[tuple[Label, Label, Label], int]:
    counts: dict[tuple[Label, Label, Label], int] = {}
    for cell in table.cells.tolist():
        key = table.labels[cell[0]], table.labels[cell[column]], table.labels[cell[column]]
        counts[key] = counts.get(key, 0) + cell[3]
    return counts


def test_no_rows_are_refused() -> None:
    """Nothing can be evaluated before there is a row."""
    empty = PairedOutcomes.from_counts({})
    with pytest.raises(InvalidInputError, match="no labelled row"):
        evaluate_pairs(empty, np.zeros((1, 0, 4), dtype=np.int64), Policy(), tuning=TUNING)


def test_scores_are_skipped() -> None:
    """A metric of probabilities is not known of labels, and says so."""
    table = random_table(1)
    policy = Policy(metrics=("accuracy", "roc_auc"))
    found, _ = evaluate_pairs(replace(table, segments=()), grown(table, 1, 0), policy, tuning=TUNING)
    assert [entry.what for entry in found.skipped] == ["roc_auc"]
    assert "without scores" in found.why_not("roc_auc")


def test_the_mixture_is_tuned_by_the_plan() -> None:
    """The parameter is that for the planned discordant pairs at the verdict's level, and 1 without a plan."""
    assert Tuning(alpha=0.05, rollback_alpha=0.05).a == 1.0
    assert (
        Tuning(alpha=0.05, rollback_alpha=0.05, planned_discordant=100).a == tuned(100, 0.05) == pytest.approx(5.80028)
    )


def test_no_plan_makes_evidence_of_rounding() -> None:
    """With the most that may be planned, pairs that favour neither side are no evidence, and few are next to none."""
    tuning = Tuning(alpha=0.05, rollback_alpha=0.05, planned_discordant=1_000_000_000)
    counts = np.array([[0, 300, 300, 0], [0, 10_000, 10_000, 0], [0, 10_000, 10_030, 0]], dtype=np.int64)
    path = Path.of_pairs(counts, tuning.a)
    assert known(path.better) == pytest.approx([0.0, 0.0, 0.0], abs=0.01)


def test_evidence_that_underflows_is_still_a_number() -> None:
    """A side beyond hope has evidence that JSON can hold."""
    counts = np.array([[0, 100_000, 0, 0]], dtype=np.int64)
    path = Path.of_pairs(counts, 1.0)
    assert np.isfinite(known(path.better)).all()
    assert path.pvalue(TUNING) == 0.0


def test_every_field_of_a_row_is_measured_or_inferred() -> None:
    """The comparison above leaves out nothing but inference."""
    assert {field.name for field in fields(MetricRow)} >= INFERRED


def ever_convinced(path: Path) -> bool:
    """Whether at any look the p-value of that look, with what came before, was below the level."""
    steps = range(1, len(path.looked) + 1)
    if path.better is None or path.worse is None:
        return any((replace(path, looked=path.looked[:i]).pvalue(TUNING) or 1.0) < TUNING.alpha for i in steps)
    return any(
        known(Path(looked=path.looked[:i], better=path.better[:i], worse=path.worse[:i]).pvalue(TUNING)) < TUNING.alpha
        for i in steps
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["pairs", "arms"])
def test_looking_at_equal_sides_rarely_convinces(mode: str) -> None:
    """Looked at after every ten of 1,000 rows, equal sides are told apart at any look no more often than the level."""
    rng, runs, looks = np.random.default_rng(0), 600, 100
    found = 0
    for _ in range(runs):
        if mode == "pairs":
            counts = rng.multinomial(10, [0.7, 0.1, 0.1, 0.1], size=looks).cumsum(axis=0)
            found += ever_convinced(Path.of_pairs(counts, TUNING.a))
        else:
            n = rng.binomial(10, 0.5, looks)
            sides = [np.column_stack([rng.binomial(own, 0.8), own]).cumsum(axis=0) for own in (10 - n, n)]
            found += ever_convinced(Path.of_rates(sides[0], sides[1]))
    assert found / runs <= TUNING.alpha + 3 * np.sqrt(TUNING.alpha * (1 - TUNING.alpha) / runs)
