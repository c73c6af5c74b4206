"""Laws of late labels: none is lost, none counts twice, and each is told what happened to it."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from abtest.live.log import Feedback, Received
from abtest.live.store import Store, predictions, schema
from tests.live.store.logs import START, label, moment, plan, row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SPAWN = multiprocessing.get_context("spawn")
_NUMBERS = itertools.count(1)
_TRUTHS = st.sampled_from([0, 1, "1", True, 1.5])
_FILES = st.lists(
    st.tuples(st.integers(1, 6), _TRUTHS, st.sampled_from([None, None, START, START + 1.5])), min_size=1, max_size=12
)


def _received(log: Store, labels: Sequence[Feedback], at: float = 0.0) -> list[Received]:
    return [receipt.received for receipt in log.record(labels, received_at=START + at)]


def _kept(log: Store, table: sa.Table, server: str | None = None) -> list[Any]:
    """Every revision in a table, in order."""
    rows = sa.select(table).order_by(*table.primary_key)
    if server is not None:
        rows = rows.where(table.c.server == server)
    with log._database.reading() as connection:  # noqa: SLF001 - no public method lists revisions
        return [tuple(found) for found in connection.execute(rows)]


def test_each_label_is_told_what_happened_to_it(log: Store) -> None:
    """Recorded, the same, another, of nothing known, none: one answer each, in order, in one call or in several."""
    log.write([row(1, at=0), row(2, at=4)])
    told = log.record(
        [label(1, "cat"), label(1, "cat"), label(2, "dog"), label(1, "dog"), label(9, 1), label(1, None)],
        received_at=START + 10,
    )
    assert [receipt.received.value for receipt in told] == [
        "recorded", "unchanged", "recorded", "corrected", "waiting", "refused",
    ]  # fmt: skip
    assert [receipt.lag for receipt in told] == [10.0, None, 6.0, None, None, None]
    assert [receipt.prediction_id for receipt in told] == ["ab12-1", "ab12-1", "ab12-2", "ab12-1", "ab12-9", "ab12-1"]
    assert log.waiting() == 1
    assert log.record([]) == ()


@pytest.mark.parametrize(
    ("feedback", "why"),
    [
        (label(1, None), "label must be a finite number, text or a boolean, got None"),
        (label(1, [1]), "got list"),
        (label(1, float("nan")), "got nan"),
        (label(1, float("-inf")), "got -inf"),
        (label(1, 10**5000), "got int"),
        (label(1, 1, observed_at=float("nan")), "observed_at must be in seconds since 1970"),
        (label(1, 1, observed_at=1.7e12), "and not in the future, got 1700000000000.0"),
        (label(1, 1, observed_at=-1.0), "observed_at must be"),
        (label(1, 1, observed_at=10**400), "observed_at must be"),
        (label(1, 1, observed_at="now"), "observed_at must be"),  # type: ignore[arg-type] # from JSON it may be anything
        (label(0, 1), "prediction_id must be as the answer to the request has it, got 'ab12-0'"),
        (label(1, 1, server="AB"), "prediction_id must be"),
        (label(1, 1, server=""), "prediction_id must be"),
        (label(10**18, 1), "prediction_id must be"),
        (Feedback(prediction_id="ab12-\u0661", label=1), "prediction_id must be"),
        (Feedback(prediction_id=7, label=1), "got int"),  # type: ignore[arg-type] # see above
        (Feedback(prediction_id="x" * 10_000, label=1), "got 'xxx"),
    ],
)
def test_what_is_no_label_is_refused_and_the_others_are_kept(log: Store, feedback: Feedback, why: str) -> None:
    """One bad label is told why in a line; those beside it are recorded."""
    log.write([row(1), row(2)])
    bad, good = log.record([feedback, label(2, 1)], received_at=START + 1)
    assert (bad.received, good.received) == (Received.REFUSED, Received.RECORDED)
    assert bad.why is not None
    assert why in bad.why
    assert len(bad.why) < 200
    assert len(_kept(log, schema.outcomes)) == 1
    assert log.waiting() == 0


def test_labels_of_another_experiment_are_refused_when_one_is_named(log: Store) -> None:
    """Who labels an experiment is told of predictions that took part in another or in none; the others are kept."""
    log.write([row(1, experiment="e"), row(2, experiment="f"), row(3)])
    told = log.record([label(n, 1) for n in range(1, 5)], experiment="e")
    assert [receipt.received.value for receipt in told] == ["recorded", "refused", "refused", "waiting"]
    assert told[1].why == "prediction_id must be of experiment 'e', got one of experiment 'f'."
    assert told[2].why == "prediction_id must be of experiment 'e', got one of no experiment."
    assert len(_kept(log, schema.outcomes)) == 1


@pytest.fixture(scope="module")
def logs(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """A log in each database, for all examples."""
    with Store(f"sqlite:///{tmp_path_factory.mktemp('live') / 'live.db'}") as one, Store(postgres) as other:
        yield one, other


@settings(max_examples=40)
@given(file=_FILES)
def test_the_same_file_twice_changes_nothing(logs: tuple[Store, Store], file: list[tuple[int, Any, Any]]) -> None:
    """However a file contradicts itself, sent again it adds nothing, to what is there and to what waits."""
    server = f"0a{next(_NUMBERS):x}"  # test_counting.py, in the same database, begins none with 0
    labels = [label(sequence, truth, server=server, observed_at=at) for sequence, truth, at in file]
    for log in logs:
        log.write([row(n, server=server) for n in range(1, 4)])
        log.record(labels, received_at=START + 10)
        before = [_kept(log, table, server) for table in (schema.outcomes, schema.waiting)]
        again = _received(log, labels, at=20)
        assert [_kept(log, table, server) for table in (schema.outcomes, schema.waiting)] == before
        assert set(again) <= {Received.UNCHANGED, Received.WAITING}


@settings(max_examples=40)
@given(file=_FILES, before=st.integers(0, 12))
def test_labels_that_wait_become_what_they_would_have_been(
    logs: tuple[Store, Store], file: list[tuple[int, Any, Any]], before: int
) -> None:
    """Whichever of a file's labels came before the predictions did, the revisions are the same in the end."""
    for log in logs:
        found = []
        for first in (0, before):
            server = f"0b{next(_NUMBERS):x}"
            labels = [label(sequence, truth, server=server, observed_at=at) for sequence, truth, at in file]
            log.record(labels[:first], received_at=START + 10)
            log.write([row(n, server=server) for n in range(1, 7)])
            log.record(labels[first:], received_at=START + 10)
            assert _kept(log, schema.waiting, server) == []
            found.append([revision[1:] for revision in _kept(log, schema.outcomes, server)])
        assert found[0] == found[1]


