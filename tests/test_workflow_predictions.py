"""Comparing predictions that are already there: arrays and columns of files give the same, and refuse the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

import abtest
from abtest.errors import AbtestError, InvalidInputError, LabelMismatchError
from abtest.policy import Policy
from abtest.workflow import compare_columns, compare_predictions
from tests.strategies import Columns, label_columns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abtest.comparison import Comparison
    from abtest.labels import Label, LabelType

FAST: dict[str, Any] = {"resamples": 100}
NAMES: dict[str, Any] = {"target": "y", "champion": "old model", "challenger": "new,model"}


def found(comparison: Comparison) -> tuple[Any, ...]:
    """What was found, without where it came from."""
    record = comparison.record
    return (record.outcomes, record.evaluation, record.decision, record.confusion)


def frame_of(columns: Columns) -> pd.DataFrame:
    """The three columns, with one between them that is none of them."""
    y, champion, challenger = columns
    return pd.DataFrame({"y": y, "feature": range(len(y)), "old model": champion, "new,model": challenger})


WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "parquet": lambda frame, path: frame.to_parquet(path),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True, force_ascii=False),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_tells_what_arrays_tell(suffix: str, tmp_path: Path) -> None:
    """The same columns give the same table, numbers, verdict and notices, from arrays and from any format."""
    path = tmp_path / f"predictions.{suffix}"

    @given(columns=label_columns())
    @hypothesis_settings(max_examples=20)
    def law(columns: Columns) -> None:
        WRITERS[suffix](frame_of(columns), path)
        for batch_size in (3, 50_000):
            file = compare_columns(path, **NAMES, batch_size=batch_size, **FAST)
            assert found(file) == found(compare_predictions(*columns, **FAST))

    law()


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize(
    ("label_type", "labels"), [(None, [9, 10]), ("int", [9, 10]), ("float", [9.0, 10.0]), ("str", ["10", "9"])]
)
def test_labels_are_read_as_what_they_are_or_as_told(
    suffix: str, label_type: LabelType | None, labels: list[Label], tmp_path: Path
) -> None:
    """Whole numbers are numbers, also in a text format, unless another type is asked for."""
    path = tmp_path / f"p.{suffix}"
    WRITERS[suffix](frame_of(([9, 10, 10], [9, 10, 9], [9, 10, 10])), path)
    outcomes = compare_columns(path, **NAMES, label_type=label_type, **FAST).outcomes
    assert [(type(x), x) for x in outcomes.labels] == [(type(x), x) for x in labels]


def test_the_record_says_where_the_numbers_come_from(tmp_path: Path) -> None:
    """Both put on record what was compared; a file is named by its columns and its content's digest."""
    columns: Columns = (["a", "b"], ["a", "b"], ["a", "a"])
    arrays = compare_predictions(*columns, **FAST).record
    assert (arrays.model_name, arrays.champion.ref, arrays.challenger.ref) == (None, "champion", "challenger")
    assert (arrays.data.path, arrays.data.n, arrays.data.digest) == ("arrays", 2, None)
    path = tmp_path / "p.csv"
    frame_of(columns).to_csv(path, index=False)
    file = compare_columns(path, **NAMES, **FAST).record
    assert (file.champion.ref, file.challenger.ref, file.data.target) == ("old model", "new,model", "y")
    assert (file.data.path, file.data.n) == (str(path), 2)
    digest = file.data.digest
    frame_of((["a", "b"], ["a", "b"], ["b", "a"])).to_csv(path, index=False)
    assert compare_columns(path, **NAMES, **FAST).record.data.digest != digest


def test_arrays_of_any_kind_tell_the_same() -> None:
    """Lists, tuples, arrays, series, index and one's own dtype: what holds the same labels gives the same."""
    y, a, b = [0, 1, 1, 0, 1], [0, 1, 0, 0, 1], [0, 1, 1, 1, 1]
    expected = found(compare_predictions(y, a, b, **FAST))
    kinds: list[Callable[[list[int]], Any]] = [
        tuple,
        np.array,
        lambda x: np.array(x, dtype=np.uint8),
        lambda x: np.array(x, dtype=object),
        pd.Series,
        lambda x: pd.Series(x, index=[5, 5, 1, 0, 2]),
        lambda x: pd.Series(x, dtype="Int64"),
        pd.Index,
    ]
    for kind in kinds:
        assert found(compare_predictions(kind(y), kind(a), kind(b), **FAST)) == expected
    words = pd.Series(["no", "yes"])
    plain = found(compare_predictions(*(words[x].tolist() for x in (y, a, b)), **FAST))
    for dtype in ("category", "string", object):
        assert found(compare_predictions(*(words[x].astype(dtype) for x in (y, a, b)), **FAST)) == plain


