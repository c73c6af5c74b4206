"""McNemar's test: on the rows where exactly one side is right, is each side equally often the right one?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from scipy import special

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from abtest.outcomes import Contingency

McNemarMethod: TypeAlias = Literal["mid-p", "exact", "chi2"]
METHODS: tuple[McNemarMethod, ...] = get_args(McNemarMethod)


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """What the test says.

    Attributes:
        method: How ``pvalue`` was found; "by unit" where rows come in units, of which the test is then.
        statistic: The continuity-corrected chi-square, whatever the method, so that both can be shown.
        pvalue: Two-sided.
    """

    method: McNemarMethod | Literal["by unit"]
    statistic: float
    pvalue: float

    @property
    def name(self) -> str:
        """What the test is called in a sentence."""
        return "the test of units" if self.method == "by unit" else f"McNemar's test ({self.method})"


def mcnemar(table: Contingency, *, method: McNemarMethod = "mid-p") -> McNemar:
    """Test whether champion and challenger are equally accurate on the same rows.

    Null:
        A discordant row favours either side with probability 1/2: the two accuracies are equal.

    Assumes:
        Rows are independent. Given the discordant pairs m, the rows that only the champion gets right are then
        Binomial(m, 1/2) under the null.

    Args:
        table: Counts of correctness.
        method: ``mid-p`` has nearly the power of the uncorrected test and keeps a 5 % level unless most rows are
            discordant (below 5 % up to 60 % of them, at worst 8 %, by enumeration); ``exact`` keeps its level always
            and is conservative; ``chi2`` is the continuity-corrected approximation, about as conservative.

    Returns:
        The corrected chi-square (1 degree of freedom) and the p-value; 0 and 1 where no row is discordant.

    Raises:
        InvalidInputError: There is no such method.

    References:
        McNemar (1947), Psychometrika 12:153. Edwards (1948), Psychometrika 13:185, for the continuity correction.
        Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91, for the mid-p test.

    Example:
        >>> from abtest.outcomes import Contingency
        >>> test = mcnemar(Contingency(both=1, champion_only=1, challenger_only=7, neither=12))
        >>> round(test.statistic, 3), round(test.pvalue, 7)
        (3.125, 0.0390625)
    """
    if method not in METHODS:
        raise InvalidInputError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    b, c, m = table.champion_only, table.challenger_only, table.discordant
    if m == 0:
        return McNemar(method=method, statistic=0.0, pvalue=1.0)
    statistic = max(abs(b - c) - 1, 0) ** 2 / m
    if method == "chi2":
        pvalue = float(special.chdtrc(1, statistic))
    elif method == "exact":
        pvalue = min(1.0, 2 * _binomial_cdf(min(b, c), m))
    elif b == c:
        pvalue = 1.5 - _binomial_cdf(b, m)  # the paper's 1 - f/2, as f = 2F - 1 in the middle
    else:
        # 2F(k) - f(k), without the cancellation, as f(k) = F(k) - F(k - 1).
        pvalue = _binomial_cdf(min(b, c), m) + _binomial_cdf(min(b, c) - 1, m)
    return McNemar(method=method, statistic=statistic, pvalue=pvalue)


def _binomial_cdf(k: int, m: int) -> float:
    """P(X <= k) for X ~ Binomial(m, 1/2); the incomplete beta function stays exact where sums and log-gammas do not."""
    return float(special.betainc(m - k, k + 1, 0.5)) if k >= 0 else 0.0
