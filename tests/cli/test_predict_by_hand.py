"""``abtest predict --interactive | --values | --demo``: typed at a terminal and by a pipe, with a real registry."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from typer.testing import CliRunner

from abtest.bulk.interactive import Answer
from abtest.cli import app, by_hand
from abtest.registry import RegistryClient
from tests import zoo
from tests.cli import shell
from tests.live import models
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

MODEL = ("predict", "--model-name", "iris")
ROW = "5.1,3.5,1.4,0.2"


@pytest.fixture(scope="module")
def uri(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with two models of irises: one logged with an input example, and "bare", without."""
    import mlflow.sklearn
    from mlflow.models import infer_signature
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("by-hand")
    found = zoo.copy(templates / "empty.db", folder)
    features, target = load_iris(return_X_y=True, as_frame=True)
    kinds = load_iris().target_names[target]
    estimator = LogisticRegression(max_iter=1000).fit(features, kinds)
    registry = RegistryClient(found)
    for name, example in (("iris", features[:2]), ("bare", None)):
        with models.quiet():
            mlflow.sklearn.save_model(
                estimator, folder / name, signature=infer_signature(features, kinds), input_example=example,
                pip_requirements=["scikit-learn"], serialization_format="cloudpickle",
            )  # fmt: skip
        registry.create_model(name)
        registry.create_version(name, str(folder / name), run_id=None, model_id=None, tags={}, description=None)
        registry.set_alias(name, "champion", 1)
    return found


def run(uri: str, *arguments: str, typed: str = "") -> Result:
    """Type a command, and lines after it."""
    return CliRunner().invoke(app, [*MODEL, "--tracking-uri", uri, *arguments], input=typed)


def test_values_are_answered_once(uri: str) -> None:
    """A row in the signature's order is answered with its prediction alone on stdout."""
    told = run(uri, "--values", ROW)
    assert (told.exit_code, told.stdout) == (0, "setosa\n"), told.output


def test_values_are_answered_for_machines(uri: str) -> None:
    """``--format json`` gives one object with the probability of each class and the row, by name as in order."""
    told = run(uri, "--values", ROW, "--format", "json")
    answer = json.loads(told.stdout)
    assert answer["prediction"] == "setosa"
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["row"] == [5.1, 3.5, 1.4, 0.2]
    names = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
    named = ",".join(f"{name}={value}" for name, value in reversed([*zip(names, ROW.split(","), strict=True)]))
    other = json.loads(run(uri, "--values", named, "--format", "json").stdout)
    assert other["probabilities"] == answer["probabilities"]


def test_rows_are_typed_field_by_field(uri: str) -> None:
    """Predictions alone go to stdout, a line a row; prompts, and what is wrong, go to stderr; an empty line ends it."""
    lines = ["5.1", "wide", "3.5", "1.4", "0.2", *["6.7", "3.0", "5.2", "2.3"], "", ""]
    told = run(uri, "--interactive", typed="\n".join(lines))
    assert (told.exit_code, told.stdout) == (0, "setosa\nvirginica\n"), told.output
    assert "sepal length (cm) (a number; e.g. 5.1): " in told.stderr
    assert "Field 'sepal width (cm)' must be a number, got 'wide'." in told.stderr


def test_the_end_of_the_input_ends_it_well(uri: str) -> None:
    """Ctrl-D at once is no error, and no answer."""
    told = run(uri, "--interactive")
    assert (told.exit_code, told.stdout) == (0, "")


def test_the_demo_shows_the_logged_example(uri: str) -> None:
    """Its rows are a table of fields and predictions, or an object each; where none was logged that is said."""
    told = run(uri, "--demo")
    assert told.exit_code == 0, told.output
    header, *rows = [line.strip() for line in told.stdout.splitlines() if line.strip()]
    assert header.split()[-3:] == ["prediction", "its", "probability"]
    assert [row.split()[:4] for row in rows] == [["5.1", "3.5", "1.4", "0.2"], ["4.9", "3.0", "1.4", "0.2"]]
    objects = [json.loads(line) for line in run(uri, "--demo", "--format", "json").stdout.splitlines()]
    assert [it["prediction"] for it in objects] == ["setosa", "setosa"]
    bare = CliRunner().invoke(app, ["predict", "--model-name", "bare", "--tracking-uri", uri, "--demo"])
    assert "No input example was logged" in str(bare.exception)


def test_a_demo_of_many_fields_shows_the_first_ones() -> None:
    """What was predicted is readable beside a row of any width."""
    row = {f"field {i}": i for i in range(30)}
    console = Console(width=80)
    with console.capture() as told:
        console.print(by_hand.as_table([Answer(row=row, prediction="rose", probabilities=(("rose", 0.75),))], None))
    assert told.get().split("\n")[-2].split() == ["0", "1", "2", "3", "4", "5", "…", "rose", "75.0", "%"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--values", "1,2"), "takes 4 values in this order, got 2"),
        (("--values", "a,2,3,4"), "must be a number, got 'a'"),
    ],
)
def test_a_row_that_does_not_fit_is_an_error(uri: str, arguments: tuple[str, ...], told: str) -> None:
    """It is one sentence, and nothing is on stdout."""
    done = run(uri, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in str(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--values", ROW, "--interactive"),
        ("--demo", "--interactive"),
        ("--demo", "--input", "rows.csv"),
        ("--values", ROW, "--output", "out.csv"),
        ("--interactive", "--keep", "id"),
        ("--demo", "--format", "markdown"),
    ],
)
def test_options_that_exclude_each_other_are_usage(arguments: tuple[str, ...]) -> None:
    """One way of giving rows at a time, and none of the options for files beside it; no registry is asked."""
    done = CliRunner().invoke(app, [*MODEL, "--tracking-uri", "sqlite:///none.db", *arguments])
    assert done.exit_code == 2, done.output


def test_at_a_terminal_it_is_a_conversation(uri: str) -> None:
    """Prompts and answers stand where they are typed, with the probabilities; Ctrl-C between rows ends it with 0."""
    here, there = pty.openpty()
    arguments = [sys.executable, "-m", "abtest", *MODEL, "--tracking-uri", uri, "--interactive"]
    process = subprocess.Popen(  # noqa: S603 - the program under test
        arguments, env=shell.environment(TERM="dumb"), stdin=there, stdout=there, stderr=there, start_new_session=True,
        preexec_fn=_own_terminal,  # noqa: PLW1509 - the child needs the terminal as its own for Ctrl-C
    )  # fmt: skip
    os.close(there)
    seen = bytearray()

    def sees(text: str) -> None:
        def holds() -> bool:
            if text.encode() not in seen:
                seen.extend(os.read(here, 4096))
            return text.encode() in seen

        until(holds, seconds=120)
        del seen[: seen.index(text.encode()) + len(text)]

    for field, value in zip(
        ("sepal length", "sepal width", "petal length", "petal width"), ROW.split(","), strict=True
    ):
        sees(f"{field} (cm) (a number")
        sees("): ")
        os.write(here, f"{value}\n".encode())
    sees("setosa  (setosa 9")
    sees("sepal length (cm) (a number")
    sees("): ")
    os.write(here, b"\x03")
    assert process.wait(60) == 0
    os.close(here)


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
