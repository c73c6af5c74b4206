"""Spark gives the tables of the local engine, bit for bit, and says what it does not do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from abtest.engines import local
from abtest.engines.spark import Engine
from abtest.engines.spark.session import check_java, check_master
from abtest.errors import AbtestError, BackendError, InvalidInputError, NotFoundError
from abtest.labels import SIDES
from abtest.loaders.datasets import open_data
from abtest.loaders.models import from_object, from_uri
from abtest.stats.histograms import JointHistogram
from abtest.workflow import compare
from tests import zoo
from tests.cli import shell
from tests.engines import clusters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abtest.engines.local import Several
    from abtest.loaders.models import Model

    Rule = Callable[[pd.DataFrame], Any]

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(bool(clusters.LACKS), reason=clusters.LACKS),
    # PySpark 4.3 says so wherever it starts to use pandas 3.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]
DOUBLES = dict.fromkeys(zoo.FEATURES, "double")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The engine on two cores of this machine, with one session for all tests."""
    found = Engine("local[2]")
    yield found
    found.end()


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Save a rule as a model, once."""
    folder, known = tmp_path_factory.mktemp("models"), dict[Any, str]()

    def saved(rule: Rule, **columns: str) -> str:
        key = (rule, *columns.items())
        if key not in known:
            inputs = zoo.signature(**(columns or DOUBLES))
            known[key] = zoo.save(rule, folder / str(len(known)), inputs=inputs)
        return known[key]

    return saved


def fruit(**columns: Any) -> pd.DataFrame:
    """Fruit, with columns of its own."""
    return zoo.fruit(120).assign(**columns)


def holes(value: object, where: Any) -> pd.Series[Any]:
    """A column of one value, empty in some rows."""
    column = pd.Series([value] * len(where), dtype=object)
    return column.where(~where, None)


def models(champion: str | None, *challengers: str) -> tuple[Model | None, list[Model]]:
    """Load both sides."""
    found = [from_uri("challenger", uri, None) for uri in challengers]
    for number, one in enumerate(found if len(found) > 1 else [], start=1):
        one.name = f"challenger {number}"
    return from_uri("champion", champion, None) if champion else None, found


def same(engine: Engine, sides: tuple[Model | None, list[Model]], data: Any, **options: Any) -> Several:
    """Score the same rows here and on Spark: every table is the same, to the last count."""
    options = {"target": "kind", **options}
    here = local.score_several(*sides, open_data(data), **options)
    there = engine.score_several(*sides, engine.open_data(data), **options)
    for one, other in zip(here.pairs, there.pairs, strict=True):
        assert one.table.to_dict() == other.table.to_dict()
        assert (one.majority, one.unlabelled) == (other.majority, other.unlabelled)
    assert here.between == there.between
    return there


def numbered(kind: Any) -> Rule:
    """Tell fruit apart by 0 and 1 of a type."""

    def rule(frame: pd.DataFrame) -> Any:
        return (frame["height"] > frame["width"] + 1).to_numpy().astype(kind)

    return rule


def test_every_type_of_label(engine: Engine, save: Callable[..., str]) -> None:
    """Labels of whatever type end as they do here, whatever Spark and MLflow make of them on the way."""
    truth = (zoo.fruit(120)["kind"] == "pear").astype("int64")
    cases = [("int64", "int64", "int32"), ("str", "uint8", "uint32"), ("bool", "bool", "object"),
             ("float32", "float32", "int8")]  # fmt: skip
    for kind, *sides in cases:
        fruit(kind=np.asarray(truth).astype(kind)).to_parquet(f"{kind}.parquet")
        same(engine, models(*(save(numbered(own)) for own in sides)), f"{kind}.parquet")
    with pytest.raises(AbtestError, match="Labels are bool but challenger predictions are str"):
        engine.score_several(*models(None, save(zoo.better)), engine.open_data("bool.parquet"), target="kind")


def test_segments(engine: Engine, save: Callable[..., str]) -> None:
    """Segments are found and told apart as here: text, dates, booleans, few numbers, many that are cut, and none."""
    n, rng = 120, np.random.default_rng(3)
    frame = fruit(
        region=holes("EU", np.arange(n) % 3 == 0).where(np.arange(n) % 2 == 0, "US"),
        age=rng.integers(18, 90, n),
        price=np.where(np.arange(n) % 7, np.round(rng.normal(10, 4, n), 1), np.nan),
        stars=rng.integers(1, 5, n).astype("float32"),
        fresh=np.arange(n) % 2 == 0,
        day=pd.to_datetime("2026-01-01") + pd.to_timedelta(np.arange(n) % 4, unit="D"),
        code=rng.integers(0, 40, n).astype(str),
    )
    frame.to_parquet("segments.parquet")
    names = ["region", "age", "price", "stars", "fresh", "day", "code", "region*age"]
    there = same(engine, models(save(zoo.linear), save(zoo.better)), "segments.parquet", segments=names)
    assert {segment.name for segment in there.pairs[0].table.segments} == set(names)


def hours(frame: pd.DataFrame) -> Any:
    """Tell fruit apart by the hour, and by whether there is one."""
    return np.where((frame["at"].dt.hour > 11) | frame["at"].isna(), "pear", "apple")


def test_times(engine: Engine, save: Callable[..., str]) -> None:
    """Times reach a model as here; those in nanoseconds, which Spark does not know, only matter where they are used."""
    at = pd.Series(pd.date_range("2026-03-29", periods=120, freq="37min"))
    frame = fruit(at=at.where(at.dt.minute != 37).astype("datetime64[us]"), zone=at.dt.tz_localize("Asia/Tokyo"))
    frame.to_parquet("rows.parquet")
    sides = models(save(hours, at="datetime"), save(hours, at="datetime"))
    same(engine, sides, "rows.parquet")
    frame.assign(at=frame["at"].astype("datetime64[ns]")).to_parquet("nano.parquet", version="2.6")
    same(engine, models(save(zoo.linear), save(zoo.better)), "nano.parquet")
    with pytest.raises(InvalidInputError, match=r"Column 'at' must be timestamp\[ns\] for the champion, got bigint"):
        engine.score_several(*sides, engine.open_data("nano.parquet"), target="kind")


def test_tables(engine: Engine, save: Callable[..., str]) -> None:
    """A table by its name and a Spark data frame give what their rows give from a file, segments and all."""
    n = 1000
    some = np.arange(n) % 7 == 0
    frame = zoo.fruit(n).assign(region=holes("EU", some), price=np.random.default_rng(0).normal(10, 4, n))
    frame.loc[frame.index % 5 == 0, "price"] = np.nan
    frame.to_parquet("rows.parquet")
    rows = engine.session.read.parquet("file://" + os.path.abspath("rows.parquet"))  # noqa: PTH100 - a path as text
    rows.repartition(3).createOrReplaceTempView("fruit_rows")
    sides = models(save(zoo.linear), save(zoo.better))
    options: dict[str, Any] = {"target": "kind", "segments": ["region", "price"]}
    here = local.score_several(*sides, open_data("rows.parquet"), **options).pairs[0].table
    for source in ("fruit_rows", "table:fruit_rows", rows, f"file://{os.path.abspath('rows.parquet')}"):  # noqa: PTH100 - see above
        data = engine.open_data(source)
        assert engine.score_several(*sides, data, **options).pairs[0].table.to_dict() == here.to_dict()
    digest = engine.open_data("fruit_rows").digest()
    assert digest == engine.open_data(rows).digest()
    rows.where("price is null or price > 0").createOrReplaceTempView("fewer_rows")
    assert digest != engine.open_data("fewer_rows").digest()
    told = compare(save(zoo.linear), save(zoo.better), data="fruit_rows", engine="spark", segments=["region"],
                   target="kind")  # fmt: skip
    assert (told.record.data.target, told.record.data.path, told.record.data.digest) == ("kind", "fruit_rows", digest)
    with pytest.raises(InvalidInputError, match="is a Delta table, and this Spark has no Delta package"):
        engine.open_data("delta:/nowhere")


def test_several_challengers_files_and_a_baseline(engine: Engine, save: Callable[..., str], tmp_path: Path) -> None:
    """A folder and a glob are one set of rows; several challengers and the baseline are counted in one pass."""
    folder = tmp_path / "rows of [fruit]"
    folder.mkdir()
    for at, part in enumerate(np.array_split(np.arange(120), 3)):
        fruit().iloc[part].to_parquet(folder / f"part={at}.parquet")
    ours = [save(rule) for rule in (zoo.better, zoo.stranger, zoo.linear)]
    found = same(engine, models(save(zoo.linear), *ours), str(folder))
    assert any("'quince', never seen in the truth" in notice for notice in found.pairs[1].notices)
    same(engine, models(None, ours[0]), str(folder))


def test_files_of_mixed_schemas(engine: Engine, save: Callable[..., str], tmp_path: Path) -> None:
    """Files that hold a column in different types are each read in their own, and cast as here."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    truth = (zoo.fruit(120)["kind"] == "pear").astype("int64")
    whole = fruit(kind=truth, width=np.arange(120) % 9, unused="x")
    whole.to_parquet(folder / "a.parquet")
    whole.astype({"width": "int32", "height": "float32", "kind": "int8"}).to_parquet(folder / "b.parquet")
    whole[["kind", "height", "width"]].to_parquet(folder / "c.parquet")
    found = same(engine, models(save(numbered("int64")), save(numbered("int64"))), str(folder))
    assert any("cast to the champion's signature" in notice for notice in found.pairs[0].notices)
    whole.astype({"kind": str}).to_parquet(folder / "d.parquet")
    with pytest.raises(InvalidInputError, match=r"Column 'kind' of .*d\.parquet is of type .*, and of type int64 in a"):
        engine.score_several(*models(None, save(zoo.better)), engine.open_data(str(folder)), target="kind")
    whole.drop(columns="height").to_parquet(folder / "d.parquet")
    with pytest.raises(InvalidInputError, match=r"d\.parquet has no column 'height', which a\.parquet has"):
        engine.score_several(*models(None, save(zoo.better)), engine.open_data(str(folder)), target="kind")


