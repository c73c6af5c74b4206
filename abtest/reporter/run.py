"""The comparison as an MLflow run: tags, metrics, the data it read, and the report among its artifacts."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import tracking
from abtest.decision import Verdict
from abtest.reporter import folder, markdown, several
from abtest.reporter.summary import summarise
from abtest.reuse import LEVEL
from abtest.tracking import PARENT

RECOMMENDED = "abtest.recommended"  # whether, of the challengers compared at once, it is the one to serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.evaluator.live import LiveReading
    from abtest.record import ComparisonRecord, ComparisonsRecord
    from abtest.registry import RegistryClient


def log(
    record: ComparisonRecord,
    registry: RegistryClient,
    *,
    experiment: str,
    report: Path | None = None,
    figures: bool = True,
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
    return _log(record, registry, experiment, report=report, figures=figures)


def log_several(
    record: ComparisonsRecord,
    registry: RegistryClient,
    *,
    experiment: str,
    report: Path | None = None,
    figures: bool = True,
) -> tuple[str, tuple[str, ...]]:
    """Log several challengers as one run with their report, and within it one run for each.

    Returns:
        The outer run's id, and each challenger's, in order.

    Raises:
        BackendError: MLflow does not take it.
    """
    note = markdown.render_several(several.summarise(record))
    tags = {"abtest.kind": "comparisons", "abtest.verdict": str(record.verdict), "mlflow.note.content": note}
    if record.model_name:
        tags["abtest.model_name"] = record.model_name
    with tracking.open_run(registry.client, experiment, record.name, tags) as run:
        _artifacts(run, record, report, figures=figures)
        own = []
        for i, one in enumerate(record.comparisons):
            beside = {LEVEL: str(one.settings.policy.alpha), RECOMMENDED: str(i == record.best).lower()}
            own.append(_log(one, registry, experiment, within=run.run_id, beside=beside, figures=False))
    return run.run_id, tuple(own)


def _log(
    record: ComparisonRecord,
    registry: RegistryClient,
    experiment: str,
    *,
    report: Path | None = None,
    figures: bool = True,
    within: str | None = None,
    beside: Mapping[str, str] | None = None,
) -> str:
    """Log one comparison, maybe within another run, with tags that tell how it stands beside other challengers."""
    tags = {"abtest.kind": "comparison", **record.tags, "mlflow.note.content": markdown.render(summarise(record))}
    tags |= beside or {}
    if within is not None:
        tags[PARENT] = within
    with tracking.open_run(registry.client, experiment, record.name, tags) as run:
        run.metrics(metrics(record))
        run.params(_params(record))
        if record.data.digest:
            name = Path(record.data.path).name
            run.dataset(tracking.LoggedDataset(name=name, digest=record.data.digest, source=record.data.path))
        _artifacts(run, record, report, figures=figures)
    for role, side in (("champion", record.champion), ("challenger", record.challenger)):
        if side.version is not None and record.model_name is not None and side.is_version_of(record.model_name):
            told = {
                "abtest.verdict": str(record.decision.verdict),
                "abtest.role": role,  # in that comparison: a verdict of PROMOTE is about the challenger
                "abtest.comparison_run_id": run.run_id,
                # Of several that may serve, one is recommended.
                RECOMMENDED: (beside or {}).get(RECOMMENDED, str(record.decision.verdict is Verdict.PROMOTE).lower()),
            }
            if role == "champion":
                del told[RECOMMENDED]
            registry.set_tags(record.model_name, side.version, told)
    return run.run_id


def _artifacts(
    run: tracking.OpenRun, record: ComparisonRecord | ComparisonsRecord, report: Path | None, *, figures: bool
) -> None:
    """Log the report as it was written, or write one for it."""
    if report is not None:
        run.artifacts(report)
        return
    with tempfile.TemporaryDirectory() as scratch:
        run.artifacts(folder.write(record, Path(scratch), figures=figures))


def metrics(record: ComparisonRecord) -> dict[str, float]:
    """What a run's metrics are: both sides, the effect, and the test."""
    test, values = record.mcnemar, {}
    if test is not None:
        values = {"mcnemar.pvalue": test.pvalue, "mcnemar.statistic": test.statistic}
    if record.live is not None:
        values |= _live_metrics(record.live)
    for row in record.metrics:
        values[f"champion.{row.metric}"] = row.champion
        values[f"challenger.{row.metric}"] = row.challenger
        values[f"effect.{row.metric}"] = row.effect
    return values


def _live_metrics(reading: LiveReading) -> dict[str, float]:
    """What is known of the evidence and of both arms; MLflow takes finite numbers only."""
    found: dict[str, float | None] = {
        "live.pvalue": reading.pvalue,
        "live.pvalue_worse": reading.pvalue_worse,
        "live.log_evidence_better": reading.log_better,
        "live.log_evidence_worse": reading.log_worse,
    }
    for arm in reading.arms:
        found |= {
            f"{arm.arm}.units": arm.exposed,
            f"{arm.arm}.labelled": arm.labelled,
            f"{arm.arm}.failed": arm.failed,
            f"{arm.arm}.seconds": arm.seconds,
        }
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


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
