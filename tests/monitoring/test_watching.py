"""From tracked rows to a report: windows, baselines, reigns, and what is said where something is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import abtest
from abtest.decision.health import Action, Status
from abtest.errors import InvalidInputError, NotFoundError
from abtest.live.store import Store
from abtest.monitoring import baselines, tracking
from abtest.monitoring.how import Watch
from abtest.monitoring.watching import watch
from abtest.record.monitored import MonitoringRecord
from abtest.stats.proportions import wilson_interval
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abtest.registry import RegistryClient

END = datetime(2026, 3, 1, tzinfo=UTC)
PER_DAY = 60


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Store]:
    """An empty log."""
    with Store(f"sqlite:///{tmp_path / 'log.db'}") as found:
        yield found


def days(first: int, last: int, right: float, *, wind: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Rows of the days from ``first`` to ``last`` before the end, of which this share is predicted right."""
    rng = np.random.default_rng([seed, first, last])
    n = (first - last) * PER_DAY
    truth = rng.choice(["apple", "pear"], n)
    wrong = np.where(truth == "apple", "pear", "apple")
    is_right = rng.permutation(np.arange(n) < round(right * n))
    return pd.DataFrame({
        "at": pd.Timestamp(END) - pd.to_timedelta(np.sort(rng.uniform(last * 24, first * 24, n)), unit="h"),
        "kind": truth,
        "said": np.where(is_right, truth, wrong),
        "wind": rng.normal(wind, 1, n),
        "shop": np.where(np.arange(n) % 3 == 0, "EU", "US"),
    })  # fmt: skip


def track(log: Store, frame: pd.DataFrame, version: int = 1, **options: Any) -> None:
    """Track such rows, with their labels, of a model "fruit"."""
    given = {"prediction": "said", "target": "kind", "time_column": "at", "segments": ["shop"], **options}
    tracking.track(log, "fruit", frame, version=version, **given)


def look(log: Store, registry: RegistryClient | None = None, **how: Any) -> MonitoringRecord:
    """Look at the model at the end."""
    return watch(log, "fruit", Watch(**{"until": END, **how}), registry=registry)


def test_a_model_that_holds_is_stable(log: Store) -> None:
    """As many right as in the first days, and nothing else to be fed: nothing to do, and exit code 0."""
    track(log, days(28, 0, 0.95))
    found = look(log, threshold=0.08)
    assert (found.health.status, found.health.action) == (Status.STABLE, Action.NOTHING)
    assert found.monitored.n == found.monitored.labelled == 28 * PER_DAY


def test_what_is_told_is_what_pandas_counts(log: Store) -> None:
    """Accuracy in all, by day and by segment, and its interval, are those of the rows."""
    frame = days(14, 0, 0.9)
    track(log, frame)
    found = look(log, days=14, metrics=("accuracy",)).monitored
    right = frame["said"] == frame["kind"]
    assert found.summaries[0].value == right.mean()
    by_day = right.groupby(frame["at"].dt.floor("D")).agg(["sum", "count"])
    assert [(p.start, p.n, p.metrics[0].value) for p in found.points] == [
        (day, row["count"], row["sum"] / row["count"]) for day, row in by_day.iterrows()
    ]
    for point, (_, row) in zip(found.points, by_day.iterrows(), strict=True):
        wilson = wilson_interval(int(row["sum"]), int(row["count"]))
        assert (point.metrics[0].ci_lower, point.metrics[0].ci_upper) == pytest.approx((wilson.lower, wilson.upper))
    recent = frame["at"] >= END - timedelta(days=7)
    for change in found.changes:
        those = (frame["shop"] == change.value) if change.segment else pd.Series(data=True, index=frame.index)
        assert change.recent == right[recent & those].mean()
        assert change.baseline == right[~recent & those].mean()
    assert [change.value for change in found.changes] == [None, "EU", "US"]


def test_a_fall_under_one_version_asks_for_training(log: Store) -> None:
    """Fewer right than in the first days, by more than matters: degraded, with the numbers."""
    track(log, days(28, 7, 0.95))
    track(log, days(7, 0, 0.75, wind=2.0))
    found = look(log)
    assert (found.health.status, found.health.action) == (Status.DEGRADED, Action.RETRAIN)
    assert "Accuracy fell from 95.0 % to 75.0 %" in found.health.why
    assert [row.feature for row in found.monitored.drift if row.drifted] == ["wind"]


