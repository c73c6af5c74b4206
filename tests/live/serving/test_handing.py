"""Laws of handing the champion's rows to a challenger: it is asked about its own columns, in its own order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from abtest.live.serving.handing import handed, named
from abtest.live.serving.served import load
from tests.live import models

if TYPE_CHECKING:
    from pathlib import Path

    from abtest.live.serving.served import Served

CHAMPION = ("width", "height", "depth")
FRAME = models.doubles()
TARGET = FRAME["width"] + 10 * FRAME["height"]
ROWS = FRAME.head(5)


def challenger(folder: Path, features: Any) -> Served:
    """A model of the sum of width and ten heights."""
    uri = models.save(LinearRegression().fit(features, TARGET), folder / "model", features)
    return load(uri, None, name=None, version=None, run_id=None)


@pytest.mark.parametrize("form", ["list", "records"])
@pytest.mark.parametrize("columns", [["depth", "height", "width"], ["height", "width"], [*CHAMPION], None])
def test_a_challenger_gets_its_columns_whatever_the_order(tmp_path: Path, columns: list[str] | None, form: str) -> None:
    """A challenger with other columns than the champion, or of a tensor, answers lists and objects as its frame."""
    features = FRAME[columns] if columns else FRAME.to_numpy()
    model = challenger(tmp_path, features)
    rows: list[Any] = ROWS.to_numpy().tolist() if form == "list" else ROWS[[*CHAMPION][::-1]].to_dict("records")
    found = model.predict(model.parse(handed(rows, CHAMPION, model)))
    np.testing.assert_allclose(np.array(found, dtype=float), TARGET.head(5))


def test_rows_without_names_stay_as_they_are() -> None:
    """Where the champion names no columns, nobody knows what a value is of."""
    rows = [[1.0, 2.0]]
    assert named(rows, None) is rows
