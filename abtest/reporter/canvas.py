"""A drawing as plain data: outlines and words, in pixels from the upper left corner, coloured by role.

Figures draw on it; ``svg`` and ``figures`` make of it what a page or a file takes. So a figure is the same in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence


R = TypeVar("R")
Align: TypeAlias = Literal["left", "center", "right"]
Role: TypeAlias = Literal["ink", "muted", "rule", "surface", "raised", "champion", "challenger", "better", "worse"]
Topic: TypeAlias = Literal[
    "time", "numbers", "classes", "segments", "scores", "errors", "mistakes", "rows", "inputs", "labels"
]
Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]  # left, top, width, height

TRIANGLE_UP: tuple[Point, ...] = ((0, -1), (0.95, 0.75), (-0.95, 0.75))
TRIANGLE_DOWN: tuple[Point, ...] = ((0, 1), (0.95, -0.75), (-0.95, -0.75))
SQUARE: tuple[Point, ...] = ((-0.75, -0.75), (0.75, -0.75), (0.75, 0.75), (-0.75, 0.75))
DOT: tuple[Point, ...] = tuple((math.cos(turn * math.pi / 8), math.sin(turn * math.pi / 8)) for turn in range(16))
DIAMOND: tuple[Point, ...] = ((0, -1.05), (1.05, 0), (0, 1.05), (-1.05, 0))
_DIGIT = 0.35  # half the height of a digit: a baseline that does not depend on which letters there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A line of text; ``x`` and ``y`` are on its baseline, ``turned`` text reads upwards."""

    text: str
    x: float
    y: float
    size: float
    role: Role
    align: Align
    bold: bool
    turned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One or many shapes of one look; a shape of two points is a line, every other is closed."""

    shapes: tuple[tuple[Point, ...], ...]
    fill: Role | None
    stroke: Role | None
    width: float
    opacity: float


class Canvas:
    """What was drawn so far, in order."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.drawn: list[Words | Outline] = []

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        role: Role = "ink",
        align: Align = "left",
        bold: bool = False,
        turned: bool = False,
    ) -> None:
        """Write with the middle of the letters at y; turned, with their middle at x."""
        down = _DIGIT * size
        x, y = (x + down, y) if turned else (x, y + down)
        self.drawn.append(Words(text=text, x=x, y=y, size=size, role=role, align=align, bold=bold, turned=turned))

    def line(self, start: Point, end: Point, *, role: Role = "rule", width: float = 1) -> None:
        """Draw a straight line."""
        self._outline(((start, end),), fill=None, stroke=role, width=width)

    def boxes(
        self, boxes: Sequence[Box], *, fill: Role | None = None, stroke: Role | None = None, opacity: float = 1
    ) -> None:
        """Draw boxes of one look, as one shape: matrices of thousands of cells stay small."""
        shapes = tuple(((x, y), (x + w, y), (x + w, y + h), (x, y + h)) for x, y, w, h in boxes)
        self._outline(shapes, fill=fill, stroke=stroke, width=1.5, opacity=opacity)

    def mark(self, at: Point, shape: Sequence[Point], role: Role, *, full: bool = True, size: float = 6) -> None:
        """Draw a marker, or a hollow one."""
        corners = tuple((at[0] + size * dx, at[1] + size * dy) for dx, dy in shape)
        self._outline((corners,), fill=role if full else "surface", stroke=role, width=1.5)

    def below(self, other: Canvas, gap: float = 0) -> None:
        """Put another drawing under this one."""
        down = self.height + gap
        for it in other.drawn:
            if isinstance(it, Words):
                self.drawn.append(replace(it, y=it.y + down))
            else:
                shapes = tuple(tuple((x, y + down) for x, y in shape) for shape in it.shapes)
                self.drawn.append(replace(it, shapes=shapes))
        self.width, self.height = max(self.width, other.width), down + other.height

    def lines(
        self, shapes: tuple[tuple[Point, ...], ...], *, role: Role = "rule", width: float = 1, opacity: float = 1
    ) -> None:
        """Draw lines of one look, each there and back as ``layout.Trace`` gives them."""
        self._outline(shapes, fill=None, stroke=role, width=width, opacity=opacity)

    def area(self, corners: Sequence[Point], role: Role, *, opacity: float = 1) -> None:
        """Fill an area."""
        self._outline((tuple(corners),), fill=role, stroke=None, width=0, opacity=opacity)

    def _outline(
        self,
        shapes: tuple[tuple[Point, ...], ...],
        *,
        fill: Role | None,
        stroke: Role | None,
        width: float,
        opacity: float = 1,
    ) -> None:
        self.drawn.append(Outline(shapes=shapes, fill=fill, stroke=stroke, width=width, opacity=opacity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Generic[R]):
    """An entry of a catalogue of figures, each of one kind of record.

    Attributes:
        name: Stem of its file.
        topic: The part of a report it belongs to.
        title: The question it answers.
        caption: How to read it, in a sentence or two.
        alt: What it shows for a record, in words.
        draw: Draws it for a record.
        applies: Whether it makes sense for a record.
    """

    name: str
    topic: Topic
    title: str
    caption: str
    alt: Callable[[R], str]
    draw: Callable[[R], Canvas]
    applies: Callable[[R], bool] = lambda _: True
