"""``abtest runs`` and ``abtest experiments`` as they are typed: tables and JSON, and refusals in one line."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from abtest.registry import RegistryClient
from tests import zoo
from tests.books.ledger import log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abtest.lifecycle import Registry
    from tests.conftest import Told

    Typed = Callable[..., Told]

Training = tuple[object, tuple[str, ...]]


@pytest.mark.usefixtures("iris")
def test_listing(cli: Typed, training: Training) -> None:
    """The table names each run and what varies; JSON and CSV have whole ids."""
    told = cli("runs", "list", "--experiment", "training", "--order-by", "metrics.accuracy DESC")
    lines = told.out.splitlines()
    assert lines[0].split()[-4:] == ["accuracy", "loss", "depth", "seed"]
    assert lines[1].startswith(training[1][1][:8])
    assert "0.95" in lines[1]
    assert "Registry  sqlite:///" in told.err
    first, *_ = json.loads(cli("runs", "list", "--filter", "metrics.accuracy > 0.94", "--format", "json").out)
    assert (first["run_id"], first["params"]["depth"]) == (training[1][1], "2")
    found = list(csv.DictReader(io.StringIO(cli("runs", "list", "--all", "--format", "csv").out)))
    assert {row["run_id"] for row in found} >= set(training[1])
    assert {row["metrics.accuracy"] for row in found} == {"0.9", "0.95", "0.85", ""}
    assert "there are more than these 2 runs" in cli("runs", "list", "--limit", "2").err
    assert "no run that is shown has tags.none" in cli("runs", "list", "--columns", "tags.none,params.depth").err


def test_what_somebody_logged_is_no_markup(cli: Typed, registry: RegistryClient) -> None:
    """Brackets are shown as they are, a terminal is not steered, and one line stays one."""
    experiment = registry.client.create_experiment("[red]e[/red]")
    tags = {"p": "[/nothing]", "status": "a\x1b[2J\nb"}
    for number in range(2):
        log(registry.client, experiment, name=f"[bold]r{number}\x1b]0;x\x07", tags=tags, params={"n": str(number)})
    told = cli("runs", "list", "--columns", "tags.p,tags.status,params.[b]p,params.n")
    assert "[b]p" in told.out
    assert "[/nothing]" in told.out
    assert "\x1b" not in told.out
    assert len(told.out.splitlines()) == 3
    assert "\x1b" not in cli("runs", "show", log(registry.client, experiment, name="\x1b[2J", tags=tags)).out
    assert "\x1b" not in cli("runs", "list", "--format", "csv", "--columns", "tags.status").out
    assert "[red]e[/red]" in cli("experiments", "list").out


@pytest.mark.parametrize("command", [
    ("list", "--columns", "params.url,tags.note"), ("list", "--format", "csv"), ("list", "--format", "json"),
    ("show", "logged", "--all"), ("show", "logged", "--format", "json"),
    ("compare", "logged", "other", "--all"), ("compare", "logged", "other", "--format", "json"),
])  # fmt: skip
def test_passwords_are_not_shown(cli: Typed, credentials: RegistryClient, command: tuple[str, ...]) -> None:
    """Whatever was logged with a run, and git's own address of a repository: credentials are hidden in every form."""
    told = cli("runs", *command, "--tracking-uri", credentials.tracking_uri)
    assert "hunter" not in told.out + told.err


