"""The evidence on one metric at each of many looks, and what of it may be said at any of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.evaluator.live import Look
from abtest.outcomes import Contingency, Counts
from abtest.stats.sequences import PLANNED_PAIRS, ConfidenceSequence, MeanDifference
from abtest.stats.sequential import anytime_pvalue, log_evidence_by_look, tuned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from abtest.stats.moments import Moments
    from abtest.stats.proportions import Interval

Floats: TypeAlias = npt.NDArray[np.float64]

E_PROCESS = "beta-binomial e-process"
SEQUENCE = "confidence sequence"
NOT_YET = "not estimable yet"  # before the burn-in is over
_LEAST = -700.0  # log of about the least double: evidence of a side beyond hope, which JSON must hold
_MOST_ONE_SIDED = 0.25  # a level for which the one-sided mixture is chosen; it holds at any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What is fixed before the first look.

    Attributes:
        alpha: Level of the verdict, two-sided.
        rollback_alpha: Level of a rollback, one-sided.
        planned_n: Pairs, or units of both arms, planned in all; None where that is not known.
        planned_discordant: Discordant pairs planned; likewise.
    """

    alpha: float
    rollback_alpha: float
    planned_n: int | None = None
    planned_discordant: int | None = None

    @property
    def a(self) -> float:
        """Of the mixture: chosen for either direction at half the level; 1 where nothing is known."""
        return tuned(self.planned_discordant, self.alpha) if self.planned_discordant else 1.0

    def sequence(self, alpha: float | None = None) -> ConfidenceSequence:
        """The confidence sequence, at the verdict's level unless told."""
        return ConfidenceSequence(planned_n=self.planned_n or PLANNED_PAIRS, alpha=alpha or self.alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The evidence on one metric, look by look.

    Attributes:
        looked: The difference of both sides at each look; none is known before the first rows.
        better: log E that the challenger is better, shape (looks,); None where no e-process is.
        worse: log E that it is worse; likewise.
        greater_is_better: Whether a positive effect is an improvement.
        wrong: How often each of two arms is wrong by now: what harm goes by before the burn-in is over, which it never
            is of an arm that is always wrong.
    """

    looked: tuple[MeanDifference, ...]
    better: Floats | None = None
    worse: Floats | None = None
    greater_is_better: bool = True
    wrong: MeanDifference | None = None

    @classmethod
    def of_pairs(cls, counts: Counts, a: float, *, drawn: bool = True) -> Path:
        """Follow correctness on the same rows.

        Args:
            counts: As in ``Contingency`` by each look, shape (looks, 4).
            a: Of the mixture.
            drawn: Whether ``looks`` will be asked for; else only the last difference is kept.
        """
        looked = tuple(MeanDifference.of_pairs(contingency(row)) for row in (counts if drawn else counts[-1:]))
        return cls(looked=looked, better=_evidence(counts, a, "greater"), worse=_evidence(counts, a, "less"))

    @classmethod
    def of_rates(cls, champion: Counts, challenger: Counts) -> Path:
        """Follow two arms by successes and units by each look, shape (looks, 2) each."""
        arms = list(zip(champion.tolist(), challenger.tolist(), strict=True))
        looked = tuple(MeanDifference.of_rates(champion=(a, n), challenger=(b, m)) for (a, n), (b, m) in arms)
        (a, n), (b, m) = arms[-1]
        return cls(looked=looked, wrong=MeanDifference.of_failures(champion=(n - a, n), challenger=(m - b, m)))

    @classmethod
    def of_means(cls, champion: Sequence[Moments], challenger: Sequence[Moments]) -> Path:
        """Follow two arms by their losses by each look: less is better."""
        arms = zip(champion, challenger, strict=True)
        looked = tuple(MeanDifference.of_means(champion=first, challenger=second) for first, second in arms)
        return cls(looked=looked, greater_is_better=False)

    @classmethod
    def of_differences(cls, differences: Sequence[Moments], *, greater_is_better: bool = False) -> Path:
        """Follow losses on the same rows by challenger minus champion by each look."""
        looked = tuple(MeanDifference.of_differences(moments) for moments in differences)
        return cls(looked=looked, greater_is_better=greater_is_better)

    @property
    def now(self) -> MeanDifference:
        """The last look."""
        return self.looked[-1]

    @property
    def test(self) -> str:
        """What ``pvalue`` comes from."""
        return SEQUENCE if self.better is None else E_PROCESS

    def interval(self, tuning: Tuning) -> Interval | None:
        """The interval of the effect now; None before the burn-in is over."""
        return tuning.sequence().interval(self.now)

    def pvalue(self, tuning: Tuning) -> float | None:
        """The two-sided p-value of no effect; None before the burn-in is over.

        An e-process is asked in the direction of the effect as it stands now, at half the level: evidence of long ago
        that it was worse must not promote a challenger that is a little better by now. It counts at its largest.
        """
        if self.better is None or self.worse is None:
            return tuning.sequence().pvalue(self.now)
        one_sided = [anytime_pvalue(self.better.tolist()), anytime_pvalue(self.worse.tolist())]
        if self.now.effect:
            return min(1.0, 2 * one_sided[0 if self.now.effect > 0 else 1])
        return min(1.0, 2 * max(one_sided))

    def pvalue_worse(self, tuning: Tuning) -> float | None:
        """The one-sided p-value that the challenger is no worse; None before there is enough to tell."""
        if self.worse is not None:
            return anytime_pvalue(self.worse.tolist())
        sequence = tuning.sequence(min(tuning.rollback_alpha, _MOST_ONE_SIDED))
        if self.wrong is not None and not self.now.settled:
            return sequence.pvalue(self.wrong, alternative="greater")
        return sequence.pvalue(self.now, alternative="less" if self.greater_is_better else "greater")

    def _is_known(self, looked: MeanDifference) -> bool:
        """Whether there are rows on both sides: of arms, one may be empty at first."""
        return looked.n > 0 and (self.better is not None or looked.standard_error > 0)

    def looks(self, at: Sequence[datetime], tuning: Tuning) -> tuple[Look, ...]:
        """Spell every look, each at its moment."""
        sequence, found = tuning.sequence(), []
        for i, (moment, looked) in enumerate(zip(at, self.looked, strict=True)):
            interval = sequence.interval(looked)
            found.append(
                Look(
                    at=moment,
                    n=looked.n,
                    log_better=None if self.better is None else float(self.better[i]),
                    log_worse=None if self.worse is None else float(self.worse[i]),
                    effect=looked.effect if self._is_known(looked) else None,
                    ci_lower=interval.lower if interval else None,
                    ci_upper=interval.upper if interval else None,
                )
            )
        return tuple(found)


def _evidence(counts: Counts, a: float, alternative: Literal["greater", "less"]) -> Floats:
    return np.maximum(log_evidence_by_look(counts[:, 1], counts[:, 2], a=a, alternative=alternative), _LEAST)


def contingency(row: npt.NDArray[Any]) -> Contingency:
    """Name four counts, in the order of ``Contingency``."""
    both, champion_only, challenger_only, neither = row.tolist()
    return Contingency(both=both, champion_only=champion_only, challenger_only=challenger_only, neither=neither)
