"""What does a line of a stream cost, beside the model?

`abtest predict --stream` reads lines of JSON, asks the model about 100 at a time, and writes a line for each. It is
held against the model's own predict, as MLflow loads it, of frames of 100 rows that are in memory already: nothing is
read, checked or spelled there. A line may take a millisecond more than that. First as a call, between a file and
nowhere; then as a process between two pipes, less what the same process takes for one line: what is left is what lines
cost, and not the start. Models of numbers are asked with arrays rather than frames, which is why a line may cost less
than MLflow's own predict of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from abtest.bulk.choosing import choose
from abtest.bulk.stream.streaming import BATCH_ROWS, stream
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim, Measurement, Rival
from benchmarks.scoring import NAMES, frame, logged
from benchmarks.spelling import rows_text
from benchmarks.timing import interleaved, record

if TYPE_CHECKING:
    import pandas as pd

    from abtest.bulk.choosing import Chosen

_OWN, _ALLOWED = "the model's own predict, in batches of 100", "that and a millisecond"


def main(*, quick: bool = False) -> None:
    """Measure calls, then processes."""
    rows = 2_000 if quick else 50_000
    held = frame(rows, seed=1)[NAMES]
    models: dict[str, Any] = {
        "logistic regression": LogisticRegression(),
        "random forest": RandomForestClassifier(50, max_depth=10, random_state=0),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        held.to_json(folder / "rows.jsonl", orient="records", lines=True, double_precision=15)
        for name, estimator in models.items():
            logged(estimator, folder / name)
            chosen = choose(model_uri=str(folder / name))
            _calls(name, chosen, folder / "rows.jsonl", held, rounds=1 if quick else 5)
            if name == "logistic regression":
                _pipes(name, chosen, folder, held, rounds=1 if quick else 5)


def _calls(name: str, chosen: Chosen, lines: Path, held: pd.DataFrame, *, rounds: int) -> None:
    def ours(output: str = os.devnull) -> None:
        with lines.open("rb") as source, Path(output).open("wb") as answers:
            stream(chosen, source.fileno(), answers)

    ours(str(lines.with_name("out.jsonl")))
    told = [json.loads(line)["prediction"] for line in lines.with_name("out.jsonl").read_text().splitlines()]
    must_agree(told, chosen.model.predictor.predict(held).tolist(), within=0)
    found = interleaved({"abtest": ours, _OWN: partial(_own, chosen, held)}, rounds=rounds)
    _a_line(f"{name}, a line of a stream of {rows_text(len(held))}", found["abtest"], found[_OWN], len(held))


def _pipes(name: str, chosen: Chosen, folder: Path, held: pd.DataFrame, *, rounds: int) -> None:
    """All lines, one line, and the model's own predict in turns."""
    text = (folder / "rows.jsonl").read_bytes()
    calls = {
        "all": partial(_piped, folder / name, text),
        "one": partial(_piped, folder / name, text[: text.index(b"\n") + 1]),
        _OWN: partial(_own, chosen, held),
    }
    found = interleaved(calls, rounds=rounds, budget=60)
    ours = tuple(most - least for most, least in zip(found["all"], found["one"], strict=True))
    _a_line(f"{name}, a line of {rows_text(len(held))} through two pipes", ours, found[_OWN], len(held))


def _own(chosen: Chosen, held: pd.DataFrame) -> None:
    for at in range(0, len(held), BATCH_ROWS):
        chosen.model.predictor.predict(held[at : at + BATCH_ROWS])


def _piped(model: Path, text: bytes) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "abtest", "predict", "--stream", "--quiet", "--model-uri", str(model)]
    told = subprocess.run(command, input=text, stdout=subprocess.PIPE, env=environment, check=True)
    must_agree(told.stdout.count(b"\n"), text.count(b"\n"), within=0)


def _a_line(what: str, ours: tuple[float, ...], own: tuple[float, ...], rows: int) -> None:
    """Record the seconds of a line, beside the model's own and what is allowed beyond them."""
    each = tuple(seconds / rows for seconds in own)
    rivals = (Rival(name=_OWN, values=each), Rival(name=_ALLOWED, values=tuple(seconds + 0.001 for seconds in each)))
    values = tuple(max(seconds, 1e-6) / rows for seconds in ours)  # of one line less another, noise may be all
    record(Measurement(what=what, ours=values, rivals=rivals, aims=(Aim(at_most=1.0, of=_ALLOWED),)))
