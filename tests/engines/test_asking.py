"""However cheaply a model is asked, its answers are those of its own methods."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from abtest.engines.asking import Asked
from abtest.engines.local import score
from abtest.engines.pairs import plain
from abtest.loaders.datasets import open_data
from abtest.loaders.feeding import Fed
from abtest.loaders.models import Model, from_object, from_uri
from abtest.loaders.scores import Scorer, scorer
from abtest.loaders.unwrapped import unwrapped
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from abtest.engines.asking import Answer
    from abtest.labels import Side

SIZES = list(zoo.FEATURES)
# Whole numbers: many rows are alike, and lie where both kinds are as likely.
FRUIT = zoo.fruit(1500).round({"width": 0, "height": 0})
FRUIT["kind"] = np.where(np.arange(1500) % 7, FRUIT["kind"], "pear")
TWICE = (
    "The champion's labels need not be its most probable classes, so it was asked for both, which takes twice the time."
)


def fitted(estimator: Any) -> Any:
    """Fit on fruit, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn 1.9 advises against probabilities of machines
        return estimator.fit(FRUIT[SIZES], FRUIT["kind"].to_numpy(dtype=str))


def logged(estimator: Any, path: Path) -> str:
    """Log an estimator with a signature of fruit's sizes, and name its folder."""
    import mlflow.sklearn

    inputs = zoo.signature(width="double", height="double")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on how a model of a test is saved
        mlflow.sklearn.save_model(
            estimator, path, signature=inputs, pip_requirements=["mlflow"], serialization_format="cloudpickle"
        )
    return str(path)


def fed(frame: pd.DataFrame = FRUIT) -> Fed:
    """Rows of a frame."""
    return Fed(pa.RecordBatch.from_pandas(frame, preserve_index=False), np.arange(1, len(frame) + 1))


def asked(model: Model, other: Model | None = None, *, scores: bool = True) -> Asked:
    """Ask a model for labels, and for scores if it has them."""
    found = scorer(model) if scores else None
    return Asked(model, SIZES, found if isinstance(found, Scorer) else None, unwrapped=other)


def said(answer: Answer) -> tuple[list[Any], list[type], bytes | None]:
    """All that an answer says."""
    labels = plain(answer.labels).tolist()
    return labels, [*map(type, labels)], answer.scores.matrix.tobytes() if answer.scores else None


ESTIMATORS = [
    LogisticRegression(),
    GradientBoostingClassifier(n_estimators=3),
    RandomForestClassifier(4, random_state=0),
    make_pipeline(StandardScaler(), LogisticRegression()),
    SVC(probability=True, random_state=0),
    FixedThresholdClassifier(LogisticRegression(), threshold=0.7, response_method="predict_proba"),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda it: type(it).__name__)
