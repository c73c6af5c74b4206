"""Figures of scores: whole, legible in every situation, true to their points, and told apart without colour."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.reporter import curves, svg
from abtest.reporter.canvas import Canvas, Figure, Outline, Point, Words
from abtest.reporter.figures import _png
from abtest.reporter.layout import Trace, free_place
from abtest.scores import Curve, ReliabilityBin, ScoreReading, SideReading
from tests.examples import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.record import ComparisonRecord
    from abtest.scores import Floats

RANKING, RELIABILITY = curves.FIGURES


def side(truth: Floats, scores: Floats, *, bins: int = 15) -> SideReading:
    """What scikit-learn and a plain cut into bins of about as many rows make of a side's scores."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    false, true, _ = roc_curve(truth, scores)
    precision, recall, _ = precision_recall_curve(truth, scores)
    parts = np.array_split(np.argsort(scores, kind="stable"), min(bins, len(scores))) if bins else []
    found = tuple(
        ReliabilityBin(predicted=float(scores[part].mean()), observed=float(truth[part].mean()), n=len(part))
        for part in parts
    )
    return SideReading(
        roc=thinned(false, true),
        # scikit-learn begins at a recall of 0 with a precision of 1, although nothing is taken for positive there.
        precision_recall=thinned(recall[::-1], np.append(precision[-2], precision[-2::-1])),
        reliability=found,
        ece=sum(it.n * abs(it.predicted - it.observed) for it in found) / len(truth) if found else None,
    )


def thinned(x: Floats, y: Floats) -> Curve:
    """At most 201 points."""
    kept = np.unique(np.linspace(0, len(x) - 1, 201).round().astype(int))
    return Curve(x=tuple(x[kept].tolist()), y=tuple(y[kept].tolist()))


def record(
    truth: Floats, champion: SideReading, challenger: SideReading, *, names: tuple[str, str] = ("v1", "v2")
) -> Any:
    """What these figures look at."""
    kind = "probability" if champion.reliability and challenger.reliability else "score"
    reading = ScoreReading(
        kind=kind,  # type: ignore[arg-type]  # one of its two
        about="yes",
        n=len(truth),
        base_rate=float(truth.mean()),
        champion=champion,
        challenger=challenger,
    )
    first, second = (SimpleNamespace(short=name) for name in names)
    return SimpleNamespace(scores=reading, champion=first, challenger=second)


def ordinary(
    n: int = 2000, rate: float = 0.3, *, steep: tuple[float, float] = (1.0, 1.6), names: tuple[str, str] = ("v1", "v2")
) -> Any:
    """Two sides of which one ranks better."""
    rng = np.random.default_rng(7)
    truth = (rng.random(n) < rate).astype(float)
    level = np.log(rate / (1 - rate))
    scores = [1 / (1 + np.exp(-(level + s * (truth - rate) + 0.8 * rng.normal(size=n)))) for s in steep]
    return record(truth, side(truth, scores[0]), side(truth, scores[1]), names=names)


def perfect() -> Any:
    """The challenger is always right, the champion too."""
    truth = np.repeat([0.0, 1.0], 50)
    return record(truth, side(truth, truth), side(truth, 0.2 + 0.6 * truth))


def constant() -> Any:
    """Neither side tells rows apart."""
    truth = np.tile([0.0, 0.0, 1.0], 30)
    flat = SideReading(
        roc=Curve(x=(0.0, 1.0), y=(0.0, 1.0)),
        precision_recall=Curve(x=(0.0, 1.0), y=(1 / 3, 1 / 3)),
        reliability=(ReliabilityBin(predicted=0.4, observed=1 / 3, n=90),),
        ece=0.4 - 1 / 3,
    )
    return record(truth, flat, flat)


def wrong() -> Any:
    """The challenger's scores are upside down."""
    truth = np.repeat([0.0, 1.0], 50)
    return record(truth, side(truth, truth), side(truth, 1 - truth))


