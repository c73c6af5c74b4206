"""How a test set was used, whether it grew, and what of it was trained on: against real runs, pandas and SciPy."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abtest import honesty, tracking
from abtest.errors import InvalidInputError
from abtest.loaders.datasets import open_data
from abtest.loaders.fingerprints import Fingerprinter, Fingerprints
from abtest.loaders.rowhash import Hasher
from abtest.policy import Policy
from abtest.reuse import REUSES, Look
from tests import zoo
from tests.known import known

if TYPE_CHECKING:
    from abtest.labels import Side
    from abtest.registry import RegistryClient
    from abtest.reuse import Reuse

ONE, TWO = "1" * 32, "2" * 32
SIDES: dict[Side, str] = {"champion": "1", "challenger": "2"}
TYPES = {"x": pa.float64(), "z": pa.float64()}


def logged(registry: RegistryClient, challenger: str, digest: str = ONE) -> None:
    """Log a comparison as the reporter does, as far as counting goes."""
    tags = {
        "abtest.kind": "comparison", "abtest.data_digest": digest,
        "abtest.model_name": "iris", "abtest.challenger_version": challenger,
    }  # fmt: skip
    with tracking.open_run(registry.client, "abtest/iris", challenger, tags):
        pass


def counted(
    registry: RegistryClient | None, policy: Policy, *digests: str, challenger: str = "9", logged: bool = True
) -> honesty.Use:
    """Count the next use."""
    return honesty.counted_use(
        registry, policy, digests or (ONE,), model_name="iris", challenger=challenger, logged=logged
    )


@pytest.mark.parametrize("earlier", [0, 1, 6])
def test_each_policy_on_each_use(registry: RegistryClient, earlier: int) -> None:
    """Warnings start with the second use, spending with the first, and a second use is refused where that is asked."""
    for number in range(earlier):
        logged(registry, str(number))
    k = earlier + 1
    warned = counted(registry, Policy())
    assert (warned.number, warned.policy, warned.notice is None) == (k, Policy(), k == 1)
    spent = counted(registry, Policy(reuse="spend", confidence=0.9, margin=0.02))
    assert spent.number == k
    assert spent.policy.alpha == pytest.approx(0.1 / (k * (k + 1)), rel=1e-9)
    assert (spent.policy.margin, spent.policy.reuse) == (0.02, "spend")
    assert f"Use {k} of this test set: tested at" in str(spent.notice)
    if k == 1:
        assert counted(registry, Policy(reuse="refuse")) == honesty.Use(number=1, policy=Policy(reuse="refuse"))
    else:
        assert f"Use {k} of this test set" in str(warned.notice)
        with pytest.raises(InvalidInputError, match=f"reuse = 'refuse' allows one use of a test set, got use {k}"):
            counted(registry, Policy(reuse="refuse"))


@pytest.mark.parametrize("reuse", REUSES)
def test_a_known_challenger_keeps_its_number(registry: RegistryClient, reuse: Reuse) -> None:
    """Comparing a challenger again is no further use: it has the number, and the level, of its first time."""
    logged(registry, "5")
    logged(registry, "6")
    first = counted(registry, Policy(reuse=reuse), challenger="5")
    assert first.number == 1
    assert first.policy.alpha == pytest.approx(0.025 if reuse == "spend" else 0.05)


def test_uses_of_what_it_extends_count(registry: RegistryClient) -> None:
    """Challengers tried on an earlier part of the rows were tried on these rows; each counts once."""
    for challenger, digest in [("5", ONE), ("6", TWO), ("5", TWO)]:
        logged(registry, challenger, digest)
    assert counted(registry, Policy(), ONE).number == 2
    assert counted(registry, Policy(), ONE, TWO).number == 3
    assert counted(registry, Policy(), TWO, challenger="5").number == 2
    assert counted(registry, Policy(), "3" * 32).number == 1


@pytest.mark.parametrize("reuse", ["spend", "refuse"])
def test_what_is_not_counted_fails_closed(registry: RegistryClient, reuse: Reuse) -> None:
    """A policy that counts uses is refused where nobody asks MLflow or nothing is logged, with what to do."""
    told = rf"^reuse = '{reuse}' counts the uses of a test set in MLflow, and this comparison "
    for where, logs, why, hint in (
        (None, True, "asks none", "--tracking-uri"),
        (None, False, "asks none", "--tracking-uri"),
        (registry, False, "is not logged", "--log"),
    ):
        with pytest.raises(InvalidInputError, match=told + why) as refused:
            counted(where, Policy(reuse=reuse), logged=logs)
        assert refused.value.hint is not None
        assert hint in refused.value.hint
        assert "reuse = 'warn'" in refused.value.hint


def test_warnings_need_nowhere_to_count(registry: RegistryClient) -> None:
    """Without a registry no number is claimed; without logging the number is that of the uses there are, and one."""
    assert counted(None, Policy(), logged=False) == honesty.Use(number=None, policy=Policy())
    logged(registry, "5")
    assert counted(registry, Policy(), logged=False).number == 2
    assert honesty.earlier_looks(None, "iris") == ()
    assert honesty.earlier_looks(registry, None) == ()


def fingerprints(frame: pd.DataFrame, *marks: int) -> Fingerprints:
    """Read a frame's features ``x`` and ``z`` and its label ``y`` row by row."""
    reader = Fingerprinter(Hasher(columns=["x", "z"], target="y", types=TYPES), marks=marks)
    for batch in pa.Table.from_pandas(frame[["x", "z", "y"]], preserve_index=False).to_batches(max_chunksize=3):
        reader.add(batch)
    return reader.fingerprints()


