"""One model asked about one batch after another: its labels, and its scores where they are wanted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from abtest.engines.pairs import Labels, plain
from abtest.errors import InvalidInputError
from abtest.loaders.columns import coded_text
from abtest.loaders.greatest import Follows
from abtest.loaders.models import Model
from abtest.loaders.scores import Scorer, Scores, scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from abtest.loaders.feeding import Fed

_FIRST = 500  # rows that are asked for in every way
_TWICE = "The {}'s labels need not be its most probable classes, so it was asked for both, which takes twice the time."


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How a model is asked.

    Attributes:
        model: Gives labels.
        scorer: Gives scores, where they are wanted.
        in_one: Whether labels are read off the scores: always, or unless two are nearly equal.
    """

    model: Model
    scorer: Scorer | None
    in_one: Follows | None

    def ask(self, features: Callable[[], Any], rows: npt.NDArray[np.int64], clock: Callable[[], float]) -> Answer:
        scores = None
        if self.scorer is not None and self.in_one:
            given, start = features(), clock()
            scores = self.scorer.scores(given, rows)
            greatest, near = scores.greatest()
            if self.in_one == "always" or not near:
                return Answer(labels=greatest, scores=scores, seconds=clock() - start)
        given, start = features(), clock()
        labels = coded_text(self.model.labels(given, rows))
        seconds = clock() - start
        if self.scorer is not None and scores is None:
            scores = self.scorer.scores(features(), rows)
        return Answer(labels=labels, scores=scores, seconds=seconds)


class Asked:
    """A model that is asked itself, in the cheapest way that gives what ``predict`` and the scorer give.

    The first rows are asked for in the plain way too, and a cheaper one is taken where its answer is the same bit for
    bit: without MLflow's wrapper; and labels and scores in one pass, of classifiers whose labels are known to follow.

    Args:
        model: The model.
        columns: The columns it is fed.
        scorer: Where its scores come from; None where only its labels are wanted.
        unwrapped: The same model without MLflow's wrapper, if it may be asked instead.
        clock: Reads seconds.
    """

    def __init__(
        self,
        model: Model,
        columns: Sequence[str],
        scorer: Scorer | None,
        *,
        unwrapped: Model | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model, self._columns, self._unwrapped, self._clock = model, columns, unwrapped, clock
        by_greatest = scorer is not None and not scorer.predicts_labels
        self._plain = _Way(model=model, scorer=scorer, in_one="always" if by_greatest else None)
        self._chosen: tuple[object, _Way] | None = None

    def answer(self, fed: Fed) -> Answer:
        """Ask the model; one that was logged to return probabilities labels by the greatest."""
        own = fed.features(self._model, self._columns)
        if self._chosen is None:
            self._chosen = own.kinds, self._cheapest(lambda: own.give()[:_FIRST], fed.rows[:_FIRST])
        way = self._chosen[1] if self._chosen[0] == own.kinds else self._plain
        return replace(way.ask(own.give, fed.rows, self._clock), casts=own.casts)

    def notices(self) -> tuple[str, ...]:
        """Where labels or classes come from, where that is not plain; and what costs time."""
        scorer = self._plain.scorer
        if scorer is None:
            return ()
        twice = self._chosen is not None and self._chosen[1].in_one is None
        return (
            *([scorer.notice] if scorer.notice else []),
            *([_TWICE.format(self._model.told)] if twice else []),
        )

    def _cheapest(self, features: Callable[[], Any], rows: npt.NDArray[np.int64]) -> _Way:
        way = self._plain
        if self._unwrapped is not None:
            found = scorer(self._unwrapped) if way.scorer is not None else None
            bare = _Way(model=self._unwrapped, scorer=found if isinstance(found, Scorer) else None, in_one=None)
            way = bare if self._agree(way, bare, features, rows) else way
        if way.scorer is None or way.in_one or not way.scorer.follows:
            return way
        in_one = replace(way, in_one=way.scorer.follows)
        return in_one if self._agree(way, in_one, features, rows) else way

    def _agree(self, one: _Way, other: _Way, features: Callable[[], Any], rows: npt.NDArray[np.int64]) -> bool:
        try:
            answers = [way.ask(features, rows, self._clock) for way in (one, other)]
        except InvalidInputError:
            return False  # told where all rows are asked for
        labels = [plain(answer.labels).tolist() for answer in answers]
        kinds = [[type(label) for label in own] for own in labels]
        matrices = [(a.scores.classes, a.scores.matrix.tobytes()) if a.scores is not None else None for a in answers]
        alike = one.scorer is other.scorer or matrices[0] == matrices[1]  # a forest adds up its trees in any order
        return labels[0] == labels[1] and kinds[0] == kinds[1] and alike
