"""Predicted numbers by hour: sums of their errors, and sketches of them, many rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abtest.metrics.regression import RegressionOutcomes
from abtest.stats.moments import Moments
from abtest.stats.sketches import Numbers
from abtest.windows import adding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_WAITING = 1 << 20  # rows that are grouped together: the fewer groups a row, the faster
_TOGETHER = 8  # sums that are added up at once


def errors_by_group(truth: Floats, predicted: Floats, group: Codes) -> dict[int, RegressionOutcomes]:
    """Sum the errors of each group's rows, the model on both sides.

    Args:
        truth: Shape (rows,).
        predicted: Likewise.
        group: Each row's, shape (rows,).
    """
    occurring, own = np.unique(group, return_inverse=True)
    errors = predicted - truth
    columns = (truth, errors, np.abs(errors), np.square(errors))
    moments = [Moments.by_group(column, own, len(occurring)) for column in columns]
    return {
        code: RegressionOutcomes(truth=y, errors=adding.twice(e), absolute=adding.twice(a), squared=adding.twice(s))
        for code, y, e, a, s in zip(occurring.tolist(), *moments, strict=True)
    }


class ErrorsByHour:
    """Sums the errors of labelled rows by group, and by group and segment.

    Example:
        >>> sums = ErrorsByHour()
        >>> sums.add(np.array([0, 0]), np.array([1.0, 2.0]), np.array([1.5, 2.0]), {})
        >>> sums.whole()[0].value("mae", "champion")
        0.25
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Codes, Floats, Floats, Mapping[str, Codes]]] = []
        self._whole: dict[int, list[RegressionOutcomes]] = {}
        self._segments: dict[tuple[int, str, int], list[RegressionOutcomes]] = {}

    def add(self, group: Codes, truth: Floats, predicted: Floats, segments: Mapping[str, Codes]) -> None:
        """Take in rows; arrays are of shape (rows,), a code below 0 is of a row that the segmentation leaves out."""
        self._waiting.append((group, truth, predicted, segments))
        if sum(len(one) for one, *_ in self._waiting) >= _WAITING:
            self._settle()

    def whole(self) -> dict[int, RegressionOutcomes]:
        """The sums of each group."""
        self._settle()
        return {key: adding.errors(parts) for key, parts in self._whole.items()}

    def segments(self) -> dict[tuple[int, str, int], RegressionOutcomes]:
        """The sums of each group's segments: by group, name, and code of the value."""
        self._settle()
        return {key: adding.errors(parts) for key, parts in self._segments.items()}

    def _settle(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        group, truth, predicted = (np.concatenate([one[at] for one in waiting]) for at in range(3))
        for code, sums in errors_by_group(truth, predicted, group).items():
            _append(self._whole.setdefault(code, []), sums)
        for name in dict.fromkeys(name for *_, segments in waiting for name in segments):
            codes = np.concatenate([
                segments.get(name, np.full(len(own), -1, dtype=np.int64)) for own, _, _, segments in waiting
            ])  # fmt: skip
            told = codes >= 0
            size = int(codes.max(initial=0)) + 1
            found = errors_by_group(truth[told], predicted[told], group[told] * size + codes[told])
            for code, sums in found.items():
                _append(self._segments.setdefault((code // size, name, code % size), []), sums)


class NumbersByHour:
    """Sketches numbers by group."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Codes, Floats]] = []
        self._found: dict[int, Numbers] = {}

    def add(self, group: Codes, numbers: Floats) -> None:
        """Take in rows, shape (rows,) each."""
        self._waiting.append((group, numbers))
        if sum(len(one) for one, _ in self._waiting) >= _WAITING:
            self._settle()

    def sketches(self) -> dict[int, Numbers]:
        """The sketch of each group."""
        self._settle()
        return self._found

    def _settle(self) -> None:
        if not self._waiting:
            return
        group, numbers = (np.concatenate([one[at] for one in self._waiting]) for at in range(2))
        self._waiting = []
        for code, rows in grouped(group):
            sketch = Numbers.of(numbers[rows])
            known = self._found.get(code)
            self._found[code] = sketch if known is None else known + sketch


def grouped(group: Codes) -> Iterator[tuple[int, Any]]:
    """Give each group with where its rows are, as an index into arrays."""
    if len(group) and group.min() == group.max():
        yield int(group[0]), slice(None)
        return
    order = np.argsort(group, kind="stable")
    codes = group[order]
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])[: len(codes)]).tolist()
    for start, end in zip(starts, [*starts[1:], len(codes)], strict=True):
        yield int(codes[start]), order[start:end]


def _append(parts: list[RegressionOutcomes], sums: RegressionOutcomes) -> None:
    parts.append(sums)
    if len(parts) == _TOGETHER:  # else a long file would keep them all
        parts[:] = [adding.errors(parts)]
