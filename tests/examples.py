"""Comparisons of every situation a report has to tell, made without a model, a clock or a registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest.decision import decide
from abtest.engines.predicted import tally_columns
from abtest.engines.scores import ScoreTally
from abtest.evaluator import evaluate, evaluate_errors
from abtest.guardrail import Guardrail
from abtest.loaders.scores import Scores
from abtest.policy import Policy
from abtest.record import ComparedData, ComparedModel, ComparisonRecord, ComparisonSettings, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from abtest.labels import Label
    from abtest.metrics.classification import Average
    from abtest.scores import PairedScores

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
HOSTILE = (SCRIPT, IMAGE, "$x$ | `y`", "a\x00b\u202ec", "{{ 7 * 7 }}", "]]> &amp; -->", "日本語", "a label " * 20)


def record(
    y_true: Sequence[Label],
    champion: Sequence[Label],
    challenger: Sequence[Label],
    *,
    policy: Policy | None = None,
    resamples: int = 400,
    model_name: str | None = "example",
    refs: tuple[str, str] = ("stage Production", "stage Staging"),
    path: str = "rows.csv",
    target: str = "label",
    command: str | None = "abtest compare --champion-stage Production",
    notices: tuple[str, ...] = (),
    segments: Mapping[str, Sequence[object]] | None = None,
    crossings: Sequence[str] = (),
    average: Average = "macro",
    scores: PairedScores | None = None,
) -> ComparisonRecord:
    """Compare three columns as version 1 against version 2 of a registered model."""
    policy = policy or Policy()
    columns = (np.array(y_true), np.array(champion), np.array(challenger))
    told_apart = {name: np.array(values) for name, values in (segments or {}).items()}
    scored = tally_columns(*columns, task=policy.task, segments=told_apart, crossings=crossings)
    if scored.errors is not None:
        evaluation = evaluate_errors(scored.errors, policy, resamples=resamples, seed=0)
    else:
        evaluation = evaluate(scored.table, policy, resamples=resamples, average=average, scores=scores)
    versions = (1, 2) if model_name else (None, None)
    sides = [ComparedModel(ref=ref, version=v, run_id=None, uri=None) for ref, v in zip(refs, versions, strict=True)]
    return ComparisonRecord.of(
        model_name=model_name,
        champion=sides[0],
        challenger=sides[1],
        data=ComparedData(path=path, n=scored.n, digest="0123456789abcdef", target=target),
        settings=ComparisonSettings(
            average=average,
            pos_label=None,
            label_type=None,
            resamples=resamples,
            seed=0,
            batch_size=None,
            drop_unlabelled=False,
            policy=policy,
            segments=(*told_apart, *crossings),
        ),
        outcomes=scored.outcomes,
        evaluation=evaluation,
        decision=decide(evaluation, policy),
        provenance=Provenance(
            abtest_version="0.0.0",
            python_version="3.11.0",
            libraries={"numpy": "2.0.0"},
            registry="postgresql://me:hunter2@db/mlflow",
            git_commit=None,
            command=command,
            policy_digest=policy.digest,
        ),
        notices=notices,
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def classes(
    labels: Sequence[Label],
    *,
    rows: int = 600,
    champion: float = 0.8,
    challenger: float = 0.86,
    seed: int = 1,
    policy: Policy | None = None,
) -> ComparisonRecord:
    """Two sides of about these accuracies, right on many of the same rows; every label has rows."""
    rng = np.random.default_rng(seed)
    k = len(labels)
    truth = np.arange(rows) % k
    hard = rng.random(rows)
    own = np.where(rng.random(rows) < 0.7, hard, rng.random(rows))
    wrong = [(truth + 1 + rng.integers(0, max(1, k - 1), rows)) % k for _ in range(2)]
    sides = np.where(hard < champion, truth, wrong[0]), np.where(own < challenger, truth, wrong[1])
    y, a, b = ([labels[i] for i in column.tolist()] for column in (truth, *sides))
    return record(y, a, b, policy=policy)


def two() -> ComparisonRecord:
    """Spam or ham; the challenger is better: PROMOTE."""
    return classes(["ham", "spam"])


def three() -> ComparisonRecord:
    """Three classes and a challenger that is worse: KEEP_CHAMPION."""
    return classes([1, 2, 3], champion=0.9, challenger=0.7)


def ten() -> ComparisonRecord:
    """Ten classes, about equal: INSUFFICIENT_EVIDENCE."""
    return classes(list(range(10)), challenger=0.8)


def fifty() -> ComparisonRecord:
    """Fifty classes with names."""
    return classes([f"class {i:02d} of fifty" for i in range(50)], rows=3000)


def folded() -> ComparisonRecord:
    """One class more than a page shows unfolded, with recall alone."""
    return classes(list(range(51)), policy=Policy(metrics=("accuracy", "recall")))


def three_hundred() -> ComparisonRecord:
    """More classes than a matrix shows, with few rows each."""
    return classes([f"c{i:03d}" for i in range(300)], rows=1500)


def conditional() -> ComparisonRecord:
    """Accuracy falls while macro recall and F1 rise: CONDITIONAL, with a negative effect on accuracy."""
    y = ["often"] * 900 + ["rare"] * 100
    champion = ["often"] * 890 + ["rare"] * 10 + ["often"] * 70 + ["rare"] * 30
    challenger = ["often"] * 810 + ["rare"] * 90 + ["often"] * 40 + ["rare"] * 60
    return record(y, champion, challenger)


def identical() -> ComparisonRecord:
    """Two sides that say the same, and are wrong now and then."""
    y, said = [0, 1] * 30, [0, 1] * 28 + [1, 0] * 2
    return record(y, said, said)


def perfect() -> ComparisonRecord:
    """Two sides without a mistake."""
    return record([0, 1] * 20, [0, 1] * 20, [0, 1] * 20)


def one_row() -> ComparisonRecord:
    """One row, on which only the champion is right."""
    return record(["a"], ["a"], ["b"])


def one_class() -> ComparisonRecord:
    """One class."""
    return record(["a"] * 30, ["a"] * 30, ["a"] * 30)


def only_predicted() -> ComparisonRecord:
    """A label that the challenger predicts and the truth never holds."""
    return record(["a", "b"] * 15, ["a", "b"] * 15, ["a", "zebra"] * 2 + ["a", "b"] * 13)


def zero_champion() -> ComparisonRecord:
    """A champion that is never right: no change in percent can be given."""
    return record(["a", "b"] * 4, ["b", "a"] * 4, ["a", "b"] * 4)


def accuracy_alone() -> ComparisonRecord:
    """A policy of accuracy alone: nothing by class."""
    return record(["a", "b"] * 20, ["a", "a"] * 20, ["a", "b"] * 20, policy=Policy(metrics=("accuracy",)))


def hostile() -> ComparisonRecord:
    """Labels, names and files that would be markup in a page, a figure, Markdown or a terminal."""
    truth = [HOSTILE[i % len(HOSTILE)] for i in range(80)]
    wrong = [HOSTILE[(i + 1) % len(HOSTILE)] for i in range(80)]
    return record(
        truth,
        [wrong[i] if i % 3 == 0 else truth[i] for i in range(80)],
        [wrong[i] if i % 7 == 0 else truth[i] for i in range(80)],
        model_name=f"model {SCRIPT}",
        refs=(IMAGE, "[link](javascript:alert(1))"),
        path=f"{SCRIPT}.csv",
        target=IMAGE,
        command=f"abtest compare '{SCRIPT}' --tracking-uri postgresql://me:hunter2@db/mlflow",
        notices=(f"The champion predicts {SCRIPT!r}.",),
    )


def unregistered() -> ComparisonRecord:
    """Two sides with names alone."""
    return record([0, 1] * 20, [0, 0] * 20, [0, 1] * 20, model_name=None, refs=("champion", "a long name " * 5))


def simpson() -> ComparisonRecord:
    """Three regions and a device: better over all rows, much worse in one region; guarded by segment."""
    rng = np.random.default_rng(5)
    rows = 4000
    region = rng.choice(["Africa", "Asia", "Europe"], rows, p=[0.1, 0.3, 0.6])
    device, age = rng.choice(["phone", "desk"], rows), rng.integers(18, 80, rows)
    y = rng.integers(0, 3, rows)
    hard = rng.random(rows)
    better = np.select([region == "Africa", region == "Asia"], [0.72, 0.86], 0.9)
    champion = np.where(hard < 0.84, y, (y + 1) % 3)
    challenger = np.where(np.where(rng.random(rows) < 0.8, hard, rng.random(rows)) < better, y, (y + 2) % 3)
    rails = (
        Guardrail(metric="accuracy", segment="region", margin=0.02, mode="not-proved-worse"),
        Guardrail(metric="recall", class_="*", margin=0.05, severity="warn"),
        Guardrail(metric="rows", minimum=300, segment="region"),
        Guardrail(metric="latency", margin=0.5),
    )
    return record(
        y.tolist(), champion.tolist(), challenger.tolist(),
        policy=Policy(guardrails=rails),
        segments={"region": region.tolist(), "device": device.tolist(), "age": age.tolist()},
        crossings=["region*device"],
    )  # fmt: skip


def many_segments() -> ComparisonRecord:
    """Sixty shops, some of a few rows, with names that would be markup."""
    rng = np.random.default_rng(6)
    shop = np.minimum(rng.geometric(0.06, 1500), 60)
    names = [SCRIPT if i == 7 else f"shop {i:02d}" for i in shop.tolist()]
    y = rng.integers(0, 2, 1500)
    said = [np.where(rng.random(1500) < share, y, 1 - y).tolist() for share in (0.8, 0.84)]
    return record(y.tolist(), *said, segments={f"shop {IMAGE}": names})


def costly() -> ComparisonRecord:
    """Fraud or not, with costs: fewer misses, more false alarms; judged by cost alone."""
    y = ["fraud"] * 100 + ["ok"] * 900
    champion = ["fraud"] * 40 + ["ok"] * 60 + ["ok"] * 890 + ["fraud"] * 10
    challenger = ["fraud"] * 70 + ["ok"] * 30 + ["ok"] * 860 + ["fraud"] * 40
    costs = {"fraud": {"ok": 250.0}, "ok": {"fraud": 12.5}}
    return record(y, champion, challenger, policy=Policy(rule="primary", primary="cost", costs=costs))


def non_inferior() -> ComparisonRecord:
    """About equal, and proved not to be worse by three points."""
    y = [0, 1] * 1000
    champion = [label if i % 20 else 1 - label for i, label in enumerate(y)]
    challenger = [label if i % 21 else 1 - label for i, label in enumerate(y)]
    return record(y, champion, challenger, policy=Policy(rule="non-inferior", margin=0.03))


def scored(kind: str = "probability", classes: int = 2) -> ComparisonRecord:
    """Probabilities of two classes, the challenger's sharper; judged by the area under the ROC curve among others."""
    rng = np.random.default_rng(7)
    rows = 600
    y = rng.integers(0, classes, rows)
    metrics = ("accuracy", "f1", "roc_auc", "average_precision", "log_loss", "brier")
    sides = {}
    for side, noise in (("champion", 1.6), ("challenger", 1.0)):
        logits = rng.normal(0, noise, (rows, classes)) + 2.0 * np.eye(classes)[y]
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        sides[side] = Scores(matrix=shares, classes=tuple(range(classes)))
    source: Any = _Source(kind=kind)  # all it asks
    tally = ScoreTally(source, source, {})
    tally.add(y, sides, {})  # type: ignore[arg-type] # both sides
    labels = [found.labels.decoded().tolist() for found in sides.values()]
    return record(y.tolist(), *labels, policy=Policy(metrics=metrics), scores=tally.scores(range(classes)))