def frame(rows: list[tuple[int, int, str]]) -> pd.DataFrame:
    """Rows of two features and a label."""
    return pd.DataFrame(rows, columns=["x", "z", "y"]).astype({"x": float, "z": float})


def look(rows: int, digest: str, **values: str) -> Look:
    """An earlier look of version 2 against version 1."""
    given = {"run_id": f"run-{rows}", "champion": "1", "challenger": "2", "data_digest": ONE, **values}
    return Look(rows=rows, rows_digest=digest, **given)  # type: ignore[arg-type] # all of them are texts


def test_a_part_looked_at_later_is_no_growth() -> None:
    """Rows looked at whole before a part of them was did not grow; looked at whole after it, they did."""
    part, whole = replace(look(20, "a"), at=2), look(40, "b")
    assert honesty.growth((part, replace(whole, at=1)), 40, SIDES, (5, 15)) == (None, ())
    assert honesty.growth((part, replace(whole, at=3)), 40, SIDES, (5, 15))[0] is not None


rows_of = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from("ab")), min_size=1, max_size=20)


@given(rows=rows_of, data=st.data())
def test_what_these_rows_extend(rows: list[tuple[int, int, str]], data: st.DataObject) -> None:
    """An earlier look is recognised where its rows are the first of these, all of them included, and nowhere else."""
    lengths = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
    earlier = [data.draw(rows_of)[:length] if data.draw(st.booleans()) else rows[:length] for length in lengths]
    looks = tuple(look(len(part), fingerprints(frame(part)).end.digest) for part in earlier)
    found = honesty.extended(looks, fingerprints(frame(rows), *(x.rows for x in looks)))
    expected = [x for x, part in zip(looks, earlier, strict=True) if rows[: len(part)] == part]
    assert list(found) == expected
    assert honesty.extended(looks, None) == ()


def test_growth_is_of_the_same_pair_on_fewer_rows() -> None:
    """Of the looks that these rows extend, the longest shorter one of the same two models is what they grew from."""
    looks = (
        look(10, "a"),
        look(30, "a"),
        look(20, "a"),
        look(40, "a"),
        look(35, "a", challenger="3"),
        look(36, "a", champion="4"),
    )
    found, (notice,) = honesty.growth(looks, 40, SIDES, (5, 15))
    assert found is not None
    assert (found.rows, found.run_id) == (30, "run-30")
    assert found.log_evidence == pytest.approx(1.1695678393, abs=1e-9)  # Lindon & Malek's mixture at a = 1, (15, 5)
    assert found.pvalue == pytest.approx(math.exp(-1.1695678393), rel=1e-9)
    assert notice.startswith("The first 30 of these rows were looked at before with the same two models (run run-30).")
    assert "p = 0.311, with evidence E = 3.221" in notice
    assert honesty.growth((look(40, "a"), look(5, "a", challenger="3")), 40, SIDES, (5, 15)) == (None, ())
    assert honesty.growth((), 40, SIDES, (5, 15)) == (None, ())


