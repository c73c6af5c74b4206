"""How a model does, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from abtest.decision.health import Action, Status, judge
from abtest.evaluator.monitored import Baseline, Change, Drift, Monitored, SchemaChange, Sequential, Trend

END = datetime(2026, 3, 1, tzinfo=UTC)
BASELINE = Baseline(kind="first", name="the first 7 days", start=None, end=None, n=1000, labelled=900, versions=(1,))


def change(trend: Trend, **changed: Any) -> Change:
    """Accuracy over all rows, from 90 % to 80 %."""
    found = Change(
        metric="accuracy", segment=None, value=None, baseline=0.9, recent=0.8, effect=-0.1, fall=0.1, fall_lower=0.06,
        fall_upper=0.14, ci_lower=-0.15, ci_upper=-0.05, ci_method="", test="", statistic=None, pvalue=0.001,
        pvalue_adjusted=0.002, tolerated=0.05, trend=trend, n_baseline=900, n_recent=300, clusters=14, rows_needed=None,
    )  # fmt: skip
    return replace(found, **changed)


def drift(**changed: Any) -> Drift:
    """A feature that drifted."""
    found = Drift(
        feature="wind", kind="number", n_baseline=900, n_recent=300, missing_baseline=0.0, missing_recent=0.0, test="",
        statistic=0.3, pvalue=0.0, pvalue_adjusted=0.0, distance=0.3, error_bound=0.0, psi=0.4, js=0.2, drifted=True,
        direction="higher",
    )  # fmt: skip
    return replace(found, **changed)


def sequential(**changed: Any) -> Sequential:
    """Evidence of a fall, at every look."""
    found = Sequential(
        segment=None, value=None, baseline=0.9, tolerated=0.05, null=0.12, log_evidence=9.0, pvalue=0.001,
        pvalue_adjusted=0.001, since=END, recent=0.8, n=300,
    )  # fmt: skip
    return replace(found, **changed)


def watched(**changed: Any) -> Monitored:
    """A model with nothing to be said of it but what is given."""
    found = Monitored(
        task="classification", start=END - timedelta(days=30), end=END, recent_start=END - timedelta(days=7),
        recent_end=END, period=86400, confidence=0.95, points=(), summaries=(), baseline=BASELINE, changes=(), n=1300,
        failed=0, labelled=1200, corrected=0, lag=None, coverage_recent=0.9,
    )  # fmt: skip
    return replace(found, **changed)


@pytest.mark.parametrize(
    ("given", "status", "action"),
    [
        ({"changes": (change("held"),)}, Status.STABLE, Action.NOTHING),
        ({"changes": (change("unclear"),)}, Status.INSUFFICIENT_DATA, Action.NOTHING),
        ({}, Status.INSUFFICIENT_DATA, Action.NOTHING),
        ({"changes": (change("fallen"),)}, Status.DEGRADED, Action.RETRAIN),
        ({"changes": (change("fallen"),), "drift": (drift(),)}, Status.DEGRADED, Action.RETRAIN),
        ({"changes": (change("held"),), "drift": (drift(),)}, Status.SUSPECT, Action.LOOK),
        ({"drift": (drift(drifted=False),), "changes": (change("held"),)}, Status.STABLE, Action.NOTHING),
        ({"drift": (drift(kind="prediction"),)}, Status.SUSPECT, Action.LOOK),
        (
            {"changes": (change("held"), change("fallen", segment="region", value="EU"))},
            Status.DEGRADED,
            Action.LOOK,
        ),
        (
            {
                "changes": (change("fallen"),),
                "previous": replace(BASELINE, kind="previous", name="the last 7 days of version 1"),
                "previous_changes": (change("fallen"),),
            },
            Status.DEGRADED,
            Action.ROLL_BACK,
        ),
        (
            {
                "changes": (change("fallen"),),
                "previous": BASELINE,
                "previous_changes": (change("unclear"),),
            },
            Status.DEGRADED,
            Action.RETRAIN,
        ),
        (
            {"changes": (change("fallen"),), "schema": (SchemaChange(feature="wind", what="gone", text="Gone."),)},
            Status.DEGRADED,
            Action.LOOK,
        ),
        (
            {"changes": (change("held"),), "schema": (SchemaChange(feature="w", what="new", text="New."),)},
            Status.STABLE,
            Action.NOTHING,
        ),
        # Who looks every hour sees a fall by chance some day.
        (
            {"changes": (change("fallen"),), "looked_often": True, "sequential": (sequential(pvalue_adjusted=0.5),)},
            Status.INSUFFICIENT_DATA,
            Action.NOTHING,
        ),
        (
            {"changes": (change("fallen"),), "looked_often": True, "sequential": (sequential(),)},
            Status.DEGRADED,
            Action.RETRAIN,
        ),
        (
            {
                "changes": (change("held"),),
                "looked_often": True,
                "sequential": (sequential(recent=0.89),),
            },  # sure, and less than matters
            Status.STABLE,
            Action.NOTHING,
        ),
        (
            {"changes": (change("held"),), "looked_often": True, "sequential": (sequential(pvalue_adjusted=0.5),)},
            Status.STABLE,
            Action.NOTHING,
        ),
        # Accuracy is held against the baseline's accuracy, whichever metrics are watched, and where none is.
        (
            {
                "changes": (change("held", metric="f1", baseline=0.7),),
                "looked_often": True,
                "sequential": (sequential(),),
            },
            Status.DEGRADED,
            Action.RETRAIN,
        ),
        ({"looked_often": True, "sequential": (sequential(),)}, Status.DEGRADED, Action.RETRAIN),
        # Who looks every hour has no other evidence where there is none of the sequence.
        ({"changes": (change("fallen"),), "looked_often": True}, Status.INSUFFICIENT_DATA, Action.NOTHING),
    ],
)
def test_status_and_action(given: dict[str, Any], status: Status, action: Action) -> None:
    """Falls degrade, drift is suspect, only what surely held is stable; the remedy is of what is known of the cause."""
    found = judge(watched(**given))
    assert (found.status, found.action) == (status, action)
    assert found.why.endswith(".")


def test_what_is_not_well_comes_first() -> None:
    """Signs are in the order in which they matter."""
    found = judge(watched(changes=(change("held"), change("unclear", metric="f1")), drift=(drift(),)))
    assert [sign.held for sign in found.signs] == [False, None, True]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"changes": (change("unclear", rows_needed=1200),)}, "About 1,200 labelled rows in the recent window"),
        ({"baseline": None}, "no baseline"),
        ({"baseline": replace(BASELINE, labelled=0)}, "baseline has no labelled row"),
        ({"coverage_recent": 0.0}, "No recent prediction has a label"),
        ({"changes": (change("unclear"),)}, "More labelled rows"),
        ({"changes": (change("unclear"),), "drift": (drift(),)}, "More labelled rows"),
    ],
)
def test_an_answer_that_lacks_something_says_what(given: dict[str, Any], said: str) -> None:
    """Insufficient data is an answer, with what is missing; so is drift where labels are."""
    missing = judge(watched(**given)).missing
    assert missing is not None
    assert said in missing


def test_nothing_is_missing_where_every_metric_is_known() -> None:
    """What held and what fell lacks nothing."""
    assert judge(watched(changes=(change("held"),))).missing is None
    assert judge(watched(changes=(change("fallen"),))).missing is None


def test_labels_that_are_late_leave_nothing_stable() -> None:
    """Less than half as many labels as usual: those that come first may not be like the others."""
    found = judge(watched(changes=(change("held"),), coverage_recent=0.2))
    assert found.status is Status.INSUFFICIENT_DATA
    assert found.missing is not None
    assert "--horizon" in found.missing
    assert [sign.rule for sign in found.signs if sign.held is None] == ["labels"]
    assert "20.0 %" in next(sign.text for sign in found.signs if sign.rule == "labels")


def test_exit_codes() -> None:
    """Cron and CI can act on each."""
    assert {status.value: status.exit_code for status in Status} == {
        "STABLE": 0,
        "SUSPECT": 3,
        "DEGRADED": 4,
        "INSUFFICIENT_DATA": 5,
    }


def test_what_is_said_of_a_schema_names_the_feature() -> None:
    """A feature that changed its type is named by the sign, and by the reason for what is recommended."""
    broken = SchemaChange(feature="wind", what="type", text="It held numbers, and holds text now.")
    health = judge(watched(changes=(change("fallen"),), schema=(broken,)))
    assert "'wind': It held numbers, and holds text now." in {sign.text for sign in health.signs}
    assert "'wind'" in health.why
