"""Intervals for a difference of means that hold at every look: asymptotic confidence sequences.

Where the e-process of ``sequential`` asks which side discordant rows favour, these say by how much the sides differ: of
two arms, each serving its own units, or of pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest.errors import InvalidInputError
from abtest.stats.proportions import Interval
from abtest.stats.sequential import ALTERNATIVES, Alternative, mixture_width

if TYPE_CHECKING:
    from abtest.outcomes import Contingency
    from abtest.stats.moments import Moments

# Burn-in. Before it the estimated spread may be far too small, and the sequence is not shown.
LEAST_N = 200  # pairs
LEAST_DISCORDANT = 20  # of them
LEAST_UNITS = 100  # in each arm
LEAST_RIGHT = 10  # successes in each arm of proportions, and as many failures
# Where no number of pairs is planned. The interval is widest, against the best for its n, where n is far below the
# plan, so the plan is set low: 11 % wider than best at 200 pairs, 7 % at 10,000, 17 % at 100,000 (at a level of 5 %).
PLANNED_PAIRS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """A difference of means as it stands at one look.

    Attributes:
        n: Units of both arms, or pairs.
        effect: The challenger's mean minus the champion's.
        standard_error: Of the effect.
        settled: Whether there is enough, and spread enough, for the sequence to be shown.

    References:
        Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52:2613.

    Example:
        >>> at = MeanDifference.of_rates(champion=(100, 1000), challenger=(130, 1000))
        >>> at.n, round(at.effect, 3), round(at.standard_error, 6), at.settled
        (2000, 0.03, 0.014251, True)
    """

    n: int
    effect: float
    standard_error: float
    settled: bool

    @classmethod
    def of_rates(cls, *, champion: tuple[int, int], challenger: tuple[int, int]) -> MeanDifference:
        """Compare two arms by how often they are right.

        Args:
            champion: Successes, and units.
            challenger: Likewise.

        Raises:
            InvalidInputError: There are more successes than units, or fewer than none.
        """
        arms = (champion, challenger)
        for side, (right, n) in zip(("champion", "challenger"), arms, strict=True):
            if not 0 <= right <= n:
                raise InvalidInputError(f"{side} must have between 0 and {n} successes, got {right}.")
        rates = [right / n if n else 0.0 for right, n in arms]
        variances = [rate * (1 - rate) / n if n else 0.0 for rate, (_, n) in zip(rates, arms, strict=True)]
        enough = all(n >= LEAST_UNITS and min(right, n - right) >= LEAST_RIGHT for right, n in arms)
        return cls(
            n=champion[1] + challenger[1],
            effect=rates[1] - rates[0] if champion[1] and challenger[1] else 0.0,
            standard_error=math.sqrt(sum(variances)),
            settled=enough,
        )

    @classmethod
    def of_failures(
        cls, *, champion: tuple[int, int], challenger: tuple[int, int], margin: float = 0.0
    ) -> MeanDifference:
        """Compare how often two arms fail, where it is asked whether the challenger does by more than a margin.

        An arm that never fails, or always does, has no spread of its own, and a small one may have far too little. So
        its spread is the larger of two: that of its own rate, smoothed by one failure and one success, and that of the
        rate which both arms' failures give it were the difference just the margin. It takes ten failures of the
        challenger's, and none of the champion's.

        Args:
            champion: Failures, and units.
            challenger: Likewise.
            margin: The difference that will be put to the test.

        Example:
            >>> at = MeanDifference.of_failures(champion=(0, 100), challenger=(100, 100))
            >>> at.effect, at.settled, ConfidenceSequence().pvalue(at, alternative="greater") < 0.001
            (1.0, True, True)
        """
        (x, n), (y, m) = champion, challenger
        if not (n and m):
            return cls(n=n + m, effect=0.0, standard_error=0.0, settled=False)
        pooled = min(max((x + y - margin * m) / (n + m), 0.0), 1.0)
        spreads = (
            max(rate * (1 - rate) for rate in rates) / units
            for rates, units in ((((x + 1) / (n + 2), pooled), n), (((y + 1) / (m + 2), min(pooled + margin, 1.0)), m))
        )
        return cls(
            n=n + m,
            effect=y / m - x / n,
            standard_error=math.sqrt(sum(spreads)),
            settled=min(n, m) >= LEAST_UNITS and y >= LEAST_RIGHT,
        )

    @classmethod
    def of_means(cls, *, champion: Moments, challenger: Moments) -> MeanDifference:
        """Compare two arms by their mean losses.

        Losses of a long tail need more than the burn-in where an arm is small: of squared lognormal errors in equal
        arms the 95 % interval, looked at all the time, misses 1 %, of those with a tenth of the units in one arm 19 %
        (docs/simulations.md); of squared normal errors 3 % and 4 %.
        """
        arms = (champion, challenger)
        standard_error = math.sqrt(sum(arm.variance / arm.n for arm in arms if arm.n))
        return cls(
            n=champion.n + challenger.n,
            effect=challenger.mean - champion.mean if champion.n and challenger.n else 0.0,
            standard_error=standard_error,
            settled=min(arm.n for arm in arms) >= LEAST_UNITS and standard_error > 0,
        )

    @classmethod
    def of_pairs(cls, table: Contingency) -> MeanDifference:
        """Compare both sides' correctness on the same rows."""
        n, m, effect = table.n, table.discordant, table.effect
        variance = max(m / n - effect * effect, 0.0) if n else 0.0
        standard_error = math.sqrt(variance / n) if n else 0.0
        settled = n >= LEAST_N and m >= LEAST_DISCORDANT and standard_error > 0
        return cls(n=n, effect=effect, standard_error=standard_error, settled=settled)

    @classmethod
    def of_differences(cls, differences: Moments) -> MeanDifference:
        """Compare both sides' losses on the same rows, by challenger minus champion row by row."""
        n = differences.n
        standard_error = math.sqrt(differences.variance / n) if n else 0.0
        settled = n >= LEAST_N and standard_error > 0
        return cls(n=n, effect=differences.mean, standard_error=standard_error, settled=settled)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceSequence:
    """How far an estimate may stray by chance, at any of ever so many looks.

    Null:
        The true difference is the one named (0 unless told); one-sided, it is not beyond it. With probability 1 - α, in
        the limit of many units, the interval holds the true difference at every look at once, and p is above α at
        every look.

    Assumes:
        Units, or pairs, are independent, of finite variance, and come in an order that no outcome influences. Both
        the plan and the level are fixed before the first look. Rare successes need more units: hence the burn-in.

    Attributes:
        planned_n: Units of both arms, or pairs, at the planned end; there the interval is nearly the sharpest of its
            kind. It holds at any other number too: wider by a tenth at a fifth of it or at twenty times it.
        alpha: The level of the interval, two-sided, and of a one-sided bound; below 1/2 for these.

    Raises:
        InvalidInputError: The plan is below 1, or alpha is no level.

    References:
        Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Time-uniform central limit theory and asymptotic
        confidence sequences, Annals of Statistics 52:2613: theorem 2.2; for one side, and the best mixture, appendix B.

    Example:
        >>> looked = MeanDifference.of_rates(champion=(100, 1000), challenger=(130, 1000))
        >>> sequence = ConfidenceSequence(planned_n=5000)
        >>> interval = sequence.interval(looked)
        >>> round(interval.lower, 12), round(interval.upper, 12)
        (-0.014517962102, 0.074517962102)
        >>> round(sequence.pvalue(looked), 12)
        0.378931507586
    """

    planned_n: int = PLANNED_PAIRS
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if self.planned_n < 1:
            raise InvalidInputError(f"planned_n must be at least 1, got {self.planned_n}.")
        mixture_width(self.alpha)

    def interval(self, looked: MeanDifference) -> Interval | None:
        """Compute the two-sided interval; None before the burn-in is over."""
        if not looked.settled:
            return None
        half = self.half_width(looked)
        return Interval(lower=looked.effect - half, upper=looked.effect + half)

    def half_width(self, looked: MeanDifference, *, alternative: Alternative = "two-sided") -> float:
        """Compute how far the interval's limits are from the effect, or the one limit of a one-sided alternative.

        The true difference is above ``effect - half_width`` under ``greater``, below ``effect + half_width`` under
        ``less``; the burn-in is the caller's to heed.
        """
        return float(self.boundary(looked.n, alternative=alternative)) * looked.standard_error

    def boundary(self, n: npt.ArrayLike, *, alternative: Alternative = "two-sided") -> npt.NDArray[np.float64]:
        """Compute the half-width in standard errors at numbers of units of any shape: infinite at none."""
        x = np.asarray(n, dtype=np.float64) * self._rate(alternative)
        root = np.sqrt(x + 1) / self.alpha
        log = np.log(root) if alternative == "two-sided" else np.log1p(root / 2)
        with np.errstate(divide="ignore"):
            width: npt.NDArray[np.float64] = np.sqrt(2 * (1 + 1 / x) * log)
        return width

    def pvalue(
        self, looked: MeanDifference, *, null: float = 0.0, alternative: Alternative = "two-sided"
    ) -> float | None:
        """Compute the p-value of this look; the smallest of all looks is valid too.

        Args:
            looked: The estimate.
            null: The difference that is put to the test: ``null=-margin, alternative="less"`` asks whether the
                challenger is worse by more than the margin.
            alternative: ``greater``, that the true difference is above it; ``less``, below.

        Returns:
            The smallest level at which the interval, or the one-sided bound, leaves ``null`` out, with the mixture
            chosen for ``alpha``: at most ``alpha`` exactly where that of ``alpha`` does. None before the burn-in is
            over.
        """
        if not looked.settled:
            return None
        x = looked.n * self._rate(alternative)
        z = (looked.effect - null) / looked.standard_error
        log = x / (x + 1) * z * z / 2
        if alternative == "two-sided":
            return math.exp(min(0.0, math.log1p(x) / 2 - log))
        if (z if alternative == "greater" else -z) <= 0 or log == 0:
            return 1.0
        # The level at which log(1 + √(x + 1) / 2α) is just that: √(x + 1) / (2·(exp(log) - 1)), which may overflow.
        return math.exp(min(0.0, math.log1p(x) / 2 - math.log(2) - log - math.log(-math.expm1(-log))))

    def _rate(self, alternative: Alternative) -> float:
        # The mixture's variance, ρ².
        if alternative not in ALTERNATIVES:
            raise InvalidInputError(f"alternative must be one of {', '.join(ALTERNATIVES)}, got {alternative!r}.")
        return mixture_width(self.alpha, one_sided=alternative != "two-sided") / self.planned_n
