"""Tracking counts each row once, in its hour, however files are cut and whenever labels come."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from abtest.errors import AbtestError, InvalidInputError, LabelMismatchError, NotFoundError
from abtest.live.store import Store
from abtest.loaders.models import from_object
from abtest.monitoring import baselines, tracking
from abtest.stats.sketches import Numbers, Values
from abtest.windows import Window
from tests.monitoring.tracked import END, START, alike, held, prices, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abtest.monitoring.tracking import Tracked

PLAIN: dict[str, Any] = {"prediction": "predicted", "time_column": "time", "segments": ["shop"]}
FULL: dict[str, Any] = {**PLAIN, "target": "kind"}
CODES = {"book": 3, "game": 7, "toy": 12}


@pytest.fixture
def open_log(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens logs, each a SQLite file of its own."""
    opened: list[Store] = []

    def one() -> Store:
        opened.append(Store(f"sqlite:///{tmp_path / f'{len(opened)}.db'}"))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


@pytest.fixture
def log(open_log: Callable[[], Store]) -> Store:
    """An empty log."""
    return open_log()


def track(log: Store, data: Any, **options: Any) -> Tracked:
    """Track as version 1 of a model "shop"."""
    return tracking.track(log, "shop", data, **{"version": 1, **options})


def counted(log: Store) -> Counter[tuple[Any, ...]]:
    """Rows by hour, truth and prediction, as the log has them."""
    found: Counter[tuple[Any, ...]] = Counter()
    for bucket in log.buckets("shop", START, END):
        assert bucket.tallied.outcomes is not None
        for (y, ours, theirs), count in bucket.tallied.outcomes.to_counts().items():
            assert ours == theirs
            found[bucket.start, y, ours] += count
    return found


# What is counted


def test_tallies_are_what_pandas_groups(log: Store) -> None:
    """Every hour's table, and every segment's, is what pandas' own group-by counts."""
    frame = rows()
    done = track(log, frame, **FULL)
    assert (done.n, done.tracked, done.labelled, done.waiting) == (600, 600, 600, 0)
    assert (done.start, done.end) == (frame["time"].min(), frame["time"].max())
    hour = frame["time"].dt.floor("h")
    assert counted(log) == Counter(zip(hour, frame["kind"], frame["predicted"], strict=True))
    by_segment: Counter[tuple[Any, ...]] = Counter()
    for bucket in log.buckets("shop", START, END):
        outcomes = bucket.tallied.outcomes
        assert outcomes is not None
        for segment in outcomes.segments:
            for (y, ours, _), count in outcomes.of(segment).to_counts().items():
                by_segment[bucket.start, segment.name, segment.value, y, ours] += count
    shop = ["shop"] * len(frame)
    assert by_segment == Counter(zip(hour, shop, frame["shop"], frame["kind"], frame["predicted"], strict=True))


def test_a_file_that_is_read_otherwise_does_not_count_twice(log: Store) -> None:
    """Other segments or columns make no other rows of the same predictions; another version's are others."""
    frame = rows()
    track(log, frame, **FULL)
    others: list[dict[str, Any]] = [{"segments": []}, {"target": None}, {"time_column": None}]
    for other in others:
        with pytest.raises(InvalidInputError, match=r"tracked before, read otherwise.*--labels"):
            track(log, frame, **{**FULL, **other})
    assert sum(bucket.tallied.n for bucket in log.buckets("shop", START, END)) == len(frame)
    assert track(log, frame, **{**FULL, "version": 2}).tracked == len(frame)


def test_errors_are_what_pandas_groups(log: Store) -> None:
    """Every hour's mean absolute error, and every segment's, is what pandas' own group-by gives."""
    frame = prices()
    track(log, frame, **FULL)
    frame["hour"], frame["error"] = frame["time"].dt.floor("h"), (frame["predicted"] - frame["kind"]).abs()
    mean = frame.groupby("hour")["error"].mean()
    by_shop = frame.groupby(["hour", "shop"])["error"].mean()
    buckets = log.buckets("shop", START, END)
    assert len(buckets) == len(mean)
    for bucket in buckets:
        assert bucket.start is not None
        assert bucket.tallied.errors is not None
        assert bucket.tallied.errors.value("mae", "champion") == pytest.approx(mean[bucket.start], rel=1e-12)
        for (_, shop), errors in bucket.tallied.error_segments.items():
            assert errors.value("mae", "champion") == pytest.approx(by_shop[bucket.start, shop], rel=1e-12)
    assert sum(len(bucket.tallied.error_segments) for bucket in buckets) == len(by_shop)


