"""``abtest retrain`` and the ways to start it: what is printed, how it ends, and the files of docs/retraining.md."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from abtest.retraining import Audit
from abtest.trail.process import UNDER_WAY
from tests import dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.registry import RegistryClient
    from tests.conftest import Told

GUIDE = (Path(__file__).parents[2] / "docs" / "retraining.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", GUIDE, re.DOTALL))
(LINE,) = re.findall(r"<!-- line: monitor -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
(CRON,) = re.findall(r"<!-- line: cron -->\n```text\n(.*?)\n```", GUIDE, re.DOTALL)
(WORKFLOW,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
(JENKINS,) = re.findall(r"```groovy\n(.*?)```", GUIDE, re.DOTALL)
BIN = Path(sys.executable).parent
FRUIT = ("retrain", "fruit", "--recipe", "recipe.toml", "--data", "new.csv", "--no-save-plot")


@pytest.fixture
def again(retrained: RegistryClient) -> RegistryClient:
    """A folder where fruit was trained again, and the settings by which it was."""
    Path("abtest.toml").write_text(
        '[registry]\ntracking_uri = "sqlite:///mlflow.db"\n[compare]\nresamples = 100\n', encoding="utf-8"
    )
    return retrained


def test_what_was_trained_is_promoted_and_told(cli: Callable[..., Told], again: RegistryClient) -> None:
    """It prints the comparison and what was moved, and passes the gate; typed again it changes nothing, and agrees."""
    told = cli(*FRUIT, "--auto-promote", "--gate", "--junit", "gate.xml")
    assert told.out.startswith("PROMOTE")
    assert "  version 12: stage None → Production\n" in told.err
    assert "Promoted version 12 of 'fruit'; recorded in run " in told.err
    cases = [case.outcome for case in dialect.read(Path("gate.xml"))]
    Path("gate.xml").unlink()
    twice = cli(*FRUIT, "--auto-promote", "--gate", "--junit", "gate.xml")
    assert twice.out == told.out
    assert twice.err.startswith("Done before, on the same rows by the same recipe: nothing was changed (run ")
    assert "It promoted version 12 of 'fruit'" in twice.err
    assert [case.outcome for case in dialect.read(Path("gate.xml"))] == cases
    assert len(again.versions("fruit")) == 12


def test_a_verdict_that_promotes_nothing_ends_as_the_gate_says(cli: Callable[..., Told], again: RegistryClient) -> None:
    """A version that may not serve is told with what it lacks; with a gate, by the exit code, the second time too."""
    again.set_stage("fruit", 1, "Archived")
    again.set_stage("fruit", 2, "Production")
    again.set_alias("fruit", "champion", 2)
    for code, typed in ((5, ["--gate"]), (5, ["--gate", "--quiet"]), (0, [])):
        told = cli(*FRUIT, "--auto-promote", *typed, code=code)
        assert told.out.startswith("INSUFFICIENT_EVIDENCE")
    assert "Not promoted. The verdict is INSUFFICIENT_EVIDENCE; version 12 of 'fruit' is in no stage." in told.err
    assert again.versions("fruit")[1].stage == "Production"


def test_who_is_at_it_is_told(cli: Callable[..., Told], again: RegistryClient) -> None:
    """While another goes on it ends with exit code 1 and says who, since when and where."""
    mine = Audit(again, "fruit").open({})
    try:
        told = cli(*FRUIT, "--again", code=1)
    finally:
        UNDER_WAY.discard(mine.attempt)
    assert re.search(r"begun .* UTC by .* on .* \(run .*\) is under way\. Hint: try again", told.error)


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (["fruit", "--data", "new.csv"], 2, "--recipe"),
        (["fruit", "--recipe", "recipe.toml"], 2, "--data"),
        (["--recipe", "recipe.toml", "--data", "new.csv"], 2, "NAME"),
        (["fruit", "--recipe", "recipe.toml", "--data", "new.csv", "--promote-on", "conditional"], 2, "--auto-promote"),
        (["fruit", "--recipe", "nowhere.toml", "--data", "new.csv"], 1, "nowhere.toml"),
        (["fruit", "--recipe", "recipe.toml", "--data", "nowhere.csv"], 1, "nowhere.csv"),
        (["fruit", "--recipe", "recipe.toml", "--data", "new.csv", "--policy", "nowhere.toml"], 1, "nowhere.toml"),
    ],
)
def test_what_is_missing_is_named(
    cli: Callable[..., Told], again: RegistryClient, typed: list[str], code: int, said: str
) -> None:
    """What was not given, or is not there, is refused by its name before anything is on record."""
    told = cli("retrain", *typed, code=code)
    assert said in told.err
    assert len(Audit(again, "fruit").read()) == 1


def started(script: str, status: int, **variables: str) -> tuple[int, list[str]]:
    """Run a script of the guide where the check ends so; give its exit code, and the commands that were typed."""
    Path("bin").mkdir(exist_ok=True)
    program = Path("bin/abtest")  # it says what is typed, and is none of ours
    program.write_text(f'#!/bin/sh\necho "$@" >> typed\n[ "$1" = retrain ] || exit {status}\n', encoding="utf-8")
    program.chmod(0o755)
    Path("typed").write_text("", encoding="utf-8")
    path = f"{Path('bin').resolve()}{os.pathsep}{os.environ['PATH']}"
    told = subprocess.run(  # noqa: S603 - the guide's own lines
        ["/bin/sh", "-c", script], env={"PATH": path, **variables}, check=False, timeout=30
    )
    return told.returncode, [line.split()[0] for line in Path("typed").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("status", range(6))
def test_the_line_trains_where_a_metric_has_fallen_and_only_there(tmp_path: Path, status: int) -> None:
    """After exit code 4 of the check, and after no other, it trains; without braces it would after 0."""
    assert ("retrain" in started(LINE, status)[1]) == (status == 4)
    assert "retrain" in started(LINE.replace("{ ", "").replace("; }", ""), 0)[1]
    del tmp_path


@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 1), (2, 1), (3, 0), (4, 0), (5, 0), (130, 1)])
def test_the_script_passes_errors_on(tmp_path: Path, status: int, code: int) -> None:
    """The script, as cron's line and Jenkins's start it, trains after 4 alone, and fails where the check did."""
    (tmp_path / "retrain.sh").write_text(FILES["retrain.sh"], encoding="utf-8")
    Path("secrets.env").write_text("MODEL=digits\nNEW_DATA=new.csv\n", encoding="utf-8")
    minute, hour, day, month, weekday, cron = CRON.split(maxsplit=5)
    assert minute.isdecimal()
    assert hour.isdecimal()
    assert (day, month, weekday) == ("*", "*", "1")
    assert "%" not in cron
    (jenkins,) = re.findall(r"sh '(.*)'", JENKINS)
    expected = (code, ["monitor", *(["retrain"] if status == 4 else [])])
    assert started(cron.replace("/srv/digits", str(tmp_path)), status) == expected
    assert started(jenkins, status, MODEL="digits", NEW_DATA="new.csv") == expected


def test_what_the_script_types_trains(cli: Callable[..., Told], again: RegistryClient) -> None:
    """What it types is understood, and promotes what may serve."""
    (words,) = re.findall(r"exec abtest (retrain .*) ;;", FILES["retrain.sh"])
    cli(*shlex.split(words.replace("$MODEL", "fruit").replace("$NEW_DATA", "new.csv")), "--no-save-plot")
    assert again.versions("fruit")[11].stage == "Production"


def test_the_workflow_holds_to_its_schema(tmp_path: Path) -> None:
    """The workflow is valid by the schema that GitHub's users publish, and runs the script with what that reads."""
    (tmp_path / "retrain.yml").write_text(WORKFLOW, encoding="utf-8")
    command: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", "retrain.yml"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the checker of this environment
    assert told.returncode == 0, told.stdout
    job = yaml.safe_load(WORKFLOW)["jobs"]["retrain"]
    assert "sh retrain.sh" in [step.get("run") for step in job["steps"]]
    assert set(re.findall(r"\$([A-Z_]{2,})", FILES["retrain.sh"])) <= set(job["env"])


def test_the_python_of_the_guide_is_python() -> None:
    """The DAG and the flow compile, and start the script."""
    for name in ("retrain_dag.py", "retrain_flow.py"):
        tree = ast.parse(FILES[name])
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert {"MODEL", "NEW_DATA"} <= texts
        assert any("retrain.sh" in str(text) for text in texts)
