"""Changes from a baseline to a recent window: against other tests, laws of trends, and what is not asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score

from abtest.evaluator.degradation import changes, metric_points
from abtest.metrics.classification import CATALOGUE
from abtest.metrics.regression import RegressionOutcomes
from abtest.stats.multiplicity import holm
from abtest.windows import Tallied, Window
from tests.evaluator.degradation import HOUR, days, of_errors, tallied, timeless, window
from tests.known import known

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.evaluator.monitored import Change

SHARES = ("accuracy", "precision", "recall", "f1")
ERRORS = ("rmse", "mae", "r2", "bias")


def one(baseline: Window, recent: Window, metric: str = "accuracy", *, threshold: float = 0.05) -> Change:
    """The one change of one metric over all rows."""
    return next(row for row in changes(baseline, recent, [metric], threshold=threshold)[0] if row.segment is None)


def columns(of: Window) -> tuple[list[int], list[int]]:
    """Truth and prediction, row by row."""
    table = of.whole().table()
    rows = [(table.labels[y], table.labels[said]) for y, _, said, n in table.cells.tolist() for _ in range(n)]
    return [int(y) for y, _ in rows], [int(said) for _, said in rows]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 7]))
def test_values_and_signs(seed: int, number: int) -> None:
    """Both values are scikit-learn's, the fall is the effect with its sign, and limits hold what they are about."""
    rng = np.random.default_rng(seed)
    baseline = window(days(rng, 6, right=0.8, classes=3))
    recent = window(days(rng, number, right=0.7, classes=3), first=6)
    found, skipped = changes(baseline, recent, SHARES, threshold=0.05)
    assert [row.metric for row in found] == list(SHARES)
    assert len(skipped) == (number < 5)
    for row, score in zip(found[1:], (precision_score, recall_score, f1_score), strict=True):
        for value, of in ((row.baseline, baseline), (row.recent, recent)):
            assert value == pytest.approx(score(*columns(of), average="macro", zero_division=0))
    for row in found:
        assert row.effect == pytest.approx(row.recent - row.baseline)
        assert row.fall == -row.effect
        assert known(row.ci_lower) <= known(-known(row.fall_upper)) <= row.effect
        assert row.effect <= -known(row.fall_lower) <= known(row.ci_upper)
        assert (row.n_baseline, row.n_recent) == (1200, 200 * number)
        assert row.clusters == 6 + (number if number >= 5 else 0)
    assert [row.pvalue_adjusted for row in found] == holm([known(row.pvalue) for row in found]).tolist()


@given(st.integers(0, 2**32 - 1))
def test_of_independent_rows_accuracy_is_newcombes(seed: int) -> None:
    """Without time, accuracy has the score test of two shares: near the pooled z test, where no row is rare."""
    rng = np.random.default_rng(seed)
    baseline, recent = (timeless(window(days(rng, 1, right=0.7, rows=3000))) for _ in range(2))
    row = one(baseline, recent)
    assert row.clusters is None
    assert (row.test, row.ci_method) == ("score", "newcombe")
    pooled = (row.baseline + row.recent) / 2
    z = row.effect / np.sqrt(pooled * (1 - pooled) * 2 / 3000)
    assert row.pvalue == pytest.approx(stats.norm.cdf(z), abs=0.002)


def test_days_without_luck_say_what_rows_do() -> None:
    """Where all days are alike the spread is the rows' own, and only the fewer degrees of freedom widen limits."""
    part = tallied({(0, 0): 90, (0, 1): 10, (1, 1): 80, (1, 0): 20})
    baseline, recent = window([part] * 8), window([part] * 6, first=8)
    by_day, by_row = one(baseline, recent), one(timeless(baseline), timeless(recent))
    assert by_day.pvalue == by_row.pvalue == pytest.approx(0.5)
    assert known(by_day.fall_upper) / known(by_row.fall_upper) == pytest.approx(
        stats.t(5).isf(0.05) / stats.norm.isf(0.05), rel=0.01
    )


def test_few_wrong_rows_are_fishers() -> None:
    """Where few rows are wrong no share is more significant than Fisher's exact test of right rows."""
    baseline, recent = (
        timeless(window([tallied({(0, 0): 500, (1, 1): 495, (1, 0): 5})])),
        window([tallied({(0, 0): 20, (1, 1): 18, (0, 1): 1, (1, 0): 1})]),
    )
    theirs = stats.fisher_exact(np.array([[38, 2], [995, 5]]), alternative="less").pvalue
    found, _ = changes(baseline, recent, SHARES, threshold=0.05)
    for row in found:
        assert known(row.pvalue) >= theirs * (1 - 1e-9)
    assert found[0].test == "fisher"
    assert found[0].pvalue == pytest.approx(theirs)


