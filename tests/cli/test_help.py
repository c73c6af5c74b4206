"""Every command's help ends with an example, and the example does what it says."""

from __future__ import annotations

import glob
import shlex
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from abtest.cli import examples
from tests.cli import shell, workplace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Told

COMMANDS = {" ".join(names): epilog for names, epilog in workplace.commands()}
WIDTH = 80  # of a terminal; the help is indented by one, and has one to spare
BEFORE = {  # what was typed before, in a copy of the folder of the command's own
    "experiment start": ["abtest experiment stop spring"],
    "experiment resume": ["abtest experiment pause spring"],
    "models approve": ["abtest models promote digits 2 --require-approval"],
    "models reject": ["abtest models promote digits 2 --require-approval"],
    "models rollback": ["abtest models promote digits 2"],
}
ELSEWHERE = {
    "demo": "the folder was made by it",
    "serve": "it does not end: in a process of its own, below",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as it was made."""
    return workplace.build(tmp_path_factory.mktemp("place"))


@pytest.fixture
def copy(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to work in; the models' files stay where they are."""
    here = tmp_path / "here"
    shutil.copytree(place, here, ignore=shutil.ignore_patterns("mlruns"))
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example(cli: Callable[..., Told], command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help ends with an example of that very command, whole on a line of a terminal, as it would be typed."""
    typed = examples.of(COMMANDS[command])
    assert any(line.startswith(f"abtest {command} ") or line == f"abtest {command}" for line in typed), typed
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    shown = [line.strip() for line in cli(*command.split(), "--help").out.splitlines() if line.strip()]
    assert shown[-len(typed) - 1 :] == ["Example:", *(f"$ {line}" for line in typed)]


@pytest.mark.parametrize("command", [it for it in COMMANDS if it not in ELSEWHERE])
def test_an_example_runs(cli: Callable[..., Told], copy: Path, command: str) -> None:
    """An example that is typed as it stands ends well."""
    del copy
    for line in (*BEFORE.get(command, ()), *examples.of(COMMANDS[command])):
        _type(cli, line)


def _type(cli: Callable[..., Told], line: str) -> None:
    words = shlex.split(line)
    if not {"|", "<", ">", "&&"} & set(words):
        assert words[0] == "abtest"
        cli(*(found for word in words[1:] for found in (sorted(glob.glob(word)) or [word])))  # noqa: PTH207 - as a shell has it
        return
    program = f'abtest() {{ {shlex.quote(sys.executable)} -m abtest "$@"; }}; set -o pipefail; {line}'
    told = subprocess.run(  # noqa: S603 - our own examples
        ["/bin/bash", "-c", program], env=shell.environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 0, told.stderr


def test_the_example_of_serve_serves(copy: Path) -> None:
    """The example of serve, on a port that is free, serves until Ctrl-C."""
    del copy
    (line,) = examples.of(COMMANDS["serve"])
    server = shell.begin(*shlex.split(line)[1:], "--port", "0")
    try:
        assert server.stderr is not None
        said = server.stderr.readline()
        assert "http://127.0.0.1:" in said, said + server.stderr.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) in {0, 130}
    finally:
        server.kill()
        server.communicate()
