"""What ranks: on the same rows each metric is the one that the evaluation reports, turned so that greater is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from abtest.errors import NotApplicableError
from abtest.metrics.catalogue import task_of
from abtest.training.recipe import RANKING, Recipe
from abtest.training.scoring import LESS_IS_BETTER, Scorer, scores_of
from abtest.training.training import fit

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = {"classification": ("late", "how"), "regression": ("minutes",)}
CASES = [(metric, target) for metric in RANKING for target in TARGETS[task_of([metric]) or ""]]


@pytest.mark.parametrize(("metric", "target"), CASES)
def test_is_the_evaluation_s(visits: Path, metric: str, target: str) -> None:
    """Ranking computes a metric of two classes, of three, and of numbers as the evaluation of the hold-out does."""
    others = {"late", "how", "minutes", "user", "row"} - {target}
    models = ("DecisionTree", "KNeighbors")
    trained = fit(Recipe(target=target, models=models, drop=tuple(others), metric=metric, folds=2), visits)
    truth = trained.holdout[target].to_numpy()
    features = trained.holdout[list(trained.record.rows.features)]
    classes = () if target == "minutes" else np.unique(truth).tolist()
    scorer = Scorer(metric=metric, classes=classes)
    for candidate in trained.record.candidates:
        value = scorer.sign * scorer(trained.estimators[candidate.name], features, truth)
        assert value == pytest.approx(candidate.holdout[metric], rel=1e-12)
    (row,) = [row for row in trained.record.candidates[1].holdout_rows if row.metric == metric]
    assert row.champion == trained.record.best.holdout[metric]
    assert row.greater_is_better == (metric not in LESS_IS_BETTER)


def test_areas_and_losses_are_scikit_learn_s() -> None:
    """Area, average precision and losses of two classes are scikit-learn's scorers' values."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = (x[:, 0] + rng.normal(size=80) > 0).astype(int)
    model = LogisticRegression().fit(x[:40], y[:40])
    theirs = {
        "roc_auc": "roc_auc",
        "average_precision": "average_precision",
        "log_loss": "neg_log_loss",
        "brier": "neg_brier_score",
        "accuracy": "accuracy",
        "f1": "f1_macro",
    }
    for ours, their in theirs.items():
        value = Scorer(metric=ours, classes=(0, 1))(model, x[40:], y[40:])
        assert value == pytest.approx(metrics.get_scorer(their)(model, x[40:], y[40:]), rel=1e-12)


def test_without_probabilities() -> None:
    """A model without probabilities has an area by its decision function, and no log loss."""
    x = np.arange(20.0)[:, None]
    y = (x[:, 0] > 9).astype(int)
    model = LinearSVC(max_iter=100_000).fit(x / 20, y)
    assert Scorer(metric="roc_auc", classes=(0, 1))(model, x, y) == 1
    with pytest.raises(NotApplicableError, match="log_loss needs probabilities"):
        Scorer(metric="log_loss", classes=(0, 1))(model, x, y)


def test_classes_that_a_fit_has_not_seen() -> None:
    """A class that was not in the rows a model was fitted on is given nothing, in its own column."""
    model = LogisticRegression().fit([[0.0], [1.0]], ["ant", "cat"])
    kind, matrix = scores_of(model, [[0.2]], ["ant", "bee", "cat"])
    assert kind == "probability"
    assert matrix[0, 1] == 0
    assert matrix[0, [0, 2]].tolist() == model.predict_proba([[0.2]])[0].tolist()
