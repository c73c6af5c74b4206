"""The action and the pipelines of docs/gate.md: held to their schemas, and their scripts run on a real registry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests import dialect, zoo

if TYPE_CHECKING:
    from abtest.registry import RegistryClient

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GUIDE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
WORKFLOW, GITLAB = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
(JENKINS,) = re.findall(r"```groovy\n(.*?)```", GUIDE, re.DOTALL)
(GATE,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "gate"]


@pytest.fixture
def workplace(stocked: RegistryClient) -> RegistryClient:
    """A folder with a registry and data, and the settings that name them."""
    zoo.fruit(400).to_csv("fruit.csv", index=False)
    Path("abtest.toml").write_text(
        '[registry]\ntracking_uri = "sqlite:///mlflow.db"\n[compare]\nresamples = 100\nsave_plot = false\n',
        encoding="utf-8",
    )
    return stocked


def run(script: str, variables: dict[str, str] | None = None, *, by: str = "bash") -> subprocess.CompletedProcess[str]:
    """Run a script as CI does, with nothing of ours in the environment but the program."""
    environment = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(Path.cwd()),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **(variables or {}),
    }
    return subprocess.run(  # noqa: S603 - the scripts under test
        [by, "-e", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def act(**inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's script with these inputs, the others at their defaults, as GitHub would."""
    known = {name: entry.get("default", "") for name, entry in ACTION["inputs"].items()}
    given = {**known, **{name.replace("_", "-"): value for name, value in inputs.items()}}
    Path("outputs").unlink(missing_ok=True)
    Path("outputs").touch()  # as GitHub's runner makes it
    variables = {name: given[_input(expression)] for name, expression in GATE["env"].items()}
    return run(GATE["run"], {**variables, "GITHUB_OUTPUT": "outputs", "GITHUB_ACTIONS": "true"})


def outputs() -> dict[str, str]:
    """What later steps see."""
    return dict(line.split("=", 1) for line in Path("outputs").read_text(encoding="utf-8").splitlines())


def _input(expression: str) -> str:
    match = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", expression)
    assert match is not None
    return match[1]


def test_inputs_are_data_and_never_code() -> None:
    """No script holds an expression: what an input says is never a part of the text that a shell reads."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
    for name in re.findall(r"\$\{?(GATE_\w+)", GATE["run"]):
        assert name in GATE["env"]


def test_every_input_is_used_and_documented() -> None:
    """An input that is not used, or not in the guide with its default, is a failing test."""
    used = {_input(expression) for expression in GATE["env"].values()}
    assert used | {"python-version"} == set(ACTION["inputs"])
    table = GUIDE[GUIDE.index("| input | means | default |") : GUIDE.index("Outputs: ")]
    for name, entry in ACTION["inputs"].items():
        (row,) = [line for line in table.splitlines() if f"`{name}`" in line[: line.find("|", 1)]]
        assert entry["default"] in row
        assert entry["description"]
    for variable in GATE["env"]:
        assert GATE["run"].count(f'"${variable}"') == 1
    for name, entry in ACTION["outputs"].items():
        assert f"`{name}`" in GUIDE
        assert entry["value"] == f"${{{{ steps.gate.outputs.{name} }}}}"


@pytest.mark.parametrize(
    ("schema", "name", "text"),
    [
        ("github-actions", "action.yml", (ROOT / "action.yml").read_text(encoding="utf-8")),
        ("github-workflows", "gate.yml", WORKFLOW),
        ("gitlab-ci", ".gitlab-ci.yml", GITLAB),
    ],
    ids=["action", "workflow", "GitLab"],
)
def test_files_hold_to_their_published_schemas(tmp_path: Path, schema: str, name: str, text: str) -> None:
    """Each YAML file is valid by the schema that its platform's users publish."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    command: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", name]
    told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the checker of this environment
    assert told.returncode == 0, told.stdout


def test_the_workflow_uses_what_the_action_has() -> None:
    """The workflow of the guide names inputs and outputs that there are."""
    steps = yaml.safe_load(WORKFLOW)["jobs"]["gate"]["steps"]
    (gate,) = [step for step in steps if step.get("id") == "gate"]
    assert set(gate["with"]) <= set(ACTION["inputs"])
    assert set(re.findall(r"steps\.gate\.outputs\.([a-z-]+)", WORKFLOW)) <= set(ACTION["outputs"])


def test_the_action_passes_a_challenger_that_may_serve(workplace: RegistryClient) -> None:
    """Exit code 0, the outputs, a JUnit file without failures, and nothing promoted unless asked to."""
    told = act(model_name="fruit", test_data="fruit.csv", target="kind", args="--average=weighted\n\n--seed=3\r\n")
    assert told.returncode == 0, told.stderr
    assert outputs()["verdict"] == "PROMOTE"
    assert (Path(outputs()["report"]) / "report.html").exists()
    assert workplace.client.get_run(outputs()["run-id"]).data.params["seed"] == "3"
    assert {case.outcome for case in dialect.read(Path("abtest-gate.xml"))} <= {"passed", "skipped"}
    assert [version.stage for version in workplace.versions("fruit")][:2] == ["Production", "Staging"]
    promoted = act(model_name="fruit", test_data="fruit.csv", target="kind", auto_promote="true")
    assert promoted.returncode == 0, promoted.stderr
    assert [version.stage for version in workplace.versions("fruit")][:2] == ["Archived", "Production"]


