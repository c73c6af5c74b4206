"""Blocks of errors: what weighted sums give is what scikit-learn gives of weighted rows, at any distance from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from abtest.errors import InvalidInputError
from abtest.labels import SIDES
from abtest.metrics.custom import CustomLoss
from abtest.metrics.errors import (
    Band,
    ErrorSums,
    PairedErrors,
    custom_losses,
    loss_pairs,
    metric_values,
    row_columns,
    swapped_columns,
)
from abtest.metrics.regression import METRICS, RegressionOutcomes
from abtest.metrics.residuals import ErrorHistogram, Plane

if TYPE_CHECKING:
    from pathlib import Path

Floats = npt.NDArray[np.float64]
LATE = CustomLoss(name="shop:late", function=lambda y, said: np.maximum(y - said, 0))


def rows(n: int, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """A truth and two predictions of it."""
    rng = np.random.default_rng(seed)
    y = rng.gamma(2, 2, n)
    return y, y + rng.normal(0.2, 1, n), y + rng.normal(-0.1, 0.8, n)


def weighted(metric: str, y: Floats, said: Floats, weights: Floats) -> float:
    """One metric of weighted rows, by scikit-learn; bias and the loss of one's own by NumPy."""
    if metric == "bias":
        return float(np.average(said - y, weights=weights))
    if metric == LATE.name:
        return float(np.average(np.maximum(y - said, 0), weights=weights))
    score = {
        "mae": sklearn_metrics.mean_absolute_error,
        "rmse": sklearn_metrics.root_mean_squared_error,
        "r2": sklearn_metrics.r2_score,
    }[metric]
    return float(score(y, said, sample_weight=weights))


@pytest.mark.parametrize("metric", [*METRICS, LATE.name])
@given(n=st.integers(2, 40), seed=st.integers(0, 2**32), offset=st.sampled_from([0.0, -1e4, 1e9]))
def test_weighted_sums_give_the_metrics_of_weighted_rows(metric: str, n: int, seed: int, offset: float) -> None:
    """Draws over rows give scikit-learn's metric of the rows drawn, for every draw at once, far from 0 too."""
    y, first, second = (column + offset for column in rows(n, seed))
    blocks = row_columns(y, first, second, origin=float(y.mean()), losses=loss_pairs([LATE], y, first, second))
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=5).astype(np.float64)
    weights[0] = 1.0
    for side, said in zip(SIDES, (first, second), strict=True):
        ours = metric_values(weights @ blocks, metric, side, [LATE.name])
        for value, draw in zip(ours.tolist(), weights, strict=True):
            if metric == "r2" and np.count_nonzero(draw) == 1:
                assert np.isnan(value)
            else:
                assert value == pytest.approx(weighted(metric, y, said, draw), rel=1e-9, abs=1e-12)


def test_a_truth_far_from_zero_needs_an_origin() -> None:
    """At 1e9 plus a little, R² is right to nine digits from its mean as origin, and lost without one."""
    y = 1e9 + np.arange(8.0)
    first, second = y + 0.5, y - 0.25
    exact = 1 - 8 * 0.25 / 42
    for origin, is_right in ((float(y.mean()), True), (0.0, False)):
        ours = float(metric_values(row_columns(y, first, second, origin=origin).sum(axis=0), "r2", "champion"))
        assert (ours == pytest.approx(exact, rel=1e-9)) == is_right


