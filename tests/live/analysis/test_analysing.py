"""From the log to a verdict: a real store on SQLite, traffic as servers log it, and a real registry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import special

from abtest import workflow
from abtest.decision import Verdict, decide
from abtest.errors import InvalidInputError, NotApplicableError, NotFoundError, RefusedError, StaleChampionError
from abtest.evaluator.live import Check
from abtest.guardrail import Guardrail
from abtest.live.analysis.analysing import analyse, look, rollback
from abtest.live.experiment import Epoch, State
from abtest.live.log import Feedback
from abtest.live.store import Store
from abtest.policy import Policy
from abtest.record import ComparisonRecord
from abtest.registry import RegistryClient
from tests.known import known
from tests.live.traffic import SERVER, START, feed, pairs_of, plan, shadow, split, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from abtest.comparison import Comparison
    from abtest.evaluator import MetricRow
    from abtest.lifecycle import Registry
    from abtest.live.experiment import Experiment
    from tests.databases import Store as Database
    from tests.live.traffic import Served, Triple

ROWS = 600
BETTER = pairs_of(ROWS, right=(0.75, 0.9), seed=3)


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path / 'live.db'}") as log:
        yield log


def started(log: Store, **values: Any) -> Experiment:
    """An experiment that runs."""
    experiment = plan(**values)
    log.start(experiment, inclusion=1.0, why="to see")
    return experiment


def halved(rows: Sequence[Triple], *, seed: int = 0, share: float = 0.5) -> list[Served]:
    """The same rows, each served by one side."""
    own = np.random.default_rng(seed).random(len(rows)) < share
    return [
        ("challenger", truth, theirs) if mine else ("champion", truth, ours)
        for (truth, ours, theirs), mine in zip(rows, own.tolist(), strict=True)
    ]


def values(rows: Sequence[MetricRow]) -> list[tuple[Any, ...]]:
    """What a row measures, and nothing inferred."""
    kept = ("metric", "champion", "challenger", "effect", "rel_effect", "improvement", "n", "greater_is_better")
    return [(*(getattr(row, name) for name in kept), getattr(row, "class_", None)) for row in rows]


def offline(rows: Sequence[Triple], policy: Policy | None = None) -> Comparison:
    """The same rows compared offline."""
    truth, champion, challenger = zip(*rows, strict=True)
    return workflow.compare_predictions(truth, champion, challenger, policy=policy, resamples=100)


# Shadow


def test_shadow_has_the_values_of_any_comparison(log: Store) -> None:
    """Metrics, classes, contingency and outcomes of a shadow are those of `compare_predictions` on the same rows."""
    shadow(log, started(log), BETTER)
    ours, theirs = analyse(log, "spring", until=until(ROWS)), offline(BETTER)
    assert values(ours.record.metrics) == values(theirs.record.metrics)
    assert values(ours.record.per_class) == values(theirs.record.per_class)
    assert ours.outcomes == theirs.outcomes
    assert ours.contingency == theirs.contingency
    assert ours.record.confusion == theirs.record.confusion
    assert ours.record.counted == theirs.record.counted


def test_a_better_challenger_is_promoted_by_evidence_valid_at_every_look(log: Store) -> None:
    """The p-value is twice the inverse of the greatest evidence; nothing is told that looking voids."""
    shadow(log, started(log), BETTER)
    found = analyse(log, "spring", until=until(ROWS))
    live, row = known(found.record.live), found.record.evaluation.tested
    assert found.verdict is Verdict.PROMOTE
    assert "evidence that may be looked at any time" in found.decision.reason("significance").text
    greatest = max(known(look_.log_better) for look_ in live.looks)
    assert row.pvalue == live.pvalue == pytest.approx(min(1.0, 2 * np.exp(-max(greatest, 0.0))), rel=1e-12)
    assert row.ci_lower is not None
    assert row.ci_method == "confidence sequence"
    assert (live.looks[-1].ci_lower, live.looks[-1].ci_upper, live.looks[-1].n) == (row.ci_lower, row.ci_upper, ROWS)
    assert (found.record.mcnemar, found.record.power, found.record.bayes) == (None, None, None)
    for other in found.record.metrics[1:]:
        assert (other.ci_lower, other.pvalue, other.test) == (None, None, "none")
    recalls = [row for row in found.record.per_class if row.metric == "recall"]
    assert all(row.pvalue is not None and row.pvalue_adjusted is not None for row in recalls)
    assert ComparisonRecord.from_dict(found.to_dict()) == found.record
    assert decide(found.record.evaluation, found.record.settings.policy) == found.decision


def test_the_evidence_is_the_beta_binomial_mixture(log: Store) -> None:
    """Log E is the mixture's odds over half the parameters, integrated here by its closed form in another way."""
    shadow(log, started(log), BETTER)
    found = analyse(log, "spring", until=until(ROWS))
    table, live = found.contingency, known(found.record.live)
    b, c = table.champion_only, table.challenger_only
    p = (np.arange(200_000) + 0.5) / 400_000 + 0.5  # the midpoint rule over (1/2, 1), where the challenger is better
    logs = special.xlogy(c, p) + special.xlog1py(b, -p) + (b + c) * np.log(2)
    assert known(live.log_better) == pytest.approx(special.logsumexp(logs) - np.log(200_000), abs=1e-6)