def test_features_and_predictions_are_sketched(log: Store) -> None:
    """Features are sketched by day and predictions by hour: numbers as numbers, text by value."""
    frame = rows()
    track(log, frame, **FULL, id_column="id")
    days = log.sketches("shop", START, END)
    assert [day.day for day in days] == [START + timedelta(days=i) for i in range(3)]
    for day in days:
        own = frame[frame["time"].dt.floor("D") == day.day]
        assert set(day.features) == {"weight", "colour", "shop"}
        colour, weight = day.features["colour"], day.features["weight"]
        assert isinstance(colour, Values)
        assert dict(colour.counts) == own["colour"].value_counts().to_dict()
        assert isinstance(weight, Numbers)
        assert (weight.n, weight.least, weight.most) == (len(own), own["weight"].min(), own["weight"].max())
    for bucket in log.buckets("shop", START, END):
        own = frame[frame["time"].dt.floor("h") == bucket.start]
        assert isinstance(bucket.tallied.predictions, Values)
        assert dict(bucket.tallied.predictions.counts) == own["predicted"].value_counts().to_dict()


# However it is cut


@pytest.mark.parametrize("make", [rows, prices])
@pytest.mark.parametrize("files", [2, 7])
def test_files_do_not_matter(make: Any, files: int, open_log: Callable[[], Store]) -> None:
    """Rows in any number of files, in any batches, give the same windows as in one."""
    frame, whole, parts = make(), open_log(), open_log()
    track(whole, frame, **FULL)
    for at in range(files):
        track(parts, frame.iloc[at::files], **FULL, batch_rows=31)
    assert alike(held(whole), held(parts))


@pytest.mark.parametrize("make", [rows, prices])
def test_formats_do_not_matter(make: Any, open_log: Callable[[], Store], tmp_path: Path) -> None:
    """CSV, Parquet and JSON Lines of the same rows give the same windows."""
    frame = make()
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True, date_format="iso")
    found = []
    for name in ("rows.csv", "rows.parquet", "rows.jsonl"):
        log = open_log()
        track(log, str(tmp_path / name), **FULL, id_column="id")
        found.append(held(log))
    assert alike(found[0], found[1])
    assert alike(found[0], found[2])


@pytest.mark.parametrize("make", [rows, prices])
def test_when_labels_come_does_not_matter(make: Any, open_log: Callable[[], Store]) -> None:
    """Labels in the same file, later by id, at once by id, and later or at once by position: the same windows."""
    frame = make()
    bare, truth = frame.drop(columns="kind"), frame[["id", "kind"]]
    shuffled = truth.sample(frac=1, random_state=0)
    beside = frame[["weight", "kind"]]
    no_id = bare.drop(columns="id")
    logs = [open_log() for _ in range(6)]
    track(logs[0], frame.drop(columns="id"), **FULL)
    track(logs[1], bare, **PLAIN, id_column="id", features=["weight", "colour", "shop"])
    later = track(logs[1], None, labels=shuffled, id_column="id")
    assert (later.n, later.labelled, later.unknown, later.unchanged) == (600, 600, 0, 0)
    track(logs[2], bare, **PLAIN, labels=shuffled, id_column="id")
    done = track(logs[3], no_id, **PLAIN, labels=beside)
    assert (done.labelled, done.waiting) == (600, 0)
    first = track(logs[4], no_id, **PLAIN, batch_rows=77)
    assert first.waiting == 600
    second = track(logs[4], no_id, **PLAIN, labels=beside, batch_rows=50)
    assert (second.labelled, second.tracked, second.waiting) == (600, 0, 0)
    track(logs[5], bare, **PLAIN, id_column="id")
    for part in (truth.iloc[:250], truth.iloc[250:]):
        track(logs[5], None, labels=part, id_column="id")
    for log in logs[1:]:
        assert alike(held(logs[0]), held(log))
        assert log.waiting_rows("shop") == 0