def test_swapping_changes_places() -> None:
    """Swapped errors are those of swapped predictions, sample and custom losses too; twice is once."""
    y, first, second = rows(30)
    paired = []
    for sides in ((first, second), (second, first)):
        pairs = loss_pairs([LATE], y, *sides)
        sums = ErrorSums(
            outcomes=RegressionOutcomes.of(y, *sides, pairs),
            blocks=row_columns(y, *sides, losses=pairs),
        )
        paired.append(
            PairedErrors(
                whole=sums,
                segments={("a", "b"): sums},
                bands=(Band(lower=None, upper=1.0, errors=sums),),
                sample=np.column_stack([y, *sides]),
                losses=(LATE,),
            )
        )
    swapped, expected = paired[0].swapped(), paired[1]
    assert swapped.n == 30
    assert swapped.losses == (LATE,)
    assert (swapped.sample == expected.sample).all()
    for ours, theirs in (
        (swapped.whole, expected.whole),
        (swapped.segments["a", "b"], expected.segments["a", "b"]),
        (swapped.bands[0].errors, expected.bands[0].errors),
    ):
        assert ours.outcomes == theirs.outcomes
        assert (ours.blocks == theirs.blocks).all()
    assert (swapped_columns(swapped.whole.blocks) == paired[0].whole.blocks).all()


def test_units_are_the_columns_by_name() -> None:
    """A block's losses are found by name, both sides next to each other."""
    y, first, second = rows(9)
    pairs = loss_pairs([LATE], y, first, second)
    outcomes = RegressionOutcomes.of(y, first, second, {LATE.name: pairs[LATE.name]})
    units = ErrorSums(outcomes=outcomes, blocks=row_columns(y, first, second, losses=pairs)).units
    assert units.rows.tolist() == [1] * 9
    assert list(units.losses) == ["errors", "absolute", "squared", LATE.name]
    assert (units.losses["squared"] == np.column_stack([(first - y) ** 2, (second - y) ** 2])).all()
    assert (units.losses[LATE.name][:, 1] == np.maximum(y - second, 0)).all()


def test_losses_are_imported_by_name(tmp_path: Path) -> None:
    """Names of one's own are imported from this folder; a loss says itself whether more of it is better."""
    (tmp_path / "shop_losses.py").write_text(
        "import numpy as np\n"
        "def late(y_true, y_pred):\n    return np.maximum(y_true - y_pred, 0)\n"
        "def hit(y_true, y_pred):\n    return abs(y_true - y_pred) < 1\n"
        "hit.greater_is_better = True\n",
        encoding="utf-8",
    )
    late, hit = custom_losses(["rmse", "shop_losses:late", "mae", "shop_losses:hit", "bias"])
    assert [(loss.name, loss.greater_is_better) for loss in (late, hit)] == [
        ("shop_losses:late", False),
        ("shop_losses:hit", True),
    ]
    assert hit.rows(np.array([1.0, 5.0]), np.array([1.5, 9.0])).tolist() == [1, 0]
    with pytest.raises(
        InvalidInputError, match=r"module shop_losses has no function 'lat'\. Hint: did you mean 'late'"
    ):
        custom_losses(["shop_losses:lat"])
    with pytest.raises(InvalidInputError, match=r"'nowhere:loss' cannot be imported: ModuleNotFoundError"):
        custom_losses(["nowhere:loss"])


def fails(_y: Floats, _said: Floats) -> None:
    """A loss that raises."""
    raise ZeroDivisionError("no rows")


def writes(y: Floats, _said: Floats) -> Floats:
    """A loss that would change what others read."""
    y[0] = 7
    return y


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (fails, r"metrics: 'a:b' failed: ZeroDivisionError: no rows\. Hint: it is given the truth and one side's"),
        (writes, r"metrics: 'a:b' failed: ValueError: .*read-only"),
        (lambda y, said: (y - said).mean(), r"must return one loss a row, of shape \(3,\), got \(\)\. Hint: leave the"),
        (np.outer, r"of shape \(3,\), got \(3, 3\)"),
        (lambda y, _said: y * np.nan, r"metrics: 'a:b' must return finite numbers\. Hint: say what"),
        (lambda y, _said: y * np.inf, r"must return finite numbers"),
        (lambda y, _said: y * 1e150, r"must return finite numbers"),
        (lambda y, _said: ["x"] * len(y), r"metrics: 'a:b' failed: ValueError"),
    ],
)
def test_losses_that_are_none_are_refused(function: object, match: str) -> None:
    """A loss that fails, writes into its rows, or gives no finite number a row is refused, with what it is given."""
    loss = CustomLoss(name="a:b", function=function)  # type: ignore[arg-type] # the mistakes under test
    y = np.array([1.0, 2.0, 3.0])
    with pytest.raises(InvalidInputError, match=match):
        loss.rows(y, y + 1)
    assert y.tolist() == [1, 2, 3]


