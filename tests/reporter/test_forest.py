"""The figure of several challengers: whole, true to its numbers, and clear without colour."""

from __future__ import annotations

import io
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from abtest.reporter import forest, several
from abtest.reporter.canvas import Outline, Words
from tests.examples import SCRIPT
from tests.reporter.test_several import CASES, every_case, made


@every_case
def test_it_is_whole(case: str) -> None:
    """Everything is on the canvas, and its SVG is one element of shapes and text with a label."""
    (figure,) = forest.drawn(CASES[case]())
    for it in figure.canvas.drawn:
        points = [(it.x, it.y)] if isinstance(it, Words) else [point for shape in it.shapes for point in shape]
        for x, y in points:
            assert -1 <= x <= figure.canvas.width + 1, it
            assert -1 <= y <= figure.canvas.height + 1, it
    root = ET.fromstring(figure.svg)  # noqa: S314 - our own
    assert root.attrib["aria-label"] == figure.alt
    assert {element.tag for element in root.iter()} == {"svg", "path", "text"}
    assert SCRIPT not in figure.svg
    assert figure.title.endswith("?")


@every_case
def test_it_has_a_line_for_each_challenger(case: str) -> None:
    """Names, verdicts and effects stand from top to bottom in the order of the table, and the alternative says them."""
    words = several.summarise(CASES[case]())
    (figure,) = forest.drawn(CASES[case]())
    texts = [it for it in figure.canvas.drawn if isinstance(it, Words)]
    effects = [it for it in texts if it.align == "right" and it.x > figure.canvas.width - 40]
    assert [it.text for it in sorted(effects, key=lambda it: it.y)] == [row.effect for row in words.rows]
    verdicts = sorted((it for it in texts if it.text[0] in "▲◆■○"), key=lambda it: it.y)
    assert [it.text[2:].removesuffix(", recommended") for it in verdicts] == [
        row.part.verdict_title for row in words.rows
    ]
    assert [it.text.endswith(", recommended") for it in verdicts] == [row.recommended for row in words.rows]
    for row in words.rows:
        assert f"{row.name} {row.effect}" in figure.alt
        assert row.interval in figure.alt


@every_case
def test_intervals_lie_at_their_numbers(case: str) -> None:
    """On the drawn axis every mark and both ends of its interval are where the record says, zero at the zero line."""
    found = CASES[case]()
    (figure,) = forest.drawn(found)
    lines = [it for it in figure.canvas.drawn if isinstance(it, Outline) and len(it.shapes[0]) == 2]
    (zero,) = [it.shapes[0][0][0] for it in lines if it.stroke == "ink"]
    bars = {it.shapes[0][0][1]: it.shapes[0] for it in lines if it.width == 2}
    assert len(bars) == len(found.comparisons)
    slopes = []
    for (_, bar), row in zip(sorted(bars.items()), several.summarise(found).rows, strict=True):
        one = found.comparisons[row.index]
        read = one.evaluation.find(one.settings.policy.decisive)
        assert read is not None
        assert read.ci_lower is not None
        assert read.ci_upper is not None
        slopes += [(bar[0][0] - zero) / read.ci_lower, (bar[1][0] - zero) / read.ci_upper]
    assert slopes == pytest.approx([slopes[0]] * len(slopes))


def test_better_is_where_it_says() -> None:
    """More accuracy is better to the right of zero, less error to the left of it, and both are written."""
    for case, left, right in (
        ("best", "← champion better", "challenger better →"),
        ("regression", "← challenger better", "champion better →"),
    ):
        (figure,) = forest.drawn(CASES[case]())
        words = {it.text: it for it in figure.canvas.drawn if isinstance(it, Words)}
        assert words[left].x < words[right].x
        up = [it.shapes[0] for it in figure.canvas.drawn if isinstance(it, Outline) and it.stroke == "better"]
        zero = (words[left].x + words[right].x) / 2
        marks = [sum(x for x, _ in shape) / 3 for shape in up if len(shape) == 3]
        assert marks
        assert all((x > zero) == (case == "best") for x in marks)


@pytest.mark.parametrize("shares", [(0.95, 0.6, 0.5), (0.5, 0.8, 0.95)], ids=["all worse", "all better"])
def test_directions_stay_on_the_canvas(shares: tuple[float, ...]) -> None:
    """Where every effect is on one side of zero, what the sides mean is still readable and apart."""
    (figure,) = forest.drawn(made(*shares, rows=300))
    words = {it.text: it for it in figure.canvas.drawn if isinstance(it, Words)}
    left, right = words["← champion better"], words["challenger better →"]
    assert left.x + 10 <= right.x
    assert left.x - 6.2 * len(left.text) >= 0
    assert right.x + 6.2 * len(right.text) <= figure.canvas.width


def test_only_the_recommended_one_is_marked() -> None:
    """One name is in the challenger's colour and bold where one is recommended, and none where none is."""
    for case, marked in (("best", 1), ("twelve", 1), ("none", 0), ("keep", 0)):
        (figure,) = forest.drawn(CASES[case]())
        blue = [it for it in figure.canvas.drawn if isinstance(it, Words) and it.role == "challenger"]
        assert len(blue) == marked
        assert all(it.bold for it in blue)


def test_a_mark_is_filled_where_its_own_level_is_met() -> None:
    """A p-value between the level left and 5 % leaves its mark hollow."""
    found = CASES["none"]()
    rows = several.summarise(found).rows
    assert any(0.0167 < float(row.pvalue) < 0.05 for row in rows if "<" not in row.pvalue)
    (figure,) = forest.drawn(found)
    marks = [it for it in figure.canvas.drawn if isinstance(it, Outline) and len(it.shapes[0]) == 3]
    assert [it.fill == "surface" for it in marks] == [not row.sure for row in rows]


def test_what_was_not_computed_is_not_drawn() -> None:
    """Challengers without the metric that decides keep their names and have no mark; of none nothing is drawn."""
    found = CASES["best"]()
    policy = replace(found.comparisons[0].settings.policy, rule="primary", primary="f1")
    whole = [replace(one, settings=replace(one.settings, policy=policy)) for one in found.comparisons]
    bare = [replace(one, metrics=tuple(row for row in one.metrics if row.metric != "f1")) for one in whole]
    assert forest.drawn(replace(found, comparisons=tuple(bare))) == ()
    (figure,) = forest.drawn(replace(found, comparisons=(*bare[:2], whole[2])))
    assert len([it for it in figure.canvas.drawn if isinstance(it, Outline) and len(it.shapes[0]) == 3]) == 1
    assert {"v2", "v3", "v4"} <= {it.text for it in figure.canvas.drawn if isinstance(it, Words)}


def test_it_is_a_picture() -> None:
    """The PNG holds the figure with room for its title."""
    from matplotlib import image

    (figure,) = forest.drawn(CASES["twelve"]())
    height, width, _ = image.imread(io.BytesIO(figure.png)).shape
    assert height > figure.canvas.height * 150 / 72
    assert width > figure.canvas.width * 150 / 72
