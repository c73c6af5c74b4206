"""MLflow's own way: evaluate each model, then validate the candidate's results against the baseline's."""

from __future__ import annotations

import json

import mlflow
import pandas as pd
from mlflow.models import MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

mlflow.set_tracking_uri("sqlite:///mlflow.db")
rows = pd.read_parquet("test.parquet")
found = {}
for side, stage in {"champion": "Production", "challenger": "Staging"}.items():
    with mlflow.start_run(run_name=side):
        found[side] = mlflow.models.evaluate(  # type: ignore[no-untyped-call] # MLflow types it not
            f"models:/shop/{stage}", rows, targets="y", model_type="classifier", evaluators=["default"]
        )
better = MetricThreshold(threshold=0.5, min_absolute_change=0.005, greater_is_better=True)  # type: ignore[no-untyped-call] # MLflow types it not
try:
    mlflow.validate_evaluation_results(
        validation_thresholds={"accuracy_score": better},
        candidate_result=found["challenger"],
        baseline_result=found["champion"],
    )
except ModelValidationFailedException as refused:
    print(refused)
print(json.dumps({side: result.metrics["accuracy_score"] for side, result in found.items()}))
