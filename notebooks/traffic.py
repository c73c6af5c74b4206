"""A server that answers and users who ask it: what the notebook of a live experiment takes for granted."""

from __future__ import annotations

import http.client
import importlib
import json
import logging
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import abtest
import pandas as pd
from abtest import demo

_ADDRESS = re.compile(r"http://\S+")
_SHADOW = re.compile("^abtest_shadow_resident_memory_bytes [1-9]", re.MULTILINE)
_KEEPER = '"$@" & program=$!; cat >/dev/null; kill $program 2>/dev/null; wait $program'


def until(condition: Callable[[], Any], *, seconds: float = 60) -> None:
    """Wait for a condition, and not for ever."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"That did not happen within {seconds:g} seconds.")
        time.sleep(0.05)


def kept(command: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
    """Start a program that ends when the stdin of what is given here is closed, or this process ends, however it does.

    A shell stands between the two: it waits for the end of its own input, and then ends the program.
    """
    return subprocess.Popen(["/bin/sh", "-c", _KEEPER, "keeper", *command], stdin=subprocess.PIPE, **how)


class Server:
    """``abtest serve`` in a process of its own, on any free port of this machine alone.

    It ends with ``end``; where a cell failed before that, or the kernel was killed, it ends with the kernel.

    Args:
        folder: Where it runs: its settings are there, and ``serve.log`` will be.
        options: Further options of ``abtest serve``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._log = folder / "serve.log"
        command = [sys.executable, "-m", "abtest", "serve", "--port", "0", *options]
        with self._log.open("wb") as log:
            self._keeper = kept(command, cwd=folder, stderr=log)
        try:
            until(lambda: _ADDRESS.search(self.log))
            address = urlsplit(_ADDRESS.search(self.log)[0])
            self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
            until(lambda: self.ask("/health").get("status") == "ready")
        except BaseException:
            self.end()
            raise

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text(encoding="utf-8")

    def ask(self, path: str, body: Any = None) -> dict[str, Any]:
        """GET a path, or POST a body to it, and give the answer."""
        method, text = ("GET", None) if body is None else ("POST", json.dumps(body))
        self._connection.request(method, path, text, {"Content-Type": "application/json"})
        return json.load(self._connection.getresponse())

    def takes_part(self, experiment: str) -> bool:
        """Whether it has taken up an experiment, and both models are there: the shadow is a process of its own."""
        seen = self.ask("/model/info")
        if (seen["experiment"] or {}).get("name") != experiment:
            return False
        if seen["experiment"]["mode"] == "split":
            return seen["challenger"] is not None
        self._connection.request("GET", "/metrics")
        return bool(_SHADOW.search(self._connection.getresponse().read().decode()))

    def end(self) -> None:
        """End it, once it has answered whom it is answering."""
        self._keeper.stdin.close()
        self._keeper.wait(60)


def visit(server: Server, users: Sequence[str], rows: pd.DataFrame, *, at_once: int = 100) -> pd.DataFrame:
    """Let each user ask about one row.

    Returns:
        The answers, in the order of the users.
    """
    answers: list[dict[str, Any]] = []
    for begin in range(0, len(users), at_once):
        part = slice(begin, begin + at_once)
        body = {"instances": rows[part].to_dict("records"), "units": list(users[part])}
        answers += server.ask("/predict/batch", body)["predictions"]
    return pd.DataFrame(answers)


def label(server: Server, answers: pd.DataFrame, truth: Sequence[Any]) -> dict[str, Any]:
    """Tell the server what was right, as it turns out later."""
    labels = [
        {"prediction_id": known, "label": found} for known, found in zip(answers["prediction_id"], truth, strict=True)
    ]
    return server.ask("/feedback", {"feedback": labels})


def hasty(registry: abtest.Registry, uri: str) -> None:
    """Put a model into Staging that somebody trained on every tenth row, in a hurry."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.datasets import load_digits
    from sklearn.tree import DecisionTreeClassifier

    pixels, digits = load_digits(return_X_y=True, as_frame=True)
    model = DecisionTreeClassifier(random_state=0).fit(pixels[::10], digits[::10])
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(f"{demo.MODEL} training")
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(pixels, digits),
            pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
        )  # fmt: skip
    registry.register(demo.MODEL, run_id=run.info.run_id, stage="Staging")


def quiet() -> None:
    """Leave out remarks of MLflow on models and databases made on purpose."""
    warnings.filterwarnings("ignore", "IProgress not found")
    importlib.import_module("mlflow")  # sets its loggers up
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*integer column.*", UserWarning)
