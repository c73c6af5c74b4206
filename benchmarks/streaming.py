"""What does a line of a stream cost, beside the model?

`abtest predict --stream` reads lines of JSON, asks the model about 100 at a time, and writes a line for each. It is
held against the model's own predict, as MLflow loads it, of frames of 100 rows that are in memory already: nothing is
read, checked or spelled there. What is told is the time of a line beyond that, which is to be less than a millisecond.
First as a call, between a file and nowhere; then as a process between two pipes, against the same process with as good
as no line: the difference is what lines cost, and not the start. A model of numbers, and one that is fed frames.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from abtest.bulk.choosing import choose
from abtest.bulk.streaming import BATCH_ROWS, stream
from benchmarks.agreeing import must_agree
from benchmarks.measured import Aim, Measurement, Rival
from benchmarks.scoring import NAMES, frame, logged
from benchmarks.spelling import rows_text
from benchmarks.timing import from_warming_up, interleaved, record

if TYPE_CHECKING:
    import pandas as pd

    from abtest.bulk.choosing import Chosen

_OWN, _ALLOWED = "the model's own predict, in batches of 100", "a millisecond a line"


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
            _calls(name, choose(model_uri=str(folder / name)), folder / "rows.jsonl", held, rounds=1 if quick else 5)
        for name in [*models][: 1 if quick else 2]:
            _pipes(name, folder, rows, rounds=1 if quick else 5)


def _calls(name: str, chosen: Chosen, lines: Path, held: pd.DataFrame, *, rounds: int) -> None:
    own, batches = chosen.model.predictor, [held[at : at + BATCH_ROWS] for at in range(0, len(held), BATCH_ROWS)]

    def ours(output: str = os.devnull) -> None:
        with lines.open("rb") as source, Path(output).open("wb") as answers:
            stream(chosen, source.fileno(), answers)

    ours(str(lines.with_name("out.jsonl")))
    told = [json.loads(line)["prediction"] for line in lines.with_name("out.jsonl").read_text().splitlines()]
    must_agree(told, own.predict(held).tolist(), within=0)
    found = interleaved({"abtest": ours, _OWN: lambda: [own.predict(batch) for batch in batches]}, rounds=rounds)
    _beyond(f"{name}, a line of a stream", found["abtest"], found[_OWN], len(held))


def _pipes(name: str, folder: Path, rows: int, *, rounds: int) -> None:
    """All lines, and as good as none, through a process in turns."""
    text = (folder / "rows.jsonl").read_bytes()
    first = text[: text.index(b"\n") + 1]
    found: dict[bytes, list[float]] = {text: [], first: []}
    for turn in from_warming_up(rounds):
        for given, seconds in found.items():
            start = time.perf_counter()
            _piped(folder / name, given)
            if turn:
                seconds.append(time.perf_counter() - start)
    _beyond(f"{name}, a line through two pipes, model included", tuple(found[text]), tuple(found[first]), rows)


def _piped(model: Path, text: bytes) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "abtest", "predict", "--stream", "--quiet", "--model-uri", str(model)]
    told = subprocess.run(command, input=text, stdout=subprocess.PIPE, env=environment, check=True)
    must_agree(told.stdout.count(b"\n"), text.count(b"\n"), within=0)


def _beyond(what: str, ours: tuple[float, ...], others: tuple[float, ...], rows: int) -> None:
    """Record the seconds of a line beyond the others', round by round."""
    values = tuple(max(1e-6, one - other) / rows for one, other in zip(ours, others, strict=True))
    allowed = Rival(name=_ALLOWED, values=(0.001,) * len(values))
    record(
        Measurement(
            what=f"{what}, of {rows_text(rows)}, beyond the rest", ours=values, rivals=(allowed,),
            aims=(Aim(at_most=1.0, of=_ALLOWED),),
        )
    )  # fmt: skip
