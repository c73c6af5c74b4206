"""What a benchmark found, as records, and the files that keep them: the page is written from nothing else."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import TypeAdapter

from benchmarks.machine import Machine

Unit: TypeAlias = Literal["s", "MiB"]

RESULTS = Path(__file__).parent / "results"
OURS = "abtest"  # and what a contender of ours is called to begin with: "abtest, text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of some rounds, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: tuple[float, ...]) -> Spread:
        """Summarise the values of one round or more."""
        if len(values) == 1:
            return cls(median=values[0], low=values[0], high=values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median=median, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What a user would pick instead.

    Attributes:
        name: Whose it is; begins with "abtest" where ours is measured against ours.
        values: One a round, in turns with ours; empty where it was not measured.
        why_not: Why it was not measured.
        note: What it leaves out, or does besides.
    """

    name: str
    values: tuple[float, ...] = ()
    why_not: str = ""
    note: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is abtest itself in another setting: being slower than that is no loss."""
        return self.name.startswith(OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What was aimed at before it was measured.

    Attributes:
        at_most: Times the rival's value; the value itself where there is no rival.
        of: The rival's name, or "".
    """

    at_most: float
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a measurement stands in a plot of growth.

    Attributes:
        question: The plot's title.
        along: What grows.
        at: How much of it there is.
    """

    question: str
    along: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One thing measured, side by side.

    Attributes:
        what: What was done, on how much.
        ours: One value a round.
        rivals: What it stands beside.
        unit: Of every value; less is better.
        aims: What was aimed at.
        point: Its place in a plot of growth.
        note: What a reader must know to compare.
    """

    what: str
    ours: tuple[float, ...]
    rivals: tuple[Rival, ...] = ()
    unit: Unit = "s"
    aims: tuple[Aim, ...] = ()
    point: Point | None = None
    note: str = ""

    def times_ours(self, rival: Rival) -> Spread:
        """How many times ours the rival takes, round by round; by the medians where they did not share the rounds."""
        if len(self.ours) != len(rival.values):
            return Spread.of((statistics.median(rival.values) / statistics.median(self.ours),))
        return Spread.of(tuple(theirs / ours for ours, theirs in zip(self.ours, rival.values, strict=True)))

    def measured_against(self, aim: Aim) -> float | None:
        """What to hold against an aim: the median, in the rival's where there is one; None where it did not run."""
        if not aim.of:
            return Spread.of(self.ours).median
        rival = next(rival for rival in self.rivals if rival.name == aim.of)
        return 1 / self.times_ours(rival).median if rival.values else None

    def met(self, aim: Aim) -> bool | None:
        """Whether an aim was met; None where it was not measured."""
        found = self.measured_against(aim)
        return None if found is None else found <= aim.at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that one benchmark found, on one machine.

    Attributes:
        name: The benchmark's, and its file's.
        title: The question.
        about: How it was measured.
        date: Of the measurement.
        quick: Whether it was a trial with small sizes, of which nothing is to be concluded.
        machine: Where.
        measurements: In the order of its table.
    """

    name: str
    title: str
    about: str
    date: str
    quick: bool
    machine: Machine
    measurements: tuple[Measurement, ...]

    def write(self, folder: Path = RESULTS) -> None:
        """Keep it."""
        folder.mkdir(parents=True, exist_ok=True)
        text = _FORM.dump_json(self, indent=1, exclude_defaults=True).decode()
        (folder / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")


_FORM = TypeAdapter(Found)


def read_all(folder: Path = RESULTS) -> dict[str, Found]:
    """Read what was kept, by name."""
    return {path.stem: _FORM.validate_json(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
