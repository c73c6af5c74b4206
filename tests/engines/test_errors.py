"""Errors tallied batch by batch: the same sums however rows are cut, and blocks that vary as rows do."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from abtest.engines.errors import MOST_BLOCKS, MOST_DRAWN, ErrorTally, Truth, first_look
from abtest.errors import InvalidInputError, NotFoundError
from abtest.loaders.datasets import open_data
from abtest.metrics.errors import metric_values, row_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from abtest.metrics.errors import ErrorSums, PairedErrors

Floats = npt.NDArray[np.float64]
GROUPS = {"region": ("Asia", "EU", "(missing)"), "tier": ("a", "b")}


class Rows:
    """Drawn rows: truth, both sides, segments and units."""

    def __init__(self, n: int, seed: int = 0, units: int = 5) -> None:
        rng = np.random.default_rng(seed)
        self.n = n
        self.y = rng.gamma(2, 50, n) + 1000
        self.champion, self.challenger = self.y + rng.normal(0, 10, n), self.y + rng.normal(1, 9, n)
        self.codes = {"region": rng.integers(0, 2, n), "tier": rng.integers(0, 2, n)}
        self.units = np.array([f"u{i}" for i in rng.integers(0, units, n)], dtype=object)

    @property
    def truth(self) -> Truth:
        """What a look at the target tells."""
        return first_look(open_data(pd.DataFrame({"y": self.y})), "y", {})


def tallied(
    rows: Rows, cuts: Sequence[int] = (), *, in_units: bool = False, truth: Truth | None = None, seed: int = 0
) -> PairedErrors:
    """Tally rows batch by batch; some batches may be empty."""
    tally = ErrorTally(truth or rows.truth, GROUPS, in_units=in_units, seed=seed)
    for start, end in itertools.pairwise([0, *cuts, rows.n]):
        part = slice(start, end)
        codes = {name: own[part] for name, own in rows.codes.items()}
        sides = rows.y[part], rows.champion[part], rows.challenger[part]
        tally.add(*sides, codes, np.arange(start, end) + 1, rows.units[part] if in_units else None)
    return tally.errors()


def alike(ours: ErrorSums, theirs: ErrorSums) -> None:
    """Blocks agree to 1e-12 of their columns, and metrics to 1e-12."""
    assert ours.blocks.shape == theirs.blocks.shape
    size = np.abs(theirs.blocks).max(axis=0, initial=1.0)
    assert (np.abs(ours.blocks - theirs.blocks) <= 1e-12 * size).all()
    assert ours.outcomes.n == theirs.outcomes.n
    for metric in ("rmse", "mae"):
        assert ours.outcomes.value(metric, "champion") == pytest.approx(
            theirs.outcomes.value(metric, "champion"), rel=1e-12
        )


def every(errors: PairedErrors) -> dict[str, ErrorSums]:
    """All sums, by what they are of."""
    segments = {str(key): part for key, part in errors.segments.items()}
    return {"whole": errors.whole, **segments, **{f"from {band.lower}": band.errors for band in errors.bands}}


@given(n=st.integers(1, 60), seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 60), max_size=4), by=st.booleans())
def test_any_cut_gives_the_same(n: int, seed: int, cuts: list[int], by: bool) -> None:  # noqa: FBT001 - Hypothesis draws it
    """However rows are cut into batches, sums, blocks and the sample are the same, by row and by unit."""
    rows = Rows(n, seed)
    whole = tallied(rows, in_units=by)
    cut = tallied(rows, sorted(min(c, n) for c in cuts), in_units=by)
    assert every(whole).keys() == every(cut).keys()
    for key, sums in every(whole).items():
        alike(every(cut)[key], sums)
    assert (cut.sample == whole.sample).all()


def test_any_cut_gives_the_same_beyond_the_most_blocks() -> None:
    """Rows put into blocks at random are in the same blocks however batches are cut, and so is the sample."""
    rows = Rows(2 * MOST_BLOCKS + 500)
    truth = rows.truth
    whole = tallied(rows, truth=truth)
    assert len(whole.sample) == MOST_DRAWN
    for cuts in ([MOST_BLOCKS], [1, 7, MOST_BLOCKS + 1], [*range(0, rows.n, 999)]):
        cut = tallied(rows, cuts, truth=truth)
        for key, sums in every(whole).items():
            alike(every(cut)[key], sums)
        assert (cut.sample == whole.sample).all()
    other = tallied(rows, truth=truth, seed=1)
    assert not np.array_equal(other.sample, whole.sample)


def test_segments_and_bands_are_their_rows() -> None:
    """Each segment and band has the sums and the blocks of its own rows; those without a row are left out."""
    rows = Rows(400)
    errors, truth = tallied(rows, [100, 333]), rows.truth
    assert set(errors.segments) == {("region", "Asia"), ("region", "EU"), ("tier", "a"), ("tier", "b")}
    masks = {(name, GROUPS[name][code]): own == code for name, own in rows.codes.items() for code in (0, 1)}
    edges = [-np.inf, *truth.cuts, np.inf]
    inside = [(rows.y >= low) & (rows.y < high) for low, high in itertools.pairwise(edges)]
    assert len(errors.bands) == 10
    assert [band.errors.outcomes.n for band in errors.bands] == [int(mask.sum()) for mask in inside]
    assert [band.lower for band in errors.bands] == [None, *truth.cuts]
    assert [band.upper for band in errors.bands] == [*truth.cuts, None]
    parts = [(errors.segments[key], mask) for key, mask in masks.items()]
    for sums, mask in [*parts, *((band.errors, mask) for band, mask in zip(errors.bands, inside, strict=True))]:
        y, first, second = rows.y[mask], rows.champion[mask], rows.challenger[mask]
        assert (sums.blocks == row_columns(y, first, second, origin=truth.origin)).all()
        assert sums.outcomes.value("mae", "challenger") == pytest.approx(np.abs(second - y).mean(), rel=1e-12)


def test_beyond_the_most_blocks_rows_are_thrown_together() -> None:
    """More rows than blocks are in MOST_BLOCKS blocks at random, none consecutive or in turn; sums are kept."""
    rows = Rows(40_000)
    order = np.argsort(rows.y)  # sorted data, where blocks of neighbours would be blocks of like rows
    rows.y, rows.champion, rows.challenger = rows.y[order], rows.champion[order], rows.challenger[order]
    blocks = tallied(rows, range(0, 40_000, 4096)).whole.blocks
    counts = blocks[:, 0]
    assert len(blocks) == pytest.approx(MOST_BLOCKS * (1 - np.exp(-4)), rel=0.01)
    assert counts.var() == pytest.approx(4, rel=0.1)  # Poisson but for the empty blocks; in turn it would be 0
    expected = row_columns(rows.y, rows.champion, rows.challenger, origin=rows.truth.origin)
    assert blocks.sum(axis=0) == pytest.approx(expected.sum(axis=0), rel=1e-9, abs=1e-6)
    # The truth of a block varies as that of rows drawn at random does: by its variance for each row.
    assert (blocks[:, 1] ** 2).sum() / counts.sum() == pytest.approx(rows.y.var(), rel=0.05)


def test_blocks_vary_as_rows_do() -> None:
    """The spread of resampled metrics over random blocks is that of resampled rows, to a few per cent."""
    rows = Rows(4 * MOST_BLOCKS)
    rng = np.random.default_rng(3)
    blocks = tallied(rows).whole.blocks
    single = row_columns(rows.y, rows.champion, rows.challenger, origin=rows.truth.origin)
    found = {}
    for name, table in (("blocks", blocks), ("rows", single)):
        n = len(table)
        draws = np.array([np.bincount(rng.integers(0, n, n), minlength=n) @ table for _ in range(1500)])
        effects = [
            metric_values(draws, metric, "challenger") - metric_values(draws, metric, "champion")
            for metric in ("rmse", "r2", "bias")
        ]
        found[name] = np.std(effects, axis=1)
    # Two spreads of 1,500 draws differ by 2.6 % of chance alone, and blocks add 0.7 %.
    assert found["blocks"] == pytest.approx(found["rows"], rel=0.08)


def test_units_are_blocks() -> None:
    """A unit is a block, in each segment too, whatever it is called: its rows' sums, a row at a time."""
    rows = Rows(300, units=40)
    expected = row_columns(rows.y, rows.champion, rows.challenger, origin=rows.truth.origin)
    numbers = np.array([int(unit[1:]) for unit in rows.units])
    for units in (rows.units, numbers, numbers.astype(float), numbers.astype(str)):
        rows.units = units
        errors = tallied(rows, [50, 200], in_units=True)
        assert errors.in_units
        for key, mask in {None: numbers >= 0, ("tier", "b"): rows.codes["tier"] == 1}.items():
            blocks = errors.whole.blocks if key is None else errors.segments[key].blocks
            by_hand = [expected[mask & (numbers == unit)].sum(axis=0) for unit in np.unique(numbers[mask])]
            assert blocks[np.lexsort(blocks.T)] == pytest.approx(
                np.array(by_hand)[np.lexsort(np.array(by_hand).T)], rel=1e-9, abs=1e-9
            )


