"""Cochran's Q test: are several models, scored on the same rows, all equally accurate?

What it needs is a count of each pattern of right and wrong. Patterns merge by addition, exactly.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.outcomes import Contingency

if TYPE_CHECKING:
    from collections.abc import Mapping

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CorrectnessPatterns:
    """How often each pattern of right and wrong occurs over several models on the same rows; merging is ``+``.

    Attributes:
        patterns: 1 where a model is right, 0 where it is wrong, shape (patterns, models). Rows are unique and sorted,
            so equal records are equal arrays.
        counts: Rows of each pattern, at least 1, shape (patterns,).

    Example:
        >>> batch = CorrectnessPatterns.of([[1, 1, 0], [1, 1, 0], [0, 1, 1]])
        >>> batch.patterns.tolist(), batch.counts.tolist(), (batch + batch).n
        ([[0, 1, 1], [1, 1, 0]], [1, 2], 6)
    """

    patterns: Counts
    counts: Counts

    @classmethod
    def of(cls, right: npt.ArrayLike) -> CorrectnessPatterns:
        """Tally a batch.

        Args:
            right: Whether each model is right on each row, shape (rows, models): booleans, or 0 and 1.

        Raises:
            InvalidInputError: It is not that, or has fewer than two models.
        """
        matrix = _matrix(right, "right")
        packed = np.ascontiguousarray(np.packbits(matrix, axis=1))  # comparing bytes is faster than comparing rows
        keys = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
        _, first, counts = np.unique(keys, return_index=True, return_counts=True)
        return _sorted(matrix[first], counts)

    @classmethod
    def from_counts(cls, patterns: npt.ArrayLike, counts: npt.ArrayLike) -> CorrectnessPatterns:
        """Take patterns that are counted already; in any order, repeated or not.

        Args:
            patterns: Shape (patterns, models): booleans, or 0 and 1.
            counts: Rows of each, shape (patterns,): whole numbers of at least 0.

        Raises:
            InvalidInputError: They are not that, or there are fewer than two models.
        """
        matrix, rows = _matrix(patterns, "patterns"), np.asarray(counts)
        if rows.shape != matrix.shape[:1] or (rows.size and rows.dtype.kind not in "iu"):
            raise InvalidInputError(
                f"counts must be a whole number for each of {wording.plural(len(matrix), 'pattern')}, "
                f"got {rows.dtype} of shape {rows.shape}."
            )
        if (rows < 0).any():
            raise InvalidInputError(f"counts must be at least 0, got {rows.min()}.")
        total: Counter[tuple[int, ...]] = Counter()
        for pattern, count in zip(matrix.tolist(), rows.tolist(), strict=True):
            total[tuple(pattern)] += count
        kept = [pattern for pattern in total if total[pattern]]
        return _sorted(
            np.array(kept, dtype=np.int64).reshape(-1, matrix.shape[1]),
            np.array([total[pattern] for pattern in kept], dtype=np.int64),
        )

    @property
    def models(self) -> int:
        """Models."""
        return int(self.patterns.shape[1])

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.counts.sum())

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Each model's accuracy; 0 where there are no rows."""
        return tuple((self.counts @ self.patterns / max(self.n, 1)).tolist())

    def contingency(self, champion: int, challenger: int) -> Contingency:
        """Take two of the models as champion and challenger, for McNemar's test.

        Raises:
            InvalidInputError: There is no such model.
        """
        for name, at in (("champion", champion), ("challenger", challenger)):
            if not 0 <= at < self.models:
                raise InvalidInputError(f"{name} must be in [0, {self.models - 1}], got {at}.")
        ours, theirs = self.patterns[:, champion] == 1, self.patterns[:, challenger] == 1
        return Contingency(
            both=int(self.counts[ours & theirs].sum()),
            champion_only=int(self.counts[ours & ~theirs].sum()),
            challenger_only=int(self.counts[~ours & theirs].sum()),
            neither=int(self.counts[~ours & ~theirs].sum()),
        )

    def __add__(self, other: CorrectnessPatterns) -> CorrectnessPatterns:
        if self.models != other.models:
            raise InvalidInputError(
                f"Patterns of {self.models} and {other.models} models do not add up.",
                hint="score the same models on every batch.",
            )
        return CorrectnessPatterns.from_counts(
            np.concatenate([self.patterns, other.patterns]), np.concatenate([self.counts, other.counts])
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CorrectnessPatterns):
            return NotImplemented
        return np.array_equal(self.patterns, other.patterns) and np.array_equal(self.counts, other.counts)

    def __hash__(self) -> int:
        return hash((self.patterns.tobytes(), self.counts.tobytes()))

    def to_dict(self) -> dict[str, Any]:
        """Spell the record as plain data."""
        return {"models": self.models, "patterns": self.patterns.tolist(), "counts": self.counts.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CorrectnessPatterns:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is not that.
        """
        if not isinstance(data, dict) or set(data) != {"models", "patterns", "counts"}:
            raise InvalidInputError("CorrectnessPatterns must hold models, patterns, counts.")
        models, patterns, counts = data["models"], data["patterns"], data["counts"]
        if isinstance(models, bool) or not isinstance(models, int) or not all(isinstance(x, int) for x in counts):
            raise InvalidInputError("CorrectnessPatterns.models and .counts must be whole numbers.")
        wide = [pattern for pattern in patterns if not isinstance(pattern, list) or len(pattern) != models]
        if wide:
            raise InvalidInputError(
                f"CorrectnessPatterns.patterns must be lists of {models} of 0 and 1, got {wide[0]!r}."
            )
        return cls.from_counts(np.array(patterns).reshape(len(patterns), models), np.array(counts, dtype=np.int64))


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


def cochran_q(right: CorrectnessPatterns) -> CochranQ:
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
        right: Counts of correctness of at least two models.

    Returns:
        Q with (models - 1) degrees of freedom; 0 and p = 1 where no row tells the models apart. Of two models it is
        McNemar's chi-square without the continuity correction.

    References:
        Cochran (1950), Biometrika 37:256. Tate & Brown (1970), Journal of the American Statistical Association 65:155,
        for the 24 entries. Bhapkar & Somes (1977), Journal of the American Statistical Association 72:658, for equal
        accuracies with unequal disagreement.

    Example:
        >>> media = [[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]]
        >>> test = cochran_q(CorrectnessPatterns.from_counts(media, [4, 2, 3, 1, 59]))
        >>> round(test.statistic, 2), test.degrees_of_freedom, round(test.pvalue, 3)
        (8.05, 3, 0.045)
    """
    k, degrees = right.models, right.models - 1
    by_row = right.patterns.sum(axis=1).tolist()
    by_model = (right.counts @ right.patterns).tolist()
    # In whole numbers of any size: equal models are exactly equal, and squares of a billion rows do not overflow.
    spread = sum(r * (k - r) * count for r, count in zip(by_row, right.counts.tolist(), strict=True))
    if not spread:
        return CochranQ(statistic=0.0, degrees_of_freedom=degrees, pvalue=1.0)
    apart = k * sum(c * c for c in by_model) - sum(by_model) ** 2
    statistic = float(Fraction(degrees * apart, spread))
    return CochranQ(statistic=statistic, degrees_of_freedom=degrees, pvalue=float(special.chdtrc(degrees, statistic)))


def _matrix(values: npt.ArrayLike, what: str) -> Counts:
    matrix = np.asarray(values)
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise InvalidInputError(f"{what} must have a column for each of at least 2 models, got shape {matrix.shape}.")
    if matrix.dtype.kind not in "biuf" or not ((matrix == 0) | (matrix == 1)).all():
        raise InvalidInputError(f"{what} must be booleans, or 0 and 1.")
    return matrix.astype(np.int64)


def _sorted(patterns: Counts, counts: Counts) -> CorrectnessPatterns:
    order = np.lexsort(patterns.T[::-1])
    patterns, counts = patterns[order], counts[order].astype(np.int64)
    patterns.flags.writeable = counts.flags.writeable = False
    return CorrectnessPatterns(patterns=patterns, counts=counts)
