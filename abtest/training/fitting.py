"""Search and fit one candidate, by scikit-learn's own search: cross-validation and refit in one."""

from __future__ import annotations

import itertools
import time
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest import wording
from abtest.errors import AbtestError
from abtest.metrics.custom import told
from abtest.training.catalogue import CATALOGUE, path_of
from abtest.training.estimators import fixed, not_repeatable, refuse_classes
from abtest.training.pipelines import ESTIMATOR, pipeline
from abtest.training.scoring import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from abtest.training.recipe import Recipe
    from abtest.training.scoring import Array
    from abtest.training.splitting import Contest, Split

_PREFIX = f"{ESTIMATOR}__"
_SAID_ELSEWHERE = "One or more of the test scores are non-finite"  # fits that failed are counted
_MOST_SIZE = 300  # of a parameter that is spelled out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """What became of one candidate.

    Attributes:
        name: As the recipe names it.
        estimator: Its class, in full.
        pipeline: Fitted on all rows that are trained on; None of one that failed.
        parameters: Those that were set, and those the search chose.
        settings_tried: How many settings were cross-validated.
        by_fold: The ranking metric in its own unit, one value a fold.
        seconds: Search and fit.
        not_repeatable: Why training again may give another model.
        notices: What was warned of, counted.
        failed: Why it could not be trained.
    """

    name: str
    estimator: str
    pipeline: Any = None
    parameters: dict[str, str | int | float | bool | None]
    settings_tried: int
    by_fold: tuple[float, ...] = ()
    seconds: float
    not_repeatable: str | None
    notices: tuple[str, ...] = ()
    failed: str | None = None


def prepared(contest: Contest) -> dict[str, Any]:
    """Make each candidate's pipeline, by its name: what cannot be made is told before anything is fitted.

    Raises:
        AbtestError: An estimator does not do this task, or not with these classes, is not installed, or has no such
            parameter.
    """
    recipe, rows, given = contest.recipe, contest.rows, contest.recipe.parameters
    for name in recipe.models:
        refuse_classes(name, contest.classes)
    return {name: pipeline(name, rows.task, rows.features, given.get(name, {}), recipe.seed) for name in recipe.models}


def fitted(
    name: str,
    unfitted: Any,  # noqa: ANN401 - scikit-learn ships no types
    contest: Contest,
    progress: Callable[[str, int, int | None], None],
) -> Fitted:
    """Search, cross-validate and fit one candidate; an estimator that fails does not raise, it has failed."""
    recipe, train = contest.recipe, contest.split.train
    space = _space(name, recipe)
    tried = _size(space, recipe)
    fits = tried * recipe.folds
    done = itertools.count(1)
    what = f"Training {name}"
    scorer = Scorer(
        metric=contest.metric, classes=contest.classes, done=lambda: progress(what, min(next(done), fits), fits)
    )
    search = _search(unfitted, space, recipe, scorer, contest.split)
    progress(what, 0, fits)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        why = _fit(search, contest.features(train), contest.rows.truth[train])
    found = Fitted(
        name=name,
        estimator=path_of(name, contest.rows.task).replace(":", "."),
        parameters=fixed(recipe.parameters.get(name, {})),
        settings_tried=tried,
        seconds=time.perf_counter() - start,
        not_repeatable=not_repeatable(unfitted[ESTIMATOR]),
        notices=tuple(_about(name, warned)),
        failed=why,
    )
    if why is not None:
        return found
    chosen = {key.removeprefix(_PREFIX): _spelled(value) for key, value in search.best_params_.items()}
    return replace(
        found,
        pipeline=search.best_estimator_,
        parameters={**found.parameters, **chosen},
        by_fold=tuple(scorer.sign * value + 0.0 for value in _by_fold(search)),  # not -0.0
        not_repeatable=not_repeatable(search.best_estimator_[ESTIMATOR]),
    )


def _by_fold(search: Any) -> list[float]:  # noqa: ANN401 - scikit-learn ships no types
    """The scores of the best setting, fold by fold."""
    return [float(search.cv_results_[f"split{i}_test_score"][search.best_index_]) for i in range(search.n_splits_)]


def _fit(search: Any, features: pd.DataFrame, truth: Array) -> str | None:  # noqa: ANN401 - scikit-learn ships no types
    """Run a search; say why it failed, or return None."""
    try:
        search.fit(features, truth)
    except AbtestError as error:
        return error.message
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any library's estimator may fail in any way, and the others go on
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        if str(error).lstrip().startswith("All the ") and lines:  # scikit-learn's own; what each fit said ends it
            return wording.redacted(lines[-1].rstrip("."))
        return told(error)
    return None if np.isfinite(_by_fold(search)).all() else "no setting could be scored in every fold"


def _search(unfitted: Any, space: Mapping[str, list[Any]], recipe: Recipe, scorer: Scorer, split: Split) -> Any:  # noqa: ANN401 - see above
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV  # noqa: PLC0415 - slow to import

    named = {_PREFIX + key: values for key, values in space.items()}
    how = {"scoring": scorer, "cv": list(split.folds), "error_score": np.nan if named else "raise"}
    if recipe.search == "random" and named:
        trials = {"n_iter": _size(space, recipe), "random_state": recipe.seed}
        return RandomizedSearchCV(unfitted, named, **trials, **how)
    return GridSearchCV(unfitted, named, **how)


def _space(name: str, recipe: Recipe) -> dict[str, list[Any]]:
    """What is searched over: the recipe's lists, or else the catalogue's, without what the recipe sets."""
    if recipe.search == "none":
        return {}
    given = recipe.parameters.get(name, {})
    lists = {key: value for key, value in given.items() if isinstance(value, list)}
    if lists or name not in CATALOGUE:
        return lists
    entry = CATALOGUE[name]
    space = entry.grid if recipe.search == "grid" else entry.wide
    return {key: values for key, values in space.items() if key not in given}


def _size(space: Mapping[str, Sequence[Any]], recipe: Recipe) -> int:
    size = int(np.prod([len(values) for values in space.values()], dtype=np.int64))
    return min(size, recipe.trials) if recipe.search == "random" else size


def _about(name: str, warned: Sequence[warnings.WarningMessage]) -> list[str]:
    """Say what fits warned of, once for each place that warned, with a count."""
    found = [each for each in warned if not str(each.message).startswith(_SAID_ELSEWHERE)]
    counted = Counter((each.category, each.filename, each.lineno) for each in found)
    first = {(each.category, each.filename, each.lineno): each for each in reversed(found)}
    return [
        f"{name} warned {wording.plural(n, 'time')}: {place[0].__name__}: {_first_line(first[place])}."
        for place, n in counted.items()
    ]


def _first_line(warned: warnings.WarningMessage) -> str:
    return wording.first_line(Exception(str(warned.message)))


def _spelled(value: Any) -> str | int | float | bool | None:  # noqa: ANN401 - an estimator's parameter may be anything
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if plain is None or isinstance(plain, str | int | float | bool) else str(plain)[:_MOST_SIZE]
