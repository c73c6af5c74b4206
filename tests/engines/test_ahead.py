"""A second thread changes nothing but when things are done."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.engines.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def numbers(n: int, failing: int | None = None) -> Iterator[int]:
    """Count from 0, and fail instead of giving one of the numbers."""
    for i in range(n):
        if i == failing:
            raise ValueError(f"cannot read {i}")
        yield i


def plainly(batches: Iterator[int], look: Callable[[int], None]) -> Iterator[int]:
    """The same on one thread."""
    for batch in batches:
        yield batch
        look(batch)


def noting(what: str, failing: int | None) -> tuple[list[int], Callable[[int], None]]:
    """Note numbers, and fail on one of them."""
    noted: list[int] = []

    def note(batch: int) -> None:
        if batch == failing:
            raise ValueError(f"cannot {what} {batch}")
        noted.append(batch)

    return noted, note


def story(
    way: Callable[..., Iterator[int]], n: int, reading: int | None, looking: int | None, using: int | None
) -> tuple[list[int], list[int] | str]:
    """What somebody sees who uses the numbers."""
    used, use = noting("use", using)
    looked, look = noting("look at", looking)
    try:
        for batch in way(numbers(n, reading), look):
            use(batch)
    except ValueError as error:
        return used, str(error)
    return used, looked


AT = st.none() | st.integers(0, 6)


@given(n=st.integers(0, 6), reading=AT, looking=AT, using=AT)
def test_the_same_story(n: int, reading: int | None, looking: int | None, using: int | None) -> None:
    """Batches come in order, each is looked at once, and of several failures the same one is told as on one thread."""
    assert story(ahead, n, reading, looking, using) == story(plainly, n, reading, looking, using)


def test_reads_and_looks_elsewhere() -> None:
    """Reading and looking are one other thread's, which ends when the batches do, or are left."""
    threads: list[threading.Thread] = []

    def named() -> Iterator[int]:
        for i in range(3):
            threads.append(threading.current_thread())
            yield i

    def look(_batch: int) -> None:
        threads.append(threading.current_thread())

    assert list(ahead(named(), look)) == [0, 1, 2]
    left = ahead(named(), look)
    next(left)
    left.close()  # type: ignore[attr-defined] # it is a generator
    assert threading.current_thread() not in threads
    assert len({*threads}) == 2
    assert not any(thread.is_alive() for thread in threads)


def test_no_further_than_one_ahead() -> None:
    """While a batch is in use, no more than the next one is read."""
    read: list[int] = []

    def counted() -> Iterator[int]:
        for i in range(5):
            read.append(i)
            yield i

    for batch in ahead(counted(), lambda _batch: None):
        assert len(read) <= batch + 2
    with pytest.raises(StopIteration):
        next(ahead(iter(()), lambda _batch: None))
