"""Areas under ROC curves from counts of scores in bins, within bounds that are stated; and a test that allows for them.

Pairs that share a bin count as ties. So each area is known to within half of them, and the spread of a difference of
areas to within what the bins hide. The test takes both at their worst: it never says more than the exact one would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from abtest.errors import InvalidInputError, NotApplicableError
from abtest.stats.delong import boolean_column, unit_column
from abtest.stats.placements import Counts, Floats, dot, pairs
from abtest.stats.proportions import Interval, normal_quantile

BINS = 1 << 16  # a power of two, so that finding a score's bin is exact
GROUPS = 1 << 8  # of bins, a side: 65,536 pairs of them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreHistogram:
    """Scores in [0, 1] of both classes, counted in equal bins; merging is ``+``.

    Pairs that share a bin count as ties, so the area is known to within half of them.

    Attributes:
        positives: Positive rows by bin, shape (bins,). Bin i holds scores s with i = ⌊s · bins⌋; the last holds 1 too.
        negatives: Negative rows by bin, shape (bins,).

    Raises:
        InvalidInputError: Counts of different shapes, or no whole numbers from 0.

    Example:
        >>> histogram = ScoreHistogram.of([False, True, False, True], [0.1, 0.4, 0.400001, 0.8])
        >>> histogram.auc, histogram.error_bound
        (0.875, 0.125)
        >>> ScoreHistogram(positives=np.array([1, 4]), negatives=np.array([3, 2])).auc
        0.7
    """

    positives: Counts
    negatives: Counts

    def __post_init__(self) -> None:
        _expect_counts(self.positives, self.negatives, dimensions=1)

    @classmethod
    def of(cls, positive: npt.ArrayLike, scores: npt.ArrayLike, *, bins: int = BINS) -> ScoreHistogram:
        """Count rows.

        Raises:
            InvalidInputError: Scores that are not in [0, 1], or columns of different lengths.
        """
        truth = boolean_column(positive)
        counts = _counted(truth, _bins_of(unit_column(scores, "scores", rows=truth.size), bins), bins)
        return cls(positives=counts[1], negatives=counts[0])

    @property
    def bins(self) -> int:
        """How many they are."""
        return self.positives.size

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        if self.bins != other.bins:
            raise InvalidInputError(f"bins must be alike, got {self.bins} and {other.bins}.")
        return ScoreHistogram(positives=self.positives + other.positives, negatives=self.negatives + other.negatives)

    @property
    def auc(self) -> float:
        """The area with every pair in one bin a tie.

        Raises:
            NotApplicableError: A class has no row.
        """
        return self.won / (2 * self.pairs)

    @property
    def error_bound(self) -> float:
        """How far, at most, ``auc`` is from the exact area: half the share of pairs that fall in one bin.

        Raises:
            NotApplicableError: A class has no row.
        """
        return dot(self.positives, self.negatives) / (2 * self.pairs)

    @property
    def won(self) -> int:
        """Twice the pairs in which the positive's bin is above the negative's, those in one bin once."""
        return dot(self.positives, 2 * np.cumsum(self.negatives) - self.negatives)

    @property
    def pairs(self) -> int:
        """Pairs of a positive and a negative.

        Raises:
            NotApplicableError: There are none.
        """
        return pairs(int(self.positives.sum()), int(self.negatives.sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedDeLong:
    """Two areas from histograms of the same rows, and the test of their difference.

    Attributes:
        champion: The champion's area.
        challenger: The challenger's area.
        effect: Challenger minus champion.
        error_bound: How far, at most, the effect is from the exact one.
        standard_error: Of the exact effect, at most.
        interval: Of the exact effect, within [-1, 1]; it holds DeLong's. None where nothing spreads.
        statistic: z: what the effect surely is, in standard errors.
        pvalue: Two-sided; at least DeLong's.
    """

    champion: float
    challenger: float
    effect: float
    error_bound: float
    standard_error: float
    interval: Interval | None
    statistic: float
    pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointHistogram:
    """Both sides' scores in [0, 1] of the same rows, counted in bins, and together in groups of bins; merging is ``+``.

    Attributes:
        champion: The champion's scores.
        challenger: The challenger's scores.
        positives: Positive rows by the groups of the champion's and the challenger's bins, shape (groups, groups).
        negatives: Negative rows, likewise.

    Raises:
        InvalidInputError: Counts that do not fit each other, or no whole numbers from 0.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.random(10_000) < 0.3
        >>> champion, challenger = (special.expit(rng.normal(truth * shift, 1)) for shift in (1.0, 1.1))
        >>> test = binned_delong([JointHistogram.of(truth, champion, challenger)])
        >>> f"{test.effect:.4f} within {test.error_bound:.5f}, p = {test.pvalue:.3f}"
        '0.0129 within 0.00002, p = 0.078'
    """

    champion: ScoreHistogram
    challenger: ScoreHistogram
    positives: Counts
    negatives: Counts

    def __post_init__(self) -> None:
        _expect_counts(self.positives, self.negatives, dimensions=2)
        groups = min(self.champion.bins, GROUPS)
        if self.champion.bins != self.challenger.bins or self.positives.shape != (groups, groups):
            raise InvalidInputError(
                f"joint counts of {self.champion.bins} and {self.challenger.bins} bins must have shape "
                f"({groups}, {groups}), got {self.positives.shape}."
            )
        for name in ("positives", "negatives"):
            rows = {int(getattr(part, name).sum()) for part in (self, self.champion, self.challenger)}
            if len(rows) > 1:
                raise InvalidInputError(f"joint counts must be of the same rows, got {sorted(rows)} {name}.")

    @classmethod
    def of(
        cls, positive: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike, *, bins: int = BINS
    ) -> JointHistogram:
        """Count rows.

        Raises:
            InvalidInputError: Scores that are not in [0, 1], or columns of different lengths.
        """
        truth = boolean_column(positive)
        first = _bins_of(unit_column(champion, "champion scores", rows=truth.size), bins)
        second = _bins_of(unit_column(challenger, "challenger scores", rows=truth.size), bins)
        group_of, groups = groups_of_bins(bins), min(bins, GROUPS)
        together = _counted(truth, group_of[first] * groups + group_of[second], groups**2)
        one, other = _counted(truth, first, bins), _counted(truth, second, bins)
        return cls(
            champion=ScoreHistogram(positives=one[1], negatives=one[0]),
            challenger=ScoreHistogram(positives=other[1], negatives=other[0]),
            positives=together[1].reshape(groups, groups),
            negatives=together[0].reshape(groups, groups),
        )

    def __add__(self, other: JointHistogram) -> JointHistogram:
        return JointHistogram(
            champion=self.champion + other.champion,
            challenger=self.challenger + other.challenger,
            positives=self.positives + other.positives,
            negatives=self.negatives + other.negatives,
        )

    @property
    def standard_error(self) -> float:
        """The most that DeLong's standard error of the difference of the exact areas can be.

        A row's placement is its group's mean, and what its bin adds to that, and what its place within the bin adds.
        Spreads are lengths of vectors, so that of a sum is at most the sum of theirs.

        Raises:
            NotApplicableError: Fewer than two rows of a class.
        """
        p, q = int(self.positives.sum()), int(self.negatives.sum())
        if min(p, q) < 2:
            raise NotApplicableError(f"DeLong's test needs 2 rows of each class, got {p} positive and {q} negative.")
        known, hidden = 0.0, np.zeros(4)
        for joint, own, rest in (
            (self.positives, "positives", "negatives"),
            (self.negatives, "negatives", "positives"),
        ):
            sides = [(getattr(side, own), getattr(side, rest)) for side in (self.champion, self.challenger)]
            (first, *of_first), (second, *of_second) = (_hidden(*side) for side in sides)
            n = int(joint.sum())
            rows, cells = joint[joint > 0], joint.nonzero()
            apart = second[cells[1]] - first[cells[0]]
            apart = apart - math.fsum(rows * apart) / n  # rounded once: swapped sides differ by no bit
            weight = n * (n - 1)
            known += math.fsum(rows * np.square(apart)) / weight
            hidden += np.array([*of_first, *of_second]) / weight
        return math.sqrt(known) + math.fsum(np.sqrt(hidden))


def binned_delong(classes: list[JointHistogram], *, confidence_level: float = 0.95) -> BinnedDeLong:
    """Test whether two scores have the same area under the ROC curve, or the same average of areas over classes.

    Null:
        The two exact areas, or their averages, are equal.

    Assumes:
        Rows are independent, and many. Bins and the pairing of classes are taken at their worst: the test is
        conservative, the more so the fewer bins the scores spread over.

    Args:
        classes: Of one class against the other; or of each of several against the rest, on the same rows.
        confidence_level: Nominal coverage of the interval.

    Raises:
        InvalidInputError: The level is no level.
        NotApplicableError: No histogram; fewer than two rows of a class; or areas that differ without any spread.

    References:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837, for the exact test. That the spread of a sum is at
        most the sum of spreads is Minkowski's inequality.
    """
    z = normal_quantile(confidence_level)
    if not classes:
        raise NotApplicableError("There are no rows to compare.")
    k = len(classes)
    bound = sum(one.champion.error_bound + one.challenger.error_bound for one in classes) / k
    champion, challenger = (sum(getattr(one, side).auc for one in classes) / k for side in ("champion", "challenger"))
    effect = sum((one.challenger.won - one.champion.won) / (2 * one.champion.pairs) for one in classes) / k
    fewest = min(int(one.positives.sum()) for one in classes)
    error = sum(one.standard_error for one in classes) / k
    if k > 1:
        error *= math.sqrt(fewest / (fewest - 1))  # an average's spread is unbiased within each class
    sure = math.copysign(max(abs(effect) - bound, 0.0), effect) + 0.0
    if sure and not error:
        raise NotApplicableError(
            f"DeLong's test needs ranks that vary, got areas of {champion:g} and {challenger:g} without spread."
        )
    half = bound + z * error
    statistic = sure / error if error else 0.0
    return BinnedDeLong(
        champion=champion,
        challenger=challenger,
        effect=effect,
        error_bound=bound,
        standard_error=error,
        interval=Interval(lower=max(effect - half, -1.0), upper=min(effect + half, 1.0)) if half else None,
        statistic=statistic,
        pvalue=min(1.0, 2 * float(special.ndtr(-abs(statistic)))),
    )


@lru_cache(maxsize=8)
def groups_of_bins(bins: int) -> Counts:
    """Say in which group of the joint counts each bin is.

    Half of the groups are spread evenly over the scores, half over their log-odds: probabilities of rare events crowd
    near 0, and would share a group if all were as wide.

    Example:
        >>> groups_of_bins(65536)[[0, 1, 655, 32768, 65535]]
        array([  0,   5,  40, 128, 255])
    """
    if bins <= GROUPS:
        return np.arange(bins)
    middle = (np.arange(bins) + 0.5) / bins
    odds = special.logit(middle)
    share = middle / 2 + (odds / odds[-1] + 1) / 4
    groups: Counts = np.minimum((share * GROUPS).astype(np.int64), GROUPS - 1)
    return groups


def _hidden(own: Counts, rest: Counts) -> tuple[Floats, float, float]:
    """Means of placements by group; the squares that groups hide of them, and at most those that bins hide."""
    group_of, groups, others = groups_of_bins(own.size), min(own.size, GROUPS), int(rest.sum())
    placements = (np.cumsum(rest) - rest / 2) / others
    rows = np.bincount(group_of, weights=own, minlength=groups)
    means = np.bincount(group_of, weights=own * placements, minlength=groups) / np.maximum(rows, 1)
    by_group = float(own @ np.square(placements - means[group_of]))
    return means, by_group, float(own @ np.square(rest / (2 * others)))


def _bins_of(scores: Floats, bins: int) -> Counts:
    return np.minimum((scores * bins).astype(np.int64), bins - 1)


def _counted(truth: npt.NDArray[np.bool_], cells: Counts, size: int) -> tuple[Counts, Counts]:
    """Count negatives and positives by cell."""
    counts: Counts = np.bincount(cells + size * truth, minlength=2 * size)
    return counts[:size], counts[size:]


def _expect_counts(*counts: Counts, dimensions: int) -> None:
    for one in counts:
        if one.ndim != dimensions or one.shape != counts[0].shape or one.dtype.kind not in "iu":
            told = " and ".join(f"{given.dtype} of shape {given.shape}" for given in counts)
            raise InvalidInputError(f"counts by bin must be whole numbers of one shape, got {told}.")
        if one.size and one.min() < 0:
            raise InvalidInputError(f"counts by bin must be at least 0, got {one.min()}.")
