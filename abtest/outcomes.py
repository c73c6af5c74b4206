"""Paired outcomes: both sides' predictions and the truth on the same rows, tallied.

For hard labels of independent rows one sparse table of counts, ``N[y, champion, challenger]``, is a sufficient
statistic for everything this package computes: both confusion matrices, McNemar's table, every metric, and the paired
bootstrap of any of them; and the same table of a segment's rows for everything about the segment. Tables merge by
addition, exactly; so a pass over the data may be cut into batches, processes or days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.counting import merged
from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import SIDES, Label, Side, label_order
from abtest.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from abtest.labels import LabelType

Counts: TypeAlias = npt.NDArray[np.int64]
LabelCounts: TypeAlias = Mapping[tuple[Label, Label, Label], int]

_COLUMN: dict[Side, int] = {"champion": 1, "challenger": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contingency:
    """Two-by-two counts of correctness on the same rows.

    Example:
        >>> table = Contingency(both=20, champion_only=12, challenger_only=2, neither=16)
        >>> table.n, table.discordant, table.effect
        (50, 14, -0.2)
    """

    both: int
    champion_only: int
    challenger_only: int
    neither: int

    @property
    def n(self) -> int:
        """Rows."""
        return self.both + self.champion_only + self.challenger_only + self.neither

    @property
    def discordant(self) -> int:
        """Rows on which exactly one side is right."""
        return self.champion_only + self.challenger_only

    @property
    def effect(self) -> float:
        """Challenger's accuracy minus the champion's; 0 where there are no rows."""
        return (self.challenger_only - self.champion_only) / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """The table of a named subset of rows.

    Attributes:
        name: What the rows were told apart by: a column, or columns crossed ("region*device").
        value: Which of its values these rows have.
        cells: As in the whole table, whose labels they index.
    """

    name: str
    value: str
    cells: Counts

    @property
    def key(self) -> tuple[str, str]:
        """What tells segments apart."""
        return self.name, self.value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedOutcomes:
    """The sparse table ``N[y, champion, challenger]``, and the same of each segment.

    Attributes:
        labels: Every label that occurs as truth or prediction, of one type, sorted.
        cells: Shape (cells, 4): indexes into ``labels`` of truth, champion's and challenger's prediction, and a count
            of at least 1. Rows are unique and sorted, so equal tables are equal arrays.
        segments: Tables of the segments asked for, each of at least one row, in the order of their values.

    Example:
        >>> a = PairedOutcomes.from_predictions(["x", "y"], ["x", "x"], ["x", "y"])
        >>> a.contingency()
        Contingency(both=1, champion_only=0, challenger_only=1, neither=0)
        >>> (a + a).n
        4
    """

    labels: tuple[Label, ...]
    cells: Counts
    segments: tuple[Segment, ...] = ()

    @classmethod
    def from_counts(
        cls,
        counts: LabelCounts,
        segments: Mapping[tuple[str, str], LabelCounts] | None = None,
        *,
        labels: Iterable[Label] = (),
    ) -> PairedOutcomes:
        """Build the table from counts keyed by (truth, champion, challenger), all labels of one type.

        Args:
            counts: Of all rows.
            segments: Of each segment's rows, by (name, value); those without rows are left out.
            labels: More labels than occur, so that two tables index the same ones.
        """
        there = {label for key, count in counts.items() if count for label in key}
        labels = tuple(sorted({*there, *labels}, key=label_order))
        index = {label: i for i, label in enumerate(labels)}
        return cls(
            labels=labels,
            cells=_cells(counts, index),
            segments=tuple(
                Segment(name=name, value=value, cells=_cells(own, index))
                for (name, value), own in (segments or {}).items()
                if any(own.values())
            ),
        )

    @classmethod
    def from_predictions(
        cls, y_true: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike
    ) -> PairedOutcomes:
        """Tally three columns of equal length, reconciling their label types."""
        tally = Tally()
        tally.add(np.asarray(y_true), np.asarray(champion), np.asarray(challenger))
        return cls.from_tally(tally)[0]

    @classmethod
    def from_tally(
        cls,
        tally: Tally,
        *,
        label_type: LabelType | None = None,
        truth_is_text: bool = False,
        all_text: bool = False,
    ) -> tuple[PairedOutcomes, tuple[str, ...]]:
        """Build the table from rows counted batch by batch, with what there is to say about their labels.

        Raises:
            LabelMismatchError: Truth and predictions share no type, or no class at all.
            InvalidInputError: The truth is continuous, or predictions look like probabilities.
        """
        counted = tally.counted(label_type=label_type, truth_is_text=truth_is_text, all_text=all_text)
        segments = (Segment(name=key[0], value=key[1], cells=cells) for key, cells in counted.segments.items())
        return cls(labels=counted.labels, cells=counted.cells, segments=tuple(segments)), counted.notices

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PairedOutcomes:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: The labels are no labels of one type, or the counts or indexes make no table.
        """
        try:
            labels, cells = tuple(data["labels"]), tuple(data["cells"])
        except (KeyError, TypeError):
            raise InvalidInputError("outcomes must hold the lists labels and cells.") from None
        kinds = {type(label) for label in labels}
        if len(kinds) > 1 or not kinds <= {bool, int, float, str}:
            raise InvalidInputError("outcomes.labels must be of one type: int, float, str or bool.")
        counts, segments = _read_cells(cells, labels), {}
        for name, value, own in _read_segments(data.get("segments", ())):
            segments[name, value] = _read_cells(own, labels)
            if not segments[name, value] <= counts:
                raise InvalidInputError(f"outcomes.segments: {name} = {value} has rows that the whole lacks.")
        return cls.from_counts(counts, segments)

    def to_dict(self) -> dict[str, Any]:
        """Spell the table as plain data: ``labels``, ``cells``, and ``segments``."""
        return {
            "labels": list(self.labels),
            "cells": self.cells.tolist(),
            "segments": [{"name": s.name, "value": s.value, "cells": s.cells.tolist()} for s in self.segments],
        }

    def to_counts(self) -> Counter[tuple[Label, Label, Label]]:
        """Spell the table as counts keyed by (truth, champion, challenger)."""
        return _label_counts(self.cells, self.labels)

    def of(self, segment: Segment) -> PairedOutcomes:
        """The table of one segment, over the labels of the whole."""
        return PairedOutcomes(labels=self.labels, cells=segment.cells)

    def __add__(self, other: PairedOutcomes) -> PairedOutcomes:
        for ours, theirs in zip(self.labels[:1], other.labels[:1], strict=False):
            if type(ours) is not type(theirs):  # else 1 and True would merge, and 1 and '1' stay apart, and nobody hear
                raise LabelMismatchError(
                    f"Outcomes of {type(ours).__name__} and {type(theirs).__name__} labels do not add up "
                    f"({ours!r} vs {theirs!r}).",
                    hint="tally both with the same --label-type.",
                )
        if self.n and other.n and ({s.name for s in self.segments} != {s.name for s in other.segments}):
            raise InvalidInputError(
                "Outcomes told apart by different segments do not add up: some rows would be in none.",
                hint="tally both with the same --segments.",
            )
        labels = tuple(sorted({*self.labels, *other.labels}, key=label_order))
        index = {label: i for i, label in enumerate(labels)}
        whole: list[Counts] = []
        parts: dict[tuple[str, str], list[Counts]] = {}
        for side in (self, other):
            lookup = np.array([index[label] for label in side.labels], dtype=np.int64)
            whole.append(_relabelled(side.cells, lookup))
            for segment in side.segments:
                parts.setdefault(segment.key, []).append(_relabelled(segment.cells, lookup))
        return PairedOutcomes(
            labels=labels,
            cells=merged(np.concatenate(whole)),
            segments=tuple(
                Segment(name=name, value=value, cells=merged(np.concatenate(cells)))
                for (name, value), cells in parts.items()
            ),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PairedOutcomes):
            return NotImplemented
        # 1 == True == 1.0 in Python, but as labels they are three.
        same_labels = [(type(x), x) for x in self.labels] == [(type(x), x) for x in other.labels]
        ours, theirs = ({s.key: s.cells.tobytes() for s in side.segments} for side in (self, other))
        return same_labels and np.array_equal(self.cells, other.cells) and ours == theirs

    def __hash__(self) -> int:
        return hash((self.labels, self.cells.tobytes()))

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.cells[:, 3].sum())

    @property
    def counts(self) -> Counts:
        """The cells' counts, shape (cells,)."""
        return self.cells[:, 3]

    @property
    def truth_support(self) -> Counts:
        """Rows of each label in the truth, shape (labels,); 0 for a label that is only ever predicted."""
        return np.bincount(self.cells[:, 0], weights=self.counts, minlength=len(self.labels)).astype(np.int64)

    @property
    def classes(self) -> tuple[Label, ...]:
        """The classes of the truth, over which averages run."""
        return tuple(label for label, support in zip(self.labels, self.truth_support, strict=True) if support)

    def swapped(self) -> PairedOutcomes:
        """Let the sides change places."""
        return PairedOutcomes(
            labels=self.labels,
            cells=_swapped(self.cells),
            segments=tuple(replace(segment, cells=_swapped(segment.cells)) for segment in self.segments),
        )

    def alone(self, side: Side) -> PairedOutcomes:
        """Let one side be both: what is known of it by itself."""

        def one(cells: Counts) -> Counts:
            return merged(cells[:, [0, _COLUMN[side], _COLUMN[side], 3]])

        segments = tuple(replace(segment, cells=one(segment.cells)) for segment in self.segments)
        return replace(self, cells=one(self.cells), segments=segments)

    def predicted_by(self, side: Side) -> Counts:
        """The side's predictions by cell, as indexes into ``labels``, shape (cells,)."""
        return self.cells[:, _COLUMN[side]]

    def contingency(self, label: Label | None = None) -> Contingency:
        """Tally correctness over all rows, or over the rows whose truth is ``label``."""
        y, count = self.cells[:, 0], self.counts
        if label is not None:
            count = np.where(y == self.labels.index(label), count, 0)
        champion, challenger = self.predicted_by("champion") == y, self.predicted_by("challenger") == y
        return Contingency(
            both=int(count[champion & challenger].sum()),
            champion_only=int(count[champion & ~challenger].sum()),
            challenger_only=int(count[~champion & challenger].sum()),
            neither=int(count[~champion & ~challenger].sum()),
        )

    def confusion(self, side: Side) -> Counts:
        """One side's confusion matrix over ``labels``: truth by row, prediction by column, shape (labels, labels)."""
        k = len(self.labels)
        matrix = np.zeros((k, k), dtype=np.int64)
        np.add.at(matrix, (self.cells[:, 0], self.predicted_by(side)), self.counts)
        return matrix

    def contingencies(self) -> tuple[Contingency, ...]:
        """Tally correctness over the rows of each label of the truth, in the order of ``labels``."""
        y = self.cells[:, 0]
        right = [self.predicted_by(side) == y for side in SIDES]
        kinds = np.zeros((len(self.labels), 4), dtype=np.int64)
        np.add.at(kinds, (y, 2 * ~right[0] + ~right[1]), self.counts)
        return tuple(
            Contingency(both=both, champion_only=champion, challenger_only=challenger, neither=neither)
            for both, champion, challenger, neither in kinds.tolist()
        )

    def with_majority_champion(self) -> tuple[PairedOutcomes, Label]:
        """Replace the champion by the majority-class predictor of this truth (the lowest class wins a tie)."""
        at = int(np.argmax(self.truth_support))

        def replaced(cells: Counts) -> Counts:
            found = cells.copy()
            found[:, _COLUMN["champion"]] = at
            return merged(found)

        segments = tuple(replace(segment, cells=replaced(segment.cells)) for segment in self.segments)
        return replace(self, cells=replaced(self.cells), segments=segments), self.labels[at]


