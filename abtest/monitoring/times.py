"""When predictions were made: a column of moments, in whatever way it spells them, as seconds since 1970 (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from abtest import wording
from abtest.errors import InvalidInputError

AHEAD = 300.0  # seconds that another clock may be ahead of ours
_HINT = "ISO 8601 (2026-01-31T12:00:00Z), or seconds since 1970."
_ZONE = r"[T ]\d{2}(?::?\d{2}){0,2}(?:[.,]\d+)?\s?(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_UTC = {"", "UTC", "Etc/UTC", "Z", "z", "+00:00", "+0000", "+00", "-00:00"}

Floats = npt.NDArray[np.float64]


class Times:
    """Reads a column of moments, batch by batch.

    Args:
        column: Its name, for messages.
        now: Moments may be ``AHEAD`` seconds after this one, in seconds since 1970, and no more.
    """

    def __init__(self, column: str, now: float) -> None:
        self._column = column
        self._most = now + AHEAD
        self._zones: set[str] = set()
        self._bare: str | None = None  # the first without a zone
        self._zoned: str | None = None

    def seconds(self, column: pa.Array, rows: npt.NDArray[np.int64]) -> Floats:
        """Read a batch.

        Args:
            column: Timestamps, dates, ISO 8601 text, or seconds since 1970.
            rows: The rows' numbers in the data, for messages; shape (rows,).

        Raises:
            InvalidInputError: One is missing, no moment, in the future, or before 1970; or some have a zone and some
                have none.
        """
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        missing = pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
        self._refuse(missing, rows, "be there in every row", "are missing", column)
        found = self._read(column, rows)
        self._refuse(~np.isfinite(found), rows, "be a time", "are none", column)
        self._refuse(found > self._most, rows, "not be in the future", "are", column)
        self._refuse(found < 0, rows, "not be before 1970", "are", column)
        if self._bare is not None and self._zoned is not None:
            raise InvalidInputError(
                f"Times in '{self._column}' must all have a time zone, or none, got {self._bare!r} and "
                f"{self._zoned!r}.",
                hint="add Z to those in UTC.",
            )
        return found

    def notices(self) -> tuple[str, ...]:
        """Say how times were read, where that is a choice."""
        if self._bare is not None:
            return (f"Times in '{self._column}' have no time zone, and are read as UTC.",)
        others = sorted(self._zones - _UTC)
        if not others:
            return ()
        many = f" and {len(others) - 1} more" if others[1:] else ""
        return (f"Times in '{self._column}' have other time zones ({others[0]}{many}), and were converted to UTC.",)

    def _read(self, column: pa.Array, rows: npt.NDArray[np.int64]) -> Floats:
        kind = column.type
        if pa.types.is_timestamp(kind):
            if kind.tz is None:
                self._bare = self._bare or str(column[0].as_py())
            else:
                self._zoned = self._zoned or str(column[0].as_py())
                self._zones.add(kind.tz)
            per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
            return np.asarray(pc.cast(column, pa.int64()).to_numpy(zero_copy_only=False) / per_second)
        if pa.types.is_date(kind):
            self._bare = self._bare or str(column[0].as_py())
            days = pc.cast(pc.cast(column, pa.date32()), pa.int32()).to_numpy(zero_copy_only=False)
            return np.asarray(days * 86_400.0)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._read_text(pc.utf8_trim_whitespace(column), rows)
        raise InvalidInputError(f"Times in '{self._column}' must be moments, got {kind}.", hint=_HINT)

    def _read_text(self, column: pa.Array, rows: npt.NDArray[np.int64]) -> Floats:
        try:
            return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            pass
        import pandas as pd  # noqa: PLC0415 - only times in text need it

        zones = pc.struct_field(pc.extract_regex(column, _ZONE), "zone")
        self._zones |= {zone for zone in pc.unique(zones).to_pylist() if zone}
        bare = zones.is_null().to_numpy(zero_copy_only=False)
        read = pd.to_datetime(pd.Series(column.to_pylist()), format="ISO8601", utc=True, errors="coerce")
        wrong = read.isna().to_numpy()
        self._refuse(wrong, rows, "be a time", "are none", column)
        if bare.any():
            self._bare = self._bare or column[int(np.argmax(bare))].as_py()
        if not bare.all():
            self._zoned = self._zoned or column[int(np.argmin(bare))].as_py()
        return np.asarray(read.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6)

    def _refuse(
        self, wrong: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64], rule: str, are: str, column: pa.Array
    ) -> None:
        count = int(wrong.sum())
        if not count:
            return
        at = int(np.argmax(wrong))
        what = column[at].as_py()
        got = "" if what is None else f", {str(what)[:60]!r}"
        are = {"are": "is", "are missing": "is missing", "are none": "is none"}[are] if count == 1 else are
        raise InvalidInputError(
            f"Times in '{self._column}' must {rule}, and {wording.whole(count)} {are} "
            f"(first: row {wording.whole(int(rows[at]))}{got}).",
            hint=_HINT if "be a time" in rule else "mend the column, or leave those rows out.",
        )


def utc(seconds: float) -> datetime:
    """A moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
