"""Metrics of the user's own: a function of confusion matrices, or of the truth and the prediction of each row."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError, near
from abtest.metrics.classification import Metric
from abtest.metrics.costs import PairLosses
from abtest.stats.moments import MOST
from abtest.wording import first_line

if TYPE_CHECKING:
    from types import ModuleType

    from abtest.metrics.totals import Floats, SideCells, Totals

CUSTOM = ":"  # between the module and the function
_BY_ROW = ["y_true", "y_pred"]  # what a function of rows calls what it takes
_MOST_BYTES = 32 << 20  # of confusion matrices at a time: ten thousand of 300 labels would be 7 GB


def is_custom(name: str) -> bool:
    """Whether a name is ``module:function``."""
    module, separator, function = name.partition(CUSTOM)
    return bool(separator) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def imported(name: str, *, what: str = "metrics", kind: str = "function") -> Callable[..., object]:
    """Import a function of the user's own, ``module:function``.

    Args:
        name: Where it is.
        what: The option that names it, for messages.
        kind: What is looked for, likewise.

    Raises:
        InvalidInputError: There is no such function, or its module cannot be imported.
    """
    module, _, function = name.partition(CUSTOM)
    here = str(Path.cwd())
    sys.path.insert(0, here)  # an installed command does not look in the folder where it is typed
    try:
        found = getattr(importlib.import_module(module), function, None)
    except (Exception, SystemExit) as error:  # the user's module may do anything while it is imported
        raise InvalidInputError(
            f"{what}: '{name}' cannot be imported: {told(error)}.",
            hint="the module must be installed, or lie in this folder.",
        ) from error
    finally:
        sys.path.remove(here)
    if not callable(found):
        raise InvalidInputError(
            f"{what}: module {module} has no {kind} '{function}'.",
            hint=near(function, _functions(sys.modules[module])),
        )
    return cast("Callable[..., object]", found)


def _functions(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if callable(value)]


def custom_metric(name: str) -> Metric:
    """Import a metric: a function of ``(y_true, y_pred)`` gives a loss a row, any other is given the tables.

    A loss is better when less, unless the function has ``greater_is_better = True``; another metric the other way
    about.

    Raises:
        InvalidInputError: There is no such function.
    """
    found = imported(name)
    if is_by_row(found):
        loss = custom_loss(name)
        means = pair_losses(loss)
        return Metric(name=name, whole=means.overall, by_class=means.by_class, greater_is_better=loss.greater_is_better)
    return Metric(
        name=name, whole=_checked(name, found), greater_is_better=bool(getattr(found, "greater_is_better", True))
    )


def told(error: BaseException) -> str:
    """An error of the user's own: its type and first line, or its type alone where it says nothing."""
    kind, said = type(error).__name__, first_line(error)
    return kind if said == kind else f"{kind}: {said}"


def _checked(name: str, function: Callable[..., object]) -> Callable[[Totals], Floats]:
    """Wrap a function of confusion matrices, shape (..., labels, labels), and the labels; it gives shape (...)."""

    def of_tables(of: Totals) -> Floats:
        tables = of.confusion.view()
        tables.flags.writeable = False  # other metrics read the same tables
        try:
            values = np.asarray(function(tables, of.labels), dtype=np.float64)
        except (Exception, SystemExit) as error:  # whatever the user's function does
            raise InvalidInputError(
                f"metrics: '{name}' failed: {told(error)}.",
                hint="it is given confusion matrices of shape (..., labels, labels), and the labels.",
            ) from error
        shape = of.weights.shape[:-1]
        if values.shape != shape:
            raise InvalidInputError(
                f"metrics: '{name}' must return one number a table, of shape {shape}, got {values.shape}.",
                hint="sum over the last two axes: confusion.sum(axis=(-2, -1)).",
            )
        if not np.isfinite(values).all():
            raise InvalidInputError(f"metrics: '{name}' must return finite numbers.", hint="say what 0/0 is to be.")
        return values

    def whole(of: Totals) -> Floats:
        at_once = max(1, _MOST_BYTES // (8 * len(of.labels) ** 2))
        if of.weights.ndim == 1 or len(of.weights) <= at_once:
            return of_tables(of)
        starts = range(0, len(of.weights), at_once)
        return np.concatenate([of_tables(replace(of, weights=of.weights[i : i + at_once])) for i in starts])

    return whole


def is_by_row(function: Callable[..., object]) -> bool:
    """Whether a function takes the truth and the prediction of rows, as its parameters' names say.

    Example:
        >>> is_by_row(lambda y_true, y_pred: y_true != y_pred), is_by_row(lambda confusion, labels: 0)
        (True, False)
    """
    try:
        return list(inspect.signature(function).parameters)[:2] == _BY_ROW
    except (TypeError, ValueError):  # some built-in functions have no signature
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomLoss:
    """A loss of the user's own, row by row; its mean is the metric.

    Attributes:
        name: As the policy names it, ``module:function``.
        function: Takes truth and predictions, each of shape (rows,); gives as many losses.
        greater_is_better: Whether more of it is better.

    Example:
        >>> late = CustomLoss(name="shop:late", function=lambda y, said: np.maximum(y - said, 0))
        >>> late.rows(np.array([1.0, 5.0]), np.array([2.0, 3.0])).tolist()
        [0.0, 2.0]
    """

    name: str
    function: Callable[..., object]
    greater_is_better: bool = False

    def rows(self, y_true: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> Floats:
        """Each row's loss, shape (rows,).

        Raises:
            InvalidInputError: The function fails, or gives something else than a finite number a row.
        """
        given = [column.view() for column in (y_true, predicted)]
        for column in given:
            column.flags.writeable = False  # other losses read the same columns
        try:
            losses = np.asarray(self.function(*given), dtype=np.float64)
        except (Exception, SystemExit) as error:  # whatever the user's function does
            raise InvalidInputError(
                f"metrics: '{self.name}' failed: {told(error)}.",
                hint="it is given the truth and one side's predictions, each of shape (rows,).",
            ) from error
        if losses.shape != y_true.shape:
            raise InvalidInputError(
                f"metrics: '{self.name}' must return one loss a row, of shape {y_true.shape}, got {losses.shape}.",
                hint="leave the mean to the comparison.",
            )
        if not (np.abs(losses) <= MOST).all():  # NaN neither
            raise InvalidInputError(
                f"metrics: '{self.name}' must return finite numbers.", hint="say what the loss of such a row is to be."
            )
        return losses


def custom_loss(name: str) -> CustomLoss:
    """Import a loss of rows, which is better when less unless the function has ``greater_is_better = True``.

    Raises:
        InvalidInputError: There is no such function.
    """
    found = imported(name)
    return CustomLoss(name=name, function=found, greater_is_better=bool(getattr(found, "greater_is_better", False)))


def pair_losses(loss: CustomLoss) -> PairLosses:
    """Means of a loss that takes labels, of as many rows as there are pairs of truth and prediction."""

    def of_pairs(cells: SideCells) -> Floats:
        labels = np.array(cells.labels)  # of one type
        return loss.rows(labels[cells.pairs.truth], labels[cells.pairs.said])

    return PairLosses(of_pairs)
