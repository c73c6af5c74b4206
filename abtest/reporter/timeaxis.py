"""An axis of time in UTC: ticks at round moments, whether it spans seconds or years."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_SHORTEST = timedelta(seconds=5)  # shorter spans are widened to it
_APART = 74.0  # pixels from tick to tick, so that no two dates touch
_ZERO = datetime(1, 1, 1, tzinfo=UTC)  # a Monday

_SECONDS, _MINUTES, _HOURS = (1, 2, 5, 10, 15, 30), (1, 2, 5, 10, 15, 30), (1, 2, 3, 6, 12)
_STEPS = (
    *(timedelta(seconds=count) for count in _SECONDS),
    *(timedelta(minutes=count) for count in _MINUTES),
    *(timedelta(hours=count) for count in _HOURS),
    *(timedelta(days=count) for count in (1, 2, 7)),
)
_MONTH_STEPS = (1, 2, 3, 6, *(12 * years for years in (1, 2, 5, 10, 20, 50, 100)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A round moment; ``under`` is the day or the year that it is of, where that is another than before."""

    at: datetime
    text: str
    under: str = ""


class TimeAxis:
    """Moments to pixels, with as many round ticks as there is room to write.

    Example:
        >>> day = datetime(2026, 1, 2, tzinfo=UTC)
        >>> axis = TimeAxis(day, day + timedelta(days=1), 0, 300)
        >>> axis(day + timedelta(hours=12)), [(tick.text, tick.under) for tick in axis.ticks]
        (150.0, [('00:00', '2 Jan 2026'), ('06:00', ''), ('12:00', ''), ('18:00', ''), ('00:00', '3 Jan 2026')])
    """

    def __init__(self, start: datetime, end: datetime, left: float, right: float) -> None:
        self.start, self.end = start.astimezone(UTC), max(end, start + _SHORTEST).astimezone(UTC)
        self.left, self.right = left, right
        most = max(2.0, (right - left) / _APART)
        self.ticks = tuple(_written(*_round(self.start, self.end, most)))

    def __call__(self, moment: datetime) -> float:
        """Place a moment."""
        return self.left + (moment - self.start) / (self.end - self.start) * (self.right - self.left)


def _round(start: datetime, end: datetime, most: float) -> tuple[list[datetime], timedelta | int]:
    """Find round moments, no denser than asked, and the step between them: a time, or a number of months."""
    for step in _STEPS:
        if (end - start) / step <= most:
            return _multiples(start, end, step), step
    months = next((count for count in _MONTH_STEPS if (end - start).days / 30 / count <= most), _MONTH_STEPS[-1])
    return _firsts(start, end, months), months


def _multiples(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    at, found = _ZERO - (_ZERO - start) // step * step, []
    while at <= end:
        found.append(at)
        at += step
    return found


def _firsts(start: datetime, end: datetime, months: int) -> list[datetime]:
    """The firsts of months whose number since year 0 divides."""
    count, found = -(-(12 * start.year + start.month - 1) // months) * months, []
    while count < 12 * 9999 and (at := datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)) <= end:
        if at >= start:
            found.append(at)
        count += months
    return found


def _written(moments: list[datetime], step: timedelta | int) -> Iterator[Tick]:
    before = ""
    for at in moments:
        if isinstance(step, int):
            yearly = step >= 12
            text, under = (str(at.year), "") if yearly else (_MONTHS[at.month - 1], str(at.year))
        elif step >= timedelta(days=1):
            text, under = _day(at), str(at.year)
        else:
            clock = f"{at:%H:%M:%S}" if step < timedelta(minutes=1) else f"{at:%H:%M}"
            text, under = clock, f"{_day(at)} {at.year}"
        yield Tick(at=at, text=text, under="" if under == before else under)
        before = under


def _day(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]}"
