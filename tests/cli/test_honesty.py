"""An honest test set, from the command typed to JSON, report and MLflow: used, grown, locked, leaked, in units."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from abtest.decision import Verdict, decide
from abtest.policy import Policy
from abtest.record import ComparisonRecord
from abtest.registry import RegistryClient
from abtest.reuse import uses
from abtest.stats.bayes import accuracy_posterior
from abtest.stats.clusters import UnitTally, cluster_test
from tests import zoo
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Told

    Typed = Callable[..., Told]

QUICK = ("--resamples", "100", "--no-save-plot")


@dataclasses.dataclass(frozen=True)
class Bench:
    """A folder with a registry, and the command line typed in it."""

    cli: Typed
    registry: RegistryClient

    def typed(
        self, *options: str, data: str = "t.csv", champion: str = "1", challenger: str = "2", code: int = 0
    ) -> Told:
        """Type ``abtest compare`` for two versions of the fruit's model."""
        sides = ("--model-name", "fruit", "--champion-version", champion, "--challenger-version", challenger)
        return self.cli("compare", *sides, "--test-data", data, "--target", "kind", *QUICK, *options, code=code)

    def record(self, *options: str, **where: Any) -> ComparisonRecord:
        """What the command prints as JSON."""
        return ComparisonRecord.from_dict(json.loads(self.typed(*options, "--format", "json", **where).out))

    def runs(self) -> list[Any]:
        """Comparisons that were logged, the latest first."""
        client = self.registry.client
        experiment = client.get_experiment_by_name("abtest/fruit")
        return [] if experiment is None else [*client.search_runs([experiment.experiment_id])]

    def stages(self) -> dict[int, str | None]:
        """Where each version stands."""
        return {version.version: version.stage for version in self.registry.versions("fruit")}


@pytest.fixture
def bench(stocked: RegistryClient, cli: Typed) -> Bench:
    """The fruit's models, and 60 rows of which the challenger alone is right on 6: p = 1/64 once, 7/64 at any look."""
    rows(0, 60).to_csv("t.csv", index=False)
    return Bench(cli, stocked)


def rows(start: int, end: int) -> pd.DataFrame:
    """Rows of the fruit; of ten in a row the challenger alone is right on one, and both on the others."""
    return zoo.fruit(400)[start:end]


def policy(**values: Any) -> tuple[str, str]:
    """Write a policy, and the option that names it."""
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    Path("policy.toml").write_text(text, encoding="utf-8")
    return "--policy", "policy.toml"


def page(name: str = "*") -> str:
    """The latest report's text with plain spaces."""
    folder = max(Path("reports").glob(name), key=lambda path: path.stat().st_mtime_ns)
    return " ".join((folder / "report.html").read_text(encoding="utf-8").split())


def said(record: ComparisonRecord, part: str) -> bool:
    """Whether a notice says so."""
    return any(part in notice for notice in record.notices)


# Uses


def test_each_challenger_is_a_use_of_the_test_set(bench: Bench) -> None:
    """Challengers are numbered as they are first compared, from the second on with a notice; again is free."""
    for challenger, use in [("2", 1), ("3", 2), ("10", 3), ("2", 1), ("3", 2)]:
        record = bench.record(challenger=challenger)
        assert record.data.uses == use
        assert said(record, f"Use {use} of this test set: if none of {use} challengers") is (use > 1)
        assert f"use {use} of this test set" in page(f"fruit-v1-vs-v{challenger}-*")
    told = bench.typed(challenger="10")
    assert "Note: Use 3 of this test set" in told.out
    assert {run.data.tags["abtest.data_digest"] for run in bench.runs()} == {record.data.digest}


def test_what_is_not_logged_is_not_counted(bench: Bench) -> None:
    """--no-log leaves no use behind, but knows those there are."""
    assert bench.record("--no-log").data.uses == 1
    assert bench.record("--no-log", challenger="3").data.uses == 1
    assert bench.record(challenger="3").data.uses == 1
    assert bench.record("--no-log").data.uses == 2


