"""The power curve: whole on its canvas, honest about its points, and a file of its own as SVG and PNG."""

from __future__ import annotations

import io
from functools import cache
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from abtest.planning import PowerPlan, plan, points
from abtest.reporter import power_curve
from abtest.reporter.canvas import Outline, Words
from abtest.reporter.palette import DARK, LIGHT

SVG = "{http://www.w3.org/2000/svg}"

PLANS: dict[str, PowerPlan] = {
    "difference": plan(discordance=0.1, effect=0.01),
    "few rows": plan(discordance=0.1, effect=0.01, rows=900),
    "many rows": plan(discordance=0.1, effect=0.01, rows=300_000),
    "far too few rows": plan(discordance=0.1, effect=0.01, rows=1),
    "rows alone": plan(discordance=0.043, rows=899),
    "nothing to find": plan(discordance=0.1, rows=10),
    "margin": plan(discordance=0.1, margin=0.02, rows=1500, rule="non-inferior"),
    "huge": plan(discordance=0.1, effect=0.0005, rows=10_000_000),
    "without double": plan(discordance=0.3, effect=0.2, power=0.99),
    "saw-toothed": plan(discordance=1.0, effect=0.3, power=0.5),
    "a handful": plan(discordance=1.0, effect=1.0),
}

every_plan = pytest.mark.parametrize("name", PLANS)


@cache
def drawn(name: str) -> tuple[Words | Outline, ...]:
    """What is drawn for a plan."""
    return tuple(power_curve.draw(PLANS[name]).drawn)


def words(name: str) -> list[Words]:
    """What is written for a plan."""
    return [it for it in drawn(name) if isinstance(it, Words)]


def box(it: Words) -> tuple[float, float, float, float]:
    """About where a line of text is: left, top, right, bottom."""
    wide = 0.52 * it.size * len(it.text) * (1.1 if it.bold else 1)
    left = it.x - {"left": 0.0, "center": wide / 2, "right": wide}[it.align]
    return left, it.y - 0.8 * it.size, left + wide, it.y + 0.2 * it.size


@every_plan
def test_it_is_drawn_whole(name: str) -> None:
    """Every line and every word is on the canvas."""
    canvas = power_curve.draw(PLANS[name])
    for it in canvas.drawn:
        ends = [(box(it)[0], it.y), (box(it)[2], it.y)] if isinstance(it, Words) and not it.turned else []
        for x, y in ends if isinstance(it, Words) else [point for shape in it.shapes for point in shape]:
            assert -1 <= x <= canvas.width + 1, it
            assert -1 <= y <= canvas.height + 1, it


@every_plan
def test_words_do_not_overlap(name: str) -> None:
    """No two texts lie on each other."""
    for one, other in combinations([box(it) for it in words(name) if not it.turned], 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (name, one, other)


@every_plan
def test_the_rows_needed_are_written_at_their_line(name: str) -> None:
    """Each size and the rows it takes are written, the one asked about in the challenger's colour and bold."""
    found = PLANS[name]
    texts = {it.text: it for it in words(name)}
    for line in found.curve:
        asked = line.size == found.size
        for text in (points(line.size), f"{line.rows_needed:,} rows"):
            assert texts[text].bold is asked
            assert texts[text].role == ("challenger" if asked else "muted")


@every_plan
def test_lines_rise_to_the_right_and_are_power(name: str) -> None:
    """A line's points are a plan's, from left to right; their heights are their power, from 0 to 100 %."""
    found = PLANS[name]
    lines = [it for it in drawn(name) if isinstance(it, Outline) and len(it.shapes) > 1]
    assert len(lines) == len(found.curve)
    ticks = {it.text: it for it in words(name)}
    for line, outline in zip(found.curve, lines, strict=True):
        corners = [outline.shapes[0][0], *(shape[1] for shape in outline.shapes)]
        assert [x for x, _ in corners] == sorted({x for x, _ in corners})
        zero, full = ticks["0 %"].y, ticks["100 %"].y
        heights = [(zero - y) / (zero - full) for _, y in corners]
        # A tick's baseline lies a fixed way below its line, at both ends.
        shift = heights[0] - line.points[0][1]
        assert [h - shift for h in heights] == pytest.approx([power for _, power in line.points])


@pytest.mark.parametrize("name", ["few rows", "margin", "huge"])
def test_the_rows_there_are_and_their_power(name: str) -> None:
    """The rows given are marked, with the power they have; where they lie far off the curves they are not."""
    found = PLANS[name]
    assert any(it.text.startswith(f"with {found.rows:,} rows: ") for it in words(name))
    assert not any(it.text.startswith("with ") for it in words("far too few rows"))


@every_plan
def test_svg_is_a_file_of_its_own(name: str) -> None:
    """The SVG has title, alternative text and both themes' colours, and no script, link or id."""
    text = power_curve.svg_file(PLANS[name])
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}text").text == "How many rows does it take?"  # type: ignore[union-attr]  # it is there
    (inner,) = root.findall(f"{SVG}svg")
    assert inner.attrib["aria-label"] == power_curve.alt(PLANS[name])
    assert [root.find(f"{SVG}{name}").text for name in ("title", "desc")] == [  # type: ignore[union-attr]  # see above
        "How many rows does it take?",
        power_curve.alt(PLANS[name]),
    ]
    shapes = {"svg", "style", "rect", "path", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {*shapes, "title", "desc"}
    assert not [name for element in root.iter() for name in element.attrib if name in {"id", "href"}]
    assert LIGHT.as_css() in text
    assert DARK.as_css() in text.split("prefers-color-scheme: dark")[1]
    assert "nan" not in text


@pytest.mark.parametrize("name", ["few rows", "nothing to find"])
def test_png_is_a_picture(name: str) -> None:
    """The PNG holds the drawing at 150 dots an inch with room for its title, and is the same each time."""
    from matplotlib import image

    png = power_curve.png_file(PLANS[name])
    height, width, _ = image.imread(io.BytesIO(png)).shape
    assert height > 450 * 150 / 72
    assert width > 780 * 150 / 72
    assert png == power_curve.png_file(PLANS[name])


def test_alternative_text_says_the_numbers() -> None:
    """In words the figure has the answer and the rows of every line."""
    told = power_curve.alt(PLANS["margin"])
    assert told.startswith("To prove that an equally accurate challenger is not worse by 2.0 points")
    assert told.endswith("Rows by margin: 1.0 point 7,880 rows; 2.0 points 1,994 rows; 4.0 points 517 rows.")
