"""How much faster does `abtest serve` answer than `mlflow models serve`?

The same scikit-learn model, trained on 30 columns with names and saved with its signature, in both servers, each one
process as it comes; rows one at a time as JSON, over 1 and over 4 connections that stay open and ask again when they
are answered. abtest validates every row, as it always does, and writes no log here: what that costs is the next
question. Each server is loaded in turns while the other is idle, on all cores of the machine, which the client shares.
Both must predict what the estimator itself predicts, and an answer that is not 200 ends the benchmark. The time of a
request is one over the requests a second.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks import servers
from benchmarks.agreeing import must_agree
from benchmarks.loading import generator, in_turns, rounds_of
from benchmarks.measured import OURS, Aim
from benchmarks.timing import compare

if TYPE_CHECKING:
    from benchmarks.loading import Asked, Turns

MLFLOW = "mlflow models serve"
_FASTER = (Aim(at_most=1 / 8, of=MLFLOW),)
_QUICKER = (Aim(at_most=1 / 4, of=MLFLOW),)


def main(*, quick: bool = False) -> None:
    """Measure a model that costs next to nothing, and one that costs a millisecond or more."""
    models: dict[str, Any] = {"logistic regression": LogisticRegression(max_iter=10_000)}
    if not quick:
        models["random forest of 100"] = RandomForestClassifier(100, random_state=0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        uri = servers.register(folder, [*models.values()])
        for version, (name, estimator) in enumerate(models.items(), 1):
            _measure(name, estimator, version, uri, folder, quick=quick)


def _measure(name: str, estimator: Any, version: int, uri: str, folder: Path, *, quick: bool) -> None:  # noqa: ANN401 - scikit-learn ships no types
    some = servers.rows(20 if quick else 200)
    with (
        servers.abtest(uri, version, folder / "ours", "--no-log") as ours,
        servers.mlflow(folder / str(version), folder / "theirs") as theirs,
    ):
        asked = {OURS: servers.ours(ours, some), MLFLOW: servers.theirs(theirs, some)}
        _check(asked, estimator)
        for connections in (1, 4):
            turns = in_turns(asked, connections=connections, rounds=1 if quick else 5, seconds=1 if quick else 2)
            _told(f"{name}, {connections} connection{'s' * (connections > 1)}", turns)


def _check(asked: dict[str, Asked], estimator: Any) -> None:  # noqa: ANN401 - scikit-learn ships no types
    """Hold what both answer against the estimator."""
    features, _ = servers.data()
    for one in asked.values():
        must_agree(servers.answers(one), estimator.predict(features.head(len(one.bodies))))


def _told(what: str, turns: Turns) -> None:
    each = rounds_of(turns, lambda load: load.each)
    rates = "; ".join(f"{name} {1 / statistics.median(of):,.0f}" for name, of in each.items())
    note = f"Requests a second, {what}: {rates}. Asked by {generator()}."
    compare(f"{what}: a request", each, aims=_FASTER, note=note)
    compare(f"{what}: p50", rounds_of(turns, lambda load: load.p50))
    compare(f"{what}: p99", rounds_of(turns, lambda load: load.p99), aims=_QUICKER)
