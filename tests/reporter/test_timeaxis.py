"""The axis of time: round ticks in order, within it, with room to be read, from seconds to years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.reporter.timeaxis import TimeAxis

START = datetime(2026, 1, 30, 9, 41, 7, tzinfo=UTC)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
spans = st.floats(0, 30 * 366 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(moments, spans, st.floats(150, 1200))
def test_ticks_are_in_order_within_and_apart(start: datetime, span: timedelta, width: float) -> None:
    """Whatever the span, ticks ascend, lie on the axis, and no two texts can touch."""
    axis = TimeAxis(start, start + span, 40, 40 + width)
    places = [axis(tick.at) for tick in axis.ticks]
    assert all(40 - 1e-6 <= place <= 40 + width + 1e-6 for place in places)
    assert all(after - before >= 65 for before, after in pairwise(places))
    assert len(places) <= 20


@given(moments, spans)
def test_ticks_are_round(start: datetime, span: timedelta) -> None:
    """Every tick is a whole second, minute, hour, day or month, as its text says."""
    for tick in TimeAxis(start, start + span, 0, 700).ticks:
        assert tick.at.microsecond == 0
        if tick.text.count(":") == 1:
            assert tick.at.second == 0
        if ":" not in tick.text:
            assert (tick.at.hour, tick.at.minute, tick.at.second) == (0, 0, 0)
        if not any(sign in tick.text for sign in ": "):
            assert tick.at.day == 1


@pytest.mark.parametrize(
    ("span", "texts", "under"),
    [
        (timedelta(seconds=12), ["09:41:08", "09:41:10"], "30 Jan 2026"),
        (timedelta(minutes=9), ["09:42", "09:43"], "30 Jan 2026"),
        (timedelta(hours=7), ["10:00", "11:00"], "30 Jan 2026"),
        (timedelta(days=3), ["12:00", "00:00"], "30 Jan 2026"),
        (timedelta(days=9), ["31 Jan", "1 Feb"], "2026"),
        (timedelta(days=60), ["2 Feb", "9 Feb"], "2026"),
        (timedelta(days=300), ["Feb", "Mar"], "2026"),
        (timedelta(days=3000), ["2027", "2028"], ""),
    ],
    ids=lambda value: str(value) if isinstance(value, timedelta) else "",
)
def test_each_span_has_its_own_spelling(span: timedelta, texts: list[str], under: str) -> None:
    """Seconds to years are told as a reader would, with the day or the year under the first."""
    ticks = TimeAxis(START, START + span, 0, 760).ticks
    assert [tick.text for tick in ticks[:2]] == texts
    assert ticks[0].under == under


def test_the_day_is_said_again_where_it_changes() -> None:
    """Under a tick stands the day only where it is another than before."""
    ticks = TimeAxis(START, START + timedelta(hours=30), 0, 660).ticks
    assert [tick.under for tick in ticks if tick.under] == ["30 Jan 2026", "31 Jan 2026"]


def test_it_is_in_utc() -> None:
    """A moment of another zone stands where it is in UTC."""
    east = timezone(timedelta(hours=5, minutes=30))
    axis = TimeAxis(START.astimezone(east), (START + timedelta(hours=7)).astimezone(east), 0, 700)
    assert axis.ticks == TimeAxis(START, START + timedelta(hours=7), 0, 700).ticks
    assert axis(START.astimezone(east)) == 0


def test_no_span_is_a_span() -> None:
    """A single moment has an axis too, and stands at its left end."""
    axis = TimeAxis(START, START, 10, 110)
    assert axis(START) == 10
    assert axis.ticks
