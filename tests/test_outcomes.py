"""The table of counts holds all that rows hold, adds up, and refuses what it cannot hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix

from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import SIDES
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.tally import Tally
from tests.strategies import Columns, as_arrays, contingencies, label_columns, paired_outcomes, swapped, vocabularies

if TYPE_CHECKING:
    from abtest.labels import Label

TWO_HALVES = vocabularies().flatmap(lambda labels: st.tuples(label_columns(labels), label_columns(labels)))


def looped(columns: Columns, label: Label | None = None) -> Contingency:
    """Tally correctness row by row."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for y, a, b in zip(*columns, strict=True):
        if label is None or y == label:
            counts[a == y, b == y] += 1
    return Contingency(
        both=counts[True, True],
        champion_only=counts[True, False],
        challenger_only=counts[False, True],
        neither=counts[False, False],
    )


@given(label_columns())
def test_contingency_is_a_loop_over_rows(columns: Columns) -> None:
    """Contingency tables, of all rows and of each class's, are what a loop over rows counts."""
    outcomes = PairedOutcomes.from_predictions(*columns)
    assert outcomes.contingency() == looped(columns)
    for label in outcomes.labels:
        assert outcomes.contingency(label) == looped(columns, label)
    assert outcomes.contingencies() == tuple(looped(columns, label) for label in outcomes.labels)
    assert outcomes.n == outcomes.contingency().n == len(columns[0])


@pytest.mark.filterwarnings("ignore:A single label:UserWarning")  # scikit-learn asks for labels=, which it has
@given(label_columns())
def test_confusion_is_scikit_learns(columns: Columns) -> None:
    """Both confusion matrices, the support and the effect on accuracy are scikit-learn's."""
    outcomes = PairedOutcomes.from_predictions(*columns)
    for side, predicted in zip(SIDES, columns[1:], strict=True):
        theirs = confusion_matrix(columns[0], predicted, labels=list(outcomes.labels))
        assert np.array_equal(outcomes.confusion(side), theirs)
        assert np.array_equal(outcomes.truth_support, theirs.sum(axis=1))
    effect = accuracy_score(columns[0], columns[2]) - accuracy_score(columns[0], columns[1])
    assert outcomes.contingency().effect == pytest.approx(effect, abs=1e-12)
    assert set(outcomes.classes) == set(columns[0])


@given(TWO_HALVES)
def test_tables_add_up(halves: tuple[Columns, Columns]) -> None:
    """Tallying two halves and adding is tallying them end to end, by tables or by batches."""
    one, other = halves
    whole = PairedOutcomes.from_predictions(*(a + b for a, b in zip(one, other, strict=True)))
    added = PairedOutcomes.from_predictions(*one) + PairedOutcomes.from_predictions(*other)
    assert added == whole
    assert hash(added) == hash(whole)
    tally = Tally()
    for half in halves:
        tally.add(*as_arrays(half))
    assert (PairedOutcomes.from_tally(tally)[0], tally.n) == (whole, whole.n)
    assert tally.distinct_truths == len(whole.classes)


@given(paired_outcomes(), paired_outcomes())
def test_addition_commutes_and_has_a_zero(one: PairedOutcomes, other: PairedOutcomes) -> None:
    """Addition does not mind the order, adds rows, and leaves a table alone that meets an empty one."""
    empty = PairedOutcomes.from_counts({})
    assert one + empty == empty + one == one
    if {type(x) for x in one.labels} == {type(x) for x in other.labels}:
        assert one + other == other + one
        assert (one + other).n == one.n + other.n


@given(label_columns().flatmap(lambda c: st.tuples(st.just(c), st.permutations(range(len(c[0]))))))
def test_row_order_is_irrelevant(drawn: tuple[Columns, list[int]]) -> None:
    """Shuffled rows make the same table."""
    columns, order = drawn
    shuffled = ([column[i] for i in order] for column in columns)
    assert PairedOutcomes.from_predictions(*shuffled) == PairedOutcomes.from_predictions(*columns)


@given(label_columns())
def test_how_labels_are_stored_is_irrelevant(columns: Columns) -> None:
    """Lists, arrays and object arrays of Python's or NumPy's scalars make the same table."""
    plain = PairedOutcomes.from_predictions(*columns)
    python = [np.array(column, dtype=object) for column in columns]
    scalars = []
    for column in as_arrays(columns):
        scalars.append(np.empty(column.size, dtype=object))
        scalars[-1][:] = [*column]  # np.int64 and np.str_, as iterating over an array gives them
    assert PairedOutcomes.from_predictions(*as_arrays(columns)) == plain
    assert PairedOutcomes.from_predictions(*python) == plain
    assert PairedOutcomes.from_predictions(*scalars) == plain


@given(paired_outcomes())
def test_plain_data_and_back(outcomes: PairedOutcomes) -> None:
    """A table survives being spelled as plain data, through JSON too, and as counts."""
    assert PairedOutcomes.from_dict(outcomes.to_dict()) == outcomes
    assert PairedOutcomes.from_dict(json.loads(json.dumps(outcomes.to_dict()))) == outcomes
    assert PairedOutcomes.from_counts(outcomes.to_counts()) == outcomes


@given(paired_outcomes())
def test_cells_are_canonical(outcomes: PairedOutcomes) -> None:
    """Cells are unique, sorted, positive and read-only; labels are sorted and all occur."""
    keys = outcomes.cells[:, :3].tolist()
    assert keys == sorted(keys)
    assert len({*map(tuple, keys)}) == len(keys)
    assert (outcomes.counts >= 1).all()
    assert {i for key in keys for i in key} == {*range(len(outcomes.labels))}
    assert list(outcomes.labels) == sorted(outcomes.labels, key=lambda label: (isinstance(label, str), label))
    assert not outcomes.cells.flags.writeable


