"""Rows that come in units: every number is that of units, found again a row at a time, and by other libraries."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar

import abtest
from abtest.engines.predicted import tally_columns
from abtest.evaluator import NOT_ESTIMABLE, Evaluation, MetricRow, evaluate
from abtest.policy import Policy
from abtest.stats.clusters import UnitTally, cluster_test
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abtest.engines.pairs import Scored

Row: TypeAlias = tuple[int, int, int, int, str]  # unit, truth, champion, challenger, region
FAST = 100
LABEL = st.integers(0, 2)
REGION = st.sampled_from(["Asia", "EU", "US"])


@st.composite
def unit_rows(draw: st.DrawFn, *, one_each: bool = False) -> list[Row]:
    """Draw rows of up to seven units, or of a unit each; in the first all agree, so no side is a stranger."""
    drawn = draw(st.lists(st.tuples(st.integers(0, 6), LABEL, LABEL, LABEL, REGION), max_size=40))
    rows = [(0, 0, 0, 0, "EU"), *drawn]
    return [(i if one_each else row[0], *row[1:]) for i, row in enumerate(rows)]


def columns(rows: Iterable[Row]) -> tuple[npt.NDArray[Any], ...]:
    """Units, truth, both sides, and regions."""
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def scored(rows: Iterable[Row]) -> Scored:
    """The table of the rows, their regions and their units."""
    unit, y, a, b, region = columns(rows)
    return tally_columns(y, a, b, segments={"region": region}, unit=unit)


def evaluated(rows: Iterable[Row], *, policy: Policy | None = None, resamples: int = FAST, seed: int = 0) -> Evaluation:
    """The evaluation of rows in units."""
    found = scored(rows)
    return evaluate(known(found.outcomes), policy or Policy(), units=found.units, resamples=resamples, seed=seed)


def by_hand(rows: list[Row], level: float = 0.95) -> tuple[float, float, tuple[float, float] | None]:
    """Chi-square, p-value and interval, a row and a unit at a time, from the formulas in print."""
    d: Counter[int] = Counter()
    size: Counter[int] = Counter()
    for unit, y, a, b, _ in rows:
        d[unit] += (b == y) - (a == y)
        size[unit] += 1
    n, k, total, squares = len(rows), len(size), sum(d.values()), sum(x * x for x in d.values())
    z = total / math.sqrt(squares) if squares else 0.0
    spread = math.fsum((d[u] - total / n * size[u]) ** 2 for u in size)
    interval = None
    if k > 1 and spread > 1e-20:
        half = stats.t.ppf((1 + level) / 2, k - 1) * math.sqrt(k / (k - 1) * spread) / n
        interval = (max(total / n - half, -1.0), min(total / n + half, 1.0))
    return z * z, float(2 * stats.norm.sf(abs(z))), interval


def is_that_of(row: MetricRow, rows: list[Row], level: float = 0.95) -> None:
    """Check that a row of metrics has the test and the interval of these rows' units."""
    statistic, pvalue, interval = by_hand(rows, level)
    assert row.statistic == pytest.approx(statistic, rel=1e-12)
    assert row.pvalue == pytest.approx(pvalue, rel=1e-9)
    assert (row.test, row.n) == ("by unit", len(rows))
    if interval is None:
        assert (row.ci_lower, row.ci_upper, row.ci_method) == (None, None, NOT_ESTIMABLE)
    else:
        assert (row.ci_lower, row.ci_upper) == pytest.approx(interval, abs=1e-9)
        assert row.ci_method == "by unit"


def all_rows(evaluation: Evaluation) -> list[MetricRow]:
    """Every row of metrics."""
    return [*evaluation.metrics, *evaluation.per_class, *evaluation.segments]


@given(rows=unit_rows(), level=st.sampled_from([0.8, 0.95]))
@hypothesis_settings(max_examples=40)  # an example is up to five evaluations
def test_every_proportion_is_tested_on_its_own_units(rows: list[Row], level: float) -> None:
    """Accuracy, each class's recall and each region's accuracy have the test and interval of their rows' units."""
    evaluation = evaluated(rows, policy=Policy(confidence=level))
    accuracy = evaluation.metric("accuracy")
    is_that_of(accuracy, rows, level)
    assert (known(evaluation.mcnemar).method, known(evaluation.mcnemar).pvalue) == ("by unit", accuracy.pvalue)
    assert known(evaluation.mcnemar).statistic == accuracy.statistic
    for recall in (row for row in evaluation.per_class if row.metric == "recall" and row.n):
        is_that_of(recall, [row for row in rows if row[1] == recall.class_], level)
    for segment in (row for row in evaluation.segments if row.metric == "accuracy"):
        is_that_of(segment, [row for row in rows if row[4] == segment.value], level)
    assert {row.value for row in evaluation.segments} == {row[4] for row in rows}


