"""What to train, and how, as data: a recipe in TOML, which gives the same models again.

Example:
    >>> recipe = Recipe(target="late", models=("RandomForest", "LogisticRegression"))
    >>> recipe.folds, Recipe.from_toml(recipe.to_toml()) == recipe
    (5, True)
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from abtest.errors import AbtestError, InvalidInputError, near
from abtest.labels import TASKS, Task
from abtest.metrics.catalogue import ALIASES, task_of
from abtest.settings import read_toml
from abtest.training.catalogue import spelled
from abtest.training.toml import written

Search: TypeAlias = Literal["none", "grid", "random"]
SEARCHES: tuple[Search, ...] = get_args(Search)
RANKING = (
    *("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "log_loss", "brier"),
    *("rmse", "mae", "r2"),
)  # a bias is near 0 by chance, and a cost has no place in a recipe
_MOST_SEED = 2**32 - 1  # NumPy's and scikit-learn's
_LISTS = ("models", "features", "drop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to train, and how.

    Attributes:
        target: The column with the truth.
        models: Estimators, by short name (``RandomForest``), of any case, or as ``module:Class``.
        data: The rows; in a file relative to the file's folder.
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
        parameters: By estimator; a list is what to search over, else it is set. Where lists are given, nothing else is
            searched.

    Raises:
        InvalidInputError: A value is outside its range, or the values contradict each other.

    Example:
        >>> Recipe(target="late", models=("randomforest",)).models
        ('RandomForest',)
        >>> Recipe(target="late", models=("RandomForrest",))
        Traceback (most recent call last):
        abtest.errors.InvalidInputError: models has no estimator 'RandomForrest'. Hint: did you mean 'RandomForest'?
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
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("target", "data", "unit"):
            _check_text(name, getattr(self, name), optional=name != "target")
        for name in _LISTS:
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        object.__setattr__(self, "models", _distinct("models", tuple(spelled(name) for name in self.models)))
        _check_choice("task", self.task, TASKS)
        _check_choice("search", self.search, SEARCHES)
        self._check_columns()
        self._check_numbers()
        self._check_metric()
        object.__setattr__(self, "parameters", self._read_parameters())

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a recipe from its file; its data are relative to the file's folder.

        Raises:
            NotFoundError: There is no such file.
            InvalidInputError: Not TOML, an unknown key, or a value that is not allowed.
        """
        path = Path(path)
        recipe = cls.from_mapping(read_toml(path), source=path.name)
        if recipe.data is None or "://" in recipe.data:
            return recipe
        return replace(recipe, data=str(path.parent / Path(recipe.data).expanduser()))

    @classmethod
    def from_toml(cls, text: str, *, source: str = "recipe") -> Recipe:
        """Read a recipe from TOML; ``source`` names it in messages.

        Raises:
            InvalidInputError: Not TOML, an unknown key, or a value that is not allowed.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidInputError(f"{source} is not TOML: {error}.") from error
        return cls.from_mapping(table, source=source)

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any], *, source: str = "recipe") -> Recipe:
        """Read a recipe from a table, refusing keys that mean nothing.

        Raises:
            InvalidInputError: An unknown key, one that is missing, or a value that is not allowed.
        """
        known = [each.name for each in fields(cls)]
        for key in table:
            if key not in known:
                raise InvalidInputError(
                    f"{source}: unknown key '{key}'.", hint=near(key, known) or f"known are {', '.join(known)}."
                )
        for key in ("target", "models"):
            if key not in table:
                raise InvalidInputError(
                    f"{source}: {key} is missing.",
                    hint='target = "column"' if key == "target" else 'models = ["RandomForest", "LogisticRegression"]',
                )
        try:
            return cls(**table)
        except AbtestError as error:
            raise InvalidInputError(f"{source}: {error.message}", hint=error.hint) from None

    def to_toml(self) -> str:
        """Spell the recipe as TOML; what is None is left out. ``Recipe.from_toml(it.to_toml()) == it``."""
        return written({name: value for name, value in asdict(self).items() if value is not None})

    @property
    def digest(self) -> str:
        """Sixteen hex digits that name this recipe's content, whatever data it is given."""
        plain = {name: value for name, value in asdict(self).items() if name != "data"}
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def _check_columns(self) -> None:
        if self.features is not None and not self.features:
            raise InvalidInputError("features must name a column, got none.", hint="leave it out to take all columns.")
        for name, columns in (("features", self.features or ()), ("drop", self.drop)):
            for what, other in (("target", self.target), ("unit", self.unit)):
                if other in columns:
                    raise InvalidInputError(
                        f"{name} must not hold the {what} '{other}'.", hint="it is never a feature."
                    )
        both = next((column for column in self.drop if column in (self.features or ())), None)
        if both is not None:
            raise InvalidInputError(f"drop and features both hold '{both}'.", hint="keep one.")
        if self.unit == self.target:
            raise InvalidInputError(f"unit must not be the target '{self.target}'.")

    def _check_numbers(self) -> None:
        holdout: Any = self.holdout  # from TOML it may be anything
        if not _is_number(holdout) or not 0 < holdout <= 0.5:
            raise InvalidInputError(f"holdout must be in (0, 0.5], got {holdout!r}.", hint="0.2 holds out a fifth.")
        object.__setattr__(self, "holdout", float(holdout))
        for name, least, most in (("folds", 2, None), ("trials", 1, None), ("seed", 0, _MOST_SEED)):
            given: Any = getattr(self, name)
            if not isinstance(given, int) or isinstance(given, bool):
                raise InvalidInputError(f"{name} must be a whole number, got {given!r}.")
            if given < least or (most is not None and given > most):
                rule = f"at least {least}" if most is None else f"in [{least}, {most}]"
                raise InvalidInputError(f"{name} must be {rule}, got {given}.")

    def _check_metric(self) -> None:
        given: Any = self.metric  # from TOML it may be anything
        if given is None:
            return
        metric = ALIASES.get(given, given) if isinstance(given, str) else given
        _check_choice("metric", metric, RANKING)
        if self.task is not None and task_of([metric]) != self.task:
            others = ", ".join(name for name in RANKING if task_of([name]) == self.task)
            raise InvalidInputError(f"metric must be of {self.task}, got {metric}.", hint=f"one of {others}.")
        object.__setattr__(self, "metric", metric)

    def _read_parameters(self) -> dict[str, dict[str, Any]]:
        given: Any = self.parameters  # from TOML it may be anything
        if not isinstance(given, Mapping) or not all(isinstance(table, Mapping) for table in given.values()):
            raise InvalidInputError(
                "parameters must be tables by estimator.", hint=f"write [parameters.{self.models[0]}]."
            )
        read = {}
        for model, table in given.items():
            name = _model_of(model, self.models)
            read[name] = {key: _parameter(f"{name}'s {key}", value) for key, value in table.items()}
            searched = next((key for key, value in read[name].items() if isinstance(value, list)), None)
            if searched is not None and self.search == "none":
                raise InvalidInputError(
                    f"{name}'s {searched} is a list, which is searched over, and search is none.",
                    hint='search = "grid", or give one value.',
                )
        return read


