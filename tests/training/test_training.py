"""From rows to ranked candidates: nothing sees the hold-out, a recipe repeats, and one failure sinks no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV

from abtest.errors import InvalidInputError
from abtest.record.trained import TrainingRecord
from abtest.training.fitting import prepared
from abtest.training.recipe import Recipe
from abtest.training.training import fit

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.record.trained import Candidate

DROP = ("minutes", "how", "row")
SPY = """
import json, warnings
from sklearn.tree import DecisionTreeClassifier

class Spy(DecisionTreeClassifier):
    '''Notes which rows it is fitted on.'''

    def fit(self, x, y):
        with open("seen.jsonl", "a") as file:
            print(json.dumps([int(row) for row in x[:, 0]]), file=file)
        return super().fit(x, y)

class Exits(DecisionTreeClassifier):
    def fit(self, x, y):
        raise SystemExit(0)

class Mute(DecisionTreeClassifier):
    '''Says nothing of the rows held out, which are the 24 of 120.'''

    def predict(self, x):
        if len(x) == 24:
            raise RuntimeError("not that many")
        return super().predict(x)

class Failing(DecisionTreeClassifier):
    '''Fails where it is deep, warns where it is not.'''

    def fit(self, x, y):
        warnings.warn("rather shallow")
        if self.max_depth is None or self.max_depth > 2:
            raise RuntimeError("too deep")
        return super().fit(x, y)
"""


@pytest.fixture
def own(tmp_path: Path) -> None:
    """A module of the user's own in this folder."""
    (tmp_path / "own_models.py").write_text(SPY)


def numbers(candidate: Candidate) -> dict[str, Any]:
    """All of a candidate but how long it took, and how it stands to others."""
    known = candidate.cross_validated
    return {
        "parameters": candidate.parameters,
        "by_fold": known and known.by_fold,
        "holdout": candidate.holdout,
        "digest": candidate.prediction_digest,
    }


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("search", ["none", "grid", "random"])
def test_nothing_sees_the_holdout(visits: Path, tmp_path: Path, search: Any) -> None:
    """No row of the hold-out reaches any fit, whatever is searched; each training row does, and in every refit."""
    lists = {} if search == "none" else {"own_models:Spy": {"max_depth": [1, 3, 5]}}
    recipe = Recipe(
        target="late",
        models=("own_models:Spy",),
        features=("row", "wind"),
        unit="user",
        folds=3,
        search=search,
        trials=2,
        parameters=lists,
    )
    trained = fit(recipe, visits)
    seen = [json.loads(line) for line in (tmp_path / "seen.jsonl").read_text().splitlines()]
    held, train = set(trained.holdout["row"]), set(trained.train["row"])
    assert held
    assert held | train == set(range(120))
    assert not any(held & set(rows) for rows in seen)
    tried = {"none": 1, "grid": 3, "random": 2}[search]
    assert len(seen) == 3 * tried + 1
    assert set(seen[-1]) == train
    assert trained.record.best.settings_tried == tried
    assert not set(trained.holdout["user"]) & set(trained.train["user"])


def test_same_recipe_same_models(visits: Path) -> None:
    """A recipe written and read again gives the same numbers and predictions; another seed, another hold-out."""
    recipe = Recipe(
        target="late",
        models=("DecisionTree", "NaiveBayes"),
        drop=DROP,
        unit="user",
        search="random",
        trials=2,
        folds=3,
    )
    first, second = (fit(Recipe.from_toml(text), visits) for text in (recipe.to_toml(), recipe.to_toml()))
    assert [numbers(each) for each in first.record.candidates] == [numbers(each) for each in second.record.candidates]
    assert first.record.rows == second.record.rows
    assert first.record.recipe_digest == second.record.recipe_digest
    other = fit(Recipe(target="late", models=("DecisionTree",), drop=DROP, seed=1), visits)
    assert other.record.rows.holdout_digest != first.record.rows.holdout_digest


def test_order_of_models_changes_no_number(visits: Path) -> None:
    """Listing models in another order, or others beside them, changes no candidate's numbers."""
    one, two, three = "NaiveBayes", "DecisionTree", "KNeighbors"
    orders = [(one, two, three), (three, two, one), (two,)]
    found = [
        {
            each.name: numbers(each)
            for each in fit(Recipe(target="late", models=order, drop=DROP), visits).record.candidates
        }
        for order in orders
    ]
    assert found[0] == found[1]
    assert found[2][two] == found[0][two]


