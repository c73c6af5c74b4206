"""Rows tallied by unit: every unit has its own rows, however they are stored, cut, typed and told apart."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.engines.local import score
from abtest.engines.predicted import tally_columns, tally_file
from abtest.engines.units import UnitTallies
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import open_data
from abtest.loaders.models import Model
from abtest.loaders.segments import NO_SEGMENTS, Segmentation
from abtest.outcomes import PairedOutcomes
from tests import zoo
from tests.known import known
from tests.strategies import SEGMENTS, segmented_columns, tallied

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import pandas as pd

    from abtest.engines.pairs import Scored
    from abtest.labels import Label, Side
    from abtest.stats.clusters import Units, UnitTables
    from tests.strategies import Segmented

    Cells = Counter[tuple[Label, Label, Label]]

SEGMENTATION = Segmentation(groups=SEGMENTS, columns={})  # rows come with their codes, so no column is read


def spelled(units: Units) -> list[Cells]:
    """Each unit's rows by truth and both predictions, in an order that does not depend on the units' numbers."""
    keys = list(units.outcomes.to_counts())
    found: list[Cells] = [Counter() for _ in range(units.n_units)]
    for unit, cell, count in zip(units.unit.tolist(), units.cell.tolist(), units.count.tolist(), strict=True):
        found[unit][keys[cell]] += count
    return sorted(found, key=_order)


def by_hand(unit: list[Any], *columns: list[Any]) -> list[Cells]:
    """The same, a row at a time."""
    found: dict[Any, Cells] = {}
    for name, *row in zip(unit, *columns, strict=True):
        found.setdefault(name, Counter())[tuple(row)] += 1
    return sorted(found.values(), key=_order)


def _order(cells: Cells) -> list[tuple[str, int]]:
    return sorted((repr(key), count) for key, count in cells.items())


@st.composite
def in_units(draw: st.DrawFn) -> tuple[list[int], Segmented, list[int]]:
    """Draw units, columns with segments, and where they are cut into batches."""
    columns, codes = draw(segmented_columns())
    n = len(columns[0])
    units = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    return units, (columns, codes), sorted(draw(st.sets(st.integers(0, n), max_size=3)))


def added(units: list[int], rows: Segmented, cuts: list[int]) -> UnitTallies:
    """Tally rows batch by batch; some batches may be empty."""
    columns, codes = rows
    tallies = UnitTallies(SEGMENTATION)
    edges = [0, *cuts, len(units)]
    for start, end in itertools.pairwise(edges):
        part = slice(start, end)
        y, a, b = (np.array(column)[part] for column in columns)
        tallies.add(np.array(units)[part], y, a, b, {name: own[part] for name, own in codes.items()})
    return tallies


@given(drawn=in_units())
def test_each_unit_has_its_rows(drawn: tuple[list[int], Segmented, list[int]]) -> None:
    """Over all rows and in every segment, each unit has the rows it has a row at a time, however they are cut."""
    units, rows, cuts = drawn
    outcomes = tallied(rows)
    tables = added(units, rows, cuts).tables(outcomes)
    columns, codes = rows
    assert tables.whole.outcomes is outcomes
    assert spelled(tables.whole) == by_hand(units, *columns)
    assert np.bincount(tables.whole.cell, weights=tables.whole.count).tolist() == outcomes.counts.tolist()
    assert set(tables.segments) == {segment.key for segment in outcomes.segments}
    for segment in outcomes.segments:
        own, code = tables.segments[segment.key], SEGMENTS[segment.name].index(segment.value)
        inside = np.flatnonzero(codes[segment.name] == code).tolist()
        assert spelled(own) == by_hand([units[i] for i in inside], *([column[i] for i in inside] for column in columns))
        assert own.outcomes == outcomes.of(segment)
        assert np.bincount(own.cell, weights=own.count).tolist() == segment.cells[:, 3].tolist()


def model(side: Side, rule: Callable[[Any], Any]) -> Model:
    """One side by a rule."""

    class Rule:
        def predict(self, features: Any) -> Any:
            return rule(features)

    doubles = dict.fromkeys(zoo.FEATURES, pa.float64())
    return Model(side=side, predictor=Rule(), features=zoo.FEATURES, types=doubles)


def fruit(unit: Any) -> pd.DataFrame:
    """Fruit in units, in two regions."""
    return zoo.fruit().assign(unit=unit, region=np.where(np.arange(60) % 4, "EU", "US"))


def scored(source: str | pd.DataFrame, **options: Any) -> Scored:
    """Score the fruit by unit."""
    sides = model("champion", zoo.linear), model("challenger", zoo.better)
    return score(*sides, open_data(source), target="kind", unit="unit", **options)


def units_of(found: Scored) -> UnitTables:
    """Its units."""
    assert found.units is not None
    return found.units


def expected(frame: pd.DataFrame) -> list[Cells]:
    """What the rows of each unit are, by pandas."""
    said = frame.assign(a=zoo.linear(frame), b=zoo.better(frame))
    groups = said.groupby("unit", sort=False, observed=True)
    return sorted((Counter(zip(g["kind"], g["a"], g["b"], strict=True)) for _, g in groups), key=_order)


def _csv(frame: pd.DataFrame) -> str:
    frame.to_csv("t.csv", index=False)
    return "t.csv"


def _parquet(frame: pd.DataFrame) -> str:
    frame.to_parquet("t.parquet", row_group_size=11)
    return "t.parquet"


def _lines(frame: pd.DataFrame) -> str:
    frame.to_json("t.jsonl", orient="records", lines=True)
    return "t.jsonl"


def _itself(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


NUMBER = (np.arange(60) // 3) % 11
STORES = {"csv": _csv, "parquet": _parquet, "json lines": _lines, "frame": _itself}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
@pytest.mark.parametrize("unit", [NUMBER, [f"user {i}" for i in NUMBER]], ids=["numbers", "text"])
def test_units_of_every_format_and_batch_size(
    store: Callable[[pd.DataFrame], str | pd.DataFrame], batch_rows: int, unit: Any
) -> None:
    """A unit's rows are the same from CSV, Parquet, JSON Lines and a data frame, in batches of any size."""
    frame = fruit(unit)
    found = scored(store(frame), batch_rows=batch_rows, segments=["region"])
    tables = units_of(found)
    assert tables.whole.outcomes == found.outcomes
    assert spelled(tables.whole) == expected(frame)
    for value in ("EU", "US"):
        assert spelled(tables.segments["region", value]) == expected(frame[frame["region"] == value])
    plain = score(
        model("champion", zoo.linear), model("challenger", zoo.better), open_data(store(frame)), target="kind",
        segments=["region"],
    )  # fmt: skip
    assert plain.outcomes == found.outcomes
    assert plain.units is None


DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TYPES: dict[str, Any] = {
    "dictionary": pa.array([f"u{i}" for i in NUMBER]).dictionary_encode(),
    "doubles": pa.array(NUMBER.astype(float)),
    "large text": pa.array([f"u{i}" for i in NUMBER], pa.large_string()),
    "times": pa.array([DAY + dt.timedelta(days=int(i)) for i in NUMBER]),
    "days": pa.array([(DAY + dt.timedelta(days=int(i))).date() for i in NUMBER]),
    "decimals": pa.array([Decimal(int(i)) / 4 for i in NUMBER], pa.decimal128(8, 2)),
    "bytes": pa.array([bytes([i]) for i in NUMBER.tolist()]),
}


@pytest.mark.parametrize("column", TYPES.values(), ids=TYPES)
def test_a_unit_may_be_of_any_type(column: pa.Array) -> None:
    """Numbers, text, categories, times and bytes all tell units apart alike."""
    frame = fruit(NUMBER)
    table = pa.Table.from_pandas(frame.drop(columns="unit"), preserve_index=False).append_column("unit", column)
    pq.write_table(table, "t.parquet", row_group_size=7)
    assert spelled(units_of(scored("t.parquet", batch_rows=13)).whole) == expected(frame)


def test_columns_of_a_file_and_arrays_have_the_same_units() -> None:
    """Predictions that are already there, in a file or in arrays, are in the units that scoring finds."""
    frame = fruit(NUMBER)
    said = frame.assign(a=zoo.linear(frame), b=zoo.better(frame))
    said.to_csv("p.csv", index=False)
    options = {"target": "kind", "champion": "a", "challenger": "b", "segments": ["region"]}
    file = tally_file(open_data("p.csv"), unit="unit", **options)  # type: ignore[arg-type] # names and a list of them
    arrays = tally_columns(said["kind"], said["a"], said["b"], unit=said["unit"], segments={"region": said["region"]})
    for found in (file, arrays):
        tables = units_of(found)
        assert spelled(tables.whole) == expected(frame)
        assert spelled(tables.segments["region", "US"]) == expected(frame[frame["region"] == "US"])


