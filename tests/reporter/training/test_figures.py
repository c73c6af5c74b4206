"""Figures of training: whole, true to the record, and clear without colour."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from abtest.reporter.canvas import Canvas, Outline
from abtest.reporter.training import drawing, headline
from tests.reporter.monitoring.test_figures import assert_is_whole, words
from tests.training.records import SITUATIONS, candidate, record, sure

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


def canvas_of(name: str, found: str) -> Canvas:
    """One figure of one situation."""
    return next(it.canvas for it in drawing.render(SITUATIONS[found]()) if it.name == name)


def triangles(canvas: Canvas, *, down: bool) -> list[Outline]:
    """Markers of three corners that point down, or up."""
    three = [it for it in canvas.drawn if isinstance(it, Outline) and len(it.shapes[0]) == 3]
    return [it for it in three if (it.shapes[0][0][1] == max(y for _, y in it.shapes[0])) == down]


@every_situation
def test_it_is_drawn_whole(situation: str) -> None:
    """Every figure that applies is drawn on its canvas, with no text on another; of one candidate nothing is behind."""
    found = SITUATIONS[situation]()
    drawn = drawing.render(found)
    assert [it.name for it in drawn] == ["rank", *(["behind"] if headline.others(found) else [])]
    for figure in drawn:
        assert_is_whole(figure.canvas)
        assert ET.fromstring(figure.svg).attrib["aria-label"]  # noqa: S314 - our own
        assert figure.png.startswith(b"\x89PNG")


def test_every_fold_is_a_dot() -> None:
    """A candidate has as many dots as folds, on one line, from left to right as its values are."""
    canvas, found = canvas_of("rank", "sure"), sure()
    dots = [it for it in canvas.drawn if isinstance(it, Outline) and len(it.shapes[0]) == 16]
    folds = found.best.cross_validated
    assert folds is not None
    assert len(dots) == 1 + sum(len(it.cross_validated.by_fold) for it in found.candidates if it.cross_validated)
    first = dots[1 : 1 + len(folds.by_fold)]
    places = [sum(x for x, _ in it.shapes[0]) / 16 for it in first]
    assert [places.index(x) for x in sorted(places)] == [folds.by_fold.index(v) for v in sorted(folds.by_fold)]


def test_who_is_behind_is_told_by_a_shape() -> None:
    """Behind is a triangle down, ahead one up; filled where that is significant."""
    ahead = candidate(2, "B", 0.88, 0.02, pvalue=0.001)
    ahead = replace(ahead, holdout_rows=tuple(replace(it, effect=0.01, improvement=0.01) for it in ahead.holdout_rows))
    canvas = drawing.draw_behind(record(candidate(1, "A", 0.9), ahead))
    (below,), (above,) = triangles(canvas, down=True), triangles(canvas, down=False)
    assert (below.fill, above.fill) == ("worse", "surface")  # significant, and not
    assert {"+2.0", "−1.0"} <= {it.text for it in words(canvas)}


def test_many_candidates_are_cut_and_counted() -> None:
    """Of more candidates than a figure holds the rest is counted."""
    many = record(candidate(1, "M1", 0.9), *(candidate(i, f"M{i}", 0.9 - i / 100, i / 100) for i in range(2, 31)))
    for figure in drawing.render(many):
        assert "… and 6 candidates that rank lower" in {it.text for it in words(figure.canvas)}
        assert_is_whole(figure.canvas)
