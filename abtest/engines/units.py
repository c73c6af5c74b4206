"""Rows tallied by the unit they belong to, in all and by segment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError
from abtest.labels import kind_of
from abtest.stats.clusters import UnitTables, UnitTally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.loaders.segments import Segmentation
    from abtest.outcomes import PairedOutcomes


class UnitTallies:
    """Counts rows by unit, batch by batch.

    Args:
        segmentation: The segments in which units are counted too.
    """

    def __init__(self, segmentation: Segmentation) -> None:
        self._whole = UnitTally()
        self._segments = {
            (name, value): UnitTally() for name, values in segmentation.groups.items() for value in values
        }
        self._groups = segmentation.groups

    def add(
        self,
        units: npt.NDArray[Any],
        y_true: npt.NDArray[Any],
        champion: npt.NDArray[Any] | None,
        challenger: npt.NDArray[Any],
        segments: Mapping[str, npt.NDArray[np.int64]],
        *,
        counts: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Count one batch; arrays are of shape (rows,), each row for so many as ``counts`` says.

        Raises:
            InvalidInputError: A row has no unit, or there is no champion.
        """
        if champion is None:
            raise InvalidInputError(
                "unit needs a champion that predicts, and the baseline is found only after the rows are read.",
                hint="leave out --unit, or name a champion.",
            )
        self._whole.add(units, y_true, champion, challenger, counts=counts)
        for name, codes in segments.items():
            for code in np.unique(codes).tolist():
                rows = codes == code
                tally = self._segments[name, self._groups[name][code]]
                own = None if counts is None else counts[rows]
                tally.add(units[rows], y_true[rows], champion[rows], challenger[rows], counts=own)

    def tables(self, outcomes: PairedOutcomes) -> UnitTables:
        """Lay the units out over the cells of the table of all rows, and of each segment's."""
        kind = kind_of(outcomes.labels)
        return UnitTables(
            whole=replace(self._whole.units(label_type=kind), outcomes=outcomes),
            segments={
                # Cells are in the order of their labels in both tables, whatever labels the segment lacks.
                segment.key: replace(self._segments[segment.key].units(label_type=kind), outcomes=outcomes.of(segment))
                for segment in outcomes.segments
            },
        )
