"""Both models' probabilities, tallied batch by batch: sums of losses, and the scores themselves while they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.coded import Coded, Codes, narrowed
from abtest.engines.kept import Kept, stacked
from abtest.labels import SIDES, Label, Side, label_order
from abtest.loaders.rowhash import read_label
from abtest.metrics.probability import check_probabilities, log_loss_rows, squared_distance_rows
from abtest.scores import PairedScores
from abtest.stats.histograms import JointHistogram
from abtest.stats.moments import PairedMoments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abtest.loaders.scores import Scorer, Scores

Floats: TypeAlias = npt.NDArray[np.float64]
Key: TypeAlias = tuple[str, str]
Rows: TypeAlias = npt.NDArray[np.int64] | slice

MOST_KEPT = 10_000_000  # numbers a side, 80 MB: ten million rows of two classes
_LOG_LOSS, _BRIER = "log_loss", "brier"


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
        self._truth: list[Codes] = []
        self._kept: dict[Side, list[Kept]] = {side: [] for side in SIDES}
        self._codes: dict[str, list[Codes]] = {name: [] for name in groups}
        self._losses: dict[tuple[Key | None, str], PairedMoments] = {}
        self._rows: dict[Key, int] = {}
        self._counted = 0
        self._histograms: list[JointHistogram] = []

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
        if self._histograms:
            self._count(y, matrices)
            return
        self._truth.append(narrowed(y, len(self._classes)))
        for side in SIDES:
            self._kept[side].append(Kept.of(matrices[side]))
        for name, own in codes.items():
            self._codes[name].append(narrowed(own, len(self._groups[name])))
        if max(sum(kept.columns.size for kept in batches) for batches in self._kept.values()) > self._keep:
            self._count_kept()

    def scores(self, labels: Sequence[Label]) -> PairedScores:
        """What was taken in, with classes spelled and sorted as in the table of outcomes."""
        spelled = {read_label(label): label for label in labels}
        named = [spelled.get(known, known) for known in self._classes if known is not None]
        order = sorted(range(len(named)), key=lambda i: label_order(named[i]))
        classes = tuple(named[i] for i in order)
        kind = "probability" if set(self._kinds.values()) == {"probability"} else "score"
        kept = {side: stacked(self._kept[side], len(named)) for side in SIDES}
        as_they_are = order == sorted(order)
        columns = {
            side: own.columns if own.mirrored or as_they_are else own.columns[:, order] for side, own in kept.items()
        }
        truth = np.concatenate([*self._truth, np.zeros(0, dtype=np.uint8)])
        truth = narrowed(np.argsort(order), len(named))[truth]

        def of(key: Key | None, rows: Rows, n: int) -> PairedScores:
            return PairedScores(
                classes=classes,
                kind=kind,  # type: ignore[arg-type] # one of the two
                n=n,
                truth=truth[rows],
                champion=columns["champion"][rows],
                challenger=columns["challenger"][rows],
                only={side: order.index(1) for side in SIDES if kept[side].mirrored},
                histograms=tuple(self._histograms[i] for i in order) if self._histograms and key is None else (),
                losses=self._losses_of(key),
                segments=segments if key is None else {},
            )

        segments = {key: of(key, rows, self._rows[key]) for key, rows in self._rows_by_segment() if key in self._rows}
        return of(None, slice(None), self._n)

    def _rows_by_segment(self) -> Iterator[tuple[Key, Rows]]:
        """Which of the rows kept are in each segment, one segmentation after the other."""
        for name, values in self._groups.items():
            codes = np.concatenate([*self._codes[name], np.zeros(0, dtype=np.uint8)])
            in_turn = np.argsort(codes, kind="stable")  # of narrow codes: by counting, not by comparing
            ends = np.cumsum(np.bincount(codes, minlength=len(values)))
            for value, rows in zip(values, np.split(in_turn, ends[:-1]), strict=True):
                yield (name, value), rows

    def _index(self, label: Label) -> int:
        return self._classes.setdefault(read_label(label), len(self._classes))

    def _aligned(self, scores: Scores) -> Floats:
        """Lay columns out by the names of their classes; a class that a model does not know gets nothing."""
        columns = [self._index(label) for label in scores.classes]
        if columns == [*range(len(self._classes))]:
            return np.asarray(scores.matrix, dtype=np.float64)
        matrix = np.zeros((len(scores.matrix), len(self._classes)))
        matrix[:, columns] = scores.matrix
        return matrix

    def _add_losses(
        self,
        y: npt.NDArray[np.int64],
        matrices: Mapping[Side, Floats],
        codes: Mapping[str, npt.NDArray[np.int64]],
    ) -> None:
        counts = {name: np.bincount(own, minlength=len(self._groups[name])) for name, own in codes.items()}
        for name, rows in counts.items():
            for code in np.flatnonzero(rows).tolist():
                key = (name, self._groups[name][code])
                self._rows[key] = self._rows.get(key, 0) + int(rows[code])
        if set(self._kinds.values()) != {"probability"}:
            return
        for loss, of in ((_LOG_LOSS, log_loss_rows), (_BRIER, squared_distance_rows)):
            champion, challenger = (of(y, matrices[side]) for side in SIDES)
            self._merge(None, loss, PairedMoments.of(champion, challenger))
            for name, own in codes.items():
                by_code = PairedMoments.by_group(champion, challenger, own, counts[name].size)
                for value, moments in zip(self._groups[name], by_code, strict=True):
                    if moments.n:
                        self._merge((name, value), loss, moments)

    def _merge(self, key: Key | None, loss: str, found: PairedMoments) -> None:
        before = self._losses.get((key, loss))
        self._losses[key, loss] = found if before is None else before + found

    def _losses_of(self, key: Key | None) -> dict[str, PairedMoments]:
        found = {loss: moments for (own, loss), moments in self._losses.items() if own == key}
        if _BRIER in found and len(self._classes) == 2:
            found[_BRIER] = found[_BRIER].scaled(-1)
        return found

    def _count_kept(self) -> None:
        """From here on rows are not kept; those that were are counted."""
        for y, *sides in zip(self._truth, *(self._kept[side] for side in SIDES), strict=True):
            self._count(y, {side: kept.whole(len(self._classes)) for side, kept in zip(SIDES, sides, strict=True)})
        self._truth, self._kept = [], {side: [] for side in SIDES}
        self._codes = {name: [] for name in self._groups}

    def _count(self, y: npt.NDArray[np.integer[Any]], matrices: Mapping[Side, Floats]) -> None:
        """Count a batch, each class against the rest; decision scores are brought into [0, 1] in the same order."""
        bounded = {
            side: matrices[side] if self._kinds[side] == "probability" else special.expit(matrices[side])
            for side in SIDES
        }
        for k in range(len(self._classes)):
            if k == len(self._histograms):
                nothing = np.zeros(self._counted)  # which rows had of a class that came later
                self._histograms.append(JointHistogram.of(nothing, nothing, nothing))
            self._histograms[k] += JointHistogram.of(y == k, *(bounded[side][:, k] for side in SIDES))
        self._counted += len(y)
