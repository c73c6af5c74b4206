"""Rows to train on: numbers, texts, missing values, units and times, and a truth that hangs on some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 120


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """Visits: late or not, by how many minutes, and how."""
    rng = np.random.default_rng(7)
    wind, delay = rng.normal(size=(2, ROWS))
    kind = rng.choice(["near", "far", "abroad"], ROWS)
    minutes = wind + delay + 1.5 * (kind == "far") + 0.5 * rng.normal(size=ROWS)
    frame = pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "wind": wind,
            "delay": delay,
            "stops": rng.integers(0, 4, ROWS),
            "kind": kind,
            "express": rng.random(ROWS) < 0.5,
            "user": rng.integers(0, 30, ROWS),
            "minutes": minutes,
            "late": (minutes > 0.5).astype(int),
            "how": np.where(minutes > 1, "late", np.where(minutes > -0.5, "on time", "early")),
        }
    )
    frame.loc[rng.random(ROWS) < 0.1, "wind"] = np.nan
    frame.loc[rng.random(ROWS) < 0.1, "kind"] = None
    return frame


@pytest.fixture
def visits(frame: pd.DataFrame, tmp_path: Path) -> Path:
    """Them, as a CSV file."""
    frame.to_csv(tmp_path / "visits.csv", index=False)
    return tmp_path / "visits.csv"