def test_rows_without_a_label_wait(log: Store) -> None:
    """A row whose target is missing waits, and its label finds it later."""
    frame = rows()
    frame.loc[::3, "kind"] = None
    done = track(log, frame, **FULL, id_column="id")
    assert (done.labelled, done.waiting) == (400, 200)
    assert log.waiting_rows("shop") == 200
    late = track(log, None, labels=rows()[["id", "kind"]], id_column="id")
    assert (late.labelled, late.unchanged) == (200, 400)
    frame = rows()
    hour = frame["time"].dt.floor("h")
    assert counted(log) == Counter(zip(hour, frame["kind"], frame["predicted"], strict=True))


# The same again


def test_the_same_file_again_changes_nothing(log: Store) -> None:
    """A file that was tracked is known; again, it changes nothing and says so."""
    frame = rows()
    track(log, frame, **FULL)
    before = held(log)
    again = track(log, frame, **FULL)
    assert (again.tracked, again.unchanged) == (0, 600)
    assert "was tracked before" in " ".join(again.notices)
    assert held(log) == before


def test_the_first_label_counts(log: Store) -> None:
    """A label that came before changes nothing, one that says otherwise is counted as such, once, and no more."""
    frame = rows()
    track(log, frame.drop(columns="kind"), **PLAIN, id_column="id")
    truth = frame[["id", "kind"]]
    track(log, None, labels=truth, id_column="id")
    before = counted(log)
    same = track(log, None, labels=truth, id_column="id")
    assert (same.batch, same.labelled, same.unchanged) == (None, 0, 600)
    other = truth.assign(kind=np.where(np.arange(600) < 5, "toy", truth["kind"]))
    changed = int((other["kind"] != truth["kind"]).sum())
    assert changed
    for _ in range(2):
        done = track(log, None, labels=other, id_column="id")
        assert (done.corrected, done.unchanged, done.labelled) == (changed, 600 - changed, 0)
    assert counted(log) == before
    assert sum(bucket.tallied.corrected for bucket in log.buckets("shop", START, END)) == changed


def test_labels_that_came_too_early_come_again(log: Store) -> None:
    """Labels of predictions that nobody tracked are counted as unknown; the same file later finds them."""
    frame = rows()
    truth = frame[["id", "kind"]]
    track(log, frame.iloc[:300].drop(columns="kind"), **PLAIN, id_column="id")
    early = track(log, None, labels=truth, id_column="id")
    assert (early.labelled, early.unknown) == (300, 300)
    track(log, frame.iloc[300:].drop(columns="kind"), **PLAIN, id_column="id")
    late = track(log, None, labels=truth, id_column="id")
    assert (late.labelled, late.unchanged, late.unknown) == (300, 300, 0)
    assert counted(log).total() == 600


def test_labels_in_text_are_of_the_predictions_type(open_log: Callable[[], Store], tmp_path: Path) -> None:
    """Labels and ids in CSV mean what they mean in Parquet: whole numbers where the predictions are."""
    codes = {"book": 0, "game": 1, "toy": 2}
    frame = rows().assign(id=range(600), **{name: rows()[name].map(codes) for name in ("kind", "predicted")})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.drop(columns="kind").to_csv(tmp_path / "bare.csv", index=False)
    frame[["id", "kind"]].to_csv(tmp_path / "labels.csv", index=False)
    logs = [open_log() for _ in range(4)]
    features = ["weight"]
    track(logs[0], frame, **FULL, features=features)
    track(logs[1], tmp_path / "rows.csv", **FULL, features=features)
    for log, data in ((logs[2], frame.drop(columns="kind")), (logs[3], tmp_path / "bare.csv")):
        track(log, data, **PLAIN, id_column="id", features=features)
        done = track(log, None, labels=str(tmp_path / "labels.csv"), id_column="id")
        assert done.labelled == 600
        again = track(log, None, labels=frame[["id", "kind"]].astype({"kind": float}), id_column="id")
        assert (again.unchanged, again.corrected) == (600, 0)
    for log in logs[1:]:
        assert held(log) == held(logs[0])


