"""What a regression decides and refuses: rules, guardrails, losses of one's own, and an honest test set."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from abtest.decision import Verdict, decide
from abtest.errors import InvalidInputError, PolicyError
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from abtest.workflow import compare, compare_columns, compare_predictions
from tests.known import known
from tests.workflow import FEATURES, QUICK, better, own_loss, plain, rents, said, worse
from tests.workflow.test_regression import compared

if TYPE_CHECKING:
    from pathlib import Path


def test_less_error_is_better_everywhere() -> None:
    """Larger errors are KEEP_CHAMPION and never PROMOTE; with the sides exchanged every effect is the negative."""
    lost, won = compared(plain(), worse()), compared(worse(), plain())
    assert (lost.verdict, won.verdict) == (Verdict.KEEP_CHAMPION, Verdict.PROMOTE)
    for row, other in zip(lost.evaluation.metrics, won.evaluation.metrics, strict=True):
        assert (row.effect, row.improvement, row.pvalue) == (-other.effect, -other.improvement, other.pvalue)
        assert row.improvement < 0
    error = lost.decision.reason("error")
    assert (error.held, error.operator) == (False, "<")
    assert error.text.startswith("RMSE rose by ")


@pytest.mark.parametrize(
    ("challenger", "margin", "held", "verdict"),
    [
        (better, 1.0, True, Verdict.PROMOTE),
        (worse, 200.0, True, Verdict.PROMOTE),
        (worse, 1.0, False, Verdict.KEEP_CHAMPION),
    ],
)
def test_a_guardrail_on_mae(challenger: Any, margin: float, verdict: Verdict, *, held: bool) -> None:
    """Proved-not-worse on MAE holds where Student's interval excludes a loss beyond the margin, in target units."""
    frame, model = rents(), challenger()
    rule = Policy(rule="non-inferior", primary="rmse", margin=500, guardrails=(Guardrail(metric="mae", margin=margin),))
    comparison = compared(challenger=model, policy=rule)
    (reason,) = [reason for reason in comparison.decision.reasons if reason.rule == "guardrail"]
    losses = [np.abs(said(side, frame) - frame["rent"]) for side in (plain(), model)]
    interval = stats.ttest_rel(losses[0], losses[1]).confidence_interval(0.95)  # of the improvement
    assert reason.value == pytest.approx(interval.low, rel=1e-9)
    assert reason.held is held is bool(interval.low > -margin)
    assert comparison.decision.by_rule is Verdict.PROMOTE
    assert comparison.verdict is verdict


@pytest.mark.parametrize(
    ("challenger", "policy", "verdict"),
    [
        (better, {"rule": "non-inferior", "primary": "mae", "margin": 2.5}, Verdict.PROMOTE),
        (worse, {"rule": "non-inferior", "primary": "mae", "margin": 2.5}, Verdict.KEEP_CHAMPION),
        (worse, {"rule": "non-inferior", "primary": "mae", "margin": 200}, Verdict.PROMOTE),
        (better, {"rule": "primary", "primary": "rmse"}, Verdict.PROMOTE),
        (worse, {"rule": "primary", "primary": "rmse"}, Verdict.KEEP_CHAMPION),
        (plain, {"rule": "primary", "primary": "rmse"}, Verdict.INSUFFICIENT_EVIDENCE),
        (better, {"rule": "primary", "primary": "rmse", "margin": 500}, Verdict.KEEP_CHAMPION),
    ],
)
def test_rules_of_one_metric(challenger: Any, policy: dict[str, Any], verdict: Verdict) -> None:
    """The margin is in the unit of the target; without one the test of squared errors decides."""
    comparison = compared(challenger=challenger(), policy=Policy(**policy))
    assert comparison.verdict is verdict
    assert decide(comparison.evaluation, comparison.record.settings.policy) == comparison.decision


