"""Scoring: labels and scores of a logged model, against one pass of the bare estimator.

Then two models on a Parquet file of 20 columns, read in batches, against a script that reads it into pandas first, lets
both models predict, and asks scikit-learn for the metrics. Linux only: peaks are read from /proc.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from abtest.engines.asking import Asked
from abtest.loaders.datasets import BATCH_ROWS
from abtest.loaders.feeding import Fed
from abtest.loaders.models import from_uri
from abtest.loaders.scores import Scorer, scorer
from abtest.loaders.unwrapped import unwrapped
from benchmarks.timing import report, side_by_side

NAMES = [f"x{i}" for i in range(20)]
ESTIMATORS = {
    "logistic regression": LogisticRegression(),
    "scaled logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "random forest": RandomForestClassifier(50, max_depth=10, random_state=0),
    "gradient boosting": HistGradientBoostingClassifier(max_iter=50),
}
_PEAK = """
import re
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
_OURS = """
import sys
from abtest import compare
compare(sys.argv[1], sys.argv[2], data=sys.argv[3], target="y")
"""
_PANDAS_FIRST = """
import sys
import mlflow.pyfunc, pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, matthews_corrcoef, precision_recall_fscore_support
rows = pd.read_parquet(sys.argv[3])
y = rows.pop("y")
for uri in sys.argv[1:3]:
    predicted = mlflow.pyfunc.load_model(uri).predict(rows)
    accuracy_score(y, predicted), confusion_matrix(y, predicted), matthews_corrcoef(y, predicted)
    precision_recall_fscore_support(y, predicted), precision_recall_fscore_support(y, predicted, average="macro")
"""


def main(*, quick: bool = False) -> None:
    """Measure a batch of each estimator, then whole processes at ten million rows."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        logged = _logged(folder)
        for name in logged:
            _one_pass(name, str(folder / name), 1_000 if quick else BATCH_ROWS, rounds=3 if quick else 15)
        for rows in (10_000,) if quick else (1_000_000, 10_000_000):
            _pandas_first(folder, rows, "logistic regression", "scaled logistic regression")


def _one_pass(name: str, uri: str, rows: int, *, rounds: int) -> None:
    """Ask as scoring does, and the estimator itself, about the same decoded batch."""
    model = from_uri("champion", uri, None)
    bare, found = unwrapped(model), scorer(model)
    if bare is None or not isinstance(found, Scorer):
        raise TypeError(name)
    fed = Fed(pa.RecordBatch.from_pandas(_frame(rows, seed=1)), np.arange(1, rows + 1))
    estimator: Any = bare.predictor
    features, _ = fed.features(model, NAMES)
    for what, wanted, native in (
        ("labels and scores", found, estimator.predict_proba),
        ("labels", None, estimator.predict),
    ):
        asked = Asked(model, NAMES, wanted, unwrapped=bare)
        ours, theirs = side_by_side(partial(asked.answer, fed), partial(native, features), rounds=rounds)
        report(f"{name}, {what} of {rows:,} rows, against one pass", ours, theirs, aim="at most 1.05")


def _pandas_first(folder: Path, rows: int, champion: str, challenger: str) -> None:
    path = folder / f"{rows}.parquet"
    writer = None
    for start in range(0, rows, 1_000_000):
        table = pa.Table.from_pandas(_frame(min(1_000_000, rows - start), seed=start), preserve_index=False)
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()
    seconds, peaks = [], []
    for script in (_OURS, _PANDAS_FIRST):
        start_at = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", script + _PEAK, str(folder / champion), str(folder / challenger), str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(time.perf_counter() - start_at)
        peaks.append(int(told.stdout.split()[-1]) / 1024)
    path.unlink()
    report(f"{rows:,} rows of Parquet, against pandas first", *seconds, aim="at most 0.67")
    print(f"peak {peaks[0]:.0f} MiB (aim: at most 450) against {peaks[1]:.0f} MiB")


def _logged(folder: Path) -> list[str]:
    import mlflow.sklearn  # noqa: PLC0415 - its own import takes seconds

    train = _frame(20_000, seed=0)
    signature = mlflow.models.infer_signature(train[NAMES], train["y"])
    for name, estimator in ESTIMATORS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on how a model of a benchmark is saved
            mlflow.sklearn.save_model(
                estimator.fit(train[NAMES], train["y"]),
                folder / name,
                signature=signature,
                pip_requirements=["mlflow"],
                serialization_format="cloudpickle",
            )
    return [*ESTIMATORS]


def _frame(rows: int, *, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, len(NAMES))), columns=NAMES)
    return frame.assign(y=(frame[NAMES[:5]].sum(axis=1) + rng.normal(0, 2, rows) > 0).astype(int))