@dataclass(frozen=True)
class _Source:
    kind: str


def scored_classes() -> ComparisonRecord:
    """Probabilities of five classes."""
    return scored(classes=5)


def ranked() -> ComparisonRecord:
    """Two sides that rank the rows of two classes, and have no probabilities."""
    return scored("score")


def measured(
    rows: int = 1_500,
    *,
    champion: float = 60.0,
    challenger: float = 48.0,
    policy: Policy | None = None,
    seed: int = 3,
    segments: bool = True,
) -> ComparisonRecord:
    """Rents predicted by two models of about these errors, which grow with the rent, told apart by region."""
    rng = np.random.default_rng(seed)
    truth = np.round(rng.gamma(6.0, 150.0, rows) + 250, 1)
    shared = rng.normal(size=rows)
    wide = (truth / 1_150) ** 0.8
    sides = [
        truth + wide * scale * (0.7 * shared + 0.7 * rng.normal(size=rows)) + shift
        for scale, shift in ((champion, 14.0), (challenger, 2.0))
    ]
    region = np.where(rng.random(rows) < 0.15, "island", np.where(rng.random(rows) < 0.5, "north", "south"))
    sides[1] = np.where(region == "island", truth + 1.35 * (sides[0] - truth), sides[1])
    return record(
        truth.tolist(),
        sides[0].tolist(),
        sides[1].tolist(),
        policy=policy or Policy(primary="rmse"),
        segments={"region": region.tolist()} if segments else None,
        model_name="rents",
        target="rent",
    )


def measured_alike() -> ComparisonRecord:
    """A regression of two models that predict the same."""
    y = [1.5, 2.5, 4.0, 8.5] * 10
    said = [value + 0.25 for value in y]
    return record(y, said, said, policy=Policy(primary="rmse"))


def measured_worse() -> ComparisonRecord:
    """A regression whose challenger has the larger errors, and a guardrail on the bias."""
    rails = (Guardrail(metric="bias", margin=5.0),)
    return measured(
        400,
        champion=48.0,
        challenger=66.0,
        segments=False,
        policy=Policy(metrics=("rmse", "mae", "bias"), guardrails=rails),
    )


SITUATIONS: dict[str, Callable[[], ComparisonRecord]] = {
    function.__name__: cache(function)
    for function in (
        two,
        three,
        ten,
        fifty,
        folded,
        three_hundred,
        conditional,
        identical,
        perfect,
        one_row,
        one_class,
        only_predicted,
        zero_champion,
        accuracy_alone,
        hostile,
        unregistered,
        simpson,
        many_segments,
        costly,
        non_inferior,
        scored,
        scored_classes,
        ranked,
        measured,
        measured_alike,
        measured_worse,
    )
}