def crossing() -> Any:
    """One side is better at the top, the other further down."""
    rng = np.random.default_rng(3)
    truth = (rng.random(1500) < 0.4).astype(float)
    sure = np.where(truth * rng.random(1500) > 0.5, 0.9, 0.5 * rng.random(1500))
    late = np.where((1 - truth) * rng.random(1500) > 0.5, 0.1, 0.3 + 0.7 * rng.random(1500))
    return record(truth, side(truth, sure), side(truth, late))


def tiny() -> Any:
    """Four rows."""
    truth = np.array([0.0, 1.0, 0.0, 1.0])
    return record(truth, side(truth, np.array([0.1, 0.4, 0.6, 0.8])), side(truth, np.array([0.9, 0.3, 0.2, 0.5])))


def identical() -> Any:
    """The same side twice."""
    found = ordinary()
    found.scores = replace(found.scores, challenger=found.scores.champion)
    return found


def one_bin() -> Any:
    """All rows have one probability on one side."""
    truth = np.tile([0.0, 1.0], 20)
    scores = np.random.default_rng(5).random(40)
    return record(truth, side(truth, np.full(40, 0.5), bins=1), side(truth, scores))


def half_ranking() -> Any:
    """The champion has no probabilities."""
    found = ordinary(800)
    truth = (np.random.default_rng(2).random(800) < 0.3).astype(float)
    return record(
        truth, side(truth, truth + np.random.default_rng(1).normal(size=800), bins=0), found.scores.challenger
    )


def only_ranking() -> Any:
    """Neither side has probabilities."""
    rng = np.random.default_rng(2)
    truth = (rng.random(300) < 0.3).astype(float)
    return record(truth, *(side(truth, truth + rng.normal(size=300), bins=0) for _ in range(2)))


SITUATIONS: dict[str, Callable[[], Any]] = {
    "ordinary": ordinary,
    "perfect": perfect,
    "constant": constant,
    "wrong": wrong,
    "identical": identical,
    "crossing": crossing,
    "tiny": tiny,
    "one bin": one_bin,
    "near zero": lambda: ordinary(20_000, 0.003),
    "near one": lambda: ordinary(5000, 0.995),
    "millions": lambda: ordinary(1_200_000, 0.3),
    "long names": lambda: ordinary(300, names=("runs:/0123456789abcdef0123456789abcdef/model", "m-" + "W" * 60)),
    "hostile": lambda: ordinary(300, names=(str(HOSTILE[0]), "<script>alert(1)</script>")),
    "half ranking": half_ranking,
    "only ranking": only_ranking,
}
DRAWN = [
    (name, figure)
    for name in SITUATIONS
    for figure in curves.FIGURES
    if (name, figure.name) != ("only ranking", "reliability")
]
every_figure = pytest.mark.parametrize(("name", "figure"), DRAWN, ids=[f"{name}-{it.name}" for name, it in DRAWN])


@cache
def drawn(name: str, figure: str) -> Canvas:
    """What is drawn in a situation."""
    return next(it for it in curves.FIGURES if it.name == figure).draw(SITUATIONS[name]())


def words(canvas: Canvas) -> list[Words]:
    """What is written."""
    return [it for it in canvas.drawn if isinstance(it, Words)]


def strokes(canvas: Canvas, role: str, width: float) -> list[Outline]:
    """Lines of a role, and a width that tells them from others."""
    return [it for it in canvas.drawn if isinstance(it, Outline) and it.stroke == role and it.width == width]


def filled(canvas: Canvas, role: str, corners: int = 4) -> list[tuple[Point, ...]]:
    """Shapes filled in a role."""
    shapes = [it.shapes for it in canvas.drawn if isinstance(it, Outline) and it.fill == role]
    return [shape for group in shapes for shape in group if len(shape) == corners]


