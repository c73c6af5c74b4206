"""Confusion matrices and mistakes, laid out: of the same rows counts can be compared, of two arms only shares."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from abtest import wording
from abtest.errors import NotApplicableError
from abtest.reporter.summary import Tone, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Label
    from abtest.outcomes import PairedOutcomes
    from abtest.record import ComparisonRecord

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MOST_MISTAKES = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrices:
    """Both confusion matrices over ``labels``, truth by row, and what tells them apart.

    Attributes:
        labels: As they are shown.
        champion: Rows in each cell.
        challenger: Likewise.
        champion_shares: The same as shares of all rows of that truth.
        challenger_shares: Likewise.
        paired: Whether both sides were asked about the same rows; of two arms, only shares can be compared.
        difference: Challenger − champion, in rows; of two arms, of the shares, in points.
        depth: Its size in each cell, as a share of the largest.
        gains: Cells where the difference is for the better: more on the diagonal, fewer off it.
        losses: Cells where it is for the worse.
    """

    labels: tuple[str, ...]
    champion: Ints
    challenger: Ints
    champion_shares: Floats
    challenger_shares: Floats
    paired: bool
    difference: Floats
    depth: Floats
    gains: Bools
    losses: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Rows of one class taken for another, by each side.

    Attributes:
        truth: The class, as it is shown.
        predicted: What it was taken for.
        champion: How many rows, by the champion.
        challenger: By the challenger.
        n: Rows of that truth; of two arms, of the champion's.
        n_challenger: Of the challenger's; None where both were asked about the same rows.
    """

    truth: str
    predicted: str
    champion: int
    challenger: int
    n: int
    n_challenger: int | None = None

    @property
    def rates(self) -> tuple[float, float]:
        """The same as shares of the rows of that truth."""
        rows = self.n if self.n_challenger is None else self.n_challenger
        return self.champion / max(1, self.n), self.challenger / max(1, rows)

    @property
    def texts(self) -> tuple[str, str]:
        """How many, by either side, as it is written: of two arms with their shares, which alone can be compared."""
        counts = self.champion, self.challenger
        if self.n_challenger is None:
            return wording.whole(counts[0]), wording.whole(counts[1])
        written = [f"{wording.whole(n)} ({wording.percent(rate)})" for n, rate in zip(counts, self.rates, strict=True)]
        return written[0], written[1]

    @property
    def change(self) -> str:
        """Challenger − champion, as it is written: in rows, or of two arms in points."""
        if self.n_challenger is None:
            return wording.signed(self.challenger - self.champion, 0)
        return wording.points(self.rates[1] - self.rates[0])

    @property
    def of(self) -> str:
        """Rows of that truth, as they are written."""
        of_challenger = "" if self.n_challenger is None else f" and {wording.whole(self.n_challenger)}"
        return wording.whole(self.n) + of_challenger

    @property
    def tone(self) -> Tone:
        """Fewer mistakes are better."""
        champion, challenger = self.rates
        if champion == challenger:
            return "same"
        return "better" if challenger < champion else "worse"


def matrices(record: ComparisonRecord) -> Matrices:
    """Lay out both confusion matrices; with hundreds of classes they are large.

    Raises:
        NotApplicableError: It is a regression, or there are too many classes.
    """
    labels, champion, challenger = _tables(record)
    paired, shares = record.outcomes is not None, (_shares(champion), _shares(challenger))
    difference = (challenger - champion).astype(np.float64) if paired else 100 * (shares[1] - shares[0])
    signed = np.where(np.eye(len(champion), dtype=np.bool_), difference, -difference)
    return Matrices(
        labels=tuple(shown(label) for label in labels),
        champion=champion,
        challenger=challenger,
        champion_shares=shares[0],
        challenger_shares=shares[1],
        paired=paired,
        difference=difference,
        depth=np.abs(difference) / max(1.0, float(np.abs(difference).max())),
        gains=signed > 0,
        losses=signed < 0,
    )


def mistakes(record: ComparisonRecord) -> list[Mistake]:
    """List every pair of truth and wrong prediction, the most frequent first; none of a regression."""
    if record.outcomes is None and record.confusion is None:
        return []
    counted = _paired_mistakes(record.outcomes) if record.outcomes is not None else _mistakes_of_arms(record)
    return sorted(counted, key=lambda it: (-max(it.champion, it.challenger), -abs(it.champion - it.challenger)))


def _paired_mistakes(outcomes: PairedOutcomes) -> list[Mistake]:
    by_champion: Counter[tuple[int, int]] = Counter()
    by_challenger: Counter[tuple[int, int]] = Counter()
    for truth, champion, challenger, count in outcomes.cells.tolist():
        by_champion[truth, champion] += count
        by_challenger[truth, challenger] += count
    labels, support = outcomes.labels, outcomes.truth_support.tolist()
    return [
        Mistake(
            truth=shown(labels[pair[0]]),
            predicted=shown(labels[pair[1]]),
            champion=by_champion[pair],
            challenger=by_challenger[pair],
            n=support[pair[0]],
        )
        for pair in sorted({*by_champion, *by_challenger})
        if pair[0] != pair[1]
    ]


def _mistakes_of_arms(record: ComparisonRecord) -> list[Mistake]:
    labels, champion, challenger = _tables(record)
    names, rows = [shown(label) for label in labels], [champion.sum(axis=1).tolist(), challenger.sum(axis=1).tolist()]
    return [
        Mistake(
            truth=names[i],
            predicted=names[j],
            champion=int(champion[i, j]),
            challenger=int(challenger[i, j]),
            n=rows[0][i],
            n_challenger=rows[1][i],
        )
        for i, j in np.argwhere(champion + challenger).tolist()
        if i != j
    ]


def _tables(record: ComparisonRecord) -> tuple[Sequence[Label], Ints, Ints]:
    """Labels, and both confusion matrices: of the same rows, or of two arms."""
    outcomes, confusion = record.outcomes, record.confusion
    if outcomes is not None:
        return outcomes.labels, outcomes.confusion("champion"), outcomes.confusion("challenger")
    if confusion is None:
        raise NotApplicableError("There are no confusion matrices of a regression, nor of very many classes.")
    champion, challenger = np.array(confusion.champion, dtype=np.int64), np.array(confusion.challenger, dtype=np.int64)
    return confusion.labels, champion, challenger


def _shares(counts: Ints) -> Floats:
    """Counts as shares of all rows of that truth."""
    shares: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares
