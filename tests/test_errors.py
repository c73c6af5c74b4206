"""The error tree is what its docstring draws."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import abtest.errors
from abtest.errors import AbtestError, InvalidInputError, NotFoundError, near

TREE = {
    name: kind
    for name, kind in inspect.getmembers(abtest.errors, inspect.isclass)
    if kind.__module__ == "abtest.errors"
}


def test_the_drawing_is_the_tree() -> None:
    """Each error stands in the module's drawing, indented under its parent, and no other does."""
    drawing = re.findall(r"^( *)(\w+Error)\b", inspect.getdoc(abtest.errors) or "", flags=re.MULTILINE)
    parents: list[str] = []
    drawn = {}
    for indent, name in drawing:
        depth = len(indent) // 2
        parents[depth:] = [name]
        drawn[name] = parents[depth - 1] if depth else "Exception"
    assert drawn == {name: kind.__bases__[0].__name__ for name, kind in TREE.items()}


@pytest.mark.parametrize("kind", TREE.values(), ids=TREE.keys())
def test_a_sentence_and_a_hint(kind: type[AbtestError]) -> None:
    """Each error shows its sentence, then its hint if it has one, and is caught as an AbtestError."""
    assert str(kind("It broke.")) == "It broke."
    error = kind("It broke.", hint="mend it.")
    assert (str(error), error.message, error.hint) == ("It broke. Hint: mend it.", "It broke.", "mend it.")
    with pytest.raises(AbtestError):
        raise error


def test_python_knows_them_too() -> None:
    """Bad input is a ValueError and a missing name a LookupError, for those who catch those."""
    assert issubclass(InvalidInputError, ValueError)
    assert issubclass(NotFoundError, LookupError)


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_known_name_is_nearest_to_itself(known: list[str]) -> None:
    """A name that is known is its own hint."""
    assert near(known[0], known) == f"did you mean '{known[0]}'?"


def test_nothing_near() -> None:
    """Nothing is suggested where nothing is near."""
    assert near("xyz", ["accuracy", "f1"]) is None
    assert near("xyz", []) is None
