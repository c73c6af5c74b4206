"""Predictions in a database, tallied by its own GROUP BY: only the counts travel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest import wording
from abtest.engines.pairs import ClassPair, Rows, Scored
from abtest.engines.predicted import refuse_one_column
from abtest.engines.reading import dropped
from abtest.errors import InvalidInputError
from abtest.loaders.columns import label_column, labelled, unit_array
from abtest.loaders.segments import NO_SEGMENTS, Segmentation, check_columns, columns_of, told_apart
from abtest.loaders.tasks import kind_of_truth
from abtest.stats.clusters import UnitTables
from abtest.tally import MOST_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from abtest.engines.database import Relation
    from abtest.labels import LabelType
    from abtest.loaders.tasks import Truths

MOST_GROUPS = 1 << 20  # beyond, fetching them is no faster than fetching the rows


def look_at_truth(relation: Relation, target: str) -> Truths:
    """Whether the truth is names, or numbers of which kind, by its distinct values.

    Raises:
        InvalidInputError: The column is not there, or has too many values for classes.
    """
    if target not in relation.columns:
        raise relation.missing(target, "target column")
    values = relation.distinct(target, most=MOST_LABELS + 1)
    kind = kind_of_truth(values, is_text=False)
    if kind != "continuous" and len(values) > MOST_LABELS:
        raise InvalidInputError(
            f"The target has more than {MOST_LABELS:,} distinct values, too many for classes.",
            hint="numbers are compared from a file, with --task regression.",
        )
    return kind


def tally_relation(
    relation: Relation,
    *,
    target: str,
    champion: str,
    challenger: str,
    segments: Sequence[str] = (),
    unit: str | None = None,
    label_type: LabelType | None = None,
    drop_unlabelled: bool = False,
) -> Scored:
    """Tally labels that are columns of a table or query; one statement counts them, and one a segmentation.

    Raises:
        InvalidInputError: A column is not there, or holds something that is no label.
    """
    columns = {"target": target, "champion": champion, "challenger": challenger}
    for what, name in columns.items():
        if name not in relation.columns:
            raise relation.missing(name, f"{what} column")
    if unit is not None and unit not in relation.columns:
        raise relation.missing(unit, "unit column")
    refuse_one_column(columns, unit)
    check_columns(relation, segments, target)
    found = [
        _Groups(relation, columns, name, unit).scored(label_type=label_type, drop=drop_unlabelled)
        for name in segments or (None,)
    ]
    # All saw the same rows: they differ in their segments alone.
    outcomes = replace(found[0].table, segments=tuple(s for part in found for s in part.table.segments))
    tables = [part.units for part in found if part.units is not None]
    return replace(
        found[0],
        outcomes=outcomes,
        units=UnitTables(
            whole=replace(tables[0].whole, outcomes=outcomes),
            segments={key: own for part in tables for key, own in part.segments.items()},
        )
        if tables
        else None,
    )


class _Groups:
    """Rows counted by truth, predictions and the columns of one segmentation, or of none."""

    def __init__(self, relation: Relation, columns: Mapping[str, str], segment: str | None, unit: str | None) -> None:
        self._name, self._columns, self._unit = relation.name, columns, unit
        parts = columns_of([segment], relation.columns) if segment else ()
        wanted = list(dict.fromkeys([*columns.values(), *parts, *([unit] if unit else [])]))
        self._batch, counts = relation.grouped(wanted, most=MOST_GROUPS + 1)
        if len(counts) > MOST_GROUPS:
            raise InvalidInputError(
                f"{relation.name[:1].upper()}{relation.name[1:]} has more than {MOST_GROUPS:,} combinations of "
                f"{', '.join(wanted)}, too many to count apart.",
                hint="give fewer classes or segments, and cut numbers into ranges in a query.",
            )
        self._counts = np.array(counts, dtype=np.int64)
        self._segmentation: Segmentation = (
            told_apart([segment], parts, [self._batch], counts=self._counts) if segment else NO_SEGMENTS
        )

    def scored(self, *, label_type: LabelType | None, drop: bool) -> Scored:
        """Tally what was counted, as rows of a file would be."""
        batch, counts, unlabelled = self._with_labels(drop=drop)
        for what in ("champion", "challenger"):
            self._refuse_unpredicted(batch, counts, self._columns[what])
        truth, champion, challenger = (label_column(batch.column(name), name) for name in self._columns.values())
        rows = Rows(
            numbers=np.zeros(0, dtype=np.int64),  # a group of rows has no number
            truth=truth,
            codes=self._segmentation.codes(batch),
            units=unit_array(batch.column(self._unit)) if self._unit else None,
            counts=counts,
        )
        pair = ClassPair(self._segmentation, in_units=self._unit is not None)
        pair.add(rows, champion, challenger)
        found = pair.scored(unlabelled=unlabelled, label_type=label_type)
        return replace(found, notices=(*dropped(unlabelled), *found.notices))

    def _with_labels(self, *, drop: bool) -> tuple[pa.RecordBatch, npt.NDArray[np.int64], int]:
        """Keep the groups with a label; also how many rows each has, and how many have none."""
        target = self._columns["target"]
        known = labelled(self._batch.column(target))
        kept = known.to_numpy(zero_copy_only=False)
        missing = int(self._counts[~kept].sum())
        if missing and not drop:
            raise InvalidInputError(
                f"Target '{target}' is missing in {wording.plural(missing, 'row')}.",
                hint="--drop-unlabelled leaves such rows out and counts them.",
            )
        if not kept.any():
            why = f"all {wording.plural(missing, 'row')} lack a label" if missing else "it holds no rows"
            raise InvalidInputError(f"{self._name} has nothing to compare on: {why}.")
        return self._batch.filter(known), self._counts[kept], missing

    @staticmethod
    def _refuse_unpredicted(batch: pa.RecordBatch, counts: npt.NDArray[np.int64], name: str) -> None:
        missing = int(counts[~labelled(batch.column(name)).to_numpy(zero_copy_only=False)].sum())
        if missing:
            raise InvalidInputError(
                f"Prediction '{name}' is missing in {wording.plural(missing, 'row')}.",
                hint="each row needs a prediction by both sides.",
            )
