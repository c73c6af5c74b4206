"""How three columns of labels come to one type, or do not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import AbtestError, InvalidInputError, LabelMismatchError
from abtest.labels import LABEL_TYPES, Label, LabelType, cast_label, kind_of, label_order, reconcile
from tests.strategies import Columns, label_columns

PYTHON: dict[LabelType, type] = {"int": int, "float": float, "str": str, "bool": bool}


def typed(values: tuple[Label, ...]) -> list[tuple[type, Label]]:
    """Spell labels with their types, as 1 == True == 1.0."""
    return [(type(value), value) for value in values]


@given(label_columns())
def test_one_type_is_left_alone(columns: Columns) -> None:
    """Columns that share a type come back as they went in, and there is nothing to say."""
    ours = reconcile(*columns)
    assert (ours.truth, ours.champion, ours.challenger) == tuple(map(tuple, columns))
    assert ours.notices == ()


@pytest.mark.parametrize(
    ("truth", "predicted", "together"),
    [
        (["0", "1"], [0, 1], [0, 1]),
        ([0, 1], ["0", "1"], [0, 1]),
        (["0", "1"], [0.0, 1.0], [0, 1]),
        ([0, 1], [0.0, 1.0], [0, 1]),
        ([0.0, 1.0], [0, 1], [0, 1]),
        (["1.0", "2.0"], [1, 2], [1, 2]),
        ([0, 1], [False, True], [False, True]),
        ([1, 2], [True, True], [1, 1]),
        ([True, False], ["True", "false"], [True, False]),
        (["True", "False"], [True, False], [True, False]),
        (["1", "0"], [True, False], [True, False]),
        ([True, False], [1.0, 0.0], [True, False]),
        (["a", 1], ["a", "1"], ["a", "1"]),
    ],
)
def test_what_can_meet_meets(truth: list[Label], predicted: list[Label], together: list[Label]) -> None:
    """Labels that have an exact counterpart in another type are cast to it, and that is said of each column cast."""
    ours = reconcile(truth, predicted, predicted)
    kind = type(together[0])
    assert {type(x) for x in (*ours.truth, *ours.champion, *ours.challenger)} == {kind}
    assert kind in (type(ours.truth[0]), type(ours.champion[0]))
    assert together in ([*ours.truth], [*ours.champion])
    for name, before, after in (("Labels", truth, ours.truth), ("Champion", predicted, ours.champion)):
        cast = kind_of(before) != kind_of(after)
        assert any(notice.startswith(name) for notice in ours.notices) == cast


def test_a_cast_is_said_with_an_example() -> None:
    """The notice names the column, both types and the first label; a text file's truth is text for want of types."""
    assert reconcile(["7", "8"], [7], [8]).notices == ("Labels were cast from str to int (first: '7' → 7).",)
    assert reconcile(["7", "8"], [7], [8], truth_is_text=True).notices == ()
    assert reconcile([7, 8], ["7"], ["8"], truth_is_text=True).notices == (
        "Champion predictions were cast from str to int (first: '7' → 7).",
        "Challenger predictions were cast from str to int (first: '8' → 8).",
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ((["cat", "dog"], [0, 1], [0, 1]), "Labels are str but champion predictions are int ('cat' vs 0)."),
        ((["0", "cat"], [0, 1], [0, 1]), "Labels are str but champion predictions are int ('cat' vs 0)."),
        ((["cat"], ["cat"], [0]), "Labels are str but challenger predictions are int ('cat' vs 0)."),
        (([0, 1], ["cat", "1"], [0]), "Labels are int but champion predictions are str (0 vs 'cat')."),
        (
            ([True, False], ["True", "maybe"], [True]),
            "Labels are bool but champion predictions are str (True vs 'maybe').",
        ),
        (([True, False], ["yes"], ["no"]), "Labels are bool but champion predictions are str (True vs 'yes')."),
        (([], ["cat"], [0]), "Champion predictions are str but challenger predictions are int ('cat' vs 0)."),
    ],
)
def test_what_cannot_meet_is_refused(columns: tuple[list[Label], ...], says: str) -> None:
    """Text that spells no number and numbers are refused: both types, the first label in the way, and a hint."""
    with pytest.raises(LabelMismatchError) as refused:
        reconcile(*columns)
    assert refused.value.message == says
    assert refused.value.hint == "log the model with its class names, or map the labels."


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (([0.5, 1.0], [1.0], [1.0]), "The target is continuous (0.5 is not a class label)."),
        ((["0.5", "1"], [1.0], [1.0]), "The target is continuous (0.5 is not a class label)."),
        (([0, 1], [0.3, 0.9], [0, 1]), "Champion predictions are not class labels (0.3)."),
        (([0.0, 1.0], [0.0], [0.25]), "Challenger predictions are not class labels (0.25)."),
        (([True, False], [True], [0.25]), "Challenger predictions are not class labels (0.25)."),
    ],
)
def test_what_is_no_class_is_refused(columns: tuple[list[Label], ...], says: str) -> None:
    """A continuous target and predicted probabilities are refused with the first offender and a hint."""
    with pytest.raises(InvalidInputError) as refused:
        reconcile(*columns)
    assert refused.value.message == says
    assert refused.value.hint


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "a missing value (None)"),
        (math.nan, "a missing value (nan)"),
        (b"cat", "b'cat', which is no label but a bytes"),
        (1j, "1j, which is no label but a complex"),
    ],
)
@pytest.mark.parametrize("others", [["cat", "dog"], [0, 1], [0.0, 1.0], [True, False]])
def test_what_is_no_label_is_refused(value: Any, says: str, others: list[Label]) -> None:
    """A missing value never becomes a class called 'nan', nor do bytes become numbers, whatever stands next to them."""
    with pytest.raises(InvalidInputError) as refused:
        reconcile(others, [*others, value], others)
    assert refused.value.message == f"Champion predictions hold {says}."
    with pytest.raises(InvalidInputError, match="Labels hold"):
        reconcile([value], others, others, label_type="str")


