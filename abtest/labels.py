"""Class labels: what counts as one, how they are written, and how three columns of them come to one type.

Truth and predictions are tallied raw, as they came; their types are reconciled once, over the distinct values. That
is cheap (there are few) and it cannot go wrong silently: what was cast is said, what cannot be cast is refused.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from abtest.errors import InvalidInputError, LabelMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Side: TypeAlias = Literal["champion", "challenger"]
SIDES: tuple[Side, Side] = ("champion", "challenger")
Label: TypeAlias = bool | int | float | str
LabelType: TypeAlias = Literal["int", "float", "str", "bool"]
Task: TypeAlias = Literal["classification", "regression"]
TASKS: tuple[Task, ...] = get_args(Task)
NO_PREDICTION = "(no prediction)"  # stands for a prediction that failed, and is never right
LABEL_TYPES: tuple[LabelType, ...] = ("int", "float", "str", "bool")

_TRUE_FALSE = {"true": True, "false": False, "1": True, "0": False}
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_CLASS_NAMES_HINT = "log the model with its class names, or map the labels."
_CONTINUOUS_HINT = "--task regression compares predicted numbers."
_MISSING_HINT = "leave such rows out, or give them a label."
_PROBABILITY_HINT = (
    "log a model that returns class labels (scikit-learn's predict, not predict_proba); "
    "--task regression compares predicted numbers."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """Three columns of distinct labels on one type, in their original order, and what was said about it."""

    truth: tuple[Label, ...]
    champion: tuple[Label, ...]
    challenger: tuple[Label, ...]
    notices: tuple[str, ...] = ()


def reconcile(
    truth: Sequence[Label],
    champion: Sequence[Label],
    challenger: Sequence[Label],
    *,
    label_type: LabelType | None = None,
    truth_is_text: bool = False,
    all_text: bool = False,
) -> Reconciled:
    """Bring the distinct labels of truth and predictions to one type.

    Args:
        truth: Distinct labels of the truth.
        champion: Distinct predictions of the champion.
        challenger: Distinct predictions of the challenger.
        label_type: Cast every label to this type instead of finding one.
        truth_is_text: The truth comes from a text format, where every label is a ``str`` for want of types; casting it
            is then nothing to report.
        all_text: The predictions come from one too: all three are what their text reads as, numbers or booleans.

    Raises:
        LabelMismatchError: No type holds all of them without loss.
        InvalidInputError: A value is missing or no label, the truth is continuous, or predictions look like
            probabilities.

    Example:
        >>> reconcile(["0", "1"], [0, 1], [1]).truth
        (0, 1)
    """
    columns = {
        "labels": tuple(truth),
        "champion predictions": tuple(champion),
        "challenger predictions": tuple(challenger),
    }
    _refuse_no_labels(columns)
    kinds = {name: kind_of(values) for name, values in columns.items()}
    target = label_type or (_read_as(columns) if all_text else _common_kind(columns, kinds))
    cast = {name: _cast(values, target, name) for name, values in columns.items()}
    _refuse_continuous(cast, target)
    notices = tuple(
        f"{name.capitalize()} were cast from {kind} to {target} (first: {columns[name][0]!r} → {cast[name][0]!r})."
        for name, kind in kinds.items()
        if columns[name] and kind != target and not all_text and not (truth_is_text and name == "labels")
    )
    return Reconciled(
        truth=cast["labels"],
        champion=cast["champion predictions"],
        challenger=cast["challenger predictions"],
        notices=notices,
    )


def kind_of(values: Sequence[Label]) -> LabelType:
    """Name the one type of a column's distinct labels; a column that mixes text and numbers counts as text."""
    kinds = {type(value) for value in values}
    if str in kinds:
        return "str"
    if float in kinds:
        return "float"
    return "bool" if kinds == {bool} else "int"


def label_order(label: Label) -> tuple[bool, Any]:
    """Sort key for labels of one type: numbers by value, text by code point.

    Example:
        >>> sorted(["b", "a"], key=label_order), sorted([10, 9], key=label_order)
        (['a', 'b'], [9, 10])
    """
    return (isinstance(label, str), label)


def cast_label(value: Label, target: LabelType) -> Label:
    """Cast one label, refusing whatever would lose something.

    Raises:
        ValueError: The label has no exact counterpart of that type.

    Example:
        >>> cast_label("7", "int"), cast_label(1.0, "int"), cast_label(3, "str")
        (7, 1, '3')
    """
    return _CASTS[target](value)


