"""One pass over the rows gives one table, however they are stored, cut and typed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abtest.engines.local import score
from abtest.engines.predicted import tally_columns, tally_file
from abtest.errors import InvalidInputError, LabelMismatchError
from abtest.loaders.datasets import open_data
from abtest.loaders.models import Model
from abtest.outcomes import PairedOutcomes
from tests import zoo
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.labels import Side

DOUBLES = dict.fromkeys(zoo.FEATURES, pa.float64())


class Rule:
    """A rule as an object that predicts, counting the rows it sees."""

    def __init__(self, rule: Callable[[Any], Any]) -> None:
        self.rule = rule
        self.rows = 0

    def predict(self, features: Any) -> Any:
        """Predict."""
        self.rows += len(features)
        return self.rule(features)


def model(side: Side, rule: Callable[[Any], Any], **signature: Any) -> Model:
    """One side by a rule, with the fruit's signature unless told otherwise."""
    return Model(side=side, predictor=Rule(rule), **({"features": zoo.FEATURES, "types": DOUBLES, **signature}))


def both(
    champion: Callable[[Any], Any] = zoo.linear, challenger: Callable[[Any], Any] = zoo.better
) -> tuple[Model, Model]:
    """Champion and challenger by two rules."""
    return model("champion", champion), model("challenger", challenger)


def twice(rule: Callable[[Any], Any], **signature: Any) -> tuple[Model, Model]:
    """Both sides by one rule with one signature."""
    return model("champion", rule, **signature), model("challenger", rule, **signature)


def expected(frame: pd.DataFrame) -> PairedOutcomes:
    """The table, straight from the predictions."""
    return PairedOutcomes.from_predictions(frame["kind"].to_numpy(), zoo.linear(frame), zoo.better(frame))


def _stored() -> dict[str, Callable[[pd.DataFrame], str | pd.DataFrame]]:
    def csv(frame: pd.DataFrame) -> str:
        frame.to_csv("t.csv", index=False)
        return "t.csv"

    def tsv(frame: pd.DataFrame) -> str:
        frame.to_csv("t.tsv", sep="\t", index=False, lineterminator="\r\n")
        return "t.tsv"

    def parquet(frame: pd.DataFrame) -> str:
        frame.to_parquet("t.parquet")
        return "t.parquet"

    def categories(frame: pd.DataFrame) -> str:
        frame.astype({"kind": "category"}).to_parquet("c.parquet", row_group_size=9)
        return "c.parquet"

    def folder(frame: pd.DataFrame) -> str:
        Path("d/sub").mkdir(parents=True)
        frame[:20].to_parquet("d/a.parquet")
        frame[20:].astype({"width": "float32"}).to_parquet("d/sub/b.parquet")
        return "d"

    def pattern(frame: pd.DataFrame) -> str:
        frame[:20].to_csv("g1.csv", index=False)
        frame[20:][["kind", "height", "width"]].to_csv("g2.csv", index=False)
        return "g?.csv"

    def lines(frame: pd.DataFrame) -> str:
        frame.to_json("t.jsonl", orient="records", lines=True)
        return "t.jsonl"

    def itself(frame: pd.DataFrame) -> pd.DataFrame:
        return frame

    writers = (csv, tsv, parquet, categories, folder, pattern, lines, itself)
    return {writer.__name__: writer for writer in writers}


STORED = _stored()


@pytest.mark.parametrize("store", STORED.values(), ids=STORED)
@pytest.mark.parametrize("batch_rows", [1, 7, 60, 1000])
def test_one_table_from_every_format_and_batch_size(
    store: Callable[[pd.DataFrame], str | pd.DataFrame], batch_rows: int
) -> None:
    """Format, batch size, column order and extra columns do not matter; each model sees each row once."""
    frame = zoo.fruit().assign(comment='x, "y"\nz')[["kind", "comment", "height", "width"]]
    champion, challenger = both()
    done: list[int] = []
    scored = score(
        champion, challenger, open_data(store(frame)), target="kind", batch_rows=batch_rows, progress=done.append
    )
    assert scored.outcomes == expected(frame)
    assert (scored.majority, scored.unlabelled) == (None, 0)
    assert champion.predictor.rows == challenger.predictor.rows == 60  # type: ignore[attr-defined] # it is a Rule
    assert done[-1] == 60
    assert done == sorted(done)