@cache
def box(it: Words) -> tuple[float, float, float, float]:
    """Where a line of text is in Matplotlib's font, which is a wide one: left, top, right, bottom."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(family="DejaVu Sans", size=it.size, weight="bold" if it.bold else "normal")
    wide, _, _ = TextToPath().get_text_width_height_descent(it.text, font, ismath=False)
    wide *= it.size / font.get_size_in_points()
    before = {"left": 0.0, "center": wide / 2, "right": wide}[it.align]
    if it.turned:
        return it.x - 0.8 * it.size, it.y - wide + before, it.x + 0.2 * it.size, it.y + before
    return it.x - before, it.y - 0.8 * it.size, it.x - before + wide, it.y + 0.2 * it.size


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    """Whether two boxes do."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@every_figure
def test_it_is_drawn_whole(name: str, figure: Figure[ComparisonRecord]) -> None:
    """Every line and every word is on the canvas."""
    canvas = drawn(name, figure.name)
    for it in canvas.drawn:
        ends = [box(it)[:2], box(it)[2:]] if isinstance(it, Words) else [at for shape in it.shapes for at in shape]
        for x, y in ends:
            assert -1 <= x <= canvas.width + 1, it
            assert -1 <= y <= canvas.height + 1, it


@every_figure
def test_words_do_not_overlap(name: str, figure: Figure[ComparisonRecord]) -> None:
    """No two texts lie on each other."""
    for one, other in combinations(words(drawn(name, figure.name)), 2):
        assert not overlap(box(one), box(other)), (one.text, other.text)


@every_figure
def test_no_line_runs_through_a_word(name: str, figure: Figure[ComparisonRecord]) -> None:
    """Keys and numbers stand where no side's line, mark or bar is."""
    canvas = drawn(name, figure.name)
    keys = [box(it) for it in words(canvas) if it.text.startswith(("ECE", "chance", "champion", "challenger", "It "))]
    assert keys
    for it in canvas.drawn:
        if not isinstance(it, Outline) or (it.stroke or it.fill) not in {"champion", "challenger", "muted"}:
            continue
        for shape in it.shapes:
            for (x, y), (u, v) in pairwise(shape):
                for part in np.linspace(0, 1, 40):
                    at = x + part * (u - x), y + part * (v - y)
                    assert not any(overlap((*at, *at), key) for key in keys), (it.stroke, at)


@every_figure
def test_svg_is_harmless_and_coloured_by_role(name: str, figure: Figure[ComparisonRecord]) -> None:
    """The drawing is shapes and text with a label, and every colour is the page's, light or dark."""
    found = SITUATIONS[name]() if name != "millions" else ordinary()
    text = svg.render(drawn(name, figure.name), figure.alt(found))
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert root.attrib["aria-label"] == figure.alt(found)
    assert {element.tag for element in root.iter()} == {"svg", "path", "text"}
    assert "nan" not in text
    assert not any("#" in element.attrib.get("style", "") for element in root.iter())
    assert len(text) < 60_000


@pytest.mark.parametrize("name", ["ordinary", "constant", "tiny", "hostile"])
def test_png_is_a_picture(name: str) -> None:
    """A PNG holds the drawing at 150 dots an inch with room for its title."""
    from matplotlib import image

    for figure in curves.FIGURES:
        canvas = drawn(name, figure.name)
        height, width, _ = image.imread(io.BytesIO(_png(canvas, figure.title))).shape
        assert height > canvas.height * 150 / 72
        assert width > canvas.width * 150 / 72


