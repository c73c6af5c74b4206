"""Evidence that wrong predictions have become more frequent at some moment nobody knows, however often one looks.

For each day on which it may have begun there is a bet that rows are wrong more often from then on; the stake of days
yet to come is kept. What all bets are worth together is a fair game as long as nothing has changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats: TypeAlias = npt.NDArray[np.float64]
Whole: TypeAlias = npt.NDArray[np.integer]

WIDTH = 0.1  # the rises that the mixture is laid out for: of some ten points, or less
_MOST = 500_000  # pairs of a start and a look; of more, only the last look of each day counts, and that of now


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """What was found.

    Attributes:
        log_evidence: The greatest log E at any look so far; 0 before any row.
        start: The day, counted from 0, from which the evidence was strongest then; None where there is none.
    """

    log_evidence: float
    start: int | None


def log_rise(wrong: npt.ArrayLike, rows: npt.ArrayLike, null: float, *, width: float = WIDTH) -> Floats:
    """Compute log E against a chance of at most ``null``, of rows that came one after another.

    Null:
        Each row is wrong with chance at most ``null``, whatever the rows before it were.

    Assumes:
        The mixture over greater chances, a beta distribution about the null of which only the part above it is kept,
        is fixed before the rows are seen.

    Args:
        wrong: Wrong rows by each look, shape (looks,); fractions of rows too.
        rows: Rows by each look, likewise.
        null: In (0, 1).
        width: Of the mixture: a rise of so much is found soonest.

    Returns:
        log E at each look, shape (looks,): of the likelihoods' ratio, averaged over the mixture. Minus infinity where
        it is too small for a double.

    Raises:
        InvalidInputError: The null is no chance.

    References:
        Ville (1939), Étude critique de la notion de collectif; Robbins (1970), Annals of Mathematical Statistics
        41:1397, for mixtures.

    Example:
        >>> log_rise([10, 20, 30], [100, 100, 100], 0.1).round(3).tolist()
        [-1.13, 3.49, 13.613]
    """
    if not 0 < null < 1:
        raise InvalidInputError(f"null must be in (0, 1), got {null}.")
    prior = max(null * (1 - null) / (width * width), 1.0)
    a, b = prior * null, prior * (1 - null)
    k = np.asarray(wrong, dtype=np.float64)
    right = np.asarray(rows, dtype=np.float64) - k
    with np.errstate(divide="ignore"):  # a part too small for a double is 0: no evidence, not an error
        part = np.log(special.betaincc(a + k, b + right, null)) - math.log(special.betaincc(a, b, null))
    log_e: Floats = (
        special.betaln(a + k, b + right) - special.betaln(a, b) + part - k * math.log(null) - right * math.log1p(-null)
    )
    return log_e


def onset(wrong: npt.ArrayLike, rows: npt.ArrayLike, day: npt.ArrayLike, null: float, *, design: float = 1.0) -> Onset:
    """Look for a day since when rows are wrong more often than ``null``.

    Null:
        Each row is wrong with chance at most ``null``, whatever the rows before it were. E then exceeds 1/α at any
        look, ever, with probability α at most (Ville's inequality).

    Assumes:
        Looks are of rows that stay as they are: an hour is looked at when its labels have come. Where rows of one day
        share their luck, so many times as varied as independent ones as ``design`` says, each row counts for that much
        less: for independent rows this is valid all the same, and for days that are about alike it nearly is.

    Args:
        wrong: Wrong rows of each look, not of those before it; shape (looks,).
        rows: Rows of each look, likewise.
        day: Of each look, counted from 0, ascending; likewise.
        null: In (0, 1).
        design: The variance of a day's wrong rows, as a multiple of what it would be of independent ones.

    References:
        Shin, Ramdas & Rinaldo (2022), E-detectors, arXiv 2203.03532, for mixing bets over when a change began; Wald
        (1945), Annals of Mathematical Statistics 16:117, and Shiryaev (1963), Theory of Probability and Its
        Applications 8:22, for betting anew at each moment. Grünwald (2012), Algorithmic Learning Theory 23:169, for
        likelihoods to a power.

    Example:
        >>> found = onset([5, 6, 5, 15, 14], [100] * 5, [0, 1, 2, 3, 4], 0.08)
        >>> round(found.log_evidence, 3), found.start
        (0.93, 3)
    """
    looked = _thinned(*(np.asarray(column, dtype=np.float64) for column in (wrong, rows, day)))
    if not looked[1].size:
        return Onset(log_evidence=0.0, start=None)
    days = looked[2]
    bets = list(_bets(*looked, null, design))
    log_e = -np.log(days + 2)  # the stake of days yet to come
    for first, bet in bets:
        log_e[first:] = np.logaddexp(log_e[first:], bet)
    best = int(np.argmax(log_e))
    if log_e[best] <= 0:
        return Onset(log_evidence=0.0, start=None)
    _, at = max((float(bet[best - first]), first) for first, bet in bets if first <= best)
    return Onset(log_evidence=float(log_e[best]), start=int(days[at]))


def upper_limit(wrong: float, rows: float, level: float) -> float:
    """Compute Clopper and Pearson's upper limit of a chance, of rows that may be fractions.

    References:
        Clopper & Pearson (1934), Biometrika 26:404; Korn & Graubard (1998), Survey Methodology 24:193, for fractions.

    Example:
        >>> round(upper_limit(0, 60, 0.05), 4), upper_limit(3, 3, 0.05)
        (0.0487, 1.0)
    """
    return 1.0 if wrong >= rows else float(special.betaincinv(wrong + 1, rows - wrong, 1 - level))


def _bets(wrong: Floats, rows: Floats, day: Floats, null: float, design: float) -> Iterator[tuple[int, Floats]]:
    """Of each day with rows, where its looks begin, and what the bet on it is worth from there on, in logs.

    Day d has the stake 1/(d + 1) − 1/(d + 2), together 1; those of days without a row are with the next that has one.
    """
    _, firsts = np.unique(day, return_index=True)
    before = -1.0
    for first in firsts.tolist():
        stake = 1 / (before + 2) - 1 / (day[first] + 2)
        before = day[first]
        errors, n = np.cumsum(wrong[first:]) / design, np.cumsum(rows[first:]) / design
        yield first, math.log(stake) + log_rise(errors, n, null)


def _thinned(wrong: Floats, rows: Floats, day: Floats) -> tuple[Floats, Floats, Floats]:
    """Look once a day where there would be too many looks: to leave some out is always valid."""
    days, of = np.unique(day, return_inverse=True)
    if days.size * day.size <= _MOST:
        return wrong, rows, day
    errors, n = (np.asarray(np.bincount(of, weights=column), dtype=np.float64) for column in (wrong, rows))
    return errors, n, days
