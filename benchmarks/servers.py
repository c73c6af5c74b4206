"""Servers to be measured: ``abtest serve`` and ``mlflow models serve``, of the same registered models."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.datasets import load_breast_cancer

from benchmarks.hammer import ask
from benchmarks.loading import Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    Row = dict[str, float]

HOST, MODEL = "127.0.0.1", "tumours"
_ADDRESS = re.compile(r"http://\S+:(\d+)")
_PATIENCE = 60.0  # seconds


@cache
def data() -> tuple[pd.DataFrame, pd.Series[int]]:
    """Features and truth: 569 tumours, 30 columns with names, of scikit-learn."""
    features, truth = load_breast_cancer(return_X_y=True, as_frame=True)
    return features, truth


def rows(count: int) -> list[Row]:
    """The first rows, by column."""
    return [{str(name): value for name, value in row.items()} for row in data()[0].head(count).to_dict("records")]


def register(folder: Path, estimators: Sequence[Any]) -> str:
    """Train each, save it in a folder of its number, register it as that version; return the registry's URI."""
    import mlflow.sklearn  # noqa: PLC0415 - takes seconds
    from mlflow import MlflowClient  # noqa: PLC0415 - see above
    from mlflow.models import infer_signature  # noqa: PLC0415 - see above

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    features, truth = data()
    with _quiet():
        client = MlflowClient(uri)
        client.create_registered_model(MODEL)
        for version, estimator in enumerate(estimators, 1):
            estimator.fit(features, truth)
            mlflow.sklearn.save_model(
                estimator,
                path := folder / str(version),
                signature=infer_signature(features, truth),
                pip_requirements=["scikit-learn"],
                serialization_format="cloudpickle",
            )
            client.create_model_version(MODEL, str(path))
    return uri


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what MLflow remarks on a new database, on integers and on pickles."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def abtest(uri: str, version: int, folder: Path, *options: str) -> Iterator[int]:
    """Serve a version with ``abtest serve``; give the port."""
    command = ["-m", "abtest", "serve", "--model-name", MODEL, "--version", str(version), "--tracking-uri", uri]
    folder.mkdir(exist_ok=True)
    with _running([*command, "--host", HOST, "--port", "0", *options], folder) as told:
        until(lambda: _ADDRESS.search(told()), told)
        port = int(_ADDRESS.findall(told())[0])
        until(lambda: _is_up(port, "/health"), told)
        yield port


@contextlib.contextmanager
def mlflow(model: Path, folder: Path) -> Iterator[int]:
    """Serve a folder with ``mlflow models serve``, in this environment; give the port."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    command = ["-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    folder.mkdir(exist_ok=True)
    with _running([*command, "--host", HOST, "--port", str(port)], folder) as told:
        until(lambda: _is_up(port, "/ping"), told)
        yield port


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[Callable[[], str]]:
    """Run Python in a folder until the block ends; give what it has said so far."""
    said = folder / "said.txt"
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))  # where MLflow finds Uvicorn
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore", "PATH": path}
    import_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    with said.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, stdout=stream, stderr=stream, start_new_session=True,
            env={**os.environ, **quiet, "PYTHONPATH": import_path},
        )  # fmt: skip

    def told() -> str:
        text = said.read_text(encoding="utf-8", errors="replace")
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(command)} has ended:\n{text[-2000:]}")
        return text

    try:
        yield told
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until(holds: Callable[[], object], told: Callable[[], object] = lambda: "") -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: It did not hold within a minute.
    """
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {_PATIENCE:g} s: {told()}")
        told()
        time.sleep(0.05)


def _is_up(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=30) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def ours(port: int, some: Sequence[Row], units: Sequence[str] | None = None) -> Asked:
    """Single rows, as ``POST /predict`` takes them."""
    bodies = [json.dumps(row) for row in some]
    if units is not None:
        bodies = [json.dumps({"features": row, "unit": unit}) for row, unit in zip(some, units, strict=True)]
    return Asked(host=HOST, port=port, path="/predict", bodies=bodies)


def theirs(port: int, some: Sequence[Row]) -> Asked:
    """Single rows, as MLflow's ``POST /invocations`` takes them."""
    bodies = [json.dumps({"dataframe_split": {"columns": [*row], "data": [[*row.values()]]}}) for row in some]
    return Asked(host=HOST, port=port, path="/invocations", bodies=bodies)


def answers(asked: Asked) -> list[Any]:
    """Ask each body once, and give the predictions."""
    bodies: list[bytes] = []
    requests = [request.encode() for request in asked.requests()]
    ask((asked.host, asked.port), requests, most=len(requests), heard=bodies.append)
    told = [json.loads(body) for body in bodies]
    return [one["prediction"] if "prediction" in one else one["predictions"][0] for one in told]
