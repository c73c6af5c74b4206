"""Runs of every kind, logged as others log them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient


def log(
    client: MlflowClient,
    experiment_id: str,
    *,
    name: str | None = None,
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Log a run that came to its end, and give its id."""
    from mlflow.entities import Metric, Param, RunTag

    run_id: str = client.create_run(experiment_id, run_name=name).info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, 1, 0) for key, value in (metrics or {}).items()],
        params=[Param(key, value) for key, value in (params or {}).items()],
        tags=[RunTag(key, value) for key, value in (tags or {}).items()],
    )
    client.update_run(run_id, status="FINISHED")
    return run_id
