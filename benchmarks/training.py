"""What does `abtest train` add to scikit-learn's own search and fit?

A file of 20 features, from which rows are held out; each candidate is searched over its grid by cross-validation in
five folds, and fitted. It is held against scikit-learn's own GridSearchCV of the same pipelines over the same settings
and folds, of rows that are in memory: nothing is read, split, ranked or held out there. Ours does all that too, down
to the intervals between the candidates; both find settings of the same scores.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from sklearn.model_selection import GridSearchCV

from abtest.training.data import read
from abtest.training.fitting import prepared
from abtest.training.pipelines import ESTIMATOR
from abtest.training.recipe import Recipe
from abtest.training.splitting import Contest, split
from abtest.training.training import Trained, fit
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim
from benchmarks.scoring import frame
from benchmarks.spelling import rows_text
from benchmarks.timing import Calls, compare, interleaved

_OWN = "scikit-learn's GridSearchCV, rows in memory"
_GRIDS: dict[str, dict[str, list[Any]]] = {
    "LogisticRegression": {"C": [0.01, 0.1, 1.0, 10.0]},
    "HistGradientBoosting": {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 31]},
    "RandomForest": {"min_samples_leaf": [1, 10]},
}


def main(*, quick: bool = False) -> None:
    """Measure all of them, then each alone."""
    rows = 200 if quick else 20_000
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.parquet"
        frame(rows, seed=1).to_parquet(path)
        for models in (("LogisticRegression",),) if quick else ((*_GRIDS,), *((name,) for name in _GRIDS)):
            grids = {name: _GRIDS[name] for name in models}
            recipe = Recipe(target="y", models=models, search="grid", folds=2 if quick else 5, parameters=grids)
            _measure(path, recipe, rows, rounds=1 if quick else 5)


def _measure(path: Path, recipe: Recipe, rows: int, *, rounds: int) -> None:
    held = read(recipe, path)
    contest = Contest(recipe=recipe, rows=held, split=split(held, recipe), metric="accuracy")
    features, truth = contest.features(contest.split.train), held.truth[contest.split.train]

    def theirs() -> dict[str, GridSearchCV]:
        found = {}
        for name, made in prepared(contest).items():
            grid = {f"{ESTIMATOR}__{key}": values for key, values in recipe.parameters[name].items()}
            search = GridSearchCV(made, grid, cv=list(contest.split.folds), scoring="accuracy")
            found[name] = search.fit(features, truth)
        return found

    _must_agree(fit(recipe, path), theirs())
    calls: Calls = {"abtest": partial(fit, recipe, path), _OWN: theirs}
    named = recipe.models[0] if len(recipe.models) == 1 else "all three"
    compare(f"{rows_text(rows)}, {named}", interleaved(calls, rounds=rounds), aims=(Aim(at_most=1.05, of=_OWN),))


def _must_agree(ours: Trained, theirs: dict[str, GridSearchCV]) -> None:
    """Both have found settings that score the same."""
    means = {it.name: it.cross_validated.mean for it in ours.record.candidates if it.cross_validated}
    must_agree([means[name] for name in theirs], [own.best_score_ for own in theirs.values()], within=1e-12)
