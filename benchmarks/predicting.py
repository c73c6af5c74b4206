"""Is a file predicted in the time that the model takes for its rows, in flat memory?

`abtest predict` reads a Parquet file of 20 features in batches, asks the model, and writes Parquet; reading and writing
go on beside the model. It is held against the model's own predict, as MLflow loads it, of the same rows in memory, all
at once: nothing is read and nothing written there. And against what a user would write: pandas reads the file, the
model predicts, pandas writes. A cheap model and a dear one; then whole processes, with their peak memory, for a folder
of ten such files.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from abtest.bulk.choosing import choose
from abtest.bulk.predicting import predict
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim, Measurement, Rival
from benchmarks.scoring import NAMES, frame, logged
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved, processes, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.bulk.choosing import Chosen

FLAT = 1.1  # times the memory of the fewer rows
_OWN, _USER = "the model's own predict, rows in memory", "pandas reads, predicts, writes"
_BY_HAND = """
import sys
import mlflow.pyfunc
import pandas as pd
rows = pd.read_parquet(sys.argv[2])
model = mlflow.pyfunc.load_model(sys.argv[1])
pd.DataFrame({"prediction": model.predict(rows)}).to_parquet(sys.argv[3])
"""


def main(*, quick: bool = False) -> None:
    """Measure the calls, then whole processes."""
    sizes = [1_000, 10_000] if quick else [100_000, 1_000_000]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for rows in sizes:
            frame(rows, seed=1)[NAMES].to_parquet(folder / f"{rows}.parquet")
        models: dict[str, tuple[Any, int]] = {
            "logistic regression": (LogisticRegression(), 21),
            "random forest": (RandomForestClassifier(50, max_depth=10, random_state=0), 7),
        }
        for name, (estimator, rounds) in models.items():
            logged(estimator, folder / name)
            chosen = choose(model_uri=str(folder / name))
            for rows in sizes:
                _calls(name, chosen, folder, rows, rounds=3 if quick else rounds)
        _memory(folder, "logistic regression", sizes[-1], rounds=1 if quick else 3)


def _calls(name: str, chosen: Chosen, folder: Path, rows: int, *, rounds: int) -> None:
    data, output = folder / f"{rows}.parquet", folder / "out.parquet"
    own, held = chosen.model.predictor, pd.read_parquet(data)

    def user() -> None:
        pd.DataFrame({"prediction": own.predict(pd.read_parquet(data))}).to_parquet(folder / "user.parquet")

    predict(chosen, data, output, force=True)
    must_agree(pd.read_parquet(output)["prediction"].to_numpy(), own.predict(held), within=0)
    calls: dict[str, Callable[[], object]] = {
        "abtest": partial(predict, chosen, data, output, force=True),
        _OWN: lambda: own.predict(held.copy(deep=False)),
        _USER: user,
    }
    aims = (Aim(at_most=1.05, of=_OWN), Aim(at_most=1.0, of=_USER))
    compare(f"{name}, {rows_text(rows)} predicted", interleaved(calls, rounds=rounds), aims=aims)


def _memory(folder: Path, model: str, rows: int, *, rounds: int) -> None:
    """Predict a file, and a folder in which it lies ten times."""
    many = folder / "many"
    many.mkdir()
    for number in range(10):
        (many / f"{number}.parquet").symlink_to(folder / f"{rows}.parquet")
    typed = [sys.executable, "-m", "abtest", "predict", "--model-uri", model, "--quiet", "--force"]
    fewer, more = f"abtest, {rows_text(rows)}", f"abtest, {rows_text(10 * rows)}"
    commands = {
        fewer: [*typed, "--input", f"{rows}.parquet", "--output", "out.parquet"],
        more: [*typed, "--input", "many", "--output", "out.parquet"],
        _USER: [sys.executable, "-c", _BY_HAND, model, "many", "user.parquet"],
    }
    found = processes(commands, rounds=rounds, cwd=folder, env={"PYTHONPATH": str(Path(__file__).parents[1])})
    what = f"`abtest predict`, {model}, {rows_text(10 * rows)}"
    by_hand = Rival(name=_USER, values=found.seconds[_USER])
    record(Measurement(what=what, ours=found.seconds[more], rivals=(by_hand,), aims=(Aim(at_most=1.1, of=_USER),)))
    record(
        Measurement(
            what=f"{what}, peak memory",
            ours=found.mib[more],
            rivals=tuple(Rival(name=name, values=found.mib[name]) for name in (fewer, _USER)),
            unit="MiB",
            aims=(Aim(at_most=FLAT, of=fewer),),
        )
    )
