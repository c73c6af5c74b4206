"""Laws of what is logged of a request in shadow mode."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from abtest.live.shadow.shadowed import ShadowRequest, pieces, read, unscored

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_LABELS = st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
_ANSWERS = st.one_of(
    _JSON,
    st.fixed_dictionaries(
        {}, optional={"labels": st.lists(_JSON, max_size=4) | _JSON, "error": _JSON, "why": _JSON, "seconds": _JSON}
    ),
)


def _request(rows: int) -> ShadowRequest:
    return ShadowRequest(
        server="ab", sequences=range(7, 7 + rows), rows=list(range(rows)), at=5.0, experiment="e", epoch=2, unit="cd"
    )


@given(answer=_ANSWERS, rows=st.integers(1, 3))
def test_any_answer_is_read(answer: Any, rows: int) -> None:
    """Whatever a process sends, each row is logged once: all with a finite label, or all as one failure, with why."""
    logged, why = read(_request(rows), json.loads(json.dumps(answer)), 3)
    assert [row.sequence for row in logged] == list(range(7, 7 + rows))
    errors = {row.error for row in logged}
    assert errors in ({None}, {"raised"}, {"shape"})
    assert (why is None) == (errors == {None})
    for row in logged:
        assert (row.prediction is None) == (row.error is not None)
        assert isinstance(row.prediction, bool | int | float | str | None)
        assert not isinstance(row.prediction, float) or math.isfinite(row.prediction)
        assert 0 <= row.seconds < math.inf
    assert why is None or len(why) <= 500


@given(labels=st.lists(_LABELS, min_size=1))
def test_labels_come_through_as_they_are(labels: list[Any]) -> None:
    """A label has its own value and type at the other end."""
    logged, why = read(_request(len(labels)), json.loads(json.dumps({"labels": labels, "seconds": 0.5})), 3)
    assert [(type(row.prediction), row.prediction) for row in logged] == [(type(label), label) for label in labels]
    assert (why, {row.seconds for row in logged}) == (None, {0.5})


@given(rows=st.integers(1, 50), most=st.integers(1, 20))
def test_pieces_are_the_whole(rows: int, most: int) -> None:
    """The parts of a request are its rows in order, none too large, and all else is as it was."""
    whole = _request(rows)
    parts = list(pieces(whole, most))
    assert [row for part in parts for row in part.rows] == whole.rows
    assert [row for part in parts for row in unscored(part, 3, "dropped")] == unscored(whole, 3, "dropped")
    assert all(1 <= len(part.rows) <= most for part in parts)