def test_guardrails_that_need_an_interval_fail_closed(log: Store) -> None:
    """F1 has no interval that stays valid, so a guardrail on it blocks; on accuracy it holds."""
    rails = (Guardrail(metric="f1", margin=0.5), Guardrail(metric="accuracy", margin=0.5))
    shadow(log, started(log, policy=Policy(guardrails=rails)), BETTER)
    found = analyse(log, "spring", until=until(ROWS))
    f1, accuracy = (reason for reason in found.decision.reasons if reason.rule == "guardrail")
    assert (f1.held, f1.value, accuracy.held) == (False, None, True)
    assert f1.text.endswith("its interval is not known while one may look at any time.")
    assert (found.decision.by_rule, found.verdict) == (Verdict.PROMOTE, Verdict.INSUFFICIENT_EVIDENCE)


def test_failures_count_as_wrong(log: Store) -> None:
    """A prediction that failed is wrong, and none of the classes; the rows are those of a model that says so."""
    rows: list[Triple] = [(t, a, None if i % 20 == 0 else b) for i, (t, a, b) in enumerate(BETTER)]
    shadow(log, started(log), rows)
    found = analyse(log, "spring", until=until(ROWS))
    text = [(str(t), str(a), "(no prediction)" if b is None else str(b)) for t, a, b in rows]
    assert values(found.record.metrics) == values(offline(text).record.metrics)
    assert "30 of the challenger failed: they count as wrong" in found.record.notices[0]
    assert known(found.record.live).arms[1].error_rate == 30 / ROWS


@pytest.mark.parametrize("average", ["macro", "weighted", "binary"])
def test_failures_leave_two_classes_two(log: Store, average: Any) -> None:
    """Under average binary the greater label is the positive one, whether predictions failed or not."""
    rows = pairs_of(300, right=(0.8, 0.8), seed=5, classes=2)
    rows[7] = (rows[7][0], rows[7][1], None)
    shadow(log, started(log, average=average), rows)
    row = known(analyse(log, "spring", until=until(300)).record.evaluation.find("recall"))
    positive = [(t, b) for t, _, b in rows if t == 1]
    if average == "binary":
        assert row.challenger == pytest.approx(np.mean([t == b for t, b in positive]))


def test_labels_of_other_types_are_reconciled(log: Store) -> None:
    """Labels that come as text, of a CSV file, are the whole numbers that the models predict, and that is said."""
    shadow(log, started(log), [(str(truth), *sides) for truth, *sides in BETTER])  # type: ignore[misc] # three of them
    found = analyse(log, "spring", until=until(ROWS))
    assert values(found.record.metrics) == values(offline(BETTER).record.metrics)
    assert any("were cast from str to int" in notice for notice in found.record.notices)