@pytest.mark.parametrize("name", SITUATIONS)
def test_lines_have_the_curves_areas(name: str) -> None:
    """Under its line lie the ROC curve's area by trapezoids, and the sum of precision by rise of recall."""
    from sklearn.metrics import auc

    reading, canvas = SITUATIONS[name]().scores.challenger, drawn(name, "ranking")
    ticks = [it for it in words(canvas) if it.text in {"0 %", "100 %"}]
    across = sorted(it.x for it in ticks if it.align == "center")
    zero, full = sorted({it.y - 0.35 * it.size for it in ticks if it.align == "right"}, reverse=True)
    lines = [outline.shapes[0] for outline in strokes(canvas, "challenger", 2.2)[::2]]  # each is followed by its key's
    areas = []
    for line, left, right in zip(lines, across[::2], across[1::2], strict=True):
        way = [((x - left) / (right - left), (zero - y) / (zero - full)) for x, y in _there(line)]
        assert [x for x, _ in way] == pytest.approx(sorted(x for x, _ in way))
        areas.append(sum((u - x) * (y + v) / 2 for (x, y), (u, v) in pairwise(way)))
    precision = reading.precision_recall
    assert areas[0] == pytest.approx(auc(reading.roc.x, reading.roc.y))
    assert areas[1] == pytest.approx(sum(np.diff(precision.x) * precision.y[1:]))


@pytest.mark.parametrize("name", SITUATIONS)
def test_sides_are_told_apart_without_colour(name: str) -> None:
    """The champion's lines are dashes with squares, the challenger's are whole with diamonds elsewhere."""
    canvas = drawn(name, "ranking")
    assert all(len(it.shapes) > 2 for it in strokes(canvas, "champion", 2.2))
    assert all(len(it.shapes) == 1 for it in strokes(canvas, "challenger", 2.2))
    squares, diamonds = filled(canvas, "champion"), filled(canvas, "challenger")
    assert (len(squares), len(diamonds)) == (2 * (4 + 1), 2 * (3 + 1))  # on the lines, and in the keys
    for shape in squares:
        assert len({x for x, _ in shape}) == len({y for _, y in shape}) == 2
    for shape in diamonds:
        assert len({round(x, 6) for x, _ in shape}) == len({round(y, 6) for _, y in shape}) == 3


@pytest.mark.parametrize("name", ["ordinary", "crossing", "tiny"])
def test_swapped_sides_swap_lines(name: str) -> None:
    """The champion's dashes lie along the line its curve has when it is the challenger."""
    found = SITUATIONS[name]()
    found.scores = replace(found.scores, champion=found.scores.challenger, challenger=found.scores.champion)
    swapped = strokes(RANKING.draw(found), "challenger", 2.2)[::2]  # each is followed by its key's
    for dashed, whole in zip(strokes(drawn(name, "ranking"), "champion", 2.2)[::2], swapped, strict=True):
        assert dashed.shapes == Trace(_there(whole.shapes[0])).dashes(7, 4)


def test_identical_sides_are_both_seen() -> None:
    """Where one line lies on the other, dashes lie on a whole line and no mark on another."""
    canvas = drawn("identical", "ranking")
    roles = [it.stroke for it in canvas.drawn if isinstance(it, Outline) and it.width == 2.2]
    assert roles[:2] == ["challenger", "champion"]  # the dashes are drawn later
    fills = [it.fill for it in canvas.drawn if isinstance(it, Outline) and (it.fill or it.width == 2.2)]
    assert fills[:9] == [None] * 2 + ["challenger"] * 3 + ["champion"] * 4  # and the marks after both
    centres = [np.mean(shape, axis=0) for role in ("champion", "challenger") for shape in filled(canvas, role)]
    assert min(np.hypot(*(one - other)) for one, other in combinations(centres, 2)) > 12


