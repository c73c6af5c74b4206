"""Whatever a body holds, it is read or refused in a sentence, and each label on its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.live.log import Feedback, Receipt, Received
from abtest.live.serving.fields import FieldError
from abtest.live.serving.wire import (
    Asked,
    MediaTypeError,
    TooManyRowsError,
    batch,
    feedback,
    media_type,
    read_json,
    single,
)

JSON = "application/json"
COLUMNS = ("width", "height")


def test_reads_json() -> None:
    """A body of JSON in UTF-8 is what the standard library reads in it."""
    body = {"a": [1, 2.5, None, True, "é", "😀"], "b": {"c": -0.0}}
    for escaped in (True, False):
        assert read_json(json.dumps(body, ensure_ascii=escaped).encode(), JSON) == body


@pytest.mark.parametrize(
    "kind",
    [JSON, f"{JSON}; charset=utf-8", f'{JSON};charset="UTF-8"', "Application/JSON", f"{JSON} ;  x=y"],
)
def test_types_that_are_read(kind: str) -> None:
    """JSON may be named in capitals, with its charset, and with parameters that nobody knows."""
    assert read_json(b"1", kind) == 1


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "text/json", "application/json; charset=latin-1", "application/jsonp", ";;;=", "é"]
)
def test_types_that_are_not_read(kind: str | None) -> None:
    """A body that is said to be something else is not looked at."""
    with pytest.raises(MediaTypeError, match="Content-Type must be application/json in UTF-8, got "):
        read_json(b"{}", kind)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "no JSON: Expecting value at line 1, column 1"),
        (b"{", "no JSON: Expecting property name"),
        (b'{"a": 1,}', "no JSON: "),
        (b"{'a': 1}", "no JSON: "),
        (b"[1, 2", "no JSON: Expecting ',' delimiter at line 1, column 6"),
        (b"1 2", "no JSON: Extra data at line 1, column 3"),
        (b'{"a": NaN}', "holds NaN, which is no number of JSON. Hint: null"),
        (b"[Infinity]", "holds Infinity"),
        (b"[-Infinity]", "holds -Infinity"),
        (b"\xff\xfe", "must be UTF-8, and is not at byte 0"),
        (b'\xef\xbb\xbf{"a": 1}', "no JSON: "),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"9" * 5000, "a number of too many digits"),
        (b'"\\ud800"', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (b'{"a": {"b": 1, "c": 2, "b": 1}}', "'b' is there twice"),
        (b'"a\nb"', "no JSON: Invalid control character"),
    ],
)
def test_bodies_that_are_no_json(body: bytes, told: str) -> None:
    """What is no JSON, or more than JSON, is refused with the place."""
    with pytest.raises(InvalidInputError) as error:
        read_json(body, JSON)
    assert told in str(error.value)
    assert len(str(error.value)) < 200


@given(body=st.binary(max_size=40) | st.text(alphabet='[]{}",:019.eE-+\\untrfalsNI ', max_size=40).map(str.encode))
def test_whatever_bytes_come(body: bytes) -> None:
    """Any bytes are read, or refused with a sentence; what is read is what Python reads."""
    try:
        found = read_json(body, JSON)
    except InvalidInputError:
        return
    assert found == json.loads(body.decode())


@given(kind=st.text(max_size=30))
def test_whatever_type_is_named(kind: str) -> None:
    """Any Content-Type has a type and a charset."""
    assert all(isinstance(part, str) for part in media_type(kind))


def test_forms_of_one_row() -> None:
    """A row comes as a list or an object in 'features', or as the body itself; the unit stands beside it."""
    for body, row, unit in (
        ({"features": [1, 2]}, [1, 2], None),
        ({"features": [1, 2], "unit": "u"}, [1, 2], "u"),
        ({"features": {"width": 1}, "unit": 42}, {"width": 1}, "42"),
        ({"width": 1, "height": 2}, {"width": 1, "height": 2}, None),
        ({"width": 1, "height": 2, "unit": None}, {"width": 1, "height": 2}, None),
        ({"width": 1, "height": 2, "unit": "é"}, {"width": 1, "height": 2}, "é"),
        ({}, {}, None),
    ):
        for columns in (COLUMNS, None):
            assert single(body, columns) == Asked(rows=(row,), units=(unit,))


def test_columns_that_are_called_as_ours() -> None:
    """A model with a column 'unit' or 'features' takes its columns inside 'features', where no name is ours."""
    columns = ("unit", "features")
    body = {"features": {"unit": 1, "features": 2}, "unit": "u"}
    assert single(body, columns) == Asked(rows=({"unit": 1, "features": 2},), units=("u",))
    with pytest.raises(FieldError, match="'unit' is a column of the model too, so columns must be inside 'features'"):
        single({"unit": 1, "height": 2}, columns)
    with pytest.raises(FieldError, match="'features' must be a list or an object of the columns, got 2"):
        single({"features": 2}, columns)


@pytest.mark.parametrize("body", [[1, 2], 1, None, "x", [{"width": 1}]])
def test_a_row_that_is_no_object(body: Any) -> None:
    """A body that is no object is none of the forms."""
    with pytest.raises(FieldError, match="The body must be an object, got "):
        single(body, COLUMNS)


@pytest.mark.parametrize("unit", ["", "x" * 513, 1.5, True, [], {}, 2**64])
def test_units_that_are_none(unit: Any) -> None:
    """A unit is text or a whole number, of a length that can be kept."""
    for body in ({"features": [1], "unit": unit}, {"width": 1, "unit": unit}):
        with pytest.raises(FieldError, match="unit must be text") as error:
            single(body, COLUMNS)
        assert error.value.field == "unit"
    with pytest.raises(FieldError, match="Row 2: unit must be text"):
        batch({"instances": [[1], [1]], "units": ["a", unit]}, COLUMNS)


def test_forms_of_many_rows() -> None:
    """Many rows come in 'instances', each in any form of one; units beside them, or each with its row."""
    row = {"width": 1, "height": 2}
    assert batch({"instances": [[1, 2], row]}, COLUMNS) == Asked(rows=[[1, 2], row], units=[None, None])
    assert batch({"instances": [[1, 2], row], "units": ["a", None]}, COLUMNS).units == ["a", None]
    own = {"instances": [{"features": [1, 2], "unit": 7}, {**row, "unit": "b"}, row]}
    assert batch(own, COLUMNS) == Asked(rows=[[1, 2], row, row], units=["7", "b", None])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([[1, 2]], "an object with a list of 'instances'"),
        ({"instances": {"width": [1]}}, "an object with a list of 'instances'"),
        ({"rows": []}, "an object with a list of 'instances'"),
        ({"instances": []}, "There are no rows"),
        ({"instances": [[1]], "unit": "u"}, "'unit' is not known beside"),
        ({"instances": [[1]], "units": "u"}, "'units' must be a list with one unit for each"),
        ({"instances": [[1]], "units": ["a", "b"]}, "'units' must be a list with one unit for each"),
        ({"instances": [{"width": 1, "unit": "a"}], "units": ["b"]}, "Row 1: The unit is told twice"),
        ({"instances": [{"features": [1], "width": 1}]}, "Row 1: 'width' is not known beside 'features'"),
    ],
)
def test_batches_that_are_refused(body: Any, told: str) -> None:
    """A batch of another form is refused with the row at fault."""
    with pytest.raises(FieldError) as error:
        batch(body, COLUMNS)
    assert told in str(error.value)


def test_a_million_rows() -> None:
    """More rows than a request may have are refused by their count, before any is looked at."""
    with pytest.raises(TooManyRowsError, match="A request may have 3 rows, got 1,000,000"):
        batch({"instances": [None] * 1_000_000}, COLUMNS, most=3)
    with pytest.raises(TooManyRowsError, match="A request may have 10,000 rows, got 10,001"):
        feedback([None] * 10_001)


def test_labels() -> None:
    """Labels come one, many, or as a bare list; each with the time it was observed at, which is UTC unless it says."""
    one = {"prediction_id": "ab-1", "label": "pear", "observed_at": "1970-01-02T00:00:00"}
    read = Feedback(prediction_id="ab-1", label="pear", observed_at=86_400.0)
    assert feedback(one) == feedback([one]) == feedback({"feedback": [one]}) == [read]
    for spelled in (86_400, 86_400.0, "1970-01-02", "1970-01-02T01:00:00+01:00", "1970-01-02T00:00:00Z"):
        assert feedback({**one, "observed_at": spelled}) == [read]
    for label in (True, 0, -1.5, "é", 2**63 - 1):
        (found,) = feedback({"prediction_id": "ab-1", "label": label})
        assert found == Feedback(prediction_id="ab-1", label=label)
        assert type(found.label) is type(label)


REFUSED: list[tuple[Any, str]] = [
    (None, "must be an object"),
    ([1], "must be an object"),
    ({}, "prediction_id is missing"),
    ({"prediction_id": "a"}, "label is missing"),
    ({"label": 1}, "prediction_id is missing"),
    ({"prediction_id": 1, "label": 1}, "prediction_id must be text"),
    ({"prediction_id": "", "label": 1}, "prediction_id must be text"),
    ({"prediction_id": "a\0", "label": 1}, "prediction_id must be text"),
    ({"prediction_id": "a" * 201, "label": 1}, "prediction_id must be text"),
    ({"prediction_id": "a", "label": None}, "label must be text"),
    ({"prediction_id": "a", "label": ""}, "label must be text"),
    ({"prediction_id": "a", "label": "\0"}, "label must be text"),
    ({"prediction_id": "a", "label": [1]}, "label must be text"),
    ({"prediction_id": "a", "label": 2**63}, "label must be text"),
    ({"prediction_id": "a", "label": 1e400}, "label must be text"),
    ({"prediction_id": "a", "label": 1, "observed_at": "soon"}, "observed_at must be"),
    ({"prediction_id": "a", "label": 1, "observed_at": True}, "observed_at must be"),
    ({"prediction_id": "a", "label": 1, "observed_at": 1e400}, "observed_at must be"),
    ({"prediction_id": "a", "label": 1, "observed_at": 10**30}, "observed_at must be"),
    ({"prediction_id": "a", "label": 1, "observed_at": []}, "observed_at must be"),
    ({"prediction_id": "a", "label": 1, "oberved_at": 1}, "'oberved_at' is none of"),
]


def test_a_label_that_is_refused_refuses_no_other() -> None:
    """Each label that is none gets a receipt with its id and why, in its place; the others are read."""
    good = {"prediction_id": "good", "label": 1}
    found = feedback([good, *(row for row, _ in REFUSED), good])
    assert found[0] == found[-1] == Feedback(prediction_id="good", label=1)
    for receipt, (row, told) in zip(found[1:-1], REFUSED, strict=True):
        assert isinstance(receipt, Receipt)
        assert receipt.received is Received.REFUSED
        assert told in (receipt.why or "")
        assert len(receipt.why or "") < 200
        named = row.get("prediction_id") if isinstance(row, dict) else None
        assert receipt.prediction_id == (named[:200] if isinstance(named, str) else "")


@pytest.mark.parametrize("body", [None, 1, "x", {"feedback": {}}, [], {"feedback": []}])
def test_feedback_of_another_form(body: Any) -> None:
    """A body that holds no labels at all is refused as a whole."""
    with pytest.raises(FieldError):
        feedback(body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["features", "instances", "unit", "units", "width", "feedback", "label", "prediction_id"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(body=ANYTHING)
def test_whatever_is_sent(body: Any) -> None:
    """Any JSON is one of the forms, or refused; nothing else is raised."""
    for read in (lambda: single(body, COLUMNS), lambda: batch(body, COLUMNS), lambda: feedback(body)):
        try:
            read()
        except InvalidInputError as error:
            assert error.message.endswith(".")  # noqa: PT017 - it need not be raised