@given(rows=unit_rows())
@hypothesis_settings(max_examples=25)  # an example is an evaluation
def test_accuracy_is_the_test_of_clusters_on_the_rows(rows: list[Row]) -> None:
    """The row of accuracy says what ``cluster_test`` says of the same rows tallied by unit alone."""
    tally = UnitTally()
    tally.add(*columns(rows)[:4])
    theirs, ours = cluster_test(tally.units()), evaluated(rows).metric("accuracy")
    assert (ours.effect, ours.statistic, ours.pvalue) == pytest.approx(
        (theirs.effect, theirs.statistic**2, theirs.pvalue), abs=1e-15
    )
    limits = (theirs.interval.lower, theirs.interval.upper) if theirs.interval else (None, None)
    assert (ours.ci_lower, ours.ci_upper) == limits


@given(rows=unit_rows(one_each=True))
@hypothesis_settings(max_examples=12)  # statsmodels collects garbage at every call
def test_one_row_a_unit_is_uncorrected_mcnemar(rows: list[Row]) -> None:
    """With one row a unit, z² is statsmodels' uncorrected chi-square, and every value and effect is that of rows."""
    evaluation, found = evaluated(rows), scored(rows)
    plain = evaluate(known(found.outcomes), Policy(), resamples=FAST)
    table = evaluation.contingency
    if known(table).discordant:
        square = [[known(table).both, known(table).champion_only], [known(table).challenger_only, known(table).neither]]
        theirs = mcnemar(square, exact=False, correction=False)
        assert known(evaluation.mcnemar).statistic == pytest.approx(theirs.statistic, rel=1e-12)
        assert known(evaluation.mcnemar).pvalue == pytest.approx(theirs.pvalue, rel=1e-9)
    for ours, other in zip(all_rows(evaluation), all_rows(plain), strict=True):
        assert (ours.metric, ours.n, ours.champion, ours.challenger) == (
            other.metric, other.n, other.champion, other.challenger,
        )  # fmt: skip
    assert (plain.contingency, plain.counted) == (table, evaluation.counted)