@pytest.mark.parametrize(
    ("inputs", "code", "verdict"),
    [
        ({"champion_version": "2", "challenger_version": "1"}, 4, "KEEP_CHAMPION"),
        ({"champion": "models:/fruit/2", "challenger": "models:/fruit/3"}, 5, "INSUFFICIENT_EVIDENCE"),
        ({"champion_version": "2", "challenger_version": "3", "accept": "insufficient-evidence"}, 0,
         "INSUFFICIENT_EVIDENCE"),
        ({"champion_alias": "nobody"}, 1, None),
        ({"challenger_stage": "Stagin"}, 1, None),
        ({"policy": "nope.toml"}, 1, None),
        ({"junit": "fruit.csv/gate.xml"}, 1, None),
        ({"auto_promote": "yes"}, 2, None),
        ({"args": "--nonsense"}, 2, None),
    ],
    ids=str,
)  # fmt: skip
def test_the_action_fails_with_everything_else(
    workplace: RegistryClient, inputs: dict[str, str], code: int, verdict: str | None
) -> None:
    """The exit code is the gate's, and after an error there is an annotation and no verdict."""
    told = act(**{"model_name": "fruit", "test_data": "fruit.csv", "target": "kind", **inputs})
    assert told.returncode == code, told.stderr
    assert outputs().get("verdict") == verdict
    assert ("::error" in told.stderr + told.stdout) == (code != 0)
    assert [version.stage for version in workplace.versions("fruit")][:2] == ["Production", "Staging"]


HOSTILE = ("$(touch owned)", "`touch owned`", '"; touch owned; "', "x\ntouch owned", "' && touch owned #", "--help")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_input_is_not_executed(workplace: RegistryClient, text: str) -> None:
    """Whatever an input holds, no shell reads it, none becomes another option, and the gate stays shut."""
    told = act(**dict.fromkeys(ACTION["inputs"], text) | {"auto-promote": "true"})
    assert told.returncode != 0
    assert act(model_name="fruit", test_data="fruit.csv", target="kind", args=text).returncode != 0
    assert not Path("owned").exists()
    assert "verdict" not in outputs()
    assert [version.stage for version in workplace.versions("fruit")][:2] == ["Production", "Staging"]


def test_the_action_does_not_take_exit_code_0_for_a_verdict(workplace: RegistryClient, tmp_path: Path) -> None:
    """A model whose native code ends the process with 0 fails the job all the same."""
    path = zoo.save(_leaves, tmp_path / "leaves", inputs=zoo.signature(width="double", height="double"))
    version = workplace.client.create_model_version("fruit", path).version
    told = act(model_name="fruit", test_data="fruit.csv", target="kind", challenger_version=str(version))
    assert told.returncode == 1
    assert "There is no verdict" in told.stdout
    (case,) = dialect.read(Path("abtest-gate.xml"))
    assert case.outcome == "error"


@pytest.mark.parametrize("platform", ["GitLab", "Jenkins"])
def test_the_lines_of_other_platforms_run(workplace: RegistryClient, platform: str) -> None:
    """GitLab's script and Jenkins's sh pass a good challenger and fail on a bad one, and write the file they report."""
    if platform == "GitLab":
        job = yaml.safe_load(GITLAB)["model-gate"]
        script, report = "\n".join(job["script"]), job["artifacts"]["reports"]["junit"]
    else:
        (script,) = re.findall(r"sh '(.*)'", JENKINS)
        (report,) = re.findall(r"junit '(.*)'", JENKINS)
    told = run(script, {"MODEL": "fruit", "HOLDOUT": "fruit.csv"}, by="sh")
    assert told.returncode == 0, told.stderr
    assert {case.outcome for case in dialect.read(Path(report))} == {"passed"}
    for number, stage, alias in ((1, "Staging", "challenger"), (2, "Production", "champion")):
        workplace.set_stage("fruit", number, stage)
        workplace.set_alias("fruit", alias, number)
    assert run(script, {"MODEL": "fruit", "HOLDOUT": "fruit.csv"}, by="sh").returncode == 4
    assert "failure" in {case.outcome for case in dialect.read(Path(report))}
    workplace.delete_alias("fruit", "champion")
    workplace.set_stage("fruit", 2, "Archived")
    assert run(script, {"MODEL": "fruit", "HOLDOUT": "fruit.csv"}, by="sh").returncode == 1
    assert {case.outcome for case in dialect.read(Path(report))} == {"error"}


def _leaves(frame: Any) -> Any:
    import ctypes

    ctypes.CDLL(None)["_exit"](0)
    return ["apple"] * len(frame)
