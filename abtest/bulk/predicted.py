"""What a run of ``abtest predict`` did, as one plain record: what ``--format json`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from abtest.bulk.distribution import Distribution
from abtest.record import SCHEMA_VERSION, ComparedModel
from abtest.record.spelled import Spelled

Cell: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted(Spelled):
    """What was predicted.

    Attributes:
        schema_version: Of this record.
        kind: Always "prediction".
        created_at: When it began, in UTC.
        model_name: The registered model; None of one outside the registry.
        model: How it was named, and what that was pinned to.
        data: What was read.
        digest: Names all its content; None where it was not asked for.
        output: The file; None where rows went to standard output.
        columns: Its columns, in order.
        n: Rows.
        seconds: From the first row read until the file was whole.
        model_seconds: What the model took of these; None on Spark.
        distribution: What was predicted, in a few numbers.
        sample: The first rows, as many as were asked for.
        notices: What else is to be said.
        run_id: The MLflow run in which it was logged.
        experiment: That run's experiment.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    kind: Literal["prediction"] = "prediction"
    created_at: datetime
    model_name: str | None
    model: ComparedModel
    data: str
    digest: str | None
    output: str | None
    columns: tuple[str, ...]
    n: int
    seconds: float
    model_seconds: float | None
    distribution: Distribution
    sample: tuple[Mapping[str, Cell], ...] = ()
    notices: tuple[str, ...] = ()
    run_id: str | None = None
    experiment: str | None = None

    @property
    def told(self) -> str:
        """What a reader knows the model by."""
        return f"{self.model_name} version {self.model.version}" if self.model_name else self.model.ref