def test_a_fall_with_a_new_version_asks_for_the_one_before(log: Store) -> None:
    """Where the version before did better in its last days, it is to come back."""
    track(log, days(28, 10, 0.95))
    track(log, days(10, 0, 0.75), version=2)
    found = look(log)
    assert (found.health.status, found.health.action) == (Status.DEGRADED, Action.ROLL_BACK)
    assert [reign.version for reign in found.monitored.reigns] == [1, 2]
    assert found.monitored.reigns[1].start == END - timedelta(days=10)
    assert found.monitored.previous is not None
    assert found.monitored.previous.versions == (1,)


def test_a_new_version_that_falls_no_further_is_not_rolled_back(log: Store) -> None:
    """What the version before did as badly in its last days is no reason to bring it back."""
    track(log, days(28, 17, 0.95))
    track(log, days(17, 10, 0.75))
    track(log, days(10, 0, 0.75), version=2)
    assert look(log).health.action is Action.RETRAIN


def test_a_fall_weeks_after_a_new_version_is_not_its_fault(log: Store) -> None:
    """A version that did as well as the one before, until all changed, is not to give way to that."""
    track(log, days(28, 21, 0.95))
    track(log, days(21, 7, 0.95), version=2)
    track(log, days(7, 0, 0.75), version=2)
    found = look(log)
    assert (found.health.status, found.health.action) == (Status.DEGRADED, Action.RETRAIN)
    assert found.monitored.previous is not None
    assert found.monitored.previous_changes[0].recent == pytest.approx(0.95, abs=0.02)


def test_a_fall_that_another_version_mended_is_none(log: Store) -> None:
    """At every look: what a version did that serves no more is no evidence about the one that does."""
    track(log, days(28, 18, 0.95))
    track(log, days(18, 10, 0.6))
    assert look(log, until=END - timedelta(days=10), sequential=True).health.status is Status.DEGRADED
    track(log, days(10, 0, 0.95), version=2)
    found = look(log, sequential=True)
    assert found.monitored.sequential[0].n == 10 * PER_DAY
    assert found.health.status is not Status.DEGRADED


def test_who_looks_every_hour_has_no_other_evidence(log: Store, tmp_path: Path) -> None:
    """Where the stream tells nothing yet, a test that does not allow for looking often is none; numbers have none."""
    window = baselines.from_data(days(28, 7, 0.95).drop(columns="at"), prediction="said", target="kind", version=1)
    baselines.write(window, tmp_path / "base.json", name="good rows")
    track(log, days(3, 0, 0.6))
    how: dict[str, Any] = {"baseline": str(tmp_path / "base.json"), "metrics": ("accuracy",)}
    assert look(log, **how).health.status is Status.DEGRADED
    found = look(log, **how, sequential=True)
    assert found.health.status is Status.INSUFFICIENT_DATA
    assert "tell their spread" in " ".join(it.why for it in found.monitored.skipped)
    numbers = days(28, 0, 0.95).assign(kind=lambda it: it["wind"], said=lambda it: it["wind"] + 0.5)
    tracking.track(log, "nut", numbers, prediction="said", target="kind", time_column="at", task="regression")
    with pytest.raises(InvalidInputError, match=r"(?s)sequential must be of a classification.*check once in 7 days"):
        watch(log, "nut", Watch(until=END, sequential=True))


def test_drift_is_suspect_before_there_are_labels(log: Store) -> None:
    """Rows without labels can drift; nothing is said of metrics."""
    track(log, days(28, 7, 0.95), target=None)
    track(log, days(7, 0, 0.95, wind=2.0), target=None)
    found = look(log)
    assert (found.health.status, found.health.action) == (Status.SUSPECT, Action.LOOK)
    assert found.monitored.changes == ()
    assert found.health.missing is not None


@pytest.mark.parametrize("how", [{"recent": 7.3}, {"recent": 7.0, "days": 7.0}, {"recent": 0.4}, {"recent": 0.3}])
def test_drift_is_seen_in_windows_that_begin_within_a_day(log: Store, how: dict[str, Any]) -> None:
    """Whenever windows begin, the days that they have a part of tell of features, and none tells of both."""
    track(log, days(28, 8, 0.95))
    track(log, days(8, 0, 0.95, wind=2.0))
    found = look(log, until=END - timedelta(hours=7), **how).monitored
    [wind] = [row for row in found.drift if row.feature == "wind"]
    assert wind.drifted
    assert found.recent_start.minute == 0
    same = look(log, until=END - timedelta(hours=7), recent=1 / 8, baseline="before").monitored
    assert {row.kind for row in same.drift} <= {"prediction"}  # both windows are of one day


