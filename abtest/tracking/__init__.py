"""MLflow runs: where reports, metrics and audit records are logged, and found again."""

from abtest.tracking.reading import (
    HOLDOUT,
    PARENT,
    FoundRun,
    find_runs,
    find_runs_of_all,
    get_run,
    metrics_of_models,
    read_artifact,
    requirements_of,
    runs_of,
    runs_of_models,
    training_source,
)
from abtest.tracking.writing import LoggedDataset, OpenRun, begin_run, open_run, settle_run, tag_run, user

__all__ = [
    "HOLDOUT",
    "PARENT",
    "FoundRun",
    "LoggedDataset",
    "OpenRun",
    "begin_run",
    "find_runs",
    "find_runs_of_all",
    "get_run",
    "metrics_of_models",
    "open_run",
    "read_artifact",
    "requirements_of",
    "runs_of",
    "runs_of_models",
    "settle_run",
    "tag_run",
    "training_source",
    "user",
]
