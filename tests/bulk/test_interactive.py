"""Rows typed by hand: what a person types is what a request says, and is refused by the same rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from abtest.bulk.interactive import Answer, Teller, converse
from abtest.bulk.typed import in_one_line, typed
from abtest.errors import InvalidInputError
from abtest.live.serving.fields import FieldError
from abtest.live.serving.served import load
from abtest.live.serving.values import field
from tests import zoo
from tests.live import models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from abtest.live.serving.served import Served

KINDS = np.array(["a", "b, c"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models."""
    return tmp_path_factory.mktemp("typed")


def served(uri: str) -> Served:
    """A model of no registry."""
    return load(uri, None, name=None, version=None, run_id=None)


def saved(estimator: Any, path: Path, features: pd.DataFrame) -> str:
    """Save a model with its first rows as its input example."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    with models.quiet():
        signature = infer_signature(features, estimator.predict(features))
        mlflow.sklearn.save_model(
            estimator, path, signature=signature, input_example=features[:3], pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )  # fmt: skip
    return str(path)


@pytest.fixture(scope="module")
def mixed(folder: Path) -> Served:
    """A classifier of a double, text and a whole number, logged with an example."""
    features = models.mixed()[["width", "colour", "count"]].assign(colour=lambda it: "dark, " + it["colour"])
    estimator = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough"), LogisticRegression()
    )
    estimator.fit(features, KINDS[(features["width"] > 0).astype(int)])
    return served(saved(estimator, folder / "mixed", features))


@pytest.fixture(scope="module")
def numbers(folder: Path) -> Served:
    """A regression of three doubles, without an example."""
    features = models.doubles()
    return served(models.save(LinearRegression().fit(features, features["width"]), folder / "numbers", features))


class Person:
    """Somebody who types lines, and sees what is told.

    Args:
        lines: One after the other; then the input ends.
    """

    def __init__(self, *lines: str) -> None:
        self._lines = iter(lines)
        self.prompts: list[str] = []
        self.told: list[str] = []

    def read(self, prompt: str) -> str:
        """Type the next line."""
        self.prompts.append(prompt)
        try:
            return next(self._lines)
        except StopIteration:
            raise EOFError from None

    def answers(self, model: Served) -> list[Answer]:
        """Hold the conversation."""
        return [*converse(Teller(model), self.read, self.told.append)]


def test_a_row_is_asked_for_field_by_field(mixed: Served) -> None:
    """Each field is asked for in the signature's order, with its rule and an example; the answer is the model's."""
    person = Person("0.5", "dark, red", "7", "")
    (answer,) = person.answers(mixed)
    assert [prompt.partition(" (")[0] for prompt in person.prompts] == ["width", "colour", "count", "width"]
    assert "a whole number of 64 bits; e.g. " in person.prompts[2]
    assert "text; e.g. dark, red" in person.prompts[1]
    assert person.told == []
    assert answer.row == {"width": 0.5, "colour": "dark, red", "count": 7}
    frame = pd.DataFrame({"width": [0.5], "colour": ["dark, red"], "count": [7]})
    (label,), (shares,) = mixed.model.predictor.predict(frame), _estimator(mixed).predict_proba(frame)
    assert answer.prediction == label
    assert dict(answer.probabilities or ()) == pytest.approx(dict(zip(KINDS, shares, strict=True)))
    assert answer.probabilities == tuple(sorted(answer.probabilities or (), key=lambda pair: -pair[1]))


def _estimator(model: Served) -> Any:
    loaded: Any = model.model.predictor
    return loaded.get_raw_model()


def test_a_bad_value_is_asked_for_again_with_the_rule(mixed: Served) -> None:
    """A value that does not fit is told at once, in a sentence with the rule, and only its field is asked again."""
    person = Person("wide", "NaN", "0.5", "", "dark, red", "7.5", "seven", "7")
    assert len(person.answers(mixed)) == 1
    assert person.told == [
        "Field 'width' must be a number, got 'wide'.",
        "Field 'width' must be a number, got NaN.",
        "Field 'colour' must be text, got nothing.",
        "Field 'count' must be a whole number of 64 bits, got 7.5.",
        "Field 'count' must be a whole number of 64 bits, got 'seven'.",
    ]


@pytest.mark.parametrize("lines", [(), ("",), ("0.5",), ("0.5", "dark, red")])
def test_it_ends_without_an_answer(mixed: Served, lines: Sequence[str]) -> None:
    """An empty line at the begin of a row ends it, and the end of the input anywhere; half a row is no row."""
    assert Person(*lines).answers(mixed) == []


def test_a_model_that_fails_is_told_and_asked_again(folder: Path) -> None:
    """One row that the model fails ends nothing."""
    uri = zoo.save(zoo.raises, folder / "raises", inputs=zoo.signature(width="double", height="double"))
    person = Person("1", "2", "-1", "2")
    (answer,) = person.answers(served(uri))
    assert "cannot weigh it" in person.told[0]
    assert (answer.prediction, answer.probabilities) == ("pear", None)


def test_rows_without_names_are_typed_in_one_line(folder: Path) -> None:
    """A tensor's row is one line, and so is that of a model without a signature; a bad one is asked for again."""
    features = models.doubles()
    estimator = LinearRegression().fit(features.to_numpy(), features["width"])
    for name, signature in (("tensor", "infer"), ("unsigned", None)):
        model = served(models.save(estimator, folder / name, features.to_numpy(), signature=signature))
        person = Person("1,two,3" if signature else '"1', "1,2,3", "")
        (answer,) = person.answers(model)
        assert answer.prediction == pytest.approx(1.0)
        assert len(person.told) == 1
        assert len(person.prompts) == 3