def test_empty_cells(engine: Engine, save: Callable[..., str]) -> None:
    """An empty cell is what it is here, in each column: a missing number or text, a refused whole one, no label."""
    some = np.arange(120) % 11 == 0
    frame = fruit(name=holes("x", some), n=holes(1, some).astype("Int64"))
    frame.loc[some, "width"] = np.nan
    frame.to_parquet("empty.parquet")

    def counts(rows: pd.DataFrame) -> Any:
        return np.where(rows["width"].isna() | rows["name"].isna(), "pear", "apple")

    same(engine, models(save(zoo.linear), save(counts, width="double", name="string")), "empty.parquet")
    whole = save(zoo.linear, width="double", height="double", n="long")
    with pytest.raises(InvalidInputError, match=r"Column 'n' must be int64 for the champion and is empty in 11 rows"):
        engine.score_several(*models(whole, whole), engine.open_data("empty.parquet"), target="kind")
    frame.loc[frame.index % 13 == 0, "kind"] = None
    frame.to_parquet("unlabelled.parquet")
    same(engine, models(save(zoo.linear), save(zoo.better)), "unlabelled.parquet", drop_unlabelled=True)
    with pytest.raises(InvalidInputError, match="Target 'kind' is missing in 10 rows") as refusal:
        engine.score_several(*models(None, save(zoo.better)), engine.open_data("unlabelled.parquet"), target="kind")
    assert "--drop-unlabelled" in str(refusal.value)
    frame.assign(kind=frame["kind"].where(frame["width"] < 0)).to_parquet("none.parquet")
    with pytest.raises(InvalidInputError, match="nothing to compare on: all 120 rows lack a label"):
        engine.score_several(
            *models(None, save(zoo.better)), engine.open_data("none.parquet"), target="kind", drop_unlabelled=True
        )


