"""The gate fails closed: whatever goes wrong, nothing is promoted, no gate passes, and CI's file holds an error."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abtest.reporter import junit
from tests import dialect, zoo
from tests.cli import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from abtest.registry import RegistryClient
    from tests.conftest import Told

JUNIT = ("--junit", "gate.xml")
COMPARE = ("compare", "--model-name", "fruit", "--test-data", "fruit.csv", "--resamples", "100", "--no-save-plot")
GATE = (*COMPARE, *JUNIT, "--gate", "--auto-promote")
EARLIER = "<testsuites><testsuite><testcase name='verdict'/></testsuite></testsuites>"


@pytest.fixture
def workplace(stocked: RegistryClient) -> RegistryClient:
    """A folder with a registry, data, and the JUnit file of an earlier run that passed."""
    zoo.fruit(400).to_csv("fruit.csv", index=False)
    Path("gate.xml").write_text(EARLIER, encoding="utf-8")
    return stocked


@pytest.fixture
def unmoved(workplace: RegistryClient) -> Iterator[RegistryClient]:
    """The same, of which no version has moved at the end, whatever was asked."""
    before = state(workplace)
    yield workplace
    after = state(workplace)
    assert after[: len(before)] == before
    assert all(stage is None and not aliases for _, stage, aliases in after[len(before) :])


def state(registry: RegistryClient) -> list[Any]:
    """Stage and aliases of each version of fruit."""
    return [(v.version, v.stage, v.aliases) for v in registry.versions("fruit")]


def only_error(path: str = "gate.xml") -> str:
    """The text of the one error that a JUnit file holds."""
    (case,) = dialect.read(Path(path))
    assert (case.name, case.outcome) == (junit.VERDICT, "error")
    return case.text


def registered(registry: RegistryClient, rule: Callable[[pd.DataFrame], Any], folder: Path) -> str:
    """Register one more version of fruit, and name it."""
    path = zoo.save(rule, folder, inputs=zoo.signature(width="double", height="double"))
    return str(registry.client.create_model_version("fruit", path).version)


ERRORS = {
    "no champion": (("--model-name", "bare"), "'bare' has no champion"),
    "no such model": (("--model-name", "friut"), "No registered model 'friut'"),
    "no such challenger": (("--challenger-alias", "nobody"), "has the alias 'nobody'"),
    "two champions": (("--model-name", "crowd"), "all in stage Production"),
    "no registry": (("--tracking-uri", "sqlite:///nothing.db"), "no such file"),
    "a registry that is none": (("--tracking-uri", "sqlite:///garbage.db"), "cannot be opened"),
    "an empty database": (("--tracking-uri", "sqlite:///empty.db"), "without an MLflow registry"),
    "no server": (("--tracking-uri", "http://127.0.0.1:1"), "does not answer"),
    "no data": (("--test-data", "nope.csv"), "nope.csv"),
    "no rows": (("--test-data", "head.csv"), "head.csv"),
    "an empty file": (("--test-data", "nothing.csv"), "nothing.csv"),
    "no target": (("--target", "nope"), "nope"),
    "no feature": (("--test-data", "narrow.csv"), "feature 'height'"),
    "a model that raises": (("--challenger-version", "4"), "cannot weigh it"),
    "a model that does not load": (("--challenger-version", "5"), "does not load"),
    "probabilities": (("--challenger-version", "6"), "not class labels"),
    "too few predictions": (("--challenger-version", "7"), "shape"),
    "two columns": (("--challenger-version", "8"), "2 values a row"),
    "no prediction": (("--challenger-version", "11"), "predicts nothing"),
    "no policy": (("--policy", "nope.toml"), "nope.toml does not exist"),
    "a policy that is no TOML": (("--policy", "broken.toml"), "is not TOML"),
    "a policy with a misspelt guard": (("--policy", "misspelt.toml"), "did you mean 'guardrails'"),
    "a policy of an unknown metric": (("--policy", "unknown.toml"), "acuracy"),
    "a report that cannot be written": (("--output", "fruit.csv"), "output fruit.csv cannot be written"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_closes_the_gate(unmoved: RegistryClient, cli: Callable[..., Told], what: str) -> None:
    """Each error is exit code 1, no verdict on stdout, and the error in place of the earlier run's result."""
    del unmoved
    Path("garbage.db").write_text("this is no database" * 100, encoding="utf-8")
    sqlite3.connect("empty.db").execute("CREATE TABLE t (x)").connection.close()
    Path("head.csv").write_text("width,height,kind\n", encoding="utf-8")
    Path("nothing.csv").touch()
    zoo.fruit().drop(columns="height").to_csv("narrow.csv", index=False)
    Path("broken.toml").write_text("confidence = ", encoding="utf-8")
    Path("misspelt.toml").write_text("guardrail = []", encoding="utf-8")
    Path("unknown.toml").write_text('metrics = ["acuracy"]', encoding="utf-8")
    options, expected = ERRORS[what]
    told = cli(*GATE, *options, code=1)
    assert told.out == ""
    assert expected in told.error
    assert " ".join(only_error().split()) == told.error


