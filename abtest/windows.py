"""What is known of a model's predictions, by the hour: counts and sums that add up, so that any window is a sum.

This is the same evidence as a comparison's, of one model instead of two: the table of outcomes has the model on both
sides. Rows are read once, when they are tracked; every report and every check adds hours up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from abtest.labels import Label, Task
from abtest.metrics.regression import RegressionOutcomes
from abtest.outcomes import PairedOutcomes
from abtest.stats.moments import Moments
from abtest.stats.sketches import Sketch

HOUR, DAY = 3600, 86400  # seconds: tallies are by the hour, sketches of features by the day (UTC)
LIVE = "live"  # the batch of what the log of a server holds: it is counted again, and not added


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tallied:
    """What is known of some predictions of one model; merging is ``+``.

    Attributes:
        n: Predictions, failed ones too.
        failed: Of them, those that failed.
        predictions: What was predicted, labelled or not; None where nothing was.
        outcomes: Labelled rows of a classification: the table in which both sides are the model. Its segments are those
            that were told apart when the rows were tracked; added up, a segment has the rows that were told apart by
            it.
        errors: Labelled rows of a regression: its sums, in which both sides are the model.
        error_segments: The same of each segment, by (name, value).
        unpredicted: Labelled rows whose prediction failed, by their truth: of a classification they count as wrong.
        corrected: Labels that came again and said otherwise: the first counts.
        lag: Seconds from a prediction to its label, where both moments are known.
    """

    n: int = 0
    failed: int = 0
    predictions: Sketch | None = None
    outcomes: PairedOutcomes | None = None
    errors: RegressionOutcomes | None = None
    error_segments: Mapping[tuple[str, str], RegressionOutcomes] = field(default_factory=dict)
    unpredicted: Mapping[Label, int] = field(default_factory=dict)
    corrected: int = 0
    lag: Moments | None = None

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        raise NotImplementedError

    @property
    def task(self) -> Task | None:
        """What labelled rows are of; None where there are none."""
        raise NotImplementedError

    def table(self) -> PairedOutcomes:
        """Labelled rows of a classification, with those whose prediction failed as ``NO_PREDICTION``, never right.

        Where there are such rows all labels are text.
        """
        raise NotImplementedError

    def __add__(self, other: Tallied) -> Tallied:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Spell it as plain data; what is empty is left out."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tallied:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is not that.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bucket:
    """An hour of one version's predictions, or all of a baseline that has no time.

    Attributes:
        start: The begin of the hour, in UTC; None where there is no time.
        version: The version that predicted; None of what is no registered version.
        tallied: What is known.
    """

    start: datetime | None
    version: int | None
    tallied: Tallied


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketched:
    """A day of one version's features.

    Attributes:
        day: The begin of the day, in UTC; None where there is no time.
        version: As of ``Bucket``.
        features: By their name, what they held.
    """

    day: datetime | None
    version: int | None
    features: Mapping[str, Sketch]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A period, as the hours in it.

    Attributes:
        start: In UTC, the first moment; None of a baseline that has no time.
        end: The moment after the last; None likewise.
        buckets: Hours with predictions, by (start, version); each pair once.
        sketches: Days with features, likewise.
    """

    start: datetime | None
    end: datetime | None
    buckets: tuple[Bucket, ...]
    sketches: tuple[Sketched, ...] = ()

    def whole(self) -> Tallied:
        """All of it, added up."""
        raise NotImplementedError

    def features(self) -> dict[str, Sketch]:
        """Its features, added up; one that changed its type from numbers to text is taken as of the later days."""
        raise NotImplementedError

    def by(self, seconds: int) -> tuple[Window, ...]:
        """Cut it into equal periods from its start, those without predictions too; at midnight where they are days."""
        raise NotImplementedError

    def versions(self) -> tuple[int | None, ...]:
        """The versions that predicted, by when they first did."""
        raise NotImplementedError
