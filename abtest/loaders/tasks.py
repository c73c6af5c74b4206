"""Whether models predict classes or numbers, found out from the models and from the truth."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abtest.errors import InvalidInputError
from abtest.loaders.scores import behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Task
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model

Truths: TypeAlias = Literal["continuous", "whole", "names"]
_ROWS = 10_000  # looked at; a truth that is continuous only later is refused as no class where it comes


def find_task(models: Sequence[Model], data: Dataset, target: str) -> tuple[Task, str | None]:
    """Infer the task, and say why where it is a regression.

    A continuous truth is a regression's; one of names a classification's, unless the models are regressors: then one of
    its values is no number, and is named where it comes. Whole numbers may be either: then the models tell.

    Args:
        models: All of them.
        data: Labelled rows.
        target: The column with the truth.

    Raises:
        InvalidInputError: Some models are classifiers and some regressors.
    """
    kinds: dict[Task, str] = {}
    for model in models:
        if (own := task_of_model(model)) is not None:
            kinds.setdefault(own, model.told)
    if len(kinds) > 1:
        told = " and ".join(
            f"the {name} predicts {'classes' if own == 'classification' else 'numbers'}" for own, name in kinds.items()
        )
        raise InvalidInputError(f"{told[:1].upper()}{told[1:]}.", hint="compare models of one task.")
    kind = next(iter(kinds), None)
    truth = look_at_truth(data, target)
    if kind != "classification" and truth == "continuous":
        return "regression", said_of(f"the target '{target}' is continuous")
    if kind == "regression":
        return "regression", said_of("the models are regressors")
    return "classification", None


def said_of(why: str) -> str:
    """Say that a regression was inferred."""
    return (
        f"Truth and predictions are compared as numbers (regression), as {why}; --task classification takes them for "
        "classes."
    )


def task_of_model(model: Model) -> Task | None:
    """What a model says of itself, as scikit-learn's estimators and their like do; None where it does not."""
    predictor: Any = model.predictor
    try:
        raw = behind(predictor) if hasattr(predictor, "unwrap_python_model") else predictor
        if raw is None or "sklearn" not in sys.modules:  # whoever holds such an estimator has imported it
            return None
        from sklearn.base import is_classifier, is_regressor  # noqa: PLC0415 - see above

        if is_classifier(raw):
            return "classification"
        return "regression" if is_regressor(raw) else None
    except Exception:  # noqa: BLE001 - any library's model: then it says nothing
        return None


def look_at_truth(data: Dataset, target: str) -> Truths:
    """Look at the first rows of the truth."""
    types = {target: pa.string()} if data.is_text else {}
    column = next((batch.column(target) for batch in data.batches([target], types, rows=_ROWS)), None)
    return "whole" if column is None else kind_of_truth(column, is_text=data.is_text)


def kind_of_truth(column: pa.Array, *, is_text: bool) -> Truths:
    """Whether a column holds numbers with fractions, whole numbers, or names.

    Args:
        column: Of any type.
        is_text: It comes from a text format, where numbers are text.

    Example:
        >>> kind_of_truth(pa.array([1.5, None]), is_text=False), kind_of_truth(pa.array(["1", "2"]), is_text=True)
        ('continuous', 'whole')
        >>> kind_of_truth(pa.array(["1", "2"]), is_text=False)
        'names'
    """
    kind = column.type
    if pa.types.is_string(kind) and is_text:
        try:
            column = pc.cast(pc.utf8_trim_whitespace(column), pa.float64())
        except pa.ArrowInvalid:
            return "names"
    elif pa.types.is_decimal(kind):
        column = pc.cast(column, pa.float64(), safe=False)
    elif pa.types.is_integer(kind):
        return "whole"
    elif not pa.types.is_floating(kind):
        return "names"
    numbers = column.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    return "whole" if (numbers == np.floor(numbers)).all() else "continuous"