def test_the_content_is_the_test_set(bench: Bench) -> None:
    """A copy elsewhere, and the same rows in another format, are the same test set; one row less is another."""
    bench.record()
    Path("elsewhere").mkdir()
    shutil.copy("t.csv", "elsewhere/copy.csv")
    rows(0, 60).to_parquet("t.parquet")
    rows(0, 59).to_csv("less.csv", index=False)
    rows(60, 120).to_csv("fresh.csv", index=False)
    found = {
        data: bench.record("--no-log", data=data, challenger="3").data.uses
        for data in ("elsewhere/copy.csv", "t.parquet", "less.csv", "fresh.csv")
    }
    assert found == {"elsewhere/copy.csv": 2, "t.parquet": 2, "less.csv": 1, "fresh.csv": 1}


def test_spending_leaves_each_use_less(bench: Bench) -> None:
    """With reuse = "spend" use k is tested at alpha/(k(k+1)): p = 1/64 is enough at the first, not at the second."""
    spend = policy(reuse="spend")
    asked = Policy(reuse="spend")
    for challenger, k, verdict in [
        ("2", 1, Verdict.PROMOTE), ("3", 2, Verdict.INSUFFICIENT_EVIDENCE), ("2", 1, Verdict.PROMOTE),
    ]:  # fmt: skip
        record = bench.record(*spend, challenger=challenger)
        level = 0.05 / (k * (k + 1))
        assert known(record.mcnemar).pvalue == pytest.approx(1 / 64)
        assert record.settings.policy.confidence == pytest.approx(1 - level, rel=1e-12)
        assert record.decision.reason("significance").bound == pytest.approx(level, rel=1e-9)
        assert record.decision.verdict is verdict
        assert said(record, f"Use {k} of this test set: tested at {level:.2g} (0.05 / ({k}·{k + 1}))")
        assert record.provenance.policy_digest == asked.digest != record.settings.policy.digest
        assert decide(record.evaluation, record.settings.policy) == record.decision
    assert {run.data.tags["abtest.policy_digest"] for run in bench.runs()} == {asked.digest}


def test_a_second_use_is_refused_before_any_scoring(bench: Bench) -> None:
    """With reuse = "refuse" the second challenger is refused unscored: exit 1, a hint, and nothing moves or is left."""
    refuse = policy(reuse="refuse")
    bench.record(*refuse)
    before, stages, reports = len(bench.runs()), bench.stages(), sorted(Path("reports").iterdir())
    for challenger in ("3", "4"):  # version 4 raises as soon as it is asked to predict
        told = bench.typed(*refuse, "--auto-promote", challenger=challenger, code=1)
        assert told.error.startswith("reuse = 'refuse' allows one use of a test set, got use 2. Hint: test on rows")
        assert told.out == ""
    assert "cannot weigh it" in bench.typed("--no-log", challenger="4", code=1).error
    assert (len(bench.runs()), bench.stages(), sorted(Path("reports").iterdir())) == (before, stages, reports)
    assert bench.record(*refuse).data.uses == 1


@pytest.mark.parametrize("reuse", ["spend", "refuse"])
def test_uses_that_cannot_be_counted_fail_closed(bench: Bench, tmp_path: Path, reuse: str) -> None:
    """Unlogged, without models, or without a registry, a policy that counts uses ends in one line and no report."""
    limited = policy(reuse=reuse)
    frame = rows(0, 60)
    frame.assign(a=zoo.linear(frame), b=zoo.better(frame)).to_csv("p.csv", index=False)
    inputs = zoo.signature(width="double", height="double")
    saved = [zoo.save(rule, tmp_path / "saved" / rule.__name__, inputs=inputs) for rule in (zoo.linear, zoo.better)]
    paths = ("--champion-uri", saved[0], "--challenger-uri", saved[1])
    columns = ("--champion", "a", "--challenger", "b", "--target", "kind")
    files = ("compare", *paths, "--test-data", "t.csv", "--target", "kind", *QUICK)
    counts = f"reuse = '{reuse}' counts the uses of a test set in MLflow, and this comparison "
    assert bench.typed(*limited, "--no-log", code=1).error.startswith(f"{counts}is not logged. Hint: log it (--log")
    for command in (("compare-predictions", "p.csv", *columns, *QUICK), files, (*files, "--log")):
        told = bench.cli(*command, *limited, code=1)
        assert told.error.startswith(
            f"{counts}asks none. Hint: compare registered models, or name one (--tracking-uri)"
        )
        assert told.out == ""
    assert not Path("reports").exists() or not [*Path("reports").iterdir()]
    # The hint can be acted on.
    told = bench.cli(*files, *limited, "--tracking-uri", bench.registry.tracking_uri, "--format", "json")
    assert json.loads(told.out)["data"]["uses"] == 1


