"""Laws of what servers write: once, however often it is sent, and gaps are what was lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.live.store.logs import START, moment, plan, row

if TYPE_CHECKING:
    from abtest.labels import Label
    from abtest.live.store import Store


def test_rows_that_are_sent_again_change_nothing(log: Store) -> None:
    """A batch that is sent again, or overlaps one that was, adds what is new; the first row of a key stays."""
    experiment = plan()
    log.start(experiment, inclusion=1, why="")
    rows = [row(n, experiment=experiment.name, unit=f"u{n}", seconds=1.0) for n in range(1, 6)]
    log.write(rows[:3])
    before = log.traffic(experiment, until=moment(9))
    log.write(rows[:3])
    log.write([row(2, experiment=experiment.name, unit="u9", seconds=7.0, prediction=None, error="raised")])
    assert log.traffic(experiment, until=moment(9))[0].failed == 0
    assert log.traffic(experiment, until=moment(9))[0].predictions == before[0].predictions == 3
    log.write(rows)
    after = log.traffic(experiment, until=moment(9))[0]
    assert (after.predictions, after.exposed, after.seconds) == (5, 5, 5.0)


def test_a_batch_may_hold_a_row_twice_or_nothing(log: Store) -> None:
    """One batch with a row twice is one with it once, and an empty one is nothing."""
    experiment = plan()
    log.start(experiment, inclusion=1, why="")
    log.write([])
    log.write([row(1, experiment=experiment.name)] * 3)
    assert [(found.exposed, found.predictions) for found in log.traffic(experiment, until=moment(9))] == [
        (1, 1),
        (1, 0),
    ]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_a_batch_of_any_size_is_written_whole(log: Store, count: int) -> None:
    """Every row of it is there, in its own words, however many one statement takes."""
    experiment = plan()
    log.start(experiment, inclusion=1, why="")
    log.write([row(n, experiment=experiment.name, unit=f"u{n}", seconds=float(n)) for n in range(1, count + 1)])
    champion, _ = log.traffic(experiment, until=moment(count + 9))
    assert (champion.predictions, champion.exposed, champion.seconds) == (count, count, count * (count + 1) / 2)


def test_a_unit_is_exposed_once_to_what_it_saw_first(log: Store) -> None:
    """Whatever a unit sees later, on whatever server, its exposure is the first one written."""
    experiment = plan(mode="split")
    log.start(experiment, inclusion=1, why="")
    log.write([row(1, at=5, experiment=experiment.name, unit="u", arm="challenger")])
    log.write([row(1, server="cd", at=1, experiment=experiment.name, unit="u")])
    champion, challenger = log.traffic(experiment, until=moment(9))
    assert (champion.exposed, challenger.exposed) == (0, 1)
    assert (champion.predictions, challenger.predictions) == (1, 1)


def test_requests_without_a_unit_are_units_of_their_own(log: Store) -> None:
    """Each is exposed by its prediction's id; what takes no part in an experiment is exposed to nothing."""
    experiment = plan()
    log.start(experiment, inclusion=1, why="")
    log.write([row(n, experiment=experiment.name) for n in range(1, 4)] + [row(4), row(5, unit="u")])
    champion, _ = log.traffic(experiment, until=moment(9))
    assert (champion.exposed, champion.predictions) == (3, 3)


def test_servers_that_meet_in_the_same_units_all_write(log: Store) -> None:
    """Servers that write the same units at once, in any order, wait for each other and never in a circle."""
    experiment = plan()
    log.start(experiment, inclusion=1, why="")

    def write(server: int) -> None:
        for batch in range(5):
            order = range(1, 41) if (server + batch) % 2 else range(40, 0, -1)
            log.write(
                [row(40 * batch + n, server=f"{server}", experiment=experiment.name, unit=f"u{n}") for n in order]
            )

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    champion, _ = log.traffic(experiment, until=moment(9))
    assert (champion.exposed, champion.predictions) == (40, 800)


def test_what_a_row_holds_is_kept(log: Store) -> None:
    """Labels of any type, text of any script, features and what failed are written as they are."""
    labels: list[Label] = [True, 1, 1.0, 2**70, "1", "日本\x00\ud800", 1e-300]
    rows = [
        row(n, prediction=what, experiment="e", features='{"x": "é\\u0000"}', unit="f" * 64)
        for n, what in enumerate(labels, 1)
    ]
    log.write(rows)
    assert sorted(map(repr, log.known_labels("e"))) == sorted(repr(one.prediction) for one in rows)


def test_signs_of_life_are_never_taken_back(log: Store) -> None:
    """A sign of life that comes late lowers no number; ``assigned - logged`` is what a crash lost."""
    log.beat("aa", assigned=7, lost=1)
    log.beat("aa", assigned=5, lost=0)
    log.beat("bb", assigned=2, lost=0, closed=True)
    log.beat("bb", assigned=2, lost=0)
    log.write([row(n, server="aa", arm=arm) for n in (1, 2, 4) for arm in ("champion", "challenger")])
    by_name = {server.server: server for server in log.servers()}
    assert [server.began_at for server in log.servers()] == sorted((s.began_at for s in by_name.values()), reverse=True)
    one, other = by_name["aa"], by_name["bb"]
    assert (one.assigned, one.logged, one.lost, one.closed) == (7, 3, 1, False)
    assert (other.assigned, other.logged, other.closed) == (2, 0, True)
    assert one.began_at <= one.seen_at
    assert one.began_at.timestamp() > START
