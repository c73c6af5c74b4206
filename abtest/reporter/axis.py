"""Axes of numbers of any size: round ticks, written in a power of ten where they have many digits."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from abtest import wording
from abtest.reporter.layout import Scale
from abtest.stats.resampling import NOISE

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_DECIMALS = 12
_NOTHING = 1e-300  # numbers this small have no power of ten of their own
_BROAD = frozenset("MWmw@%")
_EXPONENTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Axis:
    """Numbers to pixels, with as many round ticks as there is room to write.

    Numbers of many digits are written in a power of ten, which ``unit`` names.
    """

    def __init__(
        self, values: Sequence[float], left: float, right: float, *, signed: bool = False, power: int | None = None
    ) -> None:
        low, high = min(values), max(values)
        size = max(abs(low), abs(high))
        if high - low <= max(NOISE * size, _NOTHING):
            room = 0.1 * size if size > _NOTHING else 1.0
            low, high = low - room, high + room  # any width will do
        self._one = 10.0 ** math.floor(math.log10(high - low))  # a scale takes numbers around 1
        self.power = power_of(max(abs(low), abs(high))) if power is None else power
        for most in (6, 5, 4, 3, 2):
            self._scale = Scale([low / self._one, high / self._one], left, right, ticks=most)
            self.ticks = [tick * self._one for tick in self._scale.ticks]
            self.texts = texts_of(self.ticks, self.power, signed=signed)
            apart = abs(right - left) * min((b - a for a, b in pairwise(self.ticks)), default=math.inf) / (high - low)
            if max(map(width_of, self.texts)) + 12 <= apart:
                break

    def __call__(self, value: float) -> float:
        """Place a value."""
        return self._scale(value / self._one)

    @property
    def unit(self) -> str:
        """What stands behind the axis's name."""
        return unit_of(self.power)


def power_of(size: float) -> int:
    """The power of ten in which numbers up to this size have few digits: 0 where they have so anyway."""
    return 3 * math.floor(math.log10(size) / 3) if size > _NOTHING and not 1e-3 <= size < 1e7 else 0


def unit_of(power: int) -> str:
    """What stands behind the name of an axis whose numbers are in a power of ten."""
    return f", in {ten_to(power)}" if power else ""


def ten_to(power: int) -> str:
    """Write a power of ten."""
    return f"10{str(power).translate(_EXPONENTS)}"


def texts_of(ticks: Sequence[float], power: int, *, signed: bool = False) -> list[str]:
    """Write ticks with as many decimals as all of them need."""
    scaled, exact = _scaled(ticks, power, 1e-6)
    digits = max(_decimals(it, exact) for it in scaled)
    return [_written(it, digits, plus="+" if signed else "") for it in scaled]


def end_texts(cuts: Sequence[float], power: int) -> dict[float, str]:
    """Write where ranges meet, each with as few decimals as tell it from its neighbours."""
    scaled, exact = _scaled(cuts, power, 0.02)
    return {cut: _written(it, _decimals(it, exact)) for cut, it in zip(cuts, scaled, strict=True)}


def _scaled(values: Sequence[float], power: int, share: float) -> tuple[list[float], float]:
    """Give ascending numbers in a power of ten, and this share of the least distance between them."""
    scaled = [value / 10.0**power for value in values]
    return scaled, share * min((b - a for a, b in pairwise(scaled)), default=max(map(abs, scaled), default=0.0))


def _decimals(value: float, exact: float) -> int:
    """How many it takes to come so near to a number; none but 0 is written as 0."""
    near = (
        d for d in range(_MOST_DECIMALS) if abs(round(value, d) - value) <= exact and (round(value, d) or not value)
    )
    return next(near, _MOST_DECIMALS)


def _written(value: float, digits: int, *, plus: str = "") -> str:
    rounded = round(value, digits)
    return f"{plus if rounded > 0 else wording.MINUS}{abs(rounded):,.{digits}f}" if rounded else "0"


def number_text(number: float, *, signed: bool = False) -> str:
    """Write a number as tables do, or in a power of ten where it would be long."""
    power = math.floor(math.log10(abs(number))) if number and not 1e-5 <= abs(number) < 1e9 else 0
    write = wording.effect if signed else wording.value
    written = write(number / 10.0**power, "number").replace("-", wording.MINUS)
    return written + (f" × {ten_to(power)}" if power else "")


def width_of(text: str, size: float = 11) -> float:
    """Find the room that a text may need: a name may be of the widest letters."""
    return size * sum(1.1 if letter in _BROAD else 0.68 for letter in text)
