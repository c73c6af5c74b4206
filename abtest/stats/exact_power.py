"""The machinery of ``power``: what a test rejects, how likely that is, and a search over numbers of rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError
from abtest.stats.mcnemar import METHODS, McNemarMethod

if TYPE_CHECKING:
    from collections.abc import Callable

Counts: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

MOST_PAIRS = 50_000  # expected discordant rows up to which power is exact
_LEFT_OUT = 1e-12  # probability of numbers of discordant rows that are not looked at
_LOOKS = 600  # how often power is looked at beyond the rows that reach it
_HALVINGS = 40


class McNemarPower:
    """Power by rows and effect; what the test rejects depends on the discordant rows alone, and is kept for later."""

    def __init__(self, discordance: float, alpha: float, method: McNemarMethod) -> None:
        if method not in METHODS:
            raise InvalidInputError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
        self._discordance, self._alpha, self._method = discordance, alpha, method
        self._m = self._critical = np.arange(0)
        self._effect, self._rejected = math.nan, np.empty(0)

    def __call__(self, n: int, effect: float) -> float:
        """Find the probability that the test rejects."""
        effect = abs(effect)
        if n * self._discordance > MOST_PAIRS:
            return self._normal(n, effect)
        low, weights = _discordant_rows(n, self._discordance)
        if not self._m.size or low < self._m[0] or low + weights.size - 1 > self._m[-1]:
            room = weights.size // 4 if self._m.size else 0  # who comes back comes back nearby
            self._m = np.arange(max(0, low - room), low + weights.size + room)
            self._critical, self._effect = _critical(self._m, self._alpha, self._method), math.nan
        if effect != self._effect:
            self._effect, self._rejected = effect, self._rejections(effect)
        first = low - int(self._m[0])
        return min(float(weights @ self._rejected[first : first + weights.size]), 1.0)

    def _rejections(self, effect: float) -> Floats:
        """By number of discordant rows, the probability that one side has no more of them than the test rejects."""
        ratio = effect / self._discordance
        heavy, light = (1 + ratio) / 2, (1 - ratio) / 2
        both = _cdf(self._critical, self._m, light, heavy) + _cdf(self._critical, self._m, heavy, light)
        return np.minimum(both, 1.0)  # at a very low confidence the two tails meet in the middle

    def _normal(self, n: int, effect: float) -> float:
        """Connor's formula, read for power; every form but mid-p asks for a lead of one row more."""
        bar = -float(special.ndtri(self._alpha / 2)) * math.sqrt(n * self._discordance) + (self._method != "mid-p")
        spread = math.sqrt(n * (self._discordance - effect * effect))
        if spread == 0:
            return 1.0  # every row is discordant and favours one side
        return float(special.ndtr((n * effect - bar) / spread) + special.ndtr((-n * effect - bar) / spread))


def _discordant_rows(n: int, discordance: float) -> tuple[int, Floats]:
    """The binomial probabilities of every number of discordant rows that matters, and the first such number."""
    if discordance == 1:
        return n, np.ones(1)
    # Bernstein's inequality bounds what is left out on both sides.
    bits = math.log(2 / _LEFT_OUT)
    reach = bits / 3 + math.sqrt((bits / 3) ** 2 + 2 * bits * n * discordance * (1 - discordance))
    low = max(0, math.floor(n * discordance - reach))
    m = np.arange(low, min(n, math.ceil(n * discordance + reach)) + 1, dtype=np.float64)
    # By ratios of neighbours: log-gammas of a hundred million would leave seven digits.
    odds = math.log(discordance) - math.log1p(-discordance)
    logs = np.concatenate([[0.0], np.cumsum(np.log((float(n) - m[:-1]) / m[1:]) + odds)])
    weights = np.exp(logs - logs.max())
    return low, weights / weights.sum()