def _model_of(name: str, models: tuple[str, ...]) -> str:
    found = next((model for model in models if model == name or model.lower() == str(name).lower()), None)
    if found is None:
        raise InvalidInputError(
            f"parameters has '{name}', which is not among models ({', '.join(models)}).", hint=near(name, models)
        )
    return found


def _parameter(what: str, value: Any) -> Any:  # noqa: ANN401 - an estimator's parameter may be anything plain
    if isinstance(value, list | tuple):
        if not value:
            raise InvalidInputError(f"{what} must list a value to try, got none.")
        return [_parameter(what, each) for each in value]
    if not isinstance(value, str | int | float | bool):
        raise InvalidInputError(f"{what} must be a number, text, true or false, or a list of those, got {value!r}.")
    return value


def _names(name: str, given: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - from TOML it may be anything
    if given is None and name == "features":
        return None
    if not isinstance(given, tuple | list) or not all(isinstance(each, str) and each for each in given):
        raise InvalidInputError(f"{name} must be a list of names, got {given!r}.")
    if name == "models" and not given:
        raise InvalidInputError("models must name an estimator, got none.", hint='models = ["RandomForest"]')
    return _distinct(name, tuple(given))


def _distinct(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((each for i, each in enumerate(given) if each in given[:i]), None)
    if twice is not None:
        raise InvalidInputError(f"{name} must not repeat, got '{twice}' twice.")
    return given


def _check_text(name: str, given: Any, *, optional: bool) -> None:  # noqa: ANN401 - from TOML it may be anything
    if (given is None and optional) or (isinstance(given, str) and given.strip()):
        return
    raise InvalidInputError(f"{name} must be a name, got {given!r}.")


def _check_choice(name: str, given: object, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise InvalidInputError(
            f"{name} must be one of {', '.join(known)}, got {given!r}.", hint=near(str(given), known)
        )


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)
