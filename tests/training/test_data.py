"""Rows to train on: read alike from every format, and refused where nothing can be learnt from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from abtest.errors import InvalidInputError, NotFoundError
from abtest.training.data import read
from abtest.training.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(target="late", models=("Baseline",), drop=("minutes", "how"), unit="user")


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write rows in the format that the path ends in."""
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    return path


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_formats_agree(frame: pd.DataFrame, tmp_path: Path, ending: str) -> None:
    """Parquet and JSON Lines give the rows that CSV gives: features, their kinds, truth and units."""
    text = read(RECIPE, write(frame, tmp_path / "visits.csv"))
    other = read(RECIPE, write(frame, tmp_path / f"visits.{ending}"))
    assert text.features == other.features
    assert text.truth.tolist() == other.truth.tolist()
    assert text.units is not None
    assert other.units is not None
    assert text.units.tolist() == other.units.tolist()
    features = list(text.features)
    pd.testing.assert_frame_equal(text.frame[features], other.frame[features], rtol=1e-12)


def test_a_column_that_numbers_the_rows_is_told(frame: pd.DataFrame, tmp_path: Path) -> None:
    """Whole numbers that count the rows, in whatever order, may be an id, and are told unless they were asked for."""
    counted = frame.assign(ticket=np.random.default_rng(0).permutation(len(frame)) + 1000, twice=0)
    path = write(counted, tmp_path / "visits.csv")
    told = [said for said in read(RECIPE, path).notices if "numbers the rows" in said]
    assert any("'ticket'" in said for said in told)
    assert not any("'twice'" in said for said in told)
    asked = replace(RECIPE, features=("ticket",))
    assert not any("numbers the rows" in said for said in read(asked, path).notices)


def test_kinds(visits: Path) -> None:
    """Numbers and booleans are numbers, texts are texts; target, unit and what is dropped are no features."""
    kinds = read(RECIPE, visits).features
    assert kinds == {
        **dict.fromkeys(["row", "wind", "delay", "stops"], "number"),
        "kind": "text",
        "express": "number",
    }


def test_a_column_is_of_one_type(tmp_path: Path) -> None:
    """A column that is whole numbers for a megabyte and then has a fraction, or a text, is numbers, or texts."""
    path = tmp_path / "long.csv"
    rows = [f"{i % 2},{i},{i}" for i in range(120_000)]
    path.write_text("\n".join(["y,a,b", *rows, "0,1.5,1"]))
    found = read(Recipe(target="y", models=("Baseline",)), path)
    assert found.frame["a"].dtype == np.float64
    assert found.frame["b"].dtype == np.int64


def test_whole_numbers_without_a_sign(tmp_path: Path) -> None:
    """Unsigned numbers of 64 bits, which MLflow's signatures lack, are read as CSV has them, whatever their size."""
    path = tmp_path / "unsigned.parquet"
    frame = pd.DataFrame({"y": [0, 1], "few": [1, 2], "huge": [1, 2**63]}, dtype="uint64")
    frame.assign(gap=pd.array([None, 7], dtype="UInt64")).to_parquet(path)
    found = read(Recipe(target="y", models=("Baseline",)), path)
    assert found.frame.dtypes.to_dict() == {"y": np.int64, "few": np.int64, "huge": np.float64, "gap": np.float64}
    assert found.frame["huge"].tolist() == [1.0, 2.0**63]


def test_truth_values_beside_missing_ones(tmp_path: Path) -> None:
    """True and false beside missing values are texts, and how they are spelled is told; else they are numbers."""
    frame = pd.DataFrame({"y": [0, 1, 1], "all": [True, False, True]})
    frame["some"] = pd.array([True, None, False], dtype="boolean")
    for ending, spelled in (("csv", "'False' and 'True'"), ("parquet", "'false' and 'true'")):
        found = read(Recipe(target="y", models=("Baseline",)), write(frame, tmp_path / f"few.{ending}"))
        assert found.features == {"all": "number", "some": "text"}
        (said,) = found.notices
        assert said.startswith(f"Column 'some' has missing values beside {spelled}, ")