def _critical(m: Counts, alpha: float, method: McNemarMethod) -> Counts:
    """By number of discordant rows, the most that the lighter side may have where the test rejects; else -1."""
    z = -float(special.ndtri(alpha / 2))
    k = np.clip(np.floor((m - z * np.sqrt(m)) / 2), -1, m // 2).astype(np.int64)
    while True:  # the normal guess is off by one or two
        up = (2 * (k + 1) <= m) & (m > 0) & (_pvalues(k + 1, m, method) < alpha)
        down = (k >= 0) & ((m == 0) | (_pvalues(k, m, method) >= alpha))
        if not (up | down).any():
            return k
        k += up.astype(np.int64) - down


def _pvalues(k: Counts, m: Counts, method: McNemarMethod) -> Floats:
    """McNemar's p-value where the lighter side has k of m, as ``mcnemar`` has it for one table."""
    if method == "chi2":
        return np.asarray(special.chdtrc(1, np.maximum(m - 2 * k - 1, 0) ** 2 / np.maximum(m, 1)))
    tail = _cdf(k, m, 0.5, 0.5)
    if method == "exact":
        return np.minimum(2 * tail, 1.0)
    return np.where(2 * k == m, 1.5 - tail, tail + _cdf(k - 1, m, 0.5, 0.5))


def _cdf(k: Counts, m: Counts, p: float, q: float) -> Floats:
    """P(X <= k) for X ~ Binomial(m, p), with q = 1 - p; 0 below 0 and 1 from m on."""
    inside = np.clip(k, 0, np.maximum(m - 1, 0))
    tail = special.betainc(np.maximum(m - inside, 1), inside + 1, q)
    return np.where(k < 0, 0.0, np.where(k >= m, 1.0, np.where(p == 0, 1.0, tail)))


def proof_power(n: int, discordance: float, margin: float, z: float) -> float:
    """Find the probability that Tango's interval lies above minus the margin, the sides being equally accurate."""
    if n * discordance > MOST_PAIRS:
        bar = z * math.sqrt(n * null_variance(discordance, margin))
        return float(special.ndtr((n * margin - bar) / math.sqrt(n * discordance)))
    low, weights = _discordant_rows(n, discordance)
    m = np.arange(low, low + weights.size)
    least = _least_gains(m, n, margin, z)
    return float(weights @ _cdf(m - least, m, 0.5, 0.5))  # at least so many gains is at most the rest as losses


def _least_gains(m: Counts, n: int, margin: float, z: float) -> Counts:
    """By number of discordant rows, the fewest won by the challenger that prove non-inferiority; else m + 1."""
    lead = np.zeros(m.size)
    for _ in range(4):  # lead = -margin·n + z·sd(lead) hardly depends on itself on the right
        gains = np.clip((m + lead) / 2, 0, m)
        lead = z * np.sqrt(_score_variance(m - gains, gains, n, margin)) - n * margin
    c = np.clip(np.ceil((m + lead) / 2), 0, m + 1).astype(np.int64)
    while True:  # off by one at most, save where rows are few
        down = (c > 0) & _proves(m - c + 1, c - 1, n, margin, z)
        up = (c <= m) & ~_proves(m - c, c, n, margin, z)
        if not (up | down).any():
            return c
        c += up.astype(np.int64) - down


def _proves(b: Counts, c: Counts, n: int, margin: float, z: float) -> npt.NDArray[np.bool_]:
    """Whether Tango's statistic at minus the margin exceeds z: whether the interval lies above it."""
    return np.asarray(c - b + n * margin > z * np.sqrt(_score_variance(b, c, n, margin)))


def _score_variance(b: Counts | Floats, c: Counts | Floats, n: int, margin: float) -> Floats:
    """The variance under T(-margin), as ``tango_statistic`` has it for one table; b below 0 counts as 0."""
    minus_c = np.maximum(c, 0) * margin * (1 - margin)
    big_b = (2.0 * n - b + c) * margin - (b + c)
    root = np.sqrt(big_b * big_b + 8 * n * minus_c)
    # Divide by whichever of the two is no difference of near equals.
    q = np.where(big_b > 0, 2 * minus_c / np.maximum(big_b + root, 5e-324), (root - big_b) / (4 * n))
    return np.asarray(n * (2 * q + margin * (1 - margin)))


def null_variance(discordance: float, margin: float) -> float:
    """What one row adds to that variance in the long run, the sides being equally accurate."""
    half = np.array([discordance / 2])
    return float(_score_variance(half, half, 1, margin)[0])


def first_lasting(reaches: Callable[[int], bool], start: int, *, ahead: int) -> int:
    """One more than the last number of rows that falls short, searching outward from a good guess."""
    low, high = _bracket(reaches, start)
    stride = ahead // _LOOKS | 1  # odd: where all rows are discordant, power differs between even and odd
    while True:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if reaches(middle) else (middle, high)
        short = [n for n in range(high + stride, high + ahead + 1, stride) if not reaches(n)]
        if not short:
            return high
        low, high = short[-1], short[-1] + stride
        while not reaches(high):
            low, high = high, high + stride


def _bracket(reaches: Callable[[int], bool], start: int) -> tuple[int, int]:
    """A number of rows that falls short and a larger one that does not."""
    low = high = start
    step = max(1, start // 64)
    if reaches(start):
        while low > 0 and reaches(low):
            low, high, step = max(0, low - step), low, 2 * step
    else:
        while not reaches(high):
            low, high, step = high, high + step, 2 * step
    return low, high


def smallest_share(reaches: Callable[[float], bool], most: float) -> float | None:
    """The smallest share that reaches the power, to a billionth of the largest; None where that one does not."""
    if not reaches(most):
        return None
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high