@pytest.fixture(scope="module")
def credentials(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> RegistryClient:
    """Two runs, one of which was logged with passwords."""
    registry = RegistryClient(zoo.copy(templates / "empty.db", tmp_path_factory.mktemp("credentials")))
    tags = {
        "mlflow.source.git.repoURL": "https://ci:hunter1@example.com/a.git", "note": "token=hunter2",
        "mlflow.source.name": "train.py --from postgresql://me:hunter3@db/x",
    }  # fmt: skip
    log(registry.client, "0", name="logged", tags=tags, params={"url": "s3://me:hunter4@host/x"})
    log(registry.client, "0", name="other")
    return registry


def test_many_parameters(cli: Typed, registry: RegistryClient) -> None:
    """Runs with hundreds of parameters are listed in a few columns, and compared in as many rows."""
    experiment = registry.client.create_experiment("wide")
    made = [
        log(registry.client, experiment, params={f"p{number}": f"{number}-{run}" for number in range(500)})
        for run in range(2)
    ]
    assert max(map(len, cli("runs", "list").out.splitlines())) <= 160
    assert len(cli("runs", "compare", *made).out.splitlines()) == 502


def test_showing(cli: Typed, iris: Registry, training: Training) -> None:
    """A run is shown with what it read and logged, the versions made of it, and what uses it."""
    told = cli("runs", "show", training[1][0][:12])
    words = " ".join(told.out.split())
    assert "accuracy 0.9 " in words
    assert "1 iris Production" in words
    assert "version 1 of 'iris', which is in Production, was made of it" in words
    assert "mlflow.user" not in told.out
    assert "mlflow.user" in cli("runs", "show", training[1][0], "--all").out
    shown = json.loads(cli("runs", "show", training[1][0], "--format", "json").out)
    assert shown["datasets"][0]["context"] == "training"
    assert shown["versions"] == [{"name": "iris", "version": 1, "stage": "Production", "aliases": []}]
    assert "There is no run 'nothing'" in cli("runs", "show", "nothing", code=1).error
    client = RegistryClient(iris._client.tracking_uri).client  # noqa: SLF001 - the same database
    child = log(client, "0", name="child", tags={"mlflow.parentRunId": (parent := log(client, "0"))})
    assert child[:12] in cli("runs", "show", parent).out


@pytest.mark.usefixtures("iris")
def test_comparing(cli: Typed, training: Training) -> None:
    """What differs is shown with its sign; what is the same is counted; the note says what it is worth."""
    told = cli("runs", "compare", *training[1][:2])
    words = " ".join(told.out.split())
    assert "metric accuracy 0.9 0.95 (+0.05, better) ≠" in words
    assert "seed" not in told.out
    assert "logged metrics are no evidence" in told.err
    assert "abtest compare --champion-uri=models:/m-" in told.err
    assert "seed" in cli("runs", "compare", *training[1][:2], "--all").out
    found = json.loads(cli("runs", "compare", *training[1][:2], "--format", "json").out)
    assert found["runs"] == list(training[1][:2])
    assert "Only run" in cli("runs", "compare", training[1][0], code=1).error


@pytest.mark.usefixtures("iris")
def test_deleting(cli: Typed, training: Training) -> None:
    """Runs are shown before they go, go by --yes alone where nobody answers, and come back."""
    third, fourth = training[1][2:]
    told = cli("runs", "delete", third, fourth, code=2)
    assert third[:12] in told.err
    assert "--yes" in told.err
    assert cli("runs", "delete", fourth, "--dry-run").out.startswith("Would delete 1 run:")
    assert "in Production" in cli("runs", "delete", fourth, training[1][0], "--yes", code=1).error
    told = cli("runs", "delete", "--filter", "metrics.accuracy < 0.86", "--yes")
    assert told.out.split() == ["Deleted", "1", "run:", third, *told.out.split()[4:]]
    assert "mlflow gc" in told.err
    assert cli("runs", "delete", third, "--yes").out == "There is nothing to delete.\n"
    assert third[:8] in cli("runs", "list", "--deleted").out
    assert third in cli("runs", "restore", third).out
    assert "none of these was deleted" in cli("runs", "restore", third).out


@pytest.mark.parametrize("words", [(), ("abc", "--filter", "x"), ("--filter", " "), ("abc", "--experiment", "e")])
def test_deleting_what(cli: Typed, words: tuple[str, ...]) -> None:
    """Neither all runs nor two kinds of choice are ever meant."""
    cli("runs", "delete", *words, "--yes", code=2)


def test_experiments(cli: Typed, registry: RegistryClient) -> None:
    """They are listed with their runs, deleted by --yes alone, and restored; each group's help names the other."""
    experiment = registry.client.create_experiment("some")
    log(registry.client, experiment, tags={"abtest.kind": "comparison"})
    assert "comparison 1" in cli("experiments", "list").out
    assert "--yes" in cli("experiments", "delete", "some", code=2).err
    assert cli("experiments", "delete", "some", "--yes").out == "Deleted experiment 'some' with 1 run.\n"
    assert "some" in cli("experiments", "list", "--deleted").out
    assert cli("experiments", "restore", "some").out == "Restored experiment 'some' with 1 run.\n"
    assert "There is nothing to restore" in cli("experiments", "restore", "some").out
    error = cli("experiments", "delete", "sme", code=1).error
    assert error == "There is no experiment 'sme'. Hint: did you mean 'some'?"
    assert "MLflow" in cli("experiments", "--help").out
    assert "abtest experiment is one on live traffic" in " ".join(cli("experiments", "--help").out.split())
    assert "abtest experiments are MLflow's" in " ".join(cli("experiment", "--help").out.split())


def test_no_registry(cli: Typed) -> None:
    """Where there is none, each command says so, and makes none."""
    uri = "sqlite:///nowhere.db"
    for words in (("runs", "list"), ("runs", "show", "a"), ("runs", "delete", "a", "--yes"), ("experiments", "list")):
        assert "There is no MLflow registry" in cli(*words, "--tracking-uri", uri, code=1).error
    assert "does not answer" in cli("runs", "list", "--tracking-uri", "http://127.0.0.1:1", code=1).error


def test_an_empty_registry(cli: Typed, registry: RegistryClient) -> None:
    """Nothing there is no error."""
    del registry
    assert cli("runs", "list").out == "There are no such runs.\n"
    assert json.loads(cli("runs", "list", "--format", "json").out) == []
    assert "Default" in cli("experiments", "list").out
    assert cli("experiments", "list", "--deleted").out == "There are no such experiments.\n"
