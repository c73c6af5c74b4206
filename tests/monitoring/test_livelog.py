"""Laws of the live log's tallies: they are a count of its rows, whenever and however often it was taken in."""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abtest.live.log import Feedback, Logged
from abtest.live.store import Store
from abtest.metrics.regression import RegressionOutcomes
from abtest.monitoring.livelog import take_in
from abtest.monitoring.tracking import track
from abtest.stats.sketches import Numbers, Values
from abtest.windows import DAY, HOUR, Window
from tests import strategies  # noqa: F401 - its profile
from tests.databases import postgres, postgresql  # noqa: F401 - fixtures
from tests.live import traffic
from tests.live.flowing import flowing
from tests.live.servers import serving
from tests.live.store.conftest import log, url  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label
    from abtest.lifecycle import Registry

START = datetime(2026, 5, 1, tzinfo=UTC)
LATER = START + timedelta(days=40)
PREDICTED: tuple[Label | None, ...] = ("pear", "fig", None)


def row(sequence: int, at: float = 0.0, prediction: Label | None = "pear", **others: Any) -> Logged:
    """A served prediction, so many seconds after the start; one without a prediction failed."""
    told: dict[str, Any] = {"server": "ab12", "arm": "champion", "served": True, "model_version": 1, "seconds": 0.001,
                            "error": "raised" if prediction is None else None}  # fmt: skip
    return Logged(sequence=sequence, at=START.timestamp() + at, prediction=prediction, **(told | others))


def feed(store: Store, label: Label, *sequences: int, at: float = 0.0, server: str = "ab12") -> None:
    """Labels, received so many seconds after the start."""
    labels = [Feedback(prediction_id=f"{server}-{sequence}", label=label) for sequence in sequences]
    store.record(labels, received_at=START.timestamp() + at)


