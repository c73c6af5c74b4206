"""Evidence that may be looked at as often as one likes: a test set may grow until it convinces, at the level said."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

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
    if alternative not in ALTERNATIVES:
        raise InvalidInputError(f"alternative must be one of {', '.join(ALTERNATIVES)}, got {alternative!r}.")
    if not 0 < a < math.inf:
        raise InvalidInputError(f"a must be a positive number, got {a}.")
    for name, count in (("champion_only", champion_only), ("challenger_only", challenger_only)):
        if count < 0:
            raise InvalidInputError(f"{name} must be at least 0, got {count}.")
    b, c = a + champion_only, a + challenger_only
    log_e = (champion_only + challenger_only) * math.log(2) + _log_beta(b, c) - _log_beta(a, a)
    if alternative == "two-sided":
        return log_e
    share = float(special.betainc(b, c, 0.5) if alternative == "greater" else special.betainc(c, b, 0.5))
    # The posterior's share of that half over the prior's, which is 1/2.
    return log_e + math.log(2 * share) if share > 0 else -math.inf


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


def _log_beta(p: float, q: float) -> float:
    return float(special.betaln(p, q))