# Growth


def grown(name: str) -> str:
    """Write sixty rows, of which forty were looked at, in the format the file's name says."""
    frame = rows(0, 60)
    if name.endswith("csv"):
        frame.to_csv(name, index=False)
    elif name.endswith("parquet"):
        frame.to_parquet(name)
    else:
        frame.to_json(name, orient="records", lines=True)
    return name


@pytest.fixture
def looked(bench: Bench) -> str:
    """A first look at forty rows, which shows nothing; its run."""
    rows(0, 40).to_csv("first.csv", index=False)
    assert bench.record(data="first.csv").decision.verdict is Verdict.INSUFFICIENT_EVIDENCE
    return str(bench.runs()[0].info.run_id)


@pytest.mark.parametrize("name", ["grown.csv", "grown.parquet", "grown.jsonl"])
def test_a_test_set_that_grew_is_judged_by_evidence(bench: Bench, looked: str, name: str) -> None:
    """Sixty rows of which forty were looked at are significant by McNemar, and not by the test valid at every look."""
    record = bench.record(data=grown(name))
    assert record.growth is not None
    assert (record.growth.rows, record.growth.run_id) == (40, looked)
    assert record.growth.pvalue == pytest.approx(7 / 64, rel=1e-9)
    assert known(record.mcnemar).pvalue == pytest.approx(1 / 64)
    assert record.decision.reason("significance").value == record.growth.pvalue
    assert record.decision.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert said(record, f"The first 40 of these rows were looked at before with the same two models (run {looked})")
    assert record.data.uses == 1
    assert f"run {looked}" in page()


def test_enough_rows_convince_at_every_look(bench: Bench, looked: str) -> None:
    """Ten rows to none are enough at the third look too, which is held against the last one before it."""
    del looked
    bench.record(data="t.csv")
    second = bench.runs()[0].info.run_id
    rows(0, 100).to_csv("more.csv", index=False)
    record = bench.record(data="more.csv")
    assert record.growth is not None
    assert (record.growth.rows, record.growth.run_id) == (60, second)
    assert record.growth.pvalue == pytest.approx(11 / 1024, rel=1e-9)
    assert record.decision.verdict is Verdict.PROMOTE


def test_what_is_no_growth(bench: Bench, looked: str) -> None:
    """The very same rows, fewer, fresh ones, a row changed in the middle, and another pair are judged by McNemar."""
    del looked
    shutil.copy("first.csv", "same.csv")
    rows(0, 30).to_csv("fewer.csv", index=False)
    rows(60, 120).to_csv("fresh.csv", index=False)
    middle = np.arange(60) == 20
    frame = rows(0, 60)
    frame.assign(width=frame["width"] + 0.01 * middle).to_csv("changed.csv", index=False)
    kinds = np.where(middle, np.where(frame["kind"] == "pear", "apple", "pear"), frame["kind"])
    frame.assign(kind=kinds).to_csv("relabelled.csv", index=False)
    rows(0, 60)[::-1].to_csv("reversed.csv", index=False)
    for data in ("same", "fewer", "fresh", "changed", "relabelled", "reversed"):
        record = bench.record("--no-log", data=f"{data}.csv")
        assert record.growth is None, data
        assert record.decision.reason("significance").value == known(record.mcnemar).pvalue
    other = bench.record("--no-log", challenger="3")
    assert (other.growth, other.data.uses) == (None, 2)  # its rows were used before, by another challenger
    assert other.decision.verdict is Verdict.PROMOTE
    turned = bench.record("--no-log", champion="2", challenger="1")
    assert turned.growth is None


