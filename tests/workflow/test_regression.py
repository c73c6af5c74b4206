"""A regression from models and rows to a verdict: against scikit-learn, SciPy and NumPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression

from abtest.decision import Verdict
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.policy import Policy
from abtest.record import SCHEMA_FILE, ComparisonRecord
from abtest.workflow import compare, compare_columns, compare_predictions
from tests.workflow import QUICK, better, fitted, own_loss, plain, rents, said

if TYPE_CHECKING:
    from abtest.comparison import Comparison
    from abtest.evaluator import MetricRow

SCORES = {
    "rmse": sklearn_metrics.root_mean_squared_error,
    "mae": sklearn_metrics.mean_absolute_error,
    "r2": sklearn_metrics.r2_score,
    "bias": lambda y, predicted: float(np.mean(predicted - y)),
}


def compared(champion: Any = None, challenger: Any = None, data: Any = None, **options: Any) -> Comparison:
    """Compare the regressors on the rents."""
    frame = rents() if data is None else data
    given = {"target": "rent", **QUICK, **options}
    found: Comparison = compare(champion or plain(), challenger or better(), data=frame, **given)
    return found


def plain_record(comparison: Comparison) -> dict[str, Any]:
    """A record without what tells formats and moments apart."""
    found = comparison.to_dict()
    for key in ("created_at", "data", "provenance"):
        del found[key]
    for side in ("champion", "challenger"):
        del found[side]["latency"]
    return found


def agrees(row: MetricRow, y: Any, one: Any, other: Any) -> None:
    """A row has scikit-learn's values and SciPy's p-value."""
    values = [float(SCORES[row.metric](y, side)) for side in (one, other)]
    assert [row.champion, row.challenger] == pytest.approx(values, rel=1e-9, abs=1e-9)
    assert row.n == len(y)
    loss = {"rmse": np.square, "r2": np.square, "mae": np.abs}.get(row.metric)
    if loss is not None:
        assert row.pvalue == pytest.approx(stats.ttest_rel(loss(other - y), loss(one - y)).pvalue, rel=1e-8)


def test_every_format_gives_one_record() -> None:
    """A frame, a CSV and a Parquet file give the same record, whose numbers are scikit-learn's and SciPy's."""
    frame = rents()
    frame.to_csv("rents.csv", index=False)
    frame.to_parquet("rents.parquet")
    found = [compared(data=data, segments=["region"]) for data in (frame, "rents.csv", "rents.parquet")]
    assert plain_record(found[1]) == plain_record(found[0])
    assert plain_record(found[2]) == plain_record(found[0])
    evaluation = found[0].evaluation
    assert [row.metric for row in evaluation.metrics] == ["rmse", "mae", "r2", "bias"]
    for row in evaluation.metrics:
        agrees(row, frame["rent"], said(plain(), frame), said(better(), frame))
    for part in evaluation.segments:
        rows = frame[frame["region"] == part.value]
        agrees(part, rows["rent"], said(plain(), rows), said(better(), rows))
    assert {part.value for part in evaluation.segments} == set(frame["region"])
    assert found[0].verdict is Verdict.PROMOTE


def test_batches_do_not_matter() -> None:
    """However many rows are in memory at a time, the numbers are the same, up to the rounding of sums."""
    frame, whole = rents(), compared().metrics
    for batch_size in (1, 7):
        other = compared(data=frame, batch_size=batch_size).metrics
        numbers = other.select_dtypes("number").columns
        assert other[numbers].to_numpy() == pytest.approx(whole[numbers].to_numpy(), rel=1e-10, abs=1e-10, nan_ok=True)


@pytest.mark.parametrize(
    ("round_to", "why"),
    [(2, "as the target 'rent' is continuous"), (0, "as the models are regressors")],
    ids=["continuous", "whole numbers"],
)
def test_the_task_is_inferred_and_said(round_to: int, why: str) -> None:
    """A continuous target, or regressors on whole numbers, make it a regression, and the record says why."""
    frame = rents().round({"rent": round_to})
    frame.to_csv("rents.csv", index=False)
    for data in (frame, frame.astype({"rent": int}) if round_to == 0 else frame, "rents.csv"):
        record = compared(data=data).record
        assert record.task == "regression"
        (told,) = [notice for notice in record.notices if "as numbers (regression)" in notice]
        assert why in told
        assert told.endswith("--task classification takes them for classes.")
    assert not any("(regression)" in notice for notice in compared(task="regression").record.notices)


def test_the_task_asked_wins() -> None:
    """Whole numbers that regressors would make a regression are classes where asked for, and the other way about."""
    frame = rents(60).assign(rent=lambda rows: rows["rooms"])

    class Rooms:
        def predict(self, features: pd.DataFrame) -> Any:
            return features["rooms"].to_numpy()

    classes = compared(Rooms(), Rooms(), frame, task="classification")
    assert (classes.record.task, classes.record.evaluation.metric("accuracy").champion) == ("classification", 1.0)
    assert compared(Rooms(), Rooms(), frame).record.task == "classification"
    numbers = compared(Rooms(), Rooms(), frame, task="regression")
    assert {(row.effect, row.pvalue) for row in numbers.evaluation.metrics} == {(0.0, 1.0)}
    with pytest.raises(
        InvalidInputError, match=r"^task must be one of classification, regression, got 'regresion'\. H"
    ):
        compared(task="regresion")
    with pytest.raises(InvalidInputError, match=r"The target is continuous .* Hint: --task regression"):
        compared(task="classification")


def test_a_classifier_beside_a_regressor_is_refused() -> None:
    """Models of two tasks are refused in a sentence that says which predicts what."""
    frame = rents()
    classifier = LogisticRegression().fit(frame[["area"]], frame["region"])
    with pytest.raises(InvalidInputError) as error:
        compared(challenger=classifier)
    assert str(error.value) == (
        "The champion predicts numbers and the challenger predicts classes. Hint: compare models of one task."
    )


@pytest.mark.parametrize("options", [{}, {"task": "regression"}], ids=["inferred", "asked"])
def test_text_in_the_target_is_named_with_its_row(options: dict[str, Any]) -> None:
    """A truth that is no number is refused with column, value and row, whether the task is asked or the models tell."""
    frame = rents(30)
    text = frame.assign(rent=[*map(str, frame["rent"][:11]), "a lot", *map(str, frame["rent"][12:])])
    text.to_csv("rents.csv", index=False)
    for data in ("rents.csv", text):
        with pytest.raises(InvalidInputError, match=r"^Target 'rent' must be a number, got 'a lot' in row 12\. Hint: "):
            compared(data=data, **options)


@pytest.mark.parametrize(("value", "told"), [(np.nan, "nothing for 1 row (first: row 8)"), (np.inf, "inf in row 8;")])
@pytest.mark.parametrize("side", ["champion", "challenger"])
def test_predictions_that_are_no_numbers_are_refused(side: str, value: float, told: str) -> None:
    """A prediction that is NaN or infinite is refused with side and row, in whichever batch it comes."""
    frame = rents(20)

    class Broken:
        def predict(self, features: pd.DataFrame) -> Any:
            return np.where(features["area"] == frame["area"][7], value, said(plain(), features))

    sides = {"champion": plain(), "challenger": better(), side: Broken()}
    for batch_size in (3, 100):
        with pytest.raises(InvalidInputError) as error:
            compared(**sides, data=frame, batch_size=batch_size)
        assert error.value.message.startswith(f"The {side} predicts {told}")


def test_the_baseline_predicts_the_mean() -> None:
    """Without a champion the mean of the truth stands in: its R² and bias are 0, and it is said what it predicts."""
    frame = rents()
    frame.loc[3, "rent"] = np.nan
    comparison = compared("baseline", data=frame, drop_unlabelled=True)
    rest = frame.dropna()
    found = {row.metric: row for row in comparison.evaluation.metrics}
    mean = float(rest["rent"].mean())
    for row in found.values():
        agrees(row, rest["rent"], np.full(len(rest), mean), said(better(), rest))
    assert [found["r2"].champion, found["bias"].champion] == pytest.approx([0, 0], abs=1e-9)
    (told,) = [notice for notice in comparison.record.notices if "the mean predictor" in notice]
    assert told == f"The champion is the mean predictor: it always says {mean:.4g}."
    assert "1 row without a label was dropped." in comparison.record.notices


def test_identical_sides() -> None:
    """Equal regressors have effect 0 and p = 1 everywhere, and nothing is shown."""
    comparison = compared(plain(), plain(), segments=["region"], unit="house")
    rows = (*comparison.evaluation.metrics, *comparison.evaluation.segments)
    assert {(row.effect, row.improvement, row.pvalue) for row in rows} == {(0.0, 0.0, 1.0)}
    assert comparison.verdict is Verdict.INSUFFICIENT_EVIDENCE


@pytest.mark.parametrize("source", ["models", "columns", "arrays"])
def test_units_are_tested(source: str) -> None:
    """With houses for units, the test of squared errors is the cluster-robust one of statsmodels, from any source."""
    import statsmodels.api as sm

    frame = rents()
    one, other = said(plain(), frame), said(better(), frame)
    frame.assign(a=one, b=other).to_csv("p.csv", index=False)
    if source == "models":
        comparison = compared(unit="house")
    elif source == "columns":
        comparison = compare_columns("p.csv", target="rent", champion="a", challenger="b", unit="house", **QUICK)
    else:
        comparison = compare_predictions(frame["rent"], one, other, unit=frame["house"], **QUICK)
    squared = np.square(other - frame["rent"]) - np.square(one - frame["rent"])
    clusters = {"groups": frame["house"], "use_correction": False}
    fit = sm.OLS(squared, np.ones(len(frame))).fit(cov_type="cluster", cov_kwds=clusters)
    units = frame["house"].nunique()
    statistic = float(fit.tvalues.iloc[0]) * np.sqrt((units - 1) / units)
    row = comparison.evaluation.metric("rmse")
    assert row.test == "by unit"
    assert row.statistic == pytest.approx(statistic, rel=1e-9)
    assert row.pvalue == pytest.approx(2 * stats.t.sf(abs(statistic), units - 1), rel=1e-9)
    assert any(f"come in {units} units" in notice for notice in comparison.record.notices)


def test_the_record_is_read_back_and_fits_its_schema() -> None:
    """``from_dict(to_dict(x)) == x``, JSON fits the shipped schema, and what a regression has not is null."""
    comparison = compared(segments=["region"], policy=Policy(metrics=("rmse", "mae", "r2", "bias", own_loss("r"))))
    written = json.loads(comparison.to_json())
    assert ComparisonRecord.from_dict(written) == comparison.record
    jsonschema.validate(written, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    for name in ("contingency", "mcnemar", "confusion", "outcomes"):
        assert written[name] is None
    assert written["per_class"] == []
    for name in ("outcomes", "contingency", "confusion"):
        with pytest.raises(NotApplicableError, match=r"^A regression has no "):
            getattr(comparison, name)


def test_columns_of_any_name() -> None:
    """Regressors of another kind, on columns whose names are not Python's, agree with scikit-learn too."""
    frame = rents(120).rename(columns={"area": "living area, m²", "rooms": "Zimmer"})
    columns = ["living area, m²", "Zimmer"]
    train = rents(80, seed=4).rename(columns=dict(zip(["area", "rooms"], columns, strict=True)))
    forests = [
        RandomForestRegressor(n_estimators=5, max_depth=depth, random_state=0).fit(train[columns], train["rent"])
        for depth in (1, 6)
    ]
    found = compared(forests[0], forests[1], frame)
    for row in found.evaluation.metrics:
        agrees(row, frame["rent"], *(forest.predict(frame[columns]) for forest in forests))


