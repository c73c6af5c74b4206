"""A row typed by hand → its prediction: field by field with each value checked at once, or all in one line.

What a person types is text; a column's type says what JSON it stands for, and from there on it is a request as
``abtest serve`` gets it: the same rules, the same sentences, the same prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest.bulk.typed import in_one_line, typed
from abtest.errors import InvalidInputError
from abtest.labels import Label
from abtest.live.serving.fields import FieldError, Fields, Row
from abtest.live.serving.frames import Framed
from abtest.live.serving.values import cut, spelled
from abtest.loaders.examples import input_example
from abtest.loaders.scores import Scorer, scorer
from abtest.metrics.probability import check_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abtest.live.serving.served import Served
    from abtest.live.serving.values import Field

MOST_ROWS = 20  # of an input example
_REFUSED = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A row and what the model says to it.

    Attributes:
        row: As JSON has it: an object by column, or a list.
        prediction: A label or a number.
        probabilities: By class, the most probable first; None of a model that gives none.
    """

    row: Row
    prediction: Label
    probabilities: tuple[tuple[Label, float], ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        told: dict[str, Any] = {"prediction": self.prediction}
        if self.probabilities is not None:
            told["probabilities"] = {str(label): share for label, share in self.probabilities}
        return {**told, "row": self.row}


class Teller:
    """Predicts rows, and says how probable each class is where the model gives that.

    Args:
        served: The model.
        guard: Is entered whenever the model is asked.
        proba: Whether to ask for probabilities where labels do not need them.
    """

    def __init__(
        self,
        served: Served,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        *,
        proba: bool = True,
    ) -> None:
        self.served, self._guard = served, guard
        found = scorer(served.model)
        gives = isinstance(found, Scorer) and found.kind == "probability" and (proba or not found.predicts_labels)
        self._scorer = found if isinstance(found, Scorer) and gives else None
        self._framed = Framed(served.fields, array=served.model.tensor[0] if served.model.tensor else None)

    def __call__(self, rows: Sequence[Row]) -> list[Answer]:
        """Predict.

        Raises:
            FieldError: A row does not fit the model.
            InvalidInputError: The model fails.
        """
        with self._guard():
            return self._answers(rows)

    def _answers(self, rows: Sequence[Row]) -> list[Answer]:
        features = self.served.parse(rows)
        if self._scorer is None:
            return [Answer(row=row, prediction=label, probabilities=None)
                    for row, label in zip(rows, self.served.predict(features), strict=True)]  # fmt: skip
        numbers = np.arange(1, len(rows) + 1)
        scores = self._scorer.scores(self._framed(rows), numbers)
        matrix = check_probabilities(scores.matrix, "champion", numbers)
        labels = (
            self.served.predict(features)
            if self._scorer.predicts_labels
            else [scores.classes[at] for at in matrix.argmax(axis=1)]
        )
        return [
            Answer(row=row, prediction=label, probabilities=_ranked(scores.classes, shares))
            for row, label, shares in zip(rows, labels, matrix.tolist(), strict=True)
        ]

    def example(self) -> list[Row]:
        """The rows of the logged input example, at most ``MOST_ROWS``; empty where there is none.

        Raises:
            InvalidInputError: It cannot be read, or is no rows of columns.
        """
        return [*input_example(self.served.model, MOST_ROWS)]

    def demo(self) -> list[Answer]:
        """Predict the rows of the logged input example.

        Raises:
            InvalidInputError: There is none, or as in ``example``.
        """
        rows = self.example()
        if not rows:
            raise InvalidInputError(
                "No input example was logged with the model.",
                hint="log it with input_example=…, or type a row: --values, --interactive.",
            )
        return self(rows)


def _ranked(classes: Sequence[Label], shares: Sequence[float]) -> tuple[tuple[Label, float], ...]:
    return tuple(sorted(zip(classes, shares, strict=True), key=lambda pair: -pair[1]))


def converse(teller: Teller, read: Callable[[str], str], tell: Callable[[str], None]) -> Iterator[Answer]:
    """Ask for rows, and answer each, until a row begins with an empty line, or the input ends.

    Args:
        teller: The model.
        read: Shows a prompt and gives the line that is typed; EOFError or KeyboardInterrupt end the conversation.
        tell: Says what is wrong with a value, before it is asked for again.
    """
    example = _example(teller, tell)
    while True:
        try:
            row = _row(teller.served, example, read, tell)
        except (EOFError, KeyboardInterrupt):
            return
        if row is None:
            return
        try:
            answers = teller([row])
        except InvalidInputError as error:  # the model fails at this row; it may not at the next
            tell(str(error))
            continue
        yield from answers


def _example(teller: Teller, tell: Callable[[str], None]) -> dict[str, str]:
    """By column, how somebody would type the first value of the logged input example; empty where there is none."""
    try:
        row = next(iter(teller.example()), [])
    except InvalidInputError as error:  # a row can be typed without one
        tell(error.message)
        return {}
    served = teller.served
    names = [str(at) for at, _ in enumerate(row)] if served.columns is None else served.columns
    pairs = row.items() if isinstance(row, Mapping) else zip(names, row, strict=False)
    return {name: cut(value if isinstance(value, str) else spelled(value)) for name, value in pairs}


def _row(
    served: Served, example: Mapping[str, str], read: Callable[[str], str], tell: Callable[[str], None]
) -> Row | None:
    """Ask for a row: field by field, or in one line where columns have no names; None where none is wanted."""
    if served.columns is None or served.fields is None:
        return _line(served, example, read, tell)
    row = {}
    for at, field in enumerate(served.fields.fields):
        prompt = _prompt(field, example.get(field.name))
        text = read(prompt)
        if not text.strip() and not at:
            return None
        while (value := _checked(field, text, tell)) is _REFUSED:
            text = read(prompt)
        row[field.name] = value
    return row


def _checked(field: Field, text: str, tell: Callable[[str], None]) -> Any:  # noqa: ANN401 - as JSON has it
    if not text.strip() and not field.optional:  # a missing number is typed as null: nobody forgets it
        tell(f"Field '{field.name}' must be {field.rule}, got nothing.")
        return _REFUSED
    value = typed(field, text)
    try:
        Fields.value(field, value)
    except FieldError as error:
        tell(str(error))
        return _REFUSED
    return value


def _line(
    served: Served, example: Mapping[str, str], read: Callable[[str], str], tell: Callable[[str], None]
) -> Row | None:
    width = "" if served.fields is None else f" {len(served.fields.fields)}"
    shown = f"; e.g. {cut(','.join(example.values()))}" if example else ""
    while True:
        text = read(f"row (the{width} values with commas between{shown}): ")
        if not text.strip():
            return None
        try:
            row = in_one_line(served, text)
            served.parse([row])
        except InvalidInputError as error:
            tell(str(error))
        else:
            return row


def _prompt(field: Field, example: str | None) -> str:
    may = ", or nothing" if field.optional else ""
    return f"{field.name} ({field.rule}{may}{'' if example is None else f'; e.g. {example}'}): "
