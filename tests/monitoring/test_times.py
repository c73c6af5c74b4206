"""Moments are read from whatever spells them, and never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.monitoring.times import AHEAD, Times, utc

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2026, 5, 30), timezones=ZONES)  # noqa: DTZ001 - zones are drawn


def read(values: Any, kind: pa.DataType | None = None) -> tuple[list[float], tuple[str, ...]]:
    """Read one batch, and what is said of it."""
    times, column = Times("when", NOW), pa.array(values, kind)
    return times.seconds(column, np.arange(1, len(column) + 1)).tolist(), times.notices()


@given(st.lists(MOMENTS, min_size=1, max_size=5))
def test_iso_text_is_what_python_reads(moments: list[datetime]) -> None:
    """ISO 8601 text with any zones means what Python's own reader says, to the microsecond."""
    found, _ = read([moment.isoformat() for moment in moments])
    assert found == pytest.approx([moment.timestamp() for moment in moments], abs=1e-6)


@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(["s", "ms", "us", "ns"]))
def test_timestamps_are_what_arrow_holds(moments: list[datetime], unit: str) -> None:
    """A timestamp of any unit is read to that unit."""
    found, said = read([moment.astimezone(UTC) for moment in moments], pa.timestamp(unit, "UTC"))
    assert not said
    step = {"s": 1.0, "ms": 1e-3, "us": 1e-5, "ns": 1e-5}[unit]
    assert found == pytest.approx([moment.timestamp() for moment in moments], abs=step)


@pytest.mark.parametrize(
    ("values", "seconds", "said"),
    [
        (["2026-05-01T12:00:00Z"], 1777636800, ""),
        (["2026-05-01 12:00:00+00:00"], 1777636800, ""),
        (["2026-05-01T14:00:00+02:00"], 1777636800, "other time zones (+02:00)"),
        (["2026-05-01T12:00"], 1777636800, "no time zone, and are read as UTC"),
        (["2026-05-01"], 1777593600, "no time zone, and are read as UTC"),
        ([date(2026, 5, 1)], 1777593600, "no time zone, and are read as UTC"),
        ([datetime(2026, 5, 1, 12)], 1777636800, "no time zone, and are read as UTC"),  # noqa: DTZ001 - it has none
        (["1777636800"], 1777636800, ""),
        ([1777636800], 1777636800, ""),
        ([1777636800.5], 1777636800.5, ""),
        ([Decimal("1777636800.5")], 1777636800.5, ""),
        (pa.array(["2026-05-01T12:00:00Z"]).dictionary_encode(), 1777636800, ""),
    ],
)
def test_each_way_to_write_a_moment(values: Any, seconds: float, said: str) -> None:
    """Text, dates, timestamps and numbers are read, and what is a choice is said."""
    found, notices = read(values)
    assert found == [seconds]
    assert (said in " ".join(notices)) if said else not notices


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([None, NOW], "must be there in every row, and 1 is missing (first: row 1)"),
        ([float("nan"), NOW, float("nan")], "2 are missing (first: row 1"),
        ([NOW, NOW + AHEAD + 1], "must not be in the future, and 1 is (first: row 2"),
        ([NOW * 1000], "must not be in the future"),
        ([NOW, -1e18], "must not be before 1970, and 1 is (first: row 2"),
        (["0001-01-01"], "must not be before 1970"),
        ([float("inf")], "must be a time, and 1 is none"),
        (["2026-05-01T12:00:00Z", "yesterday"], "must be a time, and 1 is none (first: row 2, 'yesterday')"),
        (["2026-05-01T12:00:00Z", "2026-05-01T12:00:00"], "must all have a time zone, or none"),
        ([True], "must be moments, got bool"),
        ([[1]], "must be moments, got list"),
    ],
)
def test_what_is_no_moment_is_refused(values: list[Any], told: str) -> None:
    """What is missing, in the future, or no moment is refused with a count and the first row."""
    with pytest.raises(InvalidInputError) as refused:
        read(values)
    assert told in refused.value.message


def test_zones_are_mixed_across_batches_too() -> None:
    """Times with a zone in one batch and without in another are refused like those in one."""
    times, row = Times("when", NOW), np.array([1])
    times.seconds(pa.array(["2026-05-01T12:00:00Z"]), row)
    with pytest.raises(InvalidInputError, match="must all have a time zone, or none"):
        times.seconds(pa.array(["2026-05-01T12:00:00"]), row + 1)


def test_a_clock_may_be_a_little_ahead() -> None:
    """A moment of five minutes ahead is one of another clock, and not of the future."""
    assert read([NOW + AHEAD])[0] == [NOW + AHEAD]
    assert utc(NOW) == datetime(2026, 6, 1, tzinfo=UTC)
