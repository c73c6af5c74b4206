"""Predicted classes by hour: tables of outcomes, and how often each class was predicted."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest.coded import Array, Coded
from abtest.counting import Counts, CountTable, merged
from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.labels import Label, label_order, reconcile
from abtest.outcomes import PairedOutcomes, Segment
from abtest.tally import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from abtest.labels import LabelType

Codes = npt.NDArray[np.int64]
_ROWS_TO_REFUSE_DISJOINT = 10  # fewer may all be wrong by chance; more, and the labels are spelled differently
_MOST_GROUPS, _MOST_VALUES = 1 << 18, 1 << 9  # as a key has bits for them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Rows by group, with labels of one type.

    Attributes:
        labels: All that occur, sorted.
        predicted: Group, prediction as an index into ``labels``, and count; shape (cells, 3).
        cells: Of labelled rows: group, truth, prediction, count; shape (cells, 4).
        segments: By the name of each segmentation, its values, and the same cells with the value's code after the
            group; shape (cells, 5).
        truths: Each label of the truth as it came, and as it is now.
        notices: What was cast.
    """

    labels: tuple[Label, ...]
    predicted: Counts
    cells: Counts
    segments: Mapping[str, tuple[Sequence[str], Counts]]
    truths: Mapping[tuple[type, Label], Label]
    notices: tuple[str, ...]

    def predictions(self) -> dict[int, dict[Label, int]]:
        """How often each class was predicted, by group."""
        found: dict[int, dict[Label, int]] = {}
        for group, label, count in self.predicted.tolist():
            found.setdefault(group, {})[self.labels[label]] = count
        return found

    def outcomes(self) -> dict[int, PairedOutcomes]:
        """The table of each group, the model on both sides."""
        parts = [(name, values, dict(_by_group(cells))) for name, (values, cells) in self.segments.items()]
        found = {}
        for group, cells in _by_group(self.cells):
            occurring = np.unique(cells[:, :2])
            segments: list[Segment] = []
            for name, values, by_group in parts:
                if group in by_group:
                    told = [(values[code], of_value) for code, of_value in _by_group(by_group[group])]
                    segments += [
                        Segment(name=name, value=value, cells=_both_sides(own, occurring))
                        for value, own in sorted(told, key=operator.itemgetter(0))
                    ]
            found[group] = PairedOutcomes(
                labels=tuple(self.labels[i] for i in occurring.tolist()),
                cells=_both_sides(cells, occurring),
                segments=tuple(segments),
            )
        return found


