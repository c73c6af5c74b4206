"""On Spark a prediction is what it is here, and so is its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

from abtest.bulk import on_spark, predicting
from abtest.bulk.choosing import given
from abtest.errors import InvalidInputError
from tests.engines import clusters

if TYPE_CHECKING:
    from pathlib import Path

SPARK = [
    pytest.mark.spark,
    pytest.mark.skipif(bool(clusters.LACKS), reason=clusters.LACKS),
    # PySpark 4.3 says so wherever it starts to use pandas 3.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=SPARK) for kind in ("classes", "numbers")])
def test_the_same_as_here(tmp_path: Path, kind: str) -> None:
    """The same rows and predictions, and the same distribution; probabilities to the last bits."""
    load = load_iris if kind == "classes" else load_diabetes
    frame = load(as_frame=True).frame.rename(columns=lambda name: name.split(" (")[0].replace(" ", "."))
    frame = frame.assign(id=range(len(frame)))
    features, target = frame.drop(columns=["target", "id"]), frame["target"]
    fitted: Any = (LogisticRegression(max_iter=1000) if kind == "classes" else LinearRegression()).fit(features, target)
    (tmp_path / "in").mkdir()
    frame[:100].to_parquet(tmp_path / "in" / "a.parquet")
    frame[100:].to_parquet(tmp_path / "in" / "b.parquet")
    options: dict[str, Any] = {"keep": ["id"], "proba": kind == "classes", "sample": 3, "digest": True}
    here = predicting.predict(given(fitted), tmp_path / "in", tmp_path / "here.parquet", **options)
    there = on_spark.predict(given(fitted), tmp_path / "in", tmp_path / "there", spark_master="local[2]", **options)
    one, other = pd.read_parquet(tmp_path / "here.parquet"), pd.read_parquet(tmp_path / "there")
    other = other.sort_values("id", ignore_index=True)
    assert list(one) == list(other) == list(here.columns) == list(there.columns)
    assert (here.n, here.digest) == (there.n, there.digest)
    np.testing.assert_allclose(other.drop(columns="id"), one.drop(columns="id"), rtol=1e-12)
    assert there.distribution.classes == here.distribution.classes
    if here.distribution.numbers is not None:
        assert there.distribution.numbers is not None
        for name in ("n", "mean", "std", "min", "max"):
            wanted = getattr(here.distribution.numbers, name)
            assert getattr(there.distribution.numbers, name) == pytest.approx(wanted, rel=1e-12)
        for name in ("first_quartile", "median", "third_quartile"):
            wanted = getattr(here.distribution.numbers, name)
            assert getattr(there.distribution.numbers, name) == pytest.approx(wanted, rel=0.02)
    assert len(there.sample) == 3
    assert "in no order" in there.notices[-1]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("there", r"is there already\. Hint: --force replaces files alone"),
        ("none/out", "there is no folder none"),
        ("s3://bucket/out", "must be a folder on a disk"),
    ],
)
def test_a_folder_that_cannot_be(tmp_path: Path, output: str, says: str) -> None:
    """It is told before Spark is started."""
    (tmp_path / "there").mkdir()
    with pytest.raises(InvalidInputError, match=says):
        on_spark.refuse_folder(output)
