"""Simulated live traffic that is looked at after every unit: how often the evidence is wrong, and when it is enough."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from abtest.stats.mismatch import ALPHA, mismatch_evidence_by_look
from abtest.stats.proportions import normal_quantile
from abtest.stats.sequences import (
    LEAST_DISCORDANT,
    LEAST_N,
    LEAST_RIGHT,
    LEAST_UNITS,
    PLANNED_PAIRS,
    ConfidenceSequence,
)
from abtest.stats.sequential import Alternative, log_evidence_by_look, tuned
from benchmarks.simulated import Row, Table, points

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from benchmarks.simulated_errors import Shape

    Floats = npt.NDArray[np.float64]
    Whole = npt.NDArray[np.int64]
    Marks = npt.NDArray[np.bool_]

EVIDENCE = ("fixed", "two-sided", "greater")
INTERVALS = ("fixed", "early", "sequence")
SHARES = ("fixed", "evidence")
POWER = ("fixed", "by then", "by twice")
_LEVEL = 0.05
_BATCH = 50  # series at once
_Z = normal_quantile(1 - _LEVEL)


def evidence(rng: np.random.Generator, repeats: int, *, pairs: int, planned: int | None) -> Counter[str]:
    """Count series of discordant pairs of equal models in which a test at 5 % ever rejects."""
    m = np.arange(1, pairs + 1)
    one, two = (1.0 if planned is None else tuned(planned, _LEVEL, one_sided=side) for side in (True, False))
    least = {
        "fixed": stats.binom.isf(_LEVEL / 2, m, 0.5) + 1,
        "two-sided": _fewest(pairs, two, "two-sided"),
        "greater": _fewest(pairs, one, "greater"),
    }
    rejected: Counter[str] = Counter()
    for size in _batches(repeats):
        challenger = np.cumsum(rng.random((size, pairs)) < 0.5, axis=1)
        for name, fewest in least.items():
            most = challenger if name == "greater" else np.maximum(challenger, m - challenger)
            rejected[name] += int((most >= fewest).any(axis=1).sum())
    return rejected


def arms(
    rng: np.random.Generator, repeats: int, *, rate: float, share: float, planned: int, units: int
) -> Counter[str]:
    """Count series of two equal arms in which a 95 % interval of the difference of rates ever misses."""
    n, boundary, missed = np.arange(1, units + 1), _boundary(units, planned), Counter[str]()
    for size in _batches(repeats):
        z, settled, known = _two_arms(rng, size, (rate, rate), share, units)
        missed["fixed"] += _ever(settled & (z > _Z))
        missed["early"] += _ever(known & (n >= LEAST_N) & (z > boundary))
        missed["sequence"] += _ever(settled & (z > boundary))
    return missed


def means(
    rng: np.random.Generator, repeats: int, *, shape: Shape, share: float, planned: int, units: int
) -> Counter[str]:
    """Count series of two equal arms in which a 95 % interval of the difference of mean squared errors ever misses."""
    n, boundary, missed = np.arange(1, units + 1), _boundary(units, planned), Counter[str]()
    for size in _batches(repeats):
        challenger, error = rng.random((size, units)) < share, rng.normal(size=(size, units))
        loss = np.square(error if shape == "normal" else np.exp(error) - math.exp(0.5))
        arms = [_running(loss, of) for of in (~challenger, challenger)]
        spread = np.sqrt(sum(variance / np.maximum(of, 1) for of, _, variance in arms))
        z = np.abs(arms[1][1] - arms[0][1]) / np.where(spread > 0, spread, np.inf)
        fewer = np.minimum(arms[0][0], arms[1][0])
        missed["fixed"] += _ever((fewer >= LEAST_UNITS) & (z > _Z))
        missed["early"] += _ever((n >= LEAST_N) & (fewer > 1) & (z > boundary))
        missed["sequence"] += _ever((fewer >= LEAST_UNITS) & (z > boundary))
    return missed


def pairs(rng: np.random.Generator, repeats: int, *, discordance: float, effect: float, units: int) -> Counter[str]:
    """Count series of pairs in which a 95 % interval of the effect ever misses."""
    n, boundary, missed = np.arange(1, units + 1), _boundary(units, PLANNED_PAIRS), Counter[str]()
    for size in _batches(repeats):
        z, m = _discordant(rng, size, discordance, effect, units)
        settled = (n >= LEAST_N) & (m >= LEAST_DISCORDANT)
        missed["fixed"] += _ever(settled & (z > _Z))
        missed["early"] += _ever((n >= LEAST_N) & (z > boundary))
        missed["sequence"] += _ever(settled & (z > boundary))
    return missed


def shares(rng: np.random.Generator, repeats: int, *, planned: float, true: float, units: int) -> Counter[str]:
    """Count splits in which a mismatch of the shares is ever found at 0.1 %."""
    n, found = np.arange(1, units + 1), Counter[str]()
    z = normal_quantile(1 - ALPHA)  # of the chi-squared test of two arms
    for size in _batches(repeats):
        challenger = np.cumsum(rng.random((size, units)) < true, axis=1)
        counts = np.stack([n - challenger, challenger], axis=-1)
        log_e = mismatch_evidence_by_look(counts.reshape(-1, 2), (1 - planned, planned)).reshape(size, units)
        off = np.abs(challenger - n * planned) > z * np.sqrt(n * planned * (1 - planned))
        found["fixed"] += _ever(off & (n >= LEAST_UNITS))
        found["evidence"] += _ever(log_e >= -math.log(ALPHA))
    return found


def power_of_pairs(rng: np.random.Generator, repeats: int, *, planned: int, better: float) -> Counter[str]:
    """Count series in which a difference of pairs is found: by one look at the planned end, and by looking always."""
    fewest = _fewest(2 * planned, tuned(planned, _LEVEL), "two-sided")
    at_end, m, found = stats.binom.isf(_LEVEL / 2, planned, 0.5) + 1, np.arange(1, 2 * planned + 1), Counter[str]()
    for size in _batches(repeats):
        challenger = np.cumsum(rng.random((size, 2 * planned)) < better, axis=1)
        most = np.maximum(challenger, m - challenger)
        found["fixed"] += int((most[:, planned - 1] >= at_end).sum())
        found["by then"] += _ever((most >= fewest)[:, :planned])
        found["by twice"] += _ever(most >= fewest)
    return found


def power_of_arms(rng: np.random.Generator, repeats: int, *, planned: int, rates: tuple[float, float]) -> Counter[str]:
    """Count splits in halves in which a difference is found: by one look at the planned end, and by looking always."""
    boundary, found = _boundary(2 * planned, planned), Counter[str]()
    for size in _batches(repeats):
        z, settled, _ = _two_arms(rng, size, rates, 0.5, 2 * planned)
        found["fixed"] += int((z[:, planned - 1] > _Z).sum())
        found["by then"] += _ever((settled & (z > boundary))[:, :planned])
        found["by twice"] += _ever(settled & (z > boundary))
    return found


def tables() -> tuple[Table, ...]:
    """List the tables."""
    return (
        Table(
            title="Looking all the time: how often is an equal model ever called better or worse, at 5 %?",
            heads=("discordant pairs", "planned", "exact McNemar's test", "evidence", "evidence that it is better"),
            rows=tuple(
                Row(
                    names=(f"{pairs:,}", f"{planned:,}" if planned else "not known"),
                    simulate=evidence,
                    parameters={"pairs": pairs, "planned": planned},
                    repeats=10_000,
                    counts=EVIDENCE,
                )
                for pairs, planned in ((200, 100), (2000, 100), (2000, 1000), (2000, None))
            ),
        ),
        Table(
            title="Looking all the time: how often does a 95 % interval of two arms ever miss the truth?",
            heads=(
                "rate",
                "challenger's share",
                "units",
                "planned",
                "fixed interval",
                "sequence from 200 on",
                "after its burn-in",
            ),
            rows=tuple(
                Row(
                    names=(f"{100 * rate:g} %", f"{100 * share:g} %", f"{units:,}", f"{planned:,}"),
                    simulate=arms,
                    parameters={"rate": rate, "share": share, "units": units, "planned": planned},
                    repeats=4000,
                    counts=INTERVALS,
                )
                for rate, share, units, planned in (
                    (0.01, 0.1, 40_000, 5000),
                    (0.01, 0.1, 40_000, 40_000),
                    (0.1, 0.5, 10_000, 5000),
                    (0.5, 0.5, 10_000, 5000),
                )
            ),
        ),
        Table(
            title="Looking all the time: how often does a 95 % interval of pairs ever miss the truth?",
            heads=("pairs", "discordant", "effect", "fixed interval", "sequence from 200 on", "after its burn-in"),
            rows=tuple(
                Row(
                    names=("10,000", f"{100 * psi:g} %", points(effect)),
                    simulate=pairs,
                    parameters={"discordance": psi, "effect": effect, "units": 10_000},
                    repeats=4000,
                    counts=INTERVALS,
                )
                for psi, effect in ((0.02, 0.0), (0.1, 0.0), (0.1, 0.05), (0.5, 0.2))
            ),
        ),
        Table(
            title="Looking all the time: how often is a mismatch of the shares ever found, at 0.1 %?",
            heads=("units", "planned share", "true share", "chi-squared test", "evidence"),
            rows=tuple(
                Row(
                    names=(f"{units:,}", f"{100 * planned:g} %", f"{100 * true:g} %"),
                    simulate=shares,
                    parameters={"planned": planned, "true": true, "units": units},
                    repeats=20_000,
                    counts=SHARES,
                )
                for planned, true, units in (
                    (0.5, 0.5, 10_000),
                    (0.1, 0.1, 10_000),
                    (0.5, 0.48, 10_000),
                    (0.1, 0.08, 10_000),
                )
            ),
        ),
        Table(
            title="Looking all the time: what does it cost in power, at 5 %?",
            heads=("mode", "planned", "effect", "one look at the end", "looking by then", "looking by twice as many"),
            rows=(
                *(
                    Row(
                        names=("shadow", f"{planned:,} discordant pairs", f"{100 * better:g} % of them better"),
                        simulate=power_of_pairs,
                        parameters={"planned": planned, "better": better},
                        repeats=4000,
                        counts=POWER,
                    )
                    for planned, better in ((100, 0.6), (100, 0.65), (1000, 0.55), (1000, 0.45))
                ),
                *(
                    Row(
                        names=("split", f"{planned:,} units", f"80 % right against {100 * rate:g} %"),
                        simulate=power_of_arms,
                        parameters={"planned": planned, "rates": (0.8, rate)},
                        repeats=4000,
                        counts=POWER,
                    )
                    for planned, rate in ((5000, 0.82), (5000, 0.83), (5000, 0.77), (20_000, 0.82))
                ),
            ),
        ),
        Table(
            title="Looking all the time: how often does a 95 % interval of two arms' mean squared errors ever miss?",
            heads=(
                "errors",
                "share",
                "units",
                "fixed interval",
                "sequence from 200 on",
                "after its burn-in",
            ),
            rows=tuple(
                Row(
                    names=(shape, f"{100 * share:g} %", "10,000"),
                    simulate=means,
                    parameters={"shape": shape, "share": share, "planned": 5000, "units": 10_000},
                    repeats=4000,
                    counts=INTERVALS,
                )
                for shape in ("normal", "lognormal")
                for share in (0.5, 0.1)
            ),
        ),
    )


def _two_arms(
    rng: np.random.Generator, size: int, rates: tuple[float, float], share: float, units: int
) -> tuple[Floats, Marks, Marks]:
    # The difference in standard errors by series and look, whether the burn-in is over, and whether there is a spread.
    challenger = rng.random((size, units)) < share
    right = rng.random((size, units)) < np.where(challenger, rates[1], rates[0])
    n = [np.cumsum(of, axis=1) for of in (~challenger, challenger)]
    x = [np.cumsum(right & of, axis=1) for of in (~challenger, challenger)]
    p = [hits / np.maximum(of, 1) for hits, of in zip(x, n, strict=True)]
    error = np.sqrt(p[0] * (1 - p[0]) / np.maximum(n[0], 1) + p[1] * (1 - p[1]) / np.maximum(n[1], 1))
    settled = np.minimum(*n) >= LEAST_UNITS
    for hits, of in zip(x, n, strict=True):
        settled &= (hits >= LEAST_RIGHT) & (of - hits >= LEAST_RIGHT)
    known = (np.minimum(*n) > 0) & (error > 0)
    return np.abs(p[1] - p[0]) / np.where(known, error, np.inf), settled, known


def _running(loss: Floats, of: Marks) -> tuple[Whole, Floats, Floats]:
    # An arm's units, mean and variance by each look.
    n = np.cumsum(of, axis=1, dtype=np.int64)
    mean = np.cumsum(loss * of, axis=1) / np.maximum(n, 1)
    squares = np.cumsum(np.square(loss) * of, axis=1)
    return n, mean, np.maximum(squares - n * np.square(mean), 0) / np.maximum(n - 1, 1)


def _discordant(
    rng: np.random.Generator, size: int, discordance: float, effect: float, units: int
) -> tuple[Floats, Whole]:
    # The estimate's distance from the truth in standard errors, and the discordant pairs, by series and look.
    draws, n = rng.random((size, units)), np.arange(1, units + 1)
    lost = (discordance - effect) / 2
    b, m = np.cumsum(draws < lost, axis=1), np.cumsum(draws < discordance, axis=1, dtype=np.int64)
    mean = (m - 2 * b) / n
    error = np.sqrt(np.maximum(m / n - mean * mean, 0) / n)
    return np.abs(mean - effect) / np.where(error > 0, error, np.inf), m


def _fewest(pairs: int, a: float, alternative: Alternative) -> Whole:
    # By number of pairs, the fewest of one side that reject; more than all of them where none do.
    fewest = np.empty(pairs, dtype=np.int64)
    for m in range(1, pairs + 1):
        c = np.arange((m + 1) // 2, m + 1)
        rejects = log_evidence_by_look(m - c, c, a=a, alternative=alternative) >= -math.log(_LEVEL)
        fewest[m - 1] = c[np.argmax(rejects)] if rejects.any() else m + 1
    return fewest


def _boundary(units: int, planned: int) -> Floats:
    return ConfidenceSequence(planned_n=planned, alpha=_LEVEL).boundary(np.arange(1, units + 1))


def _ever(marks: Marks) -> int:
    return int(marks.any(axis=1).sum())


def _batches(repeats: int) -> Iterator[int]:
    for start in range(0, repeats, _BATCH):
        yield min(_BATCH, repeats - start)