def test_a_label_may_go_back_to_what_it_was(log: Store) -> None:
    """Yes, no and yes again are three revisions when they were observed at three times."""
    log.write([row(1)])
    seen = [label(1, truth, observed_at=START + at) for at, truth in enumerate(["yes", "no", "yes"])]
    assert _received(log, seen) == [Received.RECORDED, Received.CORRECTED, Received.CORRECTED]
    told = log.record([seen[0], label(1, "no", observed_at=START + 1)])
    assert [receipt.received for receipt in told] == [Received.UNCHANGED] * 2
    assert told[1].why == "it was corrected since; observed_at tells it from another."


def test_a_clock_that_steps_back_changes_no_order(log: Store) -> None:
    """A correction is never received before what it corrects."""
    log.write([row(1)])
    _received(log, [label(1, "cat")], at=10)
    _received(log, [label(1, "dog")], at=3)
    assert [received_at - START for *_, received_at in _kept(log, schema.outcomes)] == [10, 10]


def test_a_label_finds_its_prediction_when_that_is_written(log: Store) -> None:
    """A label that outran its prediction's queue counts from when it came."""
    experiment = plan(horizon=5)
    log.start(experiment, inclusion=1, why="")
    rows = [row(n, arm=arm, experiment=experiment.name) for n in (1, 2, 3) for arm in ("champion", "challenger")]
    assert _received(log, [label(n, "cat") for n in (1, 2, 7)], at=1) == [Received.WAITING] * 3
    assert log.waiting() == 3
    log.write(rows)
    assert log.waiting() == 1
    assert sum(group.n for group in log.pairs(experiment, until=moment(5))[1]) == 2
    assert _received(log, [label(1, "cat")], at=9) == [Received.UNCHANGED]


def test_what_still_waits_is_tried_again(log: Store) -> None:
    """A label and its prediction that were committed side by side, neither seeing the other, meet later."""
    log.record([label(1, "cat"), label(1, "dog"), label(2, "cat")])
    assert log.retry() == 0
    with log._database.writing() as connection:  # noqa: SLF001 - the writer that has not seen the label
        predictions.write(log._database, connection, [row(1)])  # noqa: SLF001 - see above
    assert log.waiting() == 3
    assert log.retry() == 2
    assert (log.retry(), log.waiting()) == (0, 1)
    assert [(sequence, revision, text) for _, sequence, revision, text, *_ in _kept(log, schema.outcomes)] == [
        (1, 1, '"cat"'), (1, 2, '"dog"'),
    ]  # fmt: skip


def test_many_labels_of_many_servers_are_each_recorded(log: Store) -> None:
    """A file is as long as it is, and its order is nobody's."""
    ids = [(f"{server}", n) for n in range(1, 1001) for server in range(3)]
    log.write([row(n, server=server) for server, n in ids if n % 2])
    told = log.record([label(n, "cat", server=server) for server, n in reversed(ids)])
    assert Counter(receipt.received for receipt in told) == {Received.RECORDED: 1500, Received.WAITING: 1500}
    log.write([row(n, server=server) for server, n in ids])
    assert (log.waiting(), len(_kept(log, schema.outcomes))) == (0, 3000)


def _send(url: str) -> list[str]:
    with Store(url) as log:
        return [receipt.received.value for receipt in log.record([label(n, "cat") for n in range(1, 51)])]


def test_processes_that_send_a_label_at_once_make_one_revision(url: str) -> None:
    """Of two processes that send the same file at once, each label is recorded by one and unchanged for the other."""
    with Store(url) as log:
        log.write([row(n) for n in range(1, 51)])
        with SPAWN.Pool(2) as processes:
            told = Counter(itertools.chain.from_iterable(processes.map(_send, [url, url], chunksize=1)))
        assert told == {"recorded": 50, "unchanged": 50}
        assert len(_kept(log, schema.outcomes)) == 50


def test_labels_and_predictions_that_meet_in_threads_all_meet(log: Store) -> None:
    """While some write and others label the same ids, no label is lost or doubled, and none waits after a retry."""
    work = [
        *(lambda at=at: log.write([row(10 * at + n) for n in range(1, 11)]) for at in range(20)),
        *(lambda at=at: log.record([label(10 * at + n, "cat") for n in range(1, 11)]) for at in range(20)),
        *(lambda at=at: log.record([label(10 * at + n, "cat") for n in range(10, 0, -1)]) for at in range(20)),
    ]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda do: do(), [one for at in range(20) for one in work[at::20]]))
    log.retry()
    assert log.waiting() == 0
    assert [(sequence, revision) for _, sequence, revision, *_ in _kept(log, schema.outcomes)] == [
        (n, 1) for n in range(1, 201)
    ]