def test_growth_blocks_rules_that_hang_on_an_interval(bench: Bench, looked: str) -> None:
    """Non-inferiority has no evidence that stays valid here: a test set that grew cannot promote."""
    del looked
    rule = policy(rule="non-inferior", margin=0.05)
    fresh = bench.record(*rule, "--no-log", challenger="3")
    assert fresh.decision.verdict is Verdict.PROMOTE
    told = bench.typed(*rule, "--auto-promote", "--gate", code=5)
    assert "These rows extend 40 on which the same two models were compared before" in " ".join(told.out.split())
    assert "Not promoted" in told.err
    record = bench.record(*rule)
    assert record.decision.by_rule is Verdict.PROMOTE
    assert record.decision.reason("growth").held is False
    assert bench.stages()[2] == "Staging"


def test_a_decision_can_be_taken_again_from_the_file(bench: Bench, looked: str) -> None:
    """comparison.json holds all that the verdict hangs on: growth, evidence, a locked set and the level left."""
    del looked
    rows(200, 300).to_csv("locked.csv", index=False)
    rows(0, 100).to_csv("more.csv", index=False)
    for options, data in (((), "t.csv"), (("--confirm-data", "locked.csv"), "more.csv")):
        bench.typed(*policy(reuse="spend"), *options, data=data)
        folder = max(Path("reports").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        kept = ComparisonRecord.from_dict(json.loads((folder / "comparison.json").read_text(encoding="utf-8")))
        assert kept.growth is not None
        assert decide(kept.evaluation, kept.settings.policy) == kept.decision
        assert (kept.confirmation is not None) is bool(options)


# The locked test set


def test_a_locked_set_that_holds(bench: Bench) -> None:
    """A locked set that says PROMOTE too leaves the verdict, is on record and counted; all else is as without."""
    rows(100, 200).to_csv("locked.csv", index=False)
    plain = bench.record("--no-log", "--no-cache")
    record = bench.record("--confirm-data", "locked.csv", "--no-cache")
    assert record.confirmation is not None
    assert (record.confirmation.path, record.confirmation.use, record.confirmation.held) == ("locked.csv", 1, True)
    assert record.decision.verdict is Verdict.PROMOTE
    assert record.decision.reasons[:-1] == plain.decision.reasons
    assert record.decision.reasons[-1].text == "The locked test set confirms the verdict."
    assert untouched(record) == untouched(plain)
    assert bench.runs()[0].data.tags["abtest.confirm_digest"] == record.confirmation.digest
    assert record.confirmation.digest is not None
    assert uses(bench.registry.client, record.confirmation.digest).names == ("fruit v2",)
    assert "locked.csv, opened for 1 challenger: confirms the verdict" in page()


def untouched(record: ComparisonRecord) -> dict[str, Any]:
    """A record without what a locked set may change, and without times and how it was typed."""
    data = record.to_dict()
    for key in ("confirmation", "decision", "created_at", "provenance"):
        del data[key]
    for side in ("champion", "challenger"):
        del data[side]["latency"]
    return data


def test_a_locked_set_that_does_not_hold(bench: Bench) -> None:
    """Where the locked set does not say PROMOTE, the verdict is lowered, nothing is promoted, and the gate is shut."""
    rows(100, 120).to_csv("locked.csv", index=False)  # two rows tell the models apart
    told = bench.typed(
        "--confirm-data", "locked.csv", "--auto-promote", "--promote-on", "conditional", "--gate", code=5
    )
    assert told.out.startswith("INSUFFICIENT_EVIDENCE")
    assert "✗ The locked test set does not confirm the verdict." in told.out
    assert "Not promoted" in told.err
    assert bench.stages()[2] == "Staging"
    record = bench.record("--confirm-data", "locked.csv")
    assert record.confirmation is not None
    assert record.confirmation.held is False
    assert (record.decision.by_rule, record.decision.verdict) == (Verdict.PROMOTE, Verdict.INSUFFICIENT_EVIDENCE)
    assert "does not confirm the verdict" in page()


def test_of_a_locked_set_no_number_is_told(bench: Bench) -> None:
    """Two locked sets of other sizes and effects, of one name, leave records that differ in the digest alone."""
    records = []
    for start, end in ((60, 397), (100, 200)):
        rows(start, end).to_csv("locked.csv", index=False)
        told = bench.typed("--confirm-data", "locked.csv", "--format", "json", "--no-cache")
        records.append(ComparisonRecord.from_dict(json.loads(told.out)))
        run = bench.runs()[0]
        numbers = {**run.data.metrics, **run.data.params}
        assert "337" not in {*map(str, numbers.values())}
        texts = [told.out, told.err, run.data.tags["mlflow.note.content"], page()]
        assert not [text for text in texts if " 337 " in text or "337 rows" in text]
    one, two = records
    assert one.confirmation is not None
    assert two.confirmation is not None
    assert one.confirmation.digest != two.confirmation.digest
    assert dataclasses.replace(one.confirmation, digest="") == dataclasses.replace(two.confirmation, digest="")
    assert untouched(one) == untouched(two)
    assert one.decision == two.decision
    metrics = [run.data.metrics for run in bench.runs()]
    assert metrics[0] == metrics[1]


def test_a_locked_set_is_read_on_promote_alone(bench: Bench) -> None:
    """Short of PROMOTE the locked rows stay unread, which damaged ones would not survive, and are not counted."""
    damaged = rows(100, 200).astype({"height": str})
    damaged.iloc[50, 1] = "tall"
    damaged.to_csv("locked.csv", index=False)
    option = ("--confirm-data", "locked.csv")
    keeps = bench.record(*option, champion="2", challenger="1")
    equal = bench.record(*option, champion="2", challenger="3")
    verdicts = [record.decision.verdict for record in (keeps, equal)]
    assert verdicts == [Verdict.KEEP_CHAMPION, Verdict.INSUFFICIENT_EVIDENCE]
    assert (keeps.confirmation, equal.confirmation) == (None, None)
    assert not [run for run in bench.runs() if "abtest.confirm_digest" in run.data.tags]
    assert "'tall'" in bench.typed(*option, code=1).error


def test_a_locked_set_is_looked_for_before_scoring(bench: Bench) -> None:
    """One that is not there, or is the test data, is told before a model predicts: version 4 would raise."""
    shutil.copy("t.csv", "copy.csv")
    for name, told in (
        ("gone.csv", "gone.csv does not exist"),
        ("t.csv", "confirm-data is the test data again. Hint: keep a set apart"),
        ("copy.csv", "confirm-data is the test data again"),
    ):
        assert told in bench.typed("--confirm-data", name, challenger="4", code=1).error
    assert bench.runs() == []


def test_opening_a_locked_set_is_a_use_of_it(bench: Bench) -> None:
    """A locked set has uses of its own: they are counted with those as test data, and spent."""
    rows(100, 160).to_csv("locked.csv", index=False)  # 1/64 there too
    rows(200, 260).to_csv("fresh.csv", index=False)
    spend = (*policy(reuse="spend"), "--confirm-data", "locked.csv")
    first, second = bench.record(*spend), bench.record(*spend, challenger="3", data="fresh.csv")
    assert first.confirmation is not None
    assert second.confirmation is not None
    assert (first.data.uses, first.confirmation.use, first.confirmation.held) == (1, 1, True)
    assert (second.data.uses, second.confirmation.use, second.confirmation.held) == (1, 2, False)
    assert second.decision.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert bench.record("--no-log", data="locked.csv", challenger="10").data.uses == 3


# Training data


def test_rows_that_were_trained_on_are_found(bench: Bench) -> None:
    """Leaks, conflicts and first rows are those of pandas, in JSON, notices and report."""
    test, extra = rows(0, 60), rows(340, 380).assign(height=20.0)
    known, flipped = test.iloc[[7, 8, 30]], test.iloc[[4, 5]]
    flipped = flipped.assign(kind=np.where(flipped["kind"] == "pear", "apple", "pear"))
    train = pd.concat([extra, known, flipped, known.head(1)])
    train[["kind", "height", "width"]].to_csv("train.csv", index=False)
    record = bench.record("--train-data", "train.csv")
    merged = test.assign(row=range(1, 61)).merge(train.drop_duplicates())
    found = record.data.train
    assert found is not None
    assert (found.n, found.leaked, found.conflicting) == (len(train), len(merged), 2)
    assert (found.leaked, found.first_rows) == (3, tuple(merged["row"]))
    assert said(record, "3 test rows (5.0 %; first: row 8) are in the training data")
    assert said(record, "2 test rows are in the training data with another label")
    assert "46 rows of train.csv: 3 test rows among them, 2 with another label" in page()
    train.to_parquet("train.parquet")
    assert bench.record("--train-data", "train.parquet").data.train == dataclasses.replace(found, path="train.parquet")


def test_the_test_data_as_training_data(bench: Bench) -> None:
    """Test data that were trained on, all of them, are told as such."""
    record = bench.record("--train-data", "t.csv")
    found = record.data.train
    assert found is not None
    assert (found.n, found.leaked, found.conflicting, found.first_rows) == (60, 60, 0, (1, 2, 3, 4, 5))
    assert (found.total_variation, found.pvalue) == (0.0, 1.0)
    assert said(record, "60 test rows (100.0 %; first: row 1) are in the training data")


def test_another_mix_of_classes_is_told(bench: Bench) -> None:
    """Training data of apples alone are told by how many rows would have to change class."""
    frame = rows(100, 300)
    frame[frame["kind"] == "apple"].to_csv("train.csv", index=False)
    record = bench.record("--train-data", "train.csv")
    assert said(record, "Training and test data mix the classes differently: 50.0 % of the rows would have to change")
    frame.to_csv("train.csv", index=False)
    assert not said(bench.record("--train-data", "train.csv"), "mix the classes")


@pytest.mark.filterwarnings(
    "ignore:The specified dataset source can be interpreted in multiple ways"
)  # MLflow's remark
@pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0")  # what MLflow asks of pandas
def test_the_training_data_of_the_challengers_run(bench: Bench, tmp_path: Path) -> None:
    """--train-data run is what the challenger's run logged as training data."""
    import mlflow
    from mlflow.data.pandas_dataset import from_pandas

    rows(40, 100).to_csv("train.csv", index=False)
    client = bench.registry.client
    with bench.registry.active():
        folder = (tmp_path / "artifacts").as_uri()
        with mlflow.start_run(experiment_id=client.create_experiment("training", artifact_location=folder)) as run:
            dataset = from_pandas(rows(40, 100), source=str(tmp_path / "train.csv"), targets="kind")
            mlflow.log_input(dataset, context="training")
        saved = zoo.save(zoo.better, tmp_path / "model", inputs=zoo.signature(width="double", height="double"))
        client.create_model_version("fruit", saved, run_id=run.info.run_id)
    record = bench.record("--train-data", "run", challenger="12")
    found = record.data.train
    assert found is not None
    assert (found.path, found.n, found.leaked) == (str(tmp_path / "train.csv"), 60, 20)
    assert record.challenger.run_id == run.info.run_id
    assert (
        "train-data 'run' needs a challenger that was logged by a run"
        in bench.typed("--train-data", "run", code=1).error
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gone.csv", "gone.csv does not exist"),
        ("lacking.csv", "lacking.csv has no "),
        ("odd.csv", "Column 'width'"),
        ("empty.csv", "empty.csv is empty"),
    ],
)
def test_training_data_that_cannot_be_used(bench: Bench, name: str, told: str) -> None:
    """Training data that are not there, lack a column or hold something else are one line, and nothing is logged."""
    rows(0, 20).drop(columns="kind").to_csv("lacking.csv", index=False)
    rows(0, 20).astype({"width": str}).assign(width="wide").to_csv("odd.csv", index=False)
    Path("empty.csv").touch()
    assert told in bench.typed("--train-data", name, code=1).error
    assert bench.runs() == []


