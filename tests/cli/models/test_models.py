"""``abtest models`` as it is typed: each command says what it did, in words and in JSON, and refuses in one line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abtest.cli import app
from abtest.registry import RegistryClient
from abtest.transitions import Standing, into_production
from tests import trails, zoo

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest import Registry
    from tests.conftest import Told

    Typed = Callable[..., Told]


@pytest.fixture
def typed(iris: Registry, cli: Typed) -> Typed:
    """Type a command of `abtest models` in a folder whose registry holds "iris": 1 Production, 2 Staging, 3 nothing."""
    del iris  # it is what MLflow finds by default
    return lambda *arguments, code=0: cli("models", *arguments, code=code)


def standing() -> Standing:
    """How the model stands."""
    return Standing.of(RegistryClient().versions("iris"))


BEFORE = Standing(production=(1,), staging=(2,))


def test_the_whole_life(typed: Typed, training: tuple[Path, tuple[str, ...]]) -> None:
    """Register, look, promote, roll back, look again: every step reads as it happened."""
    assert "Registered version 4 of 'iris'." in typed("register", "iris", "--run-id", training[1][1]).out
    told = typed("show", "iris")
    assert "0.95" in told.out
    assert "Production" in told.out
    assert told.err == f"Registry  sqlite:///{Path('mlflow.db').resolve()}\n"
    told = typed("promote", "iris", "3", "--reason", "a [bold] try")
    assert told.out == ("Moved:\n  version 3: stage None → Production\n  version 1: stage Production → Archived\n")
    assert "in experiment 'abtest/iris'" in told.err
    assert typed("promote", "iris", "3").out == "Nothing to do: version 3 of 'iris' already stands so.\n"
    assert typed("rollback", "iris", "--yes").out.startswith("Moved:\n  version 1: stage Archived → Production\n")
    told = typed("history", "iris")
    lines = told.out.splitlines()
    assert "rollback to version 1" in lines[1]
    assert "promotion of version 3" in lines[2]
    assert "a [bold] try" in lines[2]
    assert "registration of version 1" in lines[-1]


def test_every_answer_in_json(typed: Typed) -> None:
    """--format json prints one document and nothing else on stdout."""
    (model,) = json.loads(typed("list", "--format", "json").out)
    assert (model["name"], model["production"], model["staging"], model["latest"]) == ("iris", 1, 2, 3)
    shown = json.loads(typed("show", "iris", "--format", "json").out)
    assert [version["metrics"] for version in shown["versions"]] == list(zoo.TRAINED)
    assert shown["serving"] == [1]
    moved = json.loads(typed("promote", "iris", "2", "--format", "json").out)
    assert (moved["version"], moved["outcome"], len(moved["plan"])) == (2, "done", 2)
    past = json.loads(typed("history", "iris", "--format", "json").out)
    assert [entry["serving"] for entry in past["entries"]] == [[1], [1], [2]]
    assert past["entries"][-1]["movement"]["run_id"] == moved["run_id"]
    assert json.loads(typed("promote", "iris", "2", "--format", "json").out)["plan"] == []
    rows = json.loads(typed("compare", "iris", "1", "2", "--format", "json").out)["rows"]
    assert [row["name"] for row in rows] == ["accuracy", "loss", "depth", "seed"]
    assert json.loads(typed("migrate-stages", "--format", "json").out)[0]["model_name"] == "iris"
    assert json.loads(typed("recover", "iris", "--format", "json").out) == []


def test_the_record_of_a_comparison(typed: Typed, cli: Typed) -> None:
    """A promotion by `abtest compare` is in the history with its verdict and its comparison's run."""
    zoo.fruit().to_csv("fruit.csv", index=False)
    compare = ("compare", "--test-data", "fruit.csv", "--target", "kind", "--no-save-plot", "--resamples", "100")
    told = cli(*compare, "--auto-promote", "--format", "json")
    run_id = told.err.split("MLflow    run ")[1].split()[0]
    assert standing().production == (2,)
    line = typed("history", "iris").out.splitlines()[1]
    assert "PROMOTE: The challenger is significantly better" in line
    assert f"run {run_id[:12]}" in line
    assert "PROMOTE on its challenger" in typed("show", "iris").out


