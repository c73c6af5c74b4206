"""A report of monitoring as an MLflow run: tags, metrics, and the report among its artifacts."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.reporter.monitoring import folder, markdown
from abtest.reporter.monitoring.summary import summarise

if TYPE_CHECKING:
    from abtest.record.monitored import MonitoringRecord
    from abtest.registry import RegistryClient


def log(
    record: MonitoringRecord,
    registry: RegistryClient,
    *,
    experiment: str | None = None,
    report: Path | None = None,
    figures: bool = True,
) -> str:
    """Log a report as a run.

    Args:
        record: What to log.
        registry: Whose tracking server gets the run.
        experiment: Name of the experiment, made if it is not there; "abtest/" and the model's name by default.
        report: A report already written, to log as it is.
        figures: Draw figures for a report that is not.

    Returns:
        The run's id.

    Raises:
        BackendError: MLflow does not take it.
    """
    tags = {**record.tags, "mlflow.note.content": markdown.render(summarise(record))}
    with tracking.open_run(registry.client, experiment or f"abtest/{record.model_name}", record.name, tags) as run:
        run.metrics(metrics(record))
        run.params(_params(record))
        if report is not None:
            run.artifacts(report)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                run.artifacts(folder.write(record, Path(scratch), figures=figures))
    return run.run_id


def metrics(record: MonitoringRecord) -> dict[str, float]:
    """What a run's metrics are: each metric recently and in the baseline, the effect, drift, and the rows.

    Where there is no baseline, "monitor.accuracy" is that of the whole report.
    """
    seen = record.monitored
    found: dict[str, float | None] = {
        "monitor.predictions": seen.n,
        "monitor.failed": seen.failed,
        "monitor.labelled": seen.labelled,
        "monitor.coverage": seen.coverage_recent,
        "monitor.lag": seen.lag,
        "monitor.drifted": sum(it.drifted for it in seen.drift) if seen.drift else None,
    }
    found |= {f"monitor.{it.metric}": it.value for it in seen.summaries}
    for it in seen.changes:
        if it.segment is None:
            found |= {
                f"monitor.{it.metric}": it.recent,
                f"monitor.baseline.{it.metric}": it.baseline,
                f"monitor.effect.{it.metric}": it.effect,
            }
    # MLflow takes finite numbers only.
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def _params(record: MonitoringRecord) -> dict[str, object]:
    settings, seen = record.settings, record.monitored
    return {
        "start": seen.start.isoformat(),
        "end": seen.end.isoformat(),
        "baseline": seen.baseline.name if seen.baseline else "",
        "metrics": ",".join(settings.metrics),
        "threshold": settings.threshold,
        "confidence": settings.confidence,
        "sequential": settings.sequential,
    }