def test_two_who_label_the_same_rows_label_them_once(log: Store) -> None:
    """Of those who give labels of the same rows at the same time, each row gets one, and is counted once."""
    frame = rows()
    track(log, frame.drop(columns="kind"), **PLAIN, id_column="id")
    parts = [frame[["id", "kind"]].iloc[start : start + 400] for start in (0, 100, 200)]
    with ThreadPoolExecutor(3) as workers:
        done = [*workers.map(lambda part: track(log, None, labels=part, id_column="id"), parts)]
    assert sum(each.labelled for each in done) == 600
    assert sum(each.unchanged for each in done) == 600
    assert counted(log).total() == 600


# With a model


def test_a_model_scores_the_rows(open_log: Callable[[], Store], tmp_path: Path) -> None:
    """Rows scored by a model are tallied as if its predictions had been there; its features are what it takes."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500)})
    y = np.where(x["a"] + rng.normal(size=500) > 0, "yes", "no")
    model = from_object("champion", LogisticRegression().fit(x, y))
    frame = x.assign(y=y, shop="north", time=[START + timedelta(minutes=i) for i in range(500)])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    scored, given, text = open_log(), open_log(), open_log()
    options: dict[str, Any] = {"target": "y", "time_column": "time", "segments": ["shop"]}
    track(scored, frame, model=model, batch_rows=64, **options)
    predicted = frame.assign(predicted=model.predictor.predict(x))
    track(given, predicted, prediction="predicted", features=["a", "b"], **options)
    track(text, tmp_path / "rows.csv", model=model, **options)
    assert held(scored) == held(given) == held(text)


def test_a_regressor_is_one(log: Store) -> None:
    """A regressor's rows are of a regression, with labels of whole numbers too, and without any."""
    x = pd.DataFrame({"a": np.arange(50.0)})
    model = from_object("champion", LinearRegression().fit(x, 2 * x["a"]))
    track(log, x.assign(id=range(50)), model=model, at=START, id_column="id")
    late = pd.DataFrame({"id": range(50), "label": [2 * i for i in range(50)]})
    track(log, None, labels=late, id_column="id", task="regression")
    [bucket] = log.buckets("shop", START, END)
    assert bucket.tallied.errors is not None
    assert bucket.tallied.errors.value("rmse", "champion") == pytest.approx(0, abs=1e-9)


def test_lag_is_from_prediction_to_label(log: Store) -> None:
    """The time a label took is the difference of the two moments."""
    frame = rows(50)
    track(log, frame.drop(columns="kind"), **PLAIN, id_column="id")
    late = frame[["id", "kind"]].assign(seen=frame["time"] + pd.Timedelta(hours=5))
    track(log, None, labels=late, id_column="id", time_column="seen", label_column="kind")
    lags = [bucket.tallied.lag for bucket in log.buckets("shop", START, END)]
    assert all(lag is not None and lag.mean == pytest.approx(5 * 3600) for lag in lags)


# Times


