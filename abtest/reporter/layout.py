"""Where things go in a figure: scales, ticks and room for labels, in pixels."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from abtest import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.reporter.canvas import Box, Point
    from abtest.reporter.views import Effect

CHARACTER = 6.6  # pixels, of a wide letter at size 11
_NOISE = 1e-9
_LEAST_WRITTEN, _MOST_WRITTEN = 0.001, 100_000  # beyond, ticks are powers of ten
_PLACES = 24  # tried each way for a box
_CLEAR = 16.0  # pixels, beyond which farther from a line is no better


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
    most = max(map(abs, ticks), default=0.0)
    if most and not _LEAST_WRITTEN <= most < _MOST_WRITTEN:
        return [f"{tick:+.2g}".replace("-", wording.MINUS) if tick else "0" for tick in ticks]
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


def apart(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Move places of labels so far from each other that none covers another, within these ends as far as they fit.

    Example:
        >>> apart([50.0, 52.0, 90.0], 10, 0.0, 100.0), apart([98.0, 97.0], 10, 0.0, 100.0)
        ([46.0, 56.0, 90.0], [100.0, 90.0])
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups: list[list[int]] = []
    for i in order:
        groups.append([i])
        while len(groups) > 1 and _first(groups[-1], places, least, low, high) < (
            _first(groups[-2], places, least, low, high) + least * len(groups[-2])
        ):
            last = groups.pop()
            groups[-1] += last
    found = {
        i: _first(group, places, least, low, high) + least * rank for group in groups for rank, i in enumerate(group)
    }
    return [found[i] for i in range(len(places))]


def free_place(taken: Sequence[Point], size: Point, within: Box, corner: Point) -> Point:
    """Find the left upper corner of a box of this size that lies clear of points.

    Of several such places it is the nearest to a corner, in shares of the room: (1, 1) is right and down. Where none
    is clear, it is one that covers fewest.

    Example:
        >>> free_place([(0.0, 0.0), (0.0, 100.0)], (20, 10), (0, 0, 100, 100), (1, 1))
        (80.0, 90.0)
    """
    lefts = np.linspace(within[0], within[0] + within[2] - size[0], _PLACES)
    tops = np.linspace(within[1], within[1] + within[3] - size[1], _PLACES)
    places = np.array([(left, top) for left in lefts for top in tops])
    points = np.array(taken)
    away = np.maximum(places[:, None] - points, points - places[:, None] - size).clip(min=0)
    clear = np.hypot(away[..., 0], away[..., 1]).min(axis=1).clip(max=_CLEAR)
    ideal = lefts[0] + corner[0] * (lefts[-1] - lefts[0]), tops[0] + corner[1] * (tops[-1] - tops[0])
    covered = (away == 0).all(axis=2).sum(axis=1)
    best = places[np.lexsort((np.hypot(*(places - ideal).T), covered, -clear))[0]]
    return float(best[0]), float(best[1])


class Trace:
    """A line through points, by the way along it: for dashes, and for marks at even distances.

    Example:
        >>> trace = Trace([(0.0, 0.0), (3.0, 0.0), (3.0, 4.0)])
        >>> trace.length, trace.at(5.0)
        (7.0, (3.0, 2.0))
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = [points[0], *(after for before, after in pairwise(points) if after != before)]
        self._ways = list(accumulate((math.dist(*ends) for ends in pairwise(self.points)), initial=0.0))
        self.length = self._ways[-1]

    def at(self, way: float) -> Point:
        """Find the point so far from the start."""
        xs, ys = zip(*self.points, strict=True)
        return float(np.interp(way, self._ways, xs)), float(np.interp(way, self._ways, ys))

    def whole(self) -> tuple[Point, ...]:
        """Give the line as one shape: there and back, because a canvas closes a shape of more than two points."""
        return _there_and_back(self.points)

    def dashes(self, on: float, off: float) -> tuple[tuple[Point, ...], ...]:
        """Give the line as shapes with gaps between them.

        Example:
            >>> Trace([(0.0, 0.0), (10.0, 0.0)]).dashes(4, 3)
            (((0.0, 0.0), (4.0, 0.0)), ((7.0, 0.0), (10.0, 0.0)))
        """
        starts = [(on + off) * i for i in range(math.ceil(self.length / (on + off)))]
        return tuple(_there_and_back(self._piece(start, min(start + on, self.length))) for start in starts)

    def _piece(self, start: float, end: float) -> list[Point]:
        inner = [point for way, point in zip(self._ways, self.points, strict=True) if start < way < end]
        return [self.at(start), *inner, self.at(end)]


def _first(group: Sequence[int], places: Sequence[float], least: float, low: float, high: float) -> float:
    """Where the first of a group of labels goes, for the group to lie around the middle of its places."""
    middle, height = sum(places[i] for i in group) / len(group), least * (len(group) - 1)
    return max(low, min(high - height, middle - height / 2))


def _there_and_back(points: Sequence[Point]) -> tuple[Point, ...]:
    return (*points, *points[-2:0:-1])


def _round_step(least: float) -> float:
    """The next of 1, 2, 2.5, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - _NOISE))