@given(paired_outcomes())
def test_swapping_sides(outcomes: PairedOutcomes) -> None:
    """Sides that change places swap contingency and confusion, and are back after changing twice."""
    turned = outcomes.swapped()
    assert turned.swapped() == outcomes
    assert turned.contingency() == swapped(outcomes.contingency())
    assert turned.contingency().effect == -outcomes.contingency().effect
    assert np.array_equal(turned.confusion("champion"), outcomes.confusion("challenger"))


@given(paired_outcomes())
def test_a_side_alone(outcomes: PairedOutcomes) -> None:
    """A side alone has its own confusion matrix on both sides, and is never discordant; so have its segments."""
    alone = outcomes.alone("challenger")
    assert alone.n == outcomes.n
    assert alone.contingency().discordant == 0
    for side in SIDES:
        assert np.array_equal(alone.confusion(side), outcomes.confusion("challenger"))
    assert [s.key for s in alone.segments] == [s.key for s in outcomes.segments]
    assert alone == outcomes.swapped().alone("champion")


@given(contingencies(min_n=0))
def test_contingency_properties(table: Contingency) -> None:
    """Rows are the discordant and the concordant ones; the effect is the difference of two accuracies."""
    assert table.n == table.discordant + table.both + table.neither
    if table.n:
        right = (table.both + table.challenger_only) / table.n - (table.both + table.champion_only) / table.n
        assert table.effect == pytest.approx(right, abs=1e-12)
    else:
        assert table.effect == 0


@given(paired_outcomes().filter(lambda outcomes: outcomes.n))
def test_majority_champion(outcomes: PairedOutcomes) -> None:
    """The majority champion always predicts the most frequent class, and truth and challenger stay what they were."""
    ours, majority = outcomes.with_majority_champion()
    assert {a for _, a, _ in ours.to_counts()} == {majority}
    supports = dict(zip(outcomes.labels, outcomes.truth_support.tolist(), strict=True))
    assert supports[majority] == max(supports.values())
    table = ours.contingency()
    assert table.both + table.champion_only == supports[majority]
    before = outcomes.contingency()
    assert table.both + table.challenger_only == before.both + before.challenger_only


def test_many_classes_count_alike() -> None:
    """Too many classes for a dense block are counted by sorting, to the same table."""
    rng = np.random.default_rng(0)
    columns = tuple(rng.integers(0, 300, 5000) for _ in range(3))
    outcomes = PairedOutcomes.from_predictions(*columns)
    assert outcomes.to_counts() == PairedOutcomes.from_counts(outcomes.to_counts()).to_counts()
    assert outcomes.contingency() == looped(tuple(column.tolist() for column in columns))


def test_an_empty_table() -> None:
    """A table of no rows has no labels, counts nothing and says so without an error."""
    empty, notices = PairedOutcomes.from_tally(Tally())
    assert (empty.labels, empty.classes, empty.n, notices) == ((), (), 0, ())
    assert empty.contingency() == Contingency(both=0, champion_only=0, challenger_only=0, neither=0)
    assert empty.confusion("champion").shape == (0, 0)
    assert PairedOutcomes.from_predictions([], [], []) == empty


def test_types_tell_labels_apart() -> None:
    """Equal in Python, 0, 0.0 and False are three labels: such tables are not equal and do not add up."""
    tables = [PairedOutcomes.from_predictions([zero], [zero], [zero]) for zero in (0, 0.0, False, "0")]
    for i, one in enumerate(tables):
        for j, other in enumerate(tables):
            assert (one == other) == (i == j)
            if i != j:
                with pytest.raises(LabelMismatchError, match="do not add up"):
                    one + other
    assert tables[0] != "a table"


@pytest.mark.parametrize(
    ("champion", "challenger"),
    [([1], [0, 1, 1]), ([0, 1, 1], [0]), ([0, 1], [0, 1]), ([[0], [1], [1]], [0, 1, 1]), (1, 1)],
)
def test_columns_must_be_columns(champion: Any, challenger: Any) -> None:
    """Columns of another length or shape are refused; broadcasting would invent rows."""
    with pytest.raises(InvalidInputError, match="columns of equal length, got shapes"):
        PairedOutcomes.from_predictions([0, 1, 1], champion, challenger)


def test_missing_values_are_refused() -> None:
    """A None or NaN in any column is refused, not counted as a class."""
    for missing in (None, float("nan")):
        for values in (["cat", missing], [1, missing]):
            with pytest.raises(InvalidInputError, match="hold a missing value"):
                PairedOutcomes.from_predictions(np.array(values, dtype=object), ["cat", "cat"], ["cat", "cat"])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "outcomes must hold the lists labels and cells"),
        ([], "outcomes must hold the lists labels and cells"),
        ({"labels": None, "cells": []}, "outcomes must hold the lists labels and cells"),
        ({"labels": [0, "a"], "cells": []}, "outcomes.labels must be of one type"),
        ({"labels": [None], "cells": []}, "outcomes.labels must be of one type"),
        ({"labels": [[]], "cells": []}, "outcomes.labels must be of one type"),
        *(
            ({"labels": ["a", "b"], "cells": [[0, 0, 0, 1], cell]}, "points at no label or counts no row")
            for cell in ([2, 0, 0, 1], [0, -1, 0, 1], [0, 0, 0, 0], [0, 0, 1], [0.0, 0, 0, 1], [0, 0, 0, "1"], 7, None)
        ),
    ],
)
def test_what_is_no_table_is_refused(data: Any, says: str) -> None:
    """Plain data that spells no table is refused in our own words, never with a KeyError."""
    with pytest.raises(InvalidInputError, match=says):
        PairedOutcomes.from_dict(data)
