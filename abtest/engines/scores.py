"""Both models' probabilities, tallied batch by batch: sums of losses, and the scores themselves while they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.coded import Coded
from abtest.labels import SIDES, Label, Side, label_order
from abtest.loaders.rowhash import read_label
from abtest.metrics.probability import brier_rows, check_probabilities, log_loss_rows
from abtest.scores import PairedScores
from abtest.stats.delong import ScoreHistogram
from abtest.stats.moments import PairedMoments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.loaders.scores import Scorer, Scores

Floats: TypeAlias = npt.NDArray[np.float64]
Key: TypeAlias = tuple[str, str]

MOST_KEPT = 1 << 23  # numbers a side: 64 MB
_LOG_LOSS, _BRIER, _HALVED = "log_loss", "brier", "brier of two classes"


class ScoreTally:
    """Takes in both sides' scores of the same rows.

    Args:
        champion: Where the champion's come from.
        challenger: Where the challenger's come from.
        groups: The values of each segmentation by its name, in the order of their codes.
        keep: Numbers a side that are kept; beyond, histograms stand for them.
    """

    def __init__(
        self, champion: Scorer, challenger: Scorer, groups: Mapping[str, Sequence[str]], *, keep: int = MOST_KEPT
    ) -> None:
        self._kinds = {"champion": champion.kind, "challenger": challenger.kind}
        self._groups = groups
        self._keep = keep
        self._classes: dict[Label | None, int] = {}  # by what they read as: '0', 0 and 0.0 are one class
        self._n = 0
        self._truth: list[npt.NDArray[np.int64]] = []
        self._scores: dict[Side, list[Floats]] = {side: [] for side in SIDES}
        self._codes: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in groups}
        self._losses: dict[tuple[Key | None, str], PairedMoments] = {}
        self._rows: dict[Key, int] = {}
        self._counted = 0
        self._histograms: dict[Side, list[ScoreHistogram]] = {}

    def add(
        self,
        truth: npt.NDArray[Any] | Coded,
        scores: Mapping[Side, Scores],
        codes: Mapping[str, npt.NDArray[np.int64]],
        rows: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Take in one batch.

        Args:
            truth: Each row's label as it was read, shape (rows,).
            scores: By side, of the same rows.
            codes: By segmentation, the index of each row's value.
            rows: The rows' numbers in the data, for messages.

        Raises:
            InvalidInputError: Probabilities are none, or do not add up to one.
        """
        for side in SIDES:
            if self._kinds[side] == "probability":
                check_probabilities(scores[side].matrix, side, rows)
            for label in scores[side].classes:
                self._index(label)
        coded = Coded.of(truth)
        occurs = np.bincount(coded.codes, minlength=len(coded.values)) > 0
        known = [self._index(label) if found else 0 for label, found in zip(coded.values, occurs, strict=True)]
        y = np.array(known, dtype=np.int64)[coded.codes]
        matrices = {side: self._aligned(scores[side]) for side in SIDES}
        self._add_losses(y, matrices, codes)
        self._n += len(y)
        if self._histograms or self._n * len(self._classes) > self._keep:
            self._add_histograms(y, matrices)
            return
        self._truth.append(y)
        for side in SIDES:
            self._scores[side].append(matrices[side])
        for name, own in codes.items():
            self._codes[name].append(own)

    def scores(self, labels: Sequence[Label]) -> PairedScores:
        """What was taken in, with classes spelled and sorted as in the table of outcomes."""
        spelled = {read_label(label): label for label in labels}
        named = [spelled.get(known, known) for known in self._classes if known is not None]
        order = sorted(range(len(named)), key=lambda i: label_order(named[i]))
        classes = tuple(named[i] for i in order)
        kind = "probability" if set(self._kinds.values()) == {"probability"} else "score"
        truth = np.concatenate(self._truth) if self._truth else np.zeros(0, dtype=np.int64)
        truth = np.argsort(order)[truth]
        whole = {side: self._stacked(side)[:, order] for side in SIDES}
        codes = {name: np.concatenate(parts) for name, parts in self._codes.items() if parts}

        histograms = {side: tuple(found[i] for i in order) for side, found in self._histograms.items()}

        def of(key: Key | None, rows: npt.NDArray[np.bool_] | None, n: int) -> PairedScores:
            return PairedScores(
                classes=classes,
                kind=kind,  # type: ignore[arg-type] # one of the two
                n=n,
                truth=truth if rows is None else truth[rows],
                champion=whole["champion"] if rows is None else whole["champion"][rows],
                challenger=whole["challenger"] if rows is None else whole["challenger"][rows],
                histograms=histograms if key is None else {},
                losses=self._losses_of(key),
                segments=segments if key is None else {},
            )

        segments: dict[Key, PairedScores] = {}
        for name, values in self._groups.items():
            for code, value in enumerate(values):
                n = self._rows.get((name, value), 0)
                if n:
                    kept = codes[name] == code if name in codes else np.zeros(len(truth), dtype=bool)
                    segments[name, value] = of((name, value), kept, n)
        return of(None, None, self._n)

    def _index(self, label: Label) -> int:
        return self._classes.setdefault(read_label(label), len(self._classes))

    def _aligned(self, scores: Scores) -> Floats:
        """Lay columns out by the names of their classes; a class that a model does not know gets nothing."""
        matrix = np.zeros((len(scores.matrix), len(self._classes)))
        matrix[:, [self._index(label) for label in scores.classes]] = scores.matrix
        return matrix

    def _stacked(self, side: Side) -> Floats:
        """All batches; the early ones do not have the classes that came later."""
        parts = [np.pad(part, ((0, 0), (0, len(self._classes) - part.shape[1]))) for part in self._scores[side]]
        return np.concatenate(parts) if parts else np.zeros((0, len(self._classes)))

    def _add_losses(
        self,
        y: npt.NDArray[np.int64],
        matrices: Mapping[Side, Floats],
        codes: Mapping[str, npt.NDArray[np.int64]],
    ) -> None:
        rows: dict[Key | None, npt.NDArray[np.bool_] | slice] = {None: slice(None)}
        for name, own in codes.items():
            for code in np.unique(own).tolist():
                segment = (name, self._groups[name][code])
                chosen = own == code
                rows[segment] = chosen
                self._rows[segment] = self._rows.get(segment, 0) + int(chosen.sum())
        if set(self._kinds.values()) != {"probability"}:
            return
        losses: dict[str, list[Floats]] = {_LOG_LOSS: [], _BRIER: [], _HALVED: []}
        for side in SIDES:
            losses[_LOG_LOSS].append(log_loss_rows(y, matrices[side]))
            # Of two classes the score is halved by convention, and whether there are more the last row may say.
            whole = brier_rows(y, np.hstack([matrices[side], np.zeros((len(y), 1))]))
            losses[_BRIER].append(whole)
            losses[_HALVED].append(whole / 2)
        for key, those in rows.items():
            for name, (champion, challenger) in losses.items():
                found = PairedMoments.of(champion[those], challenger[those])
                before = self._losses.get((key, name))
                self._losses[key, name] = found if before is None else before + found

    def _losses_of(self, key: Key | None) -> dict[str, PairedMoments]:
        brier = _HALVED if len(self._classes) == 2 else _BRIER
        known = {_LOG_LOSS: self._losses.get((key, _LOG_LOSS)), _BRIER: self._losses.get((key, brier))}
        return {name: moments for name, moments in known.items() if moments is not None}

    def _add_histograms(self, y: npt.NDArray[np.int64], matrices: Mapping[Side, Floats]) -> None:
        """From here on the rows are not kept; those that were go into the histograms too."""
        batches: list[tuple[npt.NDArray[np.int64], Mapping[Side, Floats]]] = [(y, matrices)]
        if self._truth:
            kept = {side: self._stacked(side) for side in SIDES}
            batches.insert(0, (np.concatenate(self._truth), kept))
            self._truth = []
            self._scores = {side: [] for side in SIDES}
            self._codes = {name: [] for name in self._groups}
        for truth, scores in batches:
            before = np.zeros(self._counted)  # rows that had nothing of a class that came later
            for side in SIDES:
                known = self._histograms.setdefault(side, [])
                for k in range(scores[side].shape[1]):
                    column = scores[side][:, k]
                    if self._kinds[side] == "score":
                        column = special.expit(column)  # into [0, 1], in the same order
                    if k == len(known):
                        known.append(ScoreHistogram.of(before > 0, before))
                    known[k] += ScoreHistogram.of(truth == k, column)
            self._counted += len(truth)
