"""The writer: what it acknowledges is in the log, what it loses is counted, and no request waits for a database."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from abtest.errors import AbtestError, BackendError, InvalidInputError
from abtest.live.log import Feedback, Received
from abtest.live.store import Store
from abtest.live.writing.writer import Sequence, Writer
from tests.live.disks import fill, small_disk
from tests.live.logs import away, hanging, row, sequences
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Sequence as Rows
    from concurrent.futures import Future
    from pathlib import Path

    from abtest.live.log import Logged, Receipt, Server
    from tests.databases import Store as Database

__all__ = ["small_disk"]  # a fixture

Open = Any  # a callable: (**options) -> Writer


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind; SQLite's does not wait long for another writer."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}?timeout=0.05"
    return str(request.getfixturevalue("postgresql").url)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The log in it."""
    with Store(url) as opened:
        yield opened


@pytest.fixture
def start(store: Store) -> Iterator[Callable[..., Writer]]:
    """Start writers; they are closed in the end."""
    with contextlib.ExitStack() as stack:

        def opened(**options: Any) -> Writer:
            writer = Writer(store, **options)
            stack.callback(writer.close, patience=0)
            return writer

        yield opened


def rows(writer: Writer, n: int, **fields: Any) -> list[Logged]:
    """The writer's next rows."""
    return [row(writer.server, number, **fields) for number in writer.sequence.next(n)]


def told(store: Store, writer: Writer) -> Server:
    """What the log knows of a writer's process."""
    (server,) = [each for each in store.servers() if each.server == writer.server]
    return server


