"""Evidence that may be looked at as often as one likes: a test set may grow until it convinces, at the level said."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

Alternative: TypeAlias = Literal["two-sided", "greater", "less"]
ALTERNATIVES: tuple[Alternative, ...] = get_args(Alternative)


def log_evidence(
    champion_only: int, challenger_only: int, *, a: float = 1.0, alternative: Alternative = "two-sided"
) -> float:
    """Compute the natural logarithm of the evidence E against equal accuracy: the beta-binomial mixture's odds.

    Null:
        Each discordant row favours either side with probability 1/2, whatever the rows before it said. E then exceeds
        1/α at any look, ever, with probability α at most (Ville's inequality), so looking is free.

    Assumes:
        Rows are independent and come in an order that does not depend on who is right: more rows of the same kind.
        Labels that arrive early by class, or rows sorted by class, break it.

    Args:
        champion_only: Rows that only the champion gets right.
        challenger_only: Rows that only the challenger gets right.
        a: The mixture is Beta(a, a) over the probability that a discordant row is the challenger's; 1 where nothing is
            known of the number of rows to come, more where small effects over many rows are to be found.
        alternative: ``greater`` counts evidence that the challenger is better only, by the half of the mixture above
            1/2; ``less`` that it is worse.

    Returns:
        log E: 0 before any row; minus infinity where one-sided evidence is too small for a double.

    Raises:
        InvalidInputError: A count is negative, ``a`` is not a positive number, or there is no such alternative.

    References:
        Robbins (1970), Annals of Mathematical Statistics 41:1397. Howard, Ramdas, McAuliffe & Sekhon (2021), Annals of
        Statistics 49:1055. Lindon & Malek (2022), Advances in Neural Information Processing Systems 35.

    Example:
        >>> round(log_evidence(5, 15), 10), round(log_evidence(20, 30), 10)
        (1.1695678393, -0.7583807469)
    """
    return float(log_evidence_by_look([champion_only], [challenger_only], a=a, alternative=alternative)[0])


def log_evidence_by_look(
    champion_only: npt.ArrayLike,
    challenger_only: npt.ArrayLike,
    *,
    a: float = 1.0,
    alternative: Alternative = "two-sided",
) -> npt.NDArray[np.float64]:
    """Compute ``log_evidence`` at each of many looks at once.

    Null:
        That of ``log_evidence``.

    Assumes:
        That of ``log_evidence``.

    Args:
        champion_only: Rows that only the champion got right by each look, shape (looks,).
        challenger_only: Rows that only the challenger got right by each look, shape (looks,).
        a: As there.
        alternative: As there.

    Returns:
        log E at each look, shape (looks,).

    Raises:
        InvalidInputError: As there, naming the first count that is negative.

    References:
        Those of ``log_evidence``.

    Example:
        >>> log_evidence_by_look([1, 3, 5], [2, 9, 15]).round(4).tolist()
        [-0.4055, 0.3592, 1.1696]
    """
    if alternative not in ALTERNATIVES:
        raise InvalidInputError(f"alternative must be one of {', '.join(ALTERNATIVES)}, got {alternative!r}.")
    if not 0 < a < math.inf:
        raise InvalidInputError(f"a must be a positive number, got {a}.")
    b, c = (
        a + _counts(column, name)
        for name, column in (("champion_only", champion_only), ("challenger_only", challenger_only))
    )
    log_e: npt.NDArray[np.float64] = (b + c - 2 * a) * math.log(2) + special.betaln(b, c) - special.betaln(a, a)
    if alternative == "two-sided":
        return log_e
    share = special.betainc(b, c, 0.5) if alternative == "greater" else special.betainc(c, b, 0.5)
    with np.errstate(divide="ignore"):  # a share too small for a double is 0: no evidence, not an error
        # The posterior's share of that half over the prior's, which is 1/2.
        return log_e + np.log(2 * share)


def tuned(planned_discordant: int, alpha: float = 0.05, *, one_sided: bool = False) -> float:
    """Choose the mixture that rejects soonest about a planned number of discordant rows.

    Null:
        That of ``log_evidence``, which holds its level whatever the mixture, so long as it is chosen before the rows
        are seen.

    Assumes:
        Nothing more: a wrong plan costs power, never the level.

    Args:
        planned_discordant: Rows, at the planned end, on which exactly one side is right.
        alpha: The level that the evidence is held against.
        one_sided: Whether ``greater`` or ``less`` is asked at that level; below 1/2 then.

    Returns:
        ``a`` for ``log_evidence``, at least 1/2.

    Raises:
        InvalidInputError: There are no rows planned, or alpha is no level.

    References:
        Howard, Ramdas, McAuliffe & Sekhon (2021), Annals of Statistics 49:1055, section 3.5.

    Example:
        >>> round(tuned(100), 5), round(tuned(100, one_sided=True), 5)
        (5.80028, 7.40032)
    """
    if planned_discordant < 1:
        raise InvalidInputError(f"planned_discordant must be at least 1, got {planned_discordant}.")
    variance = planned_discordant / 4  # of a discordant row's side, added up
    precision = variance / mixture_width(alpha, one_sided=one_sided)
    return max(0.5, 2 * (precision - 0.25))


def mixture_width(alpha: float, *, one_sided: bool = False) -> float:
    """Compute 2·log(1/α) + log(1 + 2·log(1/α)): the information, in units of the mixture's, where it is sharpest.

    Raises:
        InvalidInputError: alpha is no level; a one-sided one is below 1/2.

    Example:
        >>> round(mixture_width(0.05), 4)
        7.9362
    """
    most = 0.5 if one_sided else 1.0
    if not 0 < alpha < most:
        raise InvalidInputError(f"alpha must be in (0, {most:g}), got {alpha}.", hint="try 0.05.")
    doubled = -2 * math.log(2 * alpha if one_sided else alpha)  # a one-sided level is half of a two-sided one
    return doubled + math.log1p(doubled)


def anytime_pvalue(logs: Iterable[float]) -> float:
    """Turn the evidence of all looks so far into a p-value that is valid at any of them.

    Null:
        That of ``log_evidence``.

    Assumes:
        The looks are of one growing data set, in any number. Leaving some out only makes p larger.

    Args:
        logs: log E at each look; none are p = 1.

    Returns:
        min(1, 1 / max E): never larger after one more look.

    References:
        Ville (1939), Étude critique de la notion de collectif. Johari, Koomen, Pekelis & Walsh (2022), Operations
        Research 70:1806, for p-values that are always valid.

    Example:
        >>> round(anytime_pvalue([log_evidence(0, 3), log_evidence(1, 11)]), 4)
        0.0381
    """
    return min(1.0, math.exp(-max([0.0, *logs])))


def _counts(column: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    counts = np.asarray(column, dtype=np.float64)
    wrong = np.flatnonzero(~(counts >= 0))  # a NaN too
    if wrong.size:
        raise InvalidInputError(f"{name} must be at least 0, got {counts.flat[wrong[0]]:g}.")
    return counts
