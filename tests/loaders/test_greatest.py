"""One pass gives labels and scores only of classifiers whose own code takes the label from the greatest score."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from abtest.loaders.models import from_object
from abtest.loaders.scores import Scorer, scorer

RNG = np.random.default_rng(0)
COLUMNS = ["a", "b", "c", "d"]
# Few distinct values, zeros among them: many rows are alike, and many lie where two classes have one score.
X = pd.DataFrame(RNG.integers(0, 3, (400, 4)).astype(float), columns=COLUMNS)
NOISE = RNG.normal(0, 1.2, 400)
TWO = np.where(X["a"] - X["b"] + NOISE > 0, "pear", "apple")
THREE = np.digitize(X["a"] + X["c"] + NOISE, [1.0, 3.0])
LABELS = {"two": TWO, "three": THREE, "truth values": TWO == "pear"}

FOLLOWING = [
    LogisticRegression(),
    LogisticRegression(fit_intercept=False),
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(loss="modified_huber", random_state=0),  # whose probabilities are often 0 and 1, or equal
    LinearDiscriminantAnalysis(),
    GaussianNB(),
    MultinomialNB(),
    BernoulliNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    RandomForestClassifier(4, random_state=0),  # four trees tie
    ExtraTreesClassifier(4, random_state=0),
    BaggingClassifier(DecisionTreeClassifier(), 4, random_state=0),
    BaggingClassifier(SVC(), 4, random_state=0),  # votes
    AdaBoostClassifier(n_estimators=4, random_state=0),
    GradientBoostingClassifier(n_estimators=4, random_state=0),
    HistGradientBoostingClassifier(max_iter=4, random_state=0),
    MLPClassifier((4,), max_iter=20, random_state=0),
    CalibratedClassifierCV(LinearSVC(), cv=2),
    VotingClassifier([("one", LogisticRegression()), ("two", GaussianNB())], voting="soft"),
    make_pipeline(StandardScaler(), LogisticRegression()),
    GridSearchCV(make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)), {}, cv=2),
    LinearSVC(),
    RidgeClassifier(),
]


class Contrary(LogisticRegression):  # type: ignore[misc] # scikit-learn ships no types
    """Predicts the less probable class."""

    def predict(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Predict."""
        return self.classes_[super().predict_proba(X).argmin(axis=1)]


class Own(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn ships no types
    """Somebody's own classifier."""

    def fit(self, X: Any, y: Any) -> Own:  # noqa: N803 - scikit-learn's name
        """Remember the classes."""
        del X
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Predict the first."""
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Believe in the last."""
        return np.tile(np.arange(len(self.classes_)) == len(self.classes_) - 1.0, (len(X), 1))


def patched() -> LogisticRegression:
    """An estimator whose own attribute stands before its class's method."""
    found = LogisticRegression()
    found.predict = lambda features: np.full(len(features), "pear")
    return found


APART = [
    SVC(probability=True, random_state=0),
    FixedThresholdClassifier(LogisticRegression(), threshold=0.8, response_method="predict_proba"),
    FixedThresholdClassifier(LogisticRegression(), threshold=0.5, response_method="predict_proba"),
    TunedThresholdClassifierCV(LogisticRegression(), cv=2),
    KNeighborsClassifier(),
    DummyClassifier(strategy="stratified", random_state=0),
    make_pipeline(StandardScaler(), SVC(probability=True, random_state=0)),
    GridSearchCV(FixedThresholdClassifier(LogisticRegression(), threshold=0.8), {}, cv=2),
    Contrary(),
    make_pipeline(Contrary()),
    Own(),
    patched(),
]


def name(estimator: Any) -> str:
    """What pytest calls it."""
    return type(estimator).__name__


def fitted(estimator: Any, y: Any) -> Any:
    """Fit, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one advises against probabilities of machines, one has not converged
        return estimator.fit(X, y)


def source(estimator: Any) -> Scorer:
    """Where its scores come from."""
    found = scorer(from_object("champion", estimator))
    assert isinstance(found, Scorer)
    return found


@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("estimator", FOLLOWING, ids=name)
def test_labels_follow(estimator: Any, y: Any) -> None:
    """Where labels follow, the greatest score's class is what predict says, bit for bit, unless two are nearly equal.

    Where they follow always, of equals the first is what it says.
    """
    model = fitted(estimator, y)
    found = scorer(from_object("champion", model))
    if not isinstance(found, Scorer):
        assert len(set(y.tolist())) > 2  # decision scores rank the rows of two classes only
        return
    scores = found.scores(X, np.arange(1, len(X) + 1))
    labels = model.predict(X)
    assert found.follows is not None
    apart = scores.labels.decoded() != labels
    if found.follows == "always" or not scores.greatest()[1]:
        assert not apart.any()
    first, second = np.sort(scores.matrix, axis=1).T[-1:-3:-1]
    assert (first - second)[apart] == pytest.approx(0, abs=64 * np.finfo(float).eps)
    assert [type(x) for x in scores.classes] == [type(x) for x in model.classes_.tolist()]


@pytest.mark.parametrize("estimator", APART, ids=name)
def test_labels_apart(estimator: Any) -> None:
    """Of thresholds, votes, machines calibrated apart, overridden methods and other people's classes nobody knows."""
    assert source(fitted(estimator, TWO)).follows is None


def test_hard_votes_have_no_probabilities() -> None:
    """A hard vote gives labels only."""
    vote = VotingClassifier([("one", LogisticRegression()), ("two", GaussianNB())], voting="hard")
    assert not isinstance(scorer(from_object("champion", fitted(vote, TWO))), Scorer)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("classes", [2, 3])
def test_near_ties(dtype: str, classes: int) -> None:
    """Values are nearly equal where a few roundings of the type they were computed in part them, and not beyond."""
    model = fitted(LogisticRegression(), TWO if classes == 2 else THREE)
    eps = float(np.finfo(dtype).eps)

    class Given:
        classes_ = model.classes_

        def predict(self, features: Any) -> Any:
            return features

        def predict_proba(self, features: Any) -> Any:
            del features
            p = np.full((1, classes), 0.1, dtype=dtype)
            p[0, :2] = 0.5, 0.5 + self.gap
            return p

        gap = 0.0

    given = Given()
    for gap, near in ((0.0, True), (4 * eps, True), (1000 * eps, False)):
        given.gap = gap
        assert source(given).scores(X[:1], np.array([1])).greatest()[1] is near