def moment(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


def told(store: Store, model: str = "fruit") -> list[dict[str, Any]]:
    """What the store knows, as plain data; lags, which are sums of doubles in any order, to a millionth."""
    found = []
    for bucket in store.buckets(model, START - timedelta(days=40), LATER):
        plain = bucket.tallied.to_dict()
        lag = [round(number, 6) for number in plain.pop("lag", [])[:2]]
        found.append({"start": bucket.start, "version": bucket.version, "lag": lag, **plain})
    for day in store.sketches(model, START - timedelta(days=40), LATER):
        features = {name: sketch.to_dict() for name, sketch in day.features.items()}
        found.append({"day": day.day, "version": day.version, **features})
    return found


def counted(rows: Sequence[Logged], labels: Sequence[tuple[int, Label]]) -> dict[Any, Any]:
    """Count rows one by one: by hour and version what was predicted, failed, and said of by the first label."""
    said: dict[int, dict[Label, None]] = {}  # the same label again is no correction
    for sequence, label in labels:
        said.setdefault(sequence, {})[label] = None
    found: dict[Any, Any] = {}
    for one in rows:
        if not one.served:
            continue
        hour = START + timedelta(hours=(one.at - START.timestamp()) // HOUR)
        known = found.setdefault(
            (hour, one.model_version), {"predicted": Counter(), "cells": Counter(), "corrected": 0}
        )
        known["predicted"][one.prediction] += 1
        if one.sequence in said:
            first, *others = said[one.sequence]
            known["corrected"] += len(others)
            known["cells"][first, one.prediction] += 1
    return found


def same(store: Store, expected: dict[Any, Any]) -> None:
    """See that the store knows what was counted, and nothing else."""
    found = store.buckets("fruit", START - timedelta(days=40), LATER)
    assert [(bucket.start, bucket.version) for bucket in found] == sorted(expected)
    for bucket in found:
        known, tallied = expected[bucket.start, bucket.version], bucket.tallied
        assert tallied.n == known["predicted"].total()
        assert tallied.failed == known["predicted"].pop(None, 0)
        assert dict(tallied.predictions.counts if isinstance(tallied.predictions, Values) else {}) == known["predicted"]
        cells: dict[Any, int] = (
            {(y, said): n for (y, said, _), n in tallied.outcomes.to_counts().items()} if tallied.outcomes else {}
        )
        cells |= {(y, None): n for y, n in tallied.unpredicted.items()}
        assert cells == known["cells"]
        assert tallied.corrected == known["corrected"]
        assert tallied.labelled == known["cells"].total()


def test_tallies_are_a_count_of_the_rows(log: Store) -> None:  # noqa: F811 - the fixture
    """Of each hour and version: what was predicted, what failed, what the first labels say, and what was corrected."""
    draw = random.Random(1)  # noqa: S311 - rows for a test
    rows = [
        row(i, draw.uniform(0, 3 * DAY), draw.choice(PREDICTED), model_version=draw.choice((1, 2, None)),
            served=draw.random() < 0.9)
        for i in range(1, 400)
    ]  # fmt: skip
    labels = [(draw.randrange(1, 400), draw.choice(("pear", "fig", "nut"))) for _ in range(500)]
    rows = [one for one in rows if one.model_version is not None] + [
        row(400 + i, i * HOUR, "fig", model_version=3) for i in range(5)
    ]
    log.write(rows)
    for at, (sequence, label) in enumerate(labels):
        feed(log, label, sequence, at=at)
    known = {one.sequence for one in rows}
    hours = take_in(log, "fruit", now=LATER)
    expected = counted(rows, [pair for pair in labels if pair[0] in known])
    assert hours == len({start for start, _ in expected})
    same(log, expected)


def test_a_run_is_no_version(log: Store) -> None:  # noqa: F811 - the fixture
    """Predictions of a run count, under no version."""
    log.write([row(1, model_version=None)])
    assert take_in(log, "fruit", now=LATER) == 1
    assert [(bucket.version, bucket.tallied.n) for bucket in log.buckets("fruit", START, LATER)] == [(None, 1)]


def test_taken_in_again_nothing_is_counted_again(log: Store) -> None:  # noqa: F811 - the fixture
    """Where nothing is new no hour is counted, and what was counted stays to the last bit."""
    assert take_in(log, "fruit", now=START) == 0
    assert log.live_mark("fruit") is None
    log.write([row(1), row(2, HOUR), row(3, 2 * HOUR)])
    feed(log, "pear", 1, at=60)
    assert take_in(log, "fruit", now=moment(2 * HOUR + 1)) == 3
    before = told(log)
    assert take_in(log, "fruit", now=moment(3 * HOUR)) == 0
    assert told(log) == before
    feed(log, "fig", 2, at=3 * HOUR + 60)
    assert take_in(log, "fruit", now=moment(3 * HOUR + 60)) == 1  # the hour of the label's prediction


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("row"), st.integers(0, 30), st.sampled_from(PREDICTED)),
        st.tuples(st.just("label"), st.integers(1, 25), st.sampled_from(("pear", "fig"))),
        st.tuples(st.just("take in"), st.integers(0, 1), st.none()),
    ),
    max_size=40,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_taken_in_at_any_moments_it_is_as_taken_in_at_the_end(steps: list[tuple[str, int, Label | None]]) -> None:
    """Whatever is logged, labelled, corrected and taken in, in whatever order, the tallies are those of the end."""
    with tempfile.TemporaryDirectory() as folder:
        stores = [Store(f"sqlite:///{Path(folder) / name}.db") for name in ("often", "once")]
        often, once = stores
        sequence, clock = 0, 3.0 * DAY
        for what, number, said in steps:
            clock += 600.0
            if what == "take in":
                take_in(often, "fruit", now=moment(clock))
            for store in stores:
                if what == "row":  # at any hour, and logged now
                    features = json.dumps({"width": number})
                    store.write([row(sequence + 1, clock - number * HOUR, said, features=features)])
                if what == "label" and number <= sequence and said is not None:
                    feed(store, said, number, at=clock)
            sequence += what == "row"
        for store in stores:
            take_in(store, "fruit", now=moment(clock + 60))
        assert told(often) == told(once)
        for store in stores:
            store.close()


