"""Both models' predictions of each batch: labels, timed; and scores where they are asked for and both can give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abtest.engines.latency import Latency
from abtest.engines.scores import ScoreTally
from abtest.loaders.scores import Scorer, Scores, Unavailable, scorer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from abtest.labels import Label, Side
    from abtest.loaders.models import Model
    from abtest.scores import PairedScores


class Predictions:
    """Asks both models about the same batches.

    Args:
        models: The sides there are.
        columns: The columns each is fed.
        groups: The values of each segmentation by its name.
        scores: Ask for scores too.
    """

    def __init__(
        self,
        models: list[Model],
        columns: Mapping[Side, Sequence[str]],
        groups: Mapping[str, Sequence[str]],
        *,
        scores: bool,
    ) -> None:
        self._models = models
        self._columns = columns
        self._sources = {model.side: scorer(model) for model in models}
        self._latency = Latency()
        self._given: dict[Side, Scores] = {}
        self._rows: npt.NDArray[np.int64] | None = None
        self._tally: ScoreTally | None = None
        self.unscored: tuple[str, ...] = ()
        if scores:
            self._tally, self.unscored = _tally(self._sources, groups)

    def labels(self, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> dict[Side, npt.NDArray[Any]]:
        """Let each model label each row; a model that was logged to return probabilities labels by the greatest."""
        predicted: dict[Side, npt.NDArray[Any]] = {}
        self._rows = rows
        for model in self._latency.in_turn(self._models):
            side, source = model.side, self._sources[model.side]
            by_greatest = isinstance(source, Scorer) and not source.predicts_labels
            with self._latency.timed(side, len(rows)):
                if isinstance(source, Scorer) and by_greatest:
                    self._given[side] = source.score(batch, self._columns[side], rows)
                    predicted[side] = self._given[side].labels
                else:
                    predicted[side] = model.predict(batch, self._columns[side], rows)
            if self._tally is not None and isinstance(source, Scorer) and not by_greatest:
                self._given[side] = source.score(batch, self._columns[side], rows)
        return predicted

    def take_in(self, truth: npt.NDArray[Any], codes: Mapping[str, npt.NDArray[np.int64]]) -> None:
        """Tally the last batch's scores, with the truth and the segments of its rows."""
        if self._tally is not None:
            self._tally.add(truth, self._given, codes, self._rows)

    def scores(self, labels: Sequence[Label]) -> PairedScores | None:
        """The scores of all batches, with classes spelled as in the table of outcomes."""
        return self._tally.scores(labels) if self._tally else None

    @property
    def latency(self) -> dict[Side, float | None]:
        """Seconds a row, by side."""
        return {model.side: self._latency.per_row(model.side) for model in self._models}

    @property
    def notices(self) -> tuple[str, ...]:
        """What is to be said of where labels come from."""
        found = (source for source in self._sources.values() if isinstance(source, Scorer))
        told = (source.notice for source in found if source.notice and (self._tally or not source.predicts_labels))
        return tuple(told)


def _tally(
    sources: Mapping[Side, Scorer | Unavailable], groups: Mapping[str, Sequence[str]]
) -> tuple[ScoreTally | None, tuple[str, ...]]:
    """Where both sides have scores, what takes them in; else why not."""
    champion, challenger = sources.get("champion"), sources.get("challenger")
    if isinstance(champion, Scorer) and isinstance(challenger, Scorer):
        return ScoreTally(champion, challenger, groups), ()
    missing = {side: found.why for side, found in sources.items() if isinstance(found, Unavailable)}
    why = tuple(f"the {side} has no probabilities. {reason}" for side, reason in missing.items())
    return None, why or ("there is no champion whose probabilities could be compared.",)