@hypothesis_settings(max_examples=20)
@given(seed=st.integers(0, 99))
def test_the_sample_is_of_all_rows(seed: int) -> None:
    """The sample is of rows that there are, each at most once, as many from the first half as from the second."""
    rows = Rows(3 * MOST_DRAWN, seed)
    sample = tallied(rows, range(0, rows.n, 5000), seed=seed).sample
    place = {value: i for i, value in enumerate(rows.y.tolist())}
    places = np.array([place[value] for value in sample[:, 0].tolist()])
    assert len(set(places.tolist())) == MOST_DRAWN
    assert (sample[:, 1] == rows.champion[places]).all()
    assert (sample[:, 2] == rows.challenger[places]).all()
    # Hypergeometric: half of 10,000 of 30,000, with a standard deviation of 41; five of them.
    assert abs(np.count_nonzero(places < rows.n // 2) - MOST_DRAWN // 2) < 205


def test_without_a_champion_the_mean_is_predicted() -> None:
    """No champion predicts the mean of the truth everywhere: its R² and bias are 0."""
    rows = Rows(50)
    tally = ErrorTally(rows.truth, {}, in_units=False)
    tally.add(rows.y, None, rows.challenger, {}, np.arange(50) + 1)
    outcomes = tally.errors().whole.outcomes
    assert outcomes.value("r2", "champion") == pytest.approx(0, abs=1e-12)
    assert outcomes.value("bias", "champion") == pytest.approx(0, abs=1e-12 * rows.y.mean())
    assert outcomes.value("rmse", "champion") == pytest.approx(rows.y.std(), rel=1e-12)


def test_losses_of_ones_own(tmp_path: Path) -> None:
    """A loss named by the policy is summed by row, block and segment; where it fails, nothing is."""
    (tmp_path / "late_losses.py").write_text(
        "import numpy as np\ndef late(y_true, y_pred):\n    return np.maximum(y_true - y_pred, 0)\n", encoding="utf-8"
    )
    rows = Rows(80)
    tally = ErrorTally(rows.truth, GROUPS, in_units=False, losses=["late_losses:late"])
    for part in (slice(30), slice(30, 80)):
        codes = {name: own[part] for name, own in rows.codes.items()}
        tally.add(rows.y[part], rows.champion[part], rows.challenger[part], codes, np.arange(80)[part] + 1)
    errors = tally.errors()
    late = np.maximum(rows.y - rows.challenger, 0)
    assert [loss.name for loss in errors.losses] == ["late_losses:late"]
    assert errors.whole.outcomes.value("late_losses:late", "challenger") == pytest.approx(late.mean(), rel=1e-12)
    assert errors.whole.units.losses["late_losses:late"][:, 1] == pytest.approx(late, rel=1e-12)
    inside = rows.codes["tier"] == 1
    tier = errors.segments["tier", "b"].outcomes
    assert tier.value("late_losses:late", "challenger") == pytest.approx(late[inside].mean(), rel=1e-12)


def look(column: Any, target: str = "price") -> Truth:
    """Look at a column of an Arrow table, as a file would have it."""
    pq.write_table(pa.table({target: column}), "look.parquet", row_group_size=7)
    return first_look(open_data("look.parquet"), target, {})


VALUES = [3.0, 1.0, 2.0, 4.0] * 8


@pytest.mark.parametrize(
    "column",
    [
        pa.array(VALUES),
        pa.array([int(value) for value in VALUES]),
        pa.array([str(value) for value in VALUES]),
        pa.array([f" {value} " for value in VALUES]),
        pa.array([str(value) for value in VALUES]).dictionary_encode(),
        pa.array([Decimal(int(value)) for value in VALUES], pa.decimal128(8, 2)),
        pa.array([*VALUES, None, None]),
        pa.array([*VALUES, float("nan")]),
        pa.array(VALUES, pa.float32()),
    ],
    ids=["doubles", "integers", "text", "padded", "categories", "decimals", "nulls", "nan", "floats"],
)
def test_a_look_reads_every_kind_of_number(column: pa.Array) -> None:
    """Mean, cuts and rows are the same of numbers however they are stored; rows without one are left out."""
    truth = look(column)
    assert (truth.target, truth.origin, truth.n) == ("price", 2.5, 32)
    assert truth.cuts.tolist() == [2, 3, 4]


def test_a_look_at_a_text_file(tmp_path: Path) -> None:
    """A CSV's target is text that reads as numbers; its row is told where it does not."""
    path = tmp_path / "t.csv"
    path.write_text("x,price\n1,2.5\n1,\n1,3.5\n", encoding="utf-8")
    found = first_look(open_data(str(path)), "price", {"price": pa.string(), "x": pa.string()})
    assert (found.origin, found.n) == (3.0, 2)
    path.write_text("x,price\n1,2.5\n1,\n1,abc\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"^Target 'price' must be a number, got 'abc' in row 3\. Hint: mend"):
        first_look(open_data(str(path)), "price", {"price": pa.string()})
    with pytest.raises((InvalidInputError, NotFoundError), match="has no column 'prise'"):
        first_look(open_data(str(path)), "prise", {})


@given(st.lists(st.one_of(st.integers(0, 5), st.floats(-1e6, 1e6)), min_size=1, max_size=80))
def test_bands_hold_about_a_tenth(values: list[float]) -> None:
    """Bands are at most ten, none is empty, and their cuts are deciles of the truth."""
    truth = first_look(open_data(pd.DataFrame({"y": np.array(values, dtype=float)})), "y", {})
    assert truth.origin == pytest.approx(np.mean(values), rel=1e-12, abs=1e-9)
    assert len(truth.cuts) <= 9
    assert (np.diff(truth.cuts) > 0).all()
    assert (len(truth.cuts) == 0) == (len(set(map(float, values))) == 1)
    counts = np.bincount(np.searchsorted(truth.cuts, values, side="right"), minlength=len(truth.cuts) + 1)
    assert (counts > 0).all()
    if len(set(map(float, values))) == len(values) >= 10:
        assert counts.max() <= len(values) / 10 + 2


def test_mostly_the_least_truth() -> None:
    """Where nine tenths of the truth are its least value, the rest is a band."""
    truth = look(pa.array([0.0] * 97 + [1.0, 2.0, 3.0]))
    assert truth.cuts.tolist() == [1.0]
    assert look(pa.array([7.0] * 9)).cuts.tolist() == []


def test_cuts_of_a_long_target() -> None:
    """Beyond the rows kept, deciles are those of a sample: within a percent of their share of the rows."""
    y = np.random.default_rng(0).permutation(300_000).astype(float)
    truth = first_look(open_data(pd.DataFrame({"y": y})), "y", {})
    assert truth.origin == pytest.approx(149_999.5)
    assert truth.n == 300_000
    assert truth.cuts / 300_000 == pytest.approx(np.arange(1, 10) / 10, abs=0.01)


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (pa.array([1.0] * 11 + [float("inf")]), r"Target 'price' must be a finite number, got inf in row 12\."),
        (pa.array([1.0, 1e80]), r"must be a number of at most 1e\+69 in size, got 1e\+80 in row 2\."),
        (pa.array(["1", None, "x1"]), r"must be a number, got 'x1' in row 3\."),
        (pa.array([True, False]), r"must be a number, got True in row 1\."),
        (pa.array([0], pa.timestamp("s")), r"must be a number, got 1970-01-01T00:00:00\.000 in row 1\."),
    ],
    ids=["inf", "huge", "text", "booleans", "times"],
)
def test_a_target_that_is_no_number(column: pa.Array, match: str) -> None:
    """A target that is no finite number is refused by name, value and row."""
    with pytest.raises(InvalidInputError, match=match):
        look(column)


@pytest.mark.parametrize(
    ("side", "given", "match"),
    [
        ("challenger", np.array([1.0, np.nan, 2.0]), r"^The challenger predicts nan in row 12; a regression needs a "),
        ("champion", np.array([1.0, 2.0, -np.inf]), r"^The champion predicts -inf in row 1,013; a regression needs a "),
        ("champion", np.array(["1", "cat", "2"]), r"^The champion predicts 'cat' in row 12; a regression needs a n"),
        ("challenger", np.array([1, None, 2], dtype=object), r"^The challenger predicts nan in row 12; a regression"),
        ("challenger", np.array([1.0, 1e300, 2]), r"predicts 1e\+300 in row 12; a regression needs a number of at"),
        ("challenger", np.array([True, False, True]), r"predicts True in row 11; a regression needs a number"),
        ("champion", np.ones((3, 2)), r"The champion must predict one number a row, got shape \(3, 2\) for 3 rows\. H"),
        ("champion", np.ones(2), r"The champion must predict one number a row, got shape \(2,\) for 3 rows"),
    ],
)  # fmt: skip
def test_predictions_that_are_no_numbers(side: str, given: npt.NDArray[Any], match: str) -> None:
    """A prediction that is no finite number is refused by its side, value and row in the data."""
    sides = {"champion": np.zeros(3), "challenger": np.zeros(3), side: given}
    tally = ErrorTally(Truth(target="price", origin=0.0, cuts=np.zeros(0), n=3), {}, in_units=False)
    with pytest.raises(InvalidInputError, match=match):
        tally.add(np.zeros(3), sides["champion"], sides["challenger"], {}, np.array([11, 12, 1013]))
    assert tally.errors().n == 0


@pytest.mark.parametrize(
    ("units", "match"),
    [
        (None, r"unit must be a column as long as the truth, got none"),
        (np.array([1, 2]), r"got shape \(2,\)"),
        (np.array(["u", None, None], dtype=object), r"unit must be there in every row, got 2 rows without one\. Hint"),
        (np.array([1.0, np.nan, 2.0]), r"got 1 row without one"),
    ],
)
def test_rows_without_a_unit_are_refused(units: npt.NDArray[Any] | None, match: str) -> None:
    """Where rows come in units, each needs one."""
    tally = ErrorTally(Truth(target="price", origin=0.0, cuts=np.zeros(0), n=3), {}, in_units=True)
    with pytest.raises(InvalidInputError, match=match):
        tally.add(np.zeros(3), np.zeros(3), np.zeros(3), {}, np.arange(3) + 1, units)
