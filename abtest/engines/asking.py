"""One model asked about one batch after another: its labels, and its scores where they are wanted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from abtest.engines.pairs import Labels
from abtest.loaders.scores import Scorer, Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abtest.loaders.feeding import Fed
    from abtest.loaders.models import Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a model said of a batch.

    Attributes:
        labels: One a row, shape (rows,).
        scores: Of the same rows, where they were wanted.
        seconds: What the labels took.
        casts: Columns that were cast for the model, and how.
    """

    labels: Labels
    scores: Scores | None = None
    seconds: float = 0.0
    casts: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where a model's answers come from."""

    def answer(self, fed: Fed) -> Answer:
        """Answer for each row of a batch.

        Raises:
            InvalidInputError: The rows do not fit the model, or its answer does not fit the rows.
        """

    def notices(self) -> tuple[str, ...]:
        """What is to be said of the answers, once all are given."""


class Asked:
    """A model that is asked itself.

    Args:
        model: The model.
        columns: The columns it is fed.
        scorer: Where its scores come from; None where only its labels are wanted.
        clock: Reads seconds.
    """

    def __init__(
        self,
        model: Model,
        columns: Sequence[str],
        scorer: Scorer | None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model, self._columns, self._scorer, self._clock = model, columns, scorer, clock

    def answer(self, fed: Fed) -> Answer:
        """Ask the model; one that was logged to return probabilities labels by the greatest."""
        features, casts = fed.features(self._model, self._columns)
        start = self._clock()
        if self._scorer is not None and not self._scorer.predicts_labels:
            scores = self._scorer.scores(features, fed.rows)
            return Answer(labels=scores.labels, scores=scores, seconds=self._clock() - start, casts=casts)
        labels = self._model.labels(features, fed.rows)
        seconds = self._clock() - start
        found = self._scorer.scores(features, fed.rows) if self._scorer is not None else None
        return Answer(labels=labels, scores=found, seconds=seconds, casts=casts)

    def notices(self) -> tuple[str, ...]:
        """Where labels or classes come from, where that is not plain."""
        return (self._scorer.notice,) if self._scorer is not None and self._scorer.notice else ()
