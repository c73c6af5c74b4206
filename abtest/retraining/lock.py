"""One retraining of a model at a time, on whatever machine: the intent on record is the lock."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abtest.errors import UnfinishedError
from abtest.trail.alone import first_in_the_way
from abtest.trail.process import UNDER_WAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta

    from abtest.retraining.audit import Audit, Ending, Retraining, Step

CUT_OFF = "It was cut off: its process is gone, or was not seen for longer than the lock holds."


@contextlib.contextmanager
def locked(audit: Audit, asked: Mapping[str, str], lease: timedelta, tell: Callable[[str], None]) -> Iterator[Kept]:
    """Have a model's retraining for oneself; whatever happens within, the outcome comes on record.

    Args:
        audit: Where it is kept.
        asked: What is asked for, for the record.
        lease: How long one whose process cannot be seen from here is taken to go on.
        tell: Is told of one that was cut off, and whose place this takes.

    Raises:
        UnfinishedError: Another one goes on.
        BackendError: The intent cannot be put on record.
    """
    for one in others(audit, lease, tell):
        raise _held(one)  # before anything is written
    kept = Kept(audit, audit.open(asked))
    try:
        _alone(kept, lease, tell)
        kept.reach("locked")
        yield kept
    except BaseException as error:
        with contextlib.suppress(Exception):  # what went wrong first is what is told
            kept.fail(error)
        raise
    finally:
        UNDER_WAY.discard(kept.mine.attempt)


class Kept:
    """A retraining under way, and how far it has come."""

    def __init__(self, audit: Audit, mine: Retraining) -> None:
        self.audit = audit
        self.mine = mine

    def reach(self, step: Step | None = None, **told: str | None) -> None:
        """Put a step, and what came of it, on record. See ``Audit.reach``."""
        self.mine = self.audit.reach(self.mine, step, **told)

    def done(self, why: str) -> Retraining:
        """Put it on record that all was done."""
        self.reach()  # refuses where another took its place
        self.mine = self.audit.settle(self.mine, "done", why)
        return self.mine

    def fail(self, error: BaseException) -> None:
        """Put it on record why it ended before its end, unless another has said so."""
        if not self.audit.is_open(self.mine):
            return
        ending: Ending = "failed" if self.mine.step else "withdrawn"
        if not isinstance(error, Exception):  # Ctrl-C
            ending = "interrupted"
        self.audit.settle(self.mine, ending, str(error) or type(error).__name__)


def others(
    audit: Audit, lease: timedelta, tell: Callable[[str], None], mine: Retraining | None = None
) -> list[Retraining]:
    """Others that go on; those that were cut off are settled."""
    found = []
    for one in audit.read():
        if not one.is_open or (mine is not None and one.run_id == mine.run_id):
            continue
        if mine is not None and one.attempt == mine.attempt:  # MLflow sent the request again, as an answer was lost
            audit.settle(one, "withdrawn", f"The same as run {mine.run_id}, sent twice.")
        elif one.has_ended(datetime.now(UTC), lease):
            audit.settle(one, "cut off", CUT_OFF)
            tell(f"{one} was cut off; this one takes its place.")
        else:
            found.append(one)
    return found


def _alone(kept: Kept, lease: timedelta, tell: Callable[[str], None]) -> None:
    one = first_in_the_way(
        kept.mine.run_id, lambda: others(kept.audit, lease, tell, kept.mine), holds=lambda it: it.step is not None
    )
    if one is not None:
        raise _held(one)


def _held(one: Retraining) -> UnfinishedError:
    hint = "try again when it has ended"
    if one.goes_on is None:  # on a machine that cannot be seen from here
        hint += "; where its machine is known to be gone, a small --lock-hours takes its place"
    return UnfinishedError(f"{one} is under way.", hint=f"{hint}.")