@pytest.mark.parametrize(
    ("b", "c", "p", "written"), [(20, 30, 1.0, "0.4684"), (0, 0, 1.0, "1.000"), (0, 400, 0, "10^118")]
)
def test_evidence_of_any_size_is_written(b: int, c: int, p: float, written: str) -> None:
    """Evidence against, of none, and too large for a table is written, and p stays in [0, 1]."""
    found, (notice,) = honesty.growth((look(3, "a"),), 900, SIDES, (b, c))
    assert found is not None
    assert found.pvalue == pytest.approx(p, abs=1e-100)
    assert f"with evidence E = {written}." in notice


@given(rows=rows_of)
def test_repeated_rows_are_those_of_pandas(rows: list[tuple[int, int, str]]) -> None:
    """The rows that repeat an earlier one are counted as pandas counts them, and said only where there are any."""
    duplicates = int(frame(rows).duplicated().sum())
    read = fingerprints(frame(rows))
    assert read.duplicates == duplicates
    notices = honesty.repeated(read)
    assert len(notices) == bool(duplicates)
    if duplicates:
        noun, verb = ("row", "repeats") if duplicates == 1 else ("rows", "repeat")
        share = f"{100 * duplicates / len(rows):.1f} %"
        assert notices[0].startswith(f"{duplicates} {noun} ({share}) {verb} an earlier one, label and all")
    assert honesty.repeated(None) == ()


FORMATS = {"frame": None, "csv": "t.csv", "parquet": "t.parquet", "json lines": "t.jsonl"}


def stored(train: pd.DataFrame, name: str | None) -> str | pd.DataFrame:
    """Write training data to a file, unless they stay a frame."""
    if name is None:
        return train
    if name.endswith("csv"):
        train.to_csv(name, index=False)
    elif name.endswith("parquet"):
        train.to_parquet(name)
    else:
        train.to_json(name, orient="records", lines=True)
    return name


