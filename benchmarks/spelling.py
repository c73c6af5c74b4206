"""How measurements are written: three digits, a unit that fits, a ratio in words."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from abtest.reporter.axis import ten_to
from benchmarks.measured import Spread

if TYPE_CHECKING:
    from benchmarks.measured import Aim, Measurement, Rival, Unit

_UNITS: dict[Unit, tuple[tuple[float, str], ...]] = {
    "s": ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min")),
    "MiB": ((2.0**-20, "bytes"), (1.0, "MiB"), (1024.0, "GiB")),
}
_MORE: dict[Unit, tuple[str, str]] = {"s": ("faster", "slower"), "MiB": ("smaller", "larger")}
_ALIKE = 0.02  # a difference in medians below this is none


def quantity(value: float, unit: Unit) -> str:
    """Write a value in the unit that suits it.

    Example:
        >>> quantity(0.00123, "s"), quantity(95, "s"), quantity(451.2, "MiB")
        ('1.23 ms', '1.58 min', '451 MiB')
    """
    size, name = _fitting(value, unit)
    return f"{digits(value / size)} {name}"


def spread(values: tuple[float, ...], unit: Unit) -> str:
    """Write a median and the quartiles around it, all in one unit.

    Example:
        >>> spread((0.0020, 0.0012, 0.0013), "s")
        '1.30 ms (1.25–1.65)'
    """
    found = Spread.of(values)
    size, name = _fitting(found.median, unit)
    told = f"{digits(found.median / size)} {name}"
    return f"{told} ({digits(found.low / size)}–{digits(found.high / size)})" if len(values) > 1 else told


def ratio(times: Spread, unit: Unit) -> str:
    """Say how ours stands to what takes so many times as much.

    Example:
        >>> ratio(Spread(median=4.08, low=3.9, high=4.4), "s")
        '4.1 × faster (3.9–4.4)'
        >>> ratio(Spread(median=0.8, low=0.5, high=0.9), "MiB")
        '1.2 × larger (1.1–2.0)'
        >>> ratio(Spread(median=1.01, low=0.9, high=1.1), "s")
        'alike (0.90–1.1)'
    """
    more, less = _MORE[unit]
    low, middle, high, word = times.low, times.median, times.high, more
    if abs(math.log(middle)) < _ALIKE:
        word = ""
    elif middle < 1:
        low, middle, high, word = 1 / high, 1 / middle, 1 / low, less
    told = f"{times_text(middle)} × {word}" if word else "alike"
    return told if low == high else f"{told} ({times_text(low)}–{times_text(high)})"


def is_loss(times: Spread) -> bool:
    """Whether ours takes more than the other by more than nothing."""
    return times.median < 1 and abs(math.log(times.median)) >= _ALIKE


def aim(aimed: Aim, unit: Unit, *, named: bool = False) -> str:
    """Write what was aimed at.

    Example:
        >>> from benchmarks.measured import Aim
        >>> aim(Aim(at_most=1 / 200, of="SciPy"), "s"), aim(Aim(at_most=1.1, of="SciPy"), "s", named=True)
        ('≥ 200 × faster', '≤ 1.1 × SciPy')
        >>> aim(Aim(at_most=1, of="SciPy"), "s", named=True), aim(Aim(at_most=450), "MiB")
        ('no slower than SciPy', '≤ 450 MiB')
    """
    more, less = _MORE[unit]
    if not aimed.of:
        return f"≤ {quantity(aimed.at_most, unit)}"
    if aimed.at_most == 1:
        return f"no {less}" + (f" than {aimed.of}" if named else "")
    if aimed.at_most < 1:
        return f"≥ {1 / aimed.at_most:,.3g} × {more}" + (f" than {aimed.of}" if named else "")
    return f"≤ {aimed.at_most:,.3g} ×" + (f" {aimed.of}" if named else "")


def against(rival: Rival, measurement: Measurement) -> str:
    """Say how ours stands to a rival, or why that is not known."""
    return ratio(measurement.times_ours(rival), measurement.unit) if rival.values else rival.why_not


def line(measurement: Measurement) -> str:
    """Write a measurement for a terminal."""
    unit = measurement.unit
    told = [f"{measurement.what}: {spread(measurement.ours, unit)}"]
    for rival in measurement.rivals:
        theirs = f" {spread(rival.values, unit)}," if rival.values else ""
        told.append(f"{rival.name}:{theirs} {against(rival, measurement)}")
    for aimed in measurement.aims:
        met = {True: "met", False: "MISSED", None: "not measured"}[measurement.met(aimed)]
        told.append(f"{aim(aimed, unit, named=True)}: {met}")
    return "\n    ".join(told)


def rows_text(rows: int) -> str:
    """Write a number of rows.

    Example:
        >>> rows_text(1_000_000), rows_text(20_000_000), rows_text(500)
        ('10⁶ rows', '2 · 10⁷ rows', '500 rows')
    """
    return f"{count(rows)} rows"


def count(value: float) -> str:
    """Write a count, from ten thousand on in a power of ten."""
    if value < 1e4:
        return f"{value:,.0f}"
    exponent = math.floor(math.log10(value) + 1e-9)
    head = value / 10**exponent
    return ten_to(exponent) if math.isclose(head, 1) else f"{head:g} · {ten_to(exponent)}"


def digits(value: float) -> str:
    """Write three significant digits, or a whole number.

    Example:
        >>> digits(1.234), digits(12.34), digits(123.4), digits(1234.5), digits(0.01234)
        ('1.23', '12.3', '123', '1,234', '0.0123')
    """
    if not value:
        return "0"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def times_text(value: float) -> str:
    """Write two significant digits, or a whole number; a ratio is known no better."""
    if not value:
        return "0"
    return f"{value:,.{max(0, 1 - math.floor(math.log10(abs(value))))}f}"


def _fitting(value: float, unit: Unit) -> tuple[float, str]:
    sizes = _UNITS[unit]
    for here, following in pairwise(sizes):
        if value < following[0]:
            return here
    return sizes[-1]
