"""``abtest predict --stream``: lines of JSON on standard input, an answer each on standard output."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from abtest import wording
from abtest.cli import common
from abtest.cli.experiment.shared import open_store
from abtest.cli.runs.shared import plain
from abtest.settings import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abtest.bulk.choosing import Chosen
    from abtest.bulk.stream.faults import Fault
    from abtest.bulk.stream.streaming import Streamed
    from abtest.bulk.stream.tracked import Tallier

_LETTERS = 300  # of what a model, or a line, makes us say
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def refuse(form: str, others: Mapping[str, object], tracked: Mapping[str, object], *, track: bool) -> None:
    """Refuse options that are for files of rows, and those that say how to track where nothing is."""
    for name, value in others.items():
        if value:
            raise typer.BadParameter("means nothing with --stream.", param_hint=name)
    if form != "table":
        raise typer.BadParameter("means nothing with --stream, which writes JSON Lines.", param_hint="--format")
    refuse_alone({} if track else tracked, "--track")


def refuse_alone(given: Mapping[str, object], needed: str) -> None:
    """Refuse options that mean nothing without another."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise typer.BadParameter(f"means nothing without {needed}.", param_hint=name)


def answer(
    chosen: Chosen,
    *,
    keep: Sequence[str] | None,
    proba: bool,
    batch_size: int | None,
    max_wait: float | None,
    quiet: bool,
    track: bool,
    store: str | None,
    columns: Mapping[str, str | None],
) -> None:
    """Answer lines until they end, and tell on standard error what became of them.

    Args:
        chosen: The model.
        keep: Columns that are written too.
        proba: Write probabilities too.
        batch_size: Lines that are asked about together.
        max_wait: Milliseconds that a line waits for others.
        quiet: Tell nothing.
        track: Tally predictions for monitoring.
        store: Where.
        columns: Of the lines, by ``id_column``, ``time_column`` and ``target``.

    Raises:
        typer.BadParameter: There is no standard input, or output.
        KeyboardInterrupt: It was interrupted; what was read is answered.
    """
    from abtest.bulk.stream import streaming  # noqa: PLC0415 - --help does not pay for it

    given: dict[str, Any] = {"batch_rows": batch_size, "wait": None if max_wait is None else max_wait / 1000}
    if sys.stdin is None:  # "<&-" closes it
        raise typer.BadParameter("needs standard input, which is closed.", param_hint="--stream")
    if sys.stdout is None:  # likewise
        raise typer.BadParameter("needs standard output, which is closed.", param_hint="--stream")
    with (
        _answers() as output,
        _tallying(chosen, store, listed(keep), columns) if track else nullcontext() as tallier,
        _stopping() as stop,
    ):
        with common.working():
            done = streaming.stream(
                chosen,
                sys.stdin.fileno(),
                output,
                keep=listed(keep),
                proba=proba,
                tallier=tallier,
                stop=stop,
                **{name: value for name, value in given.items() if value is not None},
            )
        common.tell(_told(done, chosen), quiet=quiet)


@contextmanager
def _answers() -> Iterator[BinaryIO]:
    """Give standard output, of answers alone: what models print goes to standard error, and so does what C prints."""
    try:
        number, other = sys.stdout.fileno(), sys.stderr.fileno()
    except (OSError, AttributeError):  # something in its place, or nowhere to put it
        yield sys.stdout.buffer
        return
    ours = os.dup(number)
    try:
        os.dup2(other, number)
        with open(ours, "wb", closefd=False) as output:
            yield output
    finally:
        os.dup2(ours, number)
        os.close(ours)


@contextmanager
def _tallying(
    chosen: Chosen, store: str | None, keep: Sequence[str], columns: Mapping[str, str | None]
) -> Iterator[Tallier]:
    from abtest.bulk.stream.tracked import tallier  # noqa: PLC0415 - who does not track does not pay for it

    with open_store(store, create=True) as log:
        yield tallier(chosen, log, keep=keep, **columns)


@contextmanager
def _stopping() -> Iterator[int]:
    """Give a descriptor that can be read from once this program is interrupted; a second time ends it at once.

    Raises:
        KeyboardInterrupt: It was interrupted; at the end, when what was read is answered.
    """
    interrupted = False
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)

    def once(number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(number, signal.SIG_DFL)

    before = [(number, signal.signal(number, once)) for number in _SIGNALS]
    woken = signal.set_wakeup_fd(theirs)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before:
            signal.signal(number, handler)
        os.close(ours)
        os.close(theirs)
    if interrupted:
        raise KeyboardInterrupt


def _told(done: Streamed, chosen: Chosen) -> str:
    rate = f" ({wording.whole(round(done.n / done.seconds))} a second)" if done.seconds else ""
    answered = f"{chosen.told} answered {wording.plural(done.n, 'line')} in {done.seconds:.1f} s{rate}"
    counted = f"{wording.whole(done.predicted)} predicted, {wording.whole(done.n - done.predicted)} refused"
    told = [f"{answered}: {counted}.", *map(_fault, done.faults)]
    if done.tracked is not None:
        untracked = sum(fault.n for fault in done.untracked)
        told += [f"{wording.plural(done.tracked, 'prediction')} tracked, {wording.whole(untracked)} not."]
        told += map(_fault, done.untracked)
    return "\n".join(told)


def _fault(fault: Fault) -> str:
    first = f"line {wording.whole(fault.line)}: {plain(fault.why, _LETTERS)}"
    return f"  {wording.whole(fault.n)} {fault.kind} (first: {first})"
