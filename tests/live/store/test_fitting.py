"""A label that cannot be the truth of its prediction is refused, and spoils nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest.live.log import Feedback, Received
from abtest.policy import Policy
from tests.live.store.logs import plan, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label
    from abtest.live.store import Store


def received(log: Store, *labels: Label) -> Sequence[Received]:
    """Send labels of one prediction."""
    return [one.received for one in log.record([Feedback(prediction_id="ab12-1", label=label) for label in labels])]


def test_a_label_is_one_of_the_classes_in_any_spelling(log: Store) -> None:
    """What both models' classes do not hold is refused; their text, as a file has it, is taken."""
    started = plan(classes=(0, 1, 2))
    log.start(started, inclusion=1.0, why="to see")
    log.write([row(1, experiment=started.name, epoch=1)])
    assert received(log, 7, "cat", 1.5) == [Received.REFUSED] * 3
    assert received(log, "2") == [Received.RECORDED]
    (receipt,) = log.record([Feedback(prediction_id="ab12-1", label="cat")])
    assert receipt.why == "label must be one of the classes 0, 1, 2, got 'cat'."


def test_a_label_of_a_regression_is_a_number(log: Store) -> None:
    """Text that is no number, and a boolean, are refused."""
    started = plan(policy=Policy(metrics=("rmse",)))
    log.start(started, inclusion=1.0, why="to see")
    log.write([row(1, experiment=started.name, epoch=1)])
    assert received(log, "much", *[True]) == [Received.REFUSED] * 2
    assert received(log, "1.5") == [Received.RECORDED]


def test_what_waited_is_held_against_the_classes_too(log: Store) -> None:
    """A label that came before its prediction and cannot be one of it stays aside; the fitting one beside it counts."""
    started = plan(classes=("cat", "dog"))
    log.start(started, inclusion=1.0, why="to see")
    assert received(log, "cow", "dog") == [Received.WAITING] * 2
    log.write([row(1, experiment=started.name, epoch=1)])
    assert received(log, "dog") == [Received.UNCHANGED]
    assert log.waiting() >= 1


@pytest.mark.parametrize("label", [7, "cat"])
def test_without_classes_any_label_is_taken(log: Store, label: Label) -> None:
    """Where the models do not say what they know, nothing is refused."""
    started = plan()
    log.start(started, inclusion=1.0, why="to see")
    log.write([row(1, experiment=started.name, epoch=1)])
    assert received(log, label) == [Received.RECORDED]
