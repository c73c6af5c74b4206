"""Score all models on Spark: MLflow's ``spark_udf`` and a group-by, of which only the table of counts comes back.

Labels are counted by Spark and reconciled here, by the code that does so for the local engine: both give one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abtest.engines.spark.predicting import Written, write_predictions
from abtest.engines.spark.scoring import score_several
from abtest.engines.spark.session import Session, Spark
from abtest.engines.spark.tables import opened

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from abtest.engines.local import Several
    from abtest.loaders.datasets import Dataset


class Engine:
    """A Spark session, found or started.

    Args:
        master: As ``spark-submit --master`` takes it.
    """

    recognises_rows = False

    def __init__(self, master: str | None = None) -> None:
        self._spark = Spark(master)

    @property
    def session(self) -> Session:
        """The session."""
        return self._spark.session

    def open_data(self, source: str | Path | pd.DataFrame, what: str = "test-data") -> Dataset:
        """Open what Spark reads."""
        return opened(source, what, self._spark)

    def score_several(self, *models: Any, **options: Any) -> Several:  # noqa: ANN401 - as the local engine's
        """Score all models on the same rows."""
        return score_several(self._spark, *models, **options)

    def write_predictions(self, *model_and_data: Any, **options: Any) -> Written:  # noqa: ANN401 - as ``predicting`` has them
        """Let a model predict every row, and write a folder."""
        return write_predictions(self._spark, *model_and_data, **options)

    def end(self) -> None:
        """Stop the session, if it was started here."""
        self._spark.end()