@pytest.mark.parametrize(
    ("truth", "labels"),
    [(["0", "1"], [0, 1]), ([0, 1], ["0", "1"]), ([0.0, 1.0], [0, 1]), ([False, True], [0, 1])],
    ids=["text and int", "int and text", "float and int", "bool and int"],
)
def test_labels_meet_in_units_as_in_the_table(truth: list[Any], labels: list[Any]) -> None:
    """Labels of two types are one label in the units too: the units' cells are those of the table."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 2, (3, 50))
    y = np.array([truth[i] for i in codes[0]], dtype=object)
    a, b = (np.array([labels[i] for i in side], dtype=object) for side in codes[1:])
    region = np.where(np.arange(50) < 45, "EU", "US")
    found = tally_columns(y, a, b, unit=np.arange(50) // 4, segments={"region": region})
    tables = units_of(found)
    assert known(found.outcomes).to_counts() == PairedOutcomes.from_predictions(y, a, b).to_counts()
    cast = type(known(found.outcomes).labels[0])
    whole = by_hand((np.arange(50) // 4).tolist(), *([cast(x) for x in side] for side in codes.tolist()))
    assert spelled(tables.whole) == whole
    assert tables.segments["region", "US"].rows.sum() == 5


@pytest.mark.parametrize("label_type", ["int", "str"])
def test_labels_of_another_type_are_in_their_own_cells(label_type: Any) -> None:
    """Labels that sort otherwise as text than as numbers are in the cells of the type asked for, in segments too."""
    y, a, b = [2, 10, 2, 10, 2], [2, 10, 10, 2, 2], [10, 10, 2, 2, 2]
    unit, region = [1, 1, 2, 2, 3], ["EU", "EU", "EU", "US", "US"]
    found = tally_columns(y, a, b, unit=unit, segments={"region": region}, label_type=label_type)
    columns = [[str(x) if label_type == "str" else x for x in column] for column in (y, a, b)]
    tables = units_of(found)
    assert spelled(tables.whole) == by_hand(unit, *columns)
    assert spelled(tables.segments["region", "EU"]) == by_hand(unit[:3], *(column[:3] for column in columns))


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_rows_without_a_label_are_in_no_unit(store: Callable[[pd.DataFrame], str | pd.DataFrame]) -> None:
    """Dropped rows are dropped from their units; a unit of nothing else, or one without a name, is not missed."""
    frame = fruit([f"u{i}" for i in NUMBER])
    frame.loc[frame["unit"] == "u3", "kind"] = None
    frame.loc[5, "kind"] = None
    frame.loc[frame["kind"].isna() & (frame.index > 20), "unit"] = None
    found = scored(store(frame), drop_unlabelled=True, batch_rows=8)
    kept = frame.dropna(subset="kind")
    assert found.unlabelled == 60 - len(kept)
    assert spelled(units_of(found).whole) == expected(kept)
    assert units_of(found).whole.n_units == 10


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("missing", [1, 13])
@pytest.mark.parametrize("unit", [NUMBER.astype(float), [f"user {i}" for i in NUMBER]], ids=["numbers", "text"])
def test_a_row_without_a_unit_is_refused(
    store: Callable[[pd.DataFrame], str | pd.DataFrame], missing: int, unit: Any
) -> None:
    """A unit that is missing is no unit: the rows are counted in the refusal, with what to do."""
    frame = fruit(unit)
    frame.loc[frame.index[-missing:], "unit"] = None
    with pytest.raises(
        InvalidInputError, match=rf"^unit must be there in every row, got {missing} rows? without"
    ) as no:
        scored(store(frame))
    assert no.value.hint is not None
    with pytest.raises(InvalidInputError, match=rf"^unit must be there in every row, got {missing} rows? without"):
        tally_columns([0, 1] * 30, [0, 1] * 30, [0, 1] * 30, unit=[*range(60 - missing), *[None] * missing])


def test_units_need_a_champion() -> None:
    """The majority-class predictor is known only after the rows are read, so there is nothing to tally by unit."""
    with pytest.raises(InvalidInputError, match=r"unit needs a champion that predicts.*Hint: leave out --unit"):
        score(None, model("challenger", zoo.better), open_data(fruit(NUMBER)), target="kind", unit="unit")
    labels: npt.NDArray[Any] = np.array([1])
    with pytest.raises(InvalidInputError, match="unit needs a champion"):
        UnitTallies(NO_SEGMENTS).add(labels, labels, None, labels, {})


def test_units_as_long_as_the_rows() -> None:
    """A column of units of another length is refused."""
    with pytest.raises(InvalidInputError, match=r"columns of equal length, got shapes \(3,\), \(2,\)"):
        tally_columns([0, 1], [0, 1], [0, 1], unit=[1, 1, 2])
