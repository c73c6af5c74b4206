"""What the model says of each batch, as the columns that are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from abtest.bulk.columns import PREDICTION, Columns, collides
from abtest.bulk.distribution import Distributed, Distribution
from abtest.coded import Coded
from abtest.engines.asking import Asked
from abtest.errors import InvalidInputError
from abtest.loaders.columns import cast_column
from abtest.loaders.scores import Scorer, scorer
from abtest.loaders.tasks import task_of_model
from abtest.loaders.unwrapped import unwrapped
from abtest.metrics.probability import check_probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from abtest.bulk.predicted import Cell
    from abtest.engines.pairs import Labels
    from abtest.labels import Label
    from abtest.loaders.feeding import Fed
    from abtest.loaders.models import Model
    from abtest.loaders.scores import Scores


class Answers:
    """Asks the model about one batch after another.

    Args:
        model: The model.
        columns: What it is fed, and what is kept beside its answers.
        proba: Ask for probabilities too.
        sample: How many of the first rows to hold on to.

    Attributes:
        seconds: What the model has taken so far.

    Raises:
        InvalidInputError: Probabilities are asked for, and the model has none.
    """

    def __init__(self, model: Model, columns: Columns, *, proba: bool, sample: int) -> None:
        self.seconds = 0.0
        self._model, self._columns, self._proba, self._most = model, columns, proba, sample
        found = scorer(model)
        if proba:
            refuse_without(found)
        scored = isinstance(found, Scorer) and (proba or not found.predicts_labels)
        self._asked = Asked(model, columns.fed, found if scored else None, unwrapped=unwrapped(model))  # type: ignore[arg-type] # scored says that it is one
        self._distributed = Distributed(task_of_model(model))
        self._kind: pa.DataType | None = None
        self._classes: tuple[Label, ...] = ()
        self._first: list[pa.RecordBatch] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are written; known once a batch was asked for."""
        return (*self._columns.kept, PREDICTION, *map(named, self._classes))

    def table(self, fed: Fed) -> pa.RecordBatch:
        """Ask about a batch, and give the rows that are written.

        Raises:
            InvalidInputError: The rows do not fit the model, or its answers do not fit the rows.
        """
        try:
            answer = self._asked.answer(fed)
        except InvalidInputError as error:
            raise self._located(fed, error) from error.__cause__
        self.seconds += answer.seconds
        self._model.note(answer.casts)
        self._distributed.add(answer.labels)
        kept = [fed.batch.column(name) for name in self._columns.kept]
        probabilities = self._probabilities(answer.scores, fed.rows) if self._proba else []
        arrays = [*kept, self._predictions(answer.labels, fed.rows), *probabilities]
        table = pa.RecordBatch.from_arrays(arrays, names=list(self.names))
        if (held := sum(it.num_rows for it in self._first)) < self._most:
            self._first.append(table.slice(0, self._most - held))
        return table

    def distribution(self) -> Distribution:
        """What was predicted."""
        return self._distributed.distribution()

    def sample(self) -> tuple[Mapping[str, Cell], ...]:
        """The first rows."""
        rows = [row for batch in self._first for row in batch.to_pylist()]
        return tuple({name: cell(value) for name, value in row.items()} for row in rows)

    def notices(self, *, casts: bool) -> tuple[str, ...]:
        """What is to be said once all is asked."""
        cast = self._model.cast_notice() if casts else None
        return (*([cast] if cast else []), *self._asked.notices())

    def _located(self, fed: Fed, error: InvalidInputError) -> InvalidInputError:
        """Find the first row that the model fails on by itself: a second look is cheap beside an error without a row.

        Halves of halves are asked for, as many rows as the batch has in all. Where no row fails alone, none is told.
        """
        if error.__cause__ is None:  # what is wrong with the rows has been told with its row
            return error
        low, high = 0, len(fed.rows)
        while high - low > 1:
            middle = (low + high) // 2
            half = fed.batch.slice(low, middle - low)
            try:
                self._model.predict(half, self._columns.fed, fed.rows[low:middle])
                low = middle
            except InvalidInputError:
                high = middle
        try:
            self._model.predict(fed.batch.slice(low, 1), self._columns.fed, fed.rows[low:high])
        except InvalidInputError as alone:
            return alone
        return error

    def _predictions(self, labels: Labels, rows: npt.NDArray[np.int64]) -> pa.Array:
        """One type in all batches: that of the first."""
        column = _arrow(labels)
        self._kind = self._kind or column.type
        if column.type == self._kind:
            return column
        try:
            return cast_column(column, self._kind, PREDICTION, rows)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"The model's predictions are {self._kind} at first, and {column.type} from row {rows[0]:,}.",
                hint="a model must predict one type.",
            ) from error

    def _probabilities(self, scores: Scores | None, rows: npt.NDArray[np.int64]) -> list[pa.Array]:
        assert scores is not None  # noqa: S101 - they were asked for
        if not self._classes:
            self._classes = scores.classes
            for name in map(named, scores.classes):
                if name in self._columns.kept:
                    raise collides(name)
        elif self._classes != scores.classes:
            raise InvalidInputError(
                f"The model's classes change at row {rows[0]:,}.", hint="a model must name the same classes each time."
            )
        matrix = check_probabilities(scores.matrix, "champion", rows)
        return [pa.array(matrix[:, at]) for at in range(len(self._classes))]


def refuse_without(found: object) -> None:
    """Refuse what ``scorer`` found where it gives no probabilities.

    Raises:
        InvalidInputError: It gives none.
    """
    if not isinstance(found, Scorer):
        why = getattr(found, "why", "")
        raise InvalidInputError(f"The model has no probabilities. {why}", hint="leave out --proba.")
    if found.kind != "probability":
        raise InvalidInputError(
            "The model has no probabilities. Its decision function only ranks.", hint="leave out --proba."
        )


def named(label: Label) -> str:
    """Name the column of a class's probabilities."""
    return f"probability_{label}"


def _arrow(labels: Labels) -> pa.Array:
    """Labels as a column, text at no Python object a row."""
    if not isinstance(labels, Coded):
        return pa.array(labels)
    if isinstance(labels.values, range):
        return pa.array(labels.decoded())
    return pa.array(list(labels.values)).take(pa.array(labels.codes))


def cell(value: Any) -> Cell:  # noqa: ANN401 - whatever a column holds
    """Spell a value as JSON can: what is not finite is missing, and what has no other name is text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or type(value) in {bool, int, float, str} else str(value)