def test_rows_without_truth_are_left_out(frame: pd.DataFrame, tmp_path: Path) -> None:
    """Rows without truth are left out, counted and told; the digest is of all rows."""
    gone = frame.astype({"late": "Float64"})
    gone.loc[[3, 5], "late"] = pd.NA
    found = read(RECIPE, write(gone, tmp_path / "gone.csv"))
    assert (found.unlabelled, len(found.frame)) == (2, len(frame) - 2)
    assert found.truth.dtype == np.int64
    assert "2 rows of 120 had no value of 'late' and were left out." in found.notices
    assert found.digest != read(RECIPE, write(gone.dropna(subset="late"), tmp_path / "rest.csv")).digest


def test_columns_that_can_be_no_features(frame: pd.DataFrame, tmp_path: Path) -> None:
    """Times, names of rows and empty columns are left out and told; asked for, they are refused."""
    odd = frame.assign(
        when=pd.date_range("2026-01-01", periods=len(frame), freq="h"),
        name=[f"row {i}" for i in range(len(frame))],
        empty=np.nan,
    )
    path = write(odd, tmp_path / "odd.csv")
    found = read(RECIPE, path)
    for column, why in {"when": "times", "name": "are names, not classes", "empty": "no value"}.items():
        assert column not in found.features
        assert any(f"'{column}' is left out" in said and why in said for said in found.notices)
        with pytest.raises(InvalidInputError, match=f"Feature '{column}' cannot be used: .*{why}"):
            read(Recipe(target="late", models=("Baseline",), features=(column,)), path)


@pytest.mark.parametrize(
    ("truth", "models", "task"),
    [
        ([0.5, 1.5, 2.5], ("RandomForest",), "regression"),
        ([0, 1, 2], ("RandomForest",), "classification"),
        ([0, 1, 2], ("RandomForest", "Ridge"), "regression"),
        (["0", "1", "x"], ("RandomForest",), "classification"),
        ([True, False, True], ("RandomForest",), "classification"),
    ],
)
def test_task_is_found_out(tmp_path: Path, truth: list[Any], models: tuple[str, ...], task: str) -> None:
    """A continuous truth makes a regression, names classes; of whole numbers the models tell, or else classes."""
    path = write(pd.DataFrame({"x": range(30), "y": truth * 10}), tmp_path / "few.csv")
    assert read(Recipe(target="y", models=models), path).task == task


@pytest.mark.parametrize(
    ("changed", "asked", "told"),
    [
        ({"y": 1}, {}, "Target 'y' must have two classes, got 1 in every row."),
        ({"y": 1.5}, {}, "Target 'y' must vary, got 1.5 in every row."),
        ({"y": None}, {}, "Target 'y' has no value in any row."),
        ({"y": 0.5}, {"task": "classification"}, "Target 'y' is continuous, and classification needs classes."),
        ({"y": ["a", "b"] * 10}, {"task": "regression"}, "Target 'y' must be a number, got 'a' in row 1."),
        ({"x": np.inf}, {}, "Feature 'x' must be finite, got an infinite number in 20 rows."),
        ({"y": [1e300, 1.0] * 10}, {}, "Target 'y' must hold classes, got numbers beyond 2^53"),
        ({"u": [None] + [1] * 19}, {"unit": "u"}, "unit 'u' must be there in every row, got 1 row without one"),
        ({}, {"target": "yy"}, "no target column 'yy'. Hint: did you mean 'y'?"),
        ({}, {"features": ("xx",)}, "no column 'xx'. Hint: did you mean 'x'?"),
        ({}, {"drop": ("x", "u")}, "has no feature"),
        ({}, {"unit": "uu"}, "no column 'uu'."),
    ],
)
def test_refusals(tmp_path: Path, changed: dict[str, Any], asked: dict[str, Any], told: str) -> None:
    """What cannot be learnt from is refused in one sentence, before anything is fitted."""
    frame = pd.DataFrame({"x": np.arange(20.0), "u": np.arange(20) % 4, "y": [0, 1] * 10}).assign(**changed)
    path = write(frame, tmp_path / "few.csv")
    with pytest.raises(InvalidInputError) as refused:
        read(Recipe(**{"target": "y", "models": ("RandomForest",), **asked}), path)
    assert told in str(refused.value)


def test_no_data(tmp_path: Path) -> None:
    """Data that are not there, or hold no rows, are refused by name."""
    with pytest.raises(NotFoundError, match=r"data .*none\.csv does not exist"):
        read(RECIPE, tmp_path / "none.csv")
    (tmp_path / "header.csv").write_text("late,user,minutes,how,x\n")
    with pytest.raises(InvalidInputError, match="no rows"):
        read(RECIPE, tmp_path / "header.csv")