def test_settings_that_mean_nothing_close_the_gate(unmoved: RegistryClient, cli: Callable[..., Told]) -> None:
    """A misspelt setting is an error and no default."""
    del unmoved
    Path("abtest.toml").write_text("[compare]\nconfidense = 0.99", encoding="utf-8")
    cli(*GATE, code=1)
    assert "did you mean 'confidence'" in only_error()


@pytest.mark.parametrize(
    "options",
    [("--average", "micro"), ("--nonsense",), ("--accept", "keep_champion"), ("--resamples", "many"), ("--no-log",)],
    ids=" ".join,
)
def test_what_is_not_understood_closes_the_gate(
    unmoved: RegistryClient, cli: Callable[..., Told], options: tuple[str, ...]
) -> None:
    """Usage errors are exit code 2, and the JUnit file holds an error even where no command was reached."""
    del unmoved
    cli(*GATE, *options, code=2)
    assert "not understood" in only_error()


@pytest.mark.parametrize(
    "option", [("--junit=gate.xml",), ("--junit", "first.xml", "--junit", "gate.xml")], ids=" ".join
)
def test_the_file_is_found_however_it_is_typed(
    unmoved: RegistryClient, cli: Callable[..., Told], option: tuple[str, ...]
) -> None:
    """With an equals sign, and named twice: the last one counts."""
    del unmoved
    cli(*COMPARE, *option, "--nonsense", code=2)
    only_error()
    cli(*COMPARE, *option, "--challenger-version", "4", code=1)
    only_error()
    assert not Path("first.xml").exists()


def test_asking_for_help_writes_nothing(unmoved: RegistryClient, cli: Callable[..., Told]) -> None:
    """``--help`` beside it leaves the file alone."""
    del unmoved
    cli(*GATE, "--help")
    assert Path("gate.xml").read_text(encoding="utf-8") == EARLIER


@pytest.mark.parametrize("path", ["fruit.csv/gate.xml", ".", "", "/dev/null"])
def test_a_junit_file_that_cannot_be_written_is_refused_before_any_work(
    unmoved: RegistryClient, cli: Callable[..., Told], path: str
) -> None:
    """It is one sentence and a hint, and no row has been read, nothing logged and no report written."""
    told = cli(*COMPARE, "--gate", "--auto-promote", "--junit", path, code=1)
    assert told.out == ""
    assert told.error.startswith("junit ")
    assert "cannot be written" in told.error
    assert "Hint: " in told.error
    assert not Path("reports").exists()
    assert unmoved.client.get_experiment_by_name("abtest/fruit") is None
    assert not Path("/dev/null").is_file()


