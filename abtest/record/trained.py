"""What ``abtest train`` found, as one record: each candidate, ranked, and what is between them; ``training.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from abtest.evaluator.rows import MetricRow, Skipped
from abtest.labels import Task
from abtest.record.parts import Provenance
from abtest.record.spelled import SCHEMA_VERSION, Spelled, slug


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """The rows that were trained on, and those held out.

    Attributes:
        path: As it was named; without credentials.
        digest: Of everything that was read, not of the first rows.
        target: The column with the truth.
        features: The columns the models take, in order.
        unit: The column of what belongs together.
        n_train: Rows that were trained on.
        n_holdout: Rows that were held out.
        n_unlabelled: Rows without truth, which were left out.
        holdout_digest: Of the rows held out, as their file is.
    """

    path: str
    digest: str
    target: str
    features: tuple[str, ...]
    unit: str | None
    n_train: int
    n_holdout: int
    n_unlabelled: int
    holdout_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidated:
    """A candidate over the folds, in the metric that ranks.

    Attributes:
        mean: Over the folds.
        by_fold: One value a fold, in the folds' order, which all candidates share.
        behind: What the best is better by, positive where this one is worse: mean over folds; None of the best.
        ci_lower: Of ``behind``: Nadeau and Bengio's corrected resampled t.
        ci_upper: Likewise.
        pvalue: Of no difference to the best, adjusted (Holm) over all pairs of candidates, as the same folds say which
            is the best.
    """

    mean: float
    by_fold: tuple[float, ...]
    behind: float | None
    ci_lower: float | None
    ci_upper: float | None
    pvalue: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One estimator that was trained.

    Attributes:
        rank: From 1, by cross-validation; None of one that failed.
        name: As the recipe names it.
        estimator: Its class, in full.
        parameters: Those that were set, and those the search chose.
        settings_tried: How many settings were cross-validated.
        cross_validated: Over the folds; None of one that failed.
        holdout: Each metric on the rows held out.
        holdout_rows: This candidate (challenger) against the best (champion) on the rows held out, a row a metric;
            empty of the best, and of one that failed.
        prediction_digest: Of what it predicts of the rows held out: equal for equal models.
        seconds: Search and fit.
        not_repeatable: Why training again may give another model; None where it gives the same.
        run_id: The MLflow run.
        model_uri: The logged model.
        failed: Why it could not be trained.
    """

    rank: int | None
    name: str
    estimator: str
    parameters: Mapping[str, str | int | float | bool | None]
    settings_tried: int
    cross_validated: CrossValidated | None
    holdout: Mapping[str, float]
    holdout_rows: tuple[MetricRow, ...]
    prediction_digest: str | None
    seconds: float
    not_repeatable: str | None
    run_id: str | None = None
    model_uri: str | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord(Spelled):
    """What was trained, ranked from the best.

    Attributes:
        schema_version: Of this record.
        kind: Always "training".
        created_at: In UTC.
        task: Classes or numbers.
        metric: What ranks.
        rows: What was trained on, and held out.
        recipe: The recipe, in TOML, which does it again.
        recipe_digest: Of it.
        candidates: By rank; those that failed last.
        skipped: What could not be computed, and why.
        notices: What a reader should know.
        provenance: By what this was made; its code.
        model_name: The registered model the best became a version of.
        version: Which.
        experiment: Where it is logged in MLflow.
        run_id: The run that holds the candidates'.
    """

    schema_version: Literal["1.0"] = SCHEMA_VERSION
    kind: Literal["training"] = "training"
    created_at: datetime
    task: Task
    metric: str
    rows: TrainingRows
    recipe: str
    recipe_digest: str
    candidates: tuple[Candidate, ...]
    skipped: tuple[Skipped, ...]
    notices: tuple[str, ...]
    provenance: Provenance
    model_name: str | None = None
    version: int | None = None
    experiment: str | None = None
    run_id: str | None = None

    @property
    def best(self) -> Candidate:
        """The candidate of rank 1."""
        return self.candidates[0]

    @property
    def name(self) -> str:
        """What the report is called in file and run names."""
        return f"{slug(self.model_name or self.rows.target)}-training"