LABELS: dict[str, tuple[Any, Any, list[Any]]] = {
    "text and int": (["0", "1"], [0, 1], [0, 1]),
    "int and text": ([0, 1], ["0", "1"], [0, 1]),
    "float and int": ([0.0, 1.0], [0, 1], [0, 1]),
    "int and float": ([0, 1], [0.0, 1.0], [0, 1]),
    "bool and int": ([False, True], [0, 1], [False, True]),
    "bool and text": ([False, True], ["False", "True"], [False, True]),
    "text and str": (["no", "yes"], ["no", "yes"], ["no", "yes"]),
    "bool": ([False, True], [False, True], [False, True]),
}


@pytest.mark.parametrize(("truth", "labels", "classes"), LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_labels_meet_on_one_type(truth: list[Any], labels: list[Any], classes: list[Any], ending: str) -> None:
    """'0' and 0, 1.0 and 1, 'True' and True are one label in every format: nobody is wrong for a spelling."""
    frame = zoo.fruit()
    pears = (frame["height"] > frame["width"]).astype(int)
    frame["kind"] = pd.Series(truth).iloc[pears.to_numpy()].to_numpy()
    name = f"t.{ending}"
    if ending == "csv":
        frame.to_csv(name, index=False)
    elif ending == "parquet":
        frame.to_parquet(name)
    else:
        frame.to_json(name, orient="records", lines=True)

    def rule(features: pd.DataFrame) -> Any:
        return np.array(labels)[(features["height"] > features["width"]).astype(int)]

    scored = score(*both(rule, rule), open_data(name), target="kind")
    assert known(scored.outcomes).contingency().both == 60
    if ending != "csv":  # text has no types of its own: the predictions' are taken
        assert [(type(x), x) for x in known(scored.outcomes).classes] in (
            [(type(x), x) for x in classes],
            [(type(x), x) for x in labels],
        )


def test_labels_of_no_common_type() -> None:
    """Text for numbers is refused, never counted as 0 %."""
    with pytest.raises(LabelMismatchError, match="Labels are str but champion predictions are int"):
        score(*both(zoo.numbers, zoo.numbers), open_data(zoo.fruit()), target="kind")


def test_casts_are_said_once() -> None:
    """An int column for a double feature is cast, said once a side, and changes nothing; text is read, not cast."""
    frame = zoo.fruit().round(0).astype({"width": "int32", "height": "int64"})
    frame.to_parquet("t.parquet")
    frame.to_csv("t.csv", index=False)
    scored = score(*both(), open_data("t.parquet"), target="kind", batch_rows=7)
    assert scored.notices == tuple(
        f"2 columns were cast to the {side}'s signature (first: 'width' int32 → double); no value was changed."
        for side in ("champion", "challenger")
    )
    from_text = score(*both(), open_data("t.csv"), target="kind")
    assert (from_text.outcomes, from_text.notices) == (scored.outcomes, ())


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_blank_cells(ending: str) -> None:
    """A blank in an integer feature is refused with its row; in text and doubles it reaches the model as missing."""
    frame = pd.DataFrame({"n": pd.array([1, 2, None, 4], dtype="Int64"), "s": ["a", None, "c", "d"], "y": [0, 1, 0, 1]})
    name = f"t.{ending}"
    frame.to_csv(name, index=False) if ending == "csv" else frame.to_parquet(name)

    def missing(features: pd.DataFrame) -> Any:
        return features.isna().any(axis=1).astype(int)

    for column, kind in (("n", pa.float64()), ("s", pa.string())):
        sides = twice(missing, features=(column,), types={column: kind})
        scored = score(*sides, open_data(name), target="y")
        assert known(scored.outcomes).contingency().n == 4
    whole = twice(missing, features=("n",), types={"n": pa.int64()})
    for batch_rows, first in ((1, "champion"), (2, "challenger"), (50, "champion")):  # they go first in turn
        with pytest.raises(
            InvalidInputError, match=rf"Column 'n' must be int64 for the {first} and is empty in row 3."
        ):
            score(*whole, open_data(name), target="y", batch_rows=batch_rows)


def test_sides_may_want_different_types() -> None:
    """Each side is fed by its own signature: 7 as a number to one and as text to the other."""
    Path("t.csv").write_text("a,y\n7,1\n8,0\n", encoding="utf-8")

    def number(features: pd.DataFrame) -> Any:
        return (features["a"] == 7).astype(int)

    def text(features: pd.DataFrame) -> Any:
        return (features["a"] == "7").astype(int)

    champion = model("champion", number, features=("a",), types={"a": pa.int64()})
    challenger = model("challenger", text, features=("a",), types={"a": pa.string()})
    assert known(score(champion, challenger, open_data("t.csv"), target="y").outcomes).contingency().both == 2


def test_a_tensor_model_reads_text_as_its_type() -> None:
    """For a model logged from NumPy a CSV column is of its type from the first row to the last."""
    Path("t.csv").write_text("a,b,y\n" + "1,2,0\n" * 500_000 + "1.5,2,1\n", encoding="utf-8")

    def fraction(array: Any) -> Any:
        assert array.dtype == np.float64
        return (array[:, 0] % 1 > 0).astype(int)

    sides = twice(fraction, features=None, types={}, tensor=(np.dtype("float64"), 2))
    scored = score(*sides, open_data("t.csv"), target="y")
    assert known(scored.outcomes).contingency().both == 500_001


def test_columns_of_any_name() -> None:
    """Spaces, quotes, dots and any script in a column's name change nothing."""
    names = ("größe (cm)", '北京, "x".y')
    frame = zoo.fruit().set_axis([*names, "Wahrheit ist"], axis=1)
    frame.to_csv("t.csv", index=False)

    def rule(features: pd.DataFrame) -> Any:
        return zoo.better(features.set_axis(zoo.FEATURES, axis=1))

    sides = twice(rule, features=names, types=dict.fromkeys(names, pa.float64()))
    assert known(score(*sides, open_data("t.csv"), target="Wahrheit ist").outcomes).contingency().both == 60


def test_rows_without_a_label() -> None:
    """They are refused with count and first row; or dropped and counted, and later rows keep their number."""
    frame = zoo.fruit()
    frame.loc[[4, 30], "kind"] = None
    with pytest.raises(
        InvalidInputError, match=r"Target 'kind' is missing in 1 row \(first: row 5\).*--drop-unlabelled"
    ):
        score(*both(), open_data(frame), target="kind", batch_rows=10)
    scored = score(*both(), open_data(frame), target="kind", drop_unlabelled=True, batch_rows=7)
    assert (scored.outcomes, scored.unlabelled) == (expected(frame.dropna()), 2)
    assert "2 rows without a label were dropped." in scored.notices
    with pytest.raises(InvalidInputError, match="all 60 rows lack a label"):
        score(*both(), open_data(frame.assign(kind=None)), target="kind", drop_unlabelled=True)
    frame["width"] = frame["width"].astype(object)
    frame["width"] = frame["width"].astype(str)
    frame.loc[40, "width"] = "wide"
    for batch_rows in (3, 100):
        with pytest.raises(InvalidInputError, match="Column 'width' must be double, got 'wide' in row 41"):
            score(*both(), open_data(frame), target="kind", drop_unlabelled=True, batch_rows=batch_rows)


def test_the_baseline() -> None:
    """Without a champion the majority-class predictor of the truth stands in."""
    frame = zoo.fruit()[:-1]
    scored = score(None, model("challenger", zoo.better), open_data(frame), target="kind")
    majority = frame["kind"].mode()[0]
    assert scored.majority == majority
    right = int((frame["kind"] == majority).sum())
    assert known(scored.outcomes).contingency().both == right
    assert known(scored.outcomes).contingency().challenger_only == 59 - right


def test_a_continuous_target_is_told_early() -> None:
    """A target of measurements is refused in the first batch, not after the last."""
    frame = pd.DataFrame({"width": 1.0, "height": np.arange(100_000) / 7, "y": np.arange(100_000) / 3})
    champion, challenger = both(zoo.numbers, zoo.numbers)
    with pytest.raises(InvalidInputError, match=r"The target is continuous .* Hint: --task regression"):
        score(champion, challenger, open_data(frame), target="y", batch_rows=1000)
    assert champion.predictor.rows <= 1000  # type: ignore[attr-defined] # it is a Rule
    frame["y"] = np.arange(100_000)
    with pytest.raises(InvalidInputError, match="too many for classes"):
        score(*both(zoo.numbers, zoo.numbers), open_data(frame), target="y")


PREDICTED = pd.DataFrame({"y": [0, 1, 1, 0] * 5, "a": [0, 1, 0, 0] * 5, "b": [0, 1, 1, 1] * 5})


@pytest.mark.parametrize("store", [STORED["csv"], STORED["tsv"], STORED["parquet"], STORED["lines"], STORED["itself"]])
@pytest.mark.parametrize(
    "frame",
    [
        PREDICTED,
        PREDICTED.astype({"a": float}),
        PREDICTED.astype({"y": float, "b": float}),
        PREDICTED.astype(bool),
        PREDICTED.replace({0: "no", 1: "yes"}),
        PREDICTED.replace({0: "01", 1: "1"}).astype(str),
    ],
    ids=["int", "one float", "two floats", "bool", "text", "codes"],
)
def test_files_of_predictions(store: Callable[[pd.DataFrame], str | pd.DataFrame], frame: pd.DataFrame) -> None:
    """Columns of predictions give one table in every format, whatever their types: 1 and 1.0 are one label."""
    scored = tally_file(open_data(store(frame)), target="y", champion="a", challenger="b", batch_rows=3)
    assert scored.outcomes == PairedOutcomes.from_predictions(*(frame[c].to_numpy() for c in "yab"))
    table = scored.outcomes.contingency()
    assert (table.both, table.champion_only, table.challenger_only, table.neither) == (10, 5, 5, 0)


def test_files_of_no_predictions() -> None:
    """A prediction that is missing, or a column that is not there, is told by its name and row."""
    frame = PREDICTED.astype(object)
    frame.loc[7, "b"] = None
    frame.to_csv("t.csv", index=False)
    with pytest.raises(
        InvalidInputError, match=r"Prediction 'b' is missing in 1 row \(first: row 8\)\. Hint: each row"
    ):
        tally_file(open_data("t.csv"), target="y", champion="a", challenger="b", batch_rows=3)
    with pytest.raises(InvalidInputError, match=r"t.csv has no challenger column 'c'. Hint: its columns are y, a, b"):
        tally_file(open_data("t.csv"), target="y", champion="a", challenger="c")
    PREDICTED.assign(y=np.arange(20) / 7).to_csv("t.csv", index=False)
    with pytest.raises(InvalidInputError, match="The target is continuous"):
        tally_file(open_data("t.csv"), target="y", champion="a", challenger="b")
    PREDICTED.assign(a=np.arange(20) / 21).to_csv("t.csv", index=False)
    with pytest.raises(InvalidInputError, match="Champion predictions are not class labels"):
        tally_file(open_data("t.csv"), target="y", champion="a", challenger="b")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (([0, 1], [0], [0, 1]), "champion has 1 rows but y_true has 2"),
        (([], [], []), "y_true holds no rows"),
        (([0, 1], [0, 1], [[0], [1]]), r"challenger must be one-dimensional, got shape \(2, 1\)"),
        (([0, None], [0, 1], [0, 1]), r"y_true is missing in 1 row \(first: row 2\)"),
        (([0, 1], [0.5, 1.0], [0, 1]), "Champion predictions are not class labels"),
        (([[1], [1, 2]], [0, 1], [0, 1]), "y_true hold rows of different lengths"),
        (([0, 1], [b"0", b"1"], [0, 1]), "champion hold bytes, which is no class label"),
    ],
)
def test_columns_that_do_not_fit(columns: tuple[Any, Any, Any], told: str) -> None:
    """Columns of other lengths or shapes, or with what is no label, are refused by name."""
    with pytest.raises(InvalidInputError, match=told):
        tally_columns(*columns)


