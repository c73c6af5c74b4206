"""A registry with two versions of one model, and labelled rows: what the whole tool and its rivals are given."""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FEATURES, CLASSES, TRAINING = 20, 5, 5_000


def build(folder: Path, rows: int) -> None:
    """Make ``mlflow.db``, whose model ``shop`` has a version in Production and one in Staging, and ``test.parquet``."""
    from sklearn.datasets import make_classification  # noqa: PLC0415 - only what is measured against is imported
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - see above
    from sklearn.naive_bayes import GaussianNB  # noqa: PLC0415 - see above

    x, y = make_classification(
        TRAINING + rows, FEATURES, n_informative=12, n_redundant=4, n_classes=CLASSES, random_state=0
    )
    frame = pd.DataFrame(x, columns=[f"x{number}" for number in range(FEATURES)])
    frame["y"] = y.astype(np.int64)
    folder.mkdir(parents=True, exist_ok=True)
    frame[TRAINING:].to_parquet(folder / "test.parquet", index=False)
    train = frame[:TRAINING]
    with _quiet():
        _register(folder, train, {"Production": LogisticRegression(max_iter=1000), "Staging": GaussianNB()})


def _register(folder: Path, train: pd.DataFrame, models: dict[str, object]) -> None:
    import mlflow  # noqa: PLC0415 - takes seconds
    from mlflow.models import infer_signature  # noqa: PLC0415 - see above

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client, features = mlflow.MlflowClient(uri), train.drop(columns="y")
    kept = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        experiment = client.create_experiment("shop", artifact_location=(folder / "artifacts").as_uri())
        client.create_registered_model("shop")
        for stage, model in models.items():
            model.fit(features, train["y"])  # type: ignore[attr-defined] # scikit-learn ships no types
            with mlflow.start_run(experiment_id=experiment) as run:
                signature = infer_signature(features, train["y"])
                needs = ["scikit-learn", "numpy", "pandas", "skops"]
                info = mlflow.sklearn.log_model(model, name="model", signature=signature, pip_requirements=needs)
            version = client.create_model_version("shop", info.model_uri, run.info.run_id)
            client.transition_model_version_stage("shop", version.version, stage)
    finally:
        mlflow.set_tracking_uri(kept)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's remarks on a new database, on stages and on integer columns out of a table of times."""
    import mlflow  # noqa: F401, PLC0415 - it sets its own levels when it is first imported

    for name in ("mlflow", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # of stages, which are what is asked for
        warnings.filterwarnings("ignore", message=".*integer column.*", category=UserWarning)
        yield
