"""All models' predictions of each batch: labels or numbers, timed; and scores where they are asked for and given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.cache.keys import code_digest
from abtest.engines.asking import Asked
from abtest.engines.latency import Latency
from abtest.engines.recalling import Recalled
from abtest.engines.scores import ScoreTally
from abtest.loaders.feeding import Fed
from abtest.loaders.scores import Scorer, Scores, Unavailable, scorer
from abtest.loaders.unwrapped import is_wrapped, unwrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from abtest.cache.store import Store
    from abtest.engines.asking import Source
    from abtest.engines.pairs import Labels
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
        store: Where answers are kept, and found again.
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
        self._champion = champion is not None
        self._scorers = [
            scorer(model) if classes else Unavailable(why="It predicts numbers.") for model in self._models
        ]
        self._latency = Latency()
        self._given: dict[int, Scores] = {}
        self._rows: npt.NDArray[np.int64] | None = None
        self._tallies: list[ScoreTally | None] = [None for _ in challengers]
        self._unscored: list[tuple[str, ...]] = [() for _ in challengers]
        for pair in range(len(challengers)) if scores else ():
            self._tallies[pair], self._unscored[pair] = self._tally(pair, groups)
        scored = {at for pair, tally in enumerate(self._tallies) if tally for at in self._sides(pair).values()}
        bare = [unwrapped(model) for model in self._models]
        if any(is_wrapped(model) and found is None for model, found in zip(self._models, bare, strict=True)):
            bare = [None for _ in bare]  # else the wrapper would slow one side down, and not the other
        self._sources: list[Source] = [
            Asked(
                model,
                columns[at],
                self._wanted(at, scored=at in scored),
                unwrapped=bare[at],
                clock=self._latency.clock,
            )
            for at, model in enumerate(self._models)
        ]
        if store is not None:
            code = code_digest([model.folder for model in self._models if model.folder])
            self._sources = [
                Recalled.of(source, model, columns[at], store, scores=at in scored, code=code)
                for at, (source, model) in enumerate(zip(self._sources, self._models, strict=True))
            ]

    def predict(self, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> tuple[Labels | None, list[Labels]]:
        """Let each model predict each row: the champion's, if there is one, and each challenger's."""
        predicted: dict[int, Labels] = {}
        self._rows, fed = rows, Fed(batch, rows)
        for at in self._latency.in_turn(range(len(self._models))):
            answer = self._sources[at].answer(fed)
            self._latency.add(at, answer.seconds, len(rows))
            self._models[at].note(answer.casts)
            predicted[at] = answer.labels
            if answer.scores is not None:
                self._given[at] = answer.scores
        return predicted.get(0) if self._champion else None, [predicted[at] for at in self._challengers]

    def take_in(self, truth: Labels, codes: Mapping[str, npt.NDArray[np.int64]]) -> None:
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
        own = [*self._sides(pair).values()]
        cast = [notice for at in own if casts and (notice := self._models[at].cast_notice())]
        return (*cast, *(notice for at in own for notice in self._sources[at].notices()))

    def _wanted(self, at: int, *, scored: bool) -> Scorer | None:
        """Where scores come from, if they are wanted: to be tallied, or because labels come from nowhere else."""
        found = self._scorers[at]
        return found if isinstance(found, Scorer) and (scored or not found.predicts_labels) else None

    @property
    def _challengers(self) -> range:
        return range(int(self._champion), len(self._models))

    def _sides(self, pair: int) -> dict[Side, int]:
        """Where the models of a pair stand among all."""
        challenger: dict[Side, int] = {"challenger": self._challengers[pair]}
        return {"champion": 0, **challenger} if self._champion else challenger

    def _tally(self, pair: int, groups: Mapping[str, Sequence[str]]) -> tuple[ScoreTally | None, tuple[str, ...]]:
        """Where both sides have scores, what takes them in; else why not."""
        own = {side: self._scorers[at] for side, at in self._sides(pair).items()}
        champion, challenger = own.get("champion"), own["challenger"]
        if isinstance(champion, Scorer) and isinstance(challenger, Scorer):
            return ScoreTally(champion, challenger, groups), ()
        missing = {side: found.why for side, found in own.items() if isinstance(found, Unavailable)}
        why = tuple(f"the {side} has no probabilities. {reason}" for side, reason in missing.items())
        return None, why or (_NO_CHAMPION,)