@given(n=st.integers(1, 200), seed=st.integers(0, 2**32), scale=st.sampled_from([1e-9, 1e-3, 1.0, 7.3, 1e9]))
def test_histogram_counts_every_error(n: int, seed: int, scale: float) -> None:
    """Bins are even, symmetric about 0, hold every error and, inside, what NumPy counts; swapped sides swap counts."""
    y, first, second = rows(n, seed)
    errors = (scale * (first - y), scale * (second - y))
    ours = ErrorHistogram.of(*errors)
    edges = np.array(ours.edges)
    assert 27 <= len(ours.champion) <= 41
    assert (edges == -edges[::-1]).all()
    assert np.diff(edges) == pytest.approx(np.full(edges.size - 1, edges[1] - edges[0]), rel=1e-9)
    inside = np.abs(np.concatenate(errors)) <= edges[-1]
    assert inside.mean() >= 0.99 - 1 / inside.size
    for counts, side in zip((ours.champion, ours.challenger), errors, strict=True):
        assert sum(counts) == n
        assert list(counts) == np.histogram(np.clip(side, edges[0], np.nextafter(edges[-1], 0)), edges)[0].tolist()
    other = ErrorHistogram.of(*errors[::-1])
    assert (other.champion, other.challenger, other.edges) == (ours.challenger, ours.champion, ours.edges)


def test_histogram_without_errors() -> None:
    """Perfect sides are all in the middle bin; one error among many zeros still has a bin of its own."""
    none = ErrorHistogram.of(np.zeros(5), np.zeros(5))
    assert none.champion[len(none.champion) // 2] == 5
    lone = ErrorHistogram.of(np.zeros(1000), np.append(np.zeros(999), 3.0))
    assert lone.challenger[len(lone.challenger) // 2] == 999
    assert sum(lone.challenger[len(lone.challenger) // 2 + 1 :]) == 1
    assert ErrorHistogram.of(np.zeros(0), np.zeros(0)).champion.count(0) == len(none.champion)


@given(n=st.integers(1, 200), seed=st.integers(0, 2**32), scale=st.sampled_from([1e-9, 1.0, 1e9]), far=st.booleans())
def test_plane_counts_every_row(n: int, seed: int, scale: float, far: bool) -> None:  # noqa: FBT001 - Hypothesis draws it
    """Squares are even, hold every row once, and nearly all of the truth lies inside; what lies beyond is outermost."""
    y, first, second = (scale * (column + 1e6 * far) for column in rows(n, seed))
    plane = Plane.of(y, first, second)
    edges = np.array(plane.edges)
    assert 2 <= edges.size <= 43
    assert (np.diff(edges) > 0).all()
    assert np.mean((y >= edges[0]) & (y <= edges[-1])) >= 0.98 - 2 / n
    kept = np.nextafter(edges[-1], edges[0])
    for squares, said in ((plane.champion, first), (plane.challenger, second)):
        table = np.histogram2d(np.clip(y, edges[0], kept), np.clip(said, edges[0], kept), bins=[edges, edges])[0]
        found = np.zeros_like(table)
        for i, j, count in squares:
            assert count > 0
            found[i, j] += count
        assert (found == table).all()


def test_plane_of_one_truth() -> None:
    """A truth of one value still has squares: around it and the predictions, or around it alone."""
    three = np.full(3, 5.0)
    plane = Plane.of(three, np.array([4.0, 5.0, 6.0]), three)
    assert plane.edges[0] <= 4
    assert plane.edges[-1] >= 6
    assert len(plane.champion) == 3
    for value in (5.0, 0.0, -1e12):
        alone = Plane.of(*[np.full(3, value)] * 3)
        assert [count for _, _, count in alone.champion] == [3]
        assert alone.edges[0] <= value <= alone.edges[-1]
