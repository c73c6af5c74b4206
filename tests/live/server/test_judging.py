"""An experiment judged while it goes on: what is told of it, what is not told yet, and what ends it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from abtest.live.analysis.analysing import analyse
from abtest.live.experiment import State
from abtest.live.metering.judged import told
from abtest.live.routing import Router
from abtest.live.server.judging import Judge, judge
from abtest.live.store import Store
from abtest.policy import Policy
from tests.live import logs, traffic
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abtest.live.experiment import Experiment

OUTCOMES = {"harmed", "accuracy_ratio", "mean_squared_error", "effect", "log_evidence"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log's address."""
    return f"sqlite:///{tmp_path / 'live.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A log."""
    with Store(url) as store:
        yield store


def begun(store: Store, rows: list[traffic.Triple], **values: Any) -> Experiment:
    """An experiment in shadow mode that had some traffic."""
    plan = traffic.plan(**values)
    store.start(plan, inclusion=1.0, why="test")
    traffic.shadow(store, plan, rows)
    return plan


def judging(store: Store, rolled_back: list[str], *, every: float = 0.01) -> tuple[Judge, Router]:
    """What judges, and what tells it of which experiment."""
    router = Router(store, "iris", every=0.05)
    return Judge(store, router, by="server", told=lambda: rolled_back.append("once"), every=every), router


def exposed(judge: Judge, router: Router) -> set[str]:
    """Names of what is told to Prometheus, where there is a value."""
    found = told(router.routing, 1, judge)
    return {each.name.removeprefix("abtest_experiment_") for each in found if each.samples}


def test_what_is_told_is_what_an_analysis_shows(store: Store) -> None:
    """Evidence, checks and arms are those of the analysis of that moment."""
    plan, now = begun(store, traffic.pairs_of(300, right=(0.7, 0.8), seed=1)), traffic.until(300)
    found = judge(store, plan, until=now)
    assert found.reading == analyse(store, plan.name, until=now, keep=False).record.evaluation.live
    assert found.reading is not None
    assert found.checks == found.reading.checks
    assert not store.snapshots(plan.name)


def test_before_any_label_only_traffic_is_told(store: Store) -> None:
    """Without a label in each arm there is no evidence to tell, and nothing fails."""
    plan = traffic.plan()
    store.start(plan, inclusion=1.0, why="test")
    judges, router = judging(store, [])
    for labelled in (None, False):
        if labelled is False:
            traffic.shadow(store, plan, [("a", "a", "b")] * 5, labelled=False)
        judges.look()
        assert judges.failures == 0
        names = exposed(judges, router)
        assert {"info", "epoch", "exposed_units", "labelled_units", "check_held"} <= names
        assert not names & (OUTCOMES - {"harmed"})
    router.close()


def test_a_fixed_look_tells_no_outcome_before_its_time(store: Store) -> None:
    """Of an experiment that is looked at once, nothing that depends on outcomes is told before, and all is then."""
    rows = traffic.pairs_of(100, right=(0.9, 0.3), seed=2)
    plan = begun(store, rows[:60], looking="fixed", planned_n=100)
    judges, router = judging(store, [])
    judges.look()
    assert judges.failures == 0
    assert not exposed(judges, router) & OUTCOMES
    traffic.shadow(store, plan, rows[60:], first=61)
    judges.look()
    assert {"harmed", "accuracy_ratio", "effect"} <= exposed(judges, router)
    router.close()


def test_a_challenger_that_does_harm_is_rolled_back_once(store: Store) -> None:
    """Two servers that judge at once roll back once, with the evidence, and tell nothing of it any more."""
    begun(store, traffic.pairs_of(300, right=(0.9, 0.3), seed=3), auto_rollback=True)
    rolled_back: list[str] = []
    both = [judging(store, rolled_back), judging(store, rolled_back)]
    for judges, _ in both:
        judges.start()
    until(lambda: store.epochs("spring")[-1].state is State.ROLLED_BACK)
    until(lambda: all(judges.now is None and router.routing.experiment is None for judges, router in both))
    last = store.epochs("spring")
    assert [epoch.number for epoch in last] == [1, 2]
    assert last[-1].evidence["what"] == "quality"
    assert rolled_back
    assert not any(exposed(*each) for each in both)
    for judges, router in both:
        judges.close()
        router.close()


def test_without_auto_rollback_harm_is_told_and_nothing_turns(store: Store) -> None:
    """Where the plan does not say so, harm is shown and the experiment goes on."""
    begun(store, traffic.pairs_of(300, right=(0.9, 0.3), seed=3))
    judges, router = judging(store, [])
    judges.look()
    assert judges.now is not None
    assert judges.now.harmed
    assert [epoch.state for epoch in store.epochs("spring")] == [State.RUNNING]
    router.close()


def test_a_database_that_is_away_is_counted_and_told_once(
    store: Store, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Looks that fail are counted, logged once, and end with the trouble; what was known before stays."""
    begun(store, traffic.pairs_of(50, right=(0.7, 0.7), seed=4))
    judges, router = judging(store, [])
    judges.look()
    before = judges.now
    assert before is not None
    engine = logs.engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE abtest_predictions RENAME TO elsewhere")
    with caplog.at_level(logging.WARNING):
        judges.look()
        judges.look()
    assert judges.failures == 2
    assert judges.now is before
    assert len([each for each in caplog.records if "could not be judged" in each.message]) == 1
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO abtest_predictions")
    judges.look()
    assert judges.failures == 2
    assert judges.now.at - before.at > timedelta(0)
    router.close()


def test_a_regression_that_always_fails_is_told_of(store: Store) -> None:
    """Where no row has an error to compare, harm is told all the same."""
    rows: list[traffic.Triple] = [(float(i), i + 0.5, None) for i in range(150)]
    plan = begun(store, rows, policy=Policy(primary="rmse"))
    seen = judge(store, plan, until=traffic.until(200))
    assert (seen.harmed, seen.reading) == (True, None)
