"""What the log counts, tallied: the tables and arms of the rows themselves, whatever periods they came in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import NO_PREDICTION
from abtest.live.analysis.tallying import (
    champion_right,
    looks_of,
    squared_differences,
    squared_errors,
    tally_arm_errors,
    tally_arms,
    tally_paired_errors,
    tally_pairs,
)
from abtest.live.log import ArmGroup, DropGroup, PairGroup
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

BUCKETS = 7
RMSE = Policy().for_task("regression")


@st.composite
def pair_groups(draw: st.DrawFn, *, failures: bool = False) -> list[PairGroup]:
    """Groups of pairs with labels of one type."""
    label = st.sampled_from(draw(st.sampled_from([(0, 1, 2), ("a", "b"), (False, True)])))
    said = label | st.none() if failures else label
    return draw(
        st.lists(
            st.builds(
                PairGroup, bucket=st.integers(0, BUCKETS - 1), label=label, champion=said, challenger=said,
                n=st.integers(1, 50),
            ),
            min_size=1, max_size=20,
        )
    )  # fmt: skip


def arms_of(groups: Sequence[PairGroup]) -> list[ArmGroup]:
    """The same rows, each served by the side that its place in the list tells."""
    return [
        ArmGroup(bucket=g.bucket, arm="challenger", label=g.label, prediction=g.challenger, n=g.n)
        if i % 2
        else ArmGroup(bucket=g.bucket, arm="champion", label=g.label, prediction=g.champion, n=g.n)
        for i, g in enumerate(groups)
    ]


@given(pair_groups(failures=True))
def test_pairs_are_the_table_of_their_rows(groups: list[PairGroup]) -> None:
    """The table is that of the rows, a failed prediction being a label of its own where there is one."""
    failed = any(None in (g.champion, g.challenger) for g in groups)

    def spelled(value: Any) -> Any:
        return (NO_PREDICTION if value is None else str(value)) if failed else value

    rows = [(spelled(g.label), spelled(g.champion), spelled(g.challenger)) for g in groups for _ in range(g.n)]
    tallied = tally_pairs(groups, looks_of(groups, BUCKETS))
    assert tallied.outcomes == PairedOutcomes.from_counts(Counter(rows))
    assert any("failed: they count as wrong" in notice for notice in tallied.notices) == failed


@given(pair_groups(failures=True))
def test_looks_grow_to_the_whole(groups: list[PairGroup]) -> None:
    """By each look the counts are those of the groups known by then; by the last one those of the contingency."""
    looks = looks_of(groups, BUCKETS)
    tallied = tally_pairs(groups, looks)
    assert looks[-1] == BUCKETS - 1
    for i, bucket in enumerate(looks):
        assert tallied.by_look[i].sum() == sum(g.n for g in groups if g.bucket <= bucket)
    table = tallied.outcomes.contingency()
    assert tallied.by_look[-1].sum(axis=0).tolist() == [
        table.both, table.champion_only, table.challenger_only, table.neither,
    ]  # fmt: skip
    for i, own in enumerate(tallied.outcomes.contingencies()):
        assert tallied.by_look[-1, i].sum() == own.n


@given(pair_groups(failures=True))
def test_the_order_of_groups_is_irrelevant(groups: list[PairGroup]) -> None:
    """Groups in any order tally to the same."""
    looks = looks_of(groups, BUCKETS)
    one, other = tally_pairs(groups, looks), tally_pairs(groups[::-1], looks)
    assert one.outcomes == other.outcomes
    assert np.array_equal(one.by_look, other.by_look)
    assert one.pos_label == other.pos_label


@given(pair_groups(failures=True))
def test_arms_are_the_rows_that_each_served(groups: list[PairGroup]) -> None:
    """Each arm counts its own rows, right ones and all, over labels that both share."""
    rows = arms_of(groups)
    arms = tally_arms(rows, looks_of(rows, BUCKETS)).arms
    assert arms.champion.labels == arms.challenger.labels
    for side, table, by_look in zip(
        ("champion", "challenger"), (arms.champion, arms.challenger), arms.by_look, strict=True
    ):
        own = [g for g in rows if g.arm == side]
        right = sum(g.n for g in own if g.prediction == g.label)
        assert table.n == sum(g.n for g in own)
        assert by_look[-1].sum(axis=0).tolist() == [right, table.n]
        assert table.contingency().both == right


def test_one_and_true_are_two() -> None:
    """JSON tells 1, 1.0, "1" and true apart; what cannot be one type is refused by name."""
    ones = [PairGroup(bucket=0, label=label, champion=1, challenger=1, n=1) for label in (1, 1.0, "1")]
    assert tally_pairs(ones, [0]).outcomes.contingency().both == 3
    text = [PairGroup(bucket=0, label="cat", champion=1, challenger=2, n=1)]
    with pytest.raises(LabelMismatchError, match="cat"):
        tally_pairs(text, [0])


def test_a_side_of_other_classes_is_named() -> None:
    """A side that never predicts a class of the truth is all wrong, and that is said; it is not refused."""
    groups = [PairGroup(bucket=0, label="cat", champion="cat", challenger="CAT", n=9)]
    tallied = tally_pairs(groups, [0])
    assert tallied.outcomes.contingency().champion_only == 9
    assert tallied.notices == ("The challenger never predicts a class of the truth ('CAT' vs 'cat').",)


def test_numbers_are_summed_by_look() -> None:
    """Differences and squares of a regression are NumPy's on the rows known by each look; failures are left out."""
    rng = np.random.default_rng(0)
    groups = [
        PairGroup(bucket=i % BUCKETS, label=y, champion=a, challenger=None if i == 5 else b, n=1 + i % 3)
        for i, (y, a, b) in enumerate(rng.normal(size=(60, 3)).tolist())
    ]
    looks = looks_of(groups, BUCKETS)
    kept = [g for g in groups if g.challenger is not None]
    errors, differences, notices = tally_paired_errors(groups, looks, RMSE)
    assert errors.n == sum(g.n for g in kept)
    assert notices == ("3 rows whose prediction failed are left out of the errors.",)
    assert squared_differences(groups, looks) == differences
    for i, bucket in enumerate(looks):
        own = np.array([
            (g.challenger - g.label) ** 2 - (g.champion - g.label) ** 2  # type: ignore[operator] # numbers
            for g in kept for _ in range(g.n) if g.bucket <= bucket
        ])  # fmt: skip
        assert differences[i].n == own.size
        assert differences[i].mean == pytest.approx(own.mean())
        assert differences[i].variance == pytest.approx(own.var(ddof=1))
    champion, challenger, _ = tally_arm_errors(arms_of(groups), looks, RMSE)
    assert champion.squared[-1].n + challenger.squared[-1].n == errors.n
    assert champion.outcomes.value("rmse", "champion") == pytest.approx(np.sqrt(champion.squared[-1].mean))


def test_what_is_no_number_is_refused() -> None:
    """A regression takes numbers, of text too, and nothing else."""
    groups = [PairGroup(bucket=0, label="1.5", champion=1.0, challenger=2.0, n=1)]
    assert squared_differences(groups, [0])[0].mean == 0.0
    bad = [PairGroup(bucket=0, label="cheap", champion=1.0, challenger=2.0, n=1)]
    with pytest.raises(InvalidInputError, match=r"label must be a number in a regression, got 'cheap'\."):
        squared_differences(bad, [0])


def test_the_champion_is_counted_where_the_shadow_was_dropped() -> None:
    """Rows are told apart by whether there is a pair; a failed champion is wrong, and has no error."""
    groups = [
        DropGroup(dropped=False, label=1, champion=1, n=5),
        DropGroup(dropped=False, label=1, champion=0, n=2),
        DropGroup(dropped=True, label="1", champion=1, n=3),
        DropGroup(dropped=True, label=0, champion=None, n=4),
    ]
    assert champion_right(groups) == ((5, 7), (3, 7))
    assert squared_errors(groups[:2]).mean == pytest.approx(2 / 7)
    assert squared_errors(groups[3:]).n == 0
