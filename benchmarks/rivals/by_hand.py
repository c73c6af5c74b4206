"""The script one would write by hand: both models' metrics on a file; intervals where told a number of resamples."""

from __future__ import annotations

import json
import sys

import mlflow
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

resamples = int(sys.argv[2]) if len(sys.argv) > 2 else 0
mlflow.set_tracking_uri("sqlite:///mlflow.db")
stages = {"champion": "Production", "challenger": "Staging"}
models = {
    side: mlflow.pyfunc.load_model(f"models:/shop/{stage}", suppress_warnings=True) for side, stage in stages.items()
}
rows = pd.read_parquet(sys.argv[1])
y, features = rows["y"].to_numpy(), rows.drop(columns="y")
said = {side: model.predict(features) for side, model in models.items()}
for predicted in said.values():
    print(precision_recall_fscore_support(y, predicted, average="macro"))
    print(precision_recall_fscore_support(y, predicted), confusion_matrix(y, predicted))
rng = np.random.default_rng(0)
effects = []
for _ in range(resamples):
    drawn = rng.integers(0, len(y), len(y))
    champion, challenger = (
        (accuracy_score(y[drawn], p[drawn]), f1_score(y[drawn], p[drawn], average="macro")) for p in said.values()
    )
    effects.append(np.subtract(challenger, champion))
if effects:
    print(np.quantile(effects, [0.025, 0.975], axis=0))
print(json.dumps({side: accuracy_score(y, predicted) for side, predicted in said.items()}))