def test_a_tiny_window_is_unclear() -> None:
    """A single wrong row neither alarms nor calms; it says about how many rows would settle it."""
    baseline = timeless(window([tallied({(0, 0): 900, (0, 1): 100})]))
    row = one(baseline, window([tallied({(0, 1): 1})]))
    assert row.trend == "unclear"
    assert known(row.pvalue) >= 0.1
    assert known(row.rows_needed) > 1


@pytest.mark.parametrize(("right", "trend"), [(0.8, "fallen"), (0.895, "held"), (0.86, "unclear")])
def test_trends(right: float, trend: str) -> None:
    """Ten points are a fall, half of one is none, and four of a tolerated five are neither, of five thousand rows."""
    baseline = timeless(window([tallied({(0, 0): 9000, (0, 1): 1000})]))
    hits = round(right * 1000)
    row = one(baseline, timeless(window([tallied({(0, 0): hits, (0, 1): 1000 - hits})])))
    assert row.trend == trend
    assert (row.rows_needed is not None) == (trend == "unclear")


def test_rows_needed_settle_it() -> None:
    """As many rows as it asks for, of the same kind, make an unclear change held; a tenth fewer do not."""
    baseline = timeless(window([tallied({(0, 0): 90_000, (0, 1): 10_000})]))

    def of(rows: int) -> Change:
        hits = round(0.87 * rows)
        return one(baseline, timeless(window([tallied({(0, 0): hits, (0, 1): rows - hits})])))

    needed = known(of(300).rows_needed)
    assert of(300).trend == "unclear"
    assert of(round(1.1 * needed)).trend == "held"
    assert of(round(0.9 * needed)).trend == "unclear"


def test_no_recent_rows_make_up_for_a_small_baseline() -> None:
    """Where the baseline alone leaves more open than is tolerated, no number of rows is named."""
    baseline = timeless(window([tallied({(0, 0): 18, (0, 1): 2})]))
    row = one(baseline, timeless(window([tallied({(0, 0): 90, (0, 1): 10})])), threshold=0.02)
    assert (row.trend, row.rows_needed) == ("unclear", None)


def test_no_time_takes_the_other_windows_luck() -> None:
    """A baseline without time is as spread as the recent days are, which is said; so is a single recent day."""
    rng = np.random.default_rng(0)
    past, late = window(days(rng, 12, right=0.8, alike=0.05)), window(days(rng, 12, right=0.8, alike=0.05), first=12)
    single = window(days(rng, 1, right=0.8, alike=0.05), first=24)
    for baseline, recent, side in ((timeless(past), late, "baseline"), (past, single, "recent window")):
        found, skipped = changes(baseline, recent, ["accuracy"], threshold=0.05)
        assert [note.what for note in skipped] == [f"spread of the {side} by day"]
        rows = one(timeless(baseline), timeless(recent))
        assert found[0].clusters == 12
        assert known(found[0].fall_upper) - found[0].fall > 1.5 * (known(rows.fall_upper) - rows.fall)


def test_hours_where_there_are_no_days() -> None:
    """Within a day hours are clusters; fewer than five of them are none."""
    rng = np.random.default_rng(0)
    parts = days(rng, 12, right=0.8)
    found = one(window(parts[:6], every=HOUR), window(parts[6:], first=6, every=HOUR))
    assert (found.clusters, found.test) == (12, "score by hour")
    assert one(window(parts[:3], every=HOUR), window(parts[3:6], first=6, every=HOUR)).clusters is None


def test_segments() -> None:
    """Segments of both windows are compared, adjusted together with all rows; those of one are named."""
    cells, half = {(0, 0): 90, (0, 1): 10}, {(0, 0): 45, (0, 1): 5}
    worse = {(0, 0): 25, (0, 1): 25}
    baseline = timeless(window([tallied(cells, {("region", "EU"): half, ("region", "US"): half})]))
    recent = timeless(window([tallied({(0, 0): 70, (0, 1): 30}, {("region", "EU"): worse, ("region", "Asia"): half})]))
    found, skipped = changes(baseline, recent, ["accuracy"], threshold=0.05)
    assert [(row.segment, row.value) for row in found] == [(None, None), ("region", "EU")]
    assert found[1].trend == "fallen"
    assert [(note.what, note.why) for note in skipped] == [
        ("region = US", "The recent window has no labelled row of it."),
        ("region = Asia", "The baseline has no labelled row of it."),
    ]