def test_times_are_read_in_any_way(open_log: Callable[[], Store]) -> None:
    """Timestamps, ISO text with any zone, seconds and dates mean the same moments, whatever order they come in."""
    frame = rows()
    east = frame["time"].dt.tz_convert("Asia/Tokyo")
    spelled = {
        "utc": frame["time"],
        "tokyo": east,
        "iso": frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "iso east": east.map(lambda t: t.isoformat()),
        "seconds": (frame["time"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds(),
        "bare": frame["time"].dt.tz_localize(None),
        "sorted": frame["time"],
    }
    found, said = {}, {}
    for name, times in spelled.items():
        log = open_log()
        given = frame.assign(time=times)
        said[name] = " ".join(track(log, given.sort_values("time") if name == "sorted" else given, **FULL).notices)
        found[name] = held(log)
    assert all(each == found["utc"] for each in found.values())
    assert "other time zones" in said["tokyo"]
    assert "other time zones" in said["iso east"]
    assert "read as UTC" in said["bare"]
    assert not said["utc"] + said["iso"] + said["seconds"]


def test_a_day_without_data_has_no_hours(log: Store) -> None:
    """A day in the middle without a row leaves a hole, and nothing else."""
    frame = rows()
    frame = frame[frame["time"].dt.day != 2]
    track(log, frame, **FULL)
    assert {bucket.start.day for bucket in log.buckets("shop", START, END) if bucket.start} == {1, 3}


# Bad input


def with_column(name: str, change: Callable[[pd.Series[Any]], Any]) -> Callable[[], pd.DataFrame]:
    """Rows of which a column is another."""
    return lambda: rows().assign(**{name: change(rows()[name])})


def set_at(row: int, value: object) -> Callable[[pd.Series[Any]], Any]:
    """Let one row have another value."""

    def changed(column: pd.Series[Any]) -> Any:
        found = column.astype(object)
        found.iloc[row] = value
        return found

    return changed


def far(column: pd.Series[Any]) -> Any:
    """Let three rows be of another century."""
    found = column.copy()
    found.iloc[[7, 9, 11]] = pd.Timestamp("2126-01-01", tz="UTC")
    return found


ISO = {"time": rows()["time"].map(lambda t: t.isoformat())}
BAD: dict[str, tuple[Callable[[], pd.DataFrame], dict[str, Any], str]] = {
    "no rows": (lambda: rows().iloc[:0], FULL, "holds no rows"),
    "future": (with_column("time", far), FULL, r"must not be in the future, and 3 are \(first: row 8"),
    "no time": (with_column("time", set_at(4, pd.NaT)), FULL, r"1 is missing \(first: row 5\)"),
    "no moment": (lambda: rows().assign(time="soon"), FULL, r"must be a time, and 100 are none \(first: row 1, 'soon'"),
    "mixed": (
        lambda: rows().assign(time=[*ISO["time"][:-1], "2026-03-01T10:00:00"]),
        FULL,
        "must all have a time zone, or none",
    ),
    "id twice": (with_column("id", set_at(3, "order-0-0")), {**FULL, "id_column": "id"}, "in rows 1 and 4"),
    "id far away": (with_column("id", set_at(599, "order-0-5")), {**FULL, "id_column": "id"}, "in rows 6 and 600"),
    "no id": (with_column("id", set_at(3, None)), {**FULL, "id_column": "id"}, r"missing in 1 row \(first: row 4"),
    "no prediction": (with_column("predicted", set_at(3, None)), FULL, r"missing in 1 row \(first: row 4"),
    "no column": (rows, {**FULL, "target": "sort"}, "has no target column 'sort'"),
    "two things": (rows, {**FULL, "target": "predicted"}, "must be two columns"),
    "nothing to ask": (rows, {**FULL, "prediction": None}, "got neither"),
    "many segments": (rows, {**FULL, "segments": ["weight"]}, "'weight' has more than 100 values"),
    "other labels": (lambda: rows().assign(kind=1), FULL, "Labels are int but predictions are str"),
    "strange labels": (lambda: rows().assign(kind="x"), FULL, "never predicts a class of the truth"),
    "no features": (rows, {**FULL, "features": ["size"]}, "has no feature 'size'"),
    "no task": (rows, {**FULL, "task": "ranking"}, "task must be one of"),
    "future at": (rows, {"prediction": "predicted", "at": datetime(2126, 1, 1, tzinfo=UTC)}, "at must not be in the"),
    "two truths": (rows, {**PLAIN, "target": "kind", "labels": pd.DataFrame({"label": ["toy"] * 600})}, "both hold"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_refused_whole(name: str, log: Store) -> None:
    """What cannot be tracked is refused in a sentence that names the first row, and leaves nothing."""
    make, options, told = BAD[name]
    with pytest.raises(InvalidInputError, match=told):
        track(log, make(), **options, batch_rows=100)
    assert_nothing(log)


def assert_nothing(log: Store) -> None:
    """Nothing is tracked, and nothing open is left that would be in the way."""
    assert log.batches("shop") == ()
    assert log.buckets("shop", START, END) == ()
    assert log.sketches("shop", START, END) == ()
    assert log.waiting_rows("shop") == 0
    assert log.rows_of("shop", [f"order-0-{i}" for i in range(600)]) == {}


def test_cut_off_leaves_nothing(log: Store) -> None:
    """Whoever interrupts tracking finds nothing tracked, and may begin again."""

    def stop(_what: str, done: int, _total: int | None) -> None:
        if done >= 300:
            raise KeyboardInterrupt

    frame = rows()
    with pytest.raises(KeyboardInterrupt):
        track(log, frame, **FULL, id_column="id", batch_rows=100, progress=stop)
    assert_nothing(log)
    assert track(log, frame, **FULL, id_column="id").tracked == 600


def test_no_id_is_tracked_twice(log: Store) -> None:
    """An id of an earlier file is refused, and the file with it."""
    track(log, rows(), **FULL, id_column="id")
    before = held(log)
    more = pd.concat([rows(seed=1), rows().iloc[[17]]])
    with pytest.raises(InvalidInputError, match=r"'order-0-17' was tracked already"):
        track(log, more, **FULL, id_column="id")
    assert held(log) == before


def labels_of(**columns: Any) -> pd.DataFrame:
    """Labels beside rows, with these columns changed."""
    return rows()[["weight", "kind"]].assign(**columns)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (labels_of().iloc[:-1], "a row for each of the data frame's 600 rows, and the data frame has 599"),
        (pd.concat([labels_of(), labels_of()]), "600 rows, and the data frame has 1,200"),
        (labels_of(weight=rows()["weight"].where(np.arange(600) != 41, 99.5)), "'weight' is .* and 99.5 in row 42"),
        (
            rows()[["weight", "kind"]].assign(more=1, extra=2).drop(columns="kind"),
            "2 columns that could hold the label",
        ),
    ],
)
def test_positions_must_agree(labels: pd.DataFrame, told: str, log: Store) -> None:
    """Labels by position need a row each, and the same values in columns that both files have."""
    no_id = rows().drop(columns=["id", "kind"])
    with pytest.raises(InvalidInputError, match=told):
        track(log, no_id, **PLAIN, labels=labels, batch_rows=100)
    assert_nothing(log)
    track(log, no_id, **PLAIN)
    with pytest.raises(InvalidInputError, match=told):
        track(log, no_id, **PLAIN, labels=labels, batch_rows=100)
    assert log.waiting_rows("shop") == 600


@pytest.mark.parametrize(
    ("labels", "error", "told"),
    [
        (pd.DataFrame({"id": ["a", "b", "a"], "label": ["toy"] * 3}), InvalidInputError, "in rows 1 and 3"),
        (
            pd.DataFrame({"id": ["a", None], "label": ["toy"] * 2}),
            InvalidInputError,
            r"missing in 1 row \(first: row 2",
        ),
        (pd.DataFrame({"name": ["a"], "label": ["toy"]}), InvalidInputError, "has no id column 'id'"),
        (pd.DataFrame({"id": [f"order-0-{i}" for i in range(20)], "label": 3}), LabelMismatchError, "Labels are int"),
        (pd.DataFrame({"id": [f"order-0-{i}" for i in range(20)], "label": "x"}), LabelMismatchError, "never predicts"),
        ("nowhere.csv", NotFoundError, "labels nowhere.csv does not exist"),
    ],
)
def test_bad_labels_are_refused_whole(labels: Any, error: type[AbtestError], told: str, log: Store) -> None:
    """Labels that cannot be are refused, and no row has one."""
    track(log, rows().drop(columns="kind"), **PLAIN, id_column="id")
    before = held(log)
    with pytest.raises(error, match=told):
        track(log, None, labels=labels, id_column="id")
    assert held(log) == before
    assert log.waiting_rows("shop") == 600


def test_later_rows_are_as_the_first(log: Store) -> None:
    """Another task, or another type of label, than of the rows before is refused; other features are told."""
    track(log, rows(), **FULL)
    with pytest.raises(LabelMismatchError, match="task must be classification"):
        track(log, prices(seed=1), **FULL, task="regression")
    with pytest.raises(LabelMismatchError, match="label_type must be str"):
        track(log, rows(seed=1).assign(predicted=1, kind=1), **FULL, label_type="int")
    changed = rows(seed=2).assign(weight="heavy", time=rows(seed=2)["time"] + pd.Timedelta(days=3))
    told = " ".join(track(log, changed, **{**FULL, "segments": ["colour"]}).notices)
    assert "'weight' held numbers so far, and holds text now" in told
    assert "told apart by shop so far, and these are by colour" in told


def test_predictions_are_of_one_kind(log: Store) -> None:
    """A regression's predictions are refused where classes were predicted, though no row has a label."""
    track(log, rows(), **PLAIN)
    with pytest.raises(LabelMismatchError, match="task must be classification"):
        track(log, prices(seed=1), **PLAIN, task="regression")
    assert len(log.batches("shop")) == 1


def test_predictions_without_a_label_tell_the_task(log: Store) -> None:
    """Whole numbers after numbers with fractions are a regression's too, and late labels are numbers."""
    frame = prices().drop(columns="kind")
    track(log, frame, **PLAIN)
    whole = prices(seed=1)
    whole["predicted"] = whole["predicted"].round().astype(int)
    done = track(log, whole.drop(columns="kind"), **PLAIN, id_column="id")
    assert done.tracked == 600
    assert all(isinstance(it.tallied.predictions, Numbers) for it in log.buckets("shop", START, END))
    assert track(log, None, labels=whole[["id", "kind"]], id_column="id").labelled == 600
    assert {it.tallied.task for it in log.buckets("shop", START, END)} == {"regression"}


def test_one_class_and_missing_features_are_data(log: Store) -> None:
    """A file of one class, and a feature without any value, are tracked as they are."""
    frame = rows().assign(kind="toy", weight=np.nan, colour=None)
    done = track(log, frame, **FULL)
    assert done.labelled == 600
    [first, *_] = log.sketches("shop", START, END)
    assert first.features["weight"].n == first.features["colour"].n == 0
    assert first.features["weight"].missing > 0


@pytest.mark.parametrize("make", [rows, prices])
def test_postgresql_holds_the_same(make: Any, open_log: Callable[[], Store], postgresql: Any) -> None:
    """What is tracked in PostgreSQL is what is tracked in SQLite."""
    frame, log = make(), open_log()
    with Store(postgresql.url) as other:
        for each in (log, other):
            track(each, frame.drop(columns="kind"), **PLAIN, id_column="id", batch_rows=100)
            track(each, None, labels=frame[["id", "kind"]], id_column="id")
        assert held(log) == held(other)


def test_classes_that_are_numbers_are_sketched_by_value(open_log: Callable[[], Store], tmp_path: Path) -> None:
    """Classes 3 and 7 are two values and not numbers: labelled at once, late or never, and in a baseline."""
    frame = rows().assign(kind=lambda it: it["kind"].map(CODES), predicted=lambda it: it["predicted"].map(CODES))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    logs = [open_log() for _ in range(4)]
    track(logs[0], frame, **FULL)
    track(logs[1], frame.drop(columns="kind"), **PLAIN, id_column="id")
    track(logs[2], frame.drop(columns="kind"), **PLAIN, id_column="id")
    track(logs[2], None, labels=frame[["id", "kind"]], id_column="id")
    track(logs[3], str(tmp_path / "rows.csv"), **FULL)
    windows = [Window(start=START, end=END, buckets=log.buckets("shop", START, END)) for log in logs]
    windows.append(baselines.from_data(frame.drop(columns="time"), prediction="predicted", target="kind"))
    expected = Values.of(Counter(frame["predicted"].astype(str))).to_dict()
    for window in windows:
        found = window.whole().predictions
        assert found is not None
        assert found.to_dict() == expected