def test_arrays_of_any_kind_are_numbers() -> None:
    """A continuous truth is one however the array holds it, and wherever its fractions are."""
    y, one, other = [1.0, 2.0, 3.5, 5.0], [1.0, 2.5, 3.5, 5.0], [1.0, 2.0, 3.5, 5.5]
    kinds: list[Any] = [
        list,
        np.array,
        lambda x: np.array(x, dtype=np.float32),
        lambda x: np.array(x, dtype=object),
        pd.Series,
        lambda x: pd.Series(x, dtype="Float64"),
        lambda x: pd.Series(x, index=[3, 1, 1, 0]),
    ]
    expected = compare_predictions(y, one, other, **QUICK).evaluation
    assert expected.metric("mae").champion == 0.125
    for kind in kinds:
        found = compare_predictions(kind(y), kind(one), kind(other), **QUICK)
        assert found.record.task == "regression"
        assert found.evaluation == expected


def test_words_beside_a_continuous_target() -> None:
    """A model of classes in text beside a continuous target is refused, and no report is left behind."""
    words = fitted("area")
    words.predict = lambda features: np.array(["dear"] * len(features))
    with pytest.raises(
        InvalidInputError, match=r"^The challenger predicts 'dear' in row 1; a regression needs a number"
    ):
        compared(challenger=words, output="reports")
    assert not Path("reports").exists()