def test_an_approval(typed: Typed, cli: Typed) -> None:
    """Asked for by a comparison, seen by whoever looks, settled with a reason; only then it moves."""
    zoo.fruit().to_csv("fruit.csv", index=False)
    compare = ("compare", "--test-data", "fruit.csv", "--target", "kind", "--no-save-plot", "--resamples", "100")
    told = cli(*compare, "--auto-promote", "--require-approval")
    assert "waits for approval (abtest models approve iris)" in told.err
    assert standing() == BEFORE
    assert "Warning: A promotion of version 2 of 'iris' waits for approval" in typed("show", "iris").out
    assert "waits for approval since" in typed("promote", "iris", "3", "--require-approval", code=1).error
    told = typed("approve", "iris", "--reason", "read the report")
    assert told.out.startswith("Approved the promotion of version 2 of 'iris', which ")
    assert standing().production == (2,)
    assert "approved by" in typed("history", "iris").out
    typed("promote", "iris", "3", "--require-approval")
    assert "Nothing was moved." in typed("reject", "iris", "--reason", "no").out
    assert "rejected" in typed("history", "iris", "--all").out
    assert "Nothing of 'iris' waits for approval." in typed("approve", "iris", "--reason", "x", code=1).error


def test_history_names_who_asked_and_who_approved(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are two people, and both are told."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    typed("promote", "iris", "2", "--require-approval")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bob")
    typed("approve", "iris", "--reason", "seen")
    assert "ann, approved by bob" in " ".join(typed("history", "iris").out.split())


def test_a_promotion_that_was_cut_off(typed: Typed) -> None:
    """The next command says what is missing; recover finishes it, or takes it back, and says so."""
    client = RegistryClient()
    versions = client.versions("iris")
    steps = into_production(2, versions)
    trails.cut_off(client, "iris", 2, steps, versions, made=1)
    refused = typed("promote", "iris", "3", code=1).error
    assert f"was cut off. Done: {steps[0]}. Missing: {steps[1]}. Hint: abtest models recover iris" in refused
    assert "was cut off" in typed("show", "iris").out
    told = typed("recover", "iris", "--undo", "--yes")
    assert "Missing: " in told.err
    assert told.out.startswith("Promotion of version 2 of 'iris': undone.")
    assert standing() == BEFORE
    assert typed("recover", "iris").out == "Nothing of 'iris' was cut off.\n"


def test_moved_behind_its_back(typed: Typed) -> None:
    """What was moved in MLflow's UI is told by show and by history."""
    RegistryClient().set_stage("iris", 3, "Production")
    assert "Warning: It was moved outside abtest" in typed("show", "iris").out
    told = typed("history", "iris").out
    assert "moved outside abtest" in told.splitlines()[1]
    assert "Warning: it was moved outside abtest since the last record" in told


def test_looking_after_versions(typed: Typed) -> None:
    """Described, tagged, downloaded, archived, deleted: each says so."""
    assert typed("describe", "iris", "1", "--text", "the first").out == "Described version 1 of 'iris'.\n"
    assert typed("describe", "iris", "--text", "all").out == "Described 'iris'.\n"
    assert typed("tag", "iris", "1", "--tag", "a=b=c", "--tag", "d=").out == "Tagged version 1 of 'iris'.\n"
    typed("tag", "iris", "1", "--remove", "d")
    assert RegistryClient().client.get_model_version("iris", "1").tags["a"] == "b=c"
    assert "the first" in typed("show", "iris").out
    assert typed("download", "iris", "1", "--output", "copy").out == "Downloaded version 1 of 'iris' to copy.\n"
    assert Path("copy/MLmodel").is_file()
    assert "version 2: stage Staging → Archived" in typed("archive", "iris", "2").out
    assert typed("archive", "iris", "2").out == "Nothing to do: version 2 of 'iris' already stands so.\n"
    assert "Would move:\n  version 2: deleted" in typed("delete", "iris", "2", "--dry-run").out
    assert "version 2: deleted" in typed("delete", "iris", "2", "--yes").out
    typed("archive", "iris", "1", "--yes")
    typed("delete", "iris", "--yes")
    assert typed("list").out == "There are no registered models.\n"


