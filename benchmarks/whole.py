"""How long does the whole comparison take?

Two registered models (a logistic regression and naive Bayes, five classes) and a Parquet file of labelled rows with 20
features, from the start of the process to its end. `abtest compare` loads and scores both models and gives every metric
of both sides, overall and by class, each effect with a test and an interval from 10,000 resamples, and the verdict, and
logs all of it as a run. The script by hand prints both sides' accuracy, precision, recall, F1 and confusion matrix, and
logs nothing. MLflow's way is `mlflow.models.evaluate` twice and `validate_evaluation_results`: values, figures and two
logged runs, without tests or intervals. skore's is a `ComparisonReport` with its summary and confusion matrices: values
alone. Scripts are in `rivals/`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks import shop
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim, Measurement, Rival
from benchmarks.spelling import rows_text
from benchmarks.timing import Processes, library, not_installed, printed, processes, record

BY_HAND, RESAMPLED, MLFLOW, SKORE = "a script by hand", "that script with 200 resamples", "MLflow's way", "skore"
_PLAIN, _FIGURES = "abtest compare --no-save-plot", "abtest compare"
_SCRIPTS = {
    BY_HAND: ("by_hand.py", "test.parquet"),
    RESAMPLED: ("by_hand.py", "test.parquet", "200"),
    MLFLOW: ("mlflow_way.py",),
    SKORE: ("skore_way.py",),
}


_COMPARE = (
    sys.executable, "-m", "abtest", "compare", "--no-cache", "--tracking-uri", "sqlite:///mlflow.db",
    "--test-data", "test.parquet",
)  # fmt: skip


def main(*, quick: bool = False) -> None:
    """Measure seconds and peak memory of each, in turns."""
    for rows in (500,) if quick else (10_000, 100_000):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            shop.build(folder, rows)
            found = _measured(folder, rounds=1 if quick else 5)
        _tell(rows, found)


def _measured(folder: Path, *, rounds: int) -> Processes:
    scripts = {name: _script(*words) for name, words in _SCRIPTS.items() if name != SKORE or library("skore")}
    told = [json.loads(printed(command, cwd=folder).splitlines()[-1]) for command in scripts.values()]
    ours = json.loads(printed([*_COMPARE, "--no-save-plot", "--format", "json"], cwd=folder))
    accuracy = next(row for row in ours["metrics"] if row["metric"] == "accuracy")
    for theirs in told:
        must_agree([accuracy[side] for side in theirs], [*theirs.values()], within=1e-12)
    return processes({_PLAIN: [*_COMPARE, "--no-save-plot"], _FIGURES: _COMPARE, **scripts}, rounds=rounds, cwd=folder)


def _script(name: str, *words: str) -> list[str]:
    return [sys.executable, str(Path(__file__).parent / "rivals" / name), *words]


def _tell(rows: int, found: Processes) -> None:
    plain = (Aim(at_most=1.1, of=BY_HAND), Aim(at_most=1 / 5, of=MLFLOW)) if rows >= 100_000 else ()
    figures = (Aim(at_most=1 / 3, of=MLFLOW),) if rows >= 100_000 else ()
    for ours, aims, named in ((_PLAIN, plain, [*_SCRIPTS]), (_FIGURES, figures, [MLFLOW, SKORE])):
        for unit, of in (("s", found.seconds), ("MiB", found.mib)):
            rivals = tuple(Rival(name=name, values=of[name]) for name in named if name in of)
            record(
                Measurement(
                    what=f"`{ours}`, {rows_text(rows)}" + (", peak memory" if unit == "MiB" else ""),
                    ours=of[ours],
                    rivals=rivals if SKORE in of else (*rivals, *not_installed(SKORE)),
                    unit="s" if unit == "s" else "MiB",
                    aims=aims if unit == "s" else (),
                )
            )
