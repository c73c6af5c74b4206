"""A report of monitoring as one record: what was watched, what it showed, what to do; written as monitoring.json."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from abtest.decision.health import Health
from abtest.evaluator.monitored import Monitored
from abtest.metrics.classification import Average
from abtest.record.parts import Provenance
from abtest.record.spelled import SCHEMA_VERSION, Spelled, slug


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringSettings:
    """How the model was watched.

    Attributes:
        metrics: Names in the catalogue.
        average: Of precision, recall and F1 over classes.
        confidence: Of intervals and tests.
        threshold: The fall that matters.
        drift_floor: The least distance that is drift.
        horizon: Seconds before a prediction counts, so that its label can come.
        sequential: Whether the check stays valid however often one looks.
    """

    metrics: tuple[str, ...]
    average: Average
    confidence: float
    threshold: float
    drift_floor: float
    horizon: float
    sequential: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringRecord(Spelled):
    """A report of monitoring.

    Attributes:
        schema_version: Of this record.
        kind: Always "monitoring".
        created_at: In UTC.
        model_name: The model that was watched.
        store: Where its predictions are, without credentials.
        settings: How it was watched.
        monitored: What that showed.
        health: How the model does, and what to do.
        provenance: By what this was made.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    kind: Literal["monitoring"] = "monitoring"
    created_at: datetime
    model_name: str
    store: str
    settings: MonitoringSettings
    monitored: Monitored
    health: Health
    provenance: Provenance

    @property
    def tags(self) -> dict[str, str]:
        """What MLflow runs about this model's health are found by."""
        return {
            "abtest.kind": self.kind,
            "abtest.status": str(self.health.status),
            "abtest.action": str(self.health.action),
            "abtest.model_name": self.model_name,
        }

    @property
    def name(self) -> str:
        """What the report is called in file and run names."""
        return f"{slug(self.model_name)}-monitoring"
