"""Rows → tallies by the hour and sketches by the day: what tracking writes, and what a baseline is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abtest.errors import LabelMismatchError
from abtest.labels import Label
from abtest.monitoring.classes import ClassesByHour, Counted
from abtest.monitoring.errors import ErrorsByHour, NumbersByHour, grouped
from abtest.monitoring.features import FeaturesByDay
from abtest.monitoring.times import utc
from abtest.stats.moments import Moments
from abtest.windows import DAY, HOUR, Bucket, Sketched, Tallied, sketched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pyarrow as pa

    from abtest.coded import Coded
    from abtest.labels import LabelType, Task

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What some rows come to.

    Attributes:
        buckets: By hour and version, in order.
        sketches: By day and version, in order.
        truths: Each label of the truth by its type and value as it came, as it is now; empty of a regression.
        notices: What was cast.
    """

    buckets: tuple[Bucket, ...]
    sketches: tuple[Sketched, ...]
    truths: Mapping[tuple[type, Label], Label]
    notices: tuple[str, ...]


class Tallying:
    """Takes in rows of one model.

    Args:
        task: What they are of.
        segments: By the name of each segmentation, its values by code; it may grow while rows come.
        features: Columns that are sketched.
    """

    def __init__(self, task: Task, segments: Mapping[str, Mapping[str, int]], features: Sequence[str] = ()) -> None:
        self._segments = segments
        self._hours, self._days = _Groups(), _Groups()
        self._n: dict[int, int] = {}
        self._classes = ClassesByHour() if task == "classification" else None
        self._numbers, self._errors = NumbersByHour(), ErrorsByHour()
        self._features = FeaturesByDay(features)
        self._corrected: dict[int, int] = {}
        self._lags: dict[int, list[Moments]] = {}

    def groups(self, at: Floats | None, versions: Sequence[int | None] | int | None, rows: int) -> Codes:
        """Number the hour and version of each row, as other methods take it; shape (rows,).

        Args:
            at: When each was predicted; None where there is no time.
            versions: Of each row, or of all.
            rows: How many there are.
        """
        return self._hours.codes(None if at is None else np.floor(at / HOUR).astype(np.int64), versions, rows)

    def predictions(self, group: Codes, predicted: Labels | Coded) -> None:
        """Take in what was predicted."""
        for code, count in zip(*(part.tolist() for part in np.unique(group, return_counts=True)), strict=True):
            self._n[code] = self._n.get(code, 0) + count
        if self._classes is not None:
            self._classes.predictions(group, predicted)
        else:
            self._numbers.add(group, _floats(predicted))

    def labels(
        self, group: Codes, truth: Labels | Coded, predicted: Labels | Coded, segments: Mapping[str, Codes]
    ) -> None:
        """Take in rows with a label; a code below 0 is of a row that the segmentation leaves out."""
        if not len(group):
            return
        if self._classes is not None:
            self._classes.labels(group, truth, predicted, segments)
        else:
            self._errors.add(group, _floats(truth), _floats(predicted), segments)

    def features(self, at: Floats | None, version: int | None, batch: pa.RecordBatch) -> None:
        """Take in features of one version's rows."""
        days = None if at is None else np.floor(at / DAY).astype(np.int64)
        self._features.add(self._days.codes(days, version, batch.num_rows), batch)

    def corrected(self, group: int, count: int) -> None:
        """Count labels that say otherwise than the first."""
        self._corrected[group] = self._corrected.get(group, 0) + count

    def lags(self, group: Codes, seconds: Floats) -> None:
        """Take in how long labels took."""
        for code, rows in grouped(group):
            self._lags.setdefault(code, []).append(Moments.of(seconds[rows]))

    def found(
        self, *, label_type: LabelType | None = None, truth_is_text: bool = False, known: Sequence[Label] = ()
    ) -> Found:
        """What all rows come to; arguments as of ``ClassesByHour.found``.

        Raises:
            LabelMismatchError: Truth and predictions share no type, or no class at all.
            InvalidInputError: Labels or features are not as they must be.
        """
        counted = self._classes and self._classes.found(
            {name: [*values] for name, values in self._segments.items()},
            label_type=label_type, truth_is_text=truth_is_text, known=known,
        )  # fmt: skip
        parts = self._of_classes(counted) if counted else self._of_numbers()
        tallied = {
            code: Tallied(
                n=self._n.get(code, 0),
                corrected=self._corrected.get(code, 0),
                lag=Moments.sum(self._lags[code]) if code in self._lags else None,
                **parts.get(code, {}),
            )
            for code in {*self._n, *self._corrected, *self._lags, *parts}
        }
        sketches = self._features.sketches()
        return Found(
            buckets=tuple(
                Bucket(start=_start(hour, HOUR), version=version, tallied=tallied[code])
                for code, hour, version in self._hours.sorted()
                if code in tallied
            ),
            sketches=tuple(
                Sketched(day=_start(day, DAY), version=version, features=sketches[code])
                for code, day, version in self._days.sorted()
                if code in sketches
            ),
            truths=counted.truths if counted else {},
            notices=(
                *(counted.notices if counted else ()),
                *(f"Feature '{name}' is left out: {why}" for name, why in self._features.left_out.items()),
            ),
        )

    def _of_classes(self, counted: Counted) -> dict[int, dict[str, Any]]:
        parts: dict[int, dict[str, Any]] = {}
        for code, counts in counted.predictions().items():
            parts.setdefault(code, {})["predictions"] = sketched(counts, "classification")
        for code, outcomes in counted.outcomes().items():
            parts.setdefault(code, {})["outcomes"] = outcomes
        return parts

    def _of_numbers(self) -> dict[int, dict[str, Any]]:
        parts: dict[int, dict[str, Any]] = {}
        for code, sketch in self._numbers.sketches().items():
            parts.setdefault(code, {})["predictions"] = sketch
        for code, errors in self._errors.whole().items():
            parts.setdefault(code, {})["errors"] = errors
        values = {name: [*own] for name, own in self._segments.items()}
        for (code, name, value), errors in self._errors.segments().items():
            parts[code].setdefault("error_segments", {})[name, values[name][value]] = errors
        return parts


