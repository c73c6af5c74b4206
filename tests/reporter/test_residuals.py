"""Figures of errors: whole, legible in every situation and unit, true to their counts, and clear without colour."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.metrics.regression import RegressionOutcomes
from abtest.metrics.residuals import ErrorBand, ErrorHistogram, ErrorReading, Plane
from abtest.reporter import residuals, svg
from abtest.reporter.axis import Axis, end_texts, power_of
from abtest.reporter.canvas import Canvas, Figure, Outline, Point, Words
from abtest.reporter.figures import _png
from abtest.reporter.layout import Trace
from abtest.reporter.residuals import _labels
from tests.examples import HOSTILE
from tests.reporter.test_curves import box, overlap, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from abtest.record import ComparisonRecord

    Floats = NDArray[np.float64]

PREDICTED, ERRORS, BANDS = residuals.FIGURES


def band(y: Floats, a: Floats, b: Floats, ends: tuple[float | None, float | None], many: int) -> ErrorBand:
    """A range of the truth, by SciPy's paired t test."""
    from scipy import stats

    kept = (y >= (-np.inf if ends[0] is None else ends[0])) & (y < (np.inf if ends[1] is None else ends[1]))
    first, second = np.abs(a - y)[kept], np.abs(b - y)[kept]
    varies = len(first) > 1 and np.ptp(second - first) > 0
    test = stats.ttest_rel(second, first) if varies else None
    limits = test.confidence_interval(0.95) if test else (None, None)
    return ErrorBand(
        lower=ends[0],
        upper=ends[1],
        n=int(kept.sum()),
        champion=float(first.mean()),
        challenger=float(second.mean()),
        effect=float((second - first).mean()),
        ci_lower=limits[0],
        ci_upper=limits[1],
        pvalue=min(1.0, many * test.pvalue) if test else None,
    )


def record(
    y: Floats,
    a: Floats,
    b: Floats,
    *,
    bands: int = 5,
    names: tuple[str, str] = ("v1", "v2"),
    target: str | None = "price",
    rows: int | None = None,
) -> Any:
    """What these figures look at."""
    cuts = [None, *np.quantile(y, np.linspace(0, 1, bands + 1)[1:-1]).tolist(), None]
    sums = RegressionOutcomes.of(y, a, b)
    if rows:
        sums = replace(sums, truth=replace(sums.truth, n=rows))
    reading = ErrorReading(
        sums=sums,
        bands=tuple(band(y, a, b, ends, bands) for ends in pairwise(cuts)),
        histogram=ErrorHistogram.of(a - y, b - y),
        plane=Plane.of(y, a, b),
        drawn=len(y),
    )
    first, second = (SimpleNamespace(short=name) for name in names)
    return SimpleNamespace(
        errors=reading,
        champion=first,
        challenger=second,
        data=SimpleNamespace(target=target),
        settings=SimpleNamespace(policy=SimpleNamespace(alpha=0.05)),
        columns=(y, a, b),
    )


