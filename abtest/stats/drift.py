"""How far apart two samples of one column are, read off their sketches, and whether that is more than chance.

All of it is about rows with a value: whether more are missing is another question. How far apart samples are whose
rows are counted in the same groups is in ``homogeneity``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import NotApplicableError
from abtest.stats.homogeneity import EXPECTED, expect_rows
from abtest.stats.sketches import Numbers

if TYPE_CHECKING:
    from abtest.stats.sketches import Values

Counts: TypeAlias = npt.NDArray[np.int64]

DECILES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KolmogorovSmirnov:
    """How far apart two distribution functions are.

    Attributes:
        statistic: D, their greatest difference at the ends of bins.
        error_bound: How much greater, at most, it is between them.
        rise: The greatest difference by which the recent one is below: recent numbers are higher.
        fall: The greatest by which it is above: recent numbers are lower.
        rise_at: Where that is, by the number of the bin among those of both.
        fall_at: Likewise.
        pvalue: Of a D at least as large.
    """

    statistic: float
    error_bound: float
    rise: float
    fall: float
    rise_at: int
    fall_at: int
    pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """Numbers of two samples in common bins.

    Attributes:
        both: The sketch of both together.
        baseline: Numbers in each of its bins, shape (bins,).
        recent: Likewise.
    """

    both: Numbers
    baseline: Counts
    recent: Counts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Categories:
    """Values of two samples in common categories.

    Attributes:
        names: The values; None, the last if it is there, of all others together.
        baseline: Rows of each, shape (categories,).
        recent: Likewise.
        error_bound: How much larger the total variation may be, as others were counted together.
    """

    names: tuple[str | None, ...]
    baseline: Counts
    recent: Counts
    error_bound: float


def binned(baseline: Numbers, recent: Numbers) -> Binned:
    """Count two samples of numbers in the bins of both together.

    Raises:
        NotApplicableError: One of them holds no number.
    """
    expect_rows(baseline.n, recent.n)
    both = baseline + recent
    counted = {"baseline": baseline.within(both.shift, both.bins), "recent": recent.within(both.shift, both.bins)}
    return Binned(both=both, **counted)


def kolmogorov_smirnov(samples: Binned) -> KolmogorovSmirnov:
    """Test whether two samples of numbers are of one distribution.

    Null:
        Both are draws from one distribution.

    Assumes:
        Rows are independent. The p-value is Kolmogorov's limit with n·m/(n + m) rows, which is conservative for few
        rows; with ties, and as D is looked up at the ends of bins alone, it is more so: never surer than the test on
        the numbers themselves.

    Returns:
        D, exact where ``error_bound`` is 0: where every bin holds one number.

    References:
        Kolmogorov (1933), Giornale dell'Istituto Italiano degli Attuari 4:83, for the limit. Smirnov (1939), Bulletin
        Mathématique de l'Université de Moscou 2:3, for two samples.

    Example:
        >>> from abtest.stats.sketches import Numbers
        >>> test = kolmogorov_smirnov(binned(Numbers.of([1, 2, 3, 4]), Numbers.of([3, 4, 5, 6])))
        >>> test.statistic, test.error_bound, round(test.pvalue, 3)
        (0.5, 0.0, 0.699)
    """
    n, m = int(samples.baseline.sum()), int(samples.recent.sum())
    baseline, recent = np.cumsum(samples.baseline) / n, np.cumsum(samples.recent) / m
    apart = baseline - recent
    rise_at, fall_at = int(apart.argmax()), int(apart.argmin())
    rise, fall = max(0.0, _apart(samples, rise_at)), max(0.0, -_apart(samples, fall_at))
    statistic = max(rise, fall)
    # Within a bin both functions ascend: the one is at most its end's value, the other at least its begin's.
    before, recent_before = (np.concatenate([[0.0], it[:-1]]) for it in (baseline, recent))
    most = np.maximum(baseline - recent_before, recent - before)[samples.both.wide()]
    pvalue = float(special.kolmogorov(math.sqrt(n * m / (n + m)) * statistic))
    return KolmogorovSmirnov(
        statistic=statistic,
        error_bound=max(0.0, float(most.max(initial=0.0)) - statistic),
        rise=rise,
        fall=fall,
        rise_at=rise_at,
        fall_at=fall_at,
        pvalue=pvalue,
    )


def deciles(samples: Binned) -> tuple[Counts, Counts]:
    """Count both samples in the groups between the baseline's deciles, the outer ones open.

    Deciles that coincide are one. A bin that holds a tenth of the baseline or more is a group of its own, so that a
    constant is left in either direction.

    Returns:
        Rows of the baseline and of the recent sample by group, shape (groups,) each; no group is empty in both.
    """
    reached = np.cumsum(samples.baseline)
    n = int(reached[-1])
    after = np.searchsorted(reached * DECILES, n * np.arange(1, DECILES)) + 1
    own = np.flatnonzero(samples.baseline * DECILES >= n)
    cuts = np.unique(np.concatenate([[0], after, own, own + 1]))
    cuts = cuts[cuts < reached.size]
    return np.add.reduceat(samples.baseline, cuts), np.add.reduceat(samples.recent, cuts)


def categories(baseline: Values, recent: Values) -> Categories:
    """Count two samples of values in common categories, none of which is too rare for χ².

    Values that are not told apart in both samples are one category, and so are rare ones, of which fewer than
    ``EXPECTED`` rows are to be expected in the smaller sample; where that is too few still, the next rarest join.

    Raises:
        NotApplicableError: One of them holds no value, or all values are too rare.
    """
    expect_rows(baseline.n, recent.n)
    both = baseline + recent  # a value that it tells apart was told apart in each
    names = sorted(both.counts, key=lambda name: (-both.counts[name], name))
    least = EXPECTED * both.n / min(baseline.n, recent.n)
    kept = sum(both.counts[name] >= least for name in names)
    others = both.n - sum(both.counts[name] for name in names[:kept])
    while 0 < others < least and kept:
        kept -= 1
        others += both.counts[names[kept]]
    if not kept and len(names) > 1:
        raise NotApplicableError("values are too rare, or rows too few, to compare how often each occurs.")
    counted = [[it.counts.get(name, 0) for name in names[:kept]] for it in (baseline, recent)]
    rest = [baseline.n - sum(counted[0]), recent.n - sum(counted[1])]
    if others:
        counted = [[*counts, left] for counts, left in zip(counted, rest, strict=True)]
    return Categories(
        names=(*names[:kept], *([None] if others else [])),
        baseline=np.array(counted[0], dtype=np.int64),
        recent=np.array(counted[1], dtype=np.int64),
        error_bound=min(rest[0] / baseline.n, rest[1] / recent.n),
    )


def _apart(samples: Binned, at: int) -> float:
    """Take the one distribution function less the other at the end of a bin, in whole numbers: rounded once."""
    n, m = int(samples.baseline.sum()), int(samples.recent.sum())
    return (int(samples.baseline[: at + 1].sum()) * m - int(samples.recent[: at + 1].sum()) * n) / (n * m)