def _cells(counts: LabelCounts, index: Mapping[Label, int]) -> Counts:
    rows = sorted((index[y], index[a], index[b], count) for (y, a, b), count in counts.items() if count)
    cells = np.array(rows, dtype=np.int64).reshape(-1, 4)
    cells.flags.writeable = False
    return cells


def _swapped(cells: Counts) -> Counts:
    return merged(cells[:, [0, 2, 1, 3]])


def _relabelled(cells: Counts, lookup: Counts) -> Counts:
    return np.column_stack([lookup[cells[:, :3]], cells[:, 3]])


def _label_counts(cells: Counts, label: tuple[Label, ...]) -> Counter[tuple[Label, Label, Label]]:
    return Counter({(label[y], label[a], label[b]): count for y, a, b, count in cells.tolist()})


def _read_cells(cells: Iterable[Any], labels: tuple[Label, ...]) -> Counter[tuple[Label, Label, Label]]:
    counts: Counter[tuple[Label, Label, Label]] = Counter()
    for cell in cells:
        if not _is_cell(cell, len(labels)):
            raise InvalidInputError(f"outcomes.cells holds {cell!r}, which points at no label or counts no row.")
        y, a, b, count = cell
        counts[labels[y], labels[a], labels[b]] += count
    return counts


def _read_segments(entries: object) -> Iterator[tuple[str, str, Iterable[Any]]]:
    told = "outcomes.segments must be a list of tables with name, value and cells."
    if not isinstance(entries, list | tuple):
        raise InvalidInputError(told)
    for entry in entries:
        try:
            name, value, cells = entry["name"], entry["value"], tuple(entry["cells"])
        except (KeyError, TypeError):
            raise InvalidInputError(told) from None
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidInputError(told)
        yield name, value, cells


def _is_cell(cell: object, labels: int) -> bool:
    if not (isinstance(cell, list | tuple) and len(cell) == 4 and all(type(x) is int for x in cell)):
        return False
    return all(0 <= x < labels for x in cell[:3]) and bool(cell[3] >= 1)
