"""``abtest predict``: rows in, predictions out, and what is printed where."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests import zoo
from tests.cli import shell
from tests.engines import clusters
from tests.live.disks import small_disk  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

MODEL = ("--model-name", "fruit")


@pytest.fixture
def rows(stocked: RegistryClient, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Fruit in a file, with the registry to predict them."""
    monkeypatch.setenv("ABTEST_TRACKING_URI", stocked.tracking_uri)
    frame = zoo.fruit().assign(id=range(60))
    frame.to_csv("fruit.csv", index=False)
    return frame


def test_into_a_file(cli: Any, rows: pd.DataFrame) -> None:
    """The file holds what the model says, and standard output how that is distributed, with the rows asked for."""
    told = cli("predict", *MODEL, "--input", "fruit.csv", "--output", "out.csv", "--keep", "id", "--show-sample", "2")
    found = pd.read_csv("out.csv")
    assert found["prediction"].tolist() == zoo.linear(rows).tolist()
    assert found["id"].tolist() == rows["id"].tolist()
    assert told.out.startswith("fruit version 1 predicted 60 rows in ")
    lines = [line.split() for line in told.out.splitlines()]
    for name, count in found["prediction"].value_counts().items():
        assert [name, str(count), f"{100 * count / 60:.1f}", "%"] == next(it[:4] for it in lines if it[:1] == [name])
    assert ["0", *found["prediction"][:1]] in lines
    assert "Output    out.csv" in told.err


@pytest.mark.parametrize("output", [(), ("--output", "-")])
def test_into_a_pipe(cli: Any, rows: pd.DataFrame, output: tuple[str, ...]) -> None:
    """Rows alone go to standard output, and the summary to standard error; --quiet prints none."""
    told = cli("predict", *MODEL, "--version", "2", "--input", "fruit.csv", *output)
    assert pd.read_csv(io.StringIO(told.out))["prediction"].tolist() == zoo.better(rows).tolist()
    assert "fruit version 2 predicted 60 rows" in told.err
    quiet = cli("predict", *MODEL, "--version", "2", "--input", "fruit.csv", *output, "--quiet")
    assert (quiet.out, quiet.err) == (told.out, "")


def test_as_json_and_markdown(cli: Any, rows: pd.DataFrame) -> None:
    """The record is printed as it is, and a table of Markdown with the same counts."""
    arguments = ("predict", *MODEL, "--input", "fruit.csv", "--output", "out.parquet", "--force")
    record = json.loads(cli(*arguments, "--format", "json").out)
    assert (record["kind"], record["n"], record["model"]["version"]) == ("prediction", 60, 1)
    counts = {it["label"]: it["n"] for it in record["distribution"]["classes"]}
    assert counts == pd.Series(zoo.linear(rows)).value_counts().to_dict()
    text = cli(*arguments, "--format", "markdown").out
    assert all(f"| `{name}` | {n} |" in text for name, n in counts.items())


