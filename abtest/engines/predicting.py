"""All models' predictions of each batch: labels or numbers, timed; and scores where they are asked for and given."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from abtest.cache.answers import Answer
from abtest.engines.latency import Latency
from abtest.engines.recalling import Recaller
from abtest.engines.scores import ScoreTally
from abtest.loaders.scores import Scorer, Scores, Unavailable, scorer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from abtest.cache.store import Store
    from abtest.coded import Coded
    from abtest.labels import Label, Side
    from abtest.loaders.models import Model
    from abtest.scores import PairedScores

_NO_CHAMPION = "there is no champion whose probabilities could be compared."


class Predictions:
    """Asks all models about the same batches, the champion once for all challengers.

    Args:
        champion: The serving model, if there is one.
        challengers: The others.
        columns: The columns each is fed, the champion's first.
        groups: The values of each segmentation by its name.
        classes: Whether they predict classes; if not, numbers, and nobody is asked for scores.
        scores: Ask for scores too.
        store: Where predictions are kept, and found again.
    """

    def __init__(
        self,
        champion: Model | None,
        challengers: Sequence[Model],
        columns: Sequence[Sequence[str]],
        groups: Mapping[str, Sequence[str]],
        *,
        classes: bool = True,
        scores: bool = False,
        store: Store | None = None,
    ) -> None:
        self._models = [*([champion] if champion else []), *challengers]
        self._columns = columns
        self._champion = champion is not None
        self._sources = [
            scorer(model) if classes else Unavailable(why="It predicts numbers.") for model in self._models
        ]
        self._latency = Latency()
        self._given: dict[int, Scores] = {}
        self._rows: npt.NDArray[np.int64] | None = None
        self._tallies: list[ScoreTally | None] = [None for _ in challengers]
        self._unscored: list[tuple[str, ...]] = [() for _ in challengers]
        for pair in range(len(challengers)) if scores else ():
            self._tallies[pair], self._unscored[pair] = self._tally(pair, groups)
        self._scored = {at for pair, tally in enumerate(self._tallies) if tally for at in self._sides(pair).values()}
        self._recallers = [
            Recaller(model, names, store, scores=at in self._scored)
            for at, (model, names) in enumerate(zip(self._models, columns, strict=True))
        ]

    def predict(
        self, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[Any] | None, list[npt.NDArray[Any]]]:
        """Let each model predict each row: the champion's, if there is one, and each challenger's.

        A model that was logged to return probabilities labels by the greatest.
        """
        predicted: dict[int, npt.NDArray[Any]] = {}
        self._rows = rows
        for at in self._latency.in_turn(range(len(self._models))):
            answer = self._recallers[at].answer(batch, partial(self._ask, at, batch, rows))
            predicted[at] = answer.labels
            if answer.matrix is not None:
                self._given[at] = Scores(matrix=answer.matrix, classes=answer.classes)
            if answer.made_at is not None:
                self._latency.add(at, answer.seconds)
        return predicted.get(0) if self._champion else None, [predicted[at] for at in self._challengers]

    def take_in(self, truth: npt.NDArray[Any] | Coded, codes: Mapping[str, npt.NDArray[np.int64]]) -> None:
        """Tally the last batch's scores, with the truth and the segments of its rows."""
        for pair, tally in enumerate(self._tallies):
            if tally is not None:
                given = {side: self._given[at] for side, at in self._sides(pair).items()}
                tally.add(truth, given, codes, self._rows)

    def scores(self, pair: int, labels: Sequence[Label]) -> PairedScores | None:
        """The scores of all batches, with classes spelled as in the table of outcomes."""
        tally = self._tallies[pair]
        return tally.scores(labels) if tally else None

    def unscored(self, pair: int) -> tuple[str, ...]:
        """Why a challenger and the champion have no scores, where they were asked for."""
        return self._unscored[pair]

    def latency(self, pair: int) -> dict[Side, float | None]:
        """Seconds a row, by side."""
        return {side: self._latency.per_row(at) for side, at in self._sides(pair).items()}

    def notices(self, pair: int, *, casts: bool) -> tuple[str, ...]:
        """What is to be said of a challenger and the champion: what was cast, and where labels come from."""
        own = [(self._models[at], self._sources[at]) for at in self._sides(pair).values()]
        cast = [notice for model, _ in own if casts and (notice := model.cast_notice())]
        found = [source for _, source in own if isinstance(source, Scorer)]
        told = [it.notice for it in found if it.notice and (self._tallies[pair] or not it.predicts_labels)]
        recalled = [notice for at in self._sides(pair).values() if (notice := self._recallers[at].notice())]
        return (*cast, *told, *recalled)

    def _ask(self, at: int, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> Answer:
        """Ask a model itself."""
        model, source, columns = self._models[at], self._sources[at], self._columns[at]
        scores: Scores | None = None
        by_greatest = isinstance(source, Scorer) and not source.predicts_labels
        with self._latency.timed(at, len(rows)):
            if isinstance(source, Scorer) and by_greatest:
                scores = source.score(batch, columns, rows)
                labels = scores.labels
            else:
                labels = model.predict(batch, columns, rows)
        if at in self._scored and isinstance(source, Scorer) and not by_greatest:
            scores = source.score(batch, columns, rows)
        matrix, classes = (scores.matrix, scores.classes) if scores else (None, ())
        return Answer(labels=labels, matrix=matrix, classes=classes, seconds=self._latency.last(at))

    @property
    def _challengers(self) -> range:
        return range(int(self._champion), len(self._models))

    def _sides(self, pair: int) -> dict[Side, int]:
        """Where the models of a pair stand among all."""
        challenger: dict[Side, int] = {"challenger": self._challengers[pair]}
        return {"champion": 0, **challenger} if self._champion else challenger

    def _tally(self, pair: int, groups: Mapping[str, Sequence[str]]) -> tuple[ScoreTally | None, tuple[str, ...]]:
        """Where both sides have scores, what takes them in; else why not."""
        own = {side: self._sources[at] for side, at in self._sides(pair).items()}
        champion, challenger = own.get("champion"), own["challenger"]
        if isinstance(champion, Scorer) and isinstance(challenger, Scorer):
            return ScoreTally(champion, challenger, groups), ()
        missing = {side: found.why for side, found in own.items() if isinstance(found, Unavailable)}
        why = tuple(f"the {side} has no probabilities. {reason}" for side, reason in missing.items())
        return None, why or (_NO_CHAMPION,)