class _Groups:
    """Periods and versions, numbered as they come."""

    def __init__(self) -> None:
        self._codes: dict[tuple[int | None, int | None], int] = {}

    def codes(self, periods: Codes | None, versions: Sequence[int | None] | int | None, rows: int) -> Codes:
        if isinstance(versions, int | None) and (periods is None or not rows or periods.min() == periods.max()):
            key = (None if periods is None or not rows else int(periods[0]), versions)
            return np.full(rows, self._code(key), dtype=np.int64)
        if isinstance(versions, int | None):
            occurring, inverse = np.unique(np.asarray(periods), return_inverse=True)
            own = [self._code((period, versions)) for period in occurring.tolist()]
            found: Codes = np.array(own, dtype=np.int64)[inverse]
            return found
        by_row = [None] * rows if periods is None else periods.tolist()
        return np.array([self._code(key) for key in zip(by_row, versions, strict=True)], dtype=np.int64)

    def sorted(self) -> list[tuple[int, int | None, int | None]]:
        """Code, period and version of each, by period and version."""
        order = sorted(self._codes, key=lambda key: tuple((part is not None, part or 0) for part in key))
        return [(self._codes[key], *key) for key in order]

    def _code(self, key: tuple[int | None, int | None]) -> int:
        return self._codes.setdefault(key, len(self._codes))


def _start(period: int | None, seconds: int) -> datetime | None:
    return None if period is None else utc(period * seconds)


def _floats(numbers: Labels | Coded) -> Floats:
    if not isinstance(numbers, np.ndarray):
        raise LabelMismatchError("A regression needs numbers.")
    return numbers.astype(np.float64, copy=False)
