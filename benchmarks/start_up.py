"""Whole commands: ``--help`` against a bare Typer program, ``compare`` against a script one would write by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import report, side_by_side

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
champion = mlflow.pyfunc.load_model("models:/digits/Production", suppress_warnings=True)
challenger = mlflow.pyfunc.load_model("models:/digits/Staging", suppress_warnings=True)
rows = pd.read_csv("digits-test.csv")
y, features = rows["digit"], rows.drop(columns="digit").astype(float)
for model in (champion, challenger):
    predicted = model.predict(features)
    print(accuracy_score(y, predicted), precision_recall_fscore_support(y, predicted, average="macro"))
    print(precision_recall_fscore_support(y, predicted), confusion_matrix(y, predicted))
"""


def main() -> None:
    """Measure in a demo folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        (here / "bare.py").write_text(BARE, encoding="utf-8")
        abtest = str(Path(sys.executable).parent / "abtest")

        def run(*command: str, cwd: Path = here) -> None:
            environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
            subprocess.run(command, cwd=cwd, env=environment, check=True, capture_output=True)

        ours, theirs = side_by_side(
            lambda: run(abtest, "--help"), lambda: run(sys.executable, "bare.py", "--help"), rounds=10
        )
        report("abtest --help against a bare Typer program's", ours, theirs, aim="at most 2")
        run(abtest, "demo")
        demo = here / "abtest-demo"
        (demo / "by_hand.py").write_text(BY_HAND, encoding="utf-8")
        compare = (abtest, "compare", "--no-save-plot")
        for extra in ((), ("--no-log",)):
            ours, theirs = side_by_side(
                lambda extra=extra: run(*compare, *extra, cwd=demo),  # type: ignore[misc] # mypy cannot type defaults
                lambda: run(sys.executable, "by_hand.py", cwd=demo),
                rounds=5,
            )
            name = " ".join(("abtest compare --no-save-plot", *extra))
            report(f"{name} against a script by hand", ours, theirs, aim="at most 1.3")