def _to_int(value: Label) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            value = float(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def _to_float(value: Label) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(value) from None
    if not math.isfinite(number) or (isinstance(value, int) and number != value):
        raise ValueError(value)
    return number


def _to_bool(value: Label) -> bool:
    if isinstance(value, str):
        if value.strip().lower() not in _TRUE_FALSE:
            raise ValueError(value)
        return _TRUE_FALSE[value.strip().lower()]
    if value not in (0, 1):
        raise ValueError(value)
    return bool(value)


_CASTS: dict[LabelType, Callable[[Label], Label]] = {
    "int": _to_int,
    "float": _to_float,
    "str": str,
    "bool": _to_bool,
}


_UNCHANGED: dict[LabelType, type] = {"int": int, "str": str, "bool": bool}  # of floats some are refused


def _common_kind(columns: dict[str, tuple[Label, ...]], kinds: dict[str, LabelType]) -> LabelType:
    """Find the type on which all three columns can meet: that of the predictions, if the labels can follow."""
    present = {kinds[name] for name, values in columns.items() if values}
    if len(present) == 1:
        return present.pop()
    candidates: tuple[LabelType, ...] = ("bool", "int", "float") if "bool" in present else ("int", "float")
    if present <= {"bool", "str"}:
        candidates = ("bool",)
    for candidate in (*candidates, "bool"):  # last: 'True' in text may mean a model's 1
        if all(_castable(value, candidate) for values in columns.values() for value in values):
            return candidate
    _refuse_continuous(columns, "float")  # the likelier cause than a column of another kind
    raise _mismatch(columns, kinds, candidates[-1])


def _read_as(columns: dict[str, tuple[Label, ...]]) -> LabelType:
    """Say what type text is meant as: 007 is a name, 7 and 7.0 are numbers."""
    texts = {str(value) for values in columns.values() for value in values}
    if all(text.lower() in ("true", "false") for text in texts):
        return "bool"
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return "str"
    return "int" if all(_castable(text, "int") for text in texts) else "float"


def _castable(value: Label, target: LabelType) -> bool:
    try:
        cast_label(value, target)
    except ValueError:
        return False
    return True


def _cast(values: tuple[Label, ...], target: LabelType, name: str) -> tuple[Label, ...]:
    if set(map(type, values)) == {_UNCHANGED.get(target)}:
        return values
    try:
        return tuple(cast_label(value, target) for value in values)
    except ValueError:
        first = next(value for value in values if not _castable(value, target))
        raise LabelMismatchError(
            f"{name.capitalize()} cannot be read as {target}: {first!r}.", hint="choose another --label-type."
        ) from None


def _mismatch(
    columns: dict[str, tuple[Label, ...]], kinds: dict[str, LabelType], target: LabelType
) -> LabelMismatchError:
    """Name the first two columns of different types, each by the first label that stands in the way."""
    first = {
        name: next((value for value in values if not _castable(value, target)), values[0])
        for name, values in columns.items()
        if values
    }
    ours, theirs = next(pair for pair in itertools.combinations(first, 2) if kinds[pair[0]] != kinds[pair[1]])
    return LabelMismatchError(
        f"{ours.capitalize()} are {kinds[ours]} but {theirs} are {kinds[theirs]} "
        f"({first[ours]!r} vs {first[theirs]!r}).",
        hint=_CLASS_NAMES_HINT,
    )


def _refuse_no_labels(columns: Mapping[str, Sequence[object]]) -> None:
    for name, values in columns.items():
        if set(map(type, values)) <= set(_UNCHANGED.values()):
            continue
        for value in values:
            if value is None or (isinstance(value, float) and math.isnan(value)):
                raise InvalidInputError(f"{name.capitalize()} hold a missing value ({value!r}).", hint=_MISSING_HINT)
            if type(value) not in (bool, int, float, str):
                raise InvalidInputError(
                    f"{name.capitalize()} hold {value!r}, which is no label but a {type(value).__name__}.",
                    hint="labels are whole numbers, text or booleans.",
                )


def _refuse_continuous(cast: dict[str, tuple[Label, ...]], target: LabelType) -> None:
    if target != "float":
        return
    fractions = {
        name: [value for value in values if isinstance(value, float) and not value.is_integer()]
        for name, values in cast.items()
    }
    if fractions["labels"]:
        raise InvalidInputError(
            f"The target is continuous ({fractions['labels'][0]!r} is not a class label).", hint=_CONTINUOUS_HINT
        )
    for name in ("champion predictions", "challenger predictions"):
        if fractions[name]:
            raise InvalidInputError(
                f"{name.capitalize()} are not class labels ({fractions[name][0]!r}).", hint=_PROBABILITY_HINT
            )