@pytest.mark.parametrize("target", LABEL_TYPES)
def test_a_type_can_be_forced(target: LabelType) -> None:
    """With ``label_type`` every label has that type, and each column that had another is mentioned."""
    ours = reconcile([0, 1], ["0", "1"], [False, True], label_type=target)
    assert {type(x) for x in (*ours.truth, *ours.champion, *ours.challenger)} == {PYTHON[target]}
    if target != "str":  # as text, True is 'True' and not '1'
        assert ours.truth == ours.champion == ours.challenger
    assert len(ours.notices) == {"float": 3}.get(target, 2)


def test_forcing_goes_where_finding_would_not() -> None:
    """Forced to text, numbers with fractions are class names; a type that a label does not have is refused by name."""
    assert reconcile([0.5], ["0.5"], ["1.5"], label_type="str").truth == ("0.5",)
    with pytest.raises(LabelMismatchError, match=r"Champion predictions cannot be read as int: 'x'\. Hint: choose"):
        reconcile([0], ["1", "x"], [0], label_type="int")


def test_nothing_to_reconcile() -> None:
    """No labels at all are no error, whatever the type; an empty column follows the others."""
    for target in (None, *LABEL_TYPES):
        assert reconcile([], [], [], label_type=target).notices == ()
    assert reconcile(["a"], [], []).truth == ("a",)


LABELS = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.integers().map(str))


@given(LABELS, st.sampled_from(LABEL_TYPES))
def test_a_cast_loses_nothing(value: Label, target: LabelType) -> None:
    """A label is cast to an equal one of that type, or refused as a ValueError and nothing else."""
    try:
        cast = cast_label(value, target)
    except ValueError:
        return
    assert type(cast) is PYTHON[target]
    if target != "str" and not isinstance(value, str):
        assert cast == value
    assert cast_label(cast, target) == cast


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("1.5", "int"),
        (1.5, "int"),
        ("", "int"),
        ("nan", "float"),
        (math.inf, "float"),
        (2**53 + 1, "float"),
        (10**400, "float"),
        ("1e400", "int"),
        (2, "bool"),
        ("yes", "bool"),
        (0.5, "bool"),
    ],
)
def test_what_would_lose_is_refused(value: Label, target: LabelType) -> None:
    """What has no exact counterpart in a type is not cast to it."""
    with pytest.raises(ValueError):  # noqa: PT011 - what it says is said by those who catch it
        cast_label(value, target)


@given(st.lists(LABELS, max_size=6), st.lists(LABELS, max_size=6), st.lists(LABELS, max_size=6))
def test_all_errors_are_ours(truth: list[Label], champion: list[Label], challenger: list[Label]) -> None:
    """Whatever labels come, they meet on one type without a change in number, or are refused by one of our errors."""
    try:
        ours = reconcile(truth, champion, challenger)
    except AbtestError:
        return
    assert (len(ours.truth), len(ours.champion), len(ours.challenger)) == (len(truth), len(champion), len(challenger))
    assert len({type(x) for x in (*ours.truth, *ours.champion, *ours.challenger)}) <= 1


def test_order() -> None:
    """Numbers sort by value and text by code point."""
    assert sorted([10, 9, -1], key=label_order) == [-1, 9, 10]
    assert sorted([True, False], key=label_order) == [False, True]
    assert sorted(["b", "B", "10", "9"], key=label_order) == ["10", "9", "B", "b"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, True], "int"), ([True], "bool"), ([1, 1.0], "float"), (["a", 1], "str"), ([], "int")],
)
def test_kind_of_a_column(values: list[Label], kind: LabelType) -> None:
    """A column is of the widest type among its labels."""
    assert kind_of(values) == kind
