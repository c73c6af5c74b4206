"""Group commit: who waits learns what became of its own items, whatever became of the others'."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import BackendError
from abtest.live.writing.commits import GroupCommit, Part
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence


class Table:
    """Takes numbers, doubles them, and refuses negative ones; it may be away."""

    def __init__(self) -> None:
        self.there: list[int] = []
        self.transactions = 0
        self.away = False

    def commit(self, items: Sequence[int]) -> list[int]:
        """Take all or none."""
        self.transactions += 1
        if self.away:
            raise BackendError("The table is away.") from OSError("away")
        if any(item < 0 for item in items):
            raise ValueError("negative")
        self.there += items
        return [2 * item for item in items]


def line(table: Table, **options: Any) -> GroupCommit[int]:
    """Make a line in front of a table."""
    return GroupCommit(table.commit, **{"capacity": 1000, "patience": 60.0, "most": 1000, **options})


def test_all_that_wait_share_a_transaction() -> None:
    """Whoever waits at a moment is committed with all the others, and told its own answers."""
    table = Table()
    group = line(table)
    futures = [group.join([n, n + 1]) for n in range(10)]
    group.turn()
    assert table.transactions == 1
    assert [future.result(0) for future in futures] == [(2 * n, 2 * n + 2) for n in range(10)]
    assert (group.committed, group.failed, len(group)) == (20, 0, 0)


@given(parts=st.lists(st.lists(st.integers(-1, 3), max_size=4), max_size=8), also=st.lists(st.integers(-1, 3)))
def test_one_that_is_refused_takes_no_other_with_it(parts: list[list[int]], also: list[int]) -> None:
    """A part with an item that no table takes fails whole and alone; where nobody waits, only the item does."""
    table = Table()
    group = line(table)
    futures = [group.join(items) for items in parts]
    refused = group.turn(Part(items=also) if also else None)
    whole = [items for items in parts if not any(item < 0 for item in items)]
    assert sorted(table.there) == sorted([*chain.from_iterable(whole), *(item for item in also if item >= 0)])
    assert refused == sum(item < 0 for item in also)
    assert group.failed == sum(map(len, parts)) - sum(map(len, whole))
    assert (group.refusal is None) == (len(whole) == len(parts) and not refused)
    assert len(group) == 0
    for items, future in zip(parts, futures, strict=True):
        if items in whole:
            assert future.result(0) == tuple(2 * item for item in items)
        else:
            with pytest.raises(ValueError, match="negative"):
                future.result(0)


def test_who_waits_while_it_is_away_is_committed_once_it_is_back() -> None:
    """A failure keeps everybody in line, in order, and the next turn commits them with those who came since."""
    table = Table()
    group, table.away = line(table), True
    futures = [group.join([1]), group.join([2])]
    with pytest.raises(BackendError):
        group.turn()
    assert not any(future.done() for future in futures)
    futures.append(group.join([3]))
    table.away = False
    group.turn()
    assert ([future.result(0) for future in futures], table.there) == ([(2,), (4,), (6,)], [1, 2, 3])


def test_who_waited_too_long_is_not_committed() -> None:
    """One whose time is up fails with the database's own reason, and is not committed when it is back."""
    table = Table()
    group, table.away = line(table, patience=0.0), True
    future = group.join([1, 2])
    with pytest.raises(BackendError) as away:
        group.turn()
    group.expire(away.value)
    with pytest.raises(BackendError, match="within 0 s") as late:
        future.result(0)
    assert late.value.__cause__ is away.value
    table.away = False
    group.turn()
    assert (table.there, group.failed, len(group)) == ([], 2, 0)


def test_who_left_is_not_committed() -> None:
    """One who cancelled before its turn is left out."""
    table = Table()
    group = line(table)
    future, other = group.join([1]), group.join([2])
    assert future.cancel()
    group.turn()
    assert (table.there, other.result(0), group.failed) == ([2], (4,), 1)
    with pytest.raises(CancelledError):
        future.result(0)


def test_deadline_holds_while_the_database_hangs() -> None:
    """One whose items are in the database's hands is told in time; they may still be committed, whole."""
    there: list[int] = []
    entered, released = threading.Event(), threading.Event()

    def hang(items: Sequence[int]) -> None:
        entered.set()
        released.wait()
        there.extend(items)

    group = GroupCommit(hang, capacity=10, patience=0.0, most=10)
    future = group.join([1, 2])
    turning = threading.Thread(target=group.turn)
    turning.start()
    assert entered.wait(30)
    group.expire(None)
    with pytest.raises(BackendError, match="within 0 s") as late:
        future.result(0)
    assert isinstance(late.value.__cause__, TimeoutError)
    released.set()
    turning.join()
    assert there == [1, 2]


def test_line_is_bounded() -> None:
    """Who does not fit is turned away at once, and counted; once there is room again, the next one is taken."""
    table = Table()
    group = line(table, capacity=3)
    first, second = group.join([1, 2]), group.join([3, 4])
    with pytest.raises(BackendError, match="2 others wait"):
        second.result(0)
    group.turn()
    third = group.join([5])
    group.turn()
    assert (first.result(0), third.result(0), group.failed) == ((2, 4), (10,), 2)


def test_transactions_are_bounded() -> None:
    """A turn takes about so many items, the first ones, and tears nobody's apart."""
    table = Table()
    group = line(table, most=3)
    futures = [group.join([n, n]) for n in range(4)]
    group.turn()
    assert [future.done() for future in futures] == [True, True, False, False]


def test_closing_fails_who_waits_and_turns_away_who_comes() -> None:
    """After the end nobody waits for ever."""
    table = Table()
    group = line(table)
    before = group.join([1])
    group.close()
    after = group.join([2])
    for future in (before, after):
        with pytest.raises(BackendError, match="shuts down"):
            future.result(0)
    assert (group.failed, len(group), table.there) == (2, 0, [])


def test_many_threads_join_one_line() -> None:
    """With many who join while one takes turns, each is committed once and told its own answer."""
    table = Table()
    group, ended = line(table, capacity=10_000), threading.Event()

    def take_turns() -> None:
        while not ended.is_set():
            group.turn()

    told: list[tuple[int, Any]] = []

    def join(start: int) -> None:
        told.extend((n, group.join([n]).result(60)) for n in range(start, start + 100))

    turning = threading.Thread(target=take_turns)
    turning.start()
    joining = [threading.Thread(target=join, args=(100 * each,)) for each in range(8)]
    for thread in joining:
        thread.start()
    for thread in joining:
        thread.join()
    ended.set()
    turning.join()
    assert sorted(table.there) == list(range(800))
    assert sorted(told) == [(n, (2 * n,)) for n in range(800)]
    until(lambda: len(group) == 0)
