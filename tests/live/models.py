"""Real models of scikit-learn, saved by MLflow: of frames and of arrays, known and unknown, and some that go wrong."""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow.models import ModelSignature


def frame(rows: int = 120, *, seed: int = 0) -> pd.DataFrame:
    """Two doubles, an integer and a 32-bit float."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "width": rng.normal(0, 1, rows),
            "height": rng.normal(0, 50, rows),
            "count": rng.integers(0, 100, rows),
            "weight": rng.normal(0, 1, rows).astype(np.float32),
        }
    )


def doubles(rows: int = 120, *, seed: int = 0) -> pd.DataFrame:
    """Three doubles."""
    return frame(rows, seed=seed)[["width", "height"]].assign(depth=np.arange(rows) / 7)


def mixed(rows: int = 120, *, seed: int = 0) -> pd.DataFrame:
    """A double, an integer, text, a boolean and a time."""
    colours = np.array(["red", "green", "blue"], dtype=object)
    days = np.arange(rows).astype("timedelta64[D]")
    return frame(rows, seed=seed)[["width", "count"]].assign(
        colour=colours[np.arange(rows) % 3],
        ripe=np.arange(rows) % 2 == 0,
        picked=np.datetime64("2026-01-01T12:00:00", "ns") + days,
    )


def save(estimator: Any, path: Path, features: Any, *, signature: ModelSignature | str | None = "infer") -> str:
    """Save a fitted estimator in a folder, and name the folder."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    with quiet():
        if signature == "infer":
            signature = infer_signature(features, estimator.predict(features))
        mlflow.sklearn.save_model(
            estimator, path, signature=signature, pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
        )
    return str(path)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what MLflow remarks on models that are made on purpose."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
