"""Rows counted batch by batch, in all and by segment: cut them as you like, the tables are the same."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import SIDES
from abtest.outcomes import Contingency, PairedOutcomes, Segment
from abtest.tally import Tally
from tests.strategies import (
    SEGMENTS,
    Segmented,
    as_arrays,
    segmented_columns,
    segmented_outcomes,
    tallied,
    vocabularies,
)

if TYPE_CHECKING:
    from abtest.labels import Label

    Table = Counter[tuple[Label, Label, Label]]

TWO_HALVES = vocabularies().flatmap(lambda labels: st.tuples(segmented_columns(labels), segmented_columns(labels)))


def joined(*parts: Segmented) -> Segmented:
    """Rows end to end."""
    columns = [[*itertools.chain(*column)] for column in zip(*(columns for columns, _ in parts), strict=True)]
    codes = {name: np.concatenate([codes[name] for _, codes in parts]) for name in SEGMENTS}
    return (columns[0], columns[1], columns[2]), codes


def looped(rows: Segmented) -> dict[tuple[str, str], Table]:
    """Tables of the segments that have rows, counted row by row."""
    columns, codes = rows
    found: dict[tuple[str, str], Table] = {}
    for name, values in SEGMENTS.items():
        for i, row in enumerate(zip(*columns, strict=True)):
            found.setdefault((name, values[codes[name][i]]), Counter())[row] += 1
    return found


def tables(outcomes: PairedOutcomes) -> dict[tuple[str, str], Table]:
    """The segments' tables, over labels."""
    return {segment.key: outcomes.of(segment).to_counts() for segment in outcomes.segments}


def rows_in(segments: tuple[Segment, ...], name: str) -> int:
    """Rows in all segments of one segmentation."""
    return sum(int(segment.cells[:, 3].sum()) for segment in segments if segment.name == name)


@given(segmented_columns())
def test_a_segment_counts_its_own_rows(rows: Segmented) -> None:
    """Each segment's table is what a loop over its rows counts; a segment without rows is left out."""
    outcomes = tallied(rows)
    assert tables(outcomes) == looped(rows)
    order = [(name, value) for name, values in SEGMENTS.items() for value in values]
    assert [s.key for s in outcomes.segments] == [key for key in order if key in looped(rows)]


@given(segmented_outcomes())
def test_a_segmentation_parts_all_rows(outcomes: PairedOutcomes) -> None:
    """The tables of one segmentation's segments add up to the table of all rows, cell by cell."""
    for name in SEGMENTS:
        parts = (outcomes.of(segment).to_counts() for segment in outcomes.segments if segment.name == name)
        assert sum(parts, Counter()) == outcomes.to_counts()
        assert rows_in(outcomes.segments, name) == outcomes.n


@given(TWO_HALVES)
def test_tables_with_segments_add_up(halves: tuple[Segmented, Segmented]) -> None:
    """Adding the tables of two halves, or tallying them batch by batch, is tallying them end to end."""
    one, other = (tallied(half) for half in halves)
    whole = tallied(joined(*halves))
    assert one + other == other + one == tallied(*halves) == whole
    assert tables(one + other) == looped(joined(*halves))
    empty = PairedOutcomes.from_counts({})
    assert one + empty == empty + one == one


@given(segmented_columns().flatmap(lambda r: st.tuples(st.just(r), st.permutations(range(len(r[0][0]))))))
def test_row_order_is_irrelevant_in_segments(drawn: tuple[Segmented, list[int]]) -> None:
    """Shuffled rows make the same tables, their segments in the same order."""
    (columns, codes), order = drawn
    y, a, b = ([column[i] for i in order] for column in columns)
    shuffled = tallied(((y, a, b), {name: own[order] for name, own in codes.items()}))
    assert shuffled == tallied((columns, codes))
    assert [s.key for s in shuffled.segments] == [s.key for s in tallied((columns, codes)).segments]


@given(segmented_outcomes())
def test_segments_survive_as_plain_data(outcomes: PairedOutcomes) -> None:
    """A table with segments survives being spelled as plain data, through JSON too, its segments in their order."""
    for data in (outcomes.to_dict(), json.loads(json.dumps(outcomes.to_dict()))):
        again = PairedOutcomes.from_dict(data)
        assert again == outcomes
        assert [s.key for s in again.segments] == [s.key for s in outcomes.segments]
    without = PairedOutcomes.from_dict({**outcomes.to_dict(), "segments": []})
    assert without != outcomes
    assert without.to_counts() == outcomes.to_counts()


