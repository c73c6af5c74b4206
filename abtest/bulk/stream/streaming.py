"""Lines of JSON in, an answer each out, in order and as they come: a pipe between any two message queues."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from abtest.bulk.answers import refuse_without
from abtest.bulk.interactive import Teller
from abtest.bulk.stream.answers import Answerer
from abtest.bulk.stream.faults import Fault, Faults
from abtest.bulk.stream.lines import MicroBatches
from abtest.errors import InvalidInputError
from abtest.live.serving.served import ready
from abtest.loaders.scores import scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.bulk.choosing import Chosen
    from abtest.bulk.stream.tracked import Tallier

BATCH_ROWS = 100
WAIT = 0.01
MOST_WAIT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What became of a stream.

    Attributes:
        n: Lines, each of which was answered.
        predicted: Those that were answered with a prediction.
        faults: What was wrong with others.
        seconds: From the first line to the last answer.
        stopped: Whether it was interrupted, and did not end.
        tracked: Predictions tallied; None where none were to be.
        untracked: Why some were not.
    """

    n: int
    predicted: int
    faults: tuple[Fault, ...]
    seconds: float
    stopped: bool
    tracked: int | None = None
    untracked: tuple[Fault, ...] = ()


def stream(
    chosen: Chosen,
    source: int,
    output: BinaryIO,
    *,
    keep: Sequence[str] = (),
    proba: bool = False,
    batch_rows: int = BATCH_ROWS,
    wait: float = WAIT,
    tallier: Tallier | None = None,
    stop: int | None = None,
) -> Streamed:
    """Answer each line of a descriptor with a line, until it ends.

    Args:
        chosen: The model.
        source: A descriptor to read from.
        output: Takes the answers, and is flushed after each batch.
        keep: Columns of the lines to write beside the predictions; ``["all"]`` for all of them.
        proba: Write the probability of each class too.
        batch_rows: Lines that the model is asked about together, at most.
        wait: Seconds that a line waits for others, at most.
        tallier: Tallies predictions for monitoring; None for nowhere.
        stop: A descriptor that can be read from when all is to end; what was read is answered first.

    Raises:
        InvalidInputError: The model has no probabilities, a column cannot be kept, the input cannot be read, or a
            number is out of bounds.
        BackendError: The store does not answer; all lines that were read are answered.
        OSError: Nobody reads the answers any more.
    """
    if batch_rows < 1:
        raise InvalidInputError(f"batch_size must be at least 1, got {batch_rows}.")
    if not 0 <= wait <= MOST_WAIT:
        raise InvalidInputError(f"max_wait must be from 0 to {1000 * MOST_WAIT:,} milliseconds, got {1000 * wait:g}.")
    answer = _answerer(chosen, keep, tallier.aside if tallier else (), proba=proba)
    batches = MicroBatches(source, rows=batch_rows, wait=wait, stop=stop, idle=tallier.every if tallier else None)
    faults, n, predicted, began, ended = Faults(), 0, 0, 0.0, 0.0
    try:
        for lines in batches:
            began = began or time.perf_counter()
            answers = answer(lines)
            if answers:
                output.write("".join(f"{json.dumps(one.told, ensure_ascii=False)}\n" for one in answers).encode())
                output.flush()
                ended = time.perf_counter()
            for one in answers:
                if one.kind is not None:
                    faults.add(one.kind, one.number, str(one.told["error"]))
            n, predicted = n + len(answers), predicted + sum(one.kind is None for one in answers)
            if tallier is not None:
                tallier.add(answers)
    finally:
        if tallier is not None:
            tallier.settle()
    return Streamed(
        n=n,
        predicted=predicted,
        faults=faults.found(),
        seconds=ended - began if n else 0.0,
        stopped=batches.stopped,
        tracked=tallier.n if tallier else None,
        untracked=tallier.faults.found() if tallier else (),
    )


def _answerer(chosen: Chosen, keep: Sequence[str], aside: Sequence[str], *, proba: bool) -> Answerer:
    named = chosen.named
    if proba:
        refuse_without(scorer(chosen.model))
    served = ready(chosen.model, named.uri or named.ref, name=chosen.name, version=named.version, run_id=named.run_id)
    return Answerer(Teller(served, proba=proba), keep=keep, proba=proba, aside=aside)