def test_before_the_burn_in_nothing_is_estimable(log: Store) -> None:
    """With a hundred pairs there is no interval, and equal sides are INSUFFICIENT_EVIDENCE."""
    shadow(log, started(log), pairs_of(100, right=(0.8, 0.8), seed=2))
    found = analyse(log, "spring", until=until(100))
    row = found.record.evaluation.tested
    assert (row.ci_lower, row.ci_method) == (None, "not estimable yet")
    assert found.verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_rows_may_come_in_any_order_and_by_any_server(log: Store, tmp_path: Path) -> None:
    """Which server logged a row, and in what order rows were written, changes no number."""
    shadow(log, started(log), BETTER)
    with Store(f"sqlite:///{tmp_path / 'other.db'}") as other:
        experiment = started(other)
        order = np.random.default_rng(1).permutation(ROWS // 2).tolist()
        shadow(other, experiment, BETTER[ROWS // 2 :], first=ROWS // 2 + 1, server="b" * 16)
        shadow(other, experiment, BETTER[: ROWS // 2], order=order)
        ours, theirs = (analyse(it, "spring", until=until(ROWS)).record for it in (log, other))
    assert (ours.metrics, ours.per_class, ours.outcomes) == (theirs.metrics, theirs.per_class, theirs.outcomes)
    assert ours.live == theirs.live


def test_epochs_change_no_number(log: Store, tmp_path: Path) -> None:
    """The same traffic in one epoch or in three gives the same evidence."""
    shadow(log, started(log), BETTER)
    with Store(f"sqlite:///{tmp_path / 'other.db'}") as other:
        experiment = started(other)
        for number, first in enumerate((0, 100, 300), start=1):
            if number > 1:
                other.turn(_epoch(number, State.RUNNING))
            rows = BETTER[first : {0: 100, 100: 300, 300: ROWS}[first]]
            shadow(other, experiment, rows, first=first + 1, epoch=number)
        ours, theirs = (analyse(it, "spring", until=until(ROWS)).record for it in (log, other))
    assert (ours.metrics, ours.per_class, ours.decision) == (theirs.metrics, theirs.per_class, theirs.decision)
    assert known(ours.live).looks == known(theirs.live).looks


def test_later_corrections_change_nothing(log: Store) -> None:
    """What evidence has seen is not rewritten: a correction that comes after the horizon is counted, and no more."""
    shadow(log, started(log), BETTER)
    before = analyse(log, "spring", until=until(ROWS)).record
    labels = [Feedback(prediction_id=f"{SERVER}-{i}", label=(BETTER[i - 1][0] + 1) % 3) for i in range(1, 50)]  # type: ignore[operator] # a number
    feed(log, [(label, START.timestamp() + ROWS + 2) for label in labels])
    after = analyse(log, "spring", until=until(ROWS + 10)).record
    assert after.metrics == before.metrics
    assert known(after.live).arms[0].corrected == 49


def test_evidence_of_long_ago_promotes_nobody(log: Store) -> None:
    """A challenger that was significantly worse, and is a little better by now, is not significantly better."""
    worse: list[Triple] = [(1, 1, 0)] * 40
    better: list[Triple] = [(1, 0, 1)] * 50
    shadow(log, started(log), [*worse, *better])
    found = analyse(log, "spring", until=until(90))
    live = known(found.record.live)
    assert max(known(it.log_worse) for it in live.looks) > np.log(40)
    assert found.record.evaluation.tested.improved
    assert found.verdict is Verdict.INSUFFICIENT_EVIDENCE


def test_dropped_pairs_are_left_out(log: Store) -> None:
    """A shadow's row that was dropped is no pair, and is counted."""
    shadow(log, started(log), BETTER, dropped=range(0, ROWS, 3))
    found = analyse(log, "spring", until=until(ROWS)).record
    assert found.data.n == ROWS - ROWS // 3
    assert values(found.metrics) == values(offline([r for i, r in enumerate(BETTER) if i % 3]).record.metrics)
    assert known(found.live).arms[1].dropped == ROWS // 3
    assert known(found.live).checks[0].held


def test_drops_of_the_hard_rows_stop_every_verdict(log: Store) -> None:
    """Where the champion is wrong more often on what was dropped, what is left says nothing of the whole."""
    hard = [i for i, (truth, ours, _) in enumerate(BETTER) if truth != ours]
    easy = [i for i, (truth, ours, _) in enumerate(BETTER) if truth == ours][: ROWS // 10]
    shadow(log, started(log), BETTER, dropped=[*hard[10:], *easy])
    found = analyse(log, "spring", until=until(ROWS))
    reason = found.decision.reason("shadow-drops")
    assert not reason.held
    assert "is not right as often where the shadow was dropped" in reason.text
    assert found.verdict in {Verdict.INSUFFICIENT_EVIDENCE, Verdict.KEEP_CHAMPION}


# Split


def test_each_arm_has_the_values_of_its_own_rows(log: Store) -> None:
    """A split's metrics are those of each side on the rows that it served, as if compared alone."""
    rows = halved(BETTER)
    split(log, started(log, mode="split", planned_n=ROWS), rows)
    found = analyse(log, "spring", until=until(ROWS))
    for side in ("champion", "challenger"):
        own = [(truth, said, said) for arm, truth, said in rows if arm == side]
        alone = offline(own).record
        assert [getattr(row, side) for row in found.record.metrics] == [getattr(row, side) for row in alone.metrics]
        matrix = known(alone.confusion)
        assert getattr(known(found.record.confusion), side) == getattr(matrix, side)
        assert known(found.record.confusion).labels == matrix.labels
        assert found.confusion[side].to_numpy().sum() == len(own)
    assert (found.record.contingency, found.record.outcomes, found.record.mcnemar) == (None, None, None)
    assert found.record.data.n == ROWS
    with pytest.raises(NotApplicableError, match="A split of live traffic has no contingency: no row has both sides"):
        _ = found.contingency
    assert ComparisonRecord.from_dict(found.to_dict()) == found.record


def test_a_split_promotes_what_is_better(log: Store) -> None:
    """The interval is the confidence sequence of two proportions, by its formula."""
    rows = halved(pairs_of(3000, right=(0.75, 0.9), seed=4))
    split(log, started(log, mode="split", planned_n=3000), rows)
    found = analyse(log, "spring", until=until(3000))
    row, live = found.record.evaluation.tested, known(found.record.live)
    assert found.verdict is Verdict.PROMOTE
    assert [arm.analysed for arm in live.arms] == [
        sum(arm == side for arm, *_ in rows) for side in ("champion", "challenger")
    ]
    rho2 = (-2 * np.log(0.05) + np.log(1 - 2 * np.log(0.05))) / 3000
    spread = sum(it.value * (1 - it.value) / it.analysed for it in live.arms if it.value is not None)
    n = 3000
    half = np.sqrt(n * spread) * np.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / 0.05))
    assert row.ci_lower == pytest.approx(row.effect - half, rel=1e-9)
    assert (live.log_better, live.log_worse, live.test) == (None, None, "confidence sequence")


def test_a_mismatch_stops_every_verdict(log: Store) -> None:
    """Where units did not reach the arms as planned, nothing is promoted however good it looks."""
    rows = halved(pairs_of(3000, right=(0.75, 0.9), seed=4), share=0.6)
    split(log, started(log, mode="split", planned_n=3000), rows)
    found = analyse(log, "spring", until=until(3000))
    assert found.decision.by_rule is Verdict.PROMOTE
    assert found.verdict is Verdict.INSUFFICIENT_EVIDENCE
    reason = found.decision.reason("sample-ratio")
    assert not reason.held
    assert "Units did not reach the arms as planned" in reason.text


def test_labels_that_come_for_one_arm_stop_every_verdict(log: Store) -> None:
    """Where one arm's predictions get fewer labels, nothing is promoted; even where the other arm misses none."""
    rows = halved(pairs_of(3000, right=(0.75, 0.9), seed=4))
    missing = [i for i, (arm, *_) in enumerate(rows) if arm == "challenger" and i % 9 == 0]
    split(log, started(log, mode="split", planned_n=3000), rows, unlabelled=missing)
    found = analyse(log, "spring", until=until(3000))
    assert not found.decision.reason("label-coverage").held
    assert (found.decision.by_rule, found.verdict) == (Verdict.PROMOTE, Verdict.INSUFFICIENT_EVIDENCE)


# Whatever the mode


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_one_more_failed_check_is_never_more_favourable(log: Store, mode: Any) -> None:
    """Failing any check makes no verdict better, and PROMOTE impossible."""
    experiment = started(log, mode=mode, planned_n=ROWS)
    if mode == "shadow":
        shadow(log, experiment, BETTER)
    else:
        split(log, experiment, halved(BETTER))
    evaluation = analyse(log, "spring", until=until(ROWS)).evaluation
    order = list(Verdict)
    for failing in ((), ("sample ratio",), ("sample ratio", "shadow drops"), ("label coverage",)):
        checks = tuple(Check(name=n, held=False, log_evidence=None, pvalue=0.0, text="x") for n in failing)  # type: ignore[arg-type] # names
        live = known(evaluation.live)
        before = decide(evaluation, experiment.policy).verdict
        after = decide(
            replace(evaluation, live=replace(live, checks=(*live.checks, *checks))), experiment.policy
        ).verdict
        assert order.index(after) >= order.index(before)
        assert not failing or order.index(after) >= order.index(Verdict.INSUFFICIENT_EVIDENCE)


def test_what_was_rolled_back_never_promotes(log: Store) -> None:
    """Whatever the numbers say, a rolled-back challenger is at best KEEP_CHAMPION."""
    shadow(log, started(log), BETTER)
    log.turn(_epoch(2, State.ROLLED_BACK))
    found = analyse(log, "spring", until=until(ROWS))
    assert (found.decision.by_rule, found.verdict) == (Verdict.PROMOTE, Verdict.KEEP_CHAMPION)
    assert "rolled back in epoch 2" in found.decision.reason("rollback").text


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_error_rate_is_guarded(log: Store, mode: Any) -> None:
    """The challenger's share of failures less the champion's is held to its margin."""
    rail = Guardrail(metric="error_rate", margin=0.01)
    experiment = started(log, mode=mode, planned_n=ROWS, policy=Policy(guardrails=(rail,)))
    rows: list[Triple] = [(t, a, None if i % 20 == 0 else b) for i, (t, a, b) in enumerate(BETTER)]
    if mode == "shadow":
        shadow(log, experiment, rows)
    else:
        split(log, experiment, halved(rows))
    found = analyse(log, "spring", until=until(ROWS))
    reason = next(reason for reason in found.decision.reasons if reason.metric == "error_rate")
    failed = [known(arm.error_rate) for arm in known(found.record.live).arms]
    assert reason.value == failed[1] - failed[0] > 0.01
    assert not reason.held
    assert found.verdict is Verdict.KEEP_CHAMPION


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_without_labelled_rows_there_is_nothing_to_compare(log: Store, mode: Any) -> None:
    """Before any label is old enough, that is said, and nothing is kept."""
    experiment = started(log, mode=mode, planned_n=10)
    if mode == "shadow":
        shadow(log, experiment, BETTER[:5], labelled=False)
    else:
        split(log, experiment, halved(BETTER[:5]), unlabelled=range(5))
    with pytest.raises(InvalidInputError, match="Experiment 'spring' has no labelled row"):
        analyse(log, "spring", until=until(5))
    assert log.snapshots("spring") == ()


def test_young_labels_wait_for_the_horizon(log: Store) -> None:
    """Of rows that are younger than the horizon nothing is looked at."""
    shadow(log, started(log, horizon=100.0), BETTER)
    found = analyse(log, "spring", until=until(ROWS)).record
    assert found.data.n == ROWS - 98
    assert known(found.live).arms[0].exposed == ROWS


def test_every_look_is_kept(log: Store) -> None:
    """A look leaves what it showed in the log, unless told not to."""
    shadow(log, started(log), BETTER)
    analyse(log, "spring", until=until(ROWS), keep=False)
    assert log.snapshots("spring") == ()
    found = analyse(log, "spring", until=until(ROWS))
    (kept,) = log.snapshots("spring")
    live = known(found.record.live)
    assert (kept.n, kept.log_better, kept.verdict) == (ROWS, live.log_better, "PROMOTE")


def test_an_unknown_experiment_is_named(log: Store) -> None:
    """A name that is none is refused, with the nearest."""
    started(log)
    with pytest.raises(NotFoundError, match="sprig"):
        analyse(log, "sprig")


# One look


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_a_fixed_look_is_refused_before_its_time(log: Store, mode: Any) -> None:
    """With fewer units than planned nothing is shown but how many there are."""
    experiment = started(log, mode=mode, planned_n=ROWS + 1, looking="fixed")
    if mode == "shadow":
        shadow(log, experiment, BETTER)
    else:
        split(log, experiment, halved(BETTER))
    with pytest.raises(RefusedError, match=r"looked at once, when 601 units are labelled and old enough; 600 are\."):
        analyse(log, "spring", until=until(ROWS))
    assert log.snapshots("spring") == ()


def test_a_fixed_look_in_shadow_mode_is_the_offline_comparison(log: Store) -> None:
    """McNemar and every interval are those of the first units planned; further ones change nothing."""
    shadow(log, started(log, planned_n=400, looking="fixed"), BETTER)
    early, late = (analyse(log, "spring", until=until(rows)).record for rows in (400, ROWS))
    truth, champion, challenger = zip(*BETTER[:400], strict=True)
    theirs = workflow.compare_predictions(truth, champion, challenger).record
    assert early.metrics == late.metrics == theirs.metrics
    assert early.mcnemar == late.mcnemar == theirs.mcnemar
    assert early.decision.by_rule == late.decision.by_rule == theirs.decision.by_rule
    assert known(early.live).looks == ()


def test_a_fixed_look_at_a_split_is_the_z_test(log: Store) -> None:
    """The first units planned are tested as two proportions, as statsmodels does; further ones change nothing."""
    from statsmodels.stats.proportion import proportions_ztest

    rows = halved(BETTER)
    split(log, started(log, mode="split", planned_n=400, looking="fixed"), rows)
    early, late = (analyse(log, "spring", until=until(n)).record for n in (400, ROWS))
    assert early.metrics == late.metrics
    assert early.per_class == late.per_class
    arms = [[truth == said for arm, truth, said in rows[:400] if arm == side] for side in ("challenger", "champion")]
    z, pvalue = proportions_ztest([sum(arm) for arm in arms], [len(arm) for arm in arms])
    row = early.evaluation.tested
    assert row.statistic == pytest.approx(z)
    assert row.pvalue == pytest.approx(pvalue)
    assert "the two-proportion z test gives" in early.decision.reason("significance").text


# Regression


def numbers(n: int, *, spread: tuple[float, float], seed: int = 0) -> list[Triple]:
    """Numbers with errors of these spreads."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(10, 3, n)
    sides = [(truth + rng.normal(0, size, n)).tolist() for size in spread]
    return list(zip(truth.tolist(), *sides, strict=True))


RMSE = Policy().for_task("regression")


def test_a_shadow_of_numbers_has_the_values_of_any_comparison(log: Store) -> None:
    """RMSE, MAE, R² and bias are those of `compare_predictions`; the test is that of squared errors, at every look."""
    rows = numbers(ROWS, spread=(1.5, 1.0))
    shadow(log, started(log, policy=RMSE, planned_n=ROWS), rows)
    ours, theirs = analyse(log, "spring", until=until(ROWS)), offline(rows, RMSE)
    for one, other in zip(values(ours.record.metrics), values(theirs.record.metrics), strict=True):
        assert one[0] == other[0]
        assert one[1:-1] == pytest.approx(other[1:-1], rel=1e-12)
    rmse, mae, r2, bias = ours.record.metrics
    assert ours.verdict is Verdict.PROMOTE
    assert (rmse.ci_lower, bias.pvalue) == (None, None)
    assert rmse.pvalue == r2.pvalue == known(ours.record.live).pvalue
    assert mae.ci_lower is not None
    assert known(ours.record.errors).bands[0].pvalue is None
    assert ComparisonRecord.from_dict(ours.to_dict()) == ours.record


def test_a_split_of_numbers_promotes_what_is_nearer(log: Store) -> None:
    """Each arm's numbers are its own, and its squared errors are tested as two means."""
    rows = halved(numbers(2000, spread=(1.5, 1.0)))
    split(log, started(log, mode="split", policy=RMSE, planned_n=2000), rows)
    found = analyse(log, "spring", until=until(2000))
    assert found.verdict is Verdict.PROMOTE
    for side in ("champion", "challenger"):
        errors = np.array([said - truth for arm, truth, said in rows if arm == side])  # type: ignore[operator] # numbers
        row = {row.metric: getattr(row, side) for row in found.record.metrics}
        assert row["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))
        assert row["mae"] == pytest.approx(np.mean(np.abs(errors)))
        assert row["bias"] == pytest.approx(np.mean(errors))
    assert ComparisonRecord.from_dict(found.to_dict()) == found.record


def test_numbers_that_failed_have_no_error(log: Store) -> None:
    """A pair with a failed prediction is left out of a regression, that is said, and who fails more is not promoted."""
    rows = numbers(ROWS, spread=(1.5, 1.0))
    shadow(log, started(log, policy=RMSE), [(t, a, None if i == 3 else b) for i, (t, a, b) in enumerate(rows)])
    found = analyse(log, "spring", until=until(ROWS)).record
    assert found.data.n == ROWS - 1
    assert "1 row whose prediction failed is left out of the errors." in found.notices
    assert found.decision.by_rule is Verdict.PROMOTE
    assert found.decision.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert not found.decision.reason("failures").held


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_an_arm_of_numbers_that_always_fails_leaves_nothing_to_compare(log: Store, mode: Any) -> None:
    """Where one side never predicted a number there is a sentence, and no verdict."""
    rows = [(t, a, None) for t, a, _ in numbers(20, spread=(1.5, 1.0))]
    experiment = started(log, mode=mode, policy=RMSE, planned_n=20)
    if mode == "shadow":
        shadow(log, experiment, rows)
    else:
        split(log, experiment, halved(rows))
    with pytest.raises(InvalidInputError, match="nothing to compare"):
        analyse(log, "spring", until=until(20))


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_a_fixed_look_at_numbers_is_an_ordinary_test(log: Store, mode: Any) -> None:
    """Numbers that are looked at once have the ordinary test, of the first rows planned."""
    rows = numbers(ROWS, spread=(1.5, 1.0))
    experiment = started(log, mode=mode, policy=RMSE, planned_n=400, looking="fixed")
    if mode == "shadow":
        shadow(log, experiment, rows)
    else:
        split(log, experiment, halved(rows))
    early, late = (analyse(log, "spring", until=until(n)).record for n in (400, ROWS))
    assert early.metrics == late.metrics
    assert early.decision.by_rule is Verdict.PROMOTE
    if mode == "shadow":
        theirs = workflow.compare_predictions(*zip(*rows[:400], strict=True), policy=RMSE).record
        assert [row.pvalue for row in early.metrics] == pytest.approx([row.pvalue for row in theirs.metrics])
        assert "the paired t test of squared errors gives" in early.decision.reason("significance").text
    else:
        assert "the two-sample z test gives" in early.decision.reason("significance").text


@pytest.mark.parametrize("mode", ["shadow", "split"])
def test_either_database_says_the_same(log: Store, postgresql: Database, mode: Any) -> None:
    """On PostgreSQL the same traffic gives the same record as on SQLite, and the same rollback."""
    worse: list[Triple] = [(truth, theirs, ours) for truth, ours, theirs in BETTER]
    found = []
    with Store(postgresql.url) as other:
        for it in (log, other):
            experiment = started(it, mode=mode, planned_n=ROWS, auto_rollback=True)
            if mode == "shadow":
                shadow(it, experiment, worse, dropped=range(0, ROWS, 50))
            else:
                split(it, experiment, halved(worse))
            epoch = known(rollback(it, experiment, by="ada", until=until(ROWS)))
            record = analyse(it, "spring", until=until(ROWS)).record
            live = replace(known(record.live), turns=())  # each began when it did
            found.append((epoch.evidence, record.metrics, record.per_class, record.decision, live))
    assert found[0] == found[1]


# What follows


def test_promotes_in_a_real_registry(log: Store, iris: Registry) -> None:
    """PROMOTE moves the stages in MLflow once, with a record that names the experiment and the comparison's run."""
    registry = RegistryClient(str(iris))
    shadow(log, started(log), BETTER)
    found = analyse(log, "spring", registry=registry, until=until(ROWS))
    assert [
        (model.version, model.run_id is not None) for model in (found.record.champion, found.record.challenger)
    ] == [
        (1, True),
        (2, True),
    ]
    logged_ = found.log()
    promotion = logged_.promote()
    assert {version.version: version.stage for version in registry.versions("iris")}[2] == "Production"
    run = registry.client.get_run(known(promotion.run_id))
    assert run.data.tags["abtest.comparison_run_id"] == logged_.run_id
    assert run.data.tags["abtest.experiment"] == "spring"


def test_a_champion_that_moved_is_stale(log: Store, iris: Registry) -> None:
    """A side that moves between the analysis and the promotion promotes nothing."""
    registry = RegistryClient(str(iris))
    shadow(log, started(log), BETTER)
    found = analyse(log, "spring", registry=registry, until=until(ROWS))
    registry.client.set_registered_model_alias("iris", "champion", "1")
    with pytest.raises(StaleChampionError, match="Version 1 of 'iris' moved since it was compared"):
        found.promote()


def test_a_champion_that_no_longer_serves_is_not_replaced(log: Store, iris: Registry) -> None:
    """Where another version serves by now, what was compared with the old one promotes nothing."""
    registry = RegistryClient(str(iris))
    shadow(log, started(log), BETTER)
    iris.promote("iris", 3, why="meanwhile")
    found = analyse(log, "spring", registry=registry, until=until(ROWS))
    with pytest.raises(RefusedError, match="version 3 is in production"):
        found.promote()


@pytest.mark.parametrize("auto", [True, False])
def test_a_look_rolls_back_only_where_the_plan_says_so(log: Store, auto: bool) -> None:  # noqa: FBT001 - a parameter
    """`look` rolls back harm under auto_rollback, and the verdict then knows it."""
    worse: list[Triple] = [(truth, theirs, ours) for truth, ours, theirs in BETTER]
    shadow(log, started(log, auto_rollback=auto), worse)
    found = look(log, "spring", by="ada")
    assert found.comparison.verdict is Verdict.KEEP_CHAMPION
    assert (found.rolled_back is not None) == auto == (log.epochs("spring")[-1].state is State.ROLLED_BACK)
    assert known(found.comparison.record.live).state == ("rolled back" if auto else "running")
    assert look(log, "spring", by="ada").rolled_back is None


def _epoch(number: int, state: State) -> Epoch:
    return Epoch(
        experiment="spring", number=number, state=state, inclusion=1.0 if state is State.RUNNING else 0.0,
        began_at=START + timedelta(seconds=number), by="ada", why="to see",
    )  # fmt: skip


def test_predictions_that_a_server_lost_are_told(log: Store) -> None:
    """Sequence numbers that were given out and never came into the log are a notice."""
    shadow(log, started(log), pairs_of(30, right=(0.7, 0.7), seed=1))
    assert not any("missing" in notice for notice in analyse(log, "spring", until=until(30)).record.notices)
    log.beat(SERVER, assigned=40, lost=0, closed=True)
    (told,) = [notice for notice in analyse(log, "spring", until=until(30)).record.notices if "missing" in notice]
    assert told.startswith("10 predictions are missing from the log")


def test_one_look_at_a_tiny_arm_tests_no_means(log: Store) -> None:
    """Of a regression that is looked at once, an arm of a few units has no normal mean, and so no test."""
    rows = halved(numbers(300, spread=(1.5, 1.0)), share=0.05)
    experiment = started(log, mode="split", looking="fixed", planned_n=300, policy=RMSE)
    split(log, experiment, rows)
    found = analyse(log, "spring", until=until(320))
    assert found.record.evaluation.tested.pvalue is None
    assert found.verdict == "INSUFFICIENT_EVIDENCE"
