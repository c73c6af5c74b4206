"""What the recent window is held against: a baseline that was asked for, and the version before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.evaluator.monitored import Baseline
from abtest.live.store import Store
from abtest.monitoring import baselines
from abtest.monitoring.how import Watch
from abtest.monitoring.promoted import of_promotion
from abtest.registry import RegistryClient
from abtest.windows import DAY, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.evaluator.monitored import BaselineKind, Reign

_BEFORE = 4  # recent windows make the baseline before


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A baseline that was found: how it is told, and its window."""

    told: Baseline
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of a model from before.

    Attributes:
        store: Where its predictions are.
        model_name: The registered model.
        how: How it is watched.
        registry: Where it is registered, if that is known.
    """

    store: Store
    model_name: str
    how: Watch
    registry: RegistryClient | None

    def window(self, start: datetime, end: datetime) -> Window:
        """What was tracked between two moments; features are of whole days, of the one that it begins in too."""
        return Window(
            start=start,
            end=end,
            buckets=self.store.buckets(self.model_name, start, end),
            sketches=self.store.sketches(self.model_name, midnight(start), end),
        )

    def baseline(self, recent_start: datetime, version: int | None) -> Base | str:
        """The baseline that was asked for, or why there is none.

        Args:
            recent_start: The begin of the window to hold against it.
            version: The one that predicts now.

        Raises:
            InvalidInputError: A file is none, or a promotion is asked for where there is no version.
            NotFoundError: There is no such file, or no comparison on record.
        """
        length = timedelta(days=self.how.recent)
        kind: BaselineKind
        if self.how.baseline == "first":
            first = self.store.first_tracked(self.model_name)
            if first is None or first + length > recent_start:
                return f"the first {self._days(1)} end after the recent window begins; --baseline names another."
            kind, name, window = "first", f"the first {self._days(1)}", self.window(first, first + length)
        elif self.how.baseline == "before":
            kind, name = "before", f"the {self._days(_BEFORE)} before"
            window = self.window(recent_start - _BEFORE * length, recent_start)
        elif self.how.baseline == "promotion":
            if self.registry is None or version is None:
                raise InvalidInputError("baseline promotion needs a registered version that predicted lately.")
            window, run_id = of_promotion(self.registry, self.model_name, version)
            kind, name = "promotion", f"the comparison of its promotion (run {run_id})"
        else:
            path = Path(self.how.baseline)
            kind, name, window = "file", f"the baseline {path.name}", baselines.read(path)
        return _told(window, kind, name) if window.buckets else f"nothing was predicted in {name}."

    def previous(self, reigns: Sequence[Reign]) -> Base | None:
        """The last days of the version before, where the one that predicts now began within the report."""
        if len(reigns) < 2:
            return None
        began, version = reigns[-1].start, reigns[-2].version
        window = of_version(self.window(hour(began - timedelta(days=self.how.recent)), hour(began, up=True)), version)
        if not window.whole().labelled:
            return None
        return _told(window, "previous", f"the last {self._days(1)} of version {version}")

    def _days(self, times: int) -> str:
        return wording.span(times * self.how.recent * DAY)


def of_version(window: Window, version: int | None) -> Window:
    """What one version predicted."""
    return replace(
        window,
        buckets=tuple(it for it in window.buckets if it.version == version),
        sketches=tuple(it for it in window.sketches if it.version == version),
    )


def part_of(window: Window, start: datetime, end: datetime) -> Window:
    """The hours of a window between two moments; features are of whole days, of the one that it begins in too."""
    first_day = midnight(start)
    return Window(
        start=start,
        end=end,
        buckets=tuple(it for it in window.buckets if it.start is not None and start <= it.start < end),
        sketches=tuple(it for it in window.sketches if it.day is not None and first_day <= it.day < end),
    )


def hour(moment: datetime, *, up: bool = False) -> datetime:
    """The begin of the hour that a moment is in, or its end; a full hour is its own.

    Example:
        >>> at = datetime(2026, 3, 1, 9, 20, tzinfo=UTC)
        >>> f"{hour(at):%H:%M} {hour(at, up=True):%H:%M} {hour(hour(at), up=True):%H:%M}"
        '09:00 10:00 09:00'
    """
    moment = moment.astimezone(UTC)
    floor = moment.replace(minute=0, second=0, microsecond=0)
    return floor + timedelta(hours=1) if up and floor < moment else floor


def midnight(moment: datetime) -> datetime:
    """The begin of the day that a moment is in."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _told(window: Window, kind: BaselineKind, name: str) -> Base:
    whole = window.whole()
    told = Baseline(
        kind=kind,
        name=name,
        start=window.start,
        end=window.end,
        n=whole.n,
        labelled=whole.labelled,
        versions=window.versions(),
    )
    return Base(told=told, window=window)