def late(rule: Rule) -> Rule:
    """Behave on the first rows, and later no more."""

    def found(frame: pd.DataFrame) -> Any:
        return rule(frame) if (frame["width"] > 100).any() else zoo.linear(frame)

    return found


def nothing(frame: pd.DataFrame) -> list[str | None]:
    """Say nothing about what is very wide."""
    return [None if width > 100 else "pear" for width in frame["width"]]


def test_a_model_that_fails_late(engine: Engine, save: Callable[..., str]) -> None:
    """What is wrong with a model only where Spark asks it is told in a sentence, without a traceback."""
    frame = zoo.fruit(3000)
    frame.loc[2990:, "width"] = 101
    frame.to_parquet("late.parquet")
    data = engine.open_data("late.parquet")
    with pytest.raises(InvalidInputError, match=r"A model failed on Spark: RuntimeError: cannot weigh it"):
        engine.score_several(*models(None, save(late(zoo.raises))), data, target="kind")
    with pytest.raises(InvalidInputError, match="The challenger predicts nothing for 10 rows"):
        engine.score_several(*models(None, save(late(nothing))), data, target="kind")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (zoo.raises, "The challenger failed to predict rows"),
        (zoo.two_columns, "predicts 2 values a row"),
        (zoo.too_few, "returned predictions of shape"),
        (zoo.probabilities, "Challenger predictions are not class labels"),
    ],
)  # fmt: skip
def test_a_model_that_fails_at_once(engine: Engine, save: Callable[..., str], rule: Rule, told: str) -> None:
    """What is wrong with a model on the first rows is told as here, before Spark asks it."""
    fruit().to_parquet("rows.parquet")
    with pytest.raises(AbtestError, match=told):
        engine.score_several(*models(None, save(rule)), engine.open_data("rows.parquet"), target="kind")


