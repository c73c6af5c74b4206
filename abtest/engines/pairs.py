"""What one challenger's predictions, beside the champion's on the same rows, are tallied into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from abtest.coded import Coded
from abtest.counting import Counts
from abtest.engines.errors import ErrorTally, first_look
from abtest.engines.units import UnitTallies
from abtest.errors import InvalidInputError
from abtest.labels import Label, Side
from abtest.loaders.fingerprints import Fingerprints
from abtest.metrics.errors import PairedErrors
from abtest.outcomes import PairedOutcomes
from abtest.scores import PairedScores
from abtest.stats.clusters import UnitTables
from abtest.tally import Tally

if TYPE_CHECKING:
    from abtest.engines.errors import Truth
    from abtest.labels import LabelType, Task
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.segments import Segmentation

_MOST_TRUTHS = 1_000
_NUMBERS_HINT = "--task regression compares predicted numbers."

Array: TypeAlias = npt.NDArray[Any]
Labels: TypeAlias = Array | Coded


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one pass over the data gave.

    Attributes:
        outcomes: The table; None of a regression.
        majority: What the baseline predicts, where it stood in for a champion: the most frequent class, or the mean.
        unlabelled: Rows dropped because they had no label.
        notices: What was cast, and what was never seen in the truth.
        latency: Seconds a row's prediction took, by side.
        fingerprints: Of all rows read, labelled or not.
        units: Rows by unit, where they come in units.
        scores: Both sides' probabilities, where they were asked for and both have them.
        unscored: Why there are none.
        errors: Both sides' errors, of a regression.
    """

    outcomes: PairedOutcomes | None
    majority: Label | None
    unlabelled: int
    notices: tuple[str, ...]
    latency: Mapping[Side, float | None] = field(default_factory=dict)
    fingerprints: Fingerprints | None = None
    units: UnitTables | None = None
    scores: PairedScores | None = None
    unscored: tuple[str, ...] = ()
    errors: PairedErrors | None = None

    @property
    def n(self) -> int:
        """Rows compared."""
        return self.errors.n if self.errors is not None else self.table.n

    @property
    def table(self) -> PairedOutcomes:
        """The table, which a classification has.

        Raises:
            InvalidInputError: It is a regression.
        """
        if self.outcomes is None:
            raise InvalidInputError("A regression has no table of outcomes.")
        return self.outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Labelled rows of one batch.

    Attributes:
        numbers: Theirs in the data, from 1, shape (rows,).
        truth: Shape (rows,); text is coded.
        codes: By segmentation, the index of each row's value.
        units: What each belongs to, where they come in units.
        counts: How many rows each stands for, where others have counted before; 1 by default.
    """

    numbers: npt.NDArray[np.int64]
    truth: Labels
    codes: Mapping[str, npt.NDArray[np.int64]]
    units: Array | None
    counts: Counts | None = None


class ClassPair:
    """Counts rows by class of truth and predictions.

    Args:
        segmentation: The segments in which they are counted too.
        in_units: Count them by unit too.
    """

    def __init__(self, segmentation: Segmentation, *, in_units: bool) -> None:
        self._tally = Tally(segmentation.groups)
        self._units = UnitTallies(segmentation) if in_units else None

    def add(self, rows: Rows, champion: Labels | None, challenger: Labels) -> None:
        """Count one batch; predictions are of shape (rows,)."""
        self._tally.add(rows.truth, champion, challenger, rows.codes, counts=rows.counts)
        if self._units is not None and rows.units is not None:
            sides = (plain(rows.truth), champion if champion is None else plain(champion), plain(challenger))
            self._units.add(rows.units, *sides, rows.codes, counts=rows.counts)
        refuse_many_labels(self._tally, rows.truth)

    def scored(
        self,
        *,
        unlabelled: int = 0,
        label_type: LabelType | None = None,
        truth_is_text: bool = False,
        all_text: bool = False,
        with_champion: bool = True,
    ) -> Scored:
        """The table, with labels of one type."""
        outcomes, said = PairedOutcomes.from_tally(
            self._tally, label_type=label_type, truth_is_text=truth_is_text, all_text=all_text
        )
        majority: Label | None = None
        if not with_champion:
            outcomes, majority = outcomes.with_majority_champion()
        return Scored(
            outcomes=outcomes,
            majority=majority,
            unlabelled=unlabelled,
            notices=said,
            units=self._units.tables(outcomes) if self._units else None,
        )


class ErrorPair:
    """Sums the errors of numbers predicted.

    Args:
        tally: What sums them.
        baseline: What the baseline predicts, where there is no champion.
    """

    def __init__(self, tally: ErrorTally, *, baseline: float | None = None) -> None:
        self._tally = tally
        self._baseline = baseline

    def add(self, rows: Rows, champion: Labels | None, challenger: Labels) -> None:
        """Sum one batch; predictions are of shape (rows,)."""
        sides = (plain(rows.truth), champion if champion is None else plain(champion), plain(challenger))
        self._tally.add(*sides, rows.codes, rows.numbers, rows.units)

    def scored(self, *, unlabelled: int = 0) -> Scored:
        """The sums."""
        return Scored(
            outcomes=None, majority=self._baseline, unlabelled=unlabelled, notices=(), errors=self._tally.errors()
        )


def plain(labels: Labels) -> Array:
    """Labels as an array."""
    return labels.decoded() if isinstance(labels, Coded) else labels


def refuse_many_labels(tally: Tally, truth: Labels) -> None:
    """Stop early on a continuous target: its every row would be a label of its own."""
    if tally.has_more_truths(max(_MOST_TRUTHS, tally.n / 2)):
        raise InvalidInputError(
            f"The target has {tally.distinct_truths:,} distinct values in {tally.n:,} rows, too many for classes.",
            hint=_NUMBERS_HINT,
        )
    if isinstance(truth, Coded) or truth.dtype.kind != "f":
        return
    fractions = truth[truth != np.floor(truth)]
    if len(fractions):
        raise InvalidInputError(
            f"The target is continuous ({float(fractions[0])!r} is not a class label).", hint=_NUMBERS_HINT
        )


def new_pair(
    task: Task,
    truth: Callable[[], Truth],
    segmentation: Segmentation,
    *,
    unit: object,
    losses: Sequence[str],
    seed: int,
    with_champion: bool,
) -> ClassPair | ErrorPair:
    """What takes in the rows of one challenger."""
    if task == "classification":
        return ClassPair(segmentation, in_units=unit is not None)
    found = truth()
    tally = ErrorTally(found, segmentation.groups, in_units=unit is not None, losses=losses, seed=seed)
    return ErrorPair(tally, baseline=None if with_champion else found.origin)


def look_of(data: Dataset, target: str) -> Callable[[], Truth]:
    """Look at the truth once, when it is first asked for."""
    return cache(lambda: first_look(data, target, {target: pa.string()} if data.is_text else {}))
