"""Whether models predict classes or numbers, found out from the models and from the truth."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from abtest.errors import InvalidInputError
from abtest.loaders.scores import behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Task
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model

Truths: TypeAlias = Literal["continuous", "whole", "many whole", "names"]
_MOST_CLASSES_TAKEN = 20  # whole numbers, beyond which it is said that they are taken for classes
_MANY_WHOLE = (
    "Truth and predictions are taken for classes, as the truth is whole numbers; --task regression compares them as "
    "numbers."
)
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
    kind = _agreed(models)
    truth = look_at_truth(data, target)
    if kind != "classification" and truth == "continuous":
        return "regression", said_of(f"the target '{target}' is continuous")
    if kind == "regression":
        return "regression", said_of("the models are regressors")
    return "classification", None if kind else taken_for_classes(truth)


def taken_for_classes(truth: Truths) -> str | None:
    """Say that whole numbers are taken for classes, where they are many and nothing else told the task."""
    return _MANY_WHOLE if truth == "many whole" else None


def refuse_classifiers(models: Sequence[Model]) -> None:
    """Refuse classifiers where a regression was asked for: the numbers they predict are names.

    Raises:
        InvalidInputError: A model is a classifier.
    """
    if _agreed(models) == "classification":
        raise InvalidInputError(
            f"The {models[0].told} predicts classes, and a regression compares numbers.",
            hint="leave out --task, or compare regressors.",
        )


def _agreed(models: Sequence[Model]) -> Task | None:
    """What those models say of themselves that say anything."""
    kinds: dict[Task, str] = {}
    for model in models:
        if (own := task_of_model(model)) is not None:
            kinds.setdefault(own, model.told)
    if len(kinds) > 1:
        told = " and ".join(
            f"the {name} predicts {'classes' if own == 'classification' else 'numbers'}" for own, name in kinds.items()
        )
        raise InvalidInputError(f"{told[:1].upper()}{told[1:]}.", hint="compare models of one task.")
    return next(iter(kinds), None)


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
    """Whether a column holds numbers with fractions, whole numbers, few or many, or names.

    Text most of which reads as numbers with fractions is continuous: what is none is named where it comes.

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
        numbers, known = _numbers_in(column), len(column) - column.null_count
        if known and 2 * len(numbers) <= known:
            return "names"
        if len(numbers) < known:
            return "continuous" if (numbers != np.floor(numbers)).any() else "names"
        return kind_of_numbers(numbers)
    if pa.types.is_decimal(kind):
        column = pc.cast(column, pa.float64(), safe=False)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return "names"
    numbers = column.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    return kind_of_numbers(numbers)


def kind_of_numbers(numbers: npt.NDArray[np.float64]) -> Truths:
    """Whether numbers have fractions, and if not, whether they are many."""
    known = numbers[np.isfinite(numbers)]
    if (known != np.floor(known)).any():
        return "continuous"
    return "many whole" if len(np.unique(known)) > _MOST_CLASSES_TAKEN else "whole"


def _numbers_in(column: pa.Array) -> npt.NDArray[np.float64]:
    """The numbers among texts."""
    texts = pc.utf8_trim_whitespace(column)
    try:
        return np.asarray(pc.cast(texts, pa.float64()).drop_null().to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        read = [_number(text) for text in texts.to_pylist() if text is not None]
        return np.array([number for number in read if number is not None], dtype=np.float64)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