def test_values_that_do_not_fit(engine: Engine, save: Callable[..., str]) -> None:
    """A value that the signature's type does not hold is refused; what is rounded is said."""
    fruit(width=np.where(np.arange(120) == 7, 1.5, 1.0)).to_parquet("rows.parquet")
    data = engine.open_data("rows.parquet")
    with pytest.raises(InvalidInputError, match=r"Column 'width' must be int64, got 1\.5 \(1 row in all\)"):
        engine.score_several(*models(None, save(zoo.better, width="long", height="double")), data, target="kind")
    with pytest.raises(InvalidInputError, match="does not cast"):
        engine.score_several(*models(None, save(zoo.better, width="string", height="double")), data, target="kind")
    single = save(zoo.better, width="float", height="float")
    found = same(engine, models(single, single), "rows.parquet")
    assert any("1 column lost digits" in notice for notice in found.pairs[0].notices)


def test_objects_that_predict(engine: Engine) -> None:
    """An estimator that was never logged is sent to the workers; one that cannot be is told."""
    from sklearn.tree import DecisionTreeClassifier

    frame = fruit()
    frame.to_parquet("rows.parquet")
    tree = DecisionTreeClassifier(max_depth=1, random_state=0).fit(frame[["width"]], frame["kind"])
    deep = DecisionTreeClassifier(random_state=0).fit(frame[[*zoo.FEATURES]], frame["kind"])
    same(engine, (from_object("champion", tree), [from_object("challenger", deep)]), "rows.parquet")
    deep.lock = threading.Lock()
    with pytest.raises(InvalidInputError, match=r"The challenger cannot be sent to Spark's workers: TypeError"):
        engine.score_several(None, [from_object("challenger", deep)], engine.open_data("rows.parquet"), target="kind")