@given(segmented_outcomes())
def test_segments_swap_with_the_whole(outcomes: PairedOutcomes) -> None:
    """Sides that change places do so in every segment, and are back after changing twice; cells stay sorted."""
    turned = outcomes.swapped()
    assert turned.swapped() == outcomes
    assert tables(turned) == {
        key: Counter({(y, b, a): count for (y, a, b), count in own.items()}) for key, own in tables(outcomes).items()
    }
    for segment in turned.segments:
        assert segment.cells.tolist() == sorted(segment.cells.tolist())
        assert not segment.cells.flags.writeable


@given(segmented_columns())
def test_the_majority_champion_in_segments(rows: Segmented) -> None:
    """The majority champion says the whole's most frequent class in every segment, whatever is frequent there."""
    outcomes, majority = tallied(rows).with_majority_champion()
    (y, _, b), codes = rows
    assert tables(outcomes) == looped(((y, [majority] * len(y), b), codes))
    assert y.count(majority) == max(Counter(y).values())


def test_without_a_champion_segments_count_too() -> None:
    """Where there is no champion it is taken to be right, in segments as in all."""
    tally = Tally({"s": ("x", "y")})
    tally.add(np.array(["a", "b"]), None, np.array(["b", "b"]), {"s": np.array([1, 0])})
    outcomes, _ = PairedOutcomes.from_tally(tally)
    assert tables(outcomes) == {("s", "x"): Counter({("b", "b", "b"): 1}), ("s", "y"): Counter({("a", "a", "b"): 1})}


def test_many_segments_of_many_classes_count_alike() -> None:
    """Too many cells for a dense block are counted by sorting, to the same tables."""
    rng = np.random.default_rng(0)
    y, a, b = rng.integers(0, 90, size=(3, 4000))
    shops = rng.integers(0, 50, 4000)
    tally = Tally({"shop": [f"{i}" for i in range(50)]})
    tally.add(y, a, b, {"shop": shops})
    found = tables(PairedOutcomes.from_tally(tally)[0])
    assert len(found) == 50
    for shop in range(50):
        own = (column[shops == shop].tolist() for column in (y, a, b))
        assert found["shop", f"{shop}"] == Counter(zip(*own, strict=True))


def test_a_label_may_come_first_in_a_later_batch() -> None:
    """A label, and a value of a segment, that only the second batch holds is counted as if it had been known."""
    tally = Tally({"s": ("x", "y")})
    tally.add(np.array([1, 1]), np.array([1, 1]), np.array([1, 1]), {"s": np.array([0, 0])})
    tally.add(np.array([0, 2]), np.array([0, 1]), np.array([2, 2]), {"s": np.array([1, 0])})
    outcomes, _ = PairedOutcomes.from_tally(tally)
    assert tables(outcomes) == {
        ("s", "x"): Counter({(1, 1, 1): 2, (2, 1, 2): 1}),
        ("s", "y"): Counter({(0, 0, 2): 1}),
    }


def test_labels_between_those_that_occur_are_none() -> None:
    """Up to 65,536 distinct labels are classes, however far apart they lie; one more is refused."""
    tally, at_once = Tally(), 2 * np.arange(16_384)
    for start in (0, 40_000, 80_000, 120_000):
        tally.add(start + at_once, start + at_once, start + at_once)
    assert len(tally.counted().labels) == 65_536
    one = np.array([1])
    with pytest.raises(InvalidInputError, match=r"The challenger predicts more than 65,536 distinct values"):
        tally.add(at_once[:1], at_once[:1], one)


def test_batches_at_both_ends_of_64_bits() -> None:
    """Batches of labels that lie as far apart as 64 bits allow are counted as any others."""
    tally = Tally()
    for label in (-(2**63), 2**63 - 1):
        tally.add(np.array([label]), np.array([label]), np.array([label]))
    assert tally.counted().labels == (-(2**63), 2**63 - 1)


def test_labels_meet_on_one_type_in_segments() -> None:
    """'1' and 1 are one label in a segment as in all rows: rows that spell it differently are counted together."""
    tally = Tally({"s": ("x",)})
    tally.add(np.array(["0", "1"]), np.array([0, 1]), np.array([0.0, 1.0]), {"s": np.array([0, 0])})
    tally.add(np.array([1, 0]), np.array([True, False]), np.array(["1", "1"]), {"s": np.array([0, 0])})
    outcomes, _ = PairedOutcomes.from_tally(tally, label_type="int")
    assert tables(outcomes) == {("s", "x"): Counter({(0, 0, 0): 1, (1, 1, 1): 2, (0, 0, 1): 1})}


def test_a_missing_value_of_a_segment_is_refused() -> None:
    """Each row needs one value: fewer or more than the rows would be invented or lost."""
    for codes in (np.array([0]), np.array([0, 0, 0]), np.array([[0, 0]]), np.array(0)):
        tally = Tally({"region": ("EU",)})
        with pytest.raises(InvalidInputError, match="'region' must have the shape of the truth"):
            tally.add(np.array([0, 1]), np.array([0, 1]), np.array([0, 1]), {"region": codes})
        assert tally.n == 0


