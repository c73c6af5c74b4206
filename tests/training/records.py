"""Records of training, as it might have been: written by hand, so that what tells them is tested without any fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from abtest.evaluator.rows import MetricRow, Skipped
from abtest.record import Candidate, CrossValidated, Provenance, TrainingRecord, TrainingRows

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = '<script>alert("1")</script> | `y` $x$ \u202e {{ 7 * 7 }}'
_FOLDS = (-0.021, 0.012, 0.004, -0.009, 0.014)


def candidate(rank: int, name: str, mean: float, behind: float | None = None, **more: Any) -> Candidate:
    """One that was trained: so far behind the best, known to within one point either way."""
    task = more.pop("task", "classification")
    unsure, pvalue = more.pop("unsure", 0.01), more.pop("pvalue", None)
    gap = 0.0 if behind is None else behind
    values: dict[str, Any] = {
        "rank": rank,
        "name": name,
        "estimator": f"sklearn.made_up.{name}",
        "parameters": {"depth": 3, "rate": 0.1, "penalty": None, "balanced": True},
        "settings_tried": 4,
        "cross_validated": CrossValidated(
            mean=mean,
            by_fold=tuple(mean + (it if task == "classification" else 10 * it) * (1 + rank / 9) for it in _FOLDS),
            behind=behind,
            ci_lower=None if behind is None else behind - unsure,
            ci_upper=None if behind is None else behind + unsure,
            pvalue=pvalue if behind is not None else None,
        ),
        "holdout": {"accuracy": mean - 0.012, "f1": mean - 0.02}
        if task == "classification"
        else {"rmse": mean, "r2": 0.5},
        "holdout_rows": () if behind is None else (_row(mean, gap, task),),
        "prediction_digest": f"{rank:032d}",
        "seconds": 12.3 / rank,
        "not_repeatable": None,
    }
    return Candidate(**{**values, **more})


def _row(value: float, behind: float, task: str) -> MetricRow:
    greater = task == "classification"
    effect = 1.4 * (-behind if greater else behind)
    return MetricRow(
        metric="accuracy" if greater else "rmse",
        champion=value - effect,
        challenger=value,
        effect=effect,
        rel_effect=None,
        improvement=effect if greater else -effect,
        ci_lower=effect - abs(effect) - 0.012,
        ci_upper=effect + abs(effect) + 0.012,
        ci_method="bootstrap",
        test="McNemar, mid-p",
        statistic=None,
        pvalue=0.21,
        pvalue_adjusted=None,
        n=300,
        greater_is_better=greater,
    )


def failed(name: str, why: str) -> Candidate:
    """One that could not be trained."""
    return replace(
        candidate(1, name, 0.5), rank=None, cross_validated=None, holdout={}, holdout_rows=(), prediction_digest=None,
        failed=why,
    )  # fmt: skip


def record(*candidates: Candidate, **more: Any) -> TrainingRecord:
    """What was found of these."""
    values: dict[str, Any] = {
        "created_at": datetime(2026, 3, 2, 12, 30, tzinfo=UTC),
        "task": "classification",
        "metric": "accuracy",
        "rows": TrainingRows(
            path="data/churn.csv", digest="0" * 32, target="churned", features=("age", "plan", "calls"), unit=None,
            n_train=1200, n_holdout=300, n_unlabelled=12, holdout_digest="1" * 32,
        ),
        "recipe": 'target = "churned"\nmodels = ["RandomForest"]\n',
        "recipe_digest": "2" * 32,
        "candidates": candidates,
        "skipped": (),
        "notices": (),
        "provenance": Provenance(
            abtest_version="1.2.3", python_version="3.12.1", libraries={"scikit-learn": "1.9.0"}, registry=None,
            git_commit="0123456789abcdef", command="abtest train --data data/churn.csv", policy_digest="",
        ),
    }  # fmt: skip
    return TrainingRecord(**{**values, **more})


def sure() -> TrainingRecord:
    """The best is surely the best."""
    return record(
        candidate(1, "HistGradientBoosting", 0.912),
        candidate(2, "LogisticRegression", 0.881, 0.031, pvalue=0.004),
        candidate(3, "KNeighbors", 0.853, 0.059, pvalue=0.0004),
    )


def unsure() -> TrainingRecord:
    """Two are as good as each other, one may not repeat, one is worse, and one failed."""
    return record(
        candidate(1, "RandomForest", 0.912),
        candidate(2, "LogisticRegression", 0.908, 0.004, pvalue=0.31),
        candidate(
            3, "SVM_RBF", 0.853, 0.059, unsure=0.02, pvalue=0.002,
            not_repeatable="Its solver draws random numbers without a seed.",
        ),
        failed("my.module:Own", "ValueError: not today"),
        notices=("12 rows have no truth and were left out.",),
        skipped=(Skipped(what="roc_auc", why="there are more than two classes"),),
        model_name="churn",
        version=4,
        experiment="abtest/churn",
        run_id="a" * 32,
    )  # fmt: skip


def alone() -> TrainingRecord:
    """A single candidate, of which there is nothing to be held against."""
    return record(candidate(1, "LogisticRegression", 0.881))


def regression() -> TrainingRecord:
    """Errors, of which less is better."""
    return record(
        candidate(1, "Ridge", 3.21, task="regression"),
        candidate(2, "RandomForest", 3.37, 0.16, unsure=0.12, pvalue=0.01, task="regression"),
        candidate(3, "KNeighbors", 4.02, 0.81, unsure=0.3, pvalue=0.0002, task="regression"),
        task="regression",
        metric="rmse",
    )


def hostile() -> TrainingRecord:
    """Names that try to break out of whatever they are written into."""
    found = record(
        candidate(1, HOSTILE, 0.9),
        candidate(2, "B", 0.8, 0.1, pvalue=0.001, not_repeatable=HOSTILE, parameters={HOSTILE: HOSTILE}),
        failed("C", HOSTILE),
        notices=(HOSTILE,),
        skipped=(Skipped(what=HOSTILE, why=HOSTILE),),
        recipe=f"# {HOSTILE}\n",
    )
    rows = replace(found.rows, path=HOSTILE, target=HOSTILE, features=(HOSTILE,), unit=HOSTILE)
    return replace(found, rows=rows)


SITUATIONS: dict[str, Callable[[], TrainingRecord]] = {
    it.__name__: it for it in (sure, unsure, alone, regression, hostile)
}