def test_what_spark_does_not_do(engine: Engine, save: Callable[..., str]) -> None:
    """What the local engine alone does is refused, with its name."""
    fruit(y=1.5).to_parquet("rows.parquet")
    fruit().to_csv("rows.csv")
    sides, data = models(None, save(zoo.better)), engine.open_data("rows.parquet")
    with pytest.raises(InvalidInputError, match="compares classes"):
        engine.score_several(*sides, data, target="y", task="regression")
    with pytest.raises(InvalidInputError, match="--unit"):
        engine.score_several(*sides, data, target="kind", unit="width")
    with pytest.raises(InvalidInputError, match="continuous"):
        engine.score_several(*sides, data, target="y")
    with pytest.raises(InvalidInputError, match="has no target column 'sort'"):
        engine.score_several(*sides, data, target="sort")
    with pytest.raises(InvalidInputError, match=r"Parquet, Delta, or a table, got rows\.csv"):
        engine.open_data("rows.csv")
    with pytest.raises(InvalidInputError, match="a data frame in memory"):
        engine.open_data(fruit())
    with pytest.raises(NotFoundError, match=r"nowhere\.parquet does not exist"):
        engine.open_data("nowhere.parquet")
    with pytest.raises(NotFoundError, match="neither a file nor a table"):
        engine.open_data("nowhere")
    with pytest.raises(InvalidInputError, match="this process has a Spark session on 'local"):
        Engine("spark://127.0.0.1:7077").session.range(1)


def test_a_comparison_is_the_same(engine: Engine, save: Callable[..., str]) -> None:
    """A comparison on Spark has the record of one made here, but for what Spark does not see; its session stays."""
    fruit(region=np.arange(120) % 3).to_parquet("rows.parquet")
    session = engine.session
    sides = save(zoo.linear), save(zoo.better)
    here, there = (
        compare(*sides, data="rows.parquet", segments=["region"], engine=name).record.to_dict()
        for name in ("local", "spark")
    )
    unseen = {"created_at", "notices", "champion", "challenger", "data", "settings"}
    assert {key: here[key] for key in here.keys() - unseen} == {key: there[key] for key in there.keys() - unseen}
    for part, keys in (("data", {"rows", "rows_digest", "duplicates"}), ("settings", {"engine"})):
        assert {key for key in here[part] if here[part][key] != there[part][key]} == keys
    assert here["champion"] | {"latency": None} == there["champion"]
    assert any("Scored on Spark" in notice for notice in there["notices"])
    assert session.range(3).count() == 3
    with pytest.raises(InvalidInputError, match="train-data cannot be joined with --engine spark"):
        compare(*sides, data="rows.parquet", engine="spark", train_data="rows.parquet")


def test_where_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine, a master or a Java that is not there is told in a sentence, before anything else."""
    with pytest.raises(InvalidInputError, match="engine must be one of local, spark, got 'dusk'"):
        compare(None, None, data="rows.parquet", engine="dusk")
    with pytest.raises(InvalidInputError, match="spark_master means nothing with engine 'local'"):
        compare(None, None, data="rows.parquet", spark_master="local")
    with pytest.raises(InvalidInputError, match=r"spark_master must be local\[N\], .*, got 'localhost:7077'"):
        check_master("localhost:7077")
    with pytest.raises(InvalidInputError, match="must be spark://HOST:PORT, got 'spark://localhost'"):
        check_master("spark://localhost")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        with pytest.raises(BackendError, match="does not answer: Connection refused"):
            check_master(f"spark://127.0.0.1:{held.getsockname()[1]}")
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(InvalidInputError, match="JAVA_HOME names /nowhere, which has no bin/java"):
        check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InvalidInputError, match="there is no java on the PATH"):
        check_java()
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(InvalidInputError, match=r"PySpark, which is not installed.*mlflow-abtest\[spark\]"):
        Engine().session.range(1)


def test_the_command_line(save: Callable[..., str], tmp_path: Path) -> None:
    """A session of its own is quiet: the terminal reads as of the local engine; an unknown engine is a usage error."""
    fruit().to_parquet("rows.parquet")
    sides = ["--champion-uri", save(zoo.linear), "--challenger-uri", save(zoo.better), "--no-log", "--no-save-plot"]
    told = {
        name: shell.run("compare", *sides, "--test-data", "rows.parquet", "--output", str(tmp_path / name),
                        "--format", "json", *options)
        for name, *options in (["local"], ["spark", "--engine", "spark", "--spark-master", "local[1]"])
    }  # fmt: skip
    assert told["spark"].returncode == 0, told["spark"].stderr
    here, there = (json.loads(told[name].stdout) for name in ("local", "spark"))
    assert here["outcomes"] == there["outcomes"]
    assert here["decision"] == there["decision"]
    assert told["spark"].stderr.replace("spark", "local").split("Report")[0] == told["local"].stderr.split("Report")[0]
    wrong = shell.run("compare", *sides, "--test-data", "rows.parquet", "--engine", "dusk")
    assert (wrong.returncode, "one of local, spark, got 'dusk'" in wrong.stderr) == (2, True)
    idle = shell.run("compare", *sides, "--test-data", "rows.parquet", "--spark-master", "local")
    assert (idle.returncode, "--engine spark" in idle.stderr) == (2, True)
    kept = shell.run("compare", *sides, "--test-data", "rows.parquet", "--engine", "spark", "--cache")
    assert (kept.returncode, "--engine spark" in kept.stderr) == (2, True)


def logged(folder: Path, estimator: Any, frame: pd.DataFrame, method: str = "predict") -> str:
    """Fit an estimator on fruit, and save it as MLflow does."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    features = frame[[*zoo.FEATURES]]
    fitted = estimator.fit(features, frame["kind"])
    mlflow.sklearn.save_model(
        fitted, folder, signature=infer_signature(features), pyfunc_predict_fn=method,
        pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
    )  # fmt: skip
    return str(folder)


