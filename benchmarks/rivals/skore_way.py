"""skore's way: a report of each model, compared: its summary of metrics, and both confusion matrices."""

from __future__ import annotations

import json

import mlflow
import numpy as np
import pandas as pd
from skore import ComparisonReport, EstimatorReport

mlflow.set_tracking_uri("sqlite:///mlflow.db")
rows = pd.read_parquet("test.parquet")
y, features = rows["y"], rows.drop(columns="y")
reports = {
    side: EstimatorReport(mlflow.sklearn.load_model(f"models:/shop/{stage}"), X_test=features, y_test=y)
    for side, stage in {"champion": "Production", "challenger": "Staging"}.items()
}
report = ComparisonReport(reports)
print(report.metrics.summarize().frame())
print(report.metrics.confusion_matrix().frame())
said = {side: own.get_predictions(data_source="test") for side, own in reports.items()}
print(json.dumps({side: float(np.mean(predicted == y.to_numpy())) for side, predicted in said.items()}))