def test_the_settings_name_the_model(cli: Any, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """What abtest.toml says need not be typed."""
    monkeypatch.setenv("ABTEST_MODEL_NAME", "fruit")
    del rows
    assert "fruit version 1 predicted" in cli("predict", "--input", "fruit.csv").err


def test_a_run_is_logged(cli: Any, rows: pd.DataFrame, stocked: RegistryClient) -> None:
    """With its model, data and distribution, the file among its artifacts, and the summary as its description."""
    del rows
    told = cli("predict", *MODEL, "--input", "fruit.csv", "--output", "out.csv", "--log-to-mlflow", "--format", "json")
    run_id = told.err.split("run ")[1].split(" ")[0]
    run = stocked.client.get_run(run_id)
    record = json.loads(told.out)
    assert (record["run_id"], record["experiment"]) == (run_id, "abtest/fruit")
    assert run.info.status == "FINISHED"
    assert run.data.tags["abtest.kind"] == "prediction"
    assert "predicted 60 rows" in run.data.tags["mlflow.note.content"]
    assert run.data.params["model"] == "models:/fruit/1"
    assert run.data.metrics["rows"] == 60
    shares = {f"share.{it['label']}": it["share"] for it in record["distribution"]["classes"]}
    assert {name: run.data.metrics[name] for name in shares} == shares
    assert run.inputs is not None
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("fruit.csv", record["digest"])
    artifacts = {it.path for it in stocked.client.list_artifacts(run_id)}
    assert artifacts == {"out.csv", "prediction.json"}
    experiment = stocked.client.get_experiment(run.info.experiment_id)
    assert experiment.name == "abtest/fruit"


def test_a_run_that_cannot_be_logged(cli: Any, rows: pd.DataFrame, stocked: RegistryClient) -> None:
    """The file stays, whole, and that is said; the exit code is an error's."""
    client = stocked.client
    client.delete_experiment(client.create_experiment("abtest/fruit"))
    told = cli("predict", *MODEL, "--input", "fruit.csv", "--output", "out.csv", "--log-to-mlflow", code=1)
    assert told.error.startswith("out.csv is written, but its run is not: The experiment 'abtest/fruit' was deleted")
    assert len(pd.read_csv("out.csv")) == len(rows)


BAD = {
    "is there": (("--output", "there.csv"), "output there.csv is there already. Hint: --force replaces it."),
    "unknown ending": (("--output", "out.xls"), "output out.xls must end in .csv, .parquet, .jsonl, got '.xls'."),
    "no folder": (("--output", "none/out.csv"), "there is no folder none"),
    "the input": (("--output", "fruit.csv", "--force"), "output fruit.csv is what is read."),
    "no column": (("--keep", "idd"), "fruit.csv has no column 'idd'. Hint: did you mean 'id'?"),
    "no probabilities": (("--proba",), "The model has no probabilities. The model was logged as a Python function"),
    "raises": (("--version", "4"), "The model failed to predict row 1: RuntimeError: cannot weigh it."),
    "does not load": (("--version", "5"), "does not load"),
    "says nothing": (("--version", "11"), "The model predicts nothing for "),
    "one too few": (("--version", "7"), "The model returned predictions of shape (59,) for 60 rows"),
    "no such stage": (("--stage", "Archived"), "No version of 'fruit' is in stage Archived."),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_wrong_is_told_in_a_sentence(cli: Any, rows: pd.DataFrame, bad: str) -> None:
    """It is told on standard error, the exit code is 1, and no file comes to be or is changed."""
    del rows
    options, says = BAD[bad]
    Path("there.csv").write_text("kept")
    before = _files()
    output = () if "--output" in options else ("--output", "out.csv")
    told = cli("predict", *MODEL, "--input", "fruit.csv", *output, *options, code=1)
    assert says in told.error
    assert _files() == before
    assert told.out == ""


def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model-name", "m"), "name the rows to predict"),
        (("--input", "x.csv"), "name a registered model"),
        (("--input", "x.csv", *MODEL, "--stage", "Staging", "--alias", "a"), "name one of them"),
        (("--input", "x.csv", *MODEL, "--run-id", "0"), "names a model of its own"),
        (("--input", "x.csv", "--version", "1", "--model-uri", "m"), "names a model of its own"),
        (("--input", "x.csv", "--run-id", "0", "--model-uri", "m"), "name one of them"),
        (("--input", "x.csv", *MODEL, "--format", "json"), "needs --output FILE"),
        (("--input", "x.csv", *MODEL, "--experiment", "e"), "means nothing without --log-to-mlflow"),
        (("--input", "x.csv", *MODEL, "--engine", "sparc"), "must be one of local, spark"),
        (("--input", "x.csv", *MODEL, "--spark-master", "local"), "means nothing without --engine spark"),
        (("--input", "x.csv", *MODEL, "--engine", "spark"), "name a folder"),
        (("--input", "x.csv", "--model-uri", "m", "--log-to-mlflow"), "needs a tracking server"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(cli: Any, arguments: tuple[str, ...], says: str) -> None:
    """Options that name nothing, or two things, are a usage error, told before anything is looked for."""
    assert says in " ".join(cli("predict", *arguments, code=2).err.replace("│", " ").split())


def test_what_a_model_prints_spoils_no_rows(cli: Any, tmp_path: Path) -> None:
    """It goes to standard error, where rows go to standard output."""

    def chatty(frame: pd.DataFrame) -> list[str]:
        print("hello")  # noqa: T201 - that it prints is the case
        return ["a"] * len(frame)

    zoo.fruit().to_csv("fruit.csv", index=False)
    uri = zoo.save(chatty, tmp_path / "chatty", inputs=zoo.signature(width="double"))
    told = cli("predict", "--model-uri", uri, "--input", "fruit.csv")
    assert told.out.splitlines() == ["prediction", *["a"] * 60]
    assert "hello" in told.err


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in the middle leaves no file."""
    zoo.fruit().to_csv(tmp_path / "fruit.csv", index=False)
    sign = tmp_path / "asked"
    uri = zoo.save(shell.waits_at(sign), tmp_path / "model", inputs=zoo.signature(width="double"))
    process = shell.begin("predict", "--model-uri", uri, "--input", "fruit.csv", "--output", "out.csv")
    shell.when_asked(process, sign, lambda: process.send_signal(2))
    _, told = process.communicate(timeout=60)
    assert (process.returncode, "Interrupted." in told) == (130, True), told
    assert [path.name for path in Path().iterdir() if "out.csv" in path.name] == []


def test_a_full_disk(cli: Any, rows: pd.DataFrame, request: pytest.FixtureRequest) -> None:
    """It is told, and nothing is left there."""
    disk: Path = request.getfixturevalue("small_disk")
    pd.concat([rows.assign(note="x" * 1000)] * 60).to_csv("many.csv", index=False)
    told = cli("predict", *MODEL, "--input", "many.csv", "--keep", "all", "--output", str(disk / "out.csv"), code=1)
    assert "out.csv cannot be written: No space left on device. Hint: is there room" in told.error
    assert list(disk.iterdir()) == []


def test_a_pipe_that_closes(rows: pd.DataFrame) -> None:
    """Who reads the first lines only ends the command in a sentence, not in a traceback."""
    pd.concat([rows] * 5000).to_csv("many.csv", index=False)
    words = ["predict", "--model-name", "fruit", "--input", "many.csv", "--quiet"]
    process = shell.begin(*words)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 1
    assert "Traceback" not in told


@pytest.mark.spark
@pytest.mark.skipif(bool(clusters.LACKS), reason=clusters.LACKS)
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")  # PySpark 4.3 says so
def test_on_spark(cli: Any, rows: pd.DataFrame) -> None:
    """The cluster writes a folder, and what is printed is the same."""
    rows.to_parquet("fruit.parquet")
    words = (*MODEL, "--input", "fruit.parquet", "--keep", "id", "--engine", "spark", "--spark-master", "local[1]")
    told = cli("predict", *words, "--output", "out", "--batch-size", "7", "--format", "json")
    found = pd.read_parquet("out").sort_values("id")
    assert found["prediction"].tolist() == zoo.linear(rows).tolist()
    assert json.loads(told.out)["n"] == 60
    assert "is there already" in cli("predict", *words, "--output", "out", "--force", code=1).error
