"""The figures of a record, for pages as SVG and for files as PNG; the only module that imports Matplotlib.

Figures never compute: what they draw is counted in ``views`` and written in ``summary``.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from abtest.reporter import counts, curves, effects, evidence, residuals, svg
from abtest.reporter.canvas import Figure, Outline
from abtest.reporter.palette import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.patches import PathPatch

    from abtest.record import ComparisonRecord
    from abtest.reporter.canvas import Canvas, R, Topic

CATALOGUE = (*evidence.FIGURES, *effects.FIGURES, *curves.FIGURES, *residuals.FIGURES, *counts.FIGURES)

_PNG_SETTINGS: dict[Any, Any] = {
    "text.parse_math": False,  # a label with dollars is a label
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],  # comes with Matplotlib, so that every machine draws the same
    "path.simplify": False,
    "savefig.bbox": None,
}
_DPI = 150
_HEAD, _PAD = 56, 20  # pixels above a PNG, for its title, and around it
_SMALLEST = 0.8  # of its natural size
_TITLE_LETTER = 11  # pixels, of a wide one
_COLOURS = asdict(LIGHT)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One figure of one record; each form is made when it is first asked for."""

    figure: Figure[Any]
    record: Any  # of the kind that the figure takes: ``draw`` sees to it

    @property
    def name(self) -> str:
        """Stem of its file."""
        return self.figure.name

    @property
    def topic(self) -> Topic:
        """The part of a report it belongs to."""
        return self.figure.topic

    @property
    def title(self) -> str:
        """The question it answers."""
        return self.figure.title

    @property
    def caption(self) -> str:
        """How to read it."""
        return self.figure.caption

    @cached_property
    def alt(self) -> str:
        """What it shows, in words."""
        return self.figure.alt(self.record)

    @cached_property
    def canvas(self) -> Canvas:
        """The drawing."""
        return self.figure.draw(self.record)

    @property
    def most(self) -> int:
        """Pixels beyond which a page does not stretch it."""
        return math.ceil(self.canvas.width)

    @property
    def least(self) -> int:
        """Pixels below which its text is too small to read."""
        return math.ceil(_SMALLEST * self.canvas.width)

    @cached_property
    def svg(self) -> str:
        """For a page, which has the title and the colours."""
        return svg.render(self.canvas, self.alt)

    @cached_property
    def png(self) -> bytes:
        """For a file: with its title, dark on white."""
        return _png(self.canvas, self.title)


def render(record: ComparisonRecord) -> tuple[Drawn, ...]:
    """Give every figure that makes sense for a comparison, in the order they are read."""
    return draw(record, CATALOGUE)


def draw(record: R, catalogue: Sequence[Figure[R]]) -> tuple[Drawn, ...]:
    """Give every figure of a catalogue that makes sense for a record, in its order."""
    return tuple(Drawn(figure=figure, record=record) for figure in catalogue if figure.applies(record))


def _png(canvas: Canvas, title: str) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 - SVG does without, and so does everything that imports this module
    from matplotlib.figure import Figure as Sheet  # noqa: PLC0415 - see above

    buffer = io.BytesIO()
    with mpl.rc_context(_PNG_SETTINGS), warnings.catch_warnings():
        # A script the font lacks is drawn as boxes here; the page, which has the reader's fonts, shows it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        right, bottom = max(canvas.width, _TITLE_LETTER * len(title)) + _PAD, canvas.height + _PAD
        sheet = Sheet(figsize=((right + _PAD) / 72, (bottom + _HEAD) / 72), dpi=72)
        axes = sheet.add_axes((0, 0, 1, 1), xlim=(-_PAD, right), ylim=(bottom, -_HEAD))
        axes.set_axis_off()
        axes.text(0, 36 - _HEAD, title, size=16, weight="bold", color=LIGHT.ink)
        for it in canvas.drawn:
            if isinstance(it, Outline):
                axes.add_patch(_patch(it))
                continue
            axes.text(
                it.x,
                it.y,
                it.text,
                size=it.size,
                color=_COLOURS[it.role],
                ha=it.align,
                va="baseline",
                weight="bold" if it.bold else "normal",
                rotation=90 if it.turned else 0,
                rotation_mode="anchor",
            )
        sheet.savefig(buffer, format="png", dpi=_DPI, facecolor=LIGHT.surface, metadata={"Software": None})
    return buffer.getvalue()


def _patch(outline: Outline) -> PathPatch:
    from matplotlib.patches import PathPatch  # noqa: PLC0415 - see above
    from matplotlib.path import Path  # noqa: PLC0415 - see above

    corners, codes = [], []
    for shape in outline.shapes:
        closed = len(shape) > 2
        corners += [*shape, shape[0]] if closed else [*shape]
        codes += [Path.MOVETO, *[Path.LINETO] * (len(shape) - 1), *[Path.CLOSEPOLY] * closed]
    return PathPatch(
        Path(corners, codes),
        facecolor=_COLOURS[outline.fill] if outline.fill else "none",
        edgecolor=_COLOURS[outline.stroke] if outline.stroke else "none",
        linewidth=outline.width,
        alpha=outline.opacity,
        clip_on=False,
    )
