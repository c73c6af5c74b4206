"""Cochran's Q test: are several models, scored on the same rows, all equally accurate?

What it needs is the contingency of every two of them, which are counts: they merge by addition, exactly.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import special

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.outcomes import Contingency

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CochranQ:
    """What the test says.

    Attributes:
        statistic: Q.
        degrees_of_freedom: Models less one.
        pvalue: Of a chi-square at least as large.
    """

    statistic: float
    degrees_of_freedom: int
    pvalue: float


def cochran_q(pairs: Mapping[Pair, Contingency]) -> CochranQ:
    """Test whether several models are equally accurate on the same rows.

    Null:
        Within a row, which of the models are right is a matter of chance: all are as likely to be among them. Equal
        accuracies alone are this null for two models only. Of more, each pair must also disagree about as often:
        a challenger entered twice lifts a 5 % level to 8.3 % of three models, and ten alike against one to 18 %.

    Assumes:
        Rows are independent, and about 24 or more entries lie in rows on which the models differ; the chi-square is an
        approximation. It says only that some models differ: pairs tested by McNemar, adjusted by ``holm``, say which,
        and keep their level whatever the challengers have in common.

    Args:
        pairs: The contingency of every two of at least two models, of model i as champion and model j as challenger
            under the key (i, j), with 0 <= i < j < models.

    Returns:
        Q with (models - 1) degrees of freedom; 0 and p = 1 where no row tells the models apart. Of two models it is
        McNemar's chi-square without the continuity correction.

    Raises:
        InvalidInputError: A pair is missing, or they cannot all be of the same models on the same rows.

    References:
        Cochran (1950), Biometrika 37:256. Tate & Brown (1970), Journal of the American Statistical Association 65:155,
        for the 24 entries. Bhapkar & Somes (1977), Journal of the American Statistical Association 72:658, for equal
        accuracies with unequal disagreement.

    Example:
        >>> from abtest.outcomes import Contingency
        >>> media = {(0, 1): (6, 0, 4, 59), (0, 2): (4, 2, 3, 60), (0, 3): (6, 0, 4, 59)}
        >>> media |= {(1, 2): (7, 3, 0, 59), (1, 3): (10, 0, 0, 59), (2, 3): (7, 0, 3, 59)}
        >>> test = cochran_q({
        ...     pair: Contingency(both=both, champion_only=b, challenger_only=c, neither=neither)
        ...     for pair, (both, b, c, neither) in media.items()
        ... })
        >>> round(test.statistic, 2), test.degrees_of_freedom, round(test.pvalue, 3)
        (8.05, 3, 0.045)
    """
    degrees = _models(pairs) - 1
    _check_agreement(pairs)
    # Cochran's denominator is the sum of L(k - L) over rows, L of the k models being right; and L(k - L) is how many
    # pairs disagree on the row. His numerator, k times the sum of c² less the square of the sum of c over the models'
    # rights c, is the sum of the pairs' squared differences. In whole numbers of any size: equal models are exactly
    # equal, and squares of a billion rows do not overflow.
    spread = sum(table.discordant for table in pairs.values())
    if not spread:
        return CochranQ(statistic=0.0, degrees_of_freedom=degrees, pvalue=1.0)
    apart = sum((table.champion_only - table.challenger_only) ** 2 for table in pairs.values())
    statistic = degrees * apart / spread
    return CochranQ(statistic=statistic, degrees_of_freedom=degrees, pvalue=float(special.chdtrc(degrees, statistic)))


def _models(pairs: Mapping[Pair, Contingency]) -> int:
    """Count the models, of which every two must be there."""
    if not pairs:
        raise InvalidInputError("pairs must hold every two of at least 2 models, got none.")
    for i, j in pairs:
        if not 0 <= i < j:
            raise InvalidInputError(
                f"pairs must be keyed (i, j) with 0 <= i < j, got {(i, j)}.", hint="swap the sides of that pair."
            )
    models = 1 + max(j for _, j in pairs)
    missing = next((pair for pair in itertools.combinations(range(models), 2) if pair not in pairs), None)
    if missing:
        raise InvalidInputError(
            f"pairs must hold every two of {models} models, got none for {missing}.",
            hint="number the models from 0, and tally each against each.",
        )
    return models


def _check_agreement(pairs: Mapping[Pair, Contingency]) -> None:
    """Refuse pairs that differ in their rows, or in how many of them a model gets right."""
    hint = "tally every pair on the same rows."
    first, n = next((pair, table.n) for pair, table in pairs.items())
    seen: dict[int, tuple[Pair, int]] = {}
    for pair, table in pairs.items():
        if table.n != n:
            raise InvalidInputError(
                f"pairs must have equal rows, got {n} in {first} and {table.n} in {pair}.", hint=hint
            )
        rights = (table.both + table.champion_only, table.both + table.challenger_only)
        for model, right in zip(pair, rights, strict=True):
            before, known = seen.setdefault(model, (pair, right))
            if right != known:
                raise InvalidInputError(
                    f"pairs must agree on the rows that model {model} gets right, "
                    f"got {known} in {before} and {right} in {pair}.",
                    hint=hint,
                )