def test_labels_that_differ_in_type_only_are_reconciled_and_it_is_said() -> None:
    """Text and numbers that mean the same are cast to one type, which is a notice, not a mismatch."""
    mixed = compare_predictions(["0", "1", "1"], [0, 1, 0], [0.0, 1.0, 1.0], **FAST)
    assert mixed.outcomes.n == 3
    assert mixed.evaluation.metric("accuracy").challenger == 1.0
    assert any("cast from" in notice for notice in mixed.record.notices)


def test_options_reach_the_evaluation(tmp_path: Path) -> None:
    """Average, positive label, policy and seed decide as much from arrays as from a file, and are on record."""
    columns: Columns = (["n", "y", "y", "n"] * 10, ["n", "y", "n", "n"] * 10, ["n", "y", "y", "y"] * 10)
    path = tmp_path / "p.parquet"
    frame_of(columns).to_parquet(path)
    chosen: dict[str, Any] = {
        "average": "binary",
        "pos_label": "n",
        "policy": Policy(confidence=0.9, metrics=("accuracy", "recall")),
        "resamples": 150,
        "seed": 3,
    }
    arrays, file = compare_predictions(*columns, **chosen), compare_columns(path, **NAMES, **chosen)
    assert found(arrays) == found(file)
    for comparison in (arrays, file):
        settings = comparison.record.settings
        assert {name: getattr(settings, name) for name in chosen} == chosen
        assert [row.metric for row in comparison.record.metrics] == ["accuracy", "recall"]
        assert comparison.evaluation.metric("recall").champion == 1.0
        assert comparison.record.provenance.policy_digest == settings.policy.digest


def test_unlabelled_rows_are_refused_or_dropped_and_counted(tmp_path: Path) -> None:
    """A row without a label is refused with its number; with `drop_unlabelled` it is left out and counted."""
    path = tmp_path / "p.csv"
    path.write_text('y,old model,"new,model"\na,a,a\n,a,b\nb,b,a\n', encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"^Target 'y' is missing in 1 row \(first: row 2\)\."):
        compare_columns(path, **NAMES, **FAST)
    kept = compare_columns(path, **NAMES, drop_unlabelled=True, **FAST)
    assert kept.record.data.n == kept.outcomes.n == 2
    assert "1 row without a label was dropped." in kept.record.notices


def test_nothing_is_written_unless_told(tmp_path: Path) -> None:
    """A comparison leaves no file behind."""
    path = tmp_path / "p.csv"
    frame_of(([0, 1], [0, 1], [1, 1])).to_csv(path, index=False)
    compare_columns(path, **NAMES, **FAST)
    abtest.compare_predictions([0, 1], [0, 1], [1, 1], **FAST)
    assert list(tmp_path.iterdir()) == [path]


def test_progress_is_told_row_by_row(tmp_path: Path) -> None:
    """After each batch the number of rows done is told; at last, all of them."""
    path = tmp_path / "p.csv"
    frame_of(([0, 1] * 5, [0, 1] * 5, [1, 1] * 5)).to_csv(path, index=False)
    told: list[tuple[str, int]] = []
    compare_columns(path, **NAMES, batch_size=4, progress=lambda what, done, _: told.append((what, done)), **FAST)
    assert [done for what, done in told if what == "Reading"] == [4, 8, 10]


