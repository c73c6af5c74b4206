"""Whatever a command meets, it says in a line what is wrong; where that comes from it shows under --debug alone."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abtest.cli import examples
from tests import zoo
from tests.cli import shell, workplace

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.registry import RegistryClient
    from tests.conftest import Told

COMMANDS = {" ".join(names): examples.of(epilog)[0] for names, epilog in workplace.commands()}
NOWHERE = {"demo": "it needs nothing", "power": "it needs nothing", "doctor": "what is wrong is what it prints"}


def _nothing(name: str) -> None:
    """It is not there."""


def _damaged(name: str) -> None:
    """It is there, and full of what no format holds, escape codes among it."""
    Path(name).write_bytes(bytes([0x1B, *b"[31m,", 0xC1, *range(256)]) * 20)


def _folder(name: str) -> None:
    """It is a folder."""
    Path(name).mkdir()


@pytest.mark.parametrize("situation", [_nothing, _damaged, _folder], ids=lambda it: it.__name__.strip("_"))
@pytest.mark.parametrize("command", [it for it in COMMANDS if it not in NOWHERE])
def test_a_command_says_in_a_line_what_is_wrong(
    cli: Callable[..., Told], command: str, situation: Callable[[str], None]
) -> None:
    """Where every file that it names is missing, damaged or a folder, one clean line on stderr, and nothing else."""
    settings = (
        '[registry]\ntracking_uri = "sqlite:///mlflow.db"\nmodel_name = "digits"\n[compare]\ntest_data = "t.csv"\n'
    )
    Path("abtest.toml").write_text(settings, encoding="utf-8")
    words = shlex.split(COMMANDS[command])[1:]
    named = {word for word in words if re.fullmatch(r"[\w-]+\.(csv|parquet|jsonl|json|toml|html)", word)}
    before = {"mlflow.db", "abtest-live.db", "t.csv", *named}
    for name in before:
        situation(name)
    told = cli(*words, code=1)
    (line,) = told.err.splitlines()
    assert line.startswith("Error: ")
    assert line.isprintable()
    assert len(line) < 1000
    assert told.out == ""
    left = {str(path) for path in Path().rglob("*")} - {"abtest.toml", "cache"}
    assert left == ({*()} if situation is _nothing else before), "something was left behind"


def test_debug_shows_where_an_error_comes_from() -> None:
    """The same error has no traceback without --debug, and has one with it; both end with exit code 1."""
    for options in ((), ("--debug",)):
        told = shell.run("models", "list", "--tracking-uri", "sqlite:///none.db", *options)
        assert told.returncode == 1
        assert ("Traceback" in told.stderr) is bool(options)
        assert "There is no MLflow registry at sqlite:///none.db" in told.stderr


def test_what_a_model_raises_is_a_line(stocked: RegistryClient, cli: Callable[..., Told]) -> None:
    """A model that raises is told by its error, without its traceback, and under --debug with it."""
    zoo.fruit().to_csv("fruit.csv", index=False)
    typed = ("compare", "--model-name", "fruit", "--test-data", "fruit.csv", "--challenger-version", "4", "--no-log")
    told = cli(*typed, "--tracking-uri", stocked.tracking_uri, code=1)
    assert "RuntimeError: cannot weigh it" in told.error
    with pytest.raises(Exception, match="cannot weigh it") as raised:
        cli(*typed, "--tracking-uri", stocked.tracking_uri, "--debug")
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_what_talks_to_the_terminal_is_not_passed_on(stocked: RegistryClient, cli: Callable[..., Told]) -> None:
    """A name with an escape code in it is shown without it."""
    del stocked
    assert cli("models", "show", "fru\x1b[31mit", code=1).error.startswith("No registered model 'fru�[31mit'")


@pytest.mark.parametrize(
    ("redirected", "variables", "told"),
    [
        ("> /dev/full", {}, "The output could not be written: No space left on device."),
        ("", {"PYTHONIOENCODING": "ascii"}, "The output could not be written: its encoding, ascii, lacks '\\u2713'."),
    ],
    ids=["a full disk", "too few letters"],
)
def test_an_output_that_takes_nothing_is_told(redirected: str, variables: dict[str, str], told: str) -> None:
    """A full disk, and an encoding without our letters, are told in a line."""
    command = f"{shlex.quote(sys.executable)} -m abtest doctor {redirected}"
    said = subprocess.run(  # noqa: S603 - the program under test
        ["/bin/bash", "-c", command], env=shell.environment(**variables), capture_output=True, text=True, check=False
    )
    assert said.returncode == 1
    assert said.stderr.startswith(f"Error: {told}"), said.stderr
    assert len(said.stderr.splitlines()) == 1