class ClassesByHour:
    """Counts rows by group, truth and prediction; label types are reconciled once, over the distinct values."""

    def __init__(self) -> None:
        self._truth, self._model = Vocabulary("target"), Vocabulary("model")
        self._predicted = CountTable()
        self._whole = CountTable()
        self._segments: dict[str, tuple[CountTable, int]] = {}  # with how many values there are
        self._groups = 1

    def predictions(self, group: Codes, predicted: Array | Coded) -> None:
        """Count what was predicted; arrays of shape (rows,)."""
        codes = self._model.encode(Coded.of(predicted))
        self._predicted.add([self._grown(group), codes], [self._groups, len(self._model)])

    def labels(
        self, group: Codes, truth: Array | Coded, predicted: Array | Coded, segments: Mapping[str, Codes]
    ) -> None:
        """Count labelled rows; arrays of shape (rows,), a code below 0 is of a row that the segmentation leaves out."""
        group = self._grown(group)
        y, model = self._truth.encode(Coded.of(truth)), self._model.encode(Coded.of(predicted))
        sizes = [self._groups, len(self._truth), len(self._model)]
        self._whole.add([group, y, model], sizes)
        for name, codes in segments.items():
            told = slice(None) if codes.min(initial=0) >= 0 else codes >= 0
            table, most = self._segments.get(name, (CountTable(), 1))
            most = max(most, int(codes.max(initial=0)) + 1)
            if most > _MOST_VALUES:
                raise InvalidInputError(f"segments: '{name}' has more than {_MOST_VALUES} values.")
            self._segments[name] = table, most
            table.add([codes[told], group[told], y[told], model[told]], [most, *sizes])

    def found(
        self,
        segments: Mapping[str, Sequence[str]],
        *,
        label_type: LabelType | None,
        truth_is_text: bool,
        known: Sequence[Label],
    ) -> Counted:
        """Bring all labels to one type.

        Args:
            segments: By the name of each segmentation, its values by code.
            label_type: The type; None to find one.
            truth_is_text: The truth comes from a text format.
            known: Labels of the same model that were there before.

        Raises:
            LabelMismatchError: Truth and predictions share no type, or no class at all.
            InvalidInputError: The truth is continuous, or predictions look like probabilities.
        """
        cells, predicted = self._whole.cells(3), self._predicted.cells(2)
        truths = np.unique(cells[:, 1])
        given = np.unique(np.concatenate([cells[:, 2], predicted[:, 1]]))
        try:
            agreed = reconcile(
                [self._truth.values[i] for i in truths.tolist()], [], [self._model.values[i] for i in given.tolist()],
                label_type=label_type, truth_is_text=truth_is_text,
            )  # fmt: skip
        except InvalidInputError as error:
            raise type(error)(_of_one_model(error.message), hint=error.hint) from error
        _refuse_strangers(agreed.truth, {*agreed.challenger, *known}, int(cells[:, 3].sum()))
        labels = tuple(sorted({*agreed.truth, *agreed.challenger}, key=label_order))
        index = {label: i for i, label in enumerate(labels)}
        y_of = _lookup(truths, agreed.truth, index, len(self._truth))
        model_of = _lookup(given, agreed.challenger, index, len(self._model))
        return Counted(
            labels=labels,
            predicted=merged(np.column_stack([predicted[:, 0], model_of[predicted[:, 1]], predicted[:, 2]])),
            cells=merged(np.column_stack([cells[:, 0], y_of[cells[:, 1]], model_of[cells[:, 2]], cells[:, 3]])),
            segments={
                name: (segments[name], _segment_cells(table.cells(4), y_of, model_of))
                for name, (table, _) in sorted(self._segments.items())
            },
            truths={
                (type(raw), raw): label
                for raw, label in zip([self._truth.values[i] for i in truths.tolist()], agreed.truth, strict=True)
            },
            notices=tuple(_of_one_model(notice) for notice in agreed.notices),
        )

    def _grown(self, group: Codes) -> Codes:
        self._groups = max(self._groups, int(group.max(initial=0)) + 1)
        if self._groups > _MOST_GROUPS:
            raise InvalidInputError(
                f"A file may have rows of at most {_MOST_GROUPS:,} hours.", hint="cut it into years."
            )
        return group


def _lookup(codes: Counts, labels: Sequence[Label], index: Mapping[Label, int], size: int) -> Counts:
    """The index of each code's label."""
    found = np.zeros(size, dtype=np.int64)
    found[codes] = [index[label] for label in labels]
    return found


def _segment_cells(cells: Counts, y_of: Counts, model_of: Counts) -> Counts:
    """Put the group before the segment's value, and labels in the place of codes."""
    spelled = merged(np.column_stack([cells[:, 0], cells[:, 1], y_of[cells[:, 2]], model_of[cells[:, 3]], cells[:, 4]]))
    order = np.argsort(spelled[:, 1], kind="stable")  # keys have few bits for what comes first
    return spelled[order][:, [1, 0, 2, 3, 4]]


def _by_group(cells: Counts) -> Iterator[tuple[int, Counts]]:
    """Cut cells, which are sorted, by their first column, and leave it out."""
    first = cells[:, 0]
    starts = np.flatnonzero(np.append(True, first[1:] != first[:-1])[: len(first)]).tolist()
    for start, end in zip(starts, [*starts[1:], len(first)][: len(starts)], strict=True):
        yield int(first[start]), cells[start:end, 1:]


def _both_sides(cells: Counts, occurring: Counts) -> Counts:
    """Write truth, prediction and count as a table of the labels that occur, the model on both sides."""
    y, model = np.searchsorted(occurring, cells[:, 0]), np.searchsorted(occurring, cells[:, 1])
    found = np.column_stack([y, model, model, cells[:, 2]])
    found.flags.writeable = False
    return found


def _of_one_model(message: str) -> str:
    """Let a sentence about two sides be one about the model."""
    return message.replace("Challenger predictions", "Predictions").replace("challenger predictions", "predictions")


def _refuse_strangers(truth: Sequence[Label], ours: Collection[Label], rows: int) -> None:
    """Refuse labels of which the model has never predicted or seen one."""
    if rows < _ROWS_TO_REFUSE_DISJOINT or set(truth) & set(ours):
        return
    first, seen = (min(labels, key=label_order) for labels in (truth, ours))
    raise LabelMismatchError(
        f"The model never predicts a class of the truth ({seen!r} vs {first!r}).",
        hint="log the model with its class names, or map the labels.",
    )
