"""Simulated days of a model's predictions: how often monitoring is wrong about a fall, and how soon it finds one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from abtest.evaluator.degradation import changes, sequential
from abtest.outcomes import PairedOutcomes
from abtest.windows import Bucket, Tallied, Window
from benchmarks.simulated import Row, Table, points

if TYPE_CHECKING:
    import numpy.typing as npt

    from abtest.labels import Label

    Floats = npt.NDArray[np.float64]

FALLS = ("z test", "fallen", "missed", "held")
LOOKS = ("before", "by 1 day", "by 3 days", "by 7 days")
RIGHT = 0.9
_CELLS: tuple[tuple[Label, Label, Label], ...] = ((0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1))
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_LEVEL, _THRESHOLD, _ROWS, _LOOKS_A_DAY, _FILE = 0.05, 0.05, 480, 8, 2000


def window(rng: np.random.Generator, right: Floats, *, alike: float, first: int = 0, cuts: int = 1) -> Window:
    """Draw days of two equal classes.

    Args:
        rng: Where the randomness comes from.
        right: The mean chance of a right row by day, shape (days,).
        alike: The correlation of two rows of one day: its luck is drawn from a beta distribution.
        first: Days before this window.
        cuts: Tallies a day.
    """
    worth = (1 - alike) / alike if alike else np.inf
    luck = np.repeat(rng.beta(right * worth, (1 - right) * worth) if alike else right, cuts)
    cells = rng.multinomial(_ROWS // cuts, np.column_stack([luck / 2, (1 - luck) / 2, (1 - luck) / 2, luck / 2]))
    start = _BEGIN + timedelta(days=first)
    buckets = []
    for at, counts in enumerate(cells.tolist()):
        table = dict(zip(_CELLS, counts, strict=True))
        tallied = Tallied(n=_ROWS // cuts, outcomes=PairedOutcomes.from_counts(table))
        buckets.append(Bucket(start=start + at * timedelta(days=1) / cuts, version=1, tallied=tallied))
    return Window(start=start, end=start + timedelta(days=right.size), buckets=tuple(buckets))


def falls(
    rng: np.random.Generator, repeats: int, *, days: tuple[int, int], alike: float, fall: float, metric: str
) -> Counter[str]:
    """Count what is said of a recent window: by a test of independent rows, and by ours; and misses of its interval."""
    told: Counter[str] = Counter()
    for _ in range(repeats):
        baseline = window(rng, np.full(days[0], RIGHT), alike=alike)
        recent = window(rng, np.full(days[1], RIGHT - fall), alike=alike, first=days[0])
        [change] = changes(baseline, recent, [metric], threshold=_THRESHOLD)[0]
        told["z test"] += _z_test(baseline, recent)
        told["fallen"] += change.pvalue is not None and change.pvalue < _LEVEL
        told["missed"] += not (change.ci_lower or 0.0) <= -fall <= (change.ci_upper or 0.0)
        told["held"] += change.trend == "held"
    return told


def looks(rng: np.random.Generator, repeats: int, *, before: int, days: int, alike: float, fall: float) -> Counter[str]:
    """Count streams in which a look every three hours finds a fall: before there is any, and by so many days of it.

    The baseline is of so many days before, or where these are none a file of independent test rows without time.
    """
    found: Counter[str] = Counter()
    for _ in range(repeats):
        baseline = window(rng, np.full(before, RIGHT), alike=alike) if before else _file(rng)
        right = np.concatenate([np.full(days, RIGHT), np.full(7, RIGHT - fall)])
        since = window(rng, right, alike=alike, first=before, cuts=_LOOKS_A_DAY)
        for name, until in zip(LOOKS, (days, days + 1, days + 3, days + 7), strict=True):
            looked = Window(start=since.start, end=since.end, buckets=since.buckets[: _LOOKS_A_DAY * until])
            [row] = sequential(baseline, looked)[0]  # the strongest evidence at any look so far
            found[name] += row.pvalue_adjusted < _LEVEL
    return found


def tables() -> tuple[Table, ...]:
    """List the tables."""
    return (
        Table(
            title="Monitoring: how often is a fall found that is none, at 5 %?",
            heads=(
                "metric",
                "baseline",
                "recent",
                "correlation of a day's rows",
                "z test of independent rows",
                "by day",
                "95 % interval misses",
                "held (within 5 points)",
            ),
            rows=tuple(
                Row(
                    names=(metric, _days(days[0]), _days(days[1]), f"{alike:g}"),
                    simulate=falls,
                    parameters={"days": days, "alike": alike, "fall": 0.0, "metric": metric},
                    repeats=2000,
                    counts=FALLS,
                )
                for metric, days, alike in (
                    ("accuracy", (28, 7), 0.0),
                    ("accuracy", (28, 7), 0.005),
                    ("accuracy", (28, 7), 0.02),
                    ("accuracy", (7, 7), 0.02),
                    ("accuracy", (28, 1), 0.02),
                    ("f1", (28, 7), 0.0),
                    ("f1", (28, 7), 0.02),
                )
            ),
        ),
        Table(
            title="Monitoring: how often is a fall found that is one, at 5 %?",
            heads=(
                "fall",
                "baseline",
                "recent",
                "correlation of a day's rows",
                "z test of independent rows",
                "by day",
                "95 % interval misses",
                "held (within 5 points)",
            ),
            rows=tuple(
                Row(
                    names=(points(-fall), _days(28), _days(7), f"{alike:g}"),
                    simulate=falls,
                    parameters={"days": (28, 7), "alike": alike, "fall": fall, "metric": "accuracy"},
                    repeats=2000,
                    counts=FALLS,
                )
                for fall, alike in ((0.02, 0.0), (0.05, 0.0), (0.05, 0.005), (0.05, 0.02), (0.1, 0.02))
            ),
        ),
        Table(
            title="Monitoring, looked at every three hours, at 5 %: is a fall found before it is there, and by when?",
            heads=("fall", "baseline", "days before it", "correlation of a day's rows", *LOOKS),
            rows=tuple(
                Row(
                    names=(points(-fall), _days(before) if before else f"{_FILE:,} test rows", f"{days}", f"{alike:g}"),
                    simulate=looks,
                    parameters={"before": before, "days": days, "alike": alike, "fall": fall},
                    repeats=400,
                    counts=LOOKS,
                )
                for fall, before, days, alike in (
                    (0.05, 28, 21, 0.0),
                    (0.1, 28, 21, 0.0),
                    (0.05, 7, 21, 0.0),
                    (0.05, 28, 21, 0.005),
                    (0.1, 28, 21, 0.02),
                    (0.1, 0, 21, 0.0),
                    (0.1, 0, 21, 0.02),
                )
            ),
        ),
    )


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _file(rng: np.random.Generator) -> Window:
    right = int(rng.binomial(_FILE, RIGHT))
    outcomes = PairedOutcomes.from_counts({(0, 0, 0): right, (0, 1, 1): _FILE - right})
    bucket = Bucket(start=None, version=1, tallied=Tallied(n=_FILE, outcomes=outcomes))
    return Window(start=None, end=None, buckets=(bucket,))


def _z_test(baseline: Window, recent: Window) -> bool:
    # Of two shares of independent rows, one-sided: what a user would do who forgets that days have luck.
    (x, n), (y, m) = ((table.contingency().both, table.n) for table in (_table(baseline), _table(recent)))
    pooled = (x + y) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return bool(y / m - x / n < stats.norm.ppf(_LEVEL) * error)


def _table(of: Window) -> PairedOutcomes:
    return of.whole().table()
