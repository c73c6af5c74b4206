"""How long does a command take to start?

`--help` against a bare Typer program's, and the demo, whose files are small, against a script by hand: what is left is
the start. Whole processes, in turns.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import report, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., None]

BARE = """
import typer
app = typer.Typer(no_args_is_help=True)
@app.command()
def one(name: str = "x") -> None: "Do one."
@app.command()
def two(name: str = "x") -> None: "Do two."
app()
"""
BY_HAND = """
import mlflow, pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
mlflow.set_tracking_uri("sqlite:///mlflow.db")
champion = mlflow.pyfunc.load_model("models:/{model}@champion", suppress_warnings=True)
challenger = mlflow.pyfunc.load_model("models:/{model}@challenger", suppress_warnings=True)
rows = pd.read_csv("{file}")
y, features = rows["{target}"], rows.drop(columns="{target}").astype(float)
for model in (champion, challenger):
    predicted = model.predict(features)
    print(accuracy_score(y, predicted), precision_recall_fscore_support(y, predicted, average="macro"))
    print(precision_recall_fscore_support(y, predicted), confusion_matrix(y, predicted))
"""


def main(*, quick: bool = False) -> None:
    """Measure in folders of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        # As installed: Python keeps what it compiled.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}

        def run(*command: str, cwd: Path = here) -> None:
            subprocess.run([sys.executable, *command], cwd=cwd, env=environment, check=True, capture_output=True)

        help_(run, here, rounds=1 if quick else 10)
        demo(run, here, rounds=1 if quick else 5)


def help_(run: Run, here: Path, *, rounds: int) -> None:
    """Help."""
    (here / "bare.py").write_text(BARE, encoding="utf-8")
    turns = side_by_side(lambda: run("-m", "abtest", "--help"), lambda: run("bare.py", "--help"), rounds=rounds)
    report("`abtest --help`", *turns, rival="a bare Typer program's", aim="at most 2")


def demo(run: Run, here: Path, *, rounds: int) -> None:
    """The demo, whose files are small: what is left is the start."""
    run("-m", "abtest", "demo")
    at = partial(run, cwd=here / "abtest-demo")
    by_hand = BY_HAND.format(model="digits", file="digits-test.csv", target="digit")
    (here / "abtest-demo" / "by_hand.py").write_text(by_hand, encoding="utf-8")
    for extra in ((), ("--no-log",)):
        compare = partial(at, "-m", "abtest", "compare", "--no-cache", "--no-save-plot", *extra)
        name = " ".join(("abtest compare --no-save-plot", *extra))
        report(
            f"the demo: `{name}`",
            *side_by_side(compare, partial(at, "by_hand.py"), rounds=rounds),
            rival="a script by hand",
            aim="at most 1.1",
        )