def test_deleting_a_model_without_versions(typed: Typed) -> None:
    """There is nothing to move, and it is deleted all the same, and said."""
    RegistryClient().create_model("void")
    assert typed("delete", "void", "--yes").out == "Deleted 'void'.\n"
    assert [model["name"] for model in json.loads(typed("list", "--format", "json").out)] == ["iris"]


def test_logged_metrics_side_by_side(typed: Typed) -> None:
    """What differs is marked, and what is better evidence is said."""
    told = typed("compare", "iris", "1", "latest", "--metric", "accuracy,loss")
    assert [line.split() for line in told.out.splitlines()[1:]] == [
        ["accuracy", "0.9", "0.85", "≠"], ["loss", "0.4", "0.35", "≠"],
    ]  # fmt: skip
    assert "abtest compare --model-name=iris --champion-version=1 --challenger-version=3" in told.err


def test_the_gate_on_logged_metrics(typed: Typed) -> None:
    """Passed: moved, and labelled as weaker; not passed: one line, exit 1, nothing moved."""
    gate = ("auto-promote", "iris", "2", "--metric", "accuracy", "--to-stage", "Production", "--threshold")
    assert "is not at least 0.99" in typed(*gate, "0.99", code=1).error
    assert standing() == BEFORE
    told = typed(*gate, "0.9")
    assert "weaker evidence than 'abtest compare'" in told.err
    assert standing().production == (2,)


def test_migrating(typed: Typed) -> None:
    """The report names each model, what was moved, and what was left."""
    assert "alias champion: version none → 1" in typed("migrate-stages", "--dry-run").out
    assert standing() == BEFORE
    typed("migrate-stages")
    assert standing() == Standing(production=(1,), staging=(2,), champion=1, challenger=2)
    assert "nothing to do" in typed("migrate-stages", "iris").out


