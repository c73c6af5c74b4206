"""A canvas as SVG, in a page or as a file: text stays text, colours come by role, and no ids can clash."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from abtest.reporter.canvas import Outline, Words
from abtest.reporter.palette import DARK, LIGHT

if TYPE_CHECKING:
    from abtest.reporter.canvas import Align, Canvas

_HEAD, _PAD = 56, 20  # pixels above a file's drawing, for its title, and around it
_ANCHORS: dict[Align, str] = {"left": "", "center": ' text-anchor="middle"', "right": ' text-anchor="end"'}


def render(canvas: Canvas, label: str) -> str:
    """Spell a canvas as one ``<svg>`` element; a screen reader says ``label`` instead of it."""
    size = f"{_number(canvas.width)} {_number(canvas.height)}"
    width, height = size.split()
    shapes = "".join(_outline(it) if isinstance(it, Outline) else _words(it) for it in canvas.drawn)
    return (
        f'<svg viewBox="0 0 {size}" width="{width}" height="{height}" role="img" aria-label="{escape(label)}">'
        f"{shapes}</svg>"
    )


def render_file(canvas: Canvas, title: str, label: str) -> str:
    """Spell a canvas as a file of its own, with its title and the colours of light and dark."""
    width, height = canvas.width + 2 * _PAD, canvas.height + _HEAD + _PAD
    inner = render(canvas, label).replace("<svg ", f'<svg x="{_PAD}" y="{_HEAD}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}"><style>svg {{ {LIGHT.as_css()}; font-family: system-ui, sans-serif }}'
        f"@media (prefers-color-scheme: dark) {{ svg {{ {DARK.as_css()} }} }}</style>"
        f"<title>{escape(title)}</title><desc>{escape(label)}</desc>"
        f'<rect width="100%" height="100%" style="fill:var(--surface)"/>'
        f'<text x="{_PAD}" y="36" font-size="16" font-weight="600" style="fill:var(--ink)">{escape(title)}</text>'
        f"{inner}</svg>\n"
    )


def _outline(outline: Outline) -> str:
    path = "".join(
        "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in shape) + "Z" * (len(shape) > 2)
        for shape in outline.shapes
    )
    style = f"fill:var(--{outline.fill})" if outline.fill else "fill:none"
    if outline.stroke:
        style += f";stroke:var(--{outline.stroke});stroke-width:{_number(outline.width)}"
    if outline.opacity < 1:
        style += f";opacity:{_number(outline.opacity)}"
    return f'<path d="{path}" style="{style}"/>'


def _words(words: Words) -> str:
    x, y = _number(words.x), _number(words.y)
    turn = f' transform="rotate(-90 {x} {y})"' if words.turned else ""
    weight = ' font-weight="600"' if words.bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{_number(words.size)}"{_ANCHORS[words.align]}{weight}{turn} '
        f'style="fill:var(--{words.role})">{escape(words.text, quote=False)}</text>'
    )


def _number(value: float) -> str:
    """Two decimals: a hundredth of a pixel."""
    return f"{round(value, 2) + 0.0:g}" if abs(value) < 1e4 else f"{value:.0f}"