def test_a_segment_that_falls_is_named(log: Store) -> None:
    """Over all rows little has changed; in one segment much."""
    track(log, days(28, 7, 0.95))
    recent = days(7, 0, 0.95, seed=1)
    eu = recent.index[recent["shop"] == "EU"]
    recent.loc[eu, "said"] = np.where(np.arange(len(eu)) % 2 == 0, "pear", recent.loc[eu, "kind"])
    track(log, recent)
    found = look(log, threshold=0.08, metrics=("accuracy",))
    assert [(c.segment, c.value) for c in found.monitored.changes if c.trend == "fallen"] == [("shop", "EU")]
    assert (found.health.status, found.health.action) == (Status.DEGRADED, Action.LOOK)


def test_a_segment_that_always_did_worse_lags(log: Store) -> None:
    """It fell from nothing, and is behind the rest of the rows all the same: over time, and now, as pandas counts."""
    frame = days(28, 0, 0.95)
    eu = frame.index[frame["shop"] == "EU"]
    frame.loc[eu, "said"] = np.where(np.arange(len(eu)) % 3 == 0, "kiwi", frame.loc[eu, "said"])
    track(log, frame)
    found = look(log, metrics=("accuracy",), threshold=0.1)
    assert found.health.status is not Status.DEGRADED
    series = {it.value: it for it in found.monitored.segments}
    assert [value for value, it in series.items() if it.lags] == ["EU"]
    right = frame["said"] == frame["kind"]
    for value, it in series.items():
        own, recent = frame["shop"] == value, frame["at"] >= END - timedelta(days=7)
        by_day = right[own].groupby(frame["at"].dt.floor("D")).mean()
        assert [point.metrics[0].value for point in it.points if point.metrics] == by_day.tolist()
        assert it.against_rest is not None
        assert (it.against_rest.recent, it.against_rest.baseline) == (
            right[own & recent].mean(),
            right[~own & recent].mean(),
        )


def test_a_segment_of_greater_errors_lags(log: Store) -> None:
    """Of a regression the error of a segment, and of the rest, is what pandas averages; the greater one lags."""
    frame = days(28, 0, 1.0)
    rng = np.random.default_rng(0)
    frame["kind"] = rng.normal(100, 20, len(frame))
    frame["said"] = frame["kind"] + rng.normal(0, np.where(frame["shop"] == "EU", 9, 5))
    track(log, frame)
    error, recent = (frame["said"] - frame["kind"]).abs(), frame["at"] >= END - timedelta(days=7)
    found = {it.value: it for it in look(log, metrics=("mae",)).monitored.segments}
    assert [value for value, it in found.items() if it.lags] == ["EU"]
    for value, it in found.items():
        own = frame["shop"] == value
        assert it.against_rest is not None
        assert it.against_rest.recent == pytest.approx(error[own & recent].mean(), rel=1e-12)
        assert it.against_rest.baseline == pytest.approx(error[~own & recent].mean(), rel=1e-12)


def test_a_gap_in_the_middle_is_a_gap(log: Store) -> None:
    """Days without a prediction are periods without a value, and change no other number."""
    track(log, days(28, 14, 0.95))
    track(log, days(12, 0, 0.95))
    found = look(log, days=28).monitored
    empty = [point for point in found.points if not point.n]
    assert [point.start for point in empty] == [END - timedelta(days=14), END - timedelta(days=13)]
    assert all(point.metrics == () for point in empty)
    assert found.summaries[0].periods == 26


@pytest.mark.parametrize("how", [{"baseline": "before"}, {"baseline": "FILE"}, {"sequential": True}])
def test_every_baseline_sees_the_fall(log: Store, tmp_path: Path, how: dict[str, Any]) -> None:
    """The days before, a file, and the first days at any look."""
    good = days(28, 7, 0.95)
    track(log, good)
    track(log, days(7, 0, 0.7))
    if how.get("baseline") == "FILE":
        window = baselines.from_data(good, prediction="said", target="kind", segments=["shop"], version=1)
        baselines.write(window, tmp_path / "base.json", name="good days")
        how = {"baseline": str(tmp_path / "base.json")}
    found = look(log, metrics=("accuracy",), **how)
    assert found.health.status is Status.DEGRADED
    assert found.monitored.changes[0].baseline == pytest.approx(0.95, abs=0.01)