@pytest.mark.parametrize("name", ["ordinary", "one bin", "near zero", "tiny"])
def test_bins_are_where_they_belong_and_grow_with_rows(name: str) -> None:
    """A bin's mark is at its share and probability, its area rises in a line with its rows, and so does its bar."""
    reading, canvas = SITUATIONS[name]().scores, drawn(name, "reliability")
    sizes: dict[int, float] = {}
    heights: list[tuple[int, float]] = []
    for role in ("champion", "challenger"):
        bins = getattr(reading, role).reliability
        edged = [
            it.shapes[0] for it in canvas.drawn if isinstance(it, Outline) and (it.fill, it.stroke) == (role, "surface")
        ]
        bars = [it.shapes for it in canvas.drawn if isinstance(it, Outline) and it.fill == role and not it.stroke]
        for it, shape in zip(sorted(bins, key=lambda it: -it.n), edged, strict=True):
            sizes[it.n] = np.ptp([x for x, _ in shape]) ** 2 / (1.5**2 if role == "champion" else 2.1**2)
        for it, bar in zip(bins, bars[0], strict=True):
            heights.append((it.n, bar[2][1] - bar[0][1]))
        middles = sorted((np.mean([x for x, _ in shape]), -np.mean([y for _, y in shape])) for shape in edged)
        places = sorted((it.predicted, it.observed) for it in bins)
        if len(places) > 1:
            assert np.corrcoef(np.array(middles)[:, 0], np.array(places)[:, 0])[0, 1] == pytest.approx(1)
            assert np.corrcoef(np.array(middles)[:, 1], np.array(places)[:, 1])[0, 1] == pytest.approx(1)
    most = max(n for n, _ in heights)
    assert [height for _, height in heights] == pytest.approx([40 * n / most for n, _ in heights])
    for n, area in sizes.items():
        assert area == pytest.approx(3.5**2 + (7.5**2 - 3.5**2) * n / most)


@pytest.mark.parametrize("name", [name for name, figure in DRAWN if figure is RELIABILITY])
def test_both_panels_and_both_axes_have_one_scale(name: str) -> None:
    """Left and right, across and up, the same numbers stand at the same distances."""
    ticks = [it for it in words(drawn(name, "reliability")) if it.text.endswith(" %") and it.role == "muted"]
    columns: dict[tuple[str, bool], list[tuple[str, float]]] = {}
    for it in ticks:
        right = it.x > 470
        columns.setdefault((it.align, right), []).append((it.text, it.x if it.align == "center" else -it.y))
    assert len(columns) == 4
    apart = [[(text, round(at - found[0][1], 6)) for text, at in found] for found in columns.values()]
    assert all(found == apart[0] for found in apart)
    assert len(apart[0]) >= 2


def test_small_probabilities_fill_the_panel() -> None:
    """Where every probability is near 0 the scale ends near them."""
    texts = {it.text for it in words(drawn("near zero", "reliability"))}
    assert "1 %" in texts
    assert "100 %" not in texts


def test_they_apply_where_there_is_something_to_draw() -> None:
    """Without scores neither is drawn, without any probabilities only the ranking."""
    found = SITUATIONS["only ranking"]()
    assert [it.name for it in curves.FIGURES if it.applies(found)] == ["ranking"]
    assert all(it.applies(SITUATIONS["half ranking"]()) for it in curves.FIGURES)
    found.scores = None
    assert not any(it.applies(found) for it in curves.FIGURES)


def test_a_side_without_probabilities_says_so() -> None:
    """Its panel is empty but for a sentence, and has no error."""
    texts = [it.text for it in words(drawn("half ranking", "reliability"))]
    assert texts.count("It ranks rows, without probabilities.") == 1
    assert sum(text.startswith("ECE") for text in texts) == 1


def by_hand() -> Any:
    """Points whose readings are found in the head."""
    champion = SideReading(
        roc=Curve(x=(0.0, 0.0, 0.2, 1.0), y=(0.0, 0.3, 0.5, 1.0)),
        precision_recall=Curve(x=(0.25, 0.5, 0.5, 1.0), y=(1.0, 0.9, 0.6, 0.4)),
        reliability=(
            ReliabilityBin(predicted=0.2, observed=0.25, n=30),
            ReliabilityBin(predicted=0.9, observed=0.7, n=10),
        ),
        ece=0.0875,
    )
    challenger = SideReading(
        roc=Curve(x=(0.0, 0.1, 0.1, 1.0), y=(0.0, 0.6, 0.75, 1.0)),
        precision_recall=Curve(x=(0.0, 1.0), y=(0.8, 0.4)),
        reliability=(ReliabilityBin(predicted=0.4, observed=0.4, n=1),),
        ece=0.0,
    )
    return record(np.array([1.0, 0.0, 0.0, 1.0, 0.0]), champion, challenger)