def test_a_run_that_cannot_be_logged_closes_the_gate(unmoved: RegistryClient, cli: Callable[..., Told]) -> None:
    """The verdict is told all the same, but nothing is promoted and CI's file holds the error."""
    with sqlite3.connect("mlflow.db") as database:
        database.execute("CREATE TRIGGER b BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    told = cli(*GATE, "--format", "markdown", code=1)
    assert "PROMOTE" in told.out.splitlines()[0]
    assert "MLflow run" not in told.out
    assert "could not be logged" in only_error()
    del unmoved


def test_a_promotion_that_fails_closes_the_gate(workplace: RegistryClient, cli: Callable[..., Told]) -> None:
    """Where the registry does not take the move, CI's file holds the error, and not the verdict."""
    del workplace
    with sqlite3.connect("mlflow.db") as database:
        database.execute(
            "CREATE TRIGGER b BEFORE UPDATE ON model_versions BEGIN SELECT RAISE(ABORT, 'the registry is closed'); END"
        )
    told = cli(*GATE, "--junit", "gate.xml", code=1)
    assert told.out.startswith("PROMOTE")
    assert only_error()


@pytest.mark.parametrize("way", ["sys.exit", "os._exit", "while loading"])
def test_a_model_that_ends_the_program_closes_the_gate(
    unmoved: RegistryClient, cli: Callable[..., Told], tmp_path: Path, way: str
) -> None:
    """Exit code 0 of a model is none of ours: not from ``sys.exit`` and not from ``os._exit``."""
    rules = {"sys.exit": _exits, "os._exit": _exits_at_once, "while loading": zoo.better}
    version = registered(unmoved, rules[way], tmp_path / "model")
    if way == "while loading":
        (tmp_path / "model" / "python_model.pkl").write_bytes(b"csys\nexit\n(I0\ntR.")
    told = cli(*GATE, "--challenger-version", version, code=1)
    assert told.out == ""
    assert "challenger" in only_error()


def test_not_even_a_model_that_kills_the_program_passes_for_a_result(unmoved: RegistryClient, tmp_path: Path) -> None:
    """Where the process is gone at once, whatever its exit code, CI's file says that nothing was decided."""
    for rule in (_is_killed, _leaves_by_the_window):
        version = registered(unmoved, rule, tmp_path / rule.__name__)
        Path("gate.xml").write_text(EARLIER, encoding="utf-8")
        told = shell.run(*GATE, "--challenger-version", version)
        assert told.stdout == ""
        assert only_error() == junit.UNFINISHED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_closes_the_gate(unmoved: RegistryClient, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and a cancelled job are exit code 130 and an error in CI's file; until then it said "did not finish"."""
    sign, seen = tmp_path / "scoring", []
    version = registered(unmoved, shell.waits_at(sign), tmp_path / "slow")
    process = shell.begin(*GATE, "--challenger-version", version, GITHUB_ACTIONS="true")

    def interrupt() -> None:
        seen.append(only_error())
        process.send_signal(number)

    killer = threading.Thread(target=shell.when_asked, args=(process, sign, interrupt))
    killer.start()
    out, err = process.communicate(timeout=60)
    killer.join()
    assert (process.returncode, out) == (130, "")
    assert seen == [junit.UNFINISHED]
    assert "Interrupted" in only_error()
    assert "::error title=abtest::Interrupted" in err


def test_a_verdict_that_passes(workplace: RegistryClient, cli: Callable[..., Told]) -> None:
    """PROMOTE is exit code 0, no failure in CI's file, and here a promotion; a second run finds another file."""
    cli(*GATE)
    cases = dialect.read(Path("gate.xml"))
    assert {case.outcome for case in cases} == {"passed"}
    assert {case.group for case in cases} == {"abtest.fruit"}
    assert state(workplace)[1][1] == "Production"
    cli(*COMPARE, "--champion-version", "2", "--challenger-version", "1", "--gate", *JUNIT, code=4)
    failed = [case for case in dialect.read(Path("gate.xml")) if case.outcome == "failure"]
    assert failed[0].name == junit.VERDICT
    assert failed[0].text.startswith("KEEP_CHAMPION: ")


def test_what_is_accepted_fails_nothing(unmoved: RegistryClient, cli: Callable[..., Told]) -> None:
    """With --accept the exit code and CI's file agree; without it they do too. Without --gate the file alone tells."""
    del unmoved
    alike = (*COMPARE, "--champion-version", "2", "--challenger-version", "3", "--no-log", *JUNIT)
    cli(*alike, "--gate", code=5)
    assert "failure" in {case.outcome for case in dialect.read(Path("gate.xml"))}
    cli(*alike, "--gate", "--accept", "insufficient-evidence")
    assert {case.outcome for case in dialect.read(Path("gate.xml"))} == {"passed", "skipped"}
    cli(*alike, "--accept", "insufficient-evidence")
    assert {case.outcome for case in dialect.read(Path("gate.xml"))} == {"passed", "skipped"}
    cli(*alike)
    assert "failure" in {case.outcome for case in dialect.read(Path("gate.xml"))}


def test_several_challengers_have_a_suite_each(unmoved: RegistryClient, cli: Callable[..., Told]) -> None:
    """The first suite is about all of them, and each challenger has one."""
    del unmoved
    cli(*COMPARE, "--challenger-version", "2,10", "--no-log", "--gate", *JUNIT)
    cases = dialect.read(Path("gate.xml"))
    assert list(dict.fromkeys(case.group for case in cases)) == ["abtest.fruit", "abtest.fruit.v2", "abtest.fruit.v10"]
    assert "failure" not in {case.outcome for case in cases}


def test_predictions_have_a_gate_too(cli: Callable[..., Told]) -> None:
    """`compare-predictions` writes the same file, result or error, in a folder that is made for it."""
    frame = zoo.fruit(400)
    frame.assign(a=zoo.linear(frame), b=zoo.better(frame)).to_csv("p.csv", index=False)
    command = (
        "compare-predictions",
        "p.csv",
        "--target",
        "kind",
        "--no-save-plot",
        "--junit",
        "out/gate.xml",
        "--gate",
    )
    cli(*command, "--champion", "a", "--challenger", "b")
    assert {case.outcome for case in dialect.read(Path("out/gate.xml"))} == {"passed"}
    cli(*command, "--champion", "b", "--challenger", "a", code=4)
    assert "failure" in {case.outcome for case in dialect.read(Path("out/gate.xml"))}
    cli(*command, "--champion", "a", "--challenger", "c", code=1)
    assert "c" in only_error("out/gate.xml")


@pytest.mark.parametrize("way", ["sys.exit(0)", "os._exit(0)"])
def test_a_metric_that_ends_the_program_closes_the_gate(
    cli: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Whose code it is that leaves does not matter: a metric of one's own is no way out either."""
    Path("leaving.py").write_text(f"import os, sys\ndef score(confusion):\n    {way}\n", encoding="utf-8")
    Path("policy.toml").write_text('metrics = ["accuracy", "leaving:score"]', encoding="utf-8")
    monkeypatch.syspath_prepend(".")
    Path("p.csv").write_text("y,a,b\n" + "0,0,0\n1,0,1\n" * 20, encoding="utf-8")
    command = ("compare-predictions", "p.csv", "--target", "y", "--champion", "a", "--challenger", "b")
    told = cli(*command, "--policy", "policy.toml", "--gate", *JUNIT, code=1)
    assert told.out == ""
    assert only_error()
    monkeypatch.delitem(sys.modules, "leaving")


def test_a_github_job_shows_the_verdict(
    unmoved: RegistryClient, cli: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of the job gets the Markdown, its log annotations, and later steps outputs; stdout stays ours."""
    del unmoved
    Path("summary.md").write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.setenv("GITHUB_OUTPUT", "outputs")
    told = cli(*COMPARE, "--format", "markdown", "--gate")
    assert Path("summary.md").read_text(encoding="utf-8") == "before\n" + told.out
    assert "::notice title=abtest%3A PROMOTE::" in told.err
    assert "::" not in told.out
    outputs = dict(line.split("=", 1) for line in Path("outputs").read_text(encoding="utf-8").splitlines())
    assert outputs["verdict"] == "PROMOTE"
    assert (Path(outputs["report"]) / "summary.md").read_text(encoding="utf-8") in told.out
    assert f"MLflow run {outputs['run-id']} in the experiment abtest/fruit" in told.out
    turned = ("--champion-version", "2", "--challenger-version", "1", "--no-log")
    assert "::error title=abtest%3A KEEP_CHAMPION::" in cli(*COMPARE, *turned, "--gate", code=4).err
    assert "::error" not in cli(*COMPARE, *turned).err


def test_a_github_job_shows_the_error(
    unmoved: RegistryClient, cli: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is an annotation without credentials, and sets no output that could be taken for a verdict."""
    del unmoved
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", "outputs")
    told = cli(*GATE, "--tracking-uri", "http://me:hunter2@127.0.0.1:1", code=1)
    assert re.search(
        r"^::error title=abtest::The registry http://\*\*\*@127\.0\.0\.1:1 does not", told.err, re.MULTILINE
    )
    assert "hunter2" not in told.err + only_error()
    assert not Path("outputs").exists()
    assert "::error title=abtest::The command line was not understood" in cli(*GATE, "--nonsense", code=2).err


@pytest.mark.parametrize("variable", ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"])
def test_a_github_file_that_cannot_be_written_changes_nothing(
    unmoved: RegistryClient, cli: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It is a warning on stderr; verdict, exit code and CI's file are the same."""
    del unmoved
    monkeypatch.setenv(variable, "fruit.csv/none")
    told = cli(*COMPARE, "--no-log", "--gate", *JUNIT, "--quiet")
    assert told.out == "PROMOTE\n"
    assert f"Warning: {variable} fruit.csv/none cannot be written" in told.err
    assert {case.outcome for case in dialect.read(Path("gate.xml"))} == {"passed"}


def test_a_comment_links_the_run_on_a_server(workplace: RegistryClient, cli: Callable[..., Told]) -> None:
    """On a real tracking server the Markdown ends in the address of the run's page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(  # noqa: S603 - MLflow's own server
        [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", workplace.tracking_uri, "--port", str(port),
         "--workers", "1", "--default-artifact-root", "artifacts"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port, server)
        told = cli(*COMPARE, "--tracking-uri", uri, "--format", "markdown")
    finally:
        server.terminate()
        server.wait(20)
    experiment = workplace.client.get_experiment_by_name("abtest/fruit")
    assert experiment is not None
    (run, *_) = workplace.client.search_runs([experiment.experiment_id])
    page = f"{uri}/#/experiments/{experiment.experiment_id}/runs/{run.info.run_id}"
    assert told.out.splitlines()[-1] == f"[MLflow run {run.info.run_id}]({page})"


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the server did not start")


def _exits(frame: pd.DataFrame) -> Any:
    del frame
    sys.exit(0)


def _exits_at_once(frame: pd.DataFrame) -> Any:
    import os as system

    del frame
    system._exit(0)


def _is_killed(frame: pd.DataFrame) -> Any:
    import os as system

    system.kill(system.getpid(), 9)
    return ["apple"] * len(frame)


def _leaves_by_the_window(frame: pd.DataFrame) -> Any:
    import ctypes

    ctypes.CDLL(None)["_exit"](0)
    return ["apple"] * len(frame)