@pytest.mark.parametrize("target", ["late", "how", "minutes"])
def test_record(visits: Path, target: str) -> None:
    """The record reads as it was written; ranks ascend, the best leads, and each other is held against it."""
    drop = tuple({"late", "how", "minutes", "row"} - {target})
    trained = fit(Recipe(target=target, models=("Baseline", "DecisionTree", "KNeighbors"), drop=drop), visits)
    record = trained.record
    assert TrainingRecord.from_dict(json.loads(record.to_json())) == record
    assert [each.rank for each in record.candidates] == [1, 2, 3]
    means = [each.cross_validated.mean for each in record.candidates if each.cross_validated]
    assert means == sorted(means, reverse=target != "minutes")
    assert record.candidates[-1].name == "Baseline"
    assert record.best.holdout_rows == ()
    for each in record.candidates[1:]:
        assert {row.metric for row in each.holdout_rows} == set(each.holdout)
        for row in each.holdout_rows:
            assert (row.challenger, row.champion) == (each.holdout[row.metric], record.best.holdout[row.metric])
            assert row.n == record.rows.n_holdout
    assert record.rows.n_train + record.rows.n_holdout == 120
    assert list(trained.estimators) == [each.name for each in record.candidates]


def test_is_scikit_learn_s_search(visits: Path) -> None:
    """Fold values, the setting chosen and the fitted model are those of GridSearchCV on the same folds."""
    from abtest.training.data import read
    from abtest.training.splitting import Contest, split

    recipe = Recipe(
        target="late",
        models=("DecisionTree",),
        drop=DROP,
        search="grid",
        parameters={"DecisionTree": {"max_depth": [1, 2, 4], "min_samples_leaf": 2}},
    )
    (found,) = fit(recipe, visits).record.candidates
    rows = read(recipe, visits)
    contest = Contest(recipe=recipe, rows=rows, split=split(rows, recipe), metric="accuracy")
    train = contest.split.train
    theirs = GridSearchCV(
        prepared(contest)["DecisionTree"],
        {"estimator__max_depth": [1, 2, 4]},
        cv=list(contest.split.folds),
        scoring="accuracy",
    ).fit(contest.features(train), rows.truth[train])
    assert found.parameters == {"max_depth": theirs.best_params_["estimator__max_depth"], "min_samples_leaf": 2}
    assert found.cross_validated is not None
    assert found.cross_validated.by_fold == tuple(
        float(theirs.cv_results_[f"split{i}_test_score"][theirs.best_index_]) for i in range(5)
    )
    holdout = contest.features(contest.split.holdout)
    assert found.holdout["accuracy"] == np.mean(theirs.predict(holdout) == rows.truth[contest.split.holdout])


@pytest.mark.usefixtures("own")
def test_one_failure_sinks_no_other(visits: Path) -> None:
    """A candidate that fails is told with its reason, last and without rank; warnings are counted, none is shown."""
    recipe = Recipe(target="late", models=("own_models:Failing", "DecisionTree"), drop=DROP)
    good, bad = fit(recipe, visits).record.candidates
    assert (good.rank, good.name) == (1, "DecisionTree")
    assert (bad.rank, bad.failed, bad.cross_validated, bad.holdout) == (None, "RuntimeError: too deep", None, {})
    searched = Recipe(
        target="late",
        models=("own_models:Failing",),
        drop=DROP,
        search="grid",
        parameters={"own_models:Failing": {"max_depth": [1, 2, 3]}},
    )
    record = fit(searched, visits).record
    assert record.best.parameters["max_depth"] in {1, 2}
    assert "own_models:Failing warned 16 times: UserWarning: rather shallow." in record.notices
    with pytest.raises(InvalidInputError, match=r"No candidate could be trained; own_models:Failing: .*too deep"):
        fit(Recipe(target="late", models=("own_models:Failing",), drop=DROP), visits)
    deep = {"own_models:Failing": {"max_depth": [3, 4]}}
    with pytest.raises(InvalidInputError, match=r"No candidate could be trained; own_models:Failing: .*too deep"):
        fit(Recipe(target="late", models=("own_models:Failing",), drop=DROP, search="grid", parameters=deep), visits)


