"""What is asked with an array is only what is known to look at values; the quick ways are the estimators' own sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OrdinalEncoder, StandardScaler

from abtest.live.serving.bare import bare
from abtest.live.serving.quick import FEW
from tests.live import models

FEATURES = models.doubles()
ARRAY = FEATURES.to_numpy()
NAMES = tuple(FEATURES.columns)
TRUTH = np.where(ARRAY[:, 0] > 0, "yes", "no")
THREE = np.digitize(ARRAY[:, 0], [-0.5, 0.5])

QUICK = {
    "logistic": (LogisticRegression(), TRUTH),
    "of three": (LogisticRegression(), THREE),
    "scaled": (make_pipeline(StandardScaler(), SGDClassifier(random_state=0)), THREE),
    "scaled twice": (make_pipeline(MinMaxScaler(), StandardScaler(with_std=False), LinearRegression()), ARRAY[:, 1]),
    "forest": (RandomForestClassifier(9, random_state=0), THREE),
    "extra trees": (ExtraTreesClassifier(9, bootstrap=True, class_weight="balanced", random_state=0), TRUTH),
    "regression forest": (RandomForestRegressor(9, random_state=0), ARRAY[:, 1]),
    "scaled neighbours": (make_pipeline(StandardScaler(), KNeighborsClassifier()), THREE),
    "boosting": (HistGradientBoostingClassifier(max_iter=5), THREE),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
@pytest.mark.parametrize("which", QUICK)
def test_quick_ways_to_the_last_bit(which: str, dtype: str) -> None:
    """A quick way computes what the estimator computes from the same array, bit for bit, in one row or several."""
    estimator, truth = QUICK[which]
    estimator.fit(FEATURES, truth)
    quick, plain = bare(estimator, NAMES, 3)
    rng = np.random.default_rng(0)
    for size in (1, 2, FEW, FEW + 1):
        for _ in range(5):
            rows = rng.normal(0, 30, (size, 3)).astype(dtype)
            given = rows.copy()
            np.testing.assert_array_equal(quick(rows), plain(rows), strict=True)
            np.testing.assert_array_equal(rows, given)  # and what it was given is as it was


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e308])
@pytest.mark.parametrize("which", QUICK)
def test_quick_ways_of_what_is_not_finite(which: str, odd: float) -> None:
    """What is not finite, or overflows on the way, is answered or refused as the estimator does it."""
    estimator, truth = QUICK[which]
    quick, plain = bare(estimator.fit(FEATURES, truth), NAMES, 3)
    rows = np.array([[odd, odd, 0.5]])
    with np.errstate(all="ignore"):
        answers = [_asked(way, rows) for way in (quick, plain)]
    assert answers[0] == answers[1]


def test_an_estimator_is_left_as_it_was() -> None:
    """The names that an estimator was fitted with are left out of a copy, not of itself, and nothing warns."""
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(FEATURES, TRUTH)
    for way in bare(estimator, NAMES, 3):
        assert way(ARRAY[:2]).tolist() == estimator.predict(FEATURES[:2]).tolist()
    assert estimator.feature_names_in_.tolist() == [*NAMES]


def _fitted(estimator: Any) -> Any:
    return estimator.fit(FEATURES, TRUTH)


def _changed() -> Any:
    estimator = _fitted(LogisticRegression())
    estimator.predict = lambda features: features
    return estimator


UNKNOWN = {
    "a function": _fitted(make_pipeline(FunctionTransformer(), LogisticRegression())),
    "an encoder": _fitted(make_pipeline(OrdinalEncoder(), LogisticRegression())),
    "a union": _fitted(make_pipeline(make_union(StandardScaler()), LogisticRegression())),
    "a pipeline within": _fitted(make_pipeline(make_pipeline(StandardScaler()), LogisticRegression())),
    "a search": _fitted(GridSearchCV(LogisticRegression(), {"C": [1]})),
    "a vote": _fitted(VotingClassifier([("a", LogisticRegression())])),
    "a calibration": _fitted(CalibratedClassifierCV(LogisticRegression())),
    "frames between": _fitted(make_pipeline(StandardScaler(), LogisticRegression()).set_output(transform="pandas")),
    "in place": make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(FEATURES.copy(), TRUTH),
    "a changed one": _changed(),
    "categories": _fitted(HistGradientBoostingClassifier(max_iter=2, categorical_features=[0])),
    "not fitted": LogisticRegression(),
    "no estimator": object(),
}  # fmt: skip


@pytest.mark.parametrize("which", UNKNOWN)
def test_what_is_not_known(which: str) -> None:
    """What may look at names, or hand frames to what may, is not asked with an array."""
    assert bare(UNKNOWN[which], NAMES, 3) == []


def test_other_columns_than_fitted() -> None:
    """An estimator whose columns are not those of the signature, in their order, is not asked with an array."""
    estimator = _fitted(LogisticRegression())
    assert bare(estimator, NAMES[::-1], 3) == []
    assert bare(estimator, (*NAMES, "more"), 4) == []
    assert len(bare(estimator, None, 3)) == len(bare(estimator, NAMES, 3)) == 2


def _asked(way: Any, rows: Any) -> Any:
    try:
        return way(rows).tolist()
    except ValueError as error:
        return str(error)