def test_alternative_texts_read_the_curves() -> None:
    """In words, each figure says what its curves say at one place, as worked out by hand."""
    assert RANKING.alt(by_hand()) == (
        "ROC and precision–recall curves of both sides. Scores of yes on 5 rows. "
        "At a false-positive rate of 10 % the champion's true-positive rate is 40.0 %, the challenger's 75.0 %. "
        "At a recall of 50 % the champion's precision is 90.0 %, the challenger's 40.0 %; chance is 40.0 %."
    )
    assert RELIABILITY.alt(by_hand()) == (
        "Observed share against predicted probability on 5 rows. "
        "The champion has an expected calibration error of 8.8 % over 2 bins, "
        "in the worst of which 90.0 % were predicted and 70.0 % observed. "
        "The challenger has an expected calibration error of 0.0 % over 1 bin, "
        "in the worst of which 40.0 % were predicted and 40.0 % observed."
    )


def test_alternative_text_without_probabilities() -> None:
    """In words too, a side that only ranks has no error."""
    assert "The champion only ranks the rows. The challenger has an" in RELIABILITY.alt(SITUATIONS["half ranking"]())


@given(
    st.lists(st.tuples(st.floats(0, 400), st.floats(0, 400)), min_size=1, max_size=30),
    st.sampled_from([(7.0, 4.0), (1.5, 4.0)]),
)
def test_dashes_lie_on_their_line(points: list[Point], pattern: tuple[float, float]) -> None:
    """Dashes are as long as their pattern says, the last one as far as the line goes; each begins on the line."""
    trace, (on, off) = Trace(points), pattern
    dashes = trace.dashes(on, off)
    whole, rest = divmod(trace.length, on + off)
    total = sum(sum(np.hypot(x - u, y - v) for (x, y), (u, v) in pairwise(_there(dash))) for dash in dashes)
    assert total == pytest.approx(whole * on + min(rest, on), abs=1e-6)
    for i, dash in enumerate(dashes):
        assert dash[0] == trace.at((on + off) * i)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)  # 576 places each
def test_a_place_is_clear_where_one_is(points: list[Point]) -> None:
    """A box stays within its room, and as far from points as any place tried, or 16 pixels."""

    def distance(left: float, top: float) -> float:
        return min(math.hypot(max(left - x, x - left - 30, 0), max(top - y, y - top - 20, 0)) for x, y in points)

    left, top = free_place(points, (30, 20), (0, 0, 100, 100), (0, 1))
    assert -1e-9 <= left <= 70 + 1e-9
    assert -1e-9 <= top <= 80 + 1e-9
    best = max(distance(x, y) for x in np.linspace(0, 70, 24) for y in np.linspace(0, 80, 24))
    assert min(distance(left, top), 16) == pytest.approx(min(best, 16))


def test_a_place_covers_fewest_where_none_is_clear() -> None:
    """Among points everywhere, the box covers as few as anywhere tried, rather than go to its corner."""
    everywhere = [(5.0 * i, 5.0 * j) for i in range(21) for j in range(21)]
    crowded = [*everywhere, *((x + 2.5, y + 2.5) for x, y in everywhere if x < 70 or y < 60)]

    def covered(left: float, top: float) -> int:
        return sum(left <= x <= left + 30 and top <= y <= top + 20 for x, y in crowded)

    fewest = min(covered(x, y) for x in np.linspace(0, 70, 24) for y in np.linspace(0, 80, 24))
    assert covered(*free_place(crowded, (30, 20), (0, 0, 100, 100), (0, 0))) == fewest < covered(0, 0)


def _there(dash: tuple[Point, ...]) -> tuple[Point, ...]:
    """The way there of a shape that goes there and back."""
    return dash[: len(dash) // 2 + 1] if len(dash) > 2 else dash
