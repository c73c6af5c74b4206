"""Scores of a batch, kept in as little memory as gives them back to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abtest.scores import Floats, mirror

if TYPE_CHECKING:
    from collections.abc import Sequence


_FEW = 64  # rows that tell most often
_LARGE = 1e30  # single precision ends at 3.4e38


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """A matrix of scores: in single precision, and without the first of two columns, where that loses nothing.

    Attributes:
        columns: Shape (rows, columns).
        mirrored: Whether the first of two columns, which is 1 minus the second, is left out.

    Example:
        >>> kept = Kept.of(np.array([[0.75, 0.25], [0.5, 0.5]]))
        >>> kept.columns, kept.whole(3)
        (array([[0.25],
               [0.5 ]], dtype=float32), array([[0.75, 0.25, 0.  ],
               [0.5 , 0.5 , 0.  ]]))
    """

    columns: npt.NDArray[np.floating[Any]]
    mirrored: bool

    @classmethod
    def of(cls, matrix: Floats) -> Kept:
        """Keep a batch's scores, shape (rows, classes)."""
        stored = matrix.astype(np.float32) if _is_single(matrix[:_FEW]) and _is_single(matrix) else matrix
        mirrored = stored.shape[1] == 2 and np.array_equal(mirror(stored[:, 1]), stored[:, 0])
        return cls(columns=stored[:, int(mirrored) :].copy(), mirrored=mirrored)

    @property
    def form(self) -> tuple[Any, ...]:
        """Batches of one form can be put one below the other as they are."""
        return self.columns.dtype, self.mirrored, self.classes

    @property
    def classes(self) -> int:
        """How many there were."""
        return int(self.columns.shape[1]) + int(self.mirrored)

    def whole(self, classes: int) -> Floats:
        """The scores of so many classes; of one that came later there were none yet."""
        matrix = np.zeros((len(self.columns), classes))
        if self.mirrored:
            matrix[:, 0], matrix[:, 1] = mirror(self.columns[:, 0]), self.columns[:, 0]
        else:
            matrix[:, : self.columns.shape[1]] = self.columns
        return matrix


def stacked(batches: Sequence[Kept], classes: int) -> Kept:
    """Put batches one below the other, over so many classes.

    Example:
        >>> two, three = Kept.of(np.array([[0.75, 0.25]])), Kept.of(np.array([[0.5, 0.0, 0.5]]))
        >>> stacked([two, three], 3).columns.shape
        (2, 3)
    """
    if not batches:
        return Kept(columns=np.zeros((0, classes)), mirrored=False)
    if len({batch.form for batch in batches}) > 1 or batches[0].classes != classes:
        return Kept(columns=np.concatenate([batch.whole(classes) for batch in batches]), mirrored=False)
    return Kept(columns=np.concatenate([batch.columns for batch in batches]), mirrored=batches[0].mirrored)


def _is_single(matrix: Floats) -> bool:
    """Whether single precision holds every number."""
    in_range = bool(np.abs(matrix).max(initial=0) < _LARGE)
    return in_range and np.array_equal(matrix.astype(np.float32), matrix)
