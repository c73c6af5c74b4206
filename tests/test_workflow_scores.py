"""Metrics of probabilities, from models to report: computed in the same pass, judged like the others, or left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.svm import LinearSVC

import abtest
from abtest.guardrail import Guardrail
from abtest.policy import Policy
from abtest.record import ComparisonRecord

if TYPE_CHECKING:
    from pathlib import Path

METRICS = ("accuracy", "f1", "roc_auc", "average_precision", "log_loss", "brier")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Rows of two classes, with noise, a region, and a text label."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(400, 3)), columns=["a", "b", "c"])
    rows["region"] = np.where(np.arange(400) < 397, np.where(np.arange(400) % 2 == 0, "EU", "US"), "tiny")
    rows["kind"] = np.where(rows["a"] + rng.normal(size=400) > 0, "yes", "no")
    rows.loc[397:, "kind"] = "no"
    return rows


@pytest.fixture(scope="module")
def models(frame: pd.DataFrame) -> tuple[Any, Any]:
    """A model of two columns, and one of all three."""
    first = LogisticRegression().fit(frame[["b", "c"]], frame["kind"])
    return first, LogisticRegression().fit(frame[["a", "b", "c"]], frame["kind"])


def test_values_are_scikit_learns(frame: pd.DataFrame, models: tuple[Any, Any]) -> None:
    """Each side's area, average precision, log loss and Brier score are scikit-learn's, of the greater label."""
    found = abtest.compare(*models, data=frame, target="kind", policy=Policy(metrics=METRICS), resamples=200)
    y = (frame["kind"] == "yes").to_numpy()
    assert tuple(found.metrics.index) == METRICS
    for side, model, columns in (("champion", models[0], ["b", "c"]), ("challenger", models[1], ["a", "b", "c"])):
        p = model.predict_proba(frame[columns])[:, 1]
        expected = [roc_auc_score(y, p), average_precision_score(y, p), log_loss(y, p), brier_score_loss(y, p)]
        assert found.metrics.loc[list(METRICS[2:]), side].tolist() == pytest.approx(expected, rel=1e-9)
    assert (found.metrics["improvement"] > 0).all()
    assert (found.metrics.loc[["log_loss", "brier"], "effect"] < 0).all()


def test_no_probabilities_no_promotion(frame: pd.DataFrame, models: tuple[Any, Any]) -> None:
    """A metric that could not be computed is left out with its reason, did not improve, and promotes nothing."""
    blunt = LinearSVC(dual=False).fit(frame[["a", "b", "c"]], frame["kind"])
    better = LinearSVC(dual=False).fit(frame[["b", "c"]], frame["kind"])
    found = abtest.compare(better, blunt, data=frame, target="kind", policy=Policy(metrics=("accuracy", "log_loss")))
    assert "log_loss" not in found.metrics.index
    assert [entry.what for entry in found.record.skipped] == ["log_loss"]
    assert found.decision.reason("promote_share").value == 0.5
    assert found.verdict == "CONDITIONAL"
    policy = Policy(metrics=("accuracy", "log_loss"), rule="primary", primary="log_loss")
    alone = abtest.compare(better, blunt, data=frame, target="kind", policy=policy)
    assert alone.verdict == "INSUFFICIENT_EVIDENCE"
    assert "could not be computed" in alone.decision.reasons[0].text
    assert models


def test_scores_are_not_asked_for_in_vain(frame: pd.DataFrame) -> None:
    """Without such a metric in the policy no model is asked for probabilities."""

    class Labels:
        def predict(self, features: pd.DataFrame) -> Any:
            return np.where(features["a"] > 0, "yes", "no")

        def predict_proba(self, _: pd.DataFrame) -> Any:
            raise AssertionError

    found = abtest.compare(Labels(), Labels(), data=frame[["a", "kind"]], target="kind", resamples=200)
    assert found.record.scores is None


def test_guardrails_and_segments(frame: pd.DataFrame, models: tuple[Any, Any]) -> None:
    """A guardrail on an area by segment fails closed where a segment has too few rows for one."""
    policy = Policy(
        metrics=METRICS,
        guardrails=(
            Guardrail(metric="roc_auc", segment="region", margin=0.2),
            Guardrail(metric="log_loss", margin=0.1),
        ),
    )
    found = abtest.compare(*models, data=frame, target="kind", policy=policy, resamples=200)
    held = {reason.segment: reason.held for reason in found.decision.reasons if reason.rule == "guardrail"}
    assert held == {"region=EU": True, "region=US": True, "region=tiny": False, None: True}
    assert found.verdict == "INSUFFICIENT_EVIDENCE"
    eu = frame["region"] == "EU"
    p = models[1].predict_proba(frame.loc[eu, ["a", "b", "c"]])[:, 1]
    area = found.segments.loc[("region", "EU", "roc_auc"), "challenger"]
    assert area == pytest.approx(roc_auc_score(frame.loc[eu, "kind"] == "yes", p), rel=1e-9)
    assert ("region", "tiny", "roc_auc") not in found.segments.index
    assert ("region", "tiny", "log_loss") in found.segments.index


def test_units_leave_them_out(frame: pd.DataFrame, models: tuple[Any, Any]) -> None:
    """Where rows come in units these tests, which take rows for independent, are not made, and promote nothing."""
    policy = Policy(metrics=("accuracy", "brier"), rule="primary", primary="brier")
    data = frame.assign(user=np.arange(400) // 4)
    found = abtest.compare(*models, data=data, target="kind", unit="user", policy=policy, resamples=200)
    assert found.verdict == "INSUFFICIENT_EVIDENCE"
    assert "rows come in units" in found.decision.reasons[0].text
    assert "as Brier score could not be computed" in str(found).replace("brier", "Brier")


def test_what_is_on_record(frame: pd.DataFrame, models: tuple[Any, Any], tmp_path: Path) -> None:
    """The record reads back as it was written, decides as it did, and the page has the curves."""
    found = abtest.compare(
        *models, data=frame, target="kind", policy=Policy(metrics=METRICS), resamples=200, output=tmp_path
    )
    read = ComparisonRecord.from_dict(found.to_dict())
    assert read == found.record
    assert read.scores is not None
    assert read.scores.about == "yes"
    assert found.report is not None
    page = (found.report / "report.html").read_text(encoding="utf-8")
    assert "How well does each side rank the rows?" in page
    assert (found.report / "figures" / "reliability.png").is_file()


def test_a_model_logged_to_return_probabilities(frame: pd.DataFrame, models: tuple[Any, Any], tmp_path: Path) -> None:
    """One that was logged with predict_proba in the place of predict is labelled by the greatest, and it is said."""
    forest = RandomForestClassifier(random_state=0, max_depth=3).fit(frame[["a", "b", "c"]], frame["kind"])
    signature = mlflow.models.infer_signature(frame[["a", "b", "c"]], forest.predict_proba(frame[["a", "b", "c"]]))
    mlflow.sklearn.save_model(
        forest,
        tmp_path / "model",
        pyfunc_predict_fn="predict_proba",
        signature=signature,
        pip_requirements=[],
        skops_trusted_types=["sklearn.tree._tree.Tree", "numpy.dtype"],
    )
    found = abtest.compare(models[0], tmp_path / "model", data=frame, target="kind", resamples=200)
    own = abtest.compare(models[0], forest, data=frame, target="kind", resamples=200)
    assert found.outcomes == own.outcomes
    assert any("its label is the class with the greatest" in notice for notice in found.record.notices)
