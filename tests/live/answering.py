"""A process that answers like a server, and says what it has acknowledged, until it is killed.

``python -m tests.live.answering URL``: each line of its output was true when it was written. ``server S`` is its name;
``assigned N`` a row that is handed over next, without waiting; ``prediction ID`` one whose commit was acknowledged, and
``label ID LABEL`` a label.
"""

from __future__ import annotations

import os
import random
import sys
import threading

from abtest.live.log import Feedback, Received
from abtest.live.store import Store
from abtest.live.writing.writer import Writer
from tests.live.logs import row


def say(*words: object) -> None:
    """Write a line at once, whole: the reader may have it although this process is killed next."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def acknowledge(writer: Writer) -> None:
    """Answer durable predictions and labels, for ever."""
    while True:
        asked = [row(writer.server, number) for number in writer.sequence.next(random.randint(1, 3))]  # noqa: S311 - not for secrets
        writer.durable(asked).result()
        for each in asked:
            say("prediction", each.prediction_id)
        label = Feedback(prediction_id=asked[0].prediction_id, label=random.choice(("yes", "no")))  # noqa: S311 - likewise
        (receipt,) = writer.feedback([label]).result()
        assert receipt.received == Received.RECORDED, receipt
        say("label", label.prediction_id, label.label)


def hand_over(writer: Writer) -> None:
    """Log rows without waiting, for ever, about a thousand a second."""
    pace = threading.Event()
    while not pace.wait(0.001):
        (number,) = writer.sequence.next()
        say("assigned", number)
        writer.log([row(writer.server, number)])


def main(url: str) -> None:
    """Run threads of each kind."""
    writer = Writer(Store(url))
    say("server", writer.server)
    threads = [threading.Thread(target=acknowledge, args=(writer,)) for _ in range(3)]
    threads.append(threading.Thread(target=hand_over, args=(writer,)))
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main(sys.argv[1])
