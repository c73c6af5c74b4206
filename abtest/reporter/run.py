"""The comparison as an MLflow run: tags, metrics, the data it read, and the report among its artifacts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.reporter import folder, markdown
from abtest.reporter.summary import summarise

if TYPE_CHECKING:
    from abtest.record import ComparisonRecord
    from abtest.registry import Registry


def log(
    record: ComparisonRecord, registry: Registry, *, experiment: str, report: Path | None = None, figures: bool = True
) -> str:
    """Log a comparison as a run, and tag both model versions with its verdict.

    Args:
        record: What to log.
        registry: Whose tracking server gets the run.
        experiment: Name of the experiment; made if it is not there.
        report: A report already written, to log as it is.
        figures: Draw figures for a report that is not.

    Returns:
        The run's id.

    Raises:
        BackendError: MLflow does not take it.
    """
    tags = {"abtest.kind": "comparison", **record.tags, "mlflow.note.content": markdown.render(summarise(record))}
    with tracking.open_run(registry.client, experiment, record.name, tags) as run:
        run.metrics(_metrics(record))
        run.params(_params(record))
        if record.data.digest:
            name = Path(record.data.path).name
            run.dataset(tracking.LoggedDataset(name=name, digest=record.data.digest, source=record.data.path))
        if report is not None:
            run.artifacts(report)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                run.artifacts(folder.write(record, Path(scratch), figures=figures))
    for role, side in (("champion", record.champion), ("challenger", record.challenger)):
        if side.version is not None and record.model_name is not None and side.is_version_of(record.model_name):
            told = {
                "abtest.verdict": str(record.decision.verdict),
                "abtest.role": role,  # in that comparison: a verdict of PROMOTE is about the challenger
                "abtest.comparison_run_id": run.run_id,
            }
            registry.set_tags(record.model_name, side.version, told)
    return run.run_id


def _metrics(record: ComparisonRecord) -> dict[str, float]:
    values = {"mcnemar.pvalue": record.mcnemar.pvalue, "mcnemar.statistic": record.mcnemar.statistic}
    for row in record.metrics:
        values[f"champion.{row.metric}"] = row.champion
        values[f"challenger.{row.metric}"] = row.challenger
        values[f"effect.{row.metric}"] = row.effect
    return values


def _params(record: ComparisonRecord) -> dict[str, object]:
    settings = record.settings
    return {
        "champion": record.champion.ref,
        "challenger": record.challenger.ref,
        "data": record.data.path,
        "rows": record.data.n,
        "target": record.data.target,
        "average": settings.average,
        "resamples": settings.resamples,
        "seed": settings.seed,
        "confidence": settings.policy.confidence,
        "method": settings.policy.method,
    }