def test_a_missing_value_is_typed_as_null(folder: Path, numbers: Served) -> None:
    """A number that is missing must be said to be; where a column is optional nothing is enough."""
    person = Person("1", "", "null", "3")
    person.answers(numbers)
    assert person.told[0] == "Field 'height' must be a number, got nothing."
    optional = _optional(folder)
    one, other = Person("1", "").answers(optional), Person("1", "null").answers(optional)
    assert [it.row for it in (*one, *other)] == [{"width": 1.0, "height": None}] * 2


def _optional(folder: Path) -> Served:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(Schema([ColSpec("double", "width"), ColSpec("double", "height", required=False)]))
    return served(zoo.save(_wide, folder / "optional", inputs=signature))


def _wide(frame: pd.DataFrame) -> Any:
    return ["wide" if width > 0 else "narrow" for width in frame["width"]]


def test_values_answer_as_requests_do(mixed: Served) -> None:
    """A line in the columns' order and one by name are the row that a request would send; text may hold commas."""
    row = {"width": 0.5, "colour": "dark, red", "count": 7}
    assert in_one_line(mixed, '0.5,"dark, red",7') == [*row.values()]
    assert in_one_line(mixed, 'width=0.5, "colour=dark, red", count=7') == row
    teller = Teller(mixed)
    lines = ('0.5, "dark, red", 7', 'count=7,width=.5,"colour=dark, red"')
    (one,), (other,) = (teller([in_one_line(mixed, line)]) for line in lines)
    assert (one.prediction, one.probabilities) == (other.prediction, other.probabilities)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0.5,red", "takes 3 values in this order, got 2"),
        ("0.5,red,7,8", "takes 3 values in this order, got 4"),
        ("wide,red,7", "Field 'width' must be a number, got 'wide'"),
        ("0.5,,7", "Field 'colour' must be text, got null"),
        ("width=1,colour=red", "Field 'count' is missing"),
        ("width=1,colour=red,cuont=7", "Field 'cuont' is none of the model's. Hint: did you mean 'count'"),
        ("width=1,width=2", "got 'width' twice"),
        ("", "got nothing"),
        ('0.5,"red', "as in a CSV file"),
        ("1e999,red,7", "Field 'width' must be a number"),
    ],
)
def test_a_line_that_is_no_row_is_refused(mixed: Served, line: str, told: str) -> None:
    """What is missing, too much, unknown, twice or of another type is named."""
    with pytest.raises(InvalidInputError, match=told):
        mixed.parse([in_one_line(mixed, line)])


def test_the_demo_is_the_logged_example(mixed: Served, numbers: Served) -> None:
    """Its rows are those that were logged, and its predictions the model's; without one, that is said."""
    answers = Teller(mixed).demo()
    example = models.mixed()[["width", "colour", "count"]][:3].assign(colour=lambda it: "dark, " + it["colour"])
    pd.testing.assert_frame_equal(pd.DataFrame([*map(_by_name, answers)]), example)
    assert [answer.prediction for answer in answers] == mixed.model.predictor.predict(example).tolist()
    with pytest.raises(InvalidInputError, match="No input example was logged"):
        Teller(numbers).demo()


def _by_name(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.row, dict)
    return answer.row


def test_a_model_logged_for_probabilities_has_a_label_too(folder: Path) -> None:
    """Where a model returns a column a class, its label is the class of the greatest."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = Schema([ColSpec("double", "width"), ColSpec("double", "height")])
    outputs = Schema([ColSpec("double", "apple"), ColSpec("double", "pear")])
    uri = zoo.save(_shares, folder / "shares", inputs=ModelSignature(columns, outputs))
    (answer,) = Teller(served(uri))([{"width": 5.0, "height": 6.0}])
    assert answer.probabilities == (("pear", 0.75), ("apple", 0.25))
    assert answer.prediction == "pear"


def _shares(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"apple": [0.25] * len(frame), "pear": [0.75] * len(frame)})


@given(value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_a_number_that_is_typed_is_that_number(value: float) -> None:
    """Whatever number is typed as Python or JSON spells it is read as it."""
    column = field("x", np.dtype("float64"))
    assert column.read(typed(column, f" {value!r} ")) == column.read(typed(column, json.dumps(value))) == value


@given(text=st.text().map(str.strip).filter(bool))
def test_text_that_is_typed_is_that_text(text: str) -> None:
    """In a column of text, numbers, ``true`` and ``null`` are text too."""
    column = field("x", "text")
    assert column.read(typed(column, text)) == text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bool", "TRUE", True),
        ("bool", "false", False),
        ("int64", "41", 41),
        ("int64", "41.0", 41),
        ("float64", "+.5", 0.5),
        ("datetime64[ns]", "2026-01-02T03:04:05", np.datetime64("2026-01-02T03:04:05", "ns")),
    ],
)
def test_what_is_typed_is_read_by_the_column(kind: str, text: str, value: Any) -> None:
    """True and false in any case, numbers with a sign, times as they stand."""
    column = field("x", np.dtype(kind))
    assert column.read(typed(column, text)) == value


@pytest.mark.parametrize(("kind", "text"), [("bool", "yes"), ("bool", "1"), ("int8", "128"), ("float64", "1_000")])
def test_what_no_request_could_say_nobody_can_type(kind: str, text: str) -> None:
    """A number is no truth value, and nothing is wrapped or guessed."""
    from abtest.live.serving.fields import Fields

    column = field("x", np.dtype(kind))
    with pytest.raises(FieldError, match="Field 'x' must be"):
        Fields.value(column, typed(column, text))
