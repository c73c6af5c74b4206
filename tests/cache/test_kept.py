"""An answer is read as it was given, to the type and the bit; anything else is no answer."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from abtest.cache.kept import Kept
from abtest.coded import Coded

MADE = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
LABELS = st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False))
ARRAYS = hnp.arrays(
    st.one_of(hnp.integer_dtypes(), hnp.floating_dtypes(), hnp.boolean_dtypes(), hnp.unicode_string_dtypes()), (5,)
)
OBJECTS = st.lists(LABELS, min_size=5, max_size=5)
MATRICES = hnp.arrays(np.float64, (5, 3))


def objects(values: list[Any]) -> Any:
    """An array of objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def same(one: Any, other: Any) -> bool:
    """Whether two arrays hold the same, of the same types, to the bit."""
    if isinstance(one, Coded):
        spelled = [[(type(v), repr(v)) for v in it.values] for it in (one, other)]
        return spelled[0] == spelled[1] and same(one.codes, other.codes)
    if one.dtype == object:
        return [(type(v), repr(v)) for v in one] == [(type(v), repr(v)) for v in other]
    return bool(one.dtype == other.dtype and one.tobytes() == other.tobytes())


@given(
    labels=st.one_of(ARRAYS, OBJECTS.map(objects), OBJECTS.map(Coded.by_value)),
    matrix=st.none() | MATRICES,
    classes=st.tuples(LABELS, LABELS, LABELS),
    seconds=st.floats(0, 10),
    casts=st.dictionaries(st.text(), st.text()),
)
def test_an_answer_comes_back(labels: Any, matrix: Any, classes: Any, seconds: float, casts: dict[str, str]) -> None:
    """Labels of every type, scores, classes, seconds, casts and the time come back as they were."""
    given = Kept(labels=labels, matrix=matrix, classes=classes, seconds=seconds, casts=casts, made_at=MADE)
    body = given.to_bytes()
    assert body is not None
    found = Kept.from_bytes(body, rows=5)
    assert found is not None
    assert same(found.labels, labels)
    assert (found.matrix is None) == (matrix is None)
    if found.matrix is not None:
        assert same(found.matrix, matrix)
    assert [(type(it), it) for it in found.classes] == [(type(it), it) for it in classes]
    assert (found.seconds, found.casts, found.made_at) == (seconds, casts, MADE)
    assert Kept.from_bytes(body, rows=4) is None


class Planted:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave a trace."""
        return Path.touch, (Path("ran"),)


def test_nothing_is_ever_unpickled() -> None:
    """A pickle where an array should be does not run, and an array of objects is not written as one."""
    body = Kept(labels=np.array([1]), seconds=0.1, made_at=MADE).to_bytes()
    assert body is not None
    head = body.split(b"\n", 1)[0] + b"\n"
    planted = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(127) + b"\n"
    assert Kept.from_bytes(head + planted + pickle.dumps(objects([Planted()])), rows=1) is None
    assert Kept.from_bytes(head + pickle.dumps(Planted()), rows=1) is None
    assert not Path("ran").exists()


@pytest.mark.parametrize("body", [b"", b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe\n", b"not json"])
def test_anything_else_is_no_answer(body: bytes) -> None:
    """Bytes that are no answer are told from one."""
    assert Kept.from_bytes(body, rows=1) is None


def test_types_that_would_need_a_pickle_are_not_written() -> None:
    """Labels of NumPy's variable-width text are not kept."""
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("NumPy 1 has no such type")
    kept = Kept(labels=np.array(["a", "b"]), seconds=0.1, made_at=MADE)
    assert replace(kept, labels=np.array(["a", "b"]).astype(np.dtypes.StringDType())).to_bytes() is None