SENTENCES: list[tuple[tuple[Any, Any, Any], dict[str, Any], str]] = [
    (([0, 1], [0] * 2_000, [0, 1]), {}, "champion has 2,000 rows but y_true has 2."),
    (([0, 1], [0, 1], [0, 1, 1]), {}, "challenger has 3 rows but y_true has 2."),
    (([], [], []), {}, "y_true holds no rows."),
    (([[0], [1]], [0, 1], [0, 1]), {}, "y_true must be one-dimensional, got shape (2, 1)."),
    (([0, 1], [[0.1, 0.9], [0.2, 0.8]], [0, 1]), {}, "champion must be one-dimensional, got shape (2, 2)."),
    ((0, 0, 0), {}, "y_true must be one-dimensional, got shape ()."),
    ((["a", None], ["a", "b"], ["a", "b"]), {}, "y_true is missing in 1 row (first: row 2)."),
    (([0, 1], [0.0, np.nan], [0, 1]), {}, "champion is missing in 1 row (first: row 2)."),
    (([0, 1], [0, 1], pd.Series([pd.NA, 1], dtype="Int64")), {}, "challenger is missing in 1 row (first: row 1)."),
    (([0.5, 1.5], [0, 1], [0, 1]), {"task": "classification"}, "The target is continuous (0.5 is not a class label)."),
    (([0, 1], [0.2, 0.8], [0, 1]), {}, "Champion predictions are not class labels (0.2)."),
    ((["cat", "dog"], [0, 1], [0, 1]), {}, "Labels are str but champion predictions are int ('cat' vs 0)."),
    (([0, 1] * 5, [7, 8] * 5, [0, 1] * 5), {}, "The champion never predicts a class of the truth (7 vs 0)."),
    (
        ([0, 1], [0, 1], [0, 1]),
        {"label_type": "int64"},
        "label_type must be one of int, float, str, bool, got 'int64'.",
    ),
    (([0, 1], [0, 1], [0, 1]), {"average": "micro"}, "average must be one of macro, weighted, binary, got 'micro'."),
    (([0, 1], [0, 1], [0, 1]), {"resamples": 10}, "resamples must be at least 100, got 10."),
    (([0, 1], [0, 1], [0, 1]), {"seed": -1}, "seed must be at least 0, got -1."),
]


@pytest.mark.parametrize(("columns", "options", "sentence"), SENTENCES, ids=[text for *_, text in SENTENCES])
def test_bad_arrays_are_refused_in_a_sentence(
    columns: tuple[Any, Any, Any], options: dict[str, Any], sentence: str
) -> None:
    """What cannot be compared is refused, with the column, what was got, and the first row or value that is wrong."""
    with pytest.raises(InvalidInputError) as caught:
        compare_predictions(*columns, **{**FAST, **options})
    assert caught.value.message == sentence


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"target": "label"}, "has no target column 'label'."),
        ({"champion": "old"}, "has no champion column 'old'."),
        ({"challenger": "new"}, "has no challenger column 'new'."),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0."),
        ({"label_type": "text"}, "label_type must be one of int, float, str, bool, got 'text'."),
        ({"label_type": "int"}, "Labels cannot be read as int: 'a'."),
        ({"average": "binary"}, "average must be macro or weighted for more than two classes, got binary with 3."),
    ],
)
def test_bad_files_are_refused_in_a_sentence(options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    """A column that is not there, or an option that cannot be, is refused by name before anything is written."""
    path = tmp_path / "p.csv"
    frame_of((["a", "b", "c"], ["a", "b", "a"], ["a", "c", "c"])).to_csv(path, index=False)
    with pytest.raises(InvalidInputError) as caught:
        compare_columns(path, **{**NAMES, **FAST, **options}, output=tmp_path / "reports")
    assert caught.value.message.endswith(sentence)
    assert not list((tmp_path / "reports").glob("*"))


@pytest.mark.parametrize("name", ["nowhere.csv", "table.xlsx", "empty.csv", "only-a-header.csv"])
def test_files_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    """A file that is not there, of no known format, or without a row is refused in a sentence that names it."""
    path = tmp_path / name
    if name.startswith("empty"):
        path.touch()
    elif not name.startswith("nowhere"):
        path.write_text('y,old model,"new,model"\n', encoding="utf-8")
    with pytest.raises(AbtestError) as caught:
        compare_columns(path, **NAMES, **FAST)
    assert name in caught.value.message
    assert caught.value.message.endswith(".")


def test_strangers_to_the_truth_are_refused_alike(tmp_path: Path) -> None:
    """A side that never predicts a class of the truth is refused from a file as from arrays."""
    columns: Columns = (["a", "b"] * 10, ["x", "y"] * 10, ["a", "b"] * 10)
    frame_of(columns).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(LabelMismatchError) as from_arrays:
        compare_predictions(*columns, **FAST)
    with pytest.raises(LabelMismatchError) as from_file:
        compare_columns(tmp_path / "p.parquet", **NAMES, **FAST)
    assert str(from_arrays.value) == str(from_file.value)