def columns(n: int, unit: float = 1.0, shift: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """A truth and two predictions of it, of which one is better on most of it."""
    rng = np.random.default_rng(11)
    y = rng.gamma(4.0, 50.0, n)
    a = y + rng.normal(6, 25, n)
    b = y + rng.normal(-2, 15, n) * (1 + (y / 300) ** 3)
    return unit * (y + shift), unit * (a + shift), unit * (b + shift)


def ordinary(n: int = 2000, unit: float = 1.0, shift: float = 0.0, **options: Any) -> Any:
    """Two sides of which one is better on most of the truth."""
    return record(*columns(n, unit, shift), **options)


def outliers() -> Any:
    """Some predictions are far off, on one side all the same way."""
    y, a, b = columns(3000)
    b[:90] += 5000
    a[:40] -= 900
    return record(y, a, b)


def identical() -> Any:
    """The same side twice."""
    y, a, _ = columns(2000)
    return record(y, a, a)


def perfect() -> Any:
    """Neither side errs."""
    y = columns(300)[0]
    return record(y, y, y)


def constant() -> Any:
    """The truth is one number, and both sides say another."""
    y = np.full(50, 3.0)
    return record(y, y + 1, y + 2, bands=1)


def one_way() -> Any:
    """Both sides always predict too much."""
    y, a, _ = columns(1000)
    found = record(y, y + np.abs(a - y) + 30, y + np.abs(a - y) * 0.5 + 40)
    whole = found.errors.histogram
    kept = slice(whole.edges.index(next(it for it in whole.edges if it > 20)), None)
    histogram = ErrorHistogram(
        edges=whole.edges[kept], champion=whole.champion[kept], challenger=whole.challenger[kept]
    )
    found.errors = replace(found.errors, histogram=histogram)
    return found


def one_row() -> Any:
    """One row."""
    return record(np.array([5.0]), np.array([4.0]), np.array([7.0]), bands=1)


def hundreds_of_millions() -> Any:
    """Every row is a hundred thousand."""
    found, many = ordinary(), 100_000
    histogram, plane = found.errors.histogram, found.errors.plane
    sides = ("champion", "challenger")
    found.errors = replace(
        found.errors,
        bands=tuple(replace(it, n=many * it.n) for it in found.errors.bands),
        histogram=replace(histogram, **{side: tuple(many * n for n in getattr(histogram, side)) for side in sides}),
        plane=replace(plane, **{side: tuple((i, j, many * n) for i, j, n in getattr(plane, side)) for side in sides}),
        drawn=many * found.errors.drawn,
    )
    return found


SITUATIONS: dict[str, Callable[[], Any]] = {
    "ordinary": ordinary,
    "ten bands": lambda: ordinary(10_000, bands=10),
    "one band": lambda: ordinary(bands=1),
    "two bands": lambda: ordinary(bands=2),
    "twenty rows": lambda: ordinary(20, bands=3),
    "sample": lambda: ordinary(10_000, rows=2_345_678),
    "outliers": outliers,
    "identical": identical,
    "perfect": perfect,
    "constant": constant,
    "one way": one_way,
    "one row": one_row,
    "hundreds of millions": hundreds_of_millions,
    "millionths": lambda: ordinary(unit=1e-8, bands=10),
    "billions": lambda: ordinary(unit=1e7, bands=10),
    "huge": lambda: ordinary(unit=1e60),
    "dates": lambda: ordinary(unit=1e-2, shift=1e8),
    "negative": lambda: ordinary(unit=100, shift=-300, bands=10),
    "long names": lambda: ordinary(names=("runs:/0123456789abcdef/model", "m-" + "W" * 60), target="W" * 60),
    "hostile": lambda: ordinary(names=(str(HOSTILE[0]), "<script>alert(1)</script>"), target=str(HOSTILE[3])),
    "no target": lambda: ordinary(target=None),
}
EVERY = [(name, figure) for name in SITUATIONS for figure in residuals.FIGURES]
every_figure = pytest.mark.parametrize(("name", "figure"), EVERY, ids=[f"{name}-{it.name}" for name, it in EVERY])
every_situation = pytest.mark.parametrize("name", SITUATIONS)


@cache
def situation(name: str) -> Any:
    """What is looked at in a situation."""
    return SITUATIONS[name]()


@cache
def drawn(name: str, figure: str) -> Canvas:
    """What is drawn in a situation."""
    return next(it for it in residuals.FIGURES if it.name == figure).draw(situation(name))


def changed(name: str, **parts: Any) -> Any:
    """A situation, with other errors."""
    found = situation(name)
    return SimpleNamespace(**{**vars(found), "errors": replace(found.errors, **parts)})


def outlines(canvas: Canvas, **looks: Any) -> list[Outline]:
    """Shapes of a look."""
    found = [it for it in canvas.drawn if isinstance(it, Outline)]
    return [it for it in found if all(getattr(it, name) == look for name, look in looks.items())]


def number(text: str) -> float:
    """Read a written number."""
    return float(text.replace("−", "-").replace(",", ""))


def is_number(text: str) -> bool:
    """Whether a text is one."""
    try:
        number(text)
    except ValueError:
        return False
    return True


def power(canvas: Canvas, axis: str) -> float:
    """The power of ten that stands behind the name of an axis."""
    exponents = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    name = next(it.text for it in words(canvas) if it.text.startswith(axis))
    return 10.0 ** int(name.rpartition(", in 10")[2].translate(exponents)) if ", in 10" in name else 1.0


def across(canvas: Canvas, axis: str) -> Callable[[float], float]:
    """Read a pixel as a number by the ticks of the lower axis, the first one if there are two."""
    ticks = [(it.x, number(it.text)) for it in words(canvas) if it.align == "center" and is_number(it.text)]
    ticks = ticks[: len(ticks) // 2] if axis.startswith("tru") else ticks
    return by_ticks(ticks, power(canvas, axis))


def upwards(canvas: Canvas, unit: float = 1.0) -> Callable[[float], float]:
    """Read a pixel as a number by the ticks of the axis on the left."""
    marks = {it.x for it in words(canvas) if it.align == "right" and is_number(it.text) and it.role == "muted"}
    ticks = [it for it in words(canvas) if it.x == min(marks) and is_number(it.text)]
    return by_ticks([(it.y - 0.35 * it.size, number(it.text)) for it in ticks], unit)


def by_ticks(ticks: list[tuple[float, float]], unit: float) -> Callable[[float], float]:
    """Go in a line through the first tick and the last."""
    (first, low), (last, high) = ticks[0], ticks[-1]
    assert len(ticks) > 1
    return lambda at: (low + (at - first) / (last - first) * (high - low)) * unit


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
    """Words stand where no outline, mark, interval, square or axis is."""
    canvas = drawn(name, figure.name)
    left, top, right, bottom = np.array([box(it) for it in words(canvas)]).T
    for it in outlines(canvas):
        if {it.stroke, it.fill} <= {"rule", "surface", None} or (it.fill and not it.stroke and it.opacity == 0.14):
            continue  # the grid, and the light filling of a histogram
        for shape in it.shapes:
            corners = np.array((*shape, shape[0]))
            way = np.linspace(corners[:-1], corners[1:], 30).reshape(-1, 1, 2)
            x, y = way[..., 0], way[..., 1]
            assert not ((left < x) & (x < right) & (top < y) & (y < bottom)).any(), it


@every_figure
def test_svg_is_harmless_and_coloured_by_role(name: str, figure: Figure[ComparisonRecord]) -> None:
    """The drawing is shapes and text with a label, and every colour is the page's, light or dark."""
    text = svg.render(drawn(name, figure.name), figure.alt(situation(name)))
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert root.attrib["aria-label"] == figure.alt(situation(name))
    assert {element.tag for element in root.iter()} == {"svg", "path", "text"}
    assert "nan" not in text
    assert "inf" not in text
    assert not any("#" in element.attrib.get("style", "") for element in root.iter())
    assert len(text) < 90_000


@pytest.mark.parametrize("name", ["ordinary", "billions", "one row", "hostile"])
def test_png_is_a_picture(name: str) -> None:
    """A PNG holds the drawing at 150 dots an inch with room for its title."""
    from matplotlib import image

    for figure in residuals.FIGURES:
        canvas = drawn(name, figure.name)
        height, width, _ = image.imread(io.BytesIO(_png(canvas, figure.title))).shape
        assert height > canvas.height * 150 / 72
        assert width > canvas.width * 150 / 72


def test_they_apply_to_a_regression() -> None:
    """Without errors none is drawn."""
    assert all(it.applies(situation("ordinary")) for it in residuals.FIGURES)
    none: Any = SimpleNamespace(errors=None)
    assert not any(it.applies(none) for it in residuals.FIGURES)


def squares(canvas: Canvas, side: str) -> list[tuple[Point, float]]:
    """The middle of each square of a side, with how opaque it is."""
    found = [it for it in outlines(canvas, fill=side, stroke=None) if it.opacity < 1]
    return [((float(x), float(y)), it.opacity) for it in found for x, y in np.mean(it.shapes, axis=1)]


@pytest.mark.parametrize("name", ["ordinary", "outliers", "twenty rows", "negative", "billions", "millionths", "dates"])
def test_squares_hold_the_rows_there(name: str) -> None:
    """Squares are where NumPy's histogram of truth and prediction has rows, the more opaque the more rows."""
    found, canvas = situation(name), drawn(name, "predicted")
    y, a, b = found.columns
    edges = np.array(found.errors.plane.edges)
    x, up = across(canvas, "true"), upwards(canvas, power(canvas, "predicted"))
    panels = outlines(canvas, stroke="rule", width=1.5)
    depths: dict[int, float] = {}
    for side, predicted, panel in zip(("champion", "challenger"), (a, b), panels, strict=True):
        kept = [np.clip(column, edges[0], np.nextafter(edges[-1], -np.inf)) for column in (y, predicted)]
        counts, _, _ = np.histogram2d(kept[0], kept[1], bins=edges)
        away = panel.shapes[0][0][0] - panels[0].shapes[0][0][0]
        seen = np.zeros_like(counts)
        for (across_, above), opacity in squares(canvas, side):
            i, j = (int(np.searchsorted(edges, at)) - 1 for at in (x(across_ - away), up(above)))
            seen[i, j] = 1
            assert depths.setdefault(int(counts[i, j]), opacity) == opacity
        assert (seen == (counts > 0)).all()
    opacities = [depths[count] for count in sorted(depths)]
    assert opacities == sorted(opacities)
    assert opacities[0] >= 0.16
    assert opacities[-1] == pytest.approx(0.95)


@every_situation
def test_the_line_is_where_predictions_are_exact(name: str) -> None:
    """Along it truth and prediction are the same number, and it ends below its name."""
    canvas = drawn(name, "predicted")
    line = outlines(canvas, stroke="ink")[0].shapes[0]
    axis = "truth" if name == "no target" else "true"
    x, up = across(canvas, axis), upwards(canvas, power(canvas, axis))
    edges = situation(name).errors.plane.edges
    near = pytest.approx([edges[0], edges[-1]], abs=1e-3 * (edges[-1] - edges[0]))
    assert [x(at) for at, _ in line] == near
    assert [up(at) for _, at in line] == near
    exact = next(it for it in words(canvas) if it.text == "exact")
    assert exact.x == pytest.approx(line[1][0])
    assert 0 < line[1][1] - exact.y < 12


@every_situation
def test_outlines_are_as_high_as_their_bins(name: str) -> None:
    """Read by the ticks, the challenger's outline has the height of each bin, and the heights add up to the rows."""
    canvas, found = drawn(name, "errors"), situation(name).errors
    (line,) = outlines(canvas, stroke="challenger", width=2.0)
    up, x = upwards(canvas), across(canvas, "error")
    level = [(x(a), x(b), up(c)) for (a, c), (b, d) in pairwise(line.shapes[0]) if c == d and b > a]
    edges = found.histogram.edges
    heights = [
        [height for left, right, height in level if left < (start + end) / 2 < right] for start, end in pairwise(edges)
    ]
    assert all(len(bins) == 1 for bins in heights)
    assert [height for (height,) in heights] == pytest.approx(found.histogram.challenger, abs=1e-6 * found.drawn)
    assert sum(height for (height,) in heights) == pytest.approx(found.drawn)
    reach = edges[-1] - edges[0]
    assert (level[0][0], level[-1][1]) == pytest.approx((edges[0], edges[-1]), abs=1e-6 * reach)


@every_situation
def test_dashes_lie_on_the_champions_line(name: str) -> None:
    """The champion's dashes lie along the outline it has when it is the challenger."""
    histogram = situation(name).errors.histogram
    swapped = replace(histogram, champion=histogram.challenger, challenger=histogram.champion)
    (whole,) = outlines(ERRORS.draw(changed(name, histogram=swapped)), stroke="challenger", width=2.0)
    (dashed,) = outlines(drawn(name, "errors"), stroke="champion", width=2.0)
    there = whole.shapes[0][: len(whole.shapes[0]) // 2 + 1]
    assert dashed.shapes == Trace(there).dashes(7, 4)
    assert len(dashed.shapes) > 2


@every_situation
def test_biases_are_marked_where_they_are(name: str) -> None:
    """Square and diamond are at the mean errors, or at the end of the axis where these lie beyond; both are written."""
    canvas, found = drawn(name, "errors"), situation(name)
    y, *sides = found.columns
    x, line = across(canvas, "error"), outlines(canvas, stroke="ink")[0].shapes[0]
    edges = [*found.errors.histogram.edges, 0.0]
    assert x(line[0][0]) == pytest.approx(0, abs=1e-6 * np.ptp(edges))
    for side, predicted in zip(("champion", "challenger"), sides, strict=True):
        mark = outlines(canvas, fill=side, stroke=side)[-1].shapes[0]
        mean = float(np.mean(predicted - y))
        assert x(float(np.mean([at for at, _ in mark]))) == pytest.approx(
            np.clip(mean, min(edges), max(edges)), abs=2e-6 * np.ptp(edges)
        )
        written = [it for it in words(canvas) if it.role == side][-1]
        if "×" not in written.text:
            assert number(written.text) * power(canvas, "error") == pytest.approx(mean, rel=1e-3, abs=1e-9 * max(edges))


@pytest.mark.parametrize("counts", [(0, 5, 0), (2, 3, 0), (0, 3, 2), (1, 3, 1)])
def test_outermost_bins_say_beyond(counts: tuple[int, ...]) -> None:
    """A word stands over an outermost bin if, and only if, it holds rows of either side."""
    for side in ("champion", "challenger"):
        bins: Any = {"champion": (0, 5, 0), "challenger": (0, 5, 0)} | {side: counts}
        histogram = ErrorHistogram(edges=(-3.0, -1.0, 1.0, 3.0), **bins)
        texts = {it.text for it in words(ERRORS.draw(changed("ordinary", histogram=histogram)))}
        assert ("← beyond" in texts, "beyond →" in texts) == (counts[0] > 0, counts[-1] > 0)


def test_a_side_of_zero_without_errors_is_not_named() -> None:
    """Where every error is positive nothing is said of too little."""
    texts = {it.text for it in words(drawn("one way", "errors"))}
    assert "predicts too much →" in texts
    assert not any("too little" in text for text in texts)


@every_situation
def test_units_change_nothing_but_numbers(name: str) -> None:
    """A million times the unit, every outline of the errors is where it was."""
    histogram = situation(name).errors.histogram
    wider = replace(histogram, edges=tuple(1e6 * edge for edge in histogram.edges))
    sums = RegressionOutcomes.of(*(1e6 * column for column in situation(name).columns))
    once, larger = drawn(name, "errors"), ERRORS.draw(changed(name, histogram=wider, sums=sums))
    for one, other in zip(outlines(once), outlines(larger), strict=True):
        if one.fill != "surface" and len(one.shapes) == 1:  # neither behind words nor dashed
            assert np.array(one.shapes[0]) == pytest.approx(np.array(other.shapes[0]), abs=0.2)


@every_situation
def test_bands_are_where_their_effects_are(name: str) -> None:
    """In the order of the truth each mark and interval is at its effect; worse is right of zero and points down."""
    canvas, bands = drawn(name, "bands"), situation(name).errors.bands
    x = across(canvas, "effect")
    unit, size = power(canvas, "effect"), max(abs(it.effect) for it in bands) or 1.0
    marks = [it for it in outlines(canvas, width=1.5) if it.stroke != "rule"]
    lines = outlines(canvas, width=2.0)
    texts = [it for it in words(canvas) if it.align == "right" and it.x == canvas.width]
    assert [it.shapes[0][0][1] for it in marks] == sorted(it.shapes[0][0][1] for it in marks)
    for band_, mark, text in zip(bands, marks, texts, strict=True):
        tone = "muted" if not band_.effect else "worse" if band_.effect > 0 else "better"
        assert (mark.stroke, text.role) == (tone, tone)
        assert x(mark.shapes[0][0][0] if tone != "muted" else np.mean(mark.shapes[0], axis=0)[0]) == pytest.approx(
            band_.effect, abs=1e-6 * size
        )
        assert number(text.text) * unit == pytest.approx(band_.effect, rel=1e-3)
        assert text.text[0] == {"worse": "+", "better": "−", "muted": "0"}[tone]
        sure = band_.pvalue is not None and band_.pvalue < 0.05
        assert (mark.fill, text.bold) == (tone if sure else "surface", sure)
        if tone != "muted":
            tip, *base = (at for _, at in mark.shapes[0])
            assert (tip > max(base)) == (tone == "worse")
    known = [it for it in bands if it.ci_lower is not None]
    for band_, line in zip(known, lines, strict=True):
        ends = [band_.ci_lower, band_.ci_upper]
        assert [x(at) for at, _ in line.shapes[0]] == pytest.approx(ends, abs=1e-6 * max(map(abs, ends)))


def test_swapped_sides_mirror_the_bands() -> None:
    """Where the sides change places, better and worse do, and every effect changes its sign."""
    y, a, b = columns(2000)
    once, swapped = (
        [it.text for it in words(BANDS.draw(record(*sides))) if it.role in {"better", "worse"}]
        for sides in ((y, a, b), (y, b, a))
    )
    assert len(once) == 5
    assert once == [text.translate(str.maketrans("+−", "−+")) for text in swapped]


def test_identical_sides_differ_nowhere() -> None:
    """Equal sides have no colour of better or worse, equal squares, and effects of 0."""
    canvas = drawn("identical", "bands")
    assert not any(it.stroke in {"better", "worse"} for it in outlines(canvas))
    assert [it.text for it in words(canvas) if it.x == canvas.width] == ["0"] * 5
    found = drawn("identical", "predicted")
    left, right = squares(found, "champion"), squares(found, "challenger")
    away = right[0][0][0] - left[0][0][0]
    assert np.array([(x + away, y, depth) for (x, y), depth in left]) == pytest.approx(
        np.array([(x, y, depth) for (x, y), depth in right])
    )


def test_noise_is_no_effect() -> None:
    """A difference that rounding left is neither better nor worse, in any unit."""
    bands = situation("millionths").errors.bands
    noise = tuple(replace(it, challenger=it.champion, effect=1e-14 * it.champion, pvalue=1.0) for it in bands)
    assert not any(it.role in {"better", "worse"} for it in words(BANDS.draw(changed("millionths", bands=noise))))


def test_few_rows_are_said() -> None:
    """A band of few rows is marked, one of many is not."""
    assert sum(it.text.endswith(" few") for it in words(drawn("twenty rows", "bands"))) == 3
    assert not any(it.text.endswith(" few") for it in words(drawn("ordinary", "bands")))


def test_a_sample_is_called_one() -> None:
    """Where only some rows are drawn the figures say so."""
    for figure in ("predicted", "errors"):
        texts = [it.text for it in words(drawn("sample", figure))]
        assert any(text.startswith("10,000 of 2,345,678 rows, drawn at random") for text in texts)


@pytest.mark.parametrize(
    ("ends", "labels", "unit"),
    [
        ([], ["every truth"], ""),
        ([0.0], ["below 0", "0 and above"], ""),
        ([120.0, 180.0], ["below 120", "120 to 180", "180 and above"], ""),
        ([-2.5, 2.5], ["below −2.5", "−2.5 to 2.5", "2.5 and above"], ""),
        ([0.1234567, 0.2345678], ["below 0.123", "0.123 to 0.235", "0.235 and above"], ""),
        ([1200.0, 1200.5, 1300.0], ["below 1,200", "1,200 to 1,200.5", "1,200.5 to 1,300", "1,300 and above"], ""),
        ([1234.4, 98765.4], ["below 1,234", "1,234 to 98,765", "98,765 and above"], ""),
        ([1e-6, 2.5e-6], ["below 1", "1 to 2.5", "2.5 and above"], ", in 10⁻⁶"),
        ([2e9, 3e12], ["below 0.002", "0.002 to 3", "3 and above"], ", in 10¹²"),
    ],
)
def test_ranges_are_named(ends: list[float], labels: list[str], unit: str) -> None:
    """A band is called by where it begins and ends, with no more digits than that takes."""
    assert _labels(ranges(ends)) == (labels, unit)


def test_a_range_without_rows_leaves_a_gap() -> None:
    """Bands are called by their own ends, whether or not their neighbours are there."""
    assert _labels(ranges([1.0, 2.0, 3.0])[::2])[0] == ["below 1", "2 to 3"]


def ranges(ends: list[float]) -> list[ErrorBand]:
    """Bands that meet there."""
    of = {"n": 1, "champion": 1.0, "challenger": 1.0, "effect": 0.0, "ci_lower": None, "ci_upper": None, "pvalue": None}
    return [ErrorBand(lower=low, upper=high, **of) for low, high in pairwise([None, *ends, None])]  # type: ignore[arg-type]  # a band


sizes = (
    st.floats(-1, 1)
    .map(lambda share: round(share, 9))
    .flatmap(lambda share: st.integers(-60, 60).map(lambda power: share * 10.0**power))
)


@given(st.lists(sizes, min_size=2, max_size=12, unique=True))
def test_written_ends_keep_their_order(ends: list[float]) -> None:
    """Numbers that lie apart are written as different numbers in the same order, near what they are, and 0 as 0."""
    ends = sorted(ends)
    gap, size = min(b - a for a, b in pairwise(ends)), max(map(abs, ends))
    assume(min(gap, *(abs(it) for it in ends if it)) > 1e-8 * size)
    power = power_of(size)
    written = end_texts(ends, power)
    texts = [number(text) for text in written.values()]
    assert list(written) == ends
    assert texts == sorted(set(texts))
    assert [text * 10.0**power for text in texts] == pytest.approx(ends, abs=0.021 * gap)
    assert [text != 0 for text in texts] == [it != 0 for it in ends]


@given(sizes, sizes, st.sampled_from([60.0, 200.0, 400.0, 900.0]), st.booleans())
def test_an_axis_fits_any_numbers(low: float, high: float, wide: float, signed: bool) -> None:  # noqa: FBT001 - drawn
    """In any unit an axis has ticks within it, each at its place, written as what it is, and clear of the next."""
    low, high = min(low, high), max(low, high)
    assume(high - low > 1e-7 * max(abs(low), abs(high)))
    axis = Axis([low, high], 0.0, wide, signed=signed)
    assert axis(low) == pytest.approx(0, abs=1e-6 * wide)
    assert axis(high) == pytest.approx(wide)
    assert 1 <= len(axis.ticks) <= 14
    near = 1e-5 * (high - low)
    for tick, text in zip(axis.ticks, axis.texts, strict=True):
        assert low - near <= tick <= high + near
        assert axis(tick) == pytest.approx((tick - low) / (high - low) * wide, abs=1e-6 * wide)
        assert number(text) * 10.0**axis.power == pytest.approx(tick, abs=near)
        assert text[0] == ("−" if tick < -near / 2 else text[0])
    if wide > 100:
        for (a, one), (b, other) in pairwise(zip(map(axis, axis.ticks), axis.texts, strict=True)):
            assert a + 3.5 * len(one) < b - 3.5 * len(other)


def test_the_smallest_of_numbers_has_an_axis() -> None:
    """Where numbers end, an axis does not."""
    assert 0 < Axis([0.0, 5e-324], 0.0, 400.0)(0.0) < 400
    assert power_of(5e-324) == 0


def by_hand() -> Any:
    """Three rows and readings that are found in the head."""
    found = record(np.array([10.0, 20.0, 30.0]), np.array([11.0, 21.0, 34.0]), np.array([10.0, 18.0, 30.0]), bands=1)
    of = {"n": 40, "champion": 5.0, "ci_lower": None, "ci_upper": None}
    bands = (
        ErrorBand(lower=None, upper=15.0, challenger=4.5, effect=-0.5, pvalue=0.04, **of),  # type: ignore[arg-type]  # a band
        ErrorBand(lower=15.0, upper=25.0, challenger=5.0, effect=0.0, pvalue=None, **of),  # type: ignore[arg-type]  # likewise
        ErrorBand(lower=25.0, upper=None, challenger=6.25, effect=1.25, pvalue=0.05, **of),  # type: ignore[arg-type]  # likewise
    )
    plane = Plane(edges=(-5.0, 15.0, 35.0), champion=found.errors.plane.champion, challenger=())
    found.errors = replace(found.errors, bands=bands, plane=plane)
    return found


def test_alternative_texts_give_the_main_numbers() -> None:
    """Errors of 1, 1, 4 and of 0, −2, 0: their roots of mean squares, means and mean sizes, and each band's effect."""
    assert PREDICTED.alt(by_hand()) == (
        "Predictions against the truth, from −5.000 to 35.00, on 3 rows. RMSE: champion 2.449, challenger 1.155."
    )
    assert ERRORS.alt(by_hand()) == (
        "How often which error occurs, on 3 rows. Bias, the mean error: champion +2.000, challenger −0.6667. "
        "MAE, the errors' mean size: champion 2.000, challenger 0.6667."
    )
    assert BANDS.alt(by_hand()) == (
        "The challenger's mean absolute error is larger in 1 of 3 ranges of the truth. Effect by range: "
        "below 15: −0.5000 (better, significantly); 15 to 25: 0 (the same); 25 and above: +1.250 (worse)."
    )
