"""Calls in threads aside: answered, given up at their deadline, and refused where too many hang."""

from __future__ import annotations

import asyncio
import threading

import pytest

from abtest.live.server.aside import Aside, BusyError


def test_a_call_gives_what_it_gives_or_raises_what_it_raises() -> None:
    """A call made aside is like one made here; an exit counts as a failure and ends nothing."""

    def leave() -> None:
        raise SystemExit(3)

    async def calls() -> None:
        aside = Aside("test", threads=1, most=2)
        assert await aside.call(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await aside.call(divmod, 7, 0)
        with pytest.raises(RuntimeError, match="SystemExit: 3"):
            await aside.call(leave)
        assert await aside.call(threading.get_ident) != threading.get_ident()

    asyncio.run(calls())


def test_a_call_that_hangs_is_given_up_and_the_loop_goes_on() -> None:
    """At its deadline a call is given up; once as many hang as may, the next is refused at once, until one returns."""
    hang = threading.Event()

    async def calls() -> None:
        aside = Aside("test", threads=1, most=2)
        for _ in range(2):  # the second one never begins
            with pytest.raises(TimeoutError):
                await aside.call(hang.wait, deadline=0.01)
        with pytest.raises(BusyError):
            await aside.call(divmod, 7, 2)
        hang.set()
        while True:
            try:
                assert await aside.call(divmod, 7, 2) == (3, 1)
                break
            except BusyError:
                await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(calls(), 30))
