"""Laws of tracked predictions in the log: a file counts once and as a whole, an id once, a label once, an act once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from abtest.errors import InvalidInputError, RefusedError
from abtest.live.log import Feedback
from abtest.live.store import Store
from abtest.live.tracked import Act, Batch, TrackedRow
from abtest.outcomes import PairedOutcomes
from abtest.stats.sketches import Numbers
from abtest.windows import Bucket, Sketched, Tallied
from tests.live.store.logs import row as served
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

SPAWN = multiprocessing.get_context("spawn")
DAY = datetime(2026, 5, 1, tzinfo=UTC)
END = DAY + timedelta(days=30)
MONITORING = ("servings", "batches", "rows", "tallies", "sketches", "marks", "acts")


def batch(name: str = "b1", **others: Any) -> Batch:
    """A file of three predictions."""
    told: dict[str, Any] = {"model_name": "fruit", "kind": "predictions", "source": f"{name}.csv", "n": 3,
                            "received_at": DAY}  # fmt: skip
    return Batch(batch=name, **(told | others))


def rows(*ids: str, **others: Any) -> list[TrackedRow]:
    """Predictions that wait."""
    told: dict[str, Any] = {"at": DAY.timestamp(), "version": 1, "prediction": "pear", "segments": {"color": "green"}}
    return [TrackedRow(id=name, **(told | others)) for name in ids]


def bucket(hour: int = 0, version: int | None = 1, n: int = 3, right: int = 0, wrong: int = 0) -> Bucket:
    """An hour of predictions, some labelled."""
    outcomes = PairedOutcomes.from_counts({("pear", "pear", "pear"): right, ("fig", "pear", "pear"): wrong})
    tallied = Tallied(n=n, outcomes=outcomes if outcomes.n else None)
    return Bucket(start=DAY + timedelta(hours=hour), version=version, tallied=tallied)


def sketched(*values: float, day: int = 0, version: int | None = 1) -> Sketched:
    """A day of one feature."""
    return Sketched(day=DAY + timedelta(days=day), version=version, features={"width": Numbers.of(values)})


def track(log: Store, one: Batch, ids: Sequence[str], *buckets: Bucket) -> None:
    """Track a file of predictions."""
    assert log.begin_batch(one)
    log.add_rows(one, rows(*ids))
    log.end_batch(one, buckets, ())


def told(log: Store) -> list[tuple[Any, ...]]:
    """What a report reads, plainly."""
    found = log.buckets("fruit", DAY, END)
    return [(one.start, one.version, one.tallied.n, one.tallied.labelled) for one in found]


def test_a_batch_is_read_once_it_is_whole(log: Store) -> None:
    """Nothing of an open batch is read; when it ends, all of it is."""
    assert log.begin_batch(batch())
    log.add_rows(batch(), rows("a", "b"))
    assert (log.batches("fruit"), log.rows_of("fruit", ["a"]), log.waiting_rows("fruit")) == ((), {}, 0)
    assert (log.models_tracked(), log.first_tracked("fruit")) == ((), None)
    log.end_batch(batch(n=2), [bucket(3, None), bucket(1)], [sketched(1, 2)])
    assert log.batches("fruit") == (batch(n=2),)
    assert log.rows_of("fruit", ["b", "c", "a"]) == {one.id: one for one in rows("a", "b")}
    assert log.waiting_rows("fruit") == 2
    assert log.models_tracked() == ("fruit",)
    assert log.first_tracked("fruit") == DAY + timedelta(hours=1)
    assert log.last_tracked("fruit") == DAY + timedelta(hours=3)
    assert told(log) == [(DAY + timedelta(hours=1), 1, 3, 0), (DAY + timedelta(hours=3), None, 3, 0)]
    (day,) = log.sketches("fruit", DAY, END)
    assert (day.day, day.version, day.features["width"].to_dict()) == (DAY, 1, Numbers.of([1, 2]).to_dict())


def test_a_file_that_was_tracked_changes_nothing_again(log: Store) -> None:
    """Of a whole batch no second one begins."""
    track(log, batch(), ["a"], bucket())
    assert not log.begin_batch(batch())
    assert told(log) == [(DAY, 1, 3, 0)]
    with pytest.raises(RefusedError, match=r"Another process has tracked b1\.csv"):
        log.add_rows(batch(), rows("x"))


def test_an_hour_is_the_sum_of_its_batches_and_of_the_live_log(log: Store) -> None:
    """What several files and the servers tell of an hour and a version adds up to one bucket; periods are half open."""
    track(log, batch("b1"), ["a"], bucket(0, right=2), bucket(1))
    track(log, batch("b2"), ["b"], bucket(0, wrong=1), bucket(0, version=2))
    log.put_live("fruit", [bucket(0, n=10)], [], hours=[DAY], mark=5.0)
    assert told(log) == [(DAY, 1, 16, 3), (DAY, 2, 3, 0), (DAY + timedelta(hours=1), 1, 3, 0)]
    only = log.buckets("fruit", DAY + timedelta(hours=1), DAY + timedelta(hours=2))
    assert [one.start for one in only] == [DAY + timedelta(hours=1)]
    assert log.buckets("nut", DAY, END) == ()


def test_a_sketched_day_is_the_sum_of_its_batches(log: Store) -> None:
    """Features of a day and a version add up."""
    for name, values in (("b1", (1.0, 5.0)), ("b2", (2.0,))):
        assert log.begin_batch(batch(name))
        log.end_batch(batch(name), [], [sketched(*values)])
    (day,) = log.sketches("fruit", DAY, END)
    assert day.features["width"].to_dict() == Numbers.of([1.0, 2.0, 5.0]).to_dict()


def test_an_id_names_one_prediction_of_a_model(log: Store) -> None:
    """An id that is there is refused by name, whether of another file, of this one, or twice in what comes now."""
    track(log, batch("b1"), ["a", "b"])
    assert log.begin_batch(batch("b2"))
    log.add_rows(batch("b2"), rows("c"))
    refused = {
        ("d", "b", "a"): "The id 'b' was tracked already, in b1.csv",
        ("d", "c"): "b2.csv has the id 'c' twice",
        ("d", "e", "d"): "b2.csv has the id 'd' twice",
    }
    for ids, said in refused.items():
        with pytest.raises(InvalidInputError, match=said):
            log.add_rows(batch("b2"), rows(*ids))
    other = batch("b3", model_name="nut")
    assert log.begin_batch(other)
    log.add_rows(other, rows("a"))


def test_what_a_dropped_batch_wrote_is_gone(log: Store) -> None:
    """A dropped batch leaves nothing, and may be tracked again; a whole one is not dropped."""
    assert log.begin_batch(batch())
    log.add_rows(batch(), rows(*(f"id{i}" for i in range(12_000))))  # more than a transaction's
    log.drop_batch(batch())
    track(log, batch(), ["id1"], bucket())
    log.drop_batch(batch())
    assert log.batches("fruit") == (batch(),)
    assert log.waiting_rows("fruit") == 1


def test_a_batch_that_grows_is_whole_at_every_moment(log: Store) -> None:
    """What is appended adds up hour by hour and day by day; what is refused, for an id that is there, adds nothing."""
    log.append(batch(n=2), rows("a", "b"), [bucket(0, n=2, right=1)], [sketched(1, 2)])
    assert (log.batches("fruit"), told(log)) == ((batch(n=2),), [(DAY, 1, 2, 1)])
    later = DAY + timedelta(hours=5)
    log.append(batch(n=4, received_at=later), rows("c"), [bucket(0, n=1, wrong=1), bucket(1)], [sketched(3)])
    with pytest.raises(InvalidInputError, match=r"b1\.csv has the id 'a' twice"):
        log.append(batch(n=2), rows("d", "a"), [bucket(0, n=2)], [sketched(4)])
    assert log.batches("fruit") == (batch(n=6, received_at=later),)
    assert told(log) == [(DAY, 1, 3, 2), (DAY + timedelta(hours=1), 1, 3, 0)]
    assert log.waiting_rows("fruit") == 3
    (day,) = log.sketches("fruit", DAY, END)
    assert day.features["width"].to_dict() == Numbers.of([1, 2, 3]).to_dict()


def test_ids_of_an_abandoned_batch_are_free(log: Store, url: str) -> None:
    """A file that was mended after its tracking was cut off has other bytes and the same ids: it is tracked."""
    with Store(url) as gone:
        assert gone.begin_batch(batch("broken"))
        gone.add_rows(batch("broken"), rows("a", "b", "c"))
        track(log, batch("mended"), ["b", "c", "d"])
        assert set(log.rows_of("fruit", "abcd")) == {"b", "c", "d"}
        with pytest.raises(RefusedError, match=r"tracked broken\.csv, or rows of it, since"):
            gone.end_batch(batch("broken"), [bucket()], ())
    assert told(log) == []


def test_of_two_that_track_a_file_one_wins(log: Store, url: str) -> None:
    """Who begins a batch that another has open takes it over, and the other cannot write into it any more."""
    with Store(url) as other:
        assert log.begin_batch(batch())
        log.add_rows(batch(), rows("a"))
        assert other.begin_batch(batch())
        with pytest.raises(RefusedError):
            log.add_rows(batch(), rows("b"))
        with pytest.raises(RefusedError):
            log.end_batch(batch(), [bucket()], ())
        log.drop_batch(batch())  # it is not ours any more
        other.add_rows(batch(), rows("a", "b"))
        other.end_batch(batch(), [bucket()], ())
        assert not log.begin_batch(batch())
    assert told(log) == [(DAY, 1, 3, 0)]


def _track_all(url: str) -> str:
    """Track one file in a process of its own, and say how it went."""
    with Store(url) as log:
        try:
            if not log.begin_batch(batch()):
                return "there"
            for start in range(0, 2000, 100):
                log.add_rows(batch(), rows(*(f"id{i}" for i in range(start, start + 100))))
            log.end_batch(batch(), [bucket(n=2000)], ())
        except RefusedError:
            return "refused"
        return "tracked"


def test_processes_that_track_a_file_at_once_count_it_once(log: Store, url: str) -> None:
    """However they meet, one of them tracks the file, the others say so, and every row is there once."""
    with SPAWN.Pool(3) as processes:
        said = processes.map(_track_all, [url] * 3, chunksize=1)
    assert said.count("tracked") == 1
    assert set(said) <= {"tracked", "there", "refused"}
    assert told(log) == [(DAY, 1, 2000, 0)]
    assert log.waiting_rows("fruit") == 2000


def test_a_process_that_is_killed_leaves_nothing_that_counts(log: Store, url: str) -> None:
    """Killed while it writes rows, a batch is invisible; tracked again, it is there once and whole."""
    script = textwrap.dedent("""
        import sys
        from tests.live.store.test_tracking import Store, batch, rows
        log = Store(sys.argv[1])
        assert log.begin_batch(batch())
        for at in range(10**9):
            log.add_rows(batch(), rows(*(f"{at}-{i}" for i in range(50))))
            print(at, flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        assert process.stdout is not None
        for _ in range(5):
            assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert (log.batches("fruit"), log.rows_of("fruit", ["0-0"]), log.waiting_rows("fruit")) == ((), {}, 0)
    track(log, batch(), ["0-0", "x"], bucket())
    assert log.waiting_rows("fruit") == 2
    assert told(log) == [(DAY, 1, 3, 0)]


def test_labels_add_to_old_hours(log: Store) -> None:
    """Late labels add tallies of their own to the hours of their predictions, and wait for nothing any more."""
    track(log, batch("b1"), ["a", "b", "c"], bucket(n=3))
    later = batch("b2", kind="labels")
    assert log.begin_batch(later)
    assert log.end_labels(later, {"a": "pear", "c": "fig"}, [bucket(n=0, right=1, wrong=1)])
    assert told(log) == [(DAY, 1, 3, 2)]
    assert log.waiting_rows("fruit") == 1
    assert {name: one.label for name, one in log.rows_of("fruit", "abc").items()} == {
        "a": "pear",
        "b": None,
        "c": "fig",
    }
    assert [one.batch for one in log.batches("fruit")] == ["b1", "b2"]
    assert not log.begin_batch(later)


def test_labels_that_another_overtook_change_nothing(log: Store) -> None:
    """Where one of the rows has got a label since it was read, none is set and nothing is tallied."""
    track(log, batch("b1"), ["a", "b"], bucket(n=2))
    first, second = batch("l1", kind="labels"), batch("l2", kind="labels")
    assert log.begin_batch(first)
    assert log.begin_batch(second)
    assert log.end_labels(first, {"b": 1}, [bucket(n=0, right=1)])
    assert not log.end_labels(second, {"a": 0, "b": 0}, [bucket(n=0, wrong=2)])
    assert {name: one.label for name, one in log.rows_of("fruit", "ab").items()} == {"a": None, "b": 1}
    assert told(log) == [(DAY, 1, 2, 1)]
    assert log.end_labels(second, {"a": 0}, [bucket(n=0, wrong=1)])
    assert told(log) == [(DAY, 1, 2, 2)]


def test_labels_keep_their_type(log: Store) -> None:
    """1, 1.0, True and '1' come back as they were written."""
    one = batch()
    assert log.begin_batch(one)
    for name, label in (("i", 1), ("f", 1.0), ("b", True), ("s", "1")):
        log.add_rows(one, rows(name, prediction=label, label=label))
    log.end_batch(one, (), ())
    found = log.rows_of("fruit", "ifbs")
    assert [(type(found[name].prediction), type(found[name].label)) for name in "ifbs"] == [
        (int, int), (float, float), (bool, bool), (str, str)
    ]  # fmt: skip


def test_many_ids_are_looked_up(log: Store) -> None:
    """However many ids are asked for, those that are there are found."""
    names = [f"id{i}" for i in range(2500)]
    track(log, batch(), names)
    assert set(log.rows_of("fruit", [*names, "other"])) == set(names)


def test_hours_of_the_live_log_are_replaced(log: Store) -> None:
    """An hour that is put again is put in the place of what was known of it, and the other hours stay."""
    log.put_live(
        "fruit", [bucket(0, n=1), bucket(1, n=2)], [sketched(1)], hours=[DAY, DAY + timedelta(hours=1)], mark=1
    )
    log.put_live("fruit", [bucket(0, version=2, n=5)], [sketched(1, 2)], hours=[DAY], mark=2, task="regression")
    assert told(log) == [(DAY, 2, 5, 0), (DAY + timedelta(hours=1), 1, 2, 0)]
    assert (log.live_mark("fruit"), log.live_task("fruit")) == (2, "regression")
    assert [day.features["width"].n for day in log.sketches("fruit", DAY, END)] == [2]
    assert (log.live_mark("nut"), log.batches("fruit"), log.models_tracked()) == (None, (), ("fruit",))


def test_an_older_count_of_the_live_log_does_not_take_the_place_of_a_newer(log: Store) -> None:
    """Of two processes that count, the one that read later is believed, in whatever order they write."""
    log.put_live("fruit", [bucket(n=9)], [], hours=[DAY], mark=20)
    log.put_live("fruit", [bucket(n=8)], [], hours=[DAY], mark=10)
    assert told(log) == [(DAY, 1, 9, 0)]
    assert log.live_mark("fruit") == 20


def act(at: int = 0, **others: Any) -> Act:
    """A rollback."""
    given: dict[str, Any] = {"model_name": "fruit", "what": "rollback", "status": "DEGRADED", "outcome": "begun",
                             "text": "t"}  # fmt: skip
    return Act(at=DAY + timedelta(seconds=at), **(given | others))


def test_an_act_is_done_once_in_a_while(log: Store) -> None:
    """An act begun or done keeps others of its kind and model away for a time; one failed or withheld does not."""
    assert log.claim(act(), 60) == act()
    assert log.claim(act(59), 60) is None
    log.settle(act(outcome="done", text="version 1 serves"))
    assert log.claim(act(59), 60) is None
    assert log.claim(act(0), 0) is None  # the same moment
    assert log.claim(act(1, what="notify"), 60) is not None
    assert log.claim(act(1, model_name="nut"), 60) is not None
    log.settle(act(59, outcome="withheld"))
    assert log.claim(act(60), 60) is not None
    log.settle(act(60, outcome="failed"))
    assert log.claim(act(61), 60) is not None
    assert [(one.what, one.outcome) for one in log.acts("fruit")] == [
        ("rollback", "begun"),
        ("rollback", "failed"), ("rollback", "withheld"), ("notify", "begun"), ("rollback", "done")
    ]  # fmt: skip


def _claim(url: str) -> bool:
    with Store(url) as log:
        return log.claim(act(os.getpid() % 50), 60) is not None


def test_of_processes_that_would_act_one_does(log: Store, url: str) -> None:
    """Of several processes that claim an act at once, one gets it."""
    with SPAWN.Pool(3) as processes:
        assert sum(processes.map(_claim, [url] * 6, chunksize=1)) == 1
    assert len(log.acts("fruit")) == 1


def _as_before(url: str) -> None:
    """Make a log as it was before monitoring."""
    with Store(url) as log:
        log.write([served(1)])
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for name in MONITORING:
            connection.exec_driver_sql(f"DROP TABLE abtest_{name}")


def test_a_log_from_before_monitoring_has_nothing_tracked(url: str) -> None:
    """It is read, labelled and written as ever; of monitoring it says that there is nothing."""
    _as_before(url)
    with Store(url, create=False) as log:
        assert (log.models_tracked(), log.batches("fruit"), log.rows_of("fruit", ["a"])) == ((), (), {})
        assert (log.buckets("fruit", DAY, END), log.sketches("fruit", DAY, END), log.acts("fruit")) == ((), (), ())
        assert (log.first_tracked("fruit"), log.last_tracked("fruit"), log.live_mark("fruit")) == (None, None, None)
        assert log.waiting_rows("fruit") == 0
        log.write([served(2)])
        (receipt,) = log.record([Feedback(prediction_id="ab12-2", label=1)])
        assert receipt.received == "recorded"
        with pytest.raises(InvalidInputError, match=r"was made before monitoring\. Hint: 'abtest monitor track'"):
            log.begin_batch(batch())


def test_a_log_from_before_monitoring_gains_its_tables(url: str) -> None:
    """Opened to be written, it gains them, and keeps what it has; who has it open already sees them."""
    _as_before(url)
    with Store(url, create=False) as reader:
        key = reader.unit_key()
        with Store(url) as log:
            track(log, batch(), ["a"], bucket())
            assert log.unit_key() == key
        assert told(reader) == [(DAY, 1, 3, 0)]
        assert [one.logged for one in reader.servers()] == []
        assert reader.served_groups("fruit", [1_699_999_200])[0].n == 1


def test_processes_that_find_no_tables_of_monitoring_make_them_once(url: str) -> None:
    """Of three processes that open a log from before monitoring at once, each gets to work."""
    _as_before(url)
    with SPAWN.Pool(3) as processes:
        said = processes.map(_track_all, [url] * 3, chunksize=1)
    assert said.count("tracked") == 1


def test_servers_write_while_rows_are_tracked(log: Store, url: str) -> None:
    """Between two transactions of a long file others write: none of them waits for its end."""
    assert log.begin_batch(batch())
    with SPAWN.Pool(1) as processes, Store(url) as server:
        tracking = processes.apply_async(_track_all, [url])

        def writes() -> bool:
            server.write([served(1)])
            return tracking.ready()

        until(writes)
    assert tracking.get() == "tracked"
    assert replace(batch(), n=3) in log.batches("fruit")