@pytest.mark.parametrize("kinds", [("apple", "pear"), ("apple", "pear", "quince")], ids=["two", "three"])
def test_probabilities(engine: Engine, tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """Losses are those of the local engine to the twelfth digit, in all and by segment; every histogram is the same."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    frame = zoo.fruit(600).assign(region=np.arange(600) % 3)
    if len(kinds) > 2:
        frame.loc[frame["width"] > 8, "kind"] = "quince"
    frame.to_parquet("rows.parquet")
    uris = [
        logged(tmp_path / "a", LogisticRegression(C=0.01), frame.iloc[:300]),
        logged(tmp_path / "b", GaussianNB(), frame.iloc[:300], "predict_proba"),
    ]
    there = same(engine, models(uris[0], uris[1]), "rows.parquet", segments=["region"], scores=True).pairs[0]
    here = local.score_several(
        *models(uris[0], uris[1]), open_data("rows.parquet"), target="kind", segments=["region"], scores=True
    ).pairs[0]
    assert here.scores is not None
    assert there.scores is not None
    assert (there.scores.classes, there.scores.n, there.scores.kind) == (kinds, 600, "probability")
    assert there.scores.segments.keys() == here.scores.segments.keys()
    for one, other in [(here.scores, there.scores), *((own, there.scores.segments[key])
                                                      for key, own in here.scores.segments.items())]:  # fmt: skip
        assert one.n == other.n
        for loss, moments in one.losses.items():
            for part in ("champion", "challenger", "difference"):
                ours, theirs = getattr(moments, part), getattr(other.losses[loss], part)
                assert (theirs.n, theirs.mean) == (ours.n, pytest.approx(ours.mean, rel=1e-12))
                assert theirs.squares == pytest.approx(ours.squares, rel=1e-12)
    for k, found in enumerate(there.scores.histograms):
        exact = JointHistogram.of(here.scores.truth == k, *(here.scores.column(side, k) for side in SIDES))
        for part in ("positives", "negatives"):
            assert np.array_equal(getattr(exact, part), getattr(found, part))
            for side in SIDES:
                assert np.array_equal(getattr(getattr(exact, side), part), getattr(getattr(found, side), part))
    assert any("its label is the class with the greatest" in notice for notice in there.notices)


def test_no_probabilities(engine: Engine, save: Callable[..., str], tmp_path: Path) -> None:
    """Why there are none is said, as here; values that are none are refused with a count."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    frame = fruit()
    frame.to_parquet("rows.parquet")
    data = engine.open_data("rows.parquet")
    good = logged(tmp_path / "a", LogisticRegression(), frame)
    ranks = logged(tmp_path / "b", LinearSVC(), frame)
    for champion, challenger, told in (
        (good, save(zoo.better), "the challenger has no probabilities"),
        (None, good, "there is no champion whose probabilities could be compared"),
        (ranks, good, "the champion has no probabilities. It only ranks, and --engine spark"),
    ):
        found = same(engine, models(champion, challenger), "rows.parquet", scores=True).pairs[0]
        assert found.scores is None
        assert told in found.unscored[0]

    class Doubtful(LogisticRegression):  # type: ignore[misc] # it ships no types
        def predict_proba(self, X: Any) -> Any:  # noqa: N803 - as scikit-learn names it
            return super().predict_proba(X) * 1.5

    bad = from_object("challenger", Doubtful().fit(frame[[*zoo.FEATURES]], frame["kind"]))
    with pytest.raises(InvalidInputError, match=r"must be in \[0, 1\], and are not in \d+ rows"):
        engine.score_several(from_uri("champion", good, None), [bad], data, target="kind", scores=True)


_ASK = """
from abtest.engines.spark import Engine
engine = Engine("local[1]")
try:
    engine.open_data("nosuchtable")
finally:
    engine.end()
"""


def test_nothing_of_sparks_is_left_in_the_folder(tmp_path: Path) -> None:
    """Asking for a table that is not there leaves no empty warehouse behind; one that was there stays."""
    for kept in (False, True):
        folder = tmp_path / str(kept)
        folder.mkdir()
        if kept:
            (folder / "spark-warehouse").mkdir()
        # In a process of its own: this one has a session.
        found = subprocess.run([sys.executable, "-c", _ASK], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        assert "NotFoundError" in found.stderr
        assert [path.name for path in folder.iterdir()] == (["spark-warehouse"] if kept else [])


def written(engine: Engine, model: Model, data: Path, folder: Path, **options: Any) -> pd.DataFrame:
    """Predict on Spark, and read back what it wrote, in the order of the rows."""
    fed = model.columns(open_data(data).columns, None)
    engine.write_predictions(
        model, engine.open_data(data), folder, fed=fed, kept=["id"], prediction="prediction", **options
    )
    return pd.read_parquet(folder).sort_values("id", ignore_index=True)


@pytest.mark.parametrize(
    "rule", [zoo.linear, numbered(np.int64), numbered(bool), numbered(np.int32), numbered(np.uint64), zoo.probabilities]
)
def test_predictions_are_written_as_they_are_here(
    engine: Engine, save: Callable[..., str], tmp_path: Path, rule: Rule
) -> None:
    """A folder holds the rows of several files, each with the prediction that the model gives here, of its type."""
    frame = fruit(id=range(120))
    (tmp_path / "in").mkdir()
    frame[:70].to_parquet(tmp_path / "in" / "a.parquet")
    frame[70:].to_parquet(tmp_path / "in" / "b.parquet")
    found = written(engine, from_uri("champion", save(rule), None), tmp_path / "in", tmp_path / "out")
    expected = np.asarray(rule(frame))
    assert found["prediction"].tolist() == expected.tolist()
    assert found["prediction"].dtype.kind == pd.Series(expected).dtype.kind.replace("u", "i")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_predictions_that_fail_leave_no_folder(engine: Engine, save: Callable[..., str], tmp_path: Path) -> None:
    """A model that raises, says nothing of some rows, or has no probabilities, leaves none."""
    data = tmp_path / "in.parquet"
    fruit(id=range(120)).to_parquet(data)
    for rule, options, says in (
        (zoo.raises, {}, "failed to predict"),
        (zoo.silent, {}, "predicts nothing for"),
        (zoo.linear, {"probability": "p_{}".format}, "has no probabilities"),
    ):
        with pytest.raises(InvalidInputError, match=says):
            written(engine, from_uri("champion", save(rule), None), data, tmp_path / "out", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