def dependent(units: int, size: int, seed: int = 0) -> list[Row]:
    """Rows of two sides, each of which is right or wrong on most rows of a unit alike."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, (units, size))
    hard = rng.random((units, 1)) * 0.7 + rng.random((units, size)) * 0.3
    own = rng.random((units, 1)) * 0.7 + rng.random((units, size)) * 0.3
    a, b = np.where(hard < 0.7, y, 1 - y), np.where(0.6 * hard + 0.4 * own < 0.72, y, 1 - y)
    unit = np.repeat(np.arange(units), size)
    region = np.where(unit % 3 == 0, "EU", "US")
    return [*zip(unit.tolist(), *(x.ravel().tolist() for x in (y, a, b)), region.tolist(), strict=True)]


def test_one_row_a_unit_gives_nearly_the_intervals_of_rows() -> None:
    """With one row a unit, resampled intervals are those of rows up to the draws, Tango's and the units' nearly so."""
    rows = [(i, *row[1:]) for i, row in enumerate(dependent(300, 4))]
    found = scored(rows)
    ours = evaluate(known(found.outcomes), Policy(), units=found.units, resamples=4000)
    theirs = evaluate(known(found.outcomes), Policy(), resamples=4000)
    for row, other in zip(all_rows(ours), all_rows(theirs), strict=True):
        if row.ci_lower is None or row.ci_upper is None or other.ci_lower is None or other.ci_upper is None:
            assert row.ci_lower == other.ci_lower
            continue
        width = other.ci_upper - other.ci_lower
        assert row.ci_lower == pytest.approx(other.ci_lower, abs=0.06 * width)
        assert row.ci_upper == pytest.approx(other.ci_upper, abs=0.06 * width)


def test_accuracys_interval_is_statsmodels_cluster_robust_one() -> None:
    """The interval of accuracy is that of a mean with cluster-robust errors, as statsmodels finds it."""
    rows = dependent(60, 5)
    unit, y, a, b, _ = columns(rows)
    d = (b == y).astype(float) - (a == y)
    fit = sm.OLS(d, np.ones(len(d))).fit(cov_type="cluster", cov_kwds={"groups": unit}, use_t=True)
    ours = evaluated(rows).metric("accuracy")
    assert ours.effect == pytest.approx(fit.params[0], rel=1e-12)
    assert (ours.ci_lower, ours.ci_upper) == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-9)


def test_other_metrics_are_resampled_by_unit() -> None:
    """F1's interval is that of drawing whole units, done a unit at a time, and wider than that of drawing rows."""
    rows = dependent(40, 8)
    _, y, a, b, _ = columns(rows)
    drawn = np.random.default_rng(11).integers(0, 40, (3000, 40))

    def macro_f1(said: npt.NDArray[Any], units: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Macro F1 of each resample, from the units' own counts."""
        scores = []
        for label in (0, 1):
            hits, truths, calls = (
                x.reshape(40, 8).sum(axis=1)[units].sum(axis=-1)
                for x in ((y == label) & (said == label), y == label, said == label)
            )
            scores.append(2 * hits / (truths + calls))
        return np.asarray(np.mean(scores, axis=0))

    assert macro_f1(b, np.arange(40)) == pytest.approx(f1_score(y, b, average="macro"), rel=1e-12)
    lower, upper = np.percentile(macro_f1(b, drawn) - macro_f1(a, drawn), [2.5, 97.5])
    ours = evaluated(rows, resamples=6000).metric("f1")
    assert ours.test == "paired bootstrap"
    assert (ours.ci_lower, ours.ci_upper) == pytest.approx((lower, upper), abs=0.06 * (upper - lower))
    plain = evaluate(known(scored(rows).outcomes), Policy(), resamples=6000).metric("f1")
    assert plain.ci_lower is not None
    assert plain.ci_upper is not None
    assert upper - lower > 1.25 * (plain.ci_upper - plain.ci_lower)


@given(rows=unit_rows(), seed=st.integers(0, 9))
@hypothesis_settings(max_examples=30)  # an example is eight evaluations
def test_swapping_the_sides_negates_every_effect(rows: list[Row], seed: int) -> None:
    """Swapped sides have every effect negated, every interval mirrored and every p-value unchanged, resampled or not.

    Tables that are their own mirror image are left out: there the orientation that is drawn on is not settled.
    """
    ours, theirs = scored(rows), scored([(u, y, b, a, region) for u, y, a, b, region in rows])
    parts = [ours.outcomes, *(known(ours.outcomes).of(segment) for segment in known(ours.outcomes).segments)]
    assume(not any(np.array_equal(known(part).cells, known(part).swapped().cells) for part in parts))
    one, two = (evaluate(known(x.outcomes), Policy(), units=x.units, resamples=FAST, seed=seed) for x in (ours, theirs))
    assert one.mcnemar == two.mcnemar
    for row, other in zip(all_rows(one), all_rows(two), strict=True):
        assert (row.champion, row.challenger, row.effect) == (other.challenger, other.champion, -other.effect)
        assert (row.pvalue, row.pvalue_adjusted, row.statistic) == (
            other.pvalue, other.pvalue_adjusted, other.statistic,
        )  # fmt: skip
        if row.ci_lower is not None and row.ci_upper is not None:
            assert (other.ci_lower, other.ci_upper) == pytest.approx((-row.ci_upper, -row.ci_lower), abs=1e-12)


@given(rows=unit_rows())
@hypothesis_settings(max_examples=15)  # an example is an evaluation
def test_identical_sides_differ_in_nothing(rows: list[Row]) -> None:
    """A model compared with itself has effect 0 and p = 1 throughout, and no interval: there is nothing to see."""
    evaluation = evaluated([(u, y, a, a, region) for u, y, a, _, region in rows])
    for row in all_rows(evaluation):
        assert (row.effect, row.pvalue if row.n else 1.0) == (0.0, 1.0)
        assert (row.ci_lower, row.ci_upper, row.ci_method) == (None, None, NOT_ESTIMABLE)
    assert evaluation.power is None


@given(rows=unit_rows(), seed=st.integers(0, 99))
@hypothesis_settings(max_examples=15)  # an example is two evaluations
def test_names_of_units_and_order_of_rows_are_irrelevant(rows: list[Row], seed: int) -> None:
    """Shuffled rows, and units called by other names of another type, give the same evaluation to the last bit."""
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    unit, y, a, b, region = columns([rows[i] for i in order])
    named = np.array([f"user {9 - u}" for u in unit.tolist()], dtype=object)
    found = tally_columns(y, a, b, segments={"region": region}, unit=named)
    assert evaluate(known(found.outcomes), Policy(), units=found.units, resamples=FAST) == evaluated(rows)


@given(rows=unit_rows())
@hypothesis_settings(max_examples=30)  # an example is an evaluation
def test_every_number_is_one(rows: list[Row]) -> None:
    """Nothing is NaN or infinite, p-values lie in [0, 1], and adjusting never lowers one."""
    for row in all_rows(evaluated(rows)):
        numbers = [getattr(row, name) for name in MetricRow.__slots__]
        assert all(math.isfinite(number) for number in numbers if isinstance(number, float))
        if row.pvalue is not None:
            assert 0 <= row.pvalue <= (row.pvalue if row.pvalue_adjusted is None else row.pvalue_adjusted) <= 1


def test_power_is_read_off_the_width_of_the_units_interval() -> None:
    """What so many units could have shown comes from their interval's width, under the rule of shares as of margins."""
    rows = dependent(80, 5)
    for policy in (Policy(), Policy(rule="non-inferior", margin=0.02)):
        evaluation = evaluated(rows, policy=policy)
        reading, row = evaluation.power, evaluation.metric("accuracy")
        assert reading is not None
        assert row.ci_lower is not None
        assert row.ci_upper is not None
        z = stats.norm.ppf(0.975)
        reach = (z + stats.norm.ppf(0.8)) * (row.ci_upper - row.ci_lower) / (2 * z)
        assert reading.detectable == pytest.approx(reach, rel=1e-12)
        assert reading.margin == (policy.margin or 0.01)
        assert reading.rows_needed == math.ceil(400 * (reach / reading.margin) ** 2)
        assert reading.discordance is None
        plain = evaluate(known(scored(rows).outcomes), policy, resamples=FAST).power
        assert plain is not None
        assert plain.rows_needed is not None
        assert reading.rows_needed > plain.rows_needed  # dependent rows are worth less


@pytest.mark.parametrize(("units", "few"), [(29, True), (30, False)])
def test_few_units_are_told(units: int, few: bool) -> None:  # noqa: FBT001 - a parameter
    """The notices count rows and units, and warn of fewer than thirty, below which no sum is normal."""
    notices = evaluated(dependent(units, 4)).notices
    assert any(notice.startswith(f"The {4 * units} rows come in {units} units: units, not rows") for notice in notices)
    assert any(notice.startswith("Fewer than 30 units") for notice in notices) is few


def test_dependent_rows_are_not_taken_for_evidence() -> None:
    """Each row counted ten times over is significant as rows, and what it was as units; nothing is believed of it."""
    rows = [(i, 1, int(i % 10 not in (0, 1)), int(i % 10 != 2), "EU") for i in range(60)]
    tenfold = [row for row in rows for _ in range(10)]
    once, often = evaluated(rows), evaluated(tenfold)
    plain = evaluate(known(scored(tenfold).outcomes), Policy(), resamples=FAST)
    assert known(often.mcnemar).pvalue == pytest.approx(known(once.mcnemar).pvalue, rel=1e-12)
    assert often.metric("f1").pvalue == once.metric("f1").pvalue
    assert once.metric("accuracy").ci_lower == pytest.approx(often.metric("accuracy").ci_lower, rel=1e-12)
    assert known(plain.mcnemar).pvalue < 0.001
    assert known(often.mcnemar).pvalue > 0.05
    assert often.bayes is None


def test_the_python_door_takes_units() -> None:
    """``compare_predictions(unit=…)`` gives the units' test in its frames, and its words say units."""
    rows = dependent(60, 5)
    unit, y, a, b, region = columns(rows)
    comparison = abtest.compare_predictions(y, a, b, unit=unit, segments={"region": region}, resamples=FAST)
    found = evaluated(rows)
    assert comparison.metrics.loc["accuracy", "pvalue"] == known(found.mcnemar).pvalue
    assert comparison.segments.loc[("region", "EU", "accuracy"), "test"] == "by unit"
    assert comparison.per_class.loc[(1, "recall"), "ci_method"] == "by unit"
    page = " ".join(comparison.to_html(figures=False).split())
    assert "the test of units gives" in page
    assert "so units are compared" in page
    assert "McNemar's test looks at the rows" not in page.replace("&#39;", "'")
