"""Hours of predictions and days of features, as a period that adds up."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from abtest.stats.sketches import Sketch
from abtest.windows.tallied import Tallied

if TYPE_CHECKING:
    from collections.abc import Collection

HOUR, DAY = 3600, 86400  # seconds: tallies are by the hour, sketches of features by the day (UTC)
LIVE = "live"  # the batch of what the log of a server holds: it is counted again, and not added
_EVER = datetime.min.replace(tzinfo=UTC)


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
        return Tallied.sum(bucket.tallied for bucket in self.buckets)

    def features(self) -> dict[str, Sketch]:
        """Its features, added up; one that changed its type from numbers to text is taken as of the later days."""
        days = sorted(self.sketches, key=lambda sketched: sketched.day or _EVER)
        by_name: dict[str, list[Sketch]] = {}
        for sketched in days:
            for name, sketch in sketched.features.items():
                by_name.setdefault(name, []).append(sketch)
        return {name: _added(sketches) for name, sketches in by_name.items()}

    def by(self, seconds: int) -> tuple[Window, ...]:
        """Cut it into equal periods from its start, those without predictions too; at midnight where they are days.

        Then the first and the last may be shorter. An hour or a day is of the period that its begin is in, the one
        that the window begins within of the first. A window without time is one period.

        Example:
            >>> from datetime import UTC
            >>> window = Window(
            ...     start=datetime(2026, 5, 1, 12, tzinfo=UTC), end=datetime(2026, 5, 3, tzinfo=UTC), buckets=()
            ... )
            >>> [str(day.start) for day in window.by(DAY)]
            ['2026-05-01 12:00:00+00:00', '2026-05-02 00:00:00+00:00']
        """
        if self.start is None or self.end is None:
            return (self,)
        first = self.start
        if seconds % DAY == 0:
            first = first.replace(hour=0, minute=0, second=0, microsecond=0)
        width = timedelta(seconds=seconds)
        count = max(1, -((first - self.end) // width))  # rounded up
        buckets: list[list[Bucket]] = [[] for _ in range(count)]
        sketches: list[list[Sketched]] = [[] for _ in range(count)]
        for bucket in self.buckets:
            buckets[_period(bucket.start, first, width, count)].append(bucket)
        for sketched in self.sketches:
            sketches[_period(sketched.day, first, width, count)].append(sketched)
        return tuple(
            Window(
                start=max(self.start, first + at * width),
                end=min(self.end, first + (at + 1) * width),
                buckets=tuple(buckets[at]),
                sketches=tuple(sketches[at]),
            )
            for at in range(count)
        )

    def only(self, segments: Collection[tuple[str, str]]) -> Window:
        """The labelled rows of these segments, which must be values of one segmentation or rows would count twice.

        What failed is not told apart, and is left out.
        """
        kept = [replace(bucket, tallied=bucket.tallied.only(segments)) for bucket in self.buckets]
        return replace(self, buckets=tuple(bucket for bucket in kept if bucket.tallied.n), sketches=())

    def versions(self) -> tuple[int | None, ...]:
        """The versions that predicted, by when they first did."""
        by_time = sorted(self.buckets, key=lambda bucket: bucket.start or _EVER)
        return tuple(dict.fromkeys(bucket.version for bucket in by_time))


def _period(moment: datetime | None, first: datetime, width: timedelta, count: int) -> int:
    return 0 if moment is None else min(max((moment - first) // width, 0), count - 1)


def _added(sketches: list[Sketch]) -> Sketch:
    """Add up the sketches of a feature, in order of time, from where it last changed its type."""
    kinds = [type(sketch) for sketch in sketches if sketch.n]
    kind = kinds[-1] if kinds else type(sketches[-1])
    since = 1 + max((at for at, one in enumerate(sketches) if one.n and type(one) is not kind), default=-1)
    same = [one for one in sketches[since:] if type(one) is kind]
    # A day without a value has no type that matters, whichever it was taken for.
    missing = sum(one.missing for one in sketches[since:] if type(one) is not kind)
    found: Sketch = functools.reduce(operator.add, same)
    return replace(found, missing=found.missing + missing) if missing else found
