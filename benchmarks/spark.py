"""What does Spark cost on one machine, and how much of it is Spark's own?

The same Parquet file and the same two models are scored on a session of two cores and by the local engine in this
process. Beside them stand two functions of Spark that answer nothing: to read the rows, bring them to Python twice and
count the answers is what any model costs there. The session is warm: it and its Python workers take a while to start.
"""

from __future__ import annotations

import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from abtest.engines import local
from abtest.engines.spark import Engine
from abtest.loaders.models import Model, from_uri
from benchmarks.agreeing import must_agree
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved, library

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [f"x{i}" for i in range(20)]


def main(*, quick: bool = False) -> None:
    """Measure in turn; where there is no Spark, say so."""
    if library("pyspark") is None:
        print("skipped: PySpark is not installed")
        return
    rows = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySpark's on pandas 3, MLflow's on how a model is saved
        champion, challenger = _made(Path(scratch), rows)
        engine = Engine("local[2]")
        data = engine.open_data(Path(scratch) / "rows.parquet")
        ask = {
            "abtest on Spark": partial(engine.score_several, champion, [challenger], data, target="y"),
            "abtest, in this process": partial(local.score_several, champion, [challenger], data, target="y"),
        }
        tables = [call().pairs[0].table.cells for call in ask.values()]
        must_agree(*tables)
        calls: dict[str, Callable[[], object]] = {
            **ask,
            "Spark, two empty functions": _nothing(engine, scratch),
        }
        times = interleaved(calls, rounds=3 if quick else 5, budget=120)
        engine.end()
    compare(f"two models, {rows_text(rows)} of {len(NAMES)} columns, two cores", times)


def _nothing(engine: Engine, folder: str) -> Callable[[], object]:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - as everybody calls it; an extra

    def answer(batches: Any) -> Any:  # noqa: ANN401 - series of pandas
        import pandas  # noqa: ICN001, PLC0415 - on a worker

        for batch in batches:
            yield pandas.Series(0, index=range(len(batch)))

    function = F.pandas_udf(answer, "long", F.PandasUDFType.SCALAR_ITER)
    frame = engine.session.read.parquet(f"file://{folder}/rows.parquet")
    fed = F.struct(*NAMES)
    answers = [function(fed).alias("one"), function(F.struct(*NAMES[1:])).alias("other")]
    # Made anew each time: a plan that ran once remembers its stages.
    return lambda: frame.select("y", *answers).groupBy("y", "one", "other").count().toArrow()


def _made(folder: Path, rows: int) -> list[Model]:
    """Write rows, in row groups for two cores to share, and two models of them."""
    import mlflow.sklearn  # noqa: PLC0415 - takes seconds

    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, len(NAMES)))
    y = (values[:, 0] + values[:, 1] ** 2 > 1).astype(np.int64)
    table = pa.table({**{name: values[:, i] for i, name in enumerate(NAMES)}, "y": y})
    pq.write_table(table, folder / "rows.parquet", row_group_size=rows // 8)
    few: Any = table.slice(0, 5000).to_pandas()
    found = []
    for side, model in (("champion", LogisticRegression()), ("challenger", GaussianNB())):
        mlflow.sklearn.save_model(
            model.fit(few[NAMES], few["y"]),
            folder / side,
            signature=mlflow.models.infer_signature(few[NAMES]),
            pip_requirements=["mlflow"],
            serialization_format="cloudpickle",
        )
        found.append(from_uri(side, str(folder / side), None))  # type: ignore[arg-type] # one of the two sides
    return found
