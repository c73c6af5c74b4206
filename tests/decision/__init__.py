"""Decisions: what rules and guardrails make of an evaluation, and what is drawn to find out."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from abtest.decision import Decision, Reason, Verdict
from abtest.evaluator import BothSides, Evaluation, MetricRow, evaluate
from abtest.guardrail import MODES, SEVERITIES, Guardrail
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.policy import RULES, Policy
from tests import strategies as _profile  # noqa: F401 - it lets a busy machine take its time

if TYPE_CHECKING:
    from abtest.labels import Label

FAVOUR = [Verdict.KEEP_CHAMPION, Verdict.INSUFFICIENT_EVIDENCE, Verdict.CONDITIONAL, Verdict.PROMOTE]
LABELS = ("ham", "spam", "eggs")
REGIONS = ("EU", "US", "Asia")
COSTS = {"ham": {"spam": 2.1, "eggs": 0.3}, "spam": {"ham": 9.7, "eggs": 1.1}, "eggs": {"ham": 1.3, "spam": -0.7}}
QUALITY = ("accuracy", "precision", "recall", "f1", "cost")


def likely(row: MetricRow) -> tuple[float, float] | None:
    """The improvement's interval once more: that of the effect, turned round where less is better."""
    if row.ci_lower is None or row.ci_upper is None:
        return None
    return (-row.ci_upper, -row.ci_lower) if row.metric == "cost" else (row.ci_lower, row.ci_upper)


def rails(decision: Decision) -> tuple[Reason, ...]:
    """The reasons given by guardrails."""
    return tuple(reason for reason in decision.reasons if reason.rule == "guardrail")


def metric_row(metric: str, effect: float, **values: Any) -> MetricRow:
    """A row of metrics with this effect, and an interval of a tenth to either side unless told otherwise."""
    given: dict[str, Any] = {
        "ci_lower": effect - 0.1,
        "ci_upper": effect + 0.1,
        "ci_method": "made",
        "pvalue": None,
        "n": 100,
    }
    sign = -1 if metric == "cost" else 1
    return MetricRow(
        metric=metric,
        champion=0.5,
        challenger=0.5 + effect,
        effect=effect,
        rel_effect=effect / 0.5,
        improvement=sign * effect,
        greater_is_better=metric != "cost",
        test="made",
        statistic=None,
        pvalue_adjusted=None,
        **(given | values),
    )


def table_of(contingency: Contingency) -> PairedOutcomes:
    """Paired outcomes over two labels with these counts of correctness."""
    counts: dict[tuple[Label, Label, Label], int] = {
        (1, 1, 1): contingency.both,
        (1, 1, 0): contingency.champion_only,
        (1, 0, 1): contingency.challenger_only,
        (1, 0, 0): contingency.neither,
    }
    return PairedOutcomes.from_counts(counts)


def random_table(seed: int) -> PairedOutcomes:
    """A table of one to three labels in one to three regions, from a handful of rows to thousands, sparse or full."""
    rng = np.random.default_rng(seed)
    labels, regions = LABELS[: rng.integers(1, 4)], REGIONS[: rng.integers(1, 4)]
    most, right = int(rng.choice([2, 20, 400])), rng.uniform(0.3, 1, 2)
    whole: Counter[tuple[Label, Label, Label]] = Counter()
    own: dict[tuple[str, str], Counter[tuple[Label, Label, Label]]] = {}
    for region in sorted(regions):
        counts: Counter[tuple[Label, Label, Label]] = Counter()
        for y in labels:
            for _ in range(rng.integers(1, 9)):
                a, b = (y if rng.random() < share else str(rng.choice(labels)) for share in right)
                counts[y, a, b] += int(rng.integers(1, most + 1))
        whole.update(counts)
        own["region", region] = counts
    return PairedOutcomes.from_counts(whole, own)


@cache
def evaluated(seed: int, confidence: float, *, swapped: bool = False) -> Evaluation:
    """A random table evaluated, once: rules and guardrails are drawn many times over it."""
    table = random_table(seed)
    policy = Policy(confidence=confidence, costs=COSTS)
    return evaluate(table.swapped() if swapped else table, policy, resamples=100)


SEEDS = st.integers(0, 39)
CONFIDENCES = (0.8, 0.95)


margins = st.sampled_from([0.001, 0.01, 0.02, 0.05, 0.1, 0.3, 0.9])
severities = st.sampled_from([None, *SEVERITIES])
classes = st.sampled_from([*LABELS, "*", "smap", 7])
segments = st.sampled_from(["region", *(f"region = {name}" for name in REGIONS), "region=UE", "device"])


@st.composite
def guardrails(draw: st.DrawFn) -> Guardrail:
    """Guardrails of every kind, mode and severity; on what is there, and on what is not."""
    kind = draw(st.sampled_from(["quality", "quality", "quality", "rows", "latency", "size", "error_rate"]))
    if kind in ("latency", "size", "error_rate"):
        return Guardrail(metric=kind, margin=draw(margins | st.just(0.0)), severity=draw(severities))
    metric = kind if kind == "rows" else draw(st.sampled_from(QUALITY))
    place: dict[str, Any] = draw(
        st.one_of(
            st.just({}),
            st.builds(lambda name: {"segment": name}, segments),
            st.just({}) if metric == "accuracy" else st.builds(lambda name: {"class_": name}, classes),
        )
    )
    if kind == "rows":
        return Guardrail(metric="rows", minimum=draw(st.integers(1, 600)), severity=draw(severities), **place)
    mode = draw(st.sampled_from(MODES))
    margin = draw(margins | st.just(0.0)) if mode == "not-proved-worse" else draw(margins)
    return Guardrail(metric=metric, mode=mode, margin=margin, severity=draw(severities), **place)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies of every rule, without guardrails; cost is among their metrics."""
    rule = draw(st.sampled_from(RULES))
    margin = draw(margins if rule == "non-inferior" else margins | st.none())
    return Policy(
        rule=rule,
        primary=draw(st.sampled_from(QUALITY)) if rule != "share" else "accuracy",
        margin=margin,
        confidence=draw(st.sampled_from(CONFIDENCES)),
        costs=COSTS,
    )


footprints = st.one_of(
    st.none(),
    st.builds(BothSides, champion=st.sampled_from([0.0, 1.0, 100.0]), challenger=st.floats(0, 300)),
)
