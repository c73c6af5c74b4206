"""Small real models, and a registry full of them: good ones, bad ones, and every state a registry can be in.

All models of "fruit" tell an apple from a pear by its width and height. Versions by number:

1 champion, in Production, a simple rule · 2 challenger, in Staging, a better one · 3 no stage · and each in no stage
and broken in its own way: 4 raises, 5 does not load, 6 predicts probabilities, 7 predicts one row too few, 8 predicts
two columns, 9 predicts numbers, 10 sometimes predicts a class of its own, 11 predicts nothing for some rows.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

    from abtest.registry import RegistryClient

    Rule = Callable[[pd.DataFrame], Any]

FEATURES = ("width", "height")


def fruit(rows: int = 60) -> pd.DataFrame:
    """Fruit with its kind: wider than high is an apple; every fifth row is a near thing."""
    rng = np.random.default_rng(0)
    width = np.round(rng.uniform(4, 10, rows), 2)
    height = np.round(width + np.where(np.arange(rows) % 2, 2.5, -2.5), 2)
    height[::5] = np.round(width[::5] + np.where(np.arange(0, rows, 5) % 2, 0.5, -0.5), 2)
    return pd.DataFrame({"width": width, "height": height, "kind": np.where(height > width, "pear", "apple")})


def linear(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Take for a pear what is clearly higher than wide."""
    return np.where(frame["height"] > frame["width"] + 1, "pear", "apple")


