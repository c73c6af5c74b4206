"""`mlflow.models.evaluate(…, evaluators="abtest")` on real models in a real registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from abtest import InvalidInputError, ModelNotFoundError, RefusedError
from abtest.workflow import compare
from tests import zoo

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.registry import RegistryClient

pytestmark = pytest.mark.filterwarnings(
    "ignore:Starting with pandas version 4.0 all arguments of all:DeprecationWarning",  # MLflow's digests
    "ignore:The inplace keyword in DataFrame.drop:DeprecationWarning",  # MLflow's data sets
)
CHAMPION = {"champion": "models:/fruit@champion"}


@pytest.fixture
def registry_in_use(stocked: RegistryClient) -> RegistryClient:
    """The zoo, as MLflow's current registry, with runs kept beside it."""
    mlflow.set_tracking_uri(stocked.tracking_uri)
    mlflow.set_registry_uri(stocked.registry_uri)
    return stocked


def evaluated(model: Any = "models:/fruit/2", data: Any = None, **options: Any) -> Any:
    """Evaluate as a user would."""
    settings = {
        "targets": "kind",
        "model_type": "classifier",
        "evaluators": "abtest",
        "evaluator_config": CHAMPION,
        **options,
    }
    evaluate: Any = mlflow.models.evaluate  # MLflow gives it no types
    return evaluate(model, zoo.fruit(400) if data is None else data, **settings)


def runs(registry: RegistryClient) -> list[Any]:
    """The runs there are, the latest first."""
    found = registry.client.search_experiments()
    return list(registry.client.search_runs([experiment.experiment_id for experiment in found]))


def test_both_are_scored_on_the_same_rows(registry_in_use: RegistryClient) -> None:
    """Metrics are those of ``abtest.compare`` on the same two versions, in the result and in the run."""
    result = evaluated()
    expected = compare(
        "models:/fruit@champion",
        "models:/fruit/2",
        data=zoo.fruit(400),
        target="kind",
        tracking_uri=registry_in_use.tracking_uri,
    )
    for row in expected.record.metrics:
        for part in ("champion", "challenger", "effect"):
            assert result.metrics[f"{part}.{row.metric}"] == pytest.approx(getattr(row, part), abs=1e-12)
    assert expected.record.mcnemar is not None
    assert result.metrics["mcnemar.pvalue"] == expected.record.mcnemar.pvalue
    assert result.metrics["abtest.passed"] == 1.0
    assert result.artifacts["abtest.verdict"].content == "PROMOTE" == str(expected.verdict)
    (run,) = runs(registry_in_use)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == result.metrics
    assert run.data.tags["abtest.verdict"] == "PROMOTE"
    assert run.data.tags["abtest.champion_version"] == "1"
    assert run.data.tags["abtest.kind"] == "comparison"


def test_the_report_is_an_artifact_of_the_run(registry_in_use: RegistryClient, tmp_path: Path) -> None:
    """The whole report lies in the run, and what MLflow hands on can be saved and loaded as MLflow does."""
    result = evaluated()
    (run,) = runs(registry_in_use)
    found = {item.path for item in registry_in_use.client.list_artifacts(run.info.run_id, "abtest")}
    assert {"abtest/report.html", "abtest/comparison.json", "abtest/summary.md", "abtest/verdict.txt"} <= found
    text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/abtest/comparison.json")
    assert json.loads(text)["decision"]["verdict"] == "PROMOTE"
    result.save(tmp_path / "kept")
    again = mlflow.models.EvaluationResult.load(str(tmp_path / "kept"))  # type: ignore[no-untyped-call] # MLflow gives it no types
    assert again.metrics == result.metrics
    assert again.artifacts["abtest.verdict"].content == "PROMOTE"


def test_a_gate_stops_the_pipeline(registry_in_use: RegistryClient) -> None:
    """With ``gate`` a verdict that does not pass raises, with its reasons, after all of it was logged."""
    turned = {"champion": "models:/fruit/2", "gate": True}
    with pytest.raises(RefusedError, match=r"(?s)KEEP_CHAMPION.*✗"):
        evaluated("models:/fruit/1", evaluator_config=turned)
    (run,) = runs(registry_in_use)
    assert run.info.status == "FAILED"
    assert run.data.tags["abtest.verdict"] == "KEEP_CHAMPION"
    assert run.data.metrics["abtest.passed"] == 0.0
    assert evaluated(evaluator_config={**CHAMPION, "gate": True}).metrics["abtest.passed"] == 1.0


def test_what_is_accepted_passes(registry_in_use: RegistryClient) -> None:
    """Too few rows for a verdict pass a gate that accepts it, and no other."""
    del registry_in_use
    few, gate = zoo.fruit(8), {**CHAMPION, "gate": True}
    with pytest.raises(RefusedError, match="INSUFFICIENT_EVIDENCE"):
        evaluated(data=few, evaluator_config=gate)
    result = evaluated(data=few, evaluator_config={**gate, "accept": ["insufficient-evidence"]})
    assert result.metrics["abtest.passed"] == 1.0


