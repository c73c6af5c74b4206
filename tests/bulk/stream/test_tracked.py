"""What a stream tallies is what 'abtest monitor track' tallies of a file of the same rows."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from abtest.bulk.choosing import Chosen, choose
from abtest.bulk.stream.streaming import Streamed, stream
from abtest.bulk.stream.tracked import Tallier, tallier
from abtest.errors import BackendError, InvalidInputError
from abtest.live.store import Store
from abtest.monitoring import tracking
from tests.live import models
from tests.monitoring.tracked import START, alike, held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMES = ["width", "height", "depth"]
COLUMNS: dict[str, Any] = {"id_column": "id", "time_column": "time", "target": "kind"}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Rows of some days, of which every third has a label."""
    times = [START + timedelta(hours=i / 3) for i in range(120)]
    kinds = np.where(models.doubles()["height"] > 0, "wide", "narrow")
    found = models.doubles()[NAMES].assign(id=[f"row {i}" for i in range(120)], time=[f"{it:%FT%TZ}" for it in times])
    return found.assign(kind=pd.Series(kinds, dtype=object).where(np.arange(120) % 3 == 0, None))


def registered(estimator: Any, path: Path, rows: pd.DataFrame) -> Chosen:
    """A model, as if it were version 3 of "shop"."""
    chosen = choose(model_uri=models.save(estimator, path, rows[NAMES]))
    return replace(chosen, name="shop", named=replace(chosen.named, version=3))


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory, rows: pd.DataFrame) -> Chosen:
    """A classifier."""
    kinds = np.where(rows["width"] > 0, "wide", "narrow")
    return registered(LogisticRegression().fit(rows[NAMES], kinds), tmp_path_factory.mktemp("m") / "model", rows)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens empty logs."""
    opened: list[Store] = []

    def one() -> Store:
        opened.append(Store(f"sqlite:///{tmp_path / f'{len(opened)}.db'}"))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def lines(rows: pd.DataFrame) -> bytes:
    """Rows as lines."""
    return "".join(json.dumps(row) + "\n" for row in rows.to_dict("records")).encode()


def streamed(chosen: Chosen, text: bytes, tally: Tallier, **options: Any) -> Streamed:
    """Stream some lines."""
    ours, theirs = os.pipe()

    def write() -> None:
        os.write(theirs, text)
        os.close(theirs)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return stream(chosen, ours, io.BytesIO(), tallier=tally, **options)
    finally:
        writer.join()
        os.close(ours)


@pytest.mark.parametrize("every", [0.0, 1000.0])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_stream_tallies_what_a_file_does(  # noqa: PLR0917 - fixtures, and what differs
    chosen: Chosen, rows: pd.DataFrame, tmp_path: Path, log: Callable[[], Store], task: str, every: float
) -> None:
    """However often it adds to the log: hours, labels, features, rows that wait; bad lines between are no rows."""
    if task == "regression":
        rows = rows.assign(kind=(rows["width"] * 2).astype(object).where(np.arange(120) % 3 == 0, None))
        chosen = registered(LinearRegression().fit(rows[NAMES], rows["width"]), tmp_path / "numbers", rows)
    text, path = lines(rows), tmp_path / "rows.jsonl"
    path.write_bytes(text)
    file, pipe = log(), log()
    tracking.track(file, "shop", path, model=chosen.model, version=3, **COLUMNS)
    tally = tallier(chosen, pipe, **COLUMNS)
    tally.every = every
    done = streamed(chosen, b"\n{\n" + text, tally, batch_rows=7)
    assert (done.n, done.tracked, done.untracked) == (122, 120, ())
    assert held(file)["hours"]
    assert alike(held(pipe), held(file))
    assert pipe.waiting_rows("shop") == file.waiting_rows("shop") == 80
    (one,) = pipe.batches("shop")
    assert (one.n, one.source) == (120, "standard input")
    ids = [*rows["id"]]
    assert [it.prediction for it in pipe.rows_of("shop", ids).values()] == pytest.approx(
        [it.prediction for it in file.rows_of("shop", ids).values()]
    )


def test_labels_that_come_later_find_rows_of_a_stream(
    chosen: Chosen, rows: pd.DataFrame, log: Callable[[], Store]
) -> None:
    """By their ids, as they find those of a file."""
    store = log()
    streamed(chosen, lines(rows), tallier(chosen, store, id_column="id", time_column="time"))
    late = pd.DataFrame({"id": rows["id"], "label": np.where(rows["height"] > 0, "wide", "narrow")})
    done = tracking.track(store, "shop", None, labels=late, id_column="id")
    assert (done.labelled, done.unknown, done.waiting) == (120, 0, 0)


def test_a_row_that_comes_twice_counts_once(chosen: Chosen, rows: pd.DataFrame, log: Callable[[], Store]) -> None:
    """In one stream or in two; each is answered, and told as tracked before."""
    store = log()
    streamed(chosen, lines(rows.head(50)), tallier(chosen, store, **COLUMNS))
    done = streamed(chosen, lines(pd.concat([rows, rows.tail(10)])), tallier(chosen, store, **COLUMNS), batch_rows=7)
    assert (done.predicted, done.tracked) == (130, 70)
    (fault,) = done.untracked
    assert (fault.kind, fault.n, fault.line) == ("tracked before", 60, 1)
    assert sum(bucket.tallied.n for bucket in store.buckets("shop", START, START + timedelta(days=9))) == 120


def test_a_row_that_cannot_be_tracked_keeps_its_answer(
    chosen: Chosen, rows: pd.DataFrame, log: Callable[[], Store]
) -> None:
    """A missing id, a time that is none, a label that is no label: others of the batch are tallied."""
    wrong = pd.DataFrame([
        {**rows.iloc[0], "id": None},
        {**rows.iloc[1], "time": "noon"},
        {**rows.iloc[2], "kind": {"a": 1}},
        {**rows.iloc[3], "id": [1]},
        {**rows.iloc[4], "time": ""},
    ]).astype(object)  # fmt: skip
    good = rows.iloc[5:]
    text = lines(good.head(20)) + lines(wrong) + lines(good.tail(len(good) - 20))
    done = streamed(chosen, text, tallier(chosen, log(), **COLUMNS))
    assert (done.predicted, done.tracked) == (120, 115), done
    assert {fault.kind: (fault.n, fault.line) for fault in done.untracked} == {
        "no id or time": (2, 21), "refused": (3, 22)
    }  # fmt: skip


def test_without_a_time_it_is_now_and_without_an_id_nothing_waits(
    chosen: Chosen, rows: pd.DataFrame, log: Callable[[], Store]
) -> None:
    """Rows are tallied in the hour in which they are answered; none is remembered that no label could name."""
    store, began = log(), datetime.now(UTC)
    streamed(chosen, lines(rows), tallier(chosen, store))
    buckets = store.buckets("shop", began - timedelta(hours=1), began + timedelta(hours=1))
    assert sum(bucket.tallied.n for bucket in buckets) == 120
    assert {bucket.version for bucket in buckets} == {3}
    assert store.waiting_rows("shop") == 0


def test_while_the_store_does_not_answer_rows_wait(
    chosen: Chosen, rows: pd.DataFrame, log: Callable[[], Store], tmp_path: Path
) -> None:
    """Answers go on, and all is tallied once it answers; if it does not by the end, that is an error."""
    store = log()
    tally = tallier(chosen, store, **COLUMNS)
    tally.every = 0.0
    with contextlib.closing(sqlite3.connect(tmp_path / "0.db", isolation_level=None)) as database:
        database.execute("ALTER TABLE abtest_tallies RENAME TO away")
        with pytest.raises(BackendError, match="120 predictions are not tracked yet: "):
            streamed(chosen, lines(rows), tally, batch_rows=7)
        assert (tally.n, store.waiting_rows("shop")) == (0, 0)
        database.execute("ALTER TABLE away RENAME TO abtest_tallies")
    tally.settle()
    assert (tally.n, store.waiting_rows("shop")) == (120, 80)


def test_a_model_outside_the_registry_is_not_tracked(chosen: Chosen, log: Callable[[], Store]) -> None:
    """Tallies are of a name; and no column is two things."""
    with pytest.raises(InvalidInputError, match="needs a registered model"):
        tallier(replace(chosen, name=None), log())
    with pytest.raises(InvalidInputError, match="columns of their own, got id, id"):
        tallier(chosen, log(), id_column="id", target="id")
