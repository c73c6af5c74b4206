"""Comparisons end to end. Rents to be predicted: rows, regressors fitted on others, and a registry that holds them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from tests import zoo

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

FEATURES = ["area", "rooms"]
QUICK: dict[str, Any] = {"resamples": 100}
SHIFT = 90.0  # what the third regressor is wrong by beyond the first


def rents(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Flats with their rents; their houses have about five each."""
    rng = np.random.default_rng(seed)
    area, rooms = np.round(rng.gamma(9.0, 8.0, rows), 1), rng.integers(1, 6, rows)
    noise = rng.normal(0, 30, rows)
    return pd.DataFrame(
        {
            "area": area,
            "rooms": rooms,
            "region": rng.choice(["east", "north", "west"], rows),
            "house": rng.integers(0, max(1, rows // 5), rows),
            "rent": np.round(9 * area + 60 * rooms + 50 + noise, 2),
        }
    )


def fitted(*columns: str, shift: float = 0.0) -> LinearRegression:
    """A regressor of these columns, fitted on other flats."""
    frame = rents(seed=99)
    model = LinearRegression().fit(frame[list(columns)], frame["rent"])
    model.intercept_ += shift
    return model


def plain() -> LinearRegression:
    """The champion, which looks at the area alone."""
    return fitted("area")


def better() -> LinearRegression:
    """A challenger that looks at the rooms too."""
    return fitted(*FEATURES)


def worse() -> LinearRegression:
    """A challenger that is as the champion, and always asks too much."""
    return fitted("area", shift=SHIFT)


def said(model: Any, frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What a regressor predicts."""
    return np.asarray(model.predict(frame[list(model.feature_names_in_)]), dtype=np.float64)


def house_of_rents(registry: RegistryClient, folder: Path) -> RegistryClient:
    """Register the three as versions of "rents": 1 in Production, 2 in Staging, 3 nowhere."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    frame = rents(20)
    sources = []
    for number, model in enumerate((plain(), better(), worse()), start=1):
        columns = list(model.feature_names_in_)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*integer column.*", category=UserWarning)
            signature = infer_signature(frame[columns], model.predict(frame[columns]))
        path = folder / f"rents-{number}"
        mlflow.sklearn.save_model(model, path, signature=signature, pip_requirements=["scikit-learn"])
        sources.append(str(path))
    stages, aliases = {1: "Production", 2: "Staging"}, {"champion": 1, "challenger": 2}
    zoo.register(registry.client, "rents", *sources, stages=stages, aliases=aliases)
    return registry


def own_loss(name: str) -> str:
    """Write a module with a loss of the user's own, and name the loss."""
    text = "import numpy as np\ndef too_dear(y_true, y_pred):\n    return np.maximum(y_pred - y_true, 0)\n"
    Path(f"{name}.py").write_text(text, encoding="utf-8")
    return f"{name}:too_dear"


def written_policy(**values: Any) -> tuple[str, str]:
    """Write a policy, and the option that names it."""
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    Path("policy.toml").write_text(text, encoding="utf-8")
    return "--policy", "policy.toml"
