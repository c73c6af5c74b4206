"""Figures of monitoring: whole, true to the record, and clear without colour."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.metrics.catalogue import title, unit
from abtest.reporter.canvas import Canvas, Outline, Words
from abtest.reporter.monitoring import drawing, numbers, views
from tests.monitored import HOSTILE, METRICS, SITUATIONS, START, Course, monitored, record_of, segments
from tests.reporter.test_curves import box, overlap

if TYPE_CHECKING:
    from abtest.reporter import figures

every_figure = pytest.mark.parametrize("situation", SITUATIONS)


@cache
def drawn(situation: str) -> tuple[figures.Drawn, ...]:
    """The figures of one situation, drawn once."""
    return drawing.render(SITUATIONS[situation]())


def over_time(situation: str) -> Canvas:
    """The figure of metrics over time."""
    return next(it.canvas for it in drawn(situation) if it.name == "over-time")


def words(canvas: Canvas) -> list[Words]:
    """Its texts."""
    return [it for it in canvas.drawn if isinstance(it, Words) and it.text]


def assert_is_whole(canvas: Canvas) -> None:
    """Nothing is off the canvas, and no two texts lie on each other."""
    for it in canvas.drawn:
        ends = [box(it)[:2], box(it)[2:]] if isinstance(it, Words) else [at for shape in it.shapes for at in shape]
        for x, y in ends:
            assert -8 <= x <= canvas.width + 1, it
            assert -1 <= y <= canvas.height + 1, it
    for one, other in combinations(words(canvas), 2):
        assert not overlap(box(one), box(other)), (one.text, other.text)


@every_figure
def test_it_is_drawn_whole(situation: str) -> None:
    """Every figure that applies is drawn on its canvas, with no text on another."""
    record = SITUATIONS[situation]()
    seen = record.monitored
    expected = {
        "over-time": bool(seen.summaries),
        "changes": bool(seen.changes),
        "segments-over-time": bool(seen.segments),
        "inputs": bool(seen.drift),
        "labels": bool(seen.n),
    }
    assert [it.name for it in drawn(situation)] == [name for name, applies in expected.items() if applies]
    for figure in drawn(situation):
        assert_is_whole(figure.canvas)


@every_figure
def test_svg_is_harmless_and_coloured_by_role(situation: str) -> None:
    """An SVG is one element with a label: nothing with an id, a script or a colour of its own."""
    for figure in drawn(situation):
        root = ET.fromstring(figure.svg)  # noqa: S314 - our own
        assert root.attrib["aria-label"]
        for element in root.iter():
            assert element.tag in {"svg", "path", "text"}
            assert not {"id", "href"} & set(element.attrib)
            assert not [name for name in element.attrib if name.startswith("on")]
            assert "#" not in element.attrib.get("style", "")
            assert "nan" not in element.attrib.get("d", "")
        assert "<script" not in figure.svg
        assert "\u202e" not in figure.svg


@given(
    periods=st.integers(1, 60),
    gaps=st.sets(st.integers(0, 59), max_size=12),
    cuts=st.lists(
        st.tuples(st.integers(1, 59), st.sampled_from(["promoted", "rolled back", "moved", None])), max_size=8
    ),
    level=st.floats(0.05, 0.95),
    rows=st.integers(1, 500),
    segment=st.sampled_from(["", "short", "a very long name of a segment, and then some"]),
)
@settings(max_examples=30)
def test_any_course_is_drawn_whole(  # noqa: PLR0917 - what Hypothesis draws
    periods: int, gaps: set[int], cuts: list[tuple[int, str | None]], level: float, rows: int, segment: str
) -> None:
    """Whatever happened, with whatever gaps and however many reigns, nothing is cut and no text covers another."""
    moves = {start: how for start, how in cuts if start < periods}
    versions = ((0, 1, None), *((start, i + 2, moves[start]) for i, start in enumerate(sorted(moves))))
    course = Course(
        periods=periods,
        recent=max(1, periods // 4),
        empty=tuple(gaps),
        level=level,
        rows=rows,
        versions=versions,
        metrics=("accuracy",),
    )
    more = segments(course, [segment, "other"], 0.02) if segment else ()
    for figure in drawing.render(record_of(monitored(course, more=more), course)):
        assert_is_whole(figure.canvas)
        assert figure.alt


def test_a_picture_of_each() -> None:
    """A PNG holds each figure with room for its title, whatever its words are."""
    from matplotlib import image

    for figure in drawn("hostile"):
        height, width, _ = image.imread(io.BytesIO(figure.png)).shape
        assert height > figure.canvas.height * 150 / 72
        assert width > figure.canvas.width * 150 / 72


@pytest.mark.parametrize("situation", ["healthy", "degraded", "regression", "six", "year"])
def test_metrics_are_small_multiples_over_one_axis(situation: str) -> None:
    """Each metric has a panel with its name, baseline, what is tolerated, and what became of it."""
    record, told = SITUATIONS[situation](), [it.text for it in words(over_time(situation))]
    for change in record.monitored.changes:
        if change.segment is not None:
            continue
        kind, written = unit(change.metric), numbers.write_change(change)
        assert title(change.metric) in told
        assert f"baseline {wording.value(change.baseline, kind)}" in told
        limit = change.baseline + (
            change.tolerated if change.metric in {"rmse", "mae", "log_loss"} else -change.tolerated
        )
        assert f"tolerated {wording.value(limit, kind)}" in told
        assert any(text.startswith(f"{written.mark} {written.word}, {written.effect}") for text in told)
    assert told.count("UTC") == 1


def test_points_and_intervals_are_those_of_the_record() -> None:
    """What is laid out is what was computed, of shares in percent; periods without a value part the line."""
    seen = SITUATIONS["degraded"]().monitored
    view = views.series(seen, "accuracy")
    known = [(point, it) for point in seen.points for it in point.metrics if it.metric == "accuracy"]
    placed = [it for run in view.runs for it in run]
    assert [it.value for it in placed] == [100 * it.value for _, it in known]
    assert [(it.lower, it.upper) for it in placed] == [
        (100 * it.ci_lower, 100 * it.ci_upper) for _, it in known if it.ci_lower is not None and it.ci_upper is not None
    ]
    assert [len(run) for run in view.runs] == [9, 18], "two days without predictions, and one without labels"
    assert [gap.text for gap in views.gaps(seen)] == ["no predictions", "no labels"]
    assert view.baseline is not None
    assert view.limits[0] == pytest.approx(view.baseline - 5)
    for it in placed:
        assert it.beyond == (it.upper < view.limits[0])


def test_errors_are_tolerated_upwards() -> None:
    """Of an error the band lies above the baseline, and a period is marked where all of its interval is above it."""
    view = views.series(SITUATIONS["regression"]().monitored, "rmse")
    assert view.baseline is not None
    assert view.limits[0] > view.baseline
    placed = [it for run in view.runs for it in run]
    assert [it.beyond for it in placed] == [it.lower > view.limits[0] for it in placed]
    assert any(it.beyond for it in placed)


def test_signs_and_words_say_what_colours_say() -> None:
    """A fall is a shaded window, a mark, and a word; a rollback is a line and a word; nothing is where nothing fell."""
    canvas = over_time("degraded")
    told = [it.text for it in words(canvas)]
    assert "v4 promoted" in told
    assert "v3 rolled back" in told
    assert sum(text.startswith("▼ fallen") for text in told) == 2
    shaded = [it for it in canvas.drawn if isinstance(it, Outline) and it.fill == "worse" and it.opacity < 1]
    assert len(shaded) == 2
    calm = over_time("healthy")
    assert not [it for it in calm.drawn if isinstance(it, Outline) and it.fill == "worse"]
    assert not [it for it in words(calm) if it.role == "worse"]


@pytest.mark.parametrize("situation", ["drifted", "hostile", "degraded"])
def test_bars_end_at_their_distances(situation: str) -> None:
    """Bars are as long as the distances, the farthest first; only those that drifted bear its colour and its mark."""
    record = SITUATIONS[situation]()
    canvas = next(it.canvas for it in drawn(situation) if it.name == "inputs")
    bars = [
        it
        for it in canvas.drawn
        if isinstance(it, Outline) and it.fill in {"worse", "champion"} and len(it.shapes) == 1
    ]
    rows = [it for it in record.monitored.drift if it.distance is not None][:24]
    assert len(bars) == len(rows)
    lengths = [bar.shapes[0][1][0] - bar.shapes[0][0][0] for bar in bars]
    scale = max(lengths) / max(it.distance or 0.0 for it in rows)
    for bar, length, row in zip(bars, lengths, rows, strict=True):
        assert length == pytest.approx(max(1.0, scale * (row.distance or 0.0)), abs=0.01)
        assert bar.fill == ("worse" if row.drifted else "champion")
    assert sum(it.text.startswith("✗") for it in words(canvas)) == sum(it.drifted for it in rows)
    assert any(it.text.startswith("… and") for it in words(canvas)) == (len(record.monitored.drift) > 24)


def test_a_plot_is_of_what_was_asked_for() -> None:
    """A file has the metrics that were named, as PNG or SVG, under the model's name; unknown ones are refused."""
    record = SITUATIONS["six"]()
    text = drawing.plot(record, ["f1"], "svg").decode()
    assert ">F1<" in text
    assert ">Accuracy<" not in text
    assert "How well does a-long-name" in text
    assert drawing.plot(record, ["f1"], "png").startswith(b"\x89PNG")
    with pytest.raises(InvalidInputError, match=r"metrics must be among accuracy, .*, got 'mae'\."):
        drawing.plot(record, ["mae"])
    with pytest.raises(NotApplicableError, match="no prediction of 'churn' in this period has a label"):
        drawing.plot(SITUATIONS["insufficient"]())


def test_a_plot_escapes_names() -> None:
    """A model's name that would be markup is text in a file too."""
    text = drawing.plot(SITUATIONS["hostile"](), form="svg").decode()
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_figure_does_not_depend_on_when_it_is_drawn() -> None:
    """The same record gives the same bytes."""
    for once, again in zip(drawing.render(SITUATIONS["degraded"]()), drawn("degraded"), strict=True):
        assert once.svg == again.svg


def test_a_baseline_outside_the_report_has_no_bar() -> None:
    """A baseline of other days is a line, and no window of this report."""
    course = Course()
    seen = monitored(course)
    assert seen.baseline is not None
    early = replace(seen.baseline, start=START - timedelta(days=60), end=START - timedelta(days=30))
    inside, outside = (drawing.render(record_of(it, course))[0].canvas for it in (seen, replace(seen, baseline=early)))
    assert "baseline" in [it.text for it in words(inside)]
    assert "baseline" not in [it.text for it in words(outside)]
    assert HOSTILE not in [it.text for it in words(outside)]
    assert len(METRICS) == sum(it.text.startswith("baseline ") for it in words(outside))