@pytest.mark.usefixtures("own")
def test_what_cannot_predict_the_holdout_has_failed(visits: Path, frame: pd.DataFrame) -> None:
    """A candidate that ends the program, gives no class, or fails on the rows held out sinks no other either."""
    models = ("own_models:Exits", "own_models:Mute", "sklearn.ensemble:AdaBoostRegressor", "DecisionTree")
    good, *bad = fit(Recipe(target="late", models=models, drop=DROP, folds=2), visits).record.candidates
    assert (good.rank, good.name, good.holdout_rows) == (1, "DecisionTree", ())
    assert [each.rank for each in bad] == [None] * 3
    said = [str(each.failed) for each in bad]
    assert said[:2] == ["SystemExit: 0", "on the hold-out: RuntimeError: not that many"]
    assert said[2].startswith("on the hold-out: it predicts 0.")
    assert said[2].endswith(", which is no class.")
    nearly = frame.assign(twice=frame["row"].clip(lower=frame["row"].min() + 1))  # one class of two rows, else of one
    with pytest.raises(InvalidInputError, match="it predicts no class that the rows held out have"):
        fit(Recipe(target="twice", models=("Baseline",), features=("wind",)), nearly)  # type: ignore[arg-type] # any data


def test_rows_on_both_sides_are_told(frame: pd.DataFrame) -> None:
    """Rows held out that were trained on too are counted, as a rewritten file may hold every row twice."""
    recipe = Recipe(target="late", models=("Baseline",), drop=DROP)
    assert not any("also among" in said for said in fit(recipe, frame).record.notices)  # type: ignore[arg-type] # any data
    twice = pd.concat([frame, frame], ignore_index=True)
    trained = fit(recipe, twice)  # type: ignore[arg-type] # see above
    shared = trained.holdout.merge(trained.train.drop_duplicates(), how="inner")
    assert f"{len(shared)} rows of the 48 held out are also among" in " ".join(trained.record.notices)


def test_metric_without_probabilities(visits: Path) -> None:
    """A model that has no probabilities cannot be ranked by log loss, and says so; by area it can."""
    both = ("SVM_Linear", "KNeighbors")
    record = fit(Recipe(target="late", models=both, drop=DROP, metric="log_loss"), visits).record
    assert record.candidates[1].failed == "log_loss needs probabilities, and predict_proba is not there."
    record = fit(Recipe(target="late", models=both, drop=DROP, metric="roc_auc"), visits).record
    assert all(each.rank and 0.5 < each.holdout["roc_auc"] <= 1 for each in record.candidates)


def test_metric_tells_the_task(visits: Path) -> None:
    """Whole numbers are predicted as numbers where such a metric ranks; a continuous truth has no accuracy."""
    record = fit(Recipe(target="late", models=("DecisionTree",), drop=DROP, metric="rmse"), visits).record
    assert (record.task, record.metric) == ("regression", "rmse")
    with pytest.raises(InvalidInputError, match=r"DecisionTree: r2 needs a truth that varies in every fold\.$"):
        fit(Recipe(target="minutes", models=("DecisionTree",), metric="r2", features=("wind",), folds=96), visits)
    with pytest.raises(InvalidInputError, match="Target 'minutes' is continuous, and classification needs classes"):
        fit(Recipe(target="minutes", models=("DecisionTree",), metric="accuracy"), visits)


def test_units(visits: Path) -> None:
    """Where rows come in units the hold-out's tests are by unit; what takes scores has a value there, and no test."""
    recipe = Recipe(target="late", models=("DecisionTree", "Baseline"), drop=DROP, unit="user", metric="roc_auc")
    record = fit(recipe, visits).record
    assert all("roc_auc" in each.holdout for each in record.candidates)
    rows = {row.metric: row for row in record.candidates[1].holdout_rows}
    assert rows["accuracy"].test == "by unit"
    assert "roc_auc" not in rows
    assert [each.what for each in record.skipped] == [
        "roc_auc of DecisionTree on the hold-out",
        "roc_auc of Baseline on the hold-out",
    ]


def test_progress(visits: Path) -> None:
    """Progress counts the fits of the cross-validation, candidate by candidate, up to their number."""
    told: list[tuple[str, int, int | None]] = []
    recipe = Recipe(
        target="late",
        models=("DecisionTree", "Baseline"),
        drop=DROP,
        search="grid",
        parameters={"DecisionTree": {"max_depth": [1, 2]}},
        folds=3,
    )
    fit(recipe, visits, progress=lambda *each: told.append(each))
    assert told == [
        *(("Training DecisionTree", done, 6) for done in range(7)),
        *(("Training Baseline", done, 3) for done in range(4)),
    ]


def test_a_frame_is_data_too(frame: pd.DataFrame, visits: Path) -> None:
    """A data frame gives the models that its file gives."""
    recipe = Recipe(target="late", models=("DecisionTree",), drop=DROP)
    (ours,), (theirs,) = (fit(recipe, data).record.candidates for data in (frame, visits))  # type: ignore[arg-type] # any data
    assert ours.prediction_digest == theirs.prediction_digest