def test_rows_that_come_late_are_found(log: Store) -> None:  # noqa: F811 - the fixture
    """A row that reaches the log days after its prediction is counted in its hour, with a label that waited for it."""
    log.write([row(2, 5 * DAY)])
    feed(log, "fig", 1, at=60)  # of a prediction that is not known yet
    take_in(log, "fruit", now=moment(5 * DAY + 60))
    log.write([row(1, 30.0)])
    assert take_in(log, "fruit", now=moment(5 * DAY + 2 * HOUR)) == 1
    first = log.buckets("fruit", START, LATER)[0]
    assert (first.start, first.tallied.n, first.tallied.labelled) == (START, 1, 1)


def test_both_arms_of_a_split_count_and_a_shadow_does_not(log: Store) -> None:  # noqa: F811 - the fixture
    """In a split each version's served rows are its own; in shadow mode only the champion served."""
    split = traffic.plan(name="split", mode="split", model_name="fruit", planned_n=9)
    log.start(split, inclusion=1.0, why="tests")
    traffic.split(log, split, [("champion", "pear", "pear"), ("challenger", "fig", "pear"), ("champion", "fig", None)])
    shadow = traffic.plan(name="shadow", model_name="nut")
    log.start(shadow, inclusion=1.0, why="tests")
    traffic.shadow(log, shadow, [("pear", "pear", "fig"), ("fig", "fig", None)], server="b" * 16)
    for model in ("fruit", "nut"):
        take_in(log, model, now=LATER)
    assert [
        (bucket.version, bucket.tallied.n, bucket.tallied.failed, bucket.tallied.labelled)
        for bucket in log.buckets("fruit", traffic.START, LATER)
    ] == [(1, 2, 1, 2), (2, 1, 0, 1)]
    assert [
        (bucket.version, bucket.tallied.n, bucket.tallied.labelled)
        for bucket in log.buckets("nut", traffic.START, LATER)
    ] == [(1, 2, 2)]


def test_servers_of_several_models_share_a_log(log: Store) -> None:  # noqa: F811 - the fixture
    """Each row counts for the model that its server said it serves, and for no other."""
    for server, model in (("aa", "fruit"), ("bb", "nut"), ("cc", None)):
        log.serve(server, model)
        log.write([row(1, server=server), row(2, server=server)][: 1 + (model == "nut")])
    for model in ("fruit", "nut", "berry"):
        take_in(log, model, now=LATER)
    assert [bucket.tallied.n for bucket in log.buckets("fruit", START, LATER)] == [1]
    assert [bucket.tallied.n for bucket in log.buckets("nut", START, LATER)] == [2]
    assert log.models_tracked() == ("fruit", "nut")


def test_rows_of_a_server_that_did_not_say_what_it_serves_count_where_there_is_no_doubt(log: Store) -> None:  # noqa: F811 - the fixture
    """They are of the only model that the log knows; of several, only what took part in an experiment is told apart."""
    log.write([row(1)])
    log.serve("aa", "fruit")
    assert take_in(log, "fruit", now=moment(60)) == 1
    log.write([row(2, HOUR), row(3, HOUR, experiment="spring")])
    log.start(traffic.plan(name="spring", model_name="nut"), inclusion=1.0, why="tests")
    for model in ("fruit", "nut"):
        take_in(log, model, now=LATER)
    assert [bucket.tallied.n for bucket in log.buckets("nut", START, LATER)] == [1]
    assert [bucket.tallied.n for bucket in log.buckets("fruit", START, LATER)] == [1]


