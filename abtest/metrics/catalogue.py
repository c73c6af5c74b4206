"""Every metric by its name: those of the package, the policy's cost, and functions of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError, near
from abtest.metrics import classification
from abtest.metrics.costs import COST, CostMatrix
from abtest.metrics.custom import CUSTOM, custom_metric, is_custom
from abtest.metrics.regression import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from abtest.labels import Task
    from abtest.metrics.classification import Metric
    from abtest.wording import Unit

ALIASES = {"f1_score": "f1", "auc": "roc_auc", "brier_score": "brier", "r2_score": "r2"}
SCORES = ("roc_auc", "average_precision", "log_loss", "brier")  # which take probabilities
DEFAULTS: dict[Task, tuple[str, ...]] = {
    "classification": ("accuracy", "precision", "recall", "f1"),
    "regression": ("rmse", "mae", "r2", "bias"),
}
DECISIVE: dict[Task, str] = {"classification": "accuracy", "regression": "rmse"}  # which the share rule tests
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
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "bias": "Bias",
}


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
        if name not in TITLES and not is_custom(name):
            raise InvalidInputError(
                f"metrics must be among {', '.join(TITLES)} or module:function, got {name!r}.",
                hint=near(name, [*TITLES, *ALIASES]),
            )
    return spelled


def task_of(names: Iterable[str]) -> Task | None:
    """Which task these metrics are of; None where all of them are the user's own.

    Raises:
        InvalidInputError: Some are of one task and some of the other.

    Example:
        >>> task_of(["accuracy", "f1"]), task_of(["rmse", "shop:loss"])
        ('classification', 'regression')
    """
    named = [name for name in names if name in TITLES]
    of_errors = [name for name in named if name in METRICS]
    if of_errors and len(of_errors) < len(named):
        other = next(name for name in named if name not in METRICS)
        raise InvalidInputError(
            f"metrics must be of one task, got {of_errors[0]} (regression) and {other} (classification).",
            hint=f"for regression: {', '.join(METRICS)}.",
        )
    if not named:
        return None
    return "regression" if of_errors else "classification"


def title(name: str) -> str:
    """What a report calls a metric.

    Example:
        >>> title("f1"), title("shop.metrics:net_profit")
        ('F1', 'Net profit')
    """
    own = " ".join(name.rpartition(CUSTOM)[2].replace("_", " ").split())
    own = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in own)  # it may steer
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
    if name in SCORES or name == "r2":
        return "score"
    return "share" if name in classification.CATALOGUE else "number"


def resolve(names: Iterable[str], costs: Mapping[str, Mapping[str, float]]) -> tuple[Metric, ...]:
    """Find those of these metrics that are functions of the table; one's own are imported here, and nowhere else.

    Raises:
        InvalidInputError: There is no such function.
    """
    own = {**classification.CATALOGUE, COST: CostMatrix(costs=costs).metric()}
    return tuple(own[name] if name in own else custom_metric(name) for name in names if name not in SCORES)
