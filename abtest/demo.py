"""Real data, two real models, a registry: everything needed to try the program, in one folder.

The data are scikit-learn's digits (1,797 images of ten classes); half train the models, half are held out. The champion
is a logistic regression, the challenger a support vector machine.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

from abtest.errors import InvalidInputError
from abtest.registry import RegistryClient
from abtest.settings import SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from mlflow import MlflowClient

FOLDER = "abtest-demo"
MODEL = "digits"
TEST_DATA = "digits-test.csv"
TARGET = "digit"
_DATABASE, _ARTIFACTS = "mlflow.db", "mlruns"
_MARK = "# Made by 'abtest demo', which makes it anew each time it runs.\n"
_SETTINGS = f"""{_MARK}
[registry]
tracking_uri = "sqlite:///{_DATABASE}"
model_name = "{MODEL}"

[compare]
test_data = "{TEST_DATA}"
target = "{TARGET}"
output = "reports"
"""


def build(folder: Path) -> RegistryClient:
    """Make the demo's files in a folder, replacing those an earlier demo made and touching nothing else.

    Raises:
        InvalidInputError: The folder holds a file of the same name that no demo made.
    """
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS_FILE).write_text(_SETTINGS, encoding="utf-8")  # first: it marks the rest as the demo's own
    train, test = _data()
    test.to_csv(folder / TEST_DATA, index=False)
    registry = RegistryClient(f"sqlite:///{folder.resolve() / _DATABASE}")
    with _quiet():
        client = _new_database(registry.tracking_uri)
        with registry.active():
            _register(registry, client, folder, train)
    return registry


def _clear(folder: Path) -> None:
    own = [folder / name for name in (SETTINGS_FILE, _DATABASE, _ARTIFACTS, TEST_DATA)]
    there = [path for path in own if path.exists()]
    settings = folder / SETTINGS_FILE
    if there and not (settings.is_file() and settings.read_text(encoding="utf-8").startswith(_MARK)):
        raise InvalidInputError(
            f"{there[0]} is in the way: 'abtest demo' did not make it.", hint="run the demo in another folder."
        )
    for path in there:
        if path.is_dir():
            shutil.rmtree(path)
        elif path != settings:
            path.unlink()


def _data() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split digits in halves, stratified."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - only the demo trains
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - see above

    frame = load_digits(as_frame=True).frame.rename(columns={"target": TARGET})
    train, test = train_test_split(frame, test_size=0.5, random_state=0, stratify=frame[TARGET])
    return train, test


def _new_database(uri: str) -> MlflowClient:
    """Let MLflow make its tables; ``RegistryClient`` on purpose never does."""
    from mlflow import MlflowClient  # noqa: PLC0415 - only the demo logs models

    client = MlflowClient(uri)
    client.search_experiments()
    return client


def _register(registry: RegistryClient, client: MlflowClient, folder: Path, train: pd.DataFrame) -> None:
    """Train, log and register both models, and put them in their stages and on their aliases."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only the demo trains
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - see above
    from sklearn.preprocessing import MinMaxScaler  # noqa: PLC0415 - see above
    from sklearn.svm import SVC  # noqa: PLC0415 - see above

    artifacts = (folder.resolve() / _ARTIFACTS).as_uri()
    experiment = client.create_experiment(f"{MODEL} training", artifact_location=artifacts)
    client.create_registered_model(MODEL, description="Handwritten digits, 8 by 8 pixels: the demo of abtest.")
    champion = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000))
    challenger = make_pipeline(MinMaxScaler(), SVC(C=10, gamma=0.1))
    sides = (
        ("champion", "Production", "logistic regression", champion),
        ("challenger", "Staging", "support vector machine", challenger),
    )
    for alias, stage, name, model in sides:
        version = _log(client, experiment, name, model, train)
        registry.set_stage(MODEL, version, stage)
        registry.set_alias(MODEL, alias, version)


def _log(client: MlflowClient, experiment: str, name: str, model: Any, train: pd.DataFrame) -> int:  # noqa: ANN401 - scikit-learn ships no types
    import mlflow.sklearn  # noqa: PLC0415 - only the demo logs models
    from mlflow.models import infer_signature  # noqa: PLC0415 - see above

    features = train.drop(columns=TARGET)
    model.fit(features, train[TARGET])
    needs = [f"{library}=={metadata.version(library)}" for library in ("scikit-learn", "numpy", "pandas", "skops")]
    with mlflow.start_run(experiment_id=experiment, run_name=name) as run:
        mlflow.log_param("kind", name)
        mlflow.log_metric("train_accuracy", float(model.score(features, train[TARGET])))
        info = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(features, train[TARGET]), pip_requirements=needs
        )
    version = client.create_model_version(MODEL, info.model_uri, run.info.run_id, description=name)
    return int(version.version)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's remarks about a database made on purpose, and integer labels, from a newcomer's first minute."""
    loggers = [logging.getLogger(name) for name in ("mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*integer column.*", category=UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