def test_a_regression_is_told_by_its_fractions(log: Store) -> None:  # noqa: F811 - the fixture
    """Errors are summed hour by hour as the sums of all rows; hours taken for classes before are counted again."""
    log.write([row(1, 0, 2.0), row(2, 60, 3.0), row(3, 120, None)])
    feed(log, 2.0, 1, at=200)
    feed(log, 5, 2, at=200)
    feed(log, 1, 3, at=200)
    take_in(log, "fruit", now=moment(300))
    (before,) = log.buckets("fruit", START, LATER)
    assert (before.tallied.task, before.tallied.unpredicted) == ("classification", {1.0: 1})
    assert before.tallied.predictions is not None
    assert before.tallied.predictions.to_dict() == Values.of({"2": 1, "3": 1}).to_dict()
    log.write([row(4, HOUR, 2.5), row(5, HOUR, 1.5)])
    feed(log, 3.25, 4, at=HOUR)
    assert take_in(log, "fruit", now=moment(HOUR + 60)) == 2
    whole = Window(start=START, end=LATER, buckets=log.buckets("fruit", START, LATER)).whole()
    truth, said = [2.0, 5.0, 3.25], [2.0, 3.0, 2.5]
    assert whole.task == "regression"
    assert whole.errors is not None
    expected = RegressionOutcomes.of(truth, said, said)
    for metric in ("mae", "rmse", "r2", "bias"):
        assert whole.errors.value(metric, "champion") == pytest.approx(expected.value(metric, "champion"), rel=1e-12)
    assert whole.predictions is not None
    assert whole.predictions.to_dict() == Numbers.of([2.0, 3.0, 2.5, 1.5]).to_dict()
    assert (whole.n, whole.failed, whole.labelled, whole.unpredicted) == (5, 1, 4, {1.0: 1})
    log.write([row(6, 2 * HOUR, 4.0)])  # without a fraction, and a regression still
    feed(log, 4, 6, at=2 * HOUR)
    take_in(log, "fruit", now=moment(2 * HOUR + 60))
    assert [bucket.tallied.task for bucket in log.buckets("fruit", START, LATER)] == ["regression"] * 3


