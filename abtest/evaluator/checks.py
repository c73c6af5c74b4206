"""Whether an experiment can be trusted: looked at on every read, and a check that fails stops every verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from abtest import wording
from abtest.evaluator.live import Check
from abtest.stats.mismatch import ALPHA, mismatch_evidence
from abtest.stats.sequences import LEAST_RIGHT, LEAST_UNITS, PLANNED_PAIRS, ConfidenceSequence, MeanDifference
from abtest.stats.sequential import anytime_pvalue

if TYPE_CHECKING:
    from abtest.stats.moments import Moments

Rate: TypeAlias = tuple[int, int]  # so many, out of so many


def sample_ratio(champion: int, challenger: int, challenger_share: float) -> Check:
    """Check that units reached the arms in the shares planned.

    Args:
        champion: Units that the champion's arm was exposed to.
        challenger: Units of the challenger's.
        challenger_share: Of both, those planned for the challenger.

    Example:
        >>> sample_ratio(5200, 4800, 0.5).held, sample_ratio(5500, 4500, 0.5).held
        (True, False)
    """
    log_evidence = mismatch_evidence((champion, challenger), (1 - challenger_share, challenger_share))
    pvalue = anytime_pvalue([log_evidence])
    held = pvalue >= ALPHA
    text = (
        f"Units {'reached' if held else 'did not reach'} the arms as planned: {wording.whole(challenger)} of "
        f"{wording.whole(champion + challenger)} were the challenger's, and {wording.percent(challenger_share)} were "
        f"planned ({wording.pvalue(pvalue)}).{'' if held else _LOST}"
    )
    return Check(name="sample ratio", held=held, log_evidence=log_evidence, pvalue=pvalue, text=text)


def label_coverage(champion: Rate, challenger: Rate, *, planned_n: int | None) -> Check:
    """Check that both arms' predictions get their labels equally often.

    Args:
        champion: Of the champion's mature predictions, those labelled, and all.
        challenger: Likewise.
        planned_n: Units planned in all.
    """
    found = _alike(champion, challenger, planned_n)
    pvalue = 1.0 if found is None else found
    held = pvalue >= ALPHA
    text = (
        f"Labels came for {_share(champion)} of the champion's predictions and {_share(challenger)} of the "
        "challenger's: too few have come, or are missing, to test whether that is alike."
        if found is None and _share(champion) != _share(challenger)
        else f"Labels {'came' if held else 'did not come'} equally often in both arms: for {_share(champion)} of the "
        f"champion's predictions and {_share(challenger)} of the challenger's ({wording.pvalue(pvalue)})."
        f"{'' if held else ' What is missing may be what one side gets wrong.'}"
    )
    return Check(name="label coverage", held=held, log_evidence=None, pvalue=pvalue, text=text)


def shadow_drops(scored: Rate, dropped: Rate, *, planned_n: int | None) -> Check:
    """Check that the champion is right as often on pairs that were dropped as on those that the challenger scored.

    Args:
        scored: Of the scored pairs, those that the champion got right, and all.
        dropped: Likewise.
        planned_n: Pairs planned.
    """
    found = _alike(scored, dropped, planned_n)
    pvalue = 1.0 if found is None else found
    held = pvalue >= ALPHA
    text = "No shadow prediction was dropped."
    if dropped[1] and found is None:
        text = (
            f"The champion is right on {_share(dropped)} of {wording.whole(dropped[1])} where the shadow was dropped, "
            f"and on {_share(scored)} where it was scored: too few to test whether that is alike."
        )
    elif dropped[1]:
        text = (
            f"The champion {'is' if held else 'is not'} right as often where the shadow was dropped: {_share(dropped)} "
            f"of {wording.whole(dropped[1])}, against {_share(scored)} where it was scored ({wording.pvalue(pvalue)})."
            f"{'' if held else _UNLIKE}"
        )
    return Check(name="shadow drops", held=held, log_evidence=None, pvalue=pvalue, text=text)


def shadow_drops_of_errors(scored: Moments, dropped: Moments, *, planned_n: int | None) -> Check:
    """The same of a regression: the champion's squared errors where pairs were dropped, and where they were scored."""
    sequence = ConfidenceSequence(planned_n=planned_n or PLANNED_PAIRS, alpha=ALPHA)
    found = sequence.pvalue(MeanDifference.of_means(champion=scored, challenger=dropped))
    pvalue = 1.0 if found is None else found
    held = pvalue >= ALPHA
    text = "No shadow prediction was dropped."
    if dropped.n:
        text = (
            f"The champion is {'' if held else 'not '}as near to the truth where the shadow was dropped "
            f"({wording.plural(dropped.n, 'row')}; {wording.pvalue(pvalue)}).{'' if held else _UNLIKE}"
        )
    return Check(name="shadow drops", held=held, log_evidence=None, pvalue=pvalue, text=text)


_UNLIKE = " What was dropped is not like the rest."
_LOST = " Something assigns, loses or logs them unevenly: find it before anything else is read."


def _alike(one: Rate, other: Rate, planned_n: int | None) -> float | None:
    """The p-value of equal shares, valid at every look; None while there are too few of either kind to tell.

    Under the null both arms have the pooled share: its spread is that of an arm that never fails, too.
    """
    (x, n), (y, m) = one, other
    pooled = (x + y) / (n + m) if n + m else 0.0
    rarest = min(n, m) * min(pooled, 1 - pooled)
    if min(n, m) < LEAST_UNITS or rarest < LEAST_RIGHT:
        return None
    looked = MeanDifference(
        n=n + m,
        effect=y / m - x / n,
        standard_error=math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)),
        settled=True,
    )
    return ConfidenceSequence(planned_n=planned_n or PLANNED_PAIRS, alpha=ALPHA).pvalue(looked) or 0.0


def _share(rate: Rate) -> str:
    return wording.percent(rate[0] / rate[1]) if rate[1] else wording.MISSING
