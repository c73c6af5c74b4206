"""Where things go in a figure: scales, ticks and room for labels, in pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from abtest import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.reporter.views import Effect

CHARACTER = 6.6  # pixels, of a wide letter at size 11
_NOISE = 1e-9


class Scale:
    """Values to pixels, with a few round ticks; a ``nice`` one ends on ticks.

    Example:
        >>> scale = Scale([0.0, 10.0], 100, 200)
        >>> scale(5.0), scale.ticks
        (150.0, [0.0, 2.5, 5.0, 7.5, 10.0])
    """

    def __init__(
        self, values: Sequence[float], left: float, right: float, *, ticks: int = 4, nice: bool = False
    ) -> None:
        low, high = min(values), max(values)
        if high - low < _NOISE:
            low, high = low - 1, high + 1  # nothing differs: any width will do
        step = _round_step((high - low) / ticks)
        if nice:
            low, high = step * math.floor(low / step + _NOISE), step * math.ceil(high / step - _NOISE)
        self.low, self.high, self.left, self.right = low, high, left, right
        first, last = math.ceil(low / step - _NOISE), math.floor(high / step + _NOISE)
        self.ticks = [step * i for i in range(first, last + 1)]

    def __call__(self, value: float) -> float:
        """Place a value."""
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Write ticks of effects, with as few decimals as they need.

    Example:
        >>> tick_texts([-2.5, 0.0, 2.5])
        ['−2.5', '0.0', '+2.5']
    """
    digits = next((d for d in range(4) if all(abs(tick - round(tick, d)) < _NOISE for tick in ticks)), 4)
    return [wording.signed(tick, digits) for tick in ticks]


def reach(effects: Sequence[Effect]) -> list[float]:
    """Find how far an axis has to go: every end of every interval, zero, and a little room."""
    ends = [end for effect in effects for end in (effect.value, effect.lower, effect.upper) if end is not None]
    low, high = min((*ends, 0.0)), max((*ends, 0.0))
    room = 0.06 * (high - low)
    return [low - room, high + room]


def short(text: str, most: int = 18) -> str:
    """Cut a long text; tables have it in full.

    Example:
        >>> short("a very long class label indeed", 12)
        'a very long…'
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def label_width(labels: Sequence[str], *, least: float = 24, most: int = 18) -> float:
    """Find the room that labels of size 11 need, each cut to ``most`` letters."""
    return max([least, *(CHARACTER * len(short(label, most)) for label in labels)])


def _round_step(least: float) -> float:
    """The next of 1, 2, 2.5, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - _NOISE))