def test_averages_run_over_shared_classes() -> None:
    """A class that one window lacks is left out of both averages, which is said; its rows still count as wrong."""
    both = {(0, 0): 80, (0, 1): 20, (1, 1): 60, (1, 0): 40}
    baseline = timeless(window([tallied({**both, (2, 2): 50, (2, 0): 50})]))
    recent = timeless(window([tallied(both)]))
    found, skipped = changes(baseline, recent, ["recall", "precision"], threshold=0.05)
    assert (found[0].baseline, found[0].recent) == pytest.approx((0.7, 0.7))
    assert found[1].baseline == pytest.approx((80 / 170 + 60 / 80) / 2)
    assert [note.what for note in skipped] == ["class 2 in averages"]


def test_one_class_only() -> None:
    """With no class in common there are no averages; accuracy is compared all the same."""
    baseline = timeless(window([tallied({(0, 0): 80, (0, 1): 20})]))
    recent = timeless(window([tallied({(1, 1): 60, (1, 0): 40})]))
    found, skipped = changes(baseline, recent, SHARES, threshold=0.05)
    assert [row.metric for row in found] == ["accuracy"]
    assert [note.what for note in skipped] == ["precision, recall and F1"]
    found, _ = changes(baseline, baseline, SHARES, threshold=0.05, average="binary", pos_label=1)
    assert [row.metric for row in found] == ["accuracy"]


def test_failed_predictions_are_wrong() -> None:
    """A labelled row whose prediction failed counts as wrong, in whichever window; labels are then text in both."""
    baseline = timeless(window([tallied({(0, 0): 90, (1, 1): 110})]))
    failing = replace(tallied({(0, 0): 45, (1, 1): 45}), n=100, failed=10, unpredicted={0: 4, 1: 6})
    row = one(baseline, timeless(window([failing])))
    assert (row.baseline, row.recent, row.n_recent) == (1.0, 0.9, 100)


def test_functions_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric of one's own is compared as a number: by its value's share, and by its direction."""
    (tmp_path / "shop_watched.py").write_text(
        "def wrong(confusion, labels):\n"
        "    return 1 - confusion[..., [0, 1], [0, 1]].sum(axis=-1) / confusion.sum(axis=(-2, -1))\n"
        "wrong.greater_is_better = False\n"
        "def size(y_true, y_pred):\n"
        "    return abs(y_pred - y_true)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    rng = np.random.default_rng(0)
    baseline, recent = window(days(rng, 7, right=0.8)), window(days(rng, 7, right=0.7), first=7)
    (own, accuracy), _ = changes(baseline, recent, ["shop_watched:wrong", "accuracy"], threshold=0.05)
    assert own.fall == pytest.approx(accuracy.fall)
    assert own.tolerated == pytest.approx(0.05 * own.baseline)
    assert (own.trend, own.test) == ("fallen", "student by day")
    assert own.pvalue == pytest.approx(known(accuracy.pvalue), rel=0.5)
    [point] = metric_points(baseline.whole(), ["shop_watched:wrong"])
    assert point.value == pytest.approx(own.baseline)
    y, e = rng.normal(size=300), rng.normal(size=300)
    loss = {"shop_watched:size": (np.abs((y + e) - y),) * 2}  # as the package finds an error
    tally = Tallied(n=300, errors=RegressionOutcomes.of(y, y + e, y + e, loss))
    of = timeless(window([tally]))
    first, second = changes(of, of, ["shop_watched:size", "mae"], threshold=0.05)[0]
    assert replace(first, metric="mae") == second
    assert [one.value for one in metric_points(tally, ["shop_watched:size"])] == [first.baseline]


def test_nothing_to_compare() -> None:
    """Without labels, or for metrics that labels do not tell, nothing is compared, and it is said why."""
    full, empty = window([tallied({(0, 0): 3})]), window([Tallied(n=5)])
    for baseline, recent, side in ((empty, full, "baseline"), (full, empty, "recent window")):
        found, skipped = changes(baseline, recent, SHARES, threshold=0.05)
        assert found == ()
        assert [note.why for note in skipped] == [f"The {side} has no labelled row."]
    found, skipped = changes(full, full, ["roc_auc", "cost", "accuracy"], threshold=0.05)
    assert [row.metric for row in found] == ["accuracy"]
    assert [note.what for note in skipped] == ["roc_auc", "cost", "spread by day"]
    assert "rows are taken to be independent" in skipped[2].why


@given(st.integers(0, 2**32 - 1))
def test_regression_is_welch_without_time(seed: int) -> None:
    """Without time MAE has Student's t of two windows' losses, and values are the errors' own."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=400), 1.2 * rng.normal(size=300) + 0.1
    truths = 5 * rng.normal(size=400), 5 * rng.normal(size=300)
    baseline, recent = (timeless(window([of_errors(y, e)])) for y, e in zip(truths, errors, strict=True))
    found, skipped = changes(baseline, recent, ERRORS, threshold=0.05)
    by_name = {row.metric: row for row in found}
    assert list(by_name) == ["rmse", "mae", "bias"]
    assert [note.what for note in skipped] == ["r2"]
    mae = by_name["mae"]
    assert mae.fall == pytest.approx(np.abs(errors[1]).mean() - np.abs(errors[0]).mean())
    error = np.sqrt(sum(np.var(np.abs(e), ddof=1) / e.size for e in errors))
    assert mae.pvalue == pytest.approx(stats.t(299).sf(mae.fall / error), abs=1e-9)
    assert mae.tolerated == pytest.approx(0.05 * mae.baseline)
    rmse, bias = by_name["rmse"], by_name["bias"]
    assert (rmse.baseline, rmse.recent) == pytest.approx(tuple(np.sqrt(np.square(e).mean()) for e in errors))
    assert bias.fall == pytest.approx(abs(errors[1].mean()) - abs(errors[0].mean()))
    assert bias.tolerated == pytest.approx(0.05 * rmse.baseline)