def test_columns_of_any_kind() -> None:
    """Lists, arrays, Series and categories of the same labels give the same table."""
    tables = {
        known(tally_columns(*columns).outcomes).to_dict().__repr__()
        for columns in (
            (["a", "b"], ["a", "a"], ["a", "b"]),
            (pd.Series(["a", "b"], index=[5, 6]), pd.Series(["a", "a"], dtype="category"), np.array(["a", "b"])),
            (pa.array(["a", "b"]), ("a", "a"), np.array([np.str_("a"), np.str_("b")], dtype=object)),
        )
    }
    assert len(tables) == 1


@pytest.mark.slow
def test_memory_is_flat_in_rows() -> None:
    """Scoring ten times the rows of a Parquet file keeps no more than a batch of them, fingerprints aside."""
    import tracemalloc

    peaks = []
    for rows in (100_000, 1_000_000):
        width = np.arange(rows) % 11 * 1.0
        table = pa.table({"width": width, "height": np.arange(rows) % 7 * 1.0, "kind": np.arange(rows) % 2})
        pq.write_table(table, "t.parquet")
        del table, width
        tracemalloc.start()
        sides = both(zoo.numbers, zoo.numbers)
        scored = score(*sides, open_data("t.parquet"), target="kind", batch_rows=10_000, keep_rows=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert known(scored.outcomes).n == rows
    assert peaks[1] < 1.5 * peaks[0], peaks
