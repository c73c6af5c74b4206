"""Figures over time: true to their numbers, whole, and clear without colour."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from abtest import wording
from abtest.reporter import looks
from abtest.reporter.axis import number_text
from abtest.reporter.canvas import Outline, Words
from abtest.reporter.evidence import FIGURES
from abtest.reporter.live import odds
from tests.known import known
from tests.live.examples import SITUATIONS

if TYPE_CHECKING:
    from abtest.record import ComparisonRecord
    from abtest.reporter.canvas import Canvas

EVIDENCE, EFFECT = FIGURES
RIGHT = 745  # pixels, where the plot ends
WATCHED = [name for name in SITUATIONS if not name.endswith("_once")]
every_situation = pytest.mark.parametrize("situation", WATCHED)


def words(canvas: Canvas) -> dict[str, Words]:
    """Texts, by what they say."""
    return {it.text: it for it in canvas.drawn if isinstance(it, Words)}


def drawn(record: ComparisonRecord) -> list[Canvas]:
    """Both figures, where they apply."""
    return [figure.draw(record) for figure in FIGURES if figure.applies(record)]


@every_situation
def test_nothing_is_cut_and_no_label_covers_another(situation: str) -> None:
    """Every text ends on the canvas, and labels at the right ends of lines are apart."""
    for canvas in drawn(SITUATIONS[situation]()):
        for text in words(canvas).values():
            width = 0.55 * text.size * len(text.text)
            left = text.x - {"left": 0, "center": width / 2, "right": width}[text.align]
            assert left >= -8
            assert left + width <= canvas.width, text.text
        ends = sorted(it.y for it in words(canvas).values() if it.x > RIGHT and it.text != "UTC")
        assert all(below - above >= 14 for above, below in pairwise(ends))


@every_situation
def test_the_zone_is_named(situation: str) -> None:
    """Times are in UTC, and say so."""
    for canvas in drawn(SITUATIONS[situation]()):
        assert "UTC" in words(canvas)


@every_situation
def test_the_last_effect_is_written(situation: str) -> None:
    """The effect now and both ends of its interval stand at the right; before there is one, that there is none."""
    record = SITUATIONS[situation]()
    canvas, last = EFFECT.draw(record), known(record.live).looks[-1]
    told = words(canvas)
    if last.ci_lower is None:
        assert "no interval: too few labels so far" in told
        assert "too few labels" in EFFECT.alt(record)
        return
    view = looks.effect(record)
    now = view.looks[-1][-1]
    for end in (now.lower, now.value, now.upper):
        written = wording.points(end / 100, unit="") if view.points else number_text(end, signed=True)
        assert any(text.startswith(written) for text in told)
        assert written in EFFECT.alt(record)
    band = next(it for it in canvas.drawn if isinstance(it, Outline) and it.fill == "challenger" and it.opacity < 1)
    assert len(band.shapes[0]) == 2 * len(view.looks[0])


@pytest.mark.parametrize(
    "situation", [name for name in WATCHED if name.startswith("shadow") and "measured" not in name]
)
def test_evidence_is_drawn_at_its_odds(situation: str) -> None:
    """Both ends are written with E, the line with what convinces; above it lies what has crossed it."""
    record = SITUATIONS[situation]()
    canvas, reading = EVIDENCE.draw(record), known(record.live)
    told = words(canvas)
    assert f"challenger better: {odds(known(reading.log_better))}" in told
    assert f"challenger worse: {odds(known(reading.log_worse))}" in told
    assert "convinces, at 40" in told
    line = next(it for it in canvas.drawn if isinstance(it, Outline) and it.stroke == "ink").shapes[0][0][1]
    for tone, side in zip(("better", "worse"), known(looks.evidence(record)), strict=True):
        curve = next(it for it in canvas.drawn if isinstance(it, Outline) and it.stroke == tone and it.width > 2)
        highest = min(y for _, y in curve.shapes[0])
        assert (highest <= line + 1e-6) == (side.crossed is not None)
        hollow = [it for it in canvas.drawn if isinstance(it, Outline) and it.stroke == tone and it.fill == "surface"]
        assert len(hollow) == (side.crossed is not None)
    assert "convinces at 40" in EVIDENCE.alt(record)


def test_marks_point_the_way() -> None:
    """Better is a triangle that points up and worse one that points down, whatever its colour."""
    canvas = EVIDENCE.draw(SITUATIONS["shadow_harm"]())
    for it in canvas.drawn:
        if isinstance(it, Outline) and it.stroke in {"better", "worse"} and len(it.shapes[0]) == 3:
            tip, *base = (y for _, y in it.shapes[0])
            assert (tip < min(base)) == (it.stroke == "better")


def test_less_error_is_better() -> None:
    """Of a regression the effect's axis says that below zero is better, and a fall is marked as better."""
    canvas = EFFECT.draw(SITUATIONS["split_measured"]())
    assert any("below 0 the challenger is better" in text for text in words(canvas))
    assert any(it.role == "better" and it.text.startswith("−") for it in words(canvas).values())


def test_a_rollback_is_marked() -> None:
    """Where the challenger was rolled back a line says so; what has no room is not written."""
    record = SITUATIONS["shadow_harm"]()
    for canvas in drawn(record):
        assert words(canvas)["rolled back"].role == "worse"
    reading = known(record.live)
    crowded = replace(reading, turns=tuple(replace(reading.turns[0], epoch=i) for i in range(1, 9)))
    canvas = EFFECT.draw(replace(record, live=crowded))
    assert [it.text for it in canvas.drawn if isinstance(it, Words)].count("5.0 %") == 1


def test_one_look_has_no_history() -> None:
    """What is looked at once is not drawn over time, nor is what is not live."""
    for situation in ("shadow_once", "split_once"):
        assert not any(figure.applies(SITUATIONS[situation]()) for figure in FIGURES)
    split = SITUATIONS["split_better"]()
    assert [figure.name for figure in FIGURES if figure.applies(split)] == ["effect-over-time"]


def test_one_look_with_an_interval_is_a_bar() -> None:
    """A single look has a mark and both ends of its interval."""
    record = SITUATIONS["split_better"]()
    reading = known(record.live)
    canvas = EFFECT.draw(replace(record, live=replace(reading, looks=reading.looks[-1:])))
    assert any(isinstance(it, Outline) and it.stroke == "challenger" for it in canvas.drawn)
    assert not any(isinstance(it, Outline) and it.fill == "challenger" and it.opacity < 1 for it in canvas.drawn)
