"""How much faster is the same comparison again, with predictions from the cache?

Two registered forests of 300 trees on a Parquet file of 200,000 rows with 10 features, in one process that has imported
everything: loading both models, reading and recognising the rows, scoring them or reading what was predicted, and all
metrics, tests and intervals. The first time every prediction is made, and kept.
"""

from __future__ import annotations

import itertools
import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from abtest.registry import RegistryClient
from abtest.workflow import compare
from benchmarks.timing import report, side_by_side

if TYPE_CHECKING:
    from abtest.comparison import Comparison

ROWS, TRAINED, FEATURES, TREES = 200_000, 5_000, 10, 300
TRUSTED = ["sklearn.tree._tree.Tree"]  # our own


def main(*, quick: bool = False) -> None:
    """Measure a comparison with an empty cache against one with a full one, in turns."""
    rows = ROWS // 100 if quick else ROWS
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(scratch)
        registry = _forests(folder, rows)
        fresh = itertools.count()

        def run(cache: Path) -> Comparison:
            return compare(
                "models:/forest/1",
                "models:/forest/2",
                data=folder / "rows.parquet",
                target="y",
                cache=cache,
                tracking_uri=registry.tracking_uri,
            )

        kept = run(folder / "kept")
        again = run(folder / "kept")
        assert again.outcomes == kept.outcomes  # noqa: S101 - a speed of something else says nothing
        assert any("from the cache" in notice for notice in again.record.notices)  # noqa: S101 - see above
        warm, cold = side_by_side(
            lambda: run(folder / "kept"), lambda: run(folder / f"empty-{next(fresh)}"), rounds=1 if quick else 2
        )
        what = f"compare again, {rows:,} rows, two forests of {TREES} trees"
        report(what, warm, cold, aim="" if quick else "at most 1/5", rival="the first time")
        size = sum(path.stat().st_size for path in (folder / "kept").rglob("*") if path.is_file())
        print(f"the second time is {cold / warm:.1f} times as fast; kept: {size / rows:.0f} bytes a row")


def _forests(folder: Path, count: int) -> RegistryClient:
    """Write rows, and register two forests that are fitted on some of them: one knows less of the truth."""
    import mlflow.sklearn  # noqa: PLC0415 - no other benchmark pays for it

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    rng = np.random.default_rng(0)
    columns = [f"x{i}" for i in range(FEATURES)]
    rows = pd.DataFrame(rng.normal(size=(count, FEATURES)), columns=columns)
    rows["y"] = (rows[columns[:5]].sum(axis=1) + rng.normal(size=count) > 0).astype(int)
    rows.to_parquet(folder / "rows.parquet")
    train = rows[: min(TRAINED, count)]
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.MlflowClient(uri).create_registered_model("forest")  # MLflow makes the database
    registry = RegistryClient(uri)
    for number, used in enumerate((columns[:4], columns), start=1):
        forest = RandomForestClassifier(TREES, random_state=0).fit(train[used], train["y"])
        signature = mlflow.models.infer_signature(train[used], forest.predict(train[used]))
        path = folder / f"forest-{number}"
        mlflow.sklearn.save_model(forest, path, signature=signature, skops_trusted_types=TRUSTED)
        registry.create_version("forest", str(path), run_id=None, model_id=None, tags={}, description=None)
    return registry
