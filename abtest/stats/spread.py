"""How much more than independent rows a window's days (or hours) vary: rows of one day share their luck."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How rows come in clusters.

    Attributes:
        effect: The variance of an estimate, as a multiple of what it would be of independent rows; at least 1.
        degrees: Of freedom with which it is known; infinite where rows are taken to be independent.
        size: Rows that share their luck with a row, itself among them, on average.
    """

    effect: float = 1.0
    degrees: float = np.inf
    size: float = 1.0

    def lent(self, size: float | None = None) -> Design:
        """What to expect where clusters are of another size: rows of one are as like each other as here."""
        if size is None or self.size <= 1:
            return self
        return replace(self, effect=1 + (self.effect - 1) * (max(size, 1.0) - 1) / (self.size - 1), size=size)


def clustered(influence: Floats, rows: Floats, variance: float) -> Design:
    """Compare how clusters vary with how independent rows would.

    Null:
        None: an estimate.

    Assumes:
        Clusters are independent. Few of them tell little of their spread, and unequal ones less: hence the degrees of
        freedom, and an effect that is never below 1.

    Args:
        influence: What each cluster's rows add to the estimate together, shape (clusters,); these sum to 0.
        rows: Of each cluster, shape (clusters,).
        variance: Of the estimate, were rows independent.

    References:
        Bell & McCaffrey (2002), Survey Methodology 28:169, for dividing by what a cluster leaves to the others. Kish
        (1965), Survey Sampling, for the design effect. Carter, Schnepel & Steigerwald (2017), Review of Economics and
        Statistics 99:698, for how many clusters unequal ones are worth.

    Example:
        >>> clustered(np.array([0.5, -0.5]), np.array([100.0, 100.0]), 0.25)
        Design(effect=4.0, degrees=1.0, size=100.0)
    """
    found = cluster_variance(influence, rows)
    return Design(
        effect=max(1.0, found / variance) if variance > 0 else 1.0,
        degrees=cluster_degrees(rows),
        size=mean_size(rows),
    )


def day_to_day(hits: Floats, rows: Floats) -> Design:
    """Compare how a share differs from one day to the next with how it would of independent rows.

    Where the share changes for good, one difference has that in it, and the others have not: unlike the spread about
    the mean of all days.

    Null:
        None: an estimate.

    Assumes:
        Days are independent.

    Args:
        hits: Rows of each day that the share is of, in order; shape (days,). Of fewer than two nothing is told.
        rows: All rows of each day, likewise.

    References:
        von Neumann (1941), Annals of Mathematical Statistics 12:367, for successive differences, of which three tell as
        much as two about a known mean.

    Example:
        >>> round(day_to_day(np.array([10.0, 20.0, 10.0, 20.0]), np.full(4, 100.0)).effect, 2)
        3.92
    """
    share = hits.sum() / rows.sum()
    apart, size = np.diff(hits / rows), 2 / (1 / rows[1:] + 1 / rows[:-1])
    spread = share * (1 - share)
    # Larger days weigh more, as they do in the size that rows of one day are alike for.
    effect = float((np.square(apart * size) / 2).sum() / spread / size.sum()) if spread > 0 and size.size else 1.0
    return Design(effect=max(1.0, effect), degrees=max(1.0, cluster_degrees(rows) * 2 / 3), size=mean_size(rows))


def cluster_variance(influence: Floats, rows: Floats) -> float:
    """The variance of an estimate, of independent clusters; exact in expectation where rows are independent too."""
    return float((np.square(influence) / (1 - rows / rows.sum())).sum())


def cluster_degrees(rows: Floats) -> float:
    """As many clusters as these are worth where what a cluster's rows share is all that varies, less one."""
    squares = np.square(rows / rows.max())
    return max(1.0, float(squares.sum() ** 2 / np.square(squares).sum() - 1))


def mean_size(rows: Floats) -> float:
    """Rows in the cluster of a row, on average."""
    return float(np.square(rows).sum() / rows.sum())
