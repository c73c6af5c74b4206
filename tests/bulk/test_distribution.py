"""What was predicted adds up, batch by batch."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.bulk.distribution import MOST_CLASSES, MOST_SHOWN, Distributed

if TYPE_CHECKING:
    from abtest.labels import Task


def told(task: Task | None, *batches: Any) -> Any:
    """The distribution of some batches."""
    found = Distributed(task)
    for batch in batches:
        found.add(np.array(batch))
    return found.distribution()


@given(st.lists(st.sampled_from("abc"), min_size=1), st.integers(0, 20))
def test_classes_are_counted(labels: list[str], cut: int) -> None:
    """However rows are cut into batches, each class is as often as it occurs."""
    found = told(None, *(part for part in (labels[:cut], labels[cut:]) if part))
    assert {it.label: it.n for it in found.classes} == {label: labels.count(label) for label in set(labels)}
    assert [it.share for it in found.classes] == [it.n / len(labels) for it in found.classes]
    assert found.others == 0


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2), st.integers(0, 20))
def test_numbers_are_spread(numbers: list[float], cut: int) -> None:
    """However they are cut, their mean and spread are the standard library's, and the range is exact."""
    spread = told("regression", *(part for part in (numbers[:cut], numbers[cut:]) if part)).numbers
    assert spread.mean == pytest.approx(statistics.fmean(numbers), rel=1e-9, abs=1e-9)
    assert spread.std == pytest.approx(statistics.stdev(numbers), rel=1e-6, abs=1e-6)
    assert (spread.min, spread.max, spread.n) == (min(numbers), max(numbers), len(numbers))


def test_whole_numbers_are_classes_while_they_are_few() -> None:
    """A model that does not say what it predicts tells by how many numbers there are; one that does is believed."""
    few, many = np.arange(MOST_SHOWN), np.arange(MOST_SHOWN + 1)
    assert len(told(None, few).classes) == MOST_SHOWN
    assert told(None, few[:5], many).numbers.max == MOST_SHOWN
    assert told("regression", few).numbers.n == MOST_SHOWN
    assert told("classification", many).others == 1
    assert told(None, [0.5, 1.5]).numbers.mean == 1


def test_more_classes_than_are_shown() -> None:
    """The most frequent ones are shown, and rows of others counted together, beyond all that is told apart too."""
    labels = [f"c{i}" for i in range(2 * MOST_CLASSES)]
    found = told(None, labels, ["c5"] * 3)
    assert found.classes[0].label == "c5"
    assert found.classes[0].n == 4
    assert sum(it.n for it in found.classes) + found.others == len(labels) + 3


def test_infinite_numbers_are_counted_apart() -> None:
    """They spoil no mean; and beyond what squares can be, there is none."""
    spread = told("regression", [1.0, math.inf, 3.0, -math.inf]).numbers
    assert (spread.mean, spread.infinite, spread.max) == (2.0, 2, 3.0)
    assert told("regression", [math.inf]).numbers.mean is None
    assert told("regression", [1e200, 1.0]).numbers.mean is None
