"""Segments mean the same in every file: values are taken as they are."""

from __future__ import annotations

import pandas as pd
import pytest

from abtest.errors import InvalidInputError
from abtest.loaders.datasets import open_data
from abtest.monitoring.apart import MOST_VALUES, Apart


def told(frame: pd.DataFrame, *names: str, batch: int = 2) -> dict[str, list[str]]:
    """The value of each row under each segmentation, read in small batches."""
    data = open_data(frame)
    apart = Apart(data, names, None)
    found: dict[str, list[str]] = {name: [] for name in names}
    for part in data.batches(list(apart.columns), {}, rows=batch):
        for name, codes in apart.codes(part).items():
            values = [*apart.groups[name]]
            found[name] += [values[code] for code in codes]
    return found


def test_values_are_as_they_are() -> None:
    """Text, whole numbers, booleans and what is missing are told apart by how they are written."""
    frame = pd.DataFrame({
        "shop": ["b", "a", None, "b"], "year": [2020.0, 2021.0, None, 2020.0], "new": [True, False, True, True],
    })  # fmt: skip
    assert told(frame, "shop", "year", "new", "shop*new") == {
        "shop": ["b", "a", "(missing)", "b"],
        "year": ["2020", "2021", "(missing)", "2020"],
        "new": ["true", "false", "true", "true"],
        "shop*new": ["b × true", "a × false", "(missing) × true", "b × true"],
    }


def test_a_file_s_values_do_not_depend_on_its_others() -> None:
    """The same row has the same segment whatever rows are beside it, and however they are cut."""
    frame = pd.DataFrame({"age": range(60), "shop": [f"s{i % 7}" for i in range(60)]})
    whole = told(frame, "age", "shop", batch=60)
    for at in (0, 31, 59):
        alone = told(frame.iloc[[at]], "age", "shop")
        assert {name: [values[at]] for name, values in whole.items()} == alone
    assert told(frame, "age", "shop", batch=1) == whole


def test_too_many_values_are_refused() -> None:
    """A column of more values than a table has room for is refused, in one batch and over many."""
    frame = pd.DataFrame({"x": range(MOST_VALUES + 1)})
    for batch in (1, MOST_VALUES + 1):
        with pytest.raises(InvalidInputError, match=f"'x' has more than {MOST_VALUES} values"):
            told(frame, "x", batch=batch)
    assert len(set(told(frame.iloc[1:], "x")["x"])) == MOST_VALUES
