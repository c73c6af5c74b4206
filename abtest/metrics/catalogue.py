"""Every metric by its name: those of the package, the policy's cost, and functions of the user's own."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from abtest.errors import InvalidInputError, near
from abtest.metrics import classification
from abtest.metrics.classification import Floats, Metric, Totals
from abtest.metrics.costs import COST, CostMatrix
from abtest.wording import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from abtest.wording import Unit

ALIASES = {"f1_score": "f1", "auc": "roc_auc", "brier_score": "brier"}
SCORES = ("roc_auc", "average_precision", "log_loss", "brier")  # which take probabilities
TITLES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier": "Brier score",
    COST: "Cost per row",
}
_CUSTOM = ":"
_MOST_BYTES = 32 << 20  # of confusion matrices at a time: ten thousand of 300 labels would be 7 GB


def metric_names(names: Iterable[str]) -> tuple[str, ...]:
    """Spell metric names as the catalogue does, without repeats; ``module:function`` is a metric of the user's own.

    Raises:
        InvalidInputError: A name is in no catalogue.

    Example:
        >>> metric_names(["accuracy", "f1_score"])
        ('accuracy', 'f1')
    """
    spelled = tuple(dict.fromkeys(ALIASES.get(name, name) for name in names))
    for name in spelled:
        if name not in TITLES and not _is_custom(name):
            raise InvalidInputError(
                f"metrics must be among {', '.join(TITLES)} or module:function, got {name!r}.",
                hint=near(name, [*TITLES, *ALIASES]),
            )
    return spelled


def title(name: str) -> str:
    """What a report calls a metric.

    Example:
        >>> title("f1"), title("shop.metrics:net_profit")
        ('F1', 'Net profit')
    """
    own = name.rpartition(_CUSTOM)[2].replace("_", " ").strip()
    return TITLES.get(name) or own[:1].upper() + own[1:]  # MCC keeps its capitals


def in_text(name: str) -> str:
    """What a metric is called within a sentence.

    Example:
        >>> in_text("accuracy"), in_text("f1")
        ('accuracy', 'F1')
    """
    written = title(name)
    return written if written[1:2].isupper() or written[1:2].isdigit() else written[:1].lower() + written[1:]


def unit(name: str) -> Unit:
    """Whether a metric is a share of rows, written in percent, a score around 1, or a number of its own unit."""
    if name in SCORES:
        return "score"
    return "share" if name in classification.CATALOGUE else "number"


def resolve(names: Iterable[str], costs: Mapping[str, Mapping[str, float]]) -> tuple[Metric, ...]:
    """Find those of these metrics that are functions of the table; one's own are imported here, and nowhere else.

    Raises:
        InvalidInputError: There is no such function.
    """
    own = {**classification.CATALOGUE, COST: CostMatrix(costs=costs).metric()}
    return tuple(own[name] if name in own else _custom(name) for name in names if name not in SCORES)


def _is_custom(name: str) -> bool:
    module, separator, function = name.partition(_CUSTOM)
    return bool(separator) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _custom(name: str) -> Metric:
    module, _, function = name.partition(_CUSTOM)
    here = str(Path.cwd())
    sys.path.insert(0, here)  # an installed command does not look in the folder where it is typed
    try:
        found = getattr(importlib.import_module(module), function, None)
    except (Exception, SystemExit) as error:  # the user's module may do anything while it is imported
        raise InvalidInputError(
            f"metrics: '{name}' cannot be imported: {_told(error)}.",
            hint="the module must be installed, or lie in this folder.",
        ) from error
    finally:
        sys.path.remove(here)
    if not callable(found):
        raise InvalidInputError(
            f"metrics: module {module} has no function '{function}'.", hint=near(function, dir(sys.modules[module]))
        )
    return Metric(
        name=name, whole=_checked(name, found), greater_is_better=bool(getattr(found, "greater_is_better", True))
    )


def _told(error: BaseException) -> str:
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
                f"metrics: '{name}' failed: {_told(error)}.",
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