def is_pandas_merge(test: pd.DataFrame, train: pd.DataFrame, source: str | pd.DataFrame) -> None:
    """Check what was found in the training data against pandas merges and SciPy's chi-square."""
    found, notices = honesty.training(fingerprints(test), source, 0.05)
    numbered = test.assign(row=np.arange(1, len(test) + 1))
    whole = numbered.merge(train.drop_duplicates(), on=["x", "z", "y"])
    features = numbered.merge(train[["x", "z"]].drop_duplicates(), on=["x", "z"])
    leaked = sorted(whole["row"].tolist())
    conflicting = set(features["row"]) - set(leaked)
    assert (found.n, found.leaked, found.conflicting) == (len(train), len(leaked), len(conflicting))
    assert found.first_rows == tuple(leaked[:5])
    labels = sorted({*train["y"], *test["y"]})
    counts = np.array([[int((side["y"] == label).sum()) for label in labels] for side in (train, test)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert found.total_variation == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2, abs=1e-12)
    expected = 1.0 if len(labels) == 1 else stats.chi2_contingency(counts, correction=False).pvalue
    assert found.pvalue == pytest.approx(expected, abs=1e-12)
    said = [any(part in notice for notice in notices) for part in ("by heart", "another label", "mix the classes")]
    shifted = known(found.pvalue) < 0.05 and known(found.total_variation) >= 0.05
    assert said == [bool(leaked), bool(conflicting), shifted]
    assert len(notices) == sum(said)
    if leaked:
        assert f"first: row {leaked[0]})" in notices[0]


@given(test=rows_of, train=rows_of)
def test_leaks_are_those_of_a_merge(test: list[tuple[int, int, str]], train: list[tuple[int, int, str]]) -> None:
    """Leaked and conflicting rows, first rows, and the classes' mix are what pandas and SciPy find."""
    is_pandas_merge(frame(test), frame(train), frame(train))


def mixed(rows: int, share: float) -> pd.DataFrame:
    """Rows of few features, so that many are alike, with this share of the first class."""
    rng = np.random.default_rng(rows)
    features = rng.integers(0, 9, (2, rows)).astype(float)
    return pd.DataFrame({"x": features[0], "z": features[1], "y": np.where(rng.random(rows) < share, "a", "b")})


@pytest.mark.parametrize("name", FORMATS.values(), ids=FORMATS)
def test_leaks_from_every_format(name: str | None) -> None:
    """Training data in another format, with columns in another order and others beside, have the same leaks."""
    test, train = mixed(80, 0.5), mixed(300, 0.9)
    source = stored(train.assign(comment="x,y")[["comment", "y", "z", "x"]], name)
    is_pandas_merge(test, train, source)
    if isinstance(source, str):
        assert honesty.training(fingerprints(test), source, 0.05)[0].path == source


def test_features_are_read_as_the_models_are_fed() -> None:
    """Text that looks like a number stays text in a CSV of training data, where the models take text: 007 is no 7."""
    hasher = Hasher(columns=["x"], target="y", types={"x": pa.string()})
    reader = Fingerprinter(hasher)
    reader.add(pa.RecordBatch.from_pydict({"x": ["007", "7", "8"], "y": ["a", "a", "a"]}))
    Path("t.csv").write_text("y,x\na,7\nb,8\na,9\n", encoding="utf-8")
    found, _ = honesty.training(reader.fingerprints(), "t.csv", 0.05)
    assert (found.leaked, found.conflicting, found.first_rows) == (1, 1, (2,))


def test_a_shift_that_does_not_matter_is_not_told() -> None:
    """Of many rows a small shift of the classes is significant; it is told only from five in a hundred on."""
    test = frame([(i, 0, "a" if i % 2 else "b") for i in range(4000)])
    small, large = (
        frame([(10_000 + i, 0, "a" if i % 1000 < share else "b") for i in range(4000)]) for share in (540, 560)
    )
    for train, told in ((small, False), (large, True)):
        found, notices = honesty.training(fingerprints(test), train, 0.05)
        assert known(found.pvalue) < 0.001
        assert (len(notices) == 1) is told


def test_training_data_that_do_not_fit(tmp_path: Path) -> None:
    """A missing column, a value of another type and no labels are named; credentials in a path are not."""
    read = fingerprints(frame([(1, 0, "a"), (2, 0, "b")]))
    with pytest.raises(InvalidInputError, match="the data frame has no column 'y'"):
        honesty.training(read, frame([(1, 0, "a")]).drop(columns="y"), 0.05)
    (tmp_path / "t.csv").write_text("x,z,y\n1,0,a\nmany,0,b\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="'many'"):
        honesty.training(read, tmp_path / "t.csv", 0.05)


def sources(path: Path) -> dict[str, str]:
    """Spellings of a file's place that MLflow records."""
    return {"relative": path.name, "absolute": str(path), "URI": path.as_uri()}


@pytest.mark.filterwarnings("ignore:The specified dataset source can be interpreted")  # MLflow's remark
@pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0")  # what MLflow asks of pandas
@pytest.mark.parametrize("spelling", ["relative", "absolute", "URI"])
@pytest.mark.parametrize("name", ["train.csv", "my train+data %20.csv"])
def test_training_data_that_a_run_logged(registry: RegistryClient, tmp_path: Path, spelling: str, name: str) -> None:
    """What ``mlflow.log_input`` logged as training data is found, however its place was spelled."""
    import mlflow
    from mlflow.data.pandas_dataset import from_pandas

    rows = frame([(1, 0, "a"), (2, 0, "b")])
    rows.to_csv(tmp_path / name, index=False)
    (tmp_path / "other.csv").write_text("x\n1\n", encoding="utf-8")
    with registry.active(), mlflow.start_run() as run:
        for place, context in (("other.csv", "testing"), ("https://example.org/far.csv", "training"),
                               (sources(tmp_path / name)[spelling], "training")):  # fmt: skip
            mlflow.log_input(from_pandas(rows, source=place, name=place[-9:]), context=context)
    found = honesty.logged_training(registry, run.info.run_id)
    assert Path(found).resolve() == tmp_path / name


@pytest.mark.parametrize(
    "source", ["", "null", "[1]", "{}", '{"uri": 3}', '{"uri": "gone.csv"}', '{"uri": "s3://b/t.csv"}']
)
def test_training_data_that_cannot_be_read_here(registry: RegistryClient, source: str) -> None:
    """A run whose training data are far, gone or not told names none, and the hint says what to do."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    tag = InputTag(key="mlflow.data.context", value="training")
    with tracking.open_run(registry.client, "training", "fit", {}) as run:
        entity = Dataset(name="train", digest="d", source_type="local", source=source)
        registry.client.log_inputs(run.run_id, datasets=[DatasetInput(dataset=entity, tags=[tag])])
    with pytest.raises(InvalidInputError, match=f"train-data: run {run.run_id} logged no training data") as none:
        honesty.logged_training(registry, run.run_id)
    assert none.value.hint == "name the file: --train-data FILE"


def test_no_run_has_no_training_data(registry: RegistryClient) -> None:
    """Without a registry, or without a run, there is nothing that could have logged any."""
    for where, run in ((None, "r"), (registry, None)):
        with pytest.raises(InvalidInputError, match="train-data 'run' needs a challenger that was logged by a run"):
            honesty.logged_training(where, run)


def test_differences_between_two_models(tmp_path: Path) -> None:
    """Columns that one side alone takes or takes in another type are listed, and packages with both versions."""
    narrow = zoo.save(zoo.linear, tmp_path / "narrow", inputs=zoo.signature(width="double", height="double"))
    wide = zoo.save(zoo.better, tmp_path / "wide", inputs=zoo.signature(width="long", depth="double"))
    for path, version in ((narrow, "1.0"), (wide, "2.0")):
        (Path(path) / "requirements.txt").write_text(f"mlflow\nfruitlib=={version}\n", encoding="utf-8")
    found = honesty.differences({"champion": narrow, "challenger": wide}, None)
    assert found is not None
    assert set(found.columns) == {
        "depth: double: challenger only", "height: double: champion only", "width: double → long",
    }  # fmt: skip
    assert found.packages == ("fruitlib 1.0 → 2.0",)
    same = honesty.differences({"champion": narrow, "challenger": narrow}, None)
    assert same is not None
    assert (same.columns, same.packages) == ((), ())


def test_differences_of_what_is_no_logged_model(tmp_path: Path) -> None:
    """With a side that was not logged nothing is compared; one that cannot be read is a notice, never an error."""
    model = zoo.save(zoo.linear, tmp_path / "model")
    for sides in itertools.chain([{}], ({side: model} for side in ("champion", "challenger"))):
        assert honesty.differences(sides, None) is None
    found = honesty.differences({"champion": model, "challenger": str(tmp_path / "gone")}, None)
    assert found is not None
    assert (found.columns, found.packages, len(found.notices)) == ((), (), 1)
    assert "cannot be read" in found.notices[0]


def test_a_locked_set_is_refused_for_what_it_shares() -> None:
    """One that was cut from the test set is refused, however long that is; one whose few values coincide is not."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=300), "z": rng.normal(size=300), "y": rng.choice(["a", "b"], 300)})
    few = pd.DataFrame({"x": rng.integers(0, 3, 300) * 1.0, "z": rng.integers(0, 2, 300) * 1.0, "y": ["a", "b"] * 150})
    other = pd.DataFrame({"x": rng.normal(size=100), "z": rng.normal(size=100), "y": ["a", "b"] * 50})
    whole = fingerprints(rows)
    for locked in (rows[-50:], rows, pd.concat([rows, other])):
        with pytest.raises(InvalidInputError, match=r"confirm-data the data frame shares \d+ rows of its \d+ with the"):
            honesty.refuse_overlap(whole, open_data(rows), open_data(locked))
    honesty.refuse_overlap(whole, open_data(rows), open_data(other))
    honesty.refuse_overlap(fingerprints(few), open_data(few), open_data(few.sample(100, random_state=1)))