def test_r2_by_day() -> None:
    """R² has a test where days tell its spread: the limits hold its change as a jackknife of days does, nearly."""
    rng = np.random.default_rng(0)
    parts = [of_errors(3 * rng.normal(size=200), rng.normal(size=200) * s) for s in (1,) * 12 + (1.4,) * 12]
    baseline, recent = window(parts[:12]), window(parts[12:], first=12)
    row = one(baseline, recent, "r2")
    assert row.fall == pytest.approx(0.96 / 9, abs=0.03)
    squares = 0.0
    for side in (parts[:12], parts[12:]):
        left = [known(Tallied.sum(side[:i] + side[i + 1 :]).errors).value("r2", "champion") for i in range(12)]
        squares += 11 / 12 * float(np.square(np.array(left) - np.mean(left)).sum())
    half = stats.t(11).isf(0.025) * np.sqrt(squares)
    assert known(row.ci_upper) - row.effect == pytest.approx(half, rel=0.1)


def test_constant_errors_are_not_judged() -> None:
    """Errors that never vary have a change with nothing to judge it by: no p-value, no limits, no NaN."""
    truth = np.arange(50.0)
    baseline, recent = (timeless(window([of_errors(truth, np.full(50, e))])) for e in (1.0, 2.0))
    row = one(baseline, recent, "mae")
    assert (row.fall, row.pvalue, row.fall_upper, row.trend, row.ci_method) == (
        1,
        None,
        None,
        "unclear",
        "not estimable",
    )


@pytest.mark.parametrize("alike", [0.0, 0.02])
def test_false_alarms(alike: float) -> None:
    """Where nothing changed no more than a twentieth of windows say so, within four errors; days have luck or not."""
    rng, alarms, repeats = np.random.default_rng(4), 0, 300
    for _ in range(repeats):
        baseline = window(days(rng, 10, right=0.9, rows=100, alike=alike))
        recent = window(days(rng, 7, right=0.9, rows=100, alike=alike), first=10)
        alarms += known(one(baseline, recent).pvalue) < 0.05
    assert alarms / repeats <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats)


def test_every_metric_of_labels_is_compared() -> None:
    """The catalogue's metrics all have a change, with a p-value and limits."""
    rng = np.random.default_rng(0)
    found, _ = changes(
        window(days(rng, 6, right=0.8)), window(days(rng, 6, right=0.8), first=6), [*CATALOGUE], threshold=0.05
    )
    assert [row.metric for row in found] == [*CATALOGUE]
    assert all(row.pvalue is not None and row.fall_upper is not None for row in found)