def test_a_loss_of_ones_own_is_in_every_place() -> None:
    """A loss by row has Student's interval, segments, a guardrail, a share of the rule and a place in the JSON."""
    frame, name = rents(), own_loss("dear_rents")
    rail = Guardrail(metric=name, margin=1.0, segment="region", mode="not-proved-worse")
    policy = Policy(metrics=("rmse", "mae", name), guardrails=(rail,))
    comparison = compared(policy=policy, output="reports", save_plot=False)
    losses = [np.maximum(said(model, frame) - frame["rent"], 0) for model in (plain(), better())]
    row, test = comparison.evaluation.metric(name), stats.ttest_rel(losses[1], losses[0])
    interval = test.confidence_interval(0.95)
    assert [row.champion, row.challenger] == pytest.approx([part.mean() for part in losses], rel=1e-9)
    assert [row.ci_lower, row.ci_upper, row.pvalue] == pytest.approx([*interval, test.pvalue], rel=1e-8)
    assert (row.greater_is_better, row.improvement) == (False, -row.effect)
    written = json.loads((known(comparison.report) / "comparison.json").read_text(encoding="utf-8"))
    assert [entry["metric"] for entry in written["metrics"]] == ["rmse", "mae", name]
    for part in [part for part in comparison.evaluation.segments if part.metric == name]:
        inside = frame["region"] == part.value
        assert [part.champion, part.challenger] == pytest.approx([loss[inside].mean() for loss in losses], rel=1e-9)
    rails = [reason for reason in comparison.decision.reasons if reason.rule == "guardrail"]
    assert [reason.segment for reason in rails] == [f"region={name}" for name in ("east", "north", "west")]
    assert "3 of 3 metrics improved" in comparison.decision.reason("promote_share").text
    page = (known(comparison.report) / "report.html").read_text(encoding="utf-8")
    assert page.count("Too dear") >= 3


def test_policy_and_data_of_two_tasks_are_refused() -> None:
    """A policy of one task on data of the other is refused, with metrics that would do."""
    with pytest.raises(PolicyError, match=r"are of classification, and this is regression\. Hint: metrics = \['rmse'"):
        compared(policy=Policy(metrics=("accuracy", "f1")))
    with pytest.raises(PolicyError, match=r"are of regression, and this is classification\. Hint: metrics = \['accura"):
        compared(policy=Policy(primary="rmse"), task="classification")
    frame = rents()
    models = [LogisticRegression(C=c).fit(frame[["area"]], frame["region"]) for c in (1.0, 2.0)]
    options: dict[str, Any] = {"data": frame[["area", "region"]], "target": "region", **QUICK}
    for asked in ({"policy": Policy(primary="rmse")}, {"task": "regression"}):
        with pytest.raises(InvalidInputError, match=r"^The champion predicts classes, and a regression compares numbe"):
            compare(*models, **options, **asked)  # type: ignore[call-overload] # either option


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"label_type": "int"}, "label_type means nothing in a regression, got 'int'. Hint: --task classification"),
        ({"average": "weighted"}, "average means nothing in a regression, got 'weighted'."),
        ({"average": "binary", "pos_label": "1"}, "pos_label means nothing in a regression, got '1'."),
    ],
)
def test_what_is_about_classes_is_refused(options: dict[str, Any], told: str) -> None:
    """Label type, average and positive label mean nothing, and are told so before anything is scored."""
    rent = rents()["rent"]
    with pytest.raises(InvalidInputError) as of_models:
        compared(**options)
    with pytest.raises(InvalidInputError) as of_arrays:
        compare_predictions(rent, rent, rent, **QUICK, **options)
    assert str(of_models.value).startswith(told)
    assert str(of_arrays.value) == str(of_models.value)


def test_training_rows_are_found() -> None:
    """Test rows that were trained on are counted, with the first of them; shares of classes are not compared."""
    frame = rents()
    train = pd.concat([rents(50, seed=5), frame[10:25], frame[40:42].assign(rent=1.5)])
    record = compared(train_data=train).record
    found = known(record.data.train)
    seen, fed = (
        set(map(tuple, train[[*FEATURES, "rent"]].to_numpy().tolist())),
        set(map(tuple, train[FEATURES].to_numpy())),
    )
    rows = frame[[*FEATURES, "rent"]].to_numpy().tolist()
    leaked = [i for i, row in enumerate(rows, start=1) if tuple(row) in seen]
    conflicting = [row for row in rows if tuple(row) not in seen and tuple(row[:2]) in fed]
    assert (found.n, found.leaked, found.conflicting) == (67, len(leaked), len(conflicting))
    assert (len(leaked), found.first_rows[0], leaked[0]) == (15, 11, 11)
    assert (found.total_variation, found.pvalue) == (None, None)
    assert any(
        notice.startswith("15 test rows (7.5 %; first: row 11) are in the training data") for notice in record.notices
    )


