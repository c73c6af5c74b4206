"""Both models are timed on the same batches, taking turns at going first; the first batch, a warm-up, is left out."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abtest
from abtest.engines.latency import Latency
from abtest.engines.local import score
from abtest.labels import SIDES
from abtest.loaders.datasets import open_data
from abtest.loaders.models import Model

if TYPE_CHECKING:
    from abtest.labels import Side

SECONDS = st.floats(1e-6, 1e3)


def timed(batches: dict[Side, list[tuple[float, int]]]) -> Latency:
    """Latency after batches that took so many seconds for so many rows."""
    latency = Latency()
    for side, own in batches.items():
        for seconds, rows in own:
            latency.add(side, seconds, rows)
    return latency


@given(batches=st.lists(st.tuples(SECONDS, st.integers(1, 10_000)), max_size=12))
def test_a_row_takes_the_median_of_the_warm_batches(batches: list[tuple[float, int]]) -> None:
    """From three batches on the first is left out; a row's time is the median of the others', each by its own rows."""
    latency = timed({"champion": batches})
    warm = batches[1:] if len(batches) >= 3 else batches
    if not warm:
        assert latency.per_row("champion") is None
    else:
        median = statistics.median(seconds / rows for seconds, rows in warm)
        assert latency.per_row("champion") == pytest.approx(median, rel=1e-6, abs=1e-12)
    assert latency.per_row("challenger") is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([9.0], 9.0), ([9.0, 1.0], 5.0), ([9.0, 1.0, 2.0], 1.5), ([9.0, 1.0, 2.0, 60.0], 2.0), ([0.0, 0.0], 0.0)],
)
def test_worked_medians(seconds: list[float], expected: float) -> None:
    """Worked by hand: one and two batches count whole, of three the last two, and one slow batch moves no median."""
    assert timed({"challenger": [(s, 1) for s in seconds]}).per_row("challenger") == expected


@given(batches=st.lists(st.tuples(SECONDS, st.integers(1, 999)), min_size=1, max_size=8), factor=st.integers(2, 9))
def test_time_is_a_rows(batches: list[tuple[float, int]], factor: int) -> None:
    """Batches of so many times the rows, in so many times the seconds, take a row as long."""
    one = timed({"champion": batches}).per_row("champion")
    many = timed({"champion": [(factor * s, factor * n) for s, n in batches]}).per_row("champion")
    assert many == pytest.approx(one, rel=1e-6)


class Slow:
    """A predictor that says who was asked, and takes its seconds a row on a clock of our own."""

    def __init__(self, name: str, asked: list[str], clock: list[float], seconds: float) -> None:
        self.name, self.asked, self.clock, self.seconds = name, asked, clock, seconds

    def predict(self, features: pd.DataFrame) -> Any:
        """Predict 0."""
        self.clock[0] += self.seconds * len(features) * (100 if self.name not in self.asked else 1)
        self.asked.append(self.name)
        return np.zeros(len(features), dtype=int)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves, where scoring reads one."""
    now = [0.0]
    monkeypatch.setattr(Latency.__init__, "__defaults__", (lambda: now[0],))
    return now


@pytest.mark.parametrize("batches", [1, 2, 3, 4, 7])
def test_the_models_take_turns(batches: int, clock: list[float]) -> None:
    """Each batch is predicted by both; who goes first changes with every batch; warming up is not told."""
    asked: list[str] = []
    sides: dict[Side, float] = {"champion": 0.002, "challenger": 0.001}
    champion, challenger = (
        Model(side=side, predictor=Slow(side, asked, clock, seconds)) for side, seconds in sides.items()
    )
    rows = 10 * batches - 3  # the last batch is shorter
    data = open_data(pd.DataFrame({"x": range(rows), "y": 0}))
    scored = score(champion, challenger, data, target="y", batch_rows=10)
    turns = [asked[i : i + 2] for i in range(0, len(asked), 2)]
    expected = itertools.islice(itertools.cycle([[*SIDES], [*reversed(SIDES)]]), batches)
    assert turns == [*expected]
    if batches > 2:
        assert dict(scored.latency) == pytest.approx(sides, rel=1e-9)
    else:  # a hundred times as slow at first: alone, or in the middle of two
        times = {1: 100, 2: 50.5}[batches]
        assert dict(scored.latency) == pytest.approx({side: times * s for side, s in sides.items()}, rel=1e-9)


def test_without_a_champion_the_challenger_alone_is_timed(clock: list[float]) -> None:
    """The majority-class predictor takes no time that anyone would compare with."""
    challenger = Model(side="challenger", predictor=Slow("challenger", [], clock, 0.5))
    data = open_data(pd.DataFrame({"x": range(9), "y": [0, 1, 0] * 3}))
    assert dict(score(None, challenger, data, target="y", batch_rows=2).latency) == {"challenger": 0.5}


def test_the_record_has_both_sides_times(clock: list[float]) -> None:
    """A comparison keeps each side's time a row, joined where both are known."""
    asked: list[str] = []
    sides = [Slow(name, asked, clock, seconds) for name, seconds in (("champion", 0.25), ("challenger", 0.5))]
    frame = pd.DataFrame({"x": range(12), "y": 0})
    record = abtest.compare(*sides, data=frame, target="y", batch_size=3, resamples=100).record
    assert (record.champion.latency, record.challenger.latency) == (0.25, 0.5)
    assert record.evaluation.latency is not None
    assert (record.evaluation.latency.champion, record.evaluation.latency.challenger) == (0.25, 0.5)
    alone = abtest.compare("baseline", sides[1], data=frame, target="y", batch_size=3, resamples=100).record
    assert (alone.champion.latency, alone.evaluation.latency) == (None, None)