def better(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Take for a pear what is higher than wide."""
    return np.where(frame["height"] > frame["width"], "pear", "apple")


def raises(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Fail on rows of a certain width."""
    if (frame["width"] > 0).any():
        raise RuntimeError(f"cannot weigh it\n{frame}")
    return linear(frame)


def probabilities(frame: pd.DataFrame) -> Any:
    """Predict the probability of a pear."""
    return 1 / (1 + np.exp(frame["width"] - frame["height"]))


def too_few(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Forget the last row."""
    return linear(frame)[:-1]


def two_columns(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Predict a probability for either class."""
    p = probabilities(frame)
    return np.column_stack([1 - p, p])


def numbers(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Predict 0 and 1."""
    return np.asarray(frame["height"] > frame["width"], dtype=np.int64)


def stranger(frame: pd.DataFrame) -> npt.NDArray[Any]:
    """Take what is wide for a quince."""
    return np.where(frame["width"] > 9, "quince", linear(frame))


def silent(frame: pd.DataFrame) -> list[str | None]:
    """Say nothing about what is wide."""
    return [None if wide else str(kind) for wide, kind in zip(frame["width"] > 9, linear(frame), strict=True)]


FRUIT_RULES: tuple[Rule, ...] = (
    linear, better, better, raises, linear, probabilities, too_few, two_columns, numbers, stranger, silent,
)  # fmt: skip
UNLOADABLE = 5


def signature(**columns: str) -> ModelSignature:
    """A signature of named columns, such as ``width="double"``; ``"?long"`` may be missing."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        Schema([ColSpec(kind.lstrip("?"), name, required=kind[0] != "?") for name, kind in columns.items()])
    )


def tensors(dtype: str, *shape: int) -> ModelSignature:
    """The signature of a model logged from a NumPy array."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    return ModelSignature(Schema([TensorSpec(np.dtype(dtype), shape)]))


def save(rule: Rule, path: Path, *, inputs: ModelSignature | None = None) -> str:
    """Save a rule as a model in a folder, and name the folder."""
    import mlflow.pyfunc

    with _quiet():
        mlflow.pyfunc.save_model(path, python_model=_model(rule), signature=inputs, pip_requirements=["mlflow"])
    return str(path)


def log(rule: Rule, *, inputs: ModelSignature | None = None) -> None:
    """Log a rule as the model of the current run."""
    import mlflow.pyfunc

    with _quiet():
        mlflow.pyfunc.log_model(name="model", python_model=_model(rule), signature=inputs, pip_requirements=["mlflow"])


TRAINED = ({"accuracy": 0.90, "loss": 0.40}, {"accuracy": 0.95, "loss": 0.30}, {"accuracy": 0.85, "loss": 0.35})


def train(registry: RegistryClient, artifacts: Path) -> tuple[str, ...]:
    """Log four runs: three with a model of fruit, metrics and a parameter, and one with two models and no metric."""
    import mlflow
    import mlflow.data

    experiment = registry.client.create_experiment("training", artifact_location=artifacts.as_uri())
    inputs, runs = signature(width="double", height="double"), []
    with registry.active():
        for number, metrics in enumerate(TRAINED, start=1):
            with mlflow.start_run(experiment_id=experiment) as run, _quiet():
                mlflow.log_params({"depth": number, "seed": 0})
                data = mlflow.data.from_pandas(fruit(), name="fruit")  # type: ignore[attr-defined] # it is made at import
                mlflow.log_input(data, context="training")
                log(linear if number == 1 else better, inputs=inputs)
                mlflow.log_metrics(metrics)
            runs.append(run.info.run_id)
        with mlflow.start_run(experiment_id=experiment) as run, _quiet():
            log(linear, inputs=inputs)
            log(better, inputs=inputs)
        runs.append(run.info.run_id)
    return tuple(runs)


def create_database(path: Path) -> str:
    """Make a registry without models in a SQLite file, and name it."""
    return initialise(f"sqlite:///{path}")


def initialise(uri: str) -> str:
    """Make a registry without models in a database, and name it."""
    from mlflow import MlflowClient

    with _quiet():
        MlflowClient(uri).search_registered_models()
    return uri


def fill(client: MlflowClient, folder: Path) -> None:
    """Register the models "fruit", and others of the same files in other states."""
    inputs = signature(width="double", height="double")
    paths = [save(rule, folder / f"fruit-{n}", inputs=inputs) for n, rule in enumerate(FRUIT_RULES, start=1)]
    (folder / f"fruit-{UNLOADABLE}" / "python_model.pkl").write_bytes(b"nothing that was ever pickled")
    register(client, "fruit", *paths, stages={1: "Production", 2: "Staging"}, aliases={"champion": 1, "challenger": 2})
    register(client, "crowd", *paths[:3], stages={1: "Production", 2: "Production", 3: "Staging"})
    register(client, "bare", *paths[:2], stages={2: "Archived"}, aliases={"canary": 2})
    register(client, "torn", *paths[:3], stages={1: "Production", 3: "Staging"}, aliases={"champion": 2})
    register(client, "void")


def register(
    client: MlflowClient,
    name: str,
    *sources: str,
    stages: dict[int, str] | None = None,
    aliases: dict[str, int] | None = None,
) -> None:
    """Register a model with one version a source, in these stages and on these aliases."""
    with _quiet():
        client.create_registered_model(name)
        for source in sources:
            client.create_model_version(name, source)
        for number, stage in (stages or {}).items():
            client.transition_model_version_stage(name, str(number), stage)
        for alias, number in (aliases or {}).items():
            client.set_registered_model_alias(name, alias, str(number))


def copy(database: Path, folder: Path) -> str:
    """Copy a registry's database into a folder, where MLflow looks by default; its models' files stay."""
    target = folder / "mlflow.db"
    shutil.copy(database, target)
    return f"sqlite:///{target}"


def _model(rule: Rule) -> Any:
    import cloudpickle  # type: ignore[import-untyped] # it ships no types
    from mlflow.pyfunc.model import PythonModel

    class Model(PythonModel):
        _skip_type_hint_validation = True  # else MLflow asks for hints whenever the class is made, in loading too

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - MLflow would take hints for a schema
            del context, params
            return rule(model_input)

    # By value, so that a process that does not know the tests can load it.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return Model()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what MLflow says of things done here on purpose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*noload.*", category=DeprecationWarning)  # SQLAlchemy 2.1
        warnings.filterwarnings("ignore", message=".*An input example was not provided", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*all arguments of all will be keyword-only")  # pandas, of MLflow's
        warnings.filterwarnings("ignore", message=".*transition_model_version_stage.*", category=FutureWarning)
        yield
