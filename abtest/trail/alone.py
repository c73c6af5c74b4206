"""Of several who want a model for themselves, one at most gets it: the intent on record is the lock.

MLflow has no compare-and-set. Whoever writes an intent and then looks for others that are open sees every one that was
written before: of two, the second sees the first. Where two see each other, the one whose run has the smaller id waits,
and the other withdraws.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PATIENCE = 15.0  # seconds to wait for another that goes first
_PAUSE = 0.2


class Intent(Protocol):
    """What was put on record before anything was done."""

    @property
    def run_id(self) -> str:
        """The run that records it."""


One = TypeVar("One", bound=Intent)


def first_in_the_way(
    mine: str, others: Callable[[], Sequence[One]], *, holds: Callable[[One], bool], patience: float = _PATIENCE
) -> One | None:
    """Wait until no other intent is open; give the one to withdraw for, if there is one.

    Args:
        mine: The run of one's own intent, which is on record by now.
        others: Reads those that are open, without one's own.
        holds: Whether one does not withdraw, whichever has the smaller id.
        patience: Seconds to wait for one that should.
    """
    deadline = time.monotonic() + patience
    while found := others():
        in_the_way = [one for one in found if one.run_id < mine or holds(one)]
        if in_the_way or time.monotonic() > deadline:
            return [*in_the_way, *found][0]
        time.sleep(_PAUSE)
    return None
