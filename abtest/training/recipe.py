"""What to train, and how, as data: a recipe in TOML, which gives the same models again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from abtest.labels import Task

Search: TypeAlias = Literal["none", "grid", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to train, and how.

    Attributes:
        target: The column with the truth.
        models: Estimators, by short name (``RandomForest``) or as ``module:Class``.
        data: The rows; relative to the recipe's folder.
        task: Classes or numbers; None to find out from the truth.
        features: Columns the models take; None for every column but the target, the unit and those dropped.
        drop: Columns they do not take.
        unit: Column of what belongs together: hold-out and folds part between units.
        holdout: Share of the rows, or units, that are held out.
        folds: Of the cross-validation.
        search: Whether, and how, parameters are searched.
        trials: Settings that a random search tries, an estimator.
        metric: What ranks: a name of the catalogue; None for accuracy, or RMSE.
        seed: Of the split, the folds, the search and the estimators.
        parameters: By estimator; a list is what to search over, else it is set.
    """

    target: str
    models: tuple[str, ...]
    data: str | None = None
    task: Task | None = None
    features: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    unit: str | None = None
    holdout: float = 0.2
    folds: int = 5
    search: Search = "none"
    trials: int = 20
    metric: str | None = None
    seed: int = 0
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