def test_rows_that_repeat(bench: Bench) -> None:
    """Rows that repeat an earlier one, label and all, are counted as by pandas; what no model takes does not count."""
    frame = pd.concat([rows(0, 60), rows(10, 17), rows(12, 13)])
    duplicates = int(frame.duplicated().sum())
    frame.assign(id=range(len(frame))).to_csv("t.csv", index=False)
    record = bench.record()
    assert (record.data.duplicates, duplicates, record.data.rows) == (8, 8, 68)
    assert said(record, "8 rows (11.8 %) repeat an earlier one, label and all")
    rows(0, 60).to_csv("t.csv", index=False)
    plain = bench.record()
    assert plain.data.duplicates == 0
    assert not said(plain, "repeat")


def test_what_else_differs_is_listed(bench: Bench, tmp_path: Path) -> None:
    """Other columns and other packages of the challenger's version are in JSON and in the report."""
    inputs = zoo.signature(width="double", height="double", shelf="?long")
    saved = zoo.save(zoo.better, tmp_path / "model", inputs=inputs)
    (Path(saved) / "requirements.txt").write_text("mlflow\nfruitlib==2.0\n", encoding="utf-8")
    bench.registry.client.create_model_version("fruit", saved)
    found = bench.record(challenger="12").differences
    assert found is not None
    assert found.columns == ("shelf: long, may be missing: challenger only",)
    assert "fruitlib 2.0: challenger only" in found.packages
    text = page()
    assert "shelf: long, may be missing: challenger only" in text
    assert "fruitlib 2.0: challenger only" in text
    same = bench.record().differences
    assert same is not None
    assert (same.columns, same.packages) == ((), ())


