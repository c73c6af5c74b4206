"""Recipes: read, checked, and written so that they read again."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError, NotFoundError
from abtest.training.catalogue import CATALOGUE
from abtest.training.recipe import Recipe
from abtest.training.toml import written

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
PLAIN = TEXTS | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
TABLES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(TEXTS, PLAIN | st.lists(PLAIN, max_size=3), max_size=4),
    lambda inner: st.dictionaries(TEXTS, PLAIN | inner.filter(len), max_size=3),
    max_leaves=6,
)


@given(TABLES.filter(len))
def test_written_tables_read_as_they_were(table: dict[str, Any]) -> None:
    """Python's own reader of TOML reads what was written as the table it was."""
    assert tomllib.loads(written(table)) == table


@given(
    st.builds(
        dict,
        target=st.just("y"),
        models=st.lists(st.sampled_from([*CATALOGUE, "my.own:Model"]), min_size=1, unique=True),
        data=st.none() | TEXTS.filter(str.strip),
        drop=st.lists(TEXTS.filter(lambda name: name != "y"), unique=True, max_size=3),
        holdout=st.floats(0.01, 0.5),
        folds=st.integers(2, 20),
        search=st.sampled_from(["grid", "random"]),
        metric=st.none() | st.sampled_from(["f1", "rmse", "auc"]),
        seed=st.integers(0, 2**32 - 1),
    ),
    st.dictionaries(TEXTS, PLAIN | st.lists(PLAIN, min_size=1, max_size=3), max_size=3),
)
def test_round_trip(table: dict[str, Any], parameters: dict[str, Any]) -> None:
    """A recipe written as TOML reads as itself, and has the same digest."""
    recipe = Recipe(**table, parameters={table["models"][0]: parameters} if parameters else {})
    again = Recipe.from_toml(recipe.to_toml())
    assert again == recipe
    assert again.digest == recipe.digest


def test_names_of_any_case() -> None:
    """Estimators are found in any case, in ``models`` and in ``parameters``, and spelled as the catalogue does."""
    recipe = Recipe.from_toml('target = "y"\nmodels = ["svm_rbf"]\n[parameters.SVM_rbf]\nC = 2')
    assert recipe.models == ("SVM_RBF",)
    assert recipe.parameters == {"SVM_RBF": {"C": 2}}


def test_data_are_relative_to_the_file(tmp_path: Path) -> None:
    """A recipe's data lie where its file says, wherever it is loaded from; they are no part of its digest."""
    (tmp_path / "recipe.toml").write_text('target = "y"\nmodels = ["Baseline"]\ndata = "rows/train.csv"')
    recipe = Recipe.load(tmp_path / "recipe.toml")
    assert recipe.data == str(tmp_path / "rows" / "train.csv")
    assert recipe.digest == Recipe(target="y", models=("Baseline",)).digest
    with pytest.raises(NotFoundError):
        Recipe.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("fold = 3", "unknown key 'fold'. Hint: did you mean 'folds'?"),
        ("folds = 1", "folds must be at least 2, got 1."),
        ("folds = true", "folds must be a whole number, got True."),
        ("folds = 2.5", "folds must be a whole number, got 2.5."),
        ("holdout = 0", "holdout must be in (0, 0.5], got 0."),
        ("holdout = 0.6", "holdout must be in (0, 0.5], got 0.6."),
        ("holdout = nan", "holdout must be in (0, 0.5], got nan."),
        ("seed = -1", "seed must be in [0, 4294967295], got -1."),
        ("trials = 0", "trials must be at least 1, got 0."),
        ('search = "gird"', "got 'gird'. Hint: did you mean 'grid'?"),
        ('task = "regresion"', "Hint: did you mean 'regression'?"),
        ('metric = "acuracy"', "Hint: did you mean 'accuracy'?"),
        ('metric = "bias"', "metric must be one of accuracy,"),
        ('task = "regression"\nmetric = "f1"', "metric must be of regression, got f1. Hint: one of rmse, mae, r2."),
        ("features = []", "features must name a column, got none."),
        ('features = "a"', "features must be a list of names, got 'a'."),
        ('features = ["a", "y"]', "features must not hold the target 'y'."),
        ('unit = "u"\nfeatures = ["u"]', "features must not hold the unit 'u'."),
        ('features = ["a"]\ndrop = ["a"]', "drop and features both hold 'a'."),
        ('drop = ["a", "a"]', "drop must not repeat, got 'a' twice."),
        ('unit = "y"', "unit must not be the target 'y'."),
        ("parameters.KNeighbors.p = 1", "parameters has 'KNeighbors', which is not among models (SVM_RBF)."),
        ("parameters.SVM_RBF.C = [1, 2]", "SVM_RBF's C is a list, which is searched over, and search is none. Hint:"),
        ("parameters.SVM_RBF.C = 2020-01-01", "SVM_RBF's C must be a number, text, true or false, or a list of those"),
        ("parameters.SVM_RBF = 1", "parameters must be tables by estimator. Hint: write [parameters.SVM_RBF]."),
        ("data = 1", "data must be a name, got 1."),
        ("folds = ", "recipe is not TOML"),
    ],
)
def test_refusals(line: str, told: str) -> None:
    """Each wrong value is refused in a sentence that names it, and says what to do where it can."""
    with pytest.raises(InvalidInputError) as refused:
        Recipe.from_toml(f'target = "y"\nmodels = ["SVM_RBF"]\n{line}')
    assert told in str(refused.value)
    assert str(refused.value).startswith("recipe")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('models = ["SVM_RBF"]', "target is missing."),
        ('target = "y"', "models is missing."),
        ('target = "y"\nmodels = []', "models must name an estimator, got none."),
        (
            'target = "y"\nmodels = ["randomforrest"]',
            "no estimator 'randomforrest'. Hint: did you mean 'RandomForest'?",
        ),
        ('target = "y"\nmodels = ["quite.another"]', "known are RandomForest,"),
        ('target = "y"\nmodels = ["mlp", "MLP"]', "models must not repeat, got 'MLP' twice."),
        ('target = ""\nmodels = ["MLP"]', "target must be a name, got ''."),
    ],
)
def test_what_a_recipe_must_say(text: str, told: str) -> None:
    """A recipe without target or known models is refused."""
    with pytest.raises(InvalidInputError) as refused:
        Recipe.from_toml(text)
    assert told in str(refused.value)
