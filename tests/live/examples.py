"""Comparisons of live traffic in every situation a report has to tell, made without a server, a store or a registry."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from abtest.decision import decide
from abtest.engines.predicted import tally_columns
from abtest.evaluator import checks, evaluate
from abtest.evaluator.live import ArmReading, LiveReading, Look, Turn
from abtest.evaluator.looks import Tuning
from abtest.evaluator.traffic import Arms, evaluate_arms, evaluate_pairs
from abtest.evaluator.traffic_errors import ArmErrors, by_look, evaluate_arm_errors, evaluate_paired_errors
from abtest.metrics.regression import RegressionOutcomes
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.record import (
    ComparedData,
    ComparedModel,
    ComparisonRecord,
    ComparisonSettings,
    Provenance,
)
from tests.examples import HOSTILE, SCRIPT
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from abtest.evaluator import Evaluation
    from abtest.evaluator.looks import Path
    from abtest.labels import Label, Side

    Column = npt.NDArray[np.object_] | npt.NDArray[np.float64]
    Columns = tuple[Column, Column, Column]  # truth, champion, challenger

START = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
LOOKS = 120


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """An experiment to be made up: what both sides would say of each unit, in the order in which it became known."""

    columns: Columns
    mode: Literal["shadow", "split"]
    name: str = "spam-2"
    span: timedelta = timedelta(days=16, hours=7)
    state: str = "running"
    share: float = 0.5  # planned for the challenger
    served: float | None = None  # that it got
    labelled: tuple[float, float] = (0.96, 0.96)
    dropped: int = 37
    looking: Literal["anytime", "fixed"] = "anytime"
    planned_n: int | None = 12_000
    policy: Policy = field(default_factory=Policy)

    @property
    def look(self) -> npt.NDArray[np.int64]:
        """The look by which each unit became known: few at first, as labels are late."""
        n = len(self.columns[0])
        return np.minimum(LOOKS - 1, (LOOKS * ((np.arange(n) + 1) / n) ** 0.75)).astype(np.int64)

    @property
    def mine(self) -> npt.NDArray[np.bool_]:
        """Which units the challenger serves."""
        share = self.share if self.served is None else self.served
        return np.random.default_rng(5).random(len(self.columns[0])) < share

    @property
    def tuning(self) -> Tuning:
        """What is fixed at the start."""
        return Tuning(alpha=self.policy.alpha, rollback_alpha=0.05, planned_n=self.planned_n)


def classified(
    rows: int, champion: float, challenger: float, *, labels: Sequence[str] = ("ham", "spam"), seed: int = 1
) -> Columns:
    """Two sides of about these accuracies, right on many of the same units."""
    rng = np.random.default_rng(seed)
    k = len(labels)
    truth, hard = rng.integers(0, k, rows), rng.random(rows)
    own = np.where(rng.random(rows) < 0.75, hard, rng.random(rows))
    wrong = (truth + 1 + rng.integers(0, max(1, k - 1), rows)) % k
    named = np.array(labels, dtype=object)
    return named[truth], named[np.where(hard < champion, truth, wrong)], named[np.where(own < challenger, truth, wrong)]


def measured(rows: int = 3_000, champion: float = 60.0, challenger: float = 50.0) -> Columns:
    """Rents, and what two models of about these errors say."""
    rng = np.random.default_rng(3)
    truth, shared = np.round(rng.gamma(6.0, 150.0, rows) + 250, 1), rng.normal(size=rows)
    said = [truth + scale * (0.7 * shared + 0.7 * rng.normal(size=rows)) for scale in (champion, challenger)]
    return truth, said[0], said[1]


def observed(it: Traffic) -> ComparisonRecord:
    """Evaluate made-up traffic as the real one is, and put it on record."""
    make = {
        ("classification", "shadow"): _pairs,
        ("classification", "split"): _arms,
        ("regression", "shadow"): _paired_errors,
        ("regression", "split"): _arm_errors,
    }[it.policy.task, it.mode]
    evaluation, path, outcomes, arms = make(it)
    evaluation = replace(evaluation, live=_reading(it, evaluation, path))
    return ComparisonRecord.of(
        model_name="rents" if it.policy.task == "regression" else "spam",
        champion=ComparedModel(ref="version 1", version=1, run_id=None, uri=None),
        challenger=ComparedModel(ref="version 2", version=2, run_id=None, uri=None),
        data=ComparedData(path=f"live traffic of {it.name}", n=len(it.columns[0]), digest=None, target=None),
        settings=ComparisonSettings(
            average="macro", pos_label=None, label_type=None, resamples=400, seed=0, batch_size=None,
            drop_unlabelled=False, policy=it.policy,
        ),
        outcomes=outcomes,
        evaluation=evaluation,
        decision=decide(evaluation, it.policy),
        provenance=Provenance(
            abtest_version="0.0.0", python_version="3.11.0", libraries={"numpy": "2.0.0"},
            registry="postgresql://me:hunter2@db/mlflow", git_commit=None,
            command="abtest experiment analyze spam-2", policy_digest=it.policy.digest,
        ),
        arms=arms,
        created_at=START + it.span,
    )  # fmt: skip


Made = tuple["Evaluation", "Path | None", "PairedOutcomes | None", "tuple[PairedOutcomes, PairedOutcomes] | None"]


def _pairs(it: Traffic) -> Made:
    y, a, b = it.columns
    outcomes = PairedOutcomes.from_predictions(y.tolist(), a.tolist(), b.tolist())
    if it.looking == "fixed":
        return evaluate(outcomes, it.policy, resamples=400), None, outcomes, None
    grown = _grown(it, outcomes.labels, 2 * (a != y) + (b != y), 4)
    return *evaluate_pairs(outcomes, grown, it.policy, tuning=it.tuning), outcomes, None


def _arms(it: Traffic) -> Made:
    y, *sides = it.columns
    labels: tuple[Label, ...] = tuple(sorted({*y.tolist(), *sides[0].tolist(), *sides[1].tolist()}))
    tables, grown = [], []
    for said, of in zip(sides, (~it.mine, it.mine), strict=True):
        rows = zip(y[of].tolist(), said[of].tolist(), said[of].tolist(), strict=True)
        tables.append(PairedOutcomes.from_counts(Counter(rows), labels=labels))
        counts = _grown(it, labels, np.where(of, said != y, 2), 3)[..., :2]
        grown.append(np.stack([counts[..., 0], counts.sum(axis=-1)], axis=-1))
    arms = Arms(champion=tables[0], challenger=tables[1], by_look=(grown[0], grown[1]))
    tuning = it.tuning if it.looking == "anytime" else None
    return *evaluate_arms(arms, it.policy, tuning=tuning), None, (tables[0], tables[1])


def _paired_errors(it: Traffic) -> Made:
    y, a, b = it.columns
    errors = known(tally_columns(y, a, b, task="regression").errors)
    differences = by_look(np.square(b - y) - np.square(a - y), it.look, LOOKS)
    return *evaluate_paired_errors(errors, differences, it.policy, tuning=it.tuning), None, None


def _arm_errors(it: Traffic) -> Made:
    y, *sides = it.columns
    found = [
        ArmErrors(
            outcomes=RegressionOutcomes.of(y[of], said[of], said[of], {}),
            squared=by_look(np.square(said[of] - y[of]), it.look[of], LOOKS),
        )
        for said, of in zip(sides, (~it.mine, it.mine), strict=True)
    ]
    return *evaluate_arm_errors(found[0], found[1], it.policy, tuning=it.tuning), None, None


def _grown(it: Traffic, labels: Sequence[Label], kind: npt.NDArray[np.integer], kinds: int) -> npt.NDArray[np.int64]:
    """Count units of each kind by each look and label of the truth."""
    index = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((LOOKS, len(labels), kinds), dtype=np.int64)
    of = np.array([index[label] for label in it.columns[0].tolist()], dtype=np.int64)
    np.add.at(counts, (it.look, of, kind.astype(np.int64)), 1)
    return counts.cumsum(axis=0)


def _reading(it: Traffic, evaluation: Evaluation, path: Path | None) -> LiveReading:
    y, *sides = it.columns
    regression, row = it.policy.task == "regression", evaluation.tested
    arms: list[ArmReading] = []
    names: tuple[Side, ...] = ("champion", "challenger")
    for i, (name, said) in enumerate(zip(names, sides, strict=True)):
        of = np.ones(len(y), dtype=bool) if it.mode == "shadow" else (~it.mine, it.mine)[i]
        n = int(of.sum())
        score = np.square(said - y) if regression else said == y
        arms.append(
            ArmReading(
                arm=name, version=i + 1, exposed=round(1.1 * n), predictions=3 * n, failed=i * (not regression),
                dropped=it.dropped * i * (it.mode == "shadow"), mature=round(n / it.labelled[i]), labelled=n,
                corrected=12, analysed=n, value=float(score[of].mean()), seconds=(0.00021, 0.0015)[i],
            )
        )  # fmt: skip
    begins = [(0.0, "running", 0.05), (0.2, "running", 0.25)] + [(0.97, it.state, 0.0)] * (it.state != "running")
    turns = [
        Turn(at=START + it.span * at, epoch=i, state=state, inclusion=inclusion)
        for i, (at, state, inclusion) in enumerate(begins, start=1)
    ]
    moments = [START + it.span * (i + 1) / LOOKS for i in range(LOOKS)]
    coverage = checks.label_coverage(*((arm.labelled, arm.mature) for arm in arms), planned_n=it.planned_n)
    drops = checks.shadow_drops((int(0.9 * len(y)), len(y)), (int(0.9 * it.dropped), it.dropped), planned_n=None)
    ratio = checks.sample_ratio(arms[0].exposed, arms[1].exposed, it.share)
    once = Look(
        at=moments[-1], n=row.n, log_better=None, log_worse=None, effect=row.effect,
        ci_lower=row.ci_lower, ci_upper=row.ci_upper,
    )  # fmt: skip
    return LiveReading(
        experiment=it.name, mode=it.mode, looking=it.looking, epoch=len(turns), state=it.state,
        inclusion=turns[-1].inclusion, challenger_share=it.share, planned_n=it.planned_n, planned_discordant=None,
        horizon=86_400.0, started_at=START, until=START + it.span, arms=(arms[0], arms[1]),
        looks=path.looks(moments, it.tuning) if path else (once,),
        log_better=None if path is None or path.better is None else float(path.better[-1]),
        log_worse=None if path is None or path.worse is None else float(path.worse[-1]),
        pvalue=row.pvalue, pvalue_worse=path.pvalue_worse(it.tuning) if path else None, rollback_alpha=0.05,
        test=row.test, checks=(drops,) if it.mode == "shadow" else (ratio, coverage), waiting=3,
        turns=tuple(turns),
    )  # fmt: skip


_RENTS = Policy(primary="rmse")
_THIRTY = [f"class {i:02d}" for i in range(30)]
_HOSTILE = f"{SCRIPT}\x00 | $(x)"
_TRAFFIC = {
    "shadow_better": Traffic(columns=classified(6_000, 0.87, 0.887), mode="shadow"),
    "shadow_unsure": Traffic(columns=classified(2_000, 0.9, 0.9), mode="shadow", span=timedelta(days=3, hours=5)),
    "shadow_harm": Traffic(
        columns=classified(1_500, 0.9, 0.86), mode="shadow", span=timedelta(hours=7, minutes=20), state="rolled back"
    ),
    "shadow_fresh": Traffic(
        columns=classified(90, 0.9, 0.93), mode="shadow", span=timedelta(minutes=11), dropped=0, planned_n=None
    ),
    "shadow_many": Traffic(
        columns=classified(9_000, 0.8, 0.83, labels=_THIRTY), mode="shadow", span=timedelta(days=400), state="stopped"
    ),
    "shadow_hostile": Traffic(columns=classified(900, 0.7, 0.9, labels=HOSTILE), mode="shadow", name=_HOSTILE),
    "shadow_once": Traffic(columns=classified(6_000, 0.87, 0.887), mode="shadow", looking="fixed", planned_n=6_000),
    "shadow_measured": Traffic(columns=measured(), mode="shadow", policy=_RENTS),
    "split_better": Traffic(columns=classified(12_000, 0.87, 0.895), mode="split", name="spam-3"),
    "split_unsure": Traffic(
        columns=classified(4_000, 0.9, 0.9), mode="split", span=timedelta(days=2), share=0.1, state="paused"
    ),
    "split_mismatch": Traffic(
        columns=classified(12_000, 0.87, 0.895), mode="split", served=0.44, labelled=(0.96, 0.8), name="spam-3"
    ),
    "split_worse": Traffic(columns=classified(9_000, 0.9, 0.86), mode="split", span=timedelta(days=64)),
    "split_hostile": Traffic(columns=classified(900, 0.7, 0.9, labels=HOSTILE), mode="split", name=_HOSTILE),
    "split_many": Traffic(columns=classified(9_000, 0.8, 0.83, labels=_THIRTY), mode="split"),
    "split_once": Traffic(columns=classified(12_000, 0.87, 0.895), mode="split", looking="fixed"),
    "split_measured": Traffic(columns=measured(6_000), mode="split", policy=_RENTS),
}
SITUATIONS: dict[str, Callable[[], ComparisonRecord]] = {
    name: cache(lambda it=it: observed(it)) for name, it in _TRAFFIC.items()
}
