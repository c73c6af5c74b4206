"""Means and spreads of losses measured on the same rows, mergeable, and the paired t test on them.

Each number is kept as an unevaluated sum of two doubles, and merged in exact fractions: so any cut into batches gives
what the whole gives, but for the rounding inside a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest import wording
from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.proportions import Interval, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from abtest.labels import Side

MOST = 1e140  # the squares of larger losses, added up, could leave the range of doubles
_UNIT = 1074  # bits behind the point of the smallest double
_ROUNDING = 1e-12  # a spread below this share of the losses is what rounding leaves, not a spread


def finite_column(
    values: npt.ArrayLike, what: str, *, rows: int | None = None, most: float = math.inf
) -> npt.NDArray[np.float64]:
    """Read a column of numbers.

    Args:
        values: One a row.
        what: What to call them in a complaint.
        rows: How many there must be.
        most: The largest size allowed.

    Raises:
        InvalidInputError: They are no column of as many finite numbers; with a count and the first row, from 1.
    """
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{what} must be numbers, got {np.asarray(values).dtype}.") from None
    if column.ndim != 1 or (rows is not None and column.size != rows):
        wanted = "one number a row" if rows is None else f"one number for each of {wording.plural(rows, 'row')}"
        raise InvalidInputError(f"{what} must be {wanted}, got shape {column.shape}.")
    wrong = np.flatnonzero(~(np.isfinite(column) & (np.abs(column) <= most)))
    if wrong.size:
        rule = "finite" if most == math.inf else f"finite and at most {most:g} in size"
        raise InvalidInputError(
            f"{what} must be {rule}, got {column[wrong[0]]:g} (first: row {wording.whole(int(wrong[0]) + 1)}; "
            f"{wording.plural(wrong.size, 'row')} in all).",
            hint="drop or mend those rows, for both sides.",
        )
    return column


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and spread of one column.

    Attributes:
        n: Rows.
        mean: Their mean; 0 where there are none.
        squares: Sum of squared deviations from the mean.
        mean_low: What rounding took from ``mean``.
        squares_low: What rounding took from ``squares``.
    """

    n: int
    mean: float
    squares: float
    mean_low: float = 0.0
    squares_low: float = 0.0

    @classmethod
    def of(cls, values: npt.ArrayLike, what: str = "values") -> Moments:
        """Sum a column, in two passes.

        Raises:
            InvalidInputError: A value is not finite, or beyond 1e140.
        """
        return cls._of(finite_column(values, what, most=MOST))

    @classmethod
    def _of(cls, column: npt.NDArray[np.float64]) -> Moments:
        if not column.size:
            return cls(n=0, mean=0.0, squares=0.0)
        about = float(column.mean())
        deviations = column - about
        rest = float(deviations.mean())  # how far the rounded mean is from the mean
        squares = max(float(np.square(deviations).sum()) - column.size * rest * rest, 0.0)
        return cls._near(column.size, about, rest, squares)

    @property
    def variance(self) -> float:
        """The unbiased sample variance; 0 below two rows."""
        return self.squares / (self.n - 1) if self.n > 1 else 0.0

    @property
    def mean_square(self) -> float:
        """Mean of the squared values; 0 where there are none."""
        return self.squares / self.n + self.mean * self.mean if self.n else 0.0

    @classmethod
    def by_group(cls, values: npt.ArrayLike, group: npt.NDArray[np.integer[Any]], groups: int) -> list[Moments]:
        """Sum a column group by group, in two passes over all of them at once.

        Args:
            values: One a row.
            group: Each row's, from 0, shape (rows,).
            groups: How many there are.

        Raises:
            InvalidInputError: A value is not finite, or beyond 1e140.
        """
        column = finite_column(values, "values", rows=group.size, most=MOST)
        counts = np.bincount(group, minlength=groups)
        n = np.maximum(counts, 1)
        about = np.bincount(group, weights=column, minlength=groups) / n
        deviations = column - about[group]
        rest = np.bincount(group, weights=deviations, minlength=groups) / n
        squares = np.bincount(group, weights=np.square(deviations), minlength=groups) - n * rest * rest
        return [
            cls._near(*one)
            for one in zip(
                counts.tolist(), about.tolist(), rest.tolist(), np.maximum(squares, 0.0).tolist(), strict=True
            )
        ]

    @classmethod
    def _near(cls, n: int, about: float, rest: float, squares: float) -> Moments:
        mean, mean_low = _split(Fraction(about) + Fraction(rest))
        return cls(n=n, mean=mean, squares=squares, mean_low=mean_low)

    def scaled(self, power: int) -> Moments:
        """The moments of the column times 2^power, exactly."""
        once, twice = 2.0**power, 4.0**power
        return Moments(
            n=self.n,
            mean=self.mean * once,
            squares=self.squares * twice,
            mean_low=self.mean_low * once,
            squares_low=self.squares_low * twice,
        )

    def negated(self) -> Moments:
        """The moments of the column with its signs changed."""
        return replace(self, mean=0.0 - self.mean, mean_low=0.0 - self.mean_low)

    def __add__(self, other: Moments) -> Moments:
        n = self.n + other.n
        if not (self.n and other.n):
            return self if self.n else other
        ours, theirs = (Fraction(side.mean) + Fraction(side.mean_low) for side in (self, other))
        gap = theirs - ours
        squares = sum(
            (Fraction(x) for x in (self.squares, self.squares_low, other.squares, other.squares_low)), gap * 0
        )
        mean, mean_low = _split((self.n * ours + other.n * theirs) / n)
        total, low = _split(
            squares + gap * gap * self.n * other.n / n
        )  # Chan, Golub & LeVeque (1983), Am. Stat. 37:242
        return Moments(n=n, mean=mean, squares=total, mean_low=mean_low, squares_low=low)

    @classmethod
    def sum(cls, parts: Iterable[Moments]) -> Moments:
        """Add up any number at once: exactly, and rounded once, so that no order of them matters.

        Example:
            >>> Moments.sum([Moments.of([1.0, 2.0]), Moments.of([6.0]), Moments.of([])])
            Moments(n=3, mean=3.0, squares=14.0, mean_low=0.0, squares_low=0.0)
        """
        n = total = squares = 0  # of values in units of 2^-1074, of which each double is a whole number
        for part in parts:
            mean = _units(part.mean) + _units(part.mean_low)
            n += part.n
            total += part.n * mean
            squares += part.n * mean * mean + ((_units(part.squares) + _units(part.squares_low)) << _UNIT)
        if not n:
            return cls(n=0, mean=0.0, squares=0.0)
        mean_high, mean_low = _split(Fraction(total, n << _UNIT))
        high, low = _split(Fraction(squares * n - total * total, n << 2 * _UNIT))
        return cls(n=n, mean=mean_high, squares=high, mean_low=mean_low, squares_low=low)

    def to_dict(self) -> dict[str, Any]:
        """Spell the moments as plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Moments:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is not that.
        """
        names = _expect(cls, data)
        for name, number in data.items():
            kind = int if name == "n" else (int, float)
            if isinstance(number, bool) or not isinstance(number, kind) or not math.isfinite(number):
                raise InvalidInputError(f"Moments.{name} must be a finite number, got {number!r}.")
        if data["n"] < 0 or data["squares"] < 0:
            raise InvalidInputError(
                f"Moments must have no negative count or sum, got n {data['n']}, squares {data['squares']}."
            )
        return cls(n=data["n"], **{name: float(data[name]) for name in names[1:]})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedMoments:
    """Moments of two columns on the same rows; merging is ``+``.

    The difference has moments of its own: taken from the two sides' sums, the spread of a small difference between
    similar losses would be lost to rounding.

    Attributes:
        champion: The champion's column.
        challenger: The challenger's column.
        difference: Challenger minus champion, row by row.

    Example:
        >>> merged = PairedMoments.of([1.0, 2.0], [0.5, 2.5]) + PairedMoments.of([6.0], [3.0])
        >>> merged.champion.mean, merged.challenger.mean, merged.effect, merged.cross
        (3.0, 2.0, -1.0, 5.5)
    """

    champion: Moments
    challenger: Moments
    difference: Moments

    @classmethod
    def of(cls, champion: npt.ArrayLike, challenger: npt.ArrayLike, what: str = "values") -> PairedMoments:
        """Sum two columns of equal length.

        Raises:
            InvalidInputError: Their lengths differ, or a value is not finite or beyond 1e140.
        """
        first = finite_column(champion, f"champion {what}", most=MOST)
        second = finite_column(challenger, f"challenger {what}", rows=first.size, most=MOST)
        columns = {"champion": first, "challenger": second, "difference": second - first}
        return cls(**{name: Moments._of(column) for name, column in columns.items()})  # noqa: SLF001 - checked already

    @classmethod
    def by_group(
        cls, champion: npt.ArrayLike, challenger: npt.ArrayLike, group: npt.NDArray[np.integer[Any]], groups: int
    ) -> list[PairedMoments]:
        """Sum two columns of equal length group by group, each row's from 0.

        Raises:
            InvalidInputError: Their lengths differ, or a value is not finite or beyond 1e140.

        Example:
            >>> one, other = PairedMoments.by_group([1.0, 2.0, 6.0], [0.5, 2.5, 3.0], np.array([0, 0, 1]), 2)
            >>> one == PairedMoments.of([1.0, 2.0], [0.5, 2.5]), other.effect
            (True, -3.0)
        """
        first = finite_column(champion, "champion values", rows=group.size, most=MOST)
        second = finite_column(challenger, "challenger values", rows=group.size, most=MOST)
        columns = [Moments.by_group(column, group, groups) for column in (first, second, second - first)]
        return [cls(champion=a, challenger=b, difference=d) for a, b, d in zip(*columns, strict=True)]

    @property
    def n(self) -> int:
        """Rows."""
        return self.difference.n

    @property
    def effect(self) -> float:
        """The challenger's mean minus the champion's."""
        return self.difference.mean

    @property
    def cross(self) -> float:
        """Sum of the products of the two sides' deviations from their means."""
        return (self.champion.squares + self.challenger.squares - self.difference.squares) / 2

    def side(self, side: Side) -> Moments:
        """One side's moments."""
        return self.champion if side == "champion" else self.challenger

    def scaled(self, power: int) -> PairedMoments:
        """The moments of both columns times 2^power, exactly."""
        return PairedMoments(
            champion=self.champion.scaled(power),
            challenger=self.challenger.scaled(power),
            difference=self.difference.scaled(power),
        )

    def swapped(self) -> PairedMoments:
        """Let the sides change places."""
        return PairedMoments(champion=self.challenger, challenger=self.champion, difference=self.difference.negated())

    def alone(self, side: Side) -> PairedMoments:
        """Let one side be both: they never differ."""
        own = self.side(side)
        return PairedMoments(champion=own, challenger=own, difference=Moments(n=own.n, mean=0.0, squares=0.0))

    def __add__(self, other: PairedMoments) -> PairedMoments:
        return PairedMoments(
            champion=self.champion + other.champion,
            challenger=self.challenger + other.challenger,
            difference=self.difference + other.difference,
        )

    def to_dict(self) -> dict[str, Any]:
        """Spell the moments as plain data."""
        return {field.name: getattr(self, field.name).to_dict() for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PairedMoments:
        """Read what ``to_dict`` wrote.

        Raises:
            InvalidInputError: It is not that, or the sides count different rows.
        """
        parts = {name: Moments.from_dict(data[name]) for name in _expect(cls, data)}
        if len({part.n for part in parts.values()}) > 1:
            raise InvalidInputError(f"paired moments must count the same rows, got {[p.n for p in parts.values()]}.")
        return cls(**parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedT:
    """What the paired t test says.

    Attributes:
        effect: The challenger's mean minus the champion's.
        standard_error: Of the effect; 0 where the differences do not spread.
        statistic: Student's t; 0 where the sides do not differ.
        pvalue: Two-sided.
        interval: Of the effect; None where it is not estimable.
    """

    effect: float
    standard_error: float
    statistic: float
    pvalue: float
    interval: Interval | None


def paired_t(moments: PairedMoments, *, confidence_level: float = 0.95) -> PairedT:
    """Test whether two columns measured on the same rows have the same mean.

    Null:
        The mean difference is zero.

    Assumes:
        Rows are independent, and enough of them for a mean to be normal; more where losses have long tails.

    Args:
        moments: Of the two columns.
        confidence_level: Nominal coverage of the interval.

    Raises:
        InvalidInputError: The level is no level.
        NotApplicableError: There are no rows, or every row differs by the same amount and that is not 0.

    References:
        Student (1908), Biometrika 6:1.

    Example:
        >>> test = paired_t(PairedMoments.of([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 4.0, 4.5]))
        >>> test.effect, round(test.statistic, 4), round(test.pvalue, 4)
        (0.5, 2.4495, 0.0917)
    """
    normal_quantile(confidence_level)  # refuses what is no level
    if not moments.n:
        raise NotApplicableError("There are no rows to compare.")
    if not has_spread(moments):
        if abs(moments.effect) > _rounding(moments):
            raise NotApplicableError(
                f"The paired t test needs differences that vary, got {moments.effect:g} in "
                + ("every row." if moments.n > 1 else "the only row.")
            )
        return PairedT(effect=moments.effect, standard_error=0.0, statistic=0.0, pvalue=1.0, interval=None)
    error = math.sqrt(moments.difference.variance / moments.n)
    statistic = moments.effect / error
    half = student_quantile(moments.n - 1, confidence_level) * error
    return PairedT(
        effect=moments.effect,
        standard_error=error,
        statistic=statistic,
        pvalue=min(1.0, 2 * float(special.stdtr(moments.n - 1, -abs(statistic)))),
        interval=Interval(lower=moments.effect - half, upper=moments.effect + half),
    )


def has_spread(moments: PairedMoments) -> bool:
    """Whether the differences vary by more than rounding."""
    return moments.n > 1 and math.sqrt(moments.difference.squares / moments.n) > _rounding(moments)


def student_quantile(degrees: int, confidence_level: float) -> float:
    """Find the t with P(-t <= T <= t) = ``confidence_level`` for Student's T with so many degrees of freedom."""
    return -float(special.stdtrit(degrees, (1 - confidence_level) / 2))


def _rounding(moments: PairedMoments) -> float:
    return _ROUNDING * math.sqrt(max(moments.champion.mean_square, moments.challenger.mean_square))


def _units(number: float) -> int:
    """Spell a double as a whole number of the smallest one."""
    numerator, power = number.as_integer_ratio()
    return numerator << (_UNIT + 1 - power.bit_length())


def _split(exactly: Fraction) -> tuple[float, float]:
    """Spell a fraction as the nearest double and the double nearest to what that leaves."""
    high = float(exactly)
    return high, float(exactly - Fraction(high))


def _expect(cls: type[Moments | PairedMoments], data: object) -> list[str]:
    names = [field.name for field in fields(cls)]
    if not isinstance(data, dict) or set(data) != set(names):
        raise InvalidInputError(f"{cls.__name__} must hold {', '.join(names)}.")
    return names
