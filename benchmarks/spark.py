"""Spark on two cores against the local engine, a million rows; and what share of Spark's Python is not the models'."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from abtest.engines import local
from abtest.engines.spark import Engine
from abtest.loaders.models import from_uri

if TYPE_CHECKING:
    from abtest.loaders.models import Model

ROWS, COLUMNS, ROUNDS = 1_000_000, 20, 3


def main() -> None:
    """Measure both in turn, on the same file and models; a session is started once, and its start told apart."""
    if importlib.util.find_spec("pyspark") is None:
        print("skipped: PySpark is not installed")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sides = _made(folder)
        engine = Engine("local[2]")
        start = time.perf_counter()
        data = engine.open_data(str(folder / "rows.parquet"))
        engine.session.range(1).count()
        print(f"a session on local[2] starts in {time.perf_counter() - start:.1f} s")
        here, there = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            one = local.score_several(sides[0], sides[1:], data, target="y").pairs[0].table
            here.append(time.perf_counter() - start)
            start = time.perf_counter()
            other = engine.score_several(sides[0], sides[1:], data, target="y").pairs[0].table
            there.append(time.perf_counter() - start)
            assert one.to_dict() == other.to_dict()  # noqa: S101 - a speed of something else says nothing
        engine.end()
    print(f"{ROWS:,} rows of {COLUMNS} columns: local {min(here):.1f} s, Spark on two cores {min(there):.1f} s")
    print(f"ratio, round by round: {', '.join(f'{b / a:.2f}' for a, b in zip(here, there, strict=True))}")


def _made(folder: Path) -> list[Model]:
    """Write rows in row groups, and two models of them."""
    import mlflow.sklearn  # noqa: PLC0415 - who lacks PySpark does not wait for it
    from mlflow.models import infer_signature  # noqa: PLC0415 - see above

    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS, COLUMNS))
    y = (values[:, 0] + values[:, 1] ** 2 > 1).astype(np.int64)
    names = [f"x{i}" for i in range(COLUMNS)]
    table = pa.table({**{name: values[:, i] for i, name in enumerate(names)}, "y": y})
    pq.write_table(table, folder / "rows.parquet", row_group_size=ROWS // 8)
    few: Any = table.slice(0, 5000).to_pandas()
    found = []
    for side, model in (("champion", LogisticRegression()), ("challenger", MLPClassifier((32,), max_iter=30))):
        fitted = model.fit(few[names], few["y"])
        path = folder / side
        mlflow.sklearn.save_model(
            fitted, path, signature=infer_signature(few[names]), pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )  # fmt: skip
        found.append(from_uri(side, str(path), None))  # type: ignore[arg-type] # one of the two sides
    return found
