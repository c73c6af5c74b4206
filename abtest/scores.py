"""Paired scores: both sides' probabilities of every class, and the truth, on the same rows.

What hangs on each row's probabilities alone (log loss, Brier) is kept as sums, which merge. What hangs on ranks (areas
under curves) takes the scores themselves, as long as they fit in memory; beyond, histograms of them.

Of two columns that mirror each other exactly, one is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.labels import Label, Side
from abtest.stats.histograms import JointHistogram
from abtest.stats.moments import PairedMoments

Floats: TypeAlias = npt.NDArray[np.float64]
Kind: TypeAlias = Literal["probability", "score"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedScores:
    """Both sides' scores on the same rows.

    Attributes:
        classes: The columns: the classes of both models and of the truth.
        kind: "probability"; or "score" where a side only ranks the rows of two classes.
        n: Rows.
        truth: Each row's class, as an index into ``classes``, shape (rows,); none where rows were not kept.
        champion: The champion's scores, shape (rows, classes), or (rows, 1) where one column is kept of two; likewise.
        challenger: The challenger's, likewise.
        only: By side, the class whose column is kept of two; the other is 1 minus it.
        histograms: Where rows were not kept: one for each class against the rest.
        losses: Sums of each side's log loss and Brier score by row; none where a side has no probabilities.
        segments: The same of each segment's rows, by its name and value.
    """

    classes: tuple[Label, ...]
    kind: Kind
    n: int
    truth: npt.NDArray[np.integer[Any]]
    champion: npt.NDArray[np.floating[Any]]
    challenger: npt.NDArray[np.floating[Any]]
    only: Mapping[Side, int] = field(default_factory=dict)
    histograms: tuple[JointHistogram, ...] = ()
    losses: Mapping[str, PairedMoments] = field(default_factory=dict)
    segments: Mapping[tuple[str, str], PairedScores] = field(default_factory=dict)

    @property
    def are_kept(self) -> bool:
        """Whether the rows' scores were kept."""
        return len(self.truth) == self.n

    def column(self, side: Side, k: int) -> Floats:
        """One side's scores of a class, shape (rows,)."""
        matrix = self.champion if side == "champion" else self.challenger
        if side not in self.only:
            found = matrix[:, k]
        else:
            found = matrix[:, 0] if k == self.only[side] else mirror(matrix[:, 0])
        return np.asarray(found, dtype=np.float64)

    def side(self, side: Side) -> Floats:
        """One side's scores, shape (rows, classes)."""
        if side in self.only:
            return np.column_stack([self.column(side, k) for k in range(len(self.classes))])
        return np.asarray(self.champion if side == "champion" else self.challenger, dtype=np.float64)


def mirror(column: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """What the other of two classes is left, in the column's own precision."""
    return np.asarray(1 - column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A curve as points, from left to right."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Rows of about the same probability.

    Attributes:
        predicted: Their mean probability.
        observed: The share of them for which it came true.
        n: How many they are.
    """

    predicted: float
    observed: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SideReading:
    """What one side's scores look like.

    Attributes:
        roc: True-positive rate over false-positive rate.
        precision_recall: Precision over recall.
        reliability: Observed over predicted, in bins of about as many rows; none without probabilities.
        ece: Expected calibration error over these bins; None without probabilities. It is biased, and decides nothing.
    """

    roc: Curve
    precision_recall: Curve
    reliability: tuple[ReliabilityBin, ...]
    ece: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReading:
    """What both sides' scores look like, for figures and for the report; the rows of metrics say what differs.

    Attributes:
        kind: "probability", or "score" where a side only ranks.
        about: Which scores: of the positive class by its label, or "every class against the rest".
        n: Rows.
        base_rate: The share of positives among the rows, or its mean over the classes.
        champion: The champion's.
        challenger: The challenger's.
    """

    kind: Kind
    about: str
    n: int
    base_rate: float
    champion: SideReading
    challenger: SideReading