# Units and belief


@pytest.fixture
def in_units(bench: Bench) -> pd.DataFrame:
    """Eighty rows of twenty shops in two regions, as CSV and Parquet."""
    frame = rows(0, 80).assign(shop=[f"shop {i // 4}" for i in range(80)], region=["EU", "EU", "EU", "US"] * 20)
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    del bench
    return frame


def by_unit(frame: pd.DataFrame) -> tuple[float, float, float | None, float | None]:
    """Effect, p-value and interval of the rows' units."""
    tally = UnitTally()
    columns = (frame["shop"], frame["kind"], zoo.linear(frame), zoo.better(frame))
    tally.add(*(np.asarray(column, dtype=object) for column in columns))
    test = cluster_test(tally.units())
    lower, upper = (test.interval.lower, test.interval.upper) if test.interval else (None, None)
    return test.effect, test.pvalue, lower, upper


@pytest.mark.parametrize("data", ["t.csv", "t.parquet"])
def test_units_are_tested(bench: Bench, in_units: pd.DataFrame, data: str) -> None:
    """--unit tests accuracy, each class and each region on the units of its own rows, and JSON and report say units."""
    record = bench.record("--unit", "shop", "--segments", "region", data=data)
    found = {("all", "all"): record.evaluation.metric("accuracy")}
    found |= {("kind", str(row.class_)): row for row in record.per_class if row.metric == "recall"}
    found |= {("region", row.value): row for row in record.segments if row.metric == "accuracy"}
    assert set(found) == {("all", "all"), ("kind", "apple"), ("kind", "pear"), ("region", "EU"), ("region", "US")}
    for (column, value), row in found.items():
        part = in_units if column == "all" else in_units[in_units[column] == value]
        assert (row.effect, row.pvalue, row.ci_lower, row.ci_upper) == pytest.approx(by_unit(part), abs=1e-12)
        assert (row.test, row.n) == ("by unit", len(part))
    assert (record.data.unit, known(record.mcnemar).method, record.bayes) == ("shop", "by unit", None)
    assert said(record, "The 80 rows come in 20 units: units, not rows, are taken to be independent")
    assert said(record, "Fewer than 30 units")
    assert record.power is not None
    assert record.power.discordance is None
    text = page()
    assert "Units are taken to be independent." in text
    assert "the test of units gives" in text
    assert "more accurate with probability" not in text


