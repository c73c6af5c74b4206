"""The hold-out and the folds: every row once, units whole, classes in their shares, the same again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.training.data import Rows
from abtest.training.recipe import Recipe
from abtest.training.splitting import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Task


def rows_of(truth: Sequence[Any], units: Sequence[int] | None = None, task: Task = "classification") -> Rows:
    """Rows of which nothing but truth and units is known."""
    return Rows(
        name="rows",
        digest="0",
        frame=pd.DataFrame({"y": truth}),
        features={},
        truth=np.asarray(truth),
        units=None if units is None else np.asarray(units),
        task=task,
        unlabelled=0,
        notices=(),
    )


@given(
    st.lists(st.integers(0, 2), min_size=30, max_size=80),
    st.sampled_from([None, 12, 25]),
    st.sampled_from([0.1, 0.25, 0.5]),
    st.integers(2, 4),
    st.integers(0, 3),
)
def test_every_row_once(truth: list[int], units: int | None, holdout: float, folds: int, seed: int) -> None:
    """Rows are trained on or held out, each training row is tested on in one fold, and no unit is on both sides."""
    assume(len(set(truth)) > 1)
    owner = None if units is None else [i * 7 % units for i in range(len(truth))]
    rows = rows_of(truth, owner)
    recipe = Recipe(
        target="y", models=("Baseline",), unit="u" if owner else None, holdout=holdout, folds=folds, seed=seed
    )
    try:
        found = split(rows, recipe)
    except InvalidInputError as error:
        if "two classes" not in str(error):
            raise
        assume(False)  # noqa: FBT003 - all rows of all but one class may be held out
    assert sorted([*found.train, *found.holdout]) == list(range(len(truth)))
    parts = [(len(tested), len(fitted)) for fitted, tested in found.folds]
    assert found.test_over_train == pytest.approx(sum(n / m for n, m in parts) / folds)
    assert found.test_over_train >= 1 / (folds - 1) - 1e-12  # as large as that of equal folds, or larger
    assert sorted(np.concatenate([test for _, test in found.folds])) == list(range(len(found.train)))
    for train, test in found.folds:
        assert sorted([*train, *test]) == list(range(len(found.train)))
    again = split(rows, recipe)
    assert again.holdout.tolist() == found.holdout.tolist()
    assert all(a[1].tolist() == b[1].tolist() for a, b in zip(again.folds, found.folds, strict=True))
    if rows.units is not None:
        assert not set(rows.units[found.train]) & set(rows.units[found.holdout])
        of_train = rows.units[found.train]
        assert not any(set(of_train[train]) & set(of_train[test]) for train, test in found.folds)


def test_classes_keep_their_shares() -> None:
    """Hold-out and folds have each class's share, to a row."""
    rows = rows_of([0] * 80 + [1] * 20)
    found = split(rows, Recipe(target="y", models=("Baseline",), folds=4))
    assert (rows.truth[found.holdout].sum(), len(found.holdout)) == (4, 20)
    assert [int(rows.truth[found.train][test].sum()) for _, test in found.folds] == [4, 4, 4, 4]
    assert found.notices == ()


@pytest.mark.parametrize("units", [None, 20])
def test_rare_classes(units: int | None) -> None:
    """A class too rare for every fold is told, and folds are drawn without regard to classes."""
    truth = ["common"] * 97 + ["rare"] * 3
    owner = None if units is None else [i % units for i in range(100)]
    found = split(rows_of(truth, owner), Recipe(target="y", models=("Baseline",), unit="u" if owner else None))
    (said,) = found.notices
    assert said.startswith("Folds are drawn without regard to classes: 'rare' has ")
    single = split(rows_of(["common"] * 99 + ["rare"]), Recipe(target="y", models=("Baseline",), drop=(), seed=3))
    assert single.notices[0].startswith("The hold-out is drawn without regard to classes: 'rare' has 1 row, ")


@pytest.mark.parametrize(
    ("truth", "units", "task", "told"),
    [
        (
            [0, 1, 0, 1, 0],
            None,
            "classification",
            "folds must be at most the 4 rows trained on, got 5. Hint: folds = 4",
        ),
        ([0.5, 1.5], None, "regression", "folds must be at most the 1 row trained on, got 5. Hint: add rows."),
        ([0.5], None, "regression", "holdout needs two rows, got 1."),
        ([0, 1] * 20, [0] * 40, "classification", "unit 'u' must part rows into two units, got 1."),
        ([0, 1] * 20, [0, 0, 1, 1] * 10, "classification", "folds must be at most the 1 unit trained on, got 5."),
        ([0] * 30 + [1] * 10, [*range(3)] * 10 + [3] * 10, "classification", "must have two classes among the 30 rows"),
    ],
)
def test_too_few(truth: list[Any], units: list[int] | None, task: Task, told: str) -> None:
    """Fewer rows, units or classes than folds and hold-out need are refused, with what there is."""
    seeds = range(20) if "two classes" in told else [0]
    recipes = [Recipe(target="y", models=("Baseline",), unit="u" if units else None, seed=seed) for seed in seeds]
    said = []
    for recipe in recipes:
        try:
            split(rows_of(truth, units, task), recipe)
        except InvalidInputError as error:
            said.append(str(error))
    assert any(told in each for each in said), said
