"""Rows held out, and folds of the rest: seeded, parted between units, and with each class's share where that can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.training.data import Rows
from abtest.training.recipe import Recipe

Index: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Which rows are what.

    Attributes:
        train: Rows that are trained on, in the data's order.
        holdout: Rows that are held out, likewise.
        folds: Of the cross-validation: which of ``train`` are trained on, and which tested on, by their place in it.
        notices: Where classes do not keep their shares.
    """

    train: Index
    holdout: Index
    folds: tuple[tuple[Index, Index], ...]
    notices: tuple[str, ...]

    @property
    def test_over_train(self) -> float:
        """Rows tested on over rows trained on, in the mean over folds: 1 / (k − 1) of k equal ones, else more."""
        return float(np.mean([len(test) / len(train) for train, test in self.folds]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest:
    """What all candidates share.

    Attributes:
        recipe: What is trained, and how.
        rows: All rows.
        split: Which of them are what.
        metric: What ranks.
    """

    recipe: Recipe
    rows: Rows
    split: Split
    metric: str

    @property
    def classes(self) -> tuple[Any, ...]:
        """All classes, sorted; none of a regression."""
        return tuple(np.unique(self.rows.truth).tolist()) if self.rows.task == "classification" else ()

    def features(self, those: Index) -> pd.DataFrame:
        """The features of some rows, which is what models are given."""
        return self.rows.frame[list(self.rows.features)].iloc[those]


def split(rows: Rows, recipe: Recipe) -> Split:
    """Hold rows out, and fold the rest.

    Raises:
        InvalidInputError: There are too few rows, units or classes for that.
    """
    train, holdout, said = _held_out(rows, recipe)
    if not (train.size and holdout.size):
        raise InvalidInputError(
            f"holdout must leave rows to train on, got {recipe.holdout:g} of {wording.plural(len(rows.truth), 'row')}."
        )
    if rows.task == "classification" and len(np.unique(rows.truth[train])) < 2:
        raise InvalidInputError(
            f"Target '{recipe.target}' must have two classes among the {wording.plural(train.size, 'row')} that are "
            "trained on, got one.",
            hint="add rows of the rare class.",
        )
    folds, told = _folds(rows, train, recipe)
    return Split(train=train, holdout=holdout, folds=folds, notices=(*said, *told))


def in_both(contest: Contest) -> tuple[str, ...]:
    """Tell of rows held out that, as other rows of the data, are trained on as well."""
    rows, parts = contest.rows, contest.split
    whole = contest.features(np.arange(len(rows.truth))).assign(**{contest.recipe.target: rows.truth})
    known = pd.util.hash_pandas_object(whole, index=False).to_numpy()
    n = int(np.isin(known[parts.holdout], known[parts.train]).sum())
    there = f"{wording.plural(n, 'row')} of the {wording.whole(len(parts.holdout))} held out"
    said = f"{there} {'is' if n == 1 else 'are'} also among those trained on, label and all, as rows that repeat."
    return (said,) if n else ()


def _held_out(rows: Rows, recipe: Recipe) -> tuple[Index, Index, tuple[str, ...]]:
    from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit  # noqa: PLC0415 - slow to import

    how = {"n_splits": 1, "test_size": recipe.holdout, "random_state": recipe.seed}
    said: tuple[str, ...] = ()
    y = rows.truth
    if rows.units is not None:
        if (units := len(np.unique(rows.units))) < 2:
            raise InvalidInputError(f"unit '{recipe.unit}' must part rows into two units, got {units}.")
        parts = GroupShuffleSplit(**how).split(y, y, rows.units)
    elif rows.task == "classification" and not (said := _too_rare(rows, recipe)):
        parts = StratifiedShuffleSplit(**how).split(y, y)
    elif len(y) < 2:
        raise InvalidInputError(f"holdout needs two rows, got {len(y)}.")
    else:
        parts = ShuffleSplit(**how).split(y)
    train, holdout = next(parts)
    return np.sort(train), np.sort(holdout), said


def _too_rare(rows: Rows, recipe: Recipe) -> tuple[str, ...]:
    """Say that the hold-out cannot keep the classes' shares, where it cannot."""
    label, n, classes = _rarest(rows.truth)
    held = int(np.ceil(recipe.holdout * len(rows.truth)))
    if n >= 2 and min(held, len(rows.truth) - held) >= classes:
        return ()
    said = (
        f"The hold-out is drawn without regard to classes: {label!r} has {wording.plural(n, 'row')}, and "
        f"{wording.plural(classes, 'class', 'classes')} would share the {wording.plural(held, 'row')} held out."
    )
    return (said,)


def _folds(rows: Rows, train: Index, recipe: Recipe) -> tuple[tuple[tuple[Index, Index], ...], tuple[str, ...]]:
    from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold  # noqa: PLC0415 - slow to import

    y, units = rows.truth[train], None if rows.units is None else rows.units[train]
    what, there = ("row", len(y)) if units is None else ("unit", len(np.unique(units)))
    if there < recipe.folds:
        raise InvalidInputError(
            f"folds must be at most the {wording.plural(there, what)} trained on, got {recipe.folds}.",
            hint=f"folds = {max(there, 2)}, or more rows." if there > 1 else "add rows.",
        )
    how = {"n_splits": recipe.folds, "shuffle": True, "random_state": recipe.seed}
    said = []
    if rows.task == "classification":
        label, n, _ = _rarest(y)
        if n >= recipe.folds:
            kind = StratifiedKFold if units is None else StratifiedGroupKFold
            return _plain(kind(**how).split(y, y, units)), ()
        why = f"{label!r} has {wording.plural(n, 'row')} to train on, fewer than {recipe.folds} folds"
        said = [f"Folds are drawn without regard to classes: {why}."]
    if units is None:
        return _plain(KFold(**how).split(y)), tuple(said)
    named = np.unique(units)
    parts = (tuple(np.isin(units, named[part]) for part in both) for both in KFold(**how).split(named))
    return _plain((np.flatnonzero(first), np.flatnonzero(second)) for first, second in parts), tuple(said)


def _plain(folds: Any) -> tuple[tuple[Index, Index], ...]:  # noqa: ANN401 - whatever yields pairs of indexes
    return tuple((train.astype(np.int64), test.astype(np.int64)) for train, test in folds)


def _rarest(truth: npt.NDArray[Any]) -> tuple[Any, int, int]:
    """The rarest class, its rows, and how many classes there are."""
    classes, counts = np.unique(truth, return_counts=True)
    at = int(counts.argmin())
    return classes[at : at + 1].tolist()[0], int(counts[at]), len(classes)