def test_units_of_predictions(bench: Bench, in_units: pd.DataFrame) -> None:
    """``compare-predictions --unit`` finds what ``compare --unit`` finds."""
    in_units.assign(a=zoo.linear(in_units), b=zoo.better(in_units)).to_csv("p.csv", index=False)
    columns = ("--champion", "a", "--challenger", "b", "--target", "kind", "--unit", "shop")
    told = bench.cli("compare-predictions", "p.csv", *columns, *QUICK, "--format", "json")
    ours = ComparisonRecord.from_dict(json.loads(told.out))
    theirs = bench.record("--unit", "shop")
    assert (ours.metrics, ours.per_class, ours.mcnemar) == (theirs.metrics, theirs.per_class, theirs.mcnemar)
    assert ours.data.unit == "shop"


@pytest.mark.parametrize(
    ("options", "where", "told"),
    [
        (("--unit", "shop"), {"data": "holes.csv"}, "unit must be there in every row, got 7 rows without one."),
        (("--unit", "shop"), {"champion": "baseline"}, "unit needs a champion that predicts"),
        (("--unit", "shpo"), {}, "has no unit column 'shpo'. Hint: did you mean 'shop'?"),
    ],
    ids=["missing", "baseline", "misspelled"],
)
def test_units_that_are_none(
    bench: Bench, in_units: pd.DataFrame, options: tuple[str, ...], where: dict[str, str], told: str
) -> None:
    """A row without a unit, a champion that is the majority class, and an unknown column are refused in one line."""
    in_units.assign(shop=in_units["shop"].where(np.arange(80) % 11 != 3)).to_csv("holes.csv", index=False)
    assert told in bench.typed(*options, **where, code=1).error
    assert bench.runs() == []