def test_the_comparison_of_its_promotion_is_a_baseline(log: Store, stocked: RegistryClient) -> None:
    """What the version did when it was promoted is what it is held against, read from that run."""
    comparison = abtest.compare(data=zoo.fruit(600), target="kind", model_name="fruit", log=True)
    comparison.promote()
    track(log, days(7, 0, 0.7), version=2)
    found = look(log, stocked, baseline="promotion", metrics=("accuracy",))
    assert found.monitored.baseline is not None
    assert str(comparison.run_id) in found.monitored.baseline.name
    assert found.monitored.changes[0].baseline == comparison.metrics.loc["accuracy", "challenger"]
    assert found.health.status is Status.DEGRADED
    track(log, days(14, 7, 0.2), version=1)  # what another version did is not held against its promotion
    found = look(log, stocked, baseline="promotion", metrics=("accuracy",), recent=14.0)
    assert found.monitored.changes[0].recent == pytest.approx(0.7, abs=0.01)
    for seed in (1, 2):  # more rows than the other version has
        track(log, days(7, 0, 0.7, seed=seed), version=3)
    with pytest.raises(NotFoundError, match="No promotion of version 3"):
        look(log, stocked, baseline="promotion", recent=0.5)


def test_too_young_for_a_baseline(log: Store) -> None:
    """A baseline that would reach into the recent window is none: insufficient data, with what is missing."""
    track(log, days(10, 0, 0.95))
    found = look(log)
    assert found.health.status is Status.INSUFFICIENT_DATA
    assert found.health.missing == "There is no baseline to hold it against."
    assert [it.what for it in found.monitored.skipped] == ["baseline"]


def test_labels_that_are_still_to_come_are_waited_for(log: Store) -> None:
    """A horizon leaves out what is too young to have its label."""
    track(log, days(28, 3, 0.95))
    track(log, days(3, 0, 0.95), target=None)
    assert look(log, threshold=0.08).health.status is Status.STABLE
    waited = look(log, threshold=0.08, horizon=3 * 86400.0).monitored
    assert waited.coverage_recent == 1.0
    assert waited.recent_end == END - timedelta(days=3)


@pytest.mark.parametrize(
    ("name", "how", "error", "said"),
    [
        ("frut", {}, NotFoundError, "Nothing was tracked of 'frut'.*did you mean 'fruit'"),
        ("fruit", {"until": END + timedelta(days=90)}, InvalidInputError, "No prediction of 'fruit' lies.*--until"),
        ("fruit", {"metrics": ("acuracy",)}, InvalidInputError, "metrics must be of .*got 'acuracy'.*accuracy"),
        ("fruit", {"metrics": ("rmse",)}, InvalidInputError, "metrics must be of a classification, got rmse"),
        ("fruit", {"baseline": "none.json"}, NotFoundError, "none.json"),
        ("fruit", {"baseline": "promotion"}, InvalidInputError, "needs a registered version"),
    ],
)
def test_what_cannot_be_watched_is_told(
    log: Store, name: str, how: dict[str, Any], error: type[Exception], said: str
) -> None:
    """One sentence, and a hint."""
    track(log, days(28, 0, 0.95))
    with pytest.raises(error, match=f"(?s){said}"):
        watch(log, name, Watch(**{"until": END, **how}))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"days": 0.0}, "days must be an hour to ten years, got 0 days"),
        ({"recent": float("nan")}, "recent must be"),
        ({"horizon": -1.0}, "horizon must be at least 0"),
        ({"threshold": 1.5}, r"threshold must be in \[0, 1\), got 1.5"),
        ({"drift_floor": -0.1}, "drift-floor must be"),
        ({"confidence": 0.2}, "confidence must be"),
        ({"baseline": "before", "sequential": True}, "baseline must stay the same"),
    ],
)
def test_options_outside_their_range_are_refused(how: dict[str, Any], said: str) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidInputError, match=said):
        Watch(**how)


def test_a_report_is_read_as_it_was_written(log: Store) -> None:
    """The record's JSON says all of it."""
    track(log, days(28, 0, 0.95))
    found = look(log)
    assert MonitoringRecord.from_dict(found.to_dict()) == found