@pytest.mark.parametrize("scores", [False, True])
def test_answers_are_the_models_own(estimator: Any, scores: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """With and without MLflow's wrapper, for labels alone and in one pass: predict's labels, predict_proba's numbers.

    Where one pass does not do it is said, and nothing else ever is.
    """
    own = fitted(estimator)
    model = from_uri("champion", logged(own, tmp_path / "m"), None)
    bare = unwrapped(model)
    assert bare is not None
    expected = (own.predict(FRUIT[SIZES]).tolist(), own.predict_proba(FRUIT[SIZES]).tobytes() if scores else None)
    apart = isinstance(estimator, SVC | FixedThresholdClassifier)
    for source in (asked(model, scores=scores), asked(model, bare, scores=scores), asked(bare, scores=scores)):
        assert source.notices() == ()
        for _ in range(2):
            labels, kinds, matrix = said(source.answer(fed()))
            assert ((labels, matrix), {*kinds}) == (expected, {str})
        assert source.notices() == ((TWICE,) if apart and scores else ())


@pytest.mark.parametrize("frame", [FRUIT, FRUIT[:3], FRUIT[:1]])
def test_each_row_is_asked_about_once(frame: pd.DataFrame) -> None:
    """But for the first rows, which are asked about in every way."""

    class Own:
        classes_ = ("apple", "pear")
        rows = 0

        def predict(self, features: pd.DataFrame) -> Any:
            self.rows += len(features)
            return zoo.linear(features)

    own = Own()
    source = asked(from_object("champion", own))
    assert said(source.answer(fed(frame)))[0] == zoo.linear(frame).tolist()
    assert own.rows == len(frame)


class Otherwise:
    """Predicts as a rule does."""

    def __init__(self, rule: Callable[[Any], Any]) -> None:
        self.predict = rule


@pytest.mark.parametrize(
    "rule",
    [
        zoo.raises,
        zoo.better,
        zoo.too_few,
        zoo.numbers,
        lambda _features: sys.exit(0),
    ],
    ids=["fails", "another label", "too few", "another type", "exits"],
)
def test_a_bare_model_that_answers_otherwise(rule: Callable[[Any], Any]) -> None:
    """Where the model behind the wrapper fails or answers otherwise on the first rows, the wrapper is asked."""
    model = from_object("champion", Otherwise(zoo.linear))
    source = asked(model, from_object("champion", Otherwise(rule)))
    assert said(source.answer(fed()))[0] == zoo.linear(FRUIT).tolist()


def test_rows_of_another_type_are_asked_about_plainly() -> None:
    """What was found on the first rows holds for rows of their types; of others the wrapper is asked."""

    def by_type(features: pd.DataFrame) -> Any:
        return zoo.better(features) if (features.dtypes == "int64").all() else zoo.linear(features)

    source = asked(from_object("champion", Otherwise(zoo.linear)), from_object("champion", Otherwise(by_type)))
    for frame in (FRUIT, FRUIT.astype({"width": int, "height": int}), FRUIT):
        assert said(source.answer(fed(frame)))[0] == zoo.linear(frame).tolist()


def writes_values(features: Any) -> Any:
    """Write into the frame."""
    features.iloc[:, :] = 0.0
    return np.full(len(features), "pear")


def replaces_columns(features: Any) -> Any:
    """Put other columns in the place of the frame's, and take one away."""
    features["width"] = 0.0
    del features["height"]
    return np.full(len(features), "pear")


def renames(features: Any) -> Any:
    """Rename the frame's columns, and write into one of them."""
    features.columns = ["a", "b"]
    features.loc[features["a"] > 5, "b"] = 0.0
    return np.full(len(features), "pear")


@pytest.mark.parametrize("rule", [writes_values, replaces_columns, renames])
def test_no_model_spoils_anothers_rows(rule: Callable[[Any], Any]) -> None:
    """Whatever one side does to what it was fed, the other side, and both in the next batch, see the rows as read."""
    types = dict.fromkeys(zoo.FEATURES, pa.float64())

    def side(name: Side, own: Callable[[Any], Any]) -> Model:
        return Model(side=name, predictor=Otherwise(own), features=zoo.FEATURES, types=types)

    def right(champion: Callable[[Any], Any], challenger: Callable[[Any], Any]) -> Any:
        found = score(
            side("champion", champion), side("challenger", challenger), open_data(FRUIT), target="kind", batch_rows=100
        )
        assert found.outcomes is not None
        return found.outcomes.to_dict()

    def always(features: Any) -> Any:
        return np.full(len(features), "pear")

    assert right(rule, zoo.better) == right(always, zoo.better)
    assert right(zoo.better, rule) == right(zoo.better, always)


def test_a_model_that_spoils_its_own_rows() -> None:
    """Whatever a model writes into what it was fed, asked again about the same rows it sees them as read."""
    own = fitted(LogisticRegression())

    class Spoils:
        classes_ = own.classes_

        def predict(self, features: Any) -> Any:
            features["width"] *= 2
            features["one more"] = 0.0
            return own.predict(features[SIZES].assign(width=features["width"] / 2))

        def predict_proba(self, features: Any) -> Any:
            features["width"] *= 2
            return own.predict_proba(features.assign(width=features["width"] / 2))

    model = from_object("champion", Spoils())
    expected = own.predict(FRUIT[SIZES]).tolist(), own.predict_proba(FRUIT[SIZES]).tobytes()
    for source in (asked(model), asked(model, model)):
        labels, _, matrix = said(source.answer(fed()))
        assert (labels, matrix) == expected


def test_time_for_scores_is_not_that_of_labels() -> None:
    """Where two scores are nearly equal and labels are asked for too, what these take alone counts."""
    now = [0.0]

    class Slow(LogisticRegression):  # type: ignore[misc] # scikit-learn ships no types
        def predict_proba(self, features: Any) -> Any:
            now[0] += 100.0
            return np.full((len(features), 2), 0.5)

        def predict(self, features: Any) -> Any:
            now[0] += 1.0
            return np.full(len(features), "pear")

    own = Slow()
    own.classes_ = np.array(["apple", "pear"])
    found = scorer(from_object("champion", own))
    assert isinstance(found, Scorer)
    known = replace(found, follows="unless near")
    answer = Asked(from_object("champion", own), SIZES, known, clock=lambda: now[0]).answer(fed())
    assert answer.seconds == 1.0


def test_a_forest_that_adds_up_in_any_order_is_asked_once() -> None:
    """Where the last bits of scores differ from call to call, labels follow all the same, and nothing else is said."""
    own = fitted(RandomForestClassifier(7, random_state=0))
    found = scorer(from_object("champion", own))
    assert isinstance(found, Scorer)
    bits = iter(range(1, 100))
    wavering = replace(found, source=lambda features: own.predict_proba(features) * (1 - next(bits) * 2**-53))
    source = Asked(from_object("champion", own), SIZES, wavering)
    assert said(source.answer(fed()))[0] == own.predict(FRUIT[SIZES]).tolist()
    assert source.notices() == ()


def test_models_fed_alike_share_what_was_decoded() -> None:
    """Models that take the same columns in the same types are fed the same memory, others their own."""
    sides = [Model(side="champion", predictor=Otherwise(zoo.linear), features=zoo.FEATURES) for _ in range(2)]
    single = Model(
        side="challenger",
        predictor=Otherwise(zoo.linear),
        features=zoo.FEATURES,
        types=dict.fromkeys(zoo.FEATURES, pa.float32()),
    )
    batch = fed()
    one, other = (batch.features(model, SIZES).give() for model in sides)
    rounded = batch.features(single, SIZES)
    assert one is not other
    assert np.shares_memory(one["width"], other["width"])
    assert not np.shares_memory(one["width"], rounded.give()["width"])
    assert [*rounded.casts] == SIZES


def test_one_wrapped_model_keeps_the_others_wrapped(tmp_path: Path) -> None:
    """Beside a Python function, whose wrapper must stay, an estimator keeps its own: latencies are of one kind."""
    import mlflow.pyfunc

    inputs = zoo.signature(width="double", height="double")
    function = from_uri("challenger", zoo.save(zoo.linear, tmp_path / "function", inputs=inputs), None)
    assert isinstance(function.predictor, mlflow.pyfunc.PyFuncModel)
    assert unwrapped(function) is None
    assert unwrapped(from_object("champion", fitted(LogisticRegression()))) is None
    returning = logged(fitted(LogisticRegression()), tmp_path / "m")
    model = from_uri("champion", returning, None)
    found = score(model, function, open_data(FRUIT), target="kind")
    again = score(unwrapped(model), function, open_data(FRUIT), target="kind")
    assert found.outcomes == again.outcomes
