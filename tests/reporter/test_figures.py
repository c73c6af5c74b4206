"""Figures: each is drawn for every situation, says the same each time, and can stand inside a page."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
from dataclasses import asdict
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from abtest.reporter import confusions, counts, figures, views
from abtest.reporter.canvas import Outline, Words
from abtest.reporter.palette import BETTER, CHALLENGER, CHAMPION, DARK, LIGHT, WORSE, Palette
from tests.examples import HOSTILE, SCRIPT
from tests.examples import SITUATIONS as OFFLINE
from tests.known import known
from tests.live.examples import SITUATIONS as LIVE

SITUATIONS = {**OFFLINE, **LIVE}

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


@every_situation
def test_every_figure_is_drawn(situation: str) -> None:
    """Whatever was compared, every figure that applies is drawn, whole and on its canvas."""
    record = SITUATIONS[situation]()
    drawn = figures.render(record)
    always = {"metrics"} if record.task == "classification" else set()
    always |= {"contingency"} if record.contingency else set()
    always |= {"predicted", "errors", "bands"} if record.errors else set()
    always |= {"effect-over-time"} if record.live and record.live.looking == "anytime" else set()
    assert {figure.name for figure in drawn} >= {"change", *always}
    for figure in drawn:
        for it in figure.canvas.drawn:
            points = [(it.x, it.y)] if isinstance(it, Words) else [point for shape in it.shapes for point in shape]
            for x, y in points:
                assert -1 <= x <= figure.canvas.width + 1, (figure.name, it)
                assert -1 <= y <= figure.canvas.height + 1, (figure.name, it)


@every_situation
def test_svg_is_wellformed_and_harmless(situation: str) -> None:
    """An SVG is one element with a label, shapes and text: nothing with an id, a script, a link or a colour."""
    for figure in figures.render(SITUATIONS[situation]()):
        root = ET.fromstring(figure.svg)  # noqa: S314 - our own
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"]
        for element in root.iter():
            assert element.tag in {"svg", "path", "text"}
            assert not {"id", "href"} & set(element.attrib)
            assert not [name for name in element.attrib if name.startswith("on")]
            assert "#" not in element.attrib.get("style", "")
            assert "nan" not in element.attrib.get("d", "")


@pytest.mark.parametrize("situation", ["two", "hostile", "one_row", "identical", "fifty"])
def test_png_is_a_picture(situation: str) -> None:
    """A PNG holds the figure at 150 dots an inch with room for its title, whatever script its labels are in."""
    from matplotlib import image

    for figure in figures.render(SITUATIONS[situation]()):
        height, width, _ = image.imread(io.BytesIO(figure.png)).shape
        assert height > figure.canvas.height * 150 / 72
        assert width > figure.canvas.width * 150 / 72


def test_the_same_record_gives_the_same_bytes() -> None:
    """Nothing in a figure depends on when it was drawn."""
    for once, again in zip(figures.render(SITUATIONS["two"]()), figures.render(SITUATIONS["two"]()), strict=True):
        assert once.svg == again.svg
        assert once.png == again.png


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    """A PNG changes no global setting and opens no window."""
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    assert figures.render(SITUATIONS["two"]())[0].png
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_svg_does_without_matplotlib() -> None:
    """Only who wants a PNG pays for Matplotlib."""
    script = (
        "import sys\nfrom tests.examples import two\nfrom abtest.reporter import figures\n"
        "svgs = [figure.svg for figure in figures.render(two())]\n"
        "print(len(svgs), [name for name in sys.modules if name.startswith('matplotlib')])"
    )
    root = str(figures.__file__).rpartition("/abtest/")[0]
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)  # noqa: S603 - this interpreter
    assert told.stdout.strip() == "6 []"


def test_labels_are_text() -> None:
    """A label that would be markup, a formula or a control character is text in every figure."""
    drawn = figures.render(SITUATIONS["hostile"]())
    for figure in drawn:
        assert "<script" not in figure.svg
        assert "<img" not in figure.svg
        assert "\x00" not in figure.svg
    texts = {element.text for figure in drawn for element in ET.fromstring(figure.svg).iter()}  # noqa: S314 - our own
    assert "$x$ | `y`" in texts
    assert "{{ 7 * 7 }}" in texts
    assert f"{SCRIPT[:17]}…" in texts
    assert not any(label in texts for label in HOSTILE if len(label) > 18)


def test_too_many_classes_have_no_matrix() -> None:
    """Matrices are left out where a cell could not be seen, and drawn up to there."""
    assert "confusion" not in {figure.name for figure in figures.render(SITUATIONS["three_hundred"]())}
    assert "confusion" in {figure.name for figure in figures.render(SITUATIONS["fifty"]())}
    assert len(known(SITUATIONS["fifty"]().outcomes).labels) <= counts.MOST_CLASSES


def test_the_forest_says_what_it_leaves_out() -> None:
    """Of many classes the worst and the best are drawn, and how many are not is written."""
    record = SITUATIONS["fifty"]()
    rows = views.class_views(record)
    ranks = [row.rank for row in rows]
    worst, best, between = views.ends(rows)
    assert ranks == sorted(ranks)
    assert len(worst) + len(best) + between == len(rows) == 50
    forest = next(figure for figure in figures.render(record) if figure.name == "classes")
    assert f"{between} classes between" in forest.svg
    assert len([it for it in forest.canvas.drawn if isinstance(it, Words)]) < 200


def test_signs_and_shapes_say_what_colours_say() -> None:
    """Better points up and worse points down, and every effect is written with its sign."""
    record = SITUATIONS["three"]()
    forest = next(figure for figure in figures.render(record) if figure.name == "classes")
    for it in forest.canvas.drawn:
        if isinstance(it, Words) and it.role in {"better", "worse"}:
            assert it.text[0] == {"better": "+", "worse": "−"}[it.role]
        if isinstance(it, Outline) and it.stroke in {"better", "worse"} and len(it.shapes[0]) == 3:
            tip, *base = (y for _, y in it.shapes[0])
            assert (tip < min(base)) == (it.stroke == "better")


def test_matrices_add_up() -> None:
    """Shares of a row add up to one, and the difference to nothing."""
    found = confusions.matrices(SITUATIONS["ten"]())
    assert found.champion_shares.sum(axis=1) == pytest.approx(1)
    assert found.challenger_shares.sum(axis=1) == pytest.approx(1)
    assert not found.difference.sum(axis=1).any()
    assert not (found.gains & found.losses).any()


def test_names_are_unique() -> None:
    """Every figure has a file, an anchor and a question of its own."""
    assert len({figure.name for figure in figures.CATALOGUE}) == len(figures.CATALOGUE)
    assert len({figure.title for figure in figures.CATALOGUE}) == len(figures.CATALOGUE)
    assert all(figure.title.endswith("?") for figure in figures.CATALOGUE)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(theme: Palette) -> None:
    """Every colour of text stands at 4.5 : 1 or more on its backgrounds (WCAG AA), and no two roles are alike."""
    colours = asdict(theme)
    assert len(set(colours.values())) == len(colours)
    for role in ("ink", "muted", "champion", "challenger", "better", "worse"):
        for ground in ("surface", "raised"):
            assert _contrast(colours[role], colours[ground]) >= 4.5, (role, ground)


def test_tones_for_any_background_are_seen_on_both() -> None:
    """In a terminal, whose background nobody knows, colours stand at 3 : 1 on black and on white."""
    for tone in (CHAMPION, CHALLENGER, BETTER, WORSE):
        assert min(_contrast(tone, "#000000"), _contrast(tone, "#ffffff")) >= 3


def test_sides_and_tones_differ_to_every_eye() -> None:
    """Champion and challenger, and better and worse, are told apart in colour by more than lightness."""
    for palette in (LIGHT, DARK):
        for one, other in combinations((palette.champion, palette.challenger, palette.better, palette.worse), 2):
            assert math.dist(_channels(one), _channels(other)) > 0.15


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> list[float]:
    assert re.fullmatch(r"#[0-9a-f]{6}", colour)
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