@given(segmented_outcomes())
def test_tables_told_apart_differently_do_not_add_up(outcomes: PairedOutcomes) -> None:
    """Segments of one table alone would not part the rows of the sum: that is refused."""
    without = PairedOutcomes.from_counts(outcomes.to_counts())
    for one, other in ((outcomes, without), (without, outcomes)):
        with pytest.raises(
            InvalidInputError, match=r"different segments do not add up.* Hint: tally both with the same"
        ):
            one + other


WHOLE: dict[str, Any] = {"labels": ["a", "b"], "cells": [[0, 0, 0, 2], [1, 0, 1, 1]]}
NO_SEGMENTS: list[Any] = [
    None, 7, "s", {"s": 1}, [7], ["s"], [None], [{}], [{"name": "s", "value": "x"}],
    [{"name": "s", "value": "x", "cells": 1}], [{"name": ["s"], "value": "x", "cells": []}],
    [{"name": "s", "value": 1, "cells": []}],
]  # fmt: skip


@pytest.mark.parametrize(
    ("segments", "says"),
    [
        ([{"name": "s", "value": "x", "cells": [[0, 0, 0, 3]]}], "s = x has rows that the whole lacks"),
        ([{"name": "s", "value": "x", "cells": [[1, 1, 1, 1]]}], "s = x has rows that the whole lacks"),
        ([{"name": "s", "value": "x", "cells": [[2, 0, 0, 1]]}], "points at no label or counts no row"),
        ([{"name": "s", "value": "x", "cells": [[0, 0, 0, 0]]}], "points at no label or counts no row"),
        *((wrong, "outcomes.segments must be a list of tables with name, value and cells") for wrong in NO_SEGMENTS),
    ],
)
def test_what_is_no_segment_is_refused(segments: Any, says: str) -> None:
    """Plain data whose segments hold rows that the whole lacks, or are none, is refused in our own words."""
    with pytest.raises(InvalidInputError, match=says):
        PairedOutcomes.from_dict({**WHOLE, "segments": segments})


def test_tables_without_segments_are_read() -> None:
    """What was written before there were segments is read as a table without any."""
    assert PairedOutcomes.from_dict(WHOLE).segments == ()


@pytest.mark.parametrize("n", [1, 9, 10, 500])
@pytest.mark.parametrize("stranger", SIDES)
def test_disjoint_classes(n: int, stranger: str) -> None:
    """A side that never predicts a class of the truth is noticed below ten rows, and refused from ten on."""
    predictions = {side: ["x" if side == stranger else "cat"] * n for side in SIDES}
    tally = Tally()
    tally.add(*as_arrays((["cat"] * n, list(predictions["champion"]), list(predictions["challenger"]))))
    if n >= 10:
        with pytest.raises(LabelMismatchError, match=rf"The {stranger} never predicts a class .* \('x' vs 'cat'\)"):
            PairedOutcomes.from_tally(tally)
        return
    outcomes, notices = PairedOutcomes.from_tally(tally)
    assert notices == (f"The {stranger} predicts 'x', never seen in the truth: counted as wrong.",)
    assert outcomes.classes == ("cat",)
    assert outcomes.labels == ("cat", "x")


def test_a_few_strangers_are_noticed() -> None:
    """A side that sometimes predicts what the truth never holds is noticed, at any number of rows."""
    truth = ["cat", "dog"] * 50
    tally = Tally()
    tally.add(np.array(truth), np.array(truth), np.array(["cat", "x", "dog", "y"] * 25))
    outcomes, notices = PairedOutcomes.from_tally(tally)
    assert notices == ("The challenger predicts 'x' and 1 more, never seen in the truth: counted as wrong.",)
    assert outcomes.contingency() == Contingency(both=25, champion_only=75, challenger_only=0, neither=0)


def test_types_meet_over_batches() -> None:
    """Types are reconciled once, at the end: what one batch spells '1' and another 1 is one class, and it is said."""
    tally = Tally()
    tally.add(np.array(["0", "1"]), np.array([0, 1]), np.array([0.0, 1.0]))
    tally.add(np.array([1, 0]), np.array([True, False]), np.array(["1", "0"]))
    outcomes, notices = PairedOutcomes.from_tally(tally, label_type="int")
    assert outcomes == PairedOutcomes.from_predictions([0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0])
    assert len(notices) == 2
    assert PairedOutcomes.from_tally(tally, label_type="int", truth_is_text=True)[1] == notices[1:]
