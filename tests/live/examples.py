"""Comparisons of live traffic in every situation a report has to tell, made without a server, a store or a registry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from abtest.decision import Decision, Reason, Verdict, decide
from abtest.evaluator.live import ArmReading, Check, LiveReading, Look, Turn
from abtest.evaluator.rows import ClassRow, MetricRow
from abtest.outcomes import Contingency
from abtest.policy import Policy
from abtest.record import ComparisonRecord, Confusion
from abtest.stats.moments import Moments
from abtest.stats.sequences import ConfidenceSequence, MeanDifference
from abtest.stats.sequential import anytime_pvalue, log_evidence_by_look
from tests.examples import HOSTILE, SCRIPT, record
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from abtest.labels import Side

START = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
LOOKS = 120
_WEEKS = timedelta(days=16, hours=7)
_SHARE = 0.5
Columns = tuple["npt.NDArray[np.object_]", "npt.NDArray[np.object_]", "npt.NDArray[np.object_]"]


def classified(
    rows: int, champion: float, challenger: float, *, labels: Sequence[str] = ("ham", "spam"), seed: int = 1
) -> Columns:
    """Truth and what both sides say: about these accuracies, right on many of the same rows."""
    rng = np.random.default_rng(seed)
    k = len(labels)
    truth, hard = rng.integers(0, k, rows), rng.random(rows)
    own = np.where(rng.random(rows) < 0.75, hard, rng.random(rows))
    wrong = (truth + 1 + rng.integers(0, max(1, k - 1), rows)) % k
    named = np.array(labels, dtype=object)
    sides = np.where(hard < champion, truth, wrong), np.where(own < challenger, truth, wrong)
    return named[truth], named[sides[0]], named[sides[1]]


def shadow(
    rows: int = 6_000,
    champion: float = 0.87,
    challenger: float = 0.9,
    *,
    columns: Columns | None = None,
    name: str = "spam-2",
    span: timedelta = _WEEKS,
    state: str = "running",
    checks: Sequence[Check] = (),
    dropped: int = 37,
    policy: Policy | None = None,
) -> ComparisonRecord:
    """Pairs of one request each, all labelled; looked at as they came in."""
    y, a, b = columns or classified(rows, champion, challenger)
    paired = record(
        y.tolist(), a.tolist(), b.tolist(), policy=policy or Policy(), command=f"abtest experiment analyze {name}"
    )
    right = a == y, b == y
    counts = _by_look(len(y))
    only = (right[0] & ~right[1]).cumsum()[counts - 1], (right[1] & ~right[0]).cumsum()[counts - 1]
    logs = [log_evidence_by_look(*only, a=7.4, alternative=direction).tolist() for direction in ("greater", "less")]
    sequence = ConfidenceSequence(planned_n=len(y))
    looks = []
    for i, n in enumerate(counts.tolist()):
        table = Contingency(
            both=0,
            champion_only=int(only[0][i]),
            challenger_only=int(only[1][i]),
            neither=n - int(only[0][i] + only[1][i]),
        )
        at = MeanDifference.of_pairs(table)
        looks.append(_look(i, span, n, at, sequence, logs[0][i], logs[1][i]))
    worse, better = anytime_pvalue(logs[1]), anytime_pvalue(logs[0])
    arms = tuple(
        _arm(side, len(y), float(found.mean()), dropped=dropped if side == "challenger" else 0)
        for side, found in zip(("champion", "challenger"), right, strict=True)
    )
    reading = _reading(
        name, "shadow", looks, arms, span=span, state=state, checks=(Check(
            name="label coverage", held=True, log_evidence=-1.2, pvalue=1.0, text="Labels came in for 96.0 % of the requests."),
            Check(name="shadow drops", held=True, log_evidence=None, pvalue=0.42,
            text="The champion is right as often on the 37 requests that the shadow dropped (p = 0.420)."), *checks),
        pvalue=min(1.0, 2 * min(worse, better)), worse=worse, test="the e-process of discordant pairs", logs=(logs[0][-1], logs[1][-1]),
    )  # fmt: skip
    rows_ = tuple(_anytime(row, looks[-1], reading) if row.metric == "accuracy" else row for row in paired.metrics)
    return _with(replace(paired, metrics=rows_, mcnemar=None, power=None), reading)


def split(
    rows: int = 8_000,
    champion: float = 0.87,
    challenger: float = 0.895,
    *,
    columns: Columns | None = None,
    name: str = "spam-3",
    span: timedelta = _WEEKS,
    state: str = "running",
    share: float = _SHARE,
    checks: Sequence[Check] = (),
    seed: int = 5,
    policy: Policy | None = None,
) -> ComparisonRecord:
    """Units of two arms, each served by one side."""
    y, a, b = columns or classified(rows, champion, challenger, seed=seed)
    mine = np.random.default_rng(seed).random(len(y)) < share
    parts = [
        record(
            y[of].tolist(),
            said[of].tolist(),
            said[of].tolist(),
            policy=policy or Policy(),
            path=name,
            command=f"abtest experiment analyze {name}",
        )
        for of, said in ((~mine, a), (mine, b))
    ]
    right, sequence = np.where(mine, b == y, a == y), ConfidenceSequence(planned_n=2 * len(y))
    looks, found = [], None
    for i, n in enumerate(_by_look(len(y)).tolist()):
        arms_ = [(int(right[:n][of[:n]].sum()), int(of[:n].sum())) for of in (~mine, mine)]
        found = MeanDifference.of_rates(champion=arms_[0], challenger=arms_[1])
        looks.append(_look(i, span, n, found, sequence, None, None))
    arms = tuple(
        _arm(side, int(of.sum()), float(right[of].mean())) for side, of in (("champion", ~mine), ("challenger", mine))
    )
    text = f"{arms[0].exposed:,} units to the champion, {arms[1].exposed:,} to the challenger, as planned."
    reading = _reading(
        name, "split", looks, arms, span=span, state=state, checks=(checks or (Check(name="sample ratio", held=True, log_evidence=-2.9, pvalue=1.0, text=text), Check(
            name="label coverage", held=True, log_evidence=-1.2, pvalue=1.0, text="Labels came in alike: 96.0 % and 96.0 %."))),
        pvalue=sequence.pvalue(known(found)), worse=sequence.pvalue(known(found), alternative="less"),
        test="the asymptotic confidence sequence of two proportions", share=share,
    )  # fmt: skip
    tables = [known(part.outcomes) for part in parts]
    labels = tuple(sorted({*tables[0].labels, *tables[1].labels}, key=str))
    metrics = tuple(_joined(one, other) for one, other in zip(parts[0].metrics, parts[1].metrics, strict=True))
    by_class = tuple(
        ClassRow(class_=one.class_, **_fields(_joined(one, other)))
        for one, other in zip(parts[0].per_class, parts[1].per_class, strict=True)
    )
    return _with(
        replace(
            parts[0],
            metrics=tuple(_anytime(row, looks[-1], reading) if row.metric == "accuracy" else row for row in metrics),
            per_class=by_class,
            data=replace(parts[0].data, n=len(y)),
            outcomes=None,
            contingency=None,
            mcnemar=None,
            power=None,
            bayes=None,
            confusion=Confusion.of(labels, *(table.confusion("champion") for table in tables)),
        ),
        reading,
    )


def _by_look(n: int) -> npt.NDArray[np.int64]:
    """How many are known by each look: few at first, as labels are late."""
    return np.maximum(1, (n * np.linspace(0.02, 1, LOOKS) ** 1.3)).astype(np.int64)


def _look(
    i: int,
    span: timedelta,
    n: int,
    at: MeanDifference,
    sequence: ConfidenceSequence,
    better: float | None,
    worse: float | None,
) -> Look:
    interval = sequence.interval(at)
    return Look(
        at=START + span * (i + 1) / LOOKS, n=n, log_better=better, log_worse=worse, effect=at.effect,
        ci_lower=interval.lower if interval else None, ci_upper=interval.upper if interval else None,
    )  # fmt: skip


def _arm(arm: Side, n: int, value: float, *, dropped: int = 0) -> ArmReading:
    return ArmReading(
        arm=arm, version=1 if arm == "champion" else 2, exposed=n + 260, predictions=3 * n, failed=4, dropped=dropped,
        mature=round(n / 0.96), labelled=n, corrected=12, analysed=n, value=value,
        seconds=0.00021 if arm == "champion" else 0.0015,
    )  # fmt: skip


def _reading(
    name: str, mode: str, looks: Sequence[Look], arms: tuple[ArmReading, ...], *, span: timedelta, state: str,
    checks: Sequence[Check], pvalue: float | None, worse: float | None, test: str, share: float = 1.0,
    logs: tuple[float | None, float | None] = (None, None),
) -> LiveReading:  # fmt: skip
    begins = [(0.0, "running", 0.05), (0.2, "running", 0.25)] + ([] if state == "running" else [(0.97, state, 0.0)])
    turns = tuple(
        Turn(at=START + span * share_, epoch=i, state=what, inclusion=part)
        for i, (share_, what, part) in enumerate(begins, start=1)
    )
    return LiveReading(
        experiment=name, mode=mode, looking="anytime", epoch=len(turns), state=state, inclusion=turns[-1].inclusion,  # type: ignore[arg-type] # one of two
        challenger_share=share, planned_n=12_000, planned_discordant=None, horizon=86_400.0, started_at=START,
        until=START + span, arms=(arms[0], arms[1]), looks=tuple(looks), log_better=logs[0], log_worse=logs[1],
        pvalue=pvalue, pvalue_worse=worse, rollback_alpha=0.05, test=test, checks=tuple(checks), waiting=3, turns=turns,
    )  # fmt: skip


def _fields(row: MetricRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in MetricRow.__dataclass_fields__}


def _joined(champion: MetricRow, challenger: MetricRow) -> MetricRow:
    """One metric of two arms: without an interval, but for accuracy."""
    effect = challenger.champion - champion.champion
    row = MetricRow(**_fields(champion))  # type: ignore[arg-type] # its own fields
    return replace(
        row, challenger=challenger.champion, effect=effect, improvement=effect, n=champion.n + challenger.n,
        rel_effect=effect / champion.champion if champion.champion else None, ci_lower=None, ci_upper=None,
        ci_method="not estimable", test="none", statistic=None, pvalue=None, pvalue_adjusted=None,
    )  # fmt: skip


def _anytime(row: MetricRow, look: Look, reading: LiveReading) -> MetricRow:
    return replace(
        row, ci_lower=look.ci_lower, ci_upper=look.ci_upper, pvalue=reading.pvalue, statistic=None,
        ci_method="anytime" if look.ci_lower is not None else "before burn-in", test="anytime",
    )  # fmt: skip


def _with(found: ComparisonRecord, reading: LiveReading) -> ComparisonRecord:
    """Put a reading on record, and decide: a check that fails stops every verdict."""
    live = replace(found, live=reading)
    decision = decide(live.evaluation, live.settings.policy)
    failed = [check for check in reading.checks if not check.held]
    if failed and decision.verdict is not Verdict.INSUFFICIENT_EVIDENCE:
        stops = tuple(
            Reason(rule="experiment", value=check.pvalue, operator=">=", bound=0.001, held=False, text=check.text)
            for check in failed
        )
        decision = Decision(
            verdict=Verdict.INSUFFICIENT_EVIDENCE, by_rule=decision.by_rule, reasons=(*decision.reasons, *stops)
        )
    return replace(live, decision=decision)


def measured(
    mode: str = "shadow", rows: int = 3_000, champion: float = 60.0, challenger: float = 52.0
) -> ComparisonRecord:
    """Rents by two models of about these errors: of pairs, or of two arms."""
    rng = np.random.default_rng(3)
    truth = np.round(rng.gamma(6.0, 150.0, rows) + 250, 1)
    shared = rng.normal(size=rows)
    said = [truth + scale * (0.7 * shared + 0.7 * rng.normal(size=rows)) for scale in (champion, challenger)]
    mine = rng.random(rows) < _SHARE if mode == "split" else np.ones(rows, dtype=bool)
    apart = mode == "split"
    losses = (said[0] - truth) ** 2, (said[1] - truth) ** 2
    sequence, looks = ConfidenceSequence(planned_n=rows), []
    for i, n in enumerate(_by_look(rows).tolist()):
        if apart:
            own = Moments.of(losses[0][:n][~mine[:n]]), Moments.of(losses[1][:n][mine[:n]])
            at = MeanDifference.of_means(champion=own[0], challenger=own[1])
        else:
            at = MeanDifference.of_differences(Moments.of(losses[1][:n] - losses[0][:n]))
        looks.append(_look(i, _WEEKS, n, at, sequence, None, None))
    policy = Policy(primary="rmse")
    parts = [
        record(
            truth[of].tolist(), one[of].tolist(), other[of].tolist(), policy=policy, model_name="rents", target="rent"
        )
        for of, one, other in (((~mine, said[0], said[0]), (mine, said[1], said[1])) if apart else ((mine, *said),))
    ]
    arms = tuple(
        _arm(side, int(of.sum()), float(loss[of].mean()))
        for side, of, loss in (("champion", ~mine if apart else mine, losses[0]), ("challenger", mine, losses[1]))
    )
    reading = _reading(
        "rents-2", mode, looks, arms, span=_WEEKS, state="running", checks=(), pvalue=sequence.pvalue(at),
        worse=sequence.pvalue(at, alternative="greater"), test="the asymptotic confidence sequence of two means",
        share=_SHARE if apart else 1.0,
    )  # fmt: skip
    metrics = parts[0].metrics if not apart else tuple(
        replace(_joined(one, other), improvement=one.champion - other.champion)
        for one, other in zip(parts[0].metrics, parts[1].metrics, strict=True)
    )  # fmt: skip
    metrics = tuple(
        replace(row, pvalue=reading.pvalue, test="anytime", ci_lower=None, ci_upper=None, ci_method="not estimable", statistic=None)
        if row.metric == "rmse" else row
        for row in metrics
    )  # fmt: skip
    found = replace(parts[0], metrics=metrics, power=None, data=replace(parts[0].data, n=rows))
    return _with(replace(found, errors=None, bayes=None) if apart else found, reading)


_MISMATCH = Check(
    name="sample ratio", held=False, log_evidence=14.1, pvalue=7.6e-07,
    text="Units are not split as planned: 4,490 to the champion and 3,510 to the challenger, where 4,000 each were "
    "planned (p < 0.001).",
)  # fmt: skip


def shadow_better() -> ComparisonRecord:
    """Weeks of pairs; the challenger is better: PROMOTE."""
    return shadow()


def shadow_unsure() -> ComparisonRecord:
    """Some days of pairs, about equal."""
    return shadow(2_000, 0.9, 0.9, span=timedelta(days=3, hours=5))


def shadow_harm() -> ComparisonRecord:
    """Hours of pairs; the challenger is worse, and was rolled back."""
    return shadow(1_500, 0.9, 0.85, span=timedelta(hours=7, minutes=20), state="rolled back")


def shadow_fresh() -> ComparisonRecord:
    """Minutes of pairs: no interval yet."""
    return shadow(90, 0.9, 0.93, span=timedelta(minutes=11), dropped=0)


def shadow_many() -> ComparisonRecord:
    """A year of thirty classes, stopped."""
    labels = [f"class {i:02d}" for i in range(30)]
    columns = classified(9_000, 0.8, 0.83, labels=labels)
    return shadow(columns=columns, span=timedelta(days=400), state="stopped", name="classes-1")


def shadow_hostile() -> ComparisonRecord:
    """Names and labels that would be markup."""
    return shadow(
        columns=classified(900, 0.7, 0.9, labels=HOSTILE), name=f"{SCRIPT}\x00 | $(x)", span=timedelta(hours=2)
    )


def split_better() -> ComparisonRecord:
    """Weeks of two arms; the challenger is better: PROMOTE."""
    return split()


def split_unsure() -> ComparisonRecord:
    """A tenth of the units go to the challenger, about equal, and both paused."""
    return split(4_000, 0.9, 0.9, span=timedelta(days=2), share=0.1, state="paused")


def split_mismatch() -> ComparisonRecord:
    """Units are not split as planned."""
    return split(share=0.44, checks=(_MISMATCH,))


def split_worse() -> ComparisonRecord:
    """Two months in which the challenger is worse."""
    return split(9_000, 0.9, 0.86, span=timedelta(days=64))


def split_hostile() -> ComparisonRecord:
    """Names and labels that would be markup."""
    return split(
        columns=classified(900, 0.7, 0.9, labels=HOSTILE), name=f"{SCRIPT}\x00 | $(x)", span=timedelta(hours=2)
    )


def split_many() -> ComparisonRecord:
    """Thirty classes."""
    return split(columns=classified(9_000, 0.8, 0.83, labels=[f"class {i:02d}" for i in range(30)]), name="classes-2")


def shadow_measured() -> ComparisonRecord:
    """A regression, of pairs."""
    return measured()


def split_measured() -> ComparisonRecord:
    """A regression, of two arms."""
    return measured("split")


SITUATIONS: dict[str, Callable[[], ComparisonRecord]] = {
    function.__name__: cache(function)
    for function in (
        shadow_better,
        shadow_unsure,
        shadow_harm,
        shadow_fresh,
        shadow_many,
        shadow_hostile,
        shadow_measured,
        split_better,
        split_unsure,
        split_mismatch,
        split_worse,
        split_hostile,
        split_many,
        split_measured,
    )
}
