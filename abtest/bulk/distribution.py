"""What was predicted, in a few numbers: how often each class, or how the numbers are spread."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest.coded import Coded
from abtest.engines.pairs import plain
from abtest.labels import Label, label_order
from abtest.stats.moments import MOST, Moments
from abtest.stats.sketches import Numbers

if TYPE_CHECKING:
    import numpy.typing as npt

    from abtest.engines.pairs import Labels
    from abtest.labels import Task

MOST_SHOWN = 20  # classes
MOST_CLASSES = 1_000  # told apart: those that come first


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """How often a class was predicted.

    Attributes:
        label: The class.
        n: Rows.
        share: Of all rows.
    """

    label: Label
    n: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How predicted numbers are spread; infinite ones are counted apart.

    Attributes:
        n: Finite numbers.
        infinite: Others.
        mean: None where there are none, or they are beyond 1e140; so is the next.
        std: Of a sample.
        min: The least.
        first_quartile: What a quarter does not exceed, to within a hundredth or so of itself; so are the next two.
        median: Likewise, of a half.
        third_quartile: Likewise, of three quarters.
        max: The greatest.
    """

    n: int
    infinite: int
    mean: float | None
    std: float | None
    min: float | None
    first_quartile: float | None
    median: float | None
    third_quartile: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What was predicted.

    Attributes:
        classes: The most frequent ones, of these the most frequent first; none of numbers.
        others: Rows with other classes.
        numbers: How numbers are spread; None of classes.
    """

    classes: tuple[ClassCount, ...] = ()
    others: int = 0
    numbers: Spread | None = None


class Distributed:
    """Adds up what is predicted, batch after batch.

    Args:
        task: What the model says it predicts; where it says nothing, whole numbers are classes as long as they are few.
    """

    def __init__(self, task: Task | None) -> None:
        self._task = task
        self._classes, self._numbers = _Classes(), _Numbers()

    def add(self, labels: Labels) -> None:
        """Add a batch."""
        if self._task == "regression" or (self._task is None and not self._may_be_classes(labels)):
            self._numbers.add(plain(labels))
        else:
            self._classes.add(labels)
            if self._task is None and _are_whole(labels):
                self._numbers.add(plain(labels))

    def distribution(self) -> Distribution:
        """All batches together."""
        few = self._classes.n and not (self._numbers.n and self._classes.distinct > MOST_SHOWN)
        return self._classes.distribution() if few else self._numbers.distribution()

    def _may_be_classes(self, labels: Labels) -> bool:
        return isinstance(labels, Coded) or labels.dtype.kind != "f"


def _are_whole(labels: Labels) -> bool:
    return not isinstance(labels, Coded) and labels.dtype.kind in "iu"


class _Classes:
    def __init__(self) -> None:
        self._counts: Counter[tuple[type, Label]] = Counter()
        self.n = 0

    @property
    def distinct(self) -> int:
        """Classes that are told apart."""
        return len(self._counts)

    def add(self, labels: Labels) -> None:
        coded = Coded.of(labels)
        self.n += len(coded)
        counts = np.bincount(coded.codes, minlength=len(coded.values))
        for at in np.flatnonzero(counts):
            label = coded.values[int(at)]
            if (key := (type(label), label)) in self._counts or self.distinct < MOST_CLASSES:
                self._counts[key] += int(counts[at])

    def distribution(self) -> Distribution:
        ordered = sorted(self._counts.items(), key=lambda it: (-it[1], label_order(it[0][1])))
        shown = tuple(ClassCount(label=label, n=k, share=k / self.n) for (_, label), k in ordered[:MOST_SHOWN])
        return Distribution(classes=shown, others=self.n - sum(it.n for it in shown))


class _Numbers:
    def __init__(self) -> None:
        self._moments: Moments | None = Moments.of([])
        self._sketch = Numbers.of([])

    @property
    def n(self) -> int:
        """Numbers so far."""
        return self._sketch.n + self._sketch.infinite

    def add(self, numbers: npt.NDArray[Any]) -> None:
        values = np.asarray(numbers, dtype=np.float64)
        sketch = Numbers.of(values)
        self._sketch += sketch
        if self._moments is not None:
            ends = (sketch.least or 0.0, sketch.most or 0.0)
            finite = values[np.isfinite(values)] if sketch.infinite else values
            self._moments = None if max(map(abs, ends)) > MOST else self._moments + Moments.of(finite)

    def distribution(self) -> Distribution:
        n, found = self._sketch.n, self._moments if self._sketch.n else None
        first, median, third = (self._sketch.quantile(q) for q in (0.25, 0.5, 0.75))
        spread = Spread(
            n=n,
            infinite=self._sketch.infinite,
            mean=found.mean if found else None,
            std=math.sqrt(found.variance) if found and n > 1 else None,
            min=self._sketch.least,
            first_quartile=first,
            median=median,
            third_quartile=third,
            max=self._sketch.most,
        )
        return Distribution(numbers=spread)