def test_labels_are_read_as_the_predictions_are(log: Store, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811 - the fixture
    """A label that is spelled otherwise counts as what it means; one that means nothing is left out, and told."""
    log.write([row(i, prediction=i % 2) for i in range(1, 5)])
    given_: tuple[Label, ...] = ("1", 0.0, True, "pear")
    for sequence, label in enumerate(given_, start=1):
        feed(log, label, sequence)
    take_in(log, "fruit", now=LATER)
    (bucket,) = log.buckets("fruit", START, LATER)
    assert bucket.tallied.outcomes is not None
    assert bucket.tallied.outcomes.to_counts() == {(1, 1, 1): 2, (0, 0, 0): 1}
    assert caplog.messages == ['Left out: 1 label that cannot be read as int (first: "pear").']


def test_labels_in_text_of_an_hour_that_failed_add_up(log: Store) -> None:  # noqa: F811 - the fixture
    """Where every prediction of an hour failed, labels that are text mean what they mean in the other hours."""
    log.write([row(1, 0, prediction=2), row(2, 60, prediction=3), row(3, HOUR, prediction=None)])
    for sequence, label in enumerate(("2", "3", "2"), start=1):
        feed(log, label, sequence)
    take_in(log, "fruit", now=LATER)
    whole = Window(start=START, end=LATER, buckets=log.buckets("fruit", START, LATER)).whole()
    assert (whole.labelled, whole.unpredicted) == (3, {2: 1})


def test_numbers_that_cannot_be_squared_are_left_out(log: Store, caplog: pytest.LogCaptureFixture) -> None:  # noqa: F811 - the fixture
    """One absurd label does not keep the others from being counted."""
    log.write([row(1, prediction=0.5), row(2, prediction=0.5)])
    feed(log, 1e300, 1)
    feed(log, 0.5, 2)
    take_in(log, "fruit", now=LATER)
    (bucket,) = log.buckets("fruit", START, LATER)
    assert bucket.tallied.labelled == 1
    assert "Left out: 1 label" in caplog.text


def test_lag_is_from_prediction_to_label(log: Store) -> None:  # noqa: F811 - the fixture
    """The mean lag is over labelled predictions, to their first label."""
    log.write([row(1, 0), row(2, 100), row(3, 200)])
    feed(log, "pear", 1, at=1000)
    feed(log, "fig", 1, at=5000)
    feed(log, "pear", 2, at=2100)
    take_in(log, "fruit", now=LATER)
    (bucket,) = log.buckets("fruit", START, LATER)
    assert bucket.tallied.lag is not None
    assert bucket.tallied.lag.n == 2
    assert bucket.tallied.lag.mean == pytest.approx(1500)
    assert bucket.tallied.lag.variance == pytest.approx(500_000)


def test_features_are_sketched_by_the_day(log: Store) -> None:  # noqa: F811 - the fixture
    """Where the log kept them, they are sketched as all rows of the day would be, by version."""
    kept: list[dict[str, Any]] = [
        {"width": i / 7, "color": "red" if i % 3 else "blue", "ripe": i % 2 == 0} for i in range(60)
    ]
    kept[5] = {"width": None, "color": "red"}
    log.write([row(i + 1, i * HOUR / 2, features=json.dumps(one)) for i, one in enumerate(kept)])
    log.write([row(100, 0, model_version=2), row(101, 0, model_version=2, features='{"width": 1}')])
    take_in(log, "fruit", now=LATER)
    first, other, second = log.sketches("fruit", START, LATER)
    assert (first.day, first.version, second.day) == (START, 1, START + timedelta(days=1))
    assert (other.version, set(other.features)) == (2, {"width"})
    widths = [one["width"] for one in kept[:48] if one["width"] is not None]
    assert first.features["width"].to_dict() == Numbers.of(widths, missing=1).to_dict()
    colors = Counter(str(one["color"]) for one in kept[:48])
    assert first.features["color"].to_dict() == Values.of(colors).to_dict()
    assert (first.features["ripe"].n, first.features["ripe"].missing) == (47, 1)


@pytest.mark.slow
def test_a_real_server_is_taken_in_while_it_serves(iris: Registry, tmp_path: Path) -> None:
    """What a server answered and was told is in the tallies, of its own model, while it goes on."""
    arguments = ("--model-name", "iris", "--tracking-uri", str(iris), "--durable", "--log-features", "1")
    with serving(*arguments, folder=tmp_path) as server, Store(f"sqlite:///{tmp_path / 'abtest-live.db'}") as opened:
        with flowing([server.client.base_url], {"width": 5.0, "height": 9.0}) as flow:
            flow.go_on()
            for name in flow.ids[:5]:
                server.post("/feedback", {"prediction_id": name, "label": "pear"}, status=201)
            assert take_in(opened, "iris") >= 1
            flow.go_on()
        take_in(opened, "iris")
        assert take_in(opened, "other") == 0
        now = datetime.now(UTC)
        window = Window(
            start=now - timedelta(days=2), end=now, buckets=opened.buckets("iris", now - timedelta(days=2), now)
        )
        assert window.whole().n >= len(flow.answered)
        assert window.whole().labelled == 5
        (day, *_) = opened.sketches("iris", now - timedelta(days=2), now)
        assert set(day.features) == {"width", "height"}


def test_whole_numbers_beside_a_tracked_regression_are_numbers(log: Store) -> None:  # noqa: F811 - the fixture
    """Where files of a regression were tracked, served predictions without a fraction are numbers too, and add up."""
    tracked = pd.DataFrame({"at": [START] * 3, "said": [1.5, 2.5, 3.0]})
    track(log, "fruit", tracked, version=1, prediction="said", time_column="at")
    log.write([row(1, 0, 2.0), row(2, 60, 3.0)])
    take_in(log, "fruit", now=LATER)
    whole = Window(start=START, end=LATER, buckets=log.buckets("fruit", START, LATER)).whole()
    assert whole.predictions is not None
    assert whole.predictions.to_dict() == Numbers.of([1.5, 2.0, 2.5, 3.0, 3.0]).to_dict()