@pytest.mark.parametrize(
    ("config", "error", "told"),
    [
        ({}, InvalidInputError, "names no champion"),
        ({"champoin": "models:/fruit/1"}, InvalidInputError, "did you mean 'champion'"),
        ({"champion": "models:/fruit@nobody"}, ModelNotFoundError, "has the alias 'nobody'"),
        ({**CHAMPION, "policy": {"rule": "shre"}}, InvalidInputError, "rule"),
        ({**CHAMPION, "policy": "nope.toml"}, LookupError, "nope.toml"),
        ({**CHAMPION, "accept": "promte"}, InvalidInputError, "accept must be among"),
        ({**CHAMPION, "gate": "yes"}, InvalidInputError, "gate must be True or False"),
        ({"champion": "models:/fruit/4"}, InvalidInputError, "champion failed to predict"),
    ],
)
def test_an_error_fails_the_evaluation(
    registry_in_use: RegistryClient, config: dict[str, Any], error: type[Exception], told: str
) -> None:
    """What cannot be compared raises, and the run of the evaluation is FAILED and has no verdict."""
    with pytest.raises(error, match=told):
        evaluated(evaluator_config=config)
    (run,) = runs(registry_in_use)
    assert run.info.status == "FAILED"
    assert "abtest.verdict" not in run.data.tags


def test_named_among_others_it_does_not_step_aside(registry_in_use: RegistryClient) -> None:
    """Named beside MLflow's own evaluator and given no champion, it fails the evaluation."""
    del registry_in_use
    with pytest.raises(InvalidInputError, match="names no champion"):
        evaluated(evaluators=["abtest"], evaluator_config=None)
    with pytest.raises(InvalidInputError, match="model_type must be one of"):
        evaluated(model_type="text")


def test_it_stays_out_of_evaluations_that_do_not_name_it() -> None:
    """Whoever names no evaluator, and has no option of ours, gets MLflow's own, as if abtest were not installed."""
    from mlflow.models.evaluation.base import resolve_evaluators_and_configs

    resolve: Any = resolve_evaluators_and_configs
    assert "abtest" in [found.name for found in resolve(None, {"champion": "models:/a@b"}, "classifier")]
    for config in (None, {"pos_label": 1, "log_model_explainability": False}, {"default": {"pos_label": 1}}):
        names = [found.name for found in resolve(None, config, "classifier")]
        assert "abtest" not in names
        assert "classifier" in names


def test_the_champion_that_serves_is_found_by_the_models_name(registry_in_use: RegistryClient) -> None:
    """``model_name`` alone means what serves."""
    del registry_in_use
    result = evaluated(evaluator_config={"model_name": "fruit"})
    assert result.artifacts["abtest.comparison"].content["champion"]["version"] == 1


def test_a_registered_challenger_is_known_by_its_version(registry_in_use: RegistryClient) -> None:
    """MLflow hands over a loaded model; where one version was made from it, the record names that version."""
    with mlflow.start_run() as run:
        zoo.log(zoo.better, inputs=zoo.signature(width="double", height="double"))
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", "fruit").version
    result = evaluated(f"models:/fruit/{version}")
    assert result.artifacts["abtest.comparison"].content["challenger"]["version"] == int(version)
    evaluation = next(found for found in runs(registry_in_use) if "abtest.verdict" in found.data.tags)
    assert evaluation.data.tags["abtest.challenger_version"] == str(version)


def test_regressors(registry_in_use: RegistryClient, tmp_path: Path) -> None:
    """A regressor is compared by its errors; no stage or alias is needed for two folders."""
    del registry_in_use
    inputs = zoo.signature(width="double")
    near = zoo.save(lambda frame: 2.0 * frame["width"], tmp_path / "near", inputs=inputs)
    far = zoo.save(lambda frame: 2.0 * frame["width"] + 1.5, tmp_path / "far", inputs=inputs)
    rng = np.random.default_rng(0)
    width = rng.uniform(1, 9, 300)
    rows = pd.DataFrame({"width": width, "weight": 2 * width + rng.normal(0, 0.2, 300)})
    result = evaluated(
        near, rows, targets="weight", model_type="regressor", evaluator_config={"champion": far, "gate": True}
    )
    assert result.metrics["effect.rmse"] < 0
    errors = rows["weight"] - 2 * rows["width"]
    assert result.metrics["challenger.rmse"] == pytest.approx(float(np.sqrt(np.mean(errors**2))))


def test_predictions_in_a_column(registry_in_use: RegistryClient) -> None:
    """Predictions that are there already are compared with the champion's, which does not see them."""
    del registry_in_use
    rows = zoo.fruit(400)
    rows["said"] = zoo.better(rows)
    result = evaluated(None, rows, predictions="said", evaluator_config={**CHAMPION, "gate": True})
    told = result.artifacts["abtest.comparison"].content
    assert (told["challenger"]["ref"], told["champion"]["version"]) == ("said", 1)
    assert result.metrics["challenger.accuracy"] == 1.0


def test_predictions_in_a_column_need_a_champion_that_does_not_take_them(
    registry_in_use: RegistryClient, tmp_path: Path
) -> None:
    """A champion without a signature would take every column there is: it is refused."""
    del registry_in_use
    rows = zoo.fruit()
    rows["said"] = zoo.better(rows)
    anything = zoo.save(zoo.linear, tmp_path / "anything")
    for champion, told in ((anything, "no signature"), ("models:/fruit/99", "no model for the champion")):
        with pytest.raises((InvalidInputError, ModelNotFoundError), match=told):
            evaluated(None, rows, predictions="said", evaluator_config={"champion": champion})


def test_segments_and_guardrails_hold_here_too(registry_in_use: RegistryClient) -> None:
    """A policy given as a table guards a segment of the evaluated rows."""
    del registry_in_use
    rows = zoo.fruit(400)
    rows["size"] = np.where(rows["width"] > 7, "large", "small")
    guardrail = {"metric": "accuracy", "segment": "size=large", "margin": 0.02}
    result = evaluated(data=rows, evaluator_config={**CHAMPION, "policy": {"guardrails": [guardrail]}})
    told = result.artifacts["abtest.comparison"].content
    assert {row["value"] for row in told["segments"]} == {"large", "small"}
    assert any(reason["segment"] == "size=large" for reason in told["decision"]["reasons"])
