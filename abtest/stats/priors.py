"""Class priors: whether training and test data mix the classes alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from abtest.errors import NotApplicableError
from abtest.labels import Label, label_order

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassShare:
    """One class's share of the training rows and of the test rows."""

    label: Label
    train: float
    test: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorShift:
    """How differently the classes are mixed.

    Attributes:
        shares: By class, in the order of the labels.
        statistic: Pearson's chi-square.
        pvalue: Of equal mixes.
        total_variation: Half the sum of the absolute differences of shares: 0 for equal mixes, 1 for disjoint classes.
    """

    shares: tuple[ClassShare, ...]
    statistic: float
    pvalue: float
    total_variation: float


def prior_shift(train: Mapping[Label, int], test: Mapping[Label, int]) -> PriorShift:
    """Test whether training and test data mix the classes alike.

    Null:
        Both are draws from one distribution of classes.

    Assumes:
        Rows are independent, and about five of each class are expected on either side. Of many rows it rejects for a
        shift that does not matter, so read the total variation with it.

    Args:
        train: Training rows by class.
        test: Test rows by class.

    Returns:
        The shares, Pearson's chi-square with (classes - 1) degrees of freedom (0 and p = 1 for a single class), and
        the total-variation distance.

    Raises:
        NotApplicableError: A side has no labelled rows.

    References:
        Pearson (1900), Philosophical Magazine 50:157.

    Example:
        >>> shift = prior_shift({"a": 10, "b": 10, "c": 20}, {"a": 20, "b": 20, "c": 20})
        >>> round(shift.statistic, 4), round(shift.pvalue, 4), round(shift.total_variation, 4)
        (2.7778, 0.2494, 0.1667)
    """
    labels = sorted({label for side in (train, test) for label, n in side.items() if n}, key=label_order)
    counts = np.array([[side.get(label, 0) for label in labels] for side in (train, test)], dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    if not totals.all():
        what = "test" if totals[0, 0] else "training"
        raise NotApplicableError(f"There are no labelled {what} rows to compare the classes of.")
    shares = counts / totals
    expected = totals * counts.sum(axis=0) / totals.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return PriorShift(
        shares=tuple(
            ClassShare(label=label, train=ours, test=theirs)
            for label, ours, theirs in zip(labels, *shares.tolist(), strict=True)
        ),
        statistic=statistic,
        pvalue=float(special.chdtrc(len(labels) - 1, statistic)) if len(labels) > 1 else 1.0,
        total_variation=min(1.0, float(np.abs(shares[0] - shares[1]).sum()) / 2),
    )
