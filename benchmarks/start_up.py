"""Whole commands: ``--help`` against a bare Typer program, ``compare`` against scripts one would write by hand."""

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

ROWS = 100_000

BARE = """
import typer
app = typer.Typer(no_args_is_help=True)
@app.command()
def one(name: str = "x") -> None: "Do one."
@app.command()
def two(name: str = "x") -> None: "Do two."
app()
"""
MAKE = """
import sys, mlflow, pandas as pd
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
mlflow.set_tracking_uri("sqlite:///mlflow.db")
train, test = 10_000, int(sys.argv[1])
X, y = make_classification(train + test, 20, n_informative=8, n_redundant=0, random_state=0)
X = pd.DataFrame(X, columns=[f"x{i}" for i in range(20)])
X[train:].assign(y=y[train:]).to_csv("rows.csv", index=False)
signature = mlflow.models.infer_signature(X[:5], y[:5])
for side, model in (("champion", LogisticRegression()), ("challenger", QuadraticDiscriminantAnalysis())):
    made = mlflow.sklearn.log_model(
        model.fit(X[:train], y[:train]), name=side, signature=signature, registered_model_name="made"
    )
    mlflow.MlflowClient().set_registered_model_alias("made", side, made.registered_model_version)
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
MLFLOWS_WAY = """
import mlflow, pandas as pd
from mlflow.models import MetricThreshold
mlflow.set_tracking_uri("sqlite:///mlflow.db")
rows, found = pd.read_csv("rows.csv"), {}
for side in ("champion", "challenger"):
    with mlflow.start_run():
        found[side] = mlflow.models.evaluate(f"models:/made@{side}", rows, targets="y", model_type="classifier")
better = {"accuracy_score": MetricThreshold(min_absolute_change=0.001, greater_is_better=True)}
mlflow.validate_evaluation_results(better, found["challenger"], found["champion"])
"""


def main() -> None:
    """Measure in folders of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        # As installed: Python keeps what it compiled.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}

        def run(*command: str, cwd: Path = here) -> None:
            subprocess.run([sys.executable, *command], cwd=cwd, env=environment, check=True, capture_output=True)

        help_(run, here)
        demo(run, here)
        made(run, here)


def help_(run: Run, here: Path) -> None:
    """Help."""
    (here / "bare.py").write_text(BARE, encoding="utf-8")
    turns = side_by_side(lambda: run("-m", "abtest", "--help"), lambda: run("bare.py", "--help"), rounds=10)
    report("abtest --help against a bare Typer program's", *turns, aim="at most 2")


def demo(run: Run, here: Path) -> None:
    """The demo, whose files are small: what is left is the start."""
    run("-m", "abtest", "demo")
    at = partial(run, cwd=here / "abtest-demo")
    by_hand = BY_HAND.format(model="digits", file="digits-test.csv", target="digit")
    (here / "abtest-demo" / "by_hand.py").write_text(by_hand, encoding="utf-8")
    for extra in ((), ("--no-log",)):
        compare = partial(at, "-m", "abtest", "compare", "--no-cache", "--no-save-plot", *extra)
        name = " ".join(("the demo: abtest compare --no-save-plot", *extra))
        report(
            f"{name} against a script by hand",
            *side_by_side(compare, partial(at, "by_hand.py"), rounds=5),
            aim="at most 1.1",
        )


def made(run: Run, here: Path) -> None:
    """A hundred thousand rows of 20 columns, two models of scikit-learn; every comparison is logged and reported."""
    (here / "make.py").write_text(MAKE, encoding="utf-8")
    run("make.py", str(ROWS))
    (here / "by_hand.py").write_text(BY_HAND.format(model="made", file="rows.csv", target="y"), encoding="utf-8")
    (here / "mlflows_way.py").write_text(MLFLOWS_WAY, encoding="utf-8")
    compare = partial(
        run, "-m", "abtest", "compare", "--no-cache", "--tracking-uri", "sqlite:///mlflow.db",
        "--model-name", "made", "--test-data", "rows.csv", "--target", "y",
    )  # fmt: skip
    tables, figures = partial(compare, "--no-save-plot"), compare
    for name, ours, script, aim in (
        ("--no-save-plot against a script by hand", tables, "by_hand.py", "at most 1.1"),
        ("--no-save-plot against mlflow.models.evaluate twice", tables, "mlflows_way.py", "at most 0.2"),
        ("with figures against mlflow.models.evaluate twice", figures, "mlflows_way.py", "at most 0.33"),
    ):
        turns = side_by_side(ours, partial(run, script), rounds=5)
        report(f"{ROWS:,} rows: abtest compare {name}", *turns, aim=aim)