def test_a_locked_set_confirms_or_does_not() -> None:
    """A locked set of rents is opened after PROMOTE alone, and lowers the verdict where it does not hold."""
    held, failed = compared(confirm_data=rents(seed=7)), compared(confirm_data=rents(4, seed=8))
    assert (held.verdict, known(held.record.confirmation).held) == (Verdict.PROMOTE, True)
    assert (failed.verdict, known(failed.record.confirmation).held) == (Verdict.INSUFFICIENT_EVIDENCE, False)
    assert compared(plain(), worse(), confirm_data=rents(seed=7)).record.confirmation is None
    with pytest.raises(InvalidInputError, match="confirm-data is the test data again"):
        compared(confirm_data=rents())


@pytest.mark.parametrize("rows", [2, 3, 10, 19])
def test_few_rows_prove_nothing_of_rmse(rows: int) -> None:
    """Below twenty rows RMSE has no interval, so that no margin is shown to hold, and nothing is believed of it."""
    rng = np.random.default_rng(rows)
    y = rng.normal(size=rows)
    errors = rng.normal(size=(2, rows))
    policy = Policy(rule="non-inferior", primary="rmse", margin=5.0)
    found = compare_predictions(y, y + errors[0], y + errors[1], policy=policy, **QUICK)
    assert found.verdict == "INSUFFICIENT_EVIDENCE"
    row = found.evaluation.metric("rmse")
    assert (row.ci_lower, row.ci_method) == (None, "not estimable")
    assert found.evaluation.bayes is None
    assert any(notice.startswith("Fewer than 20 rows are too few") for notice in found.record.notices)


def test_decimals_are_numbers(tmp_path: Path) -> None:
    """Columns of decimals, as prices are kept, give what the same numbers give as floats."""
    rng = np.random.default_rng(5)
    y = np.round(rng.normal(100, 10, 60), 2)
    columns = {"y": y, "a": np.round(y + rng.normal(0, 3, 60), 2), "b": np.round(y + rng.normal(0, 2, 60), 2)}
    kind = pa.decimal128(12, 2)
    exact = {name: pa.array([Decimal(f"{value:.2f}") for value in column], kind) for name, column in columns.items()}
    pq.write_table(pa.table(exact), tmp_path / "exact.parquet")
    pq.write_table(pa.table(columns), tmp_path / "float.parquet")
    names: dict[str, Any] = {"target": "y", "champion": "a", "challenger": "b"}
    one, other = (compare_columns(tmp_path / f"{file}.parquet", **names, **QUICK) for file in ("exact", "float"))
    for row, same in zip(one.record.metrics, other.record.metrics, strict=True):  # Arrow rounds in the last digit
        found = [(it.champion, it.challenger, it.ci_lower, it.pvalue) for it in (row, same)]
        assert found[0] == pytest.approx(found[1], rel=1e-12)


@pytest.mark.parametrize("names", [("y", "a", "y"), ("y", "a", "a"), ("y", "y", "b")])
def test_a_column_is_one_thing(tmp_path: Path, names: tuple[str, str, str]) -> None:
    """The truth is no model's prediction, and one model's are not the other's."""
    pd.DataFrame({"y": [1.5, 2.5], "a": [1.0, 2.0], "b": [1.0, 3.0]}).to_csv(tmp_path / "t.csv", index=False)
    target, champion, challenger = names
    with pytest.raises(InvalidInputError, match="must be a column of its own, got"):
        compare_columns(tmp_path / "t.csv", target=target, champion=champion, challenger=challenger, **QUICK)