def test_sequence_has_no_gaps_and_no_doubles() -> None:
    """Whatever threads ask, and for how many, each number is given once, a request's own in a row."""
    sequence, given = Sequence(), list[range]()

    def ask(most: int) -> None:
        given.extend(sequence.next(1 + n % most) for n in range(500))

    threads = [threading.Thread(target=ask, args=(most,)) for most in (1, 2, 3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for numbers in given for number in numbers) == list(range(1, sequence.last + 1))


def test_what_is_logged_is_written(url: str, store: Store, start: Open) -> None:
    """Rows that many threads hand over are all in the log after the end, and the log knows that it was in order."""
    writer = start()

    def hand_over() -> None:
        for _ in range(250):
            writer.log(rows(writer, 1))
            writer.log(rows(writer, 3))

    threads = [threading.Thread(target=hand_over) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters = writer.close()
    assert sequences(url, writer.server) == list(range(1, 4001))
    assert (counters.written, counters.lost, counters.queued, counters.failures) == (4000, 0, 0, 0)
    server = told(store, writer)
    assert (server.closed, server.assigned, server.logged, server.lost) == (True, 4000, 4000, 0)


def test_nobody_has_to_close(store: Store, url: str, start: Open) -> None:
    """What is handed over is written by itself, and signs of life come by themselves."""
    writer = start()
    writer.log(rows(writer, 5))
    until(lambda: sequences(url, writer.server) == [1, 2, 3, 4, 5])
    until(lambda: [each.assigned for each in store.servers()] == [5])
    assert not told(store, writer).closed


def test_durable_is_there_when_it_is_acknowledged(url: str, start: Open) -> None:
    """When the future is done, another connection sees the rows."""
    writer = start()
    for n in (1, 3):
        assert writer.durable(rows(writer, n)).result(30) is None
    assert sequences(url, writer.server) == [1, 2, 3, 4]


def test_label_of_what_was_logged_before_is_recorded(start: Open) -> None:
    """A label that follows its prediction through the same writer finds it; each label has its own receipt."""
    writer = start()
    for n in range(0, 100, 10):
        writer.log(rows(writer, 10))
        labels = [Feedback(prediction_id=f"{writer.server}-{n + each}", label="yes") for each in (1, 10)]
        unknown = Feedback(prediction_id=f"{writer.server}-999", label="yes")
        first, second, third = writer.feedback([*labels, unknown]).result(30)
        assert (first.prediction_id, first.received) == (labels[0].prediction_id, Received.RECORDED)
        assert (second.prediction_id, second.received) == (labels[1].prediction_id, Received.RECORDED)
        assert (third.prediction_id, third.received) == (unknown.prediction_id, Received.WAITING)
    assert writer.counters.labels == 30


def test_many_coroutines_wait_together(url: str, start: Open) -> None:
    """From asyncio, many requests wait for their commits and labels at once, and each gets its own answer."""
    writer = start()

    async def answer(n: int) -> tuple[str, str]:
        (asked,) = rows(writer, 1, prediction=n)
        await asyncio.wrap_future(writer.durable([asked]))
        (receipt,) = await asyncio.wrap_future(writer.feedback([Feedback(prediction_id=asked.prediction_id, label=n)]))
        assert receipt.received == Received.RECORDED
        return asked.prediction_id, receipt.prediction_id

    async def answer_all() -> list[tuple[str, str]]:
        return await asyncio.gather(*map(answer, range(200)))

    answered = asyncio.run(answer_all())
    assert all(asked == received for asked, received in answered)
    assert len(set(answered)) == len(sequences(url, writer.server)) == 200


def test_writers_share_a_log(url: str, store: Store) -> None:
    """Several processes' writers, each with its own store, fill one log: nothing is lost, nothing fails."""
    with contextlib.ExitStack() as stack:
        writers = [Writer(stack.enter_context(Store(url.partition("?timeout")[0]))) for _ in range(3)]
        for _ in range(20):
            for writer in writers:
                writer.log(rows(writer, 20))
            for waits in [writer.durable(rows(writer, 5)) for writer in writers]:
                waits.result(30)
        for writer in writers:
            counters = writer.close()
            assert (counters.written, counters.lost, counters.failures) == (500, 0, 0)
            assert sequences(url, writer.server) == list(range(1, 501))
    assert [(each.logged, each.closed) for each in store.servers()] == [(500, True)] * 3


def test_database_gone_and_back(url: str, store: Store, start: Open) -> None:
    """Rows are kept while it is away, and there once when it is back; durable ones fail, and never come to be."""
    writer = start(patience=0.3)
    writer.durable(rows(writer, 2)).result(30)
    with away(url):
        writer.log(rows(writer, 700))
        durable = writer.durable(rows(writer, 1))
        label = writer.feedback([Feedback(prediction_id=f"{writer.server}-1", label="yes")])
        for future in (durable, label):
            with pytest.raises(BackendError, match="did not take it within") as late:
                future.result(30)
            assert isinstance(late.value.__cause__, (AbtestError, TimeoutError))
        writer.log(rows(writer, 700))
        _until_one_more_fails(writer)  # else the database might have had in hand what was just given up
        assert writer.error is not None
        assert writer.counters.queued >= 1400
    until(lambda: writer.counters.queued == 0)
    assert sequences(url, writer.server) == [*range(1, 703), *range(704, 1404)]
    counters = writer.close()
    assert (counters.written, counters.lost, writer.error) == (1402, 1, None)
    server = told(store, writer)
    assert server.assigned - server.logged == server.lost == 1
    (receipt,) = store.record([Feedback(prediction_id=f"{writer.server}-1", label="yes")])
    assert receipt.received == Received.RECORDED  # what was answered as failed was not done


def test_hanging_database_holds_up_nobody(postgresql: Database) -> None:
    """While a statement hangs, logging goes on and deadlines hold; what it had in hand is there whole in the end."""
    with Store(postgresql.url) as store, hanging(postgresql.url) as let_go:
        writer = Writer(store, patience=0.2)
        in_hand = writer.durable(rows(writer, 3))
        with pytest.raises(BackendError, match=r"within 0\.2 s"):
            in_hand.result(30)
        later = writer.durable(rows(writer, 2))
        writer.log(rows(writer, 5))
        with pytest.raises(BackendError, match=r"within 0\.2 s"):
            later.result(30)
        assert writer.close(patience=0.1).queued >= 5  # the end does not wait for it either
        let_go()
        until(lambda: [each.closed for each in store.servers()] == [True])
        assert sequences(postgresql.url, writer.server) in ([1, 2, 3], [])
        (server,) = store.servers()
        assert server.lost == 10 - server.logged


def test_full_queue_counts_what_it_loses(url: str, store: Store, start: Open) -> None:
    """What does not fit is lost at once, and the gaps in the log are as many as the writer counted."""
    writer = start(capacity=600, patience=60)
    writer.durable(rows(writer, 1)).result(30)
    with away(url):
        for _ in range(500):
            writer.log(rows(writer, 5))
        waits = writer.durable(rows(writer, 600))
        with pytest.raises(BackendError, match="others wait"):
            writer.durable(rows(writer, 1)).result(0)
        counters = writer.counters
        assert counters.queued <= 600 + 600 + 500  # the queue, those who wait, the batch in hand
        assert counters.lost >= 2500 - 600 - 500 + 1
    waits.result(30)
    counters = writer.close()
    server = told(store, writer)
    assert server.assigned == 3102
    assert counters.lost == server.lost == server.assigned - server.logged
    assert counters.written == server.logged == len(sequences(url, writer.server))


@pytest.mark.parametrize("fields", [{"model_version": 2**80}, {"served": None}, {"features": "\ud800"}])
def test_row_that_no_database_takes_is_lost_alone(url: str, start: Open, fields: dict[str, Any]) -> None:
    """A row that cannot be written is counted as lost, or fails, and takes none of its neighbours with it."""
    writer = start()
    writer.log([*rows(writer, 40), *rows(writer, 1, **fields), *rows(writer, 40)])
    failing, passing = writer.durable(rows(writer, 1, **fields)), writer.durable(rows(writer, 1))
    passing.result(30)
    with pytest.raises((InvalidInputError, OverflowError, UnicodeEncodeError)):
        failing.result(30)
    counters = writer.close()
    assert sequences(url, writer.server) == [*range(1, 41), *range(42, 82), 83]
    assert (counters.written, counters.lost, counters.failures) == (81, 2, 0)
    assert writer.refusal is not None


def test_after_the_end_nothing_is_taken(start: Open) -> None:
    """A closed writer counts what comes as lost and fails who would wait, at once."""
    writer = start()
    writer.close()
    writer.log(rows(writer, 2))
    with pytest.raises(BackendError, match="shuts down"):
        writer.durable(rows(writer, 1)).result(0)
    with pytest.raises(BackendError, match="shuts down"):
        writer.feedback([Feedback(prediction_id="ab-1", label=1)]).result(0)
    assert writer.close().lost == 3


def test_end_without_a_database_is_bounded(url: str, start: Open) -> None:
    """Where the database does not come back, the end does not wait for it, and what is left is counted as lost."""
    writer = start(patience=60)
    with away(url):
        until(lambda: writer.counters.failures)
        writer.log(rows(writer, 7))
        waits = writer.durable(rows(writer, 2))
        counters = writer.close(patience=1)
        assert waits.done()
        assert counters.lost == 9
    with pytest.raises(BackendError):
        waits.result(0)
    assert sequences(url, writer.server) == []


def test_disk_full_and_freed(small_disk: Path) -> None:
    """On a full disk durable rows fail and others are kept; once there is room they are all there, and it is sound."""
    url = f"sqlite:///{small_disk / 'log.db'}?timeout=0.05"
    with Store(url) as store:
        writer = Writer(store, patience=0.3)
        writer.durable(rows(writer, 1)).result(30)
        ballast = small_disk / "ballast"
        fill(ballast)
        writer.log(rows(writer, 400, features="x" * 1000))
        until(lambda: writer.counters.failures)
        with pytest.raises(BackendError):
            writer.durable(rows(writer, 1)).result(30)
        _until_one_more_fails(writer)
        assert writer.counters.queued >= 400
        ballast.unlink()
        until(lambda: writer.counters.queued == 0)
        writer.durable(rows(writer, 1)).result(30)
        counters = writer.close()
        assert sequences(url, writer.server) == [*range(1, 402), 403]
        assert (counters.written, counters.lost) == (402, 1)


def _until_one_more_fails(writer: Writer) -> None:
    before = writer.counters.failures
    until(lambda: writer.counters.failures > before)


def test_a_label_never_overtakes_its_prediction(tmp_path: Path) -> None:
    """A row and its label that come while another batch is written are recorded in that order."""
    told: list[Future[tuple[Receipt, ...]]] = []

    class Meanwhile(Store):
        def write(self, rows: Rows[Logged]) -> None:
            super().write(rows)
            if not told:
                writer.log([row("ab12", 2)])
                told.append(writer.feedback([Feedback(prediction_id="ab12-2", label=1)]))

    with Meanwhile(f"sqlite:///{tmp_path / 'live.db'}") as store:
        writer = Writer(store, server="ab12")
        writer.log([row("ab12", 1)])
        until(lambda: told)
        (receipt,) = told[0].result(timeout=30)
        assert receipt.received is Received.RECORDED
        writer.close()


def test_a_writer_says_which_model_it_serves(tmp_path: Path) -> None:
    """Rows in a log that servers of several models share are told apart by what their server said."""
    with Store(f"sqlite:///{tmp_path / 'live.db'}") as store:
        for server, model_name in (("aa", "fruit"), ("bb", "nut"), ("cc", None)):
            writer = Writer(store, server=server, model_name=model_name)
            writer.log([row(server, 1)])
            writer.close()
        counted = [store.served_hours(name, rows_since=0, labels_since=0)[0] for name in ("fruit", "nut", "berry")]
        assert [len(hours) for hours in counted] == [1, 1, 0]