def test_units_and_growth_go_together(bench: Bench, in_units: pd.DataFrame) -> None:
    """Units that grew are judged by how many of them favour either side."""
    in_units[:40].to_csv("first.csv", index=False)
    bench.record("--unit", "shop", data="first.csv")
    record = bench.record("--unit", "shop")
    assert record.growth is not None
    said_apart = in_units.assign(
        d=(zoo.better(in_units) == in_units["kind"]).astype(int) - (zoo.linear(in_units) == in_units["kind"])
    )
    per_unit = said_apart.groupby("shop")["d"].sum()
    wins, losses = int((per_unit > 0).sum()), int((per_unit < 0).sum())
    assert (wins, losses) == (8, 0)
    assert record.growth.pvalue == pytest.approx(9 / 256, rel=1e-9)
    assert record.decision.reason("significance").value == record.growth.pvalue


def test_belief_stands_beside_the_test(bench: Bench) -> None:
    """JSON has the posterior of the table, the report says it, and with so few discordant rows what it rests on."""
    record = bench.record(*policy(rule="share", margin=0.02))
    assert record.bayes == accuracy_posterior(known(record.contingency), margin=0.02)
    assert record.bayes is not None
    assert 1 - record.bayes.better == pytest.approx(known(record.mcnemar).pvalue / 2, rel=1e-9)
    text = page()
    assert f"more accurate with probability {100 * record.bayes.better:.1f} %, and by more than 2.0 points with" in text
    assert "With fewer than 10 rows to tell the two apart, that is mostly what was assumed before." in text


@pytest.mark.parametrize("option", ["--train-data", "--confirm-data"])
def test_other_data_are_checked_before_anything_is_scored(bench: Bench, option: str) -> None:
    """A column that training or locked data lack is told before a model is asked, and before PROMOTE is known."""
    rows(100, 200).drop(columns="kind").to_csv("x.csv", index=False)
    assert "kind" in bench.typed(option, "x.csv", challenger="4", code=1).error
    bench.typed(option, "nowhere.csv", challenger="4", code=1).err.index(f"{option[2:]} nowhere.csv does not exist")
    assert not bench.runs()


def test_training_data_need_no_segments(bench: Bench) -> None:
    """Training data hold what the models are fed and the truth; what tells segments apart is not asked of them."""
    rows(0, 60).assign(region=["EU", "US"] * 30).to_csv("r.csv", index=False)
    rows(100, 200).to_csv("train.csv", index=False)
    record = bench.record("--segments", "region", "--train-data", "train.csv", data="r.csv")
    assert record.data.train is not None
    assert record.data.train.n == 100
    assert record.segments


def test_a_locked_set_opened_too_often_is_refused_at_once(bench: Bench) -> None:
    """Under reuse = "refuse" a locked set that was opened is refused before scoring: nobody learns of a PROMOTE."""
    rows(60, 397).to_csv("locked.csv", index=False)
    rows(0, 61).to_csv("fresh.csv", index=False)
    once = policy(reuse="refuse", confidence=0.9)
    assert bench.record(*once, "--confirm-data", "locked.csv").confirmation is not None
    before = len(bench.runs())
    told = bench.typed(*once, "--confirm-data", "locked.csv", data="fresh.csv", challenger="4", code=1)
    assert "allows one use of a test set" in told.error
    assert len(bench.runs()) == before