WRONG: dict[str, tuple[tuple[str, ...], int, str]] = {
    "a version that is not a number": (("promote", "iris", "two"), 1, "version must be a number, got 'two'"),
    "a version that is not there": (("promote", "iris", "9"), 1, "'iris' has no version 9"),
    "a negative version": (("promote", "iris", "--", "-1"), 1, "version must be a number, got '-1'"),
    "a stage that is not": (("promote", "iris", "2", "--to-stage", "Prod"), 1, "stage must be one of"),
    "from a stage that is not": (("promote", "iris", "2", "--from-stage", "Prod"), 1, "stage must be one of"),
    "from another stage": (("promote", "iris", "3", "--from-stage", "Staging"), 1, "is in stage None, not in Staging"),
    "emptying production": (("promote", "iris", "1", "--to-stage", "Staging"), 1, "nothing would be there"),
    "a reserved alias": (("register", "iris", "--model-uri", "models:/iris/1", "--alias", "latest"), 1, "reserves"),
    "a tag without =": (("tag", "iris", "1", "--tag", "team"), 2, "must be key=value, got 'team'"),
    "a tag without a key": (("tag", "iris", "1", "--tag", "=x"), 2, "must be key=value, got '=x'"),
    "no tag at all": (("tag", "iris", "1"), 2, "give a tag to set or to remove"),
    "nothing to roll back to": (("rollback", "iris", "--yes"), 1, "No earlier version of 'iris' is on record"),
    "roll back to nowhere": (("rollback", "iris", "--to", "9", "--yes"), 1, "has no version 9"),
    "roll back without an answer": (("rollback", "iris", "--to", "3"), 2, "nobody can answer here"),
    "archive what serves": (("archive", "iris", "1"), 2, "nobody can answer here"),
    "delete Production": (("delete", "iris", "1", "--yes"), 1, "Version 1 of 'iris' is in Production"),
    "delete a model in use": (("delete", "iris", "--yes"), 1, "Version 1 of 'iris' is in Production"),
    "delete without an answer": (("delete", "iris", "3"), 2, "nobody can answer here"),
    "a metric never logged": (
        ("auto-promote", "iris", "2", "--metric", "f1", "--threshold", "0"), 1, "'f1' was never logged for version 2"
    ),
    "a threshold that is no number": (
        ("auto-promote", "iris", "2", "--metric", "loss", "--threshold", "high"), 2, "--threshold"
    ),
    "compare with itself": (("compare", "iris", "1", "1"), 1, "Both are version 1"),
    "compare unknown metrics": (("compare", "iris", "1", "2", "--metric", "acuracy"), 1, "did you mean 'accuracy'"),
    "a model that is not there": (("show", "irs"), 1, "No registered model 'irs'"),
    "a name with a slash": (("show", "a/b"), 1, "No registered model 'a/b'"),
    "a name with a quote": (("history", "anna's"), 1, "No registered model 'anna's'"),
    "register a name with a slash": (("register", "a/b", "--model-uri", "models:/iris/1"), 1, "name cannot be 'a/b'"),
    "register from two places": (("register", "x", "--run-id", "a", "--model-uri", "b"), 2, "give one of them"),
    "register from nowhere": (("register", "x"), 2, "give one of them"),
    "register an unknown run": (("register", "x", "--run-id", "nope"), 1, "There is no run nope"),
    "download over a folder": (("download", "iris", "1", "--output", "."), 1, "is there already"),
    "a tag where the version goes": (("tag", "iris", "a=b"), 2, "a tag is set by --tag a=b"),
    "a tag set and removed": (("tag", "iris", "1", "--tag", "a=b", "--remove", "a"), 2, "cannot name a tag that --tag"),
    "no reason": (("approve", "iris", "--reason", ""), 1, "reason must say why"),
    "an empty stage": (("promote", "iris", "2", "--to-stage", ""), 1, "stage must be one of"),
    "two ways to recover": (("recover", "iris", "--undo", "--leave"), 2, "cannot be joined with --undo"),
    "approve without a reason": (("approve", "iris"), 2, "Missing option '--reason'"),
    "nothing to reject": (("reject", "iris", "--reason", "x"), 1, "Nothing of 'iris' waits for approval"),
    "a registry that is not there": (("list", "--tracking-uri", "sqlite:///no.db"), 1, "There is no MLflow registry"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told_and_moves_nothing(typed: Typed, wrong: tuple[tuple[str, ...], int, str]) -> None:
    """One clear line and the documented exit code; the registry stands as it did, and so does the history."""
    before = typed("history", "iris", "--format", "json").out
    arguments, code, expected = wrong
    told = typed(*arguments, code=code)
    said = told.error if code == 1 else " ".join(told.err.replace("│", " ").split())
    assert expected in said
    assert told.out == ""
    assert standing() == BEFORE
    assert typed("history", "iris", "--format", "json").out == before
    assert not Path("no.db").exists()


def test_archived_into_archived(typed: Typed) -> None:
    """What MLflow refuses with an error is a friendly no-op."""
    typed("promote", "iris", "2", "--to-stage", "Archived")
    told = typed("promote", "iris", "2", "--to-stage", "archived")
    assert told.out == "Nothing to do: version 2 of 'iris' already stands so.\n"


def test_asks_at_a_terminal(typed: Typed) -> None:
    """At a terminal it asks, shows what would move, and no is no; yes is yes; Ctrl-C is an interruption."""
    typed("promote", "iris", "2")
    for answer, code, after in (("\\x03", 130, (2,)), ("n", 1, (2,)), ("y", 0, (1,))):
        script = (
            "import pty, os, sys\n"
            "pid, fd = pty.fork()\n"
            f"if pid == 0: os.execv(sys.executable, [sys.executable, '-m', 'abtest', 'models', 'rollback', 'iris'])\n"
            "said = b''\n"
            "while b'[y/N]' not in said: said += os.read(fd, 1000)\n"
            f"os.write(fd, b'{answer}\\n')\n"
            "try:\n"
            "    while data := os.read(fd, 1000): said += data\n"
            "except OSError: pass\n"
            "print(said.decode()); sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
        )
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter
        assert told.returncode == code, told.stdout + told.stderr
        assert "Roll 'iris' back to version 1?" in told.stdout
        assert "version 1: stage Archived → Production" in told.stdout
        assert standing().production == after


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
def test_what_was_moved_is_told_first(typed: Typed) -> None:
    """Where the answer cannot be printed, a full disk, say, that it was moved is on stderr already."""
    del typed
    command = [sys.executable, "-m", "abtest", "models", "promote", "iris", "2"]
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - this interpreter
    assert told.returncode == 1
    assert told.stderr.startswith("Record    run ")
    assert "Error: The output could not be written" in told.stderr
    assert standing().production == (2,)


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_tables_break_no_words(typed: Typed, columns: str) -> None:
    """In a narrow terminal columns are left out, and said to be; numbers, stages and aliases stay whole."""
    typed("migrate-stages")
    script = (
        "import os, pty, sys\n"
        "pid, fd = pty.fork()\n"
        f"if pid == 0: os.execve(sys.executable, [sys.executable, '-m', 'abtest', 'models', 'show', 'iris'],"
        f" {{**os.environ, 'COLUMNS': '{columns}'}})\n"
        "said = b''\n"
        "try:\n"
        "    while data := os.read(fd, 1000): said += data\n"
        "except OSError: pass\n"
        "sys.stdout.buffer.write(said)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout  # noqa: S603 - this interpreter
    told = re.sub(r"\x1b\[\d*m", "", told)  # colours take no room
    for word in ("Production", "Staging", "champion", "challenger"):
        assert word in told
    assert ("left out for want of room" in told) == (columns != "200")
    assert max(len(line) for line in told.splitlines() if "Registry" not in line and "Note" not in line) <= int(columns)


def test_the_model_of_the_settings(typed: Typed) -> None:
    """Without a name, show and history take the settings' model; without either, they say so."""
    assert "name a registered model" in typed("show", code=2).err
    Path("abtest.toml").write_text('[registry]\nmodel_name = "iris"\n', encoding="utf-8")
    assert typed("show").out.startswith("iris")
    assert "registration of version 1" in typed("history").out


@pytest.mark.parametrize(("group", "commands"), [("models", 17), ("experiment", 8)])
def test_every_command_has_help_without_mlflow(group: str, commands: int) -> None:
    """Each command's help is there, and pays for no library but Typer."""
    found = next(it.typer_instance for it in app.registered_groups if it.name == group)
    names = [command.name for command in found.registered_commands]  # type: ignore[union-attr] # it is one
    script = (
        "import sys\n"
        "from abtest.cli import app\n"
        "from typer.testing import CliRunner\n"
        f"for name in {names!r}:\n"
        f"    told = CliRunner().invoke(app, [{group!r}, name, '--help'])\n"
        "    assert told.exit_code == 0 and 'Usage' in told.output, name\n"
        "assert not [name for name in ('mlflow', 'pandas', 'numpy') if name in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603 - this interpreter
    assert len(names) == commands
