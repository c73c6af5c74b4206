"""Traffic for tests: what servers would have logged of it, and the labels that came later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from abtest.live.experiment import Experiment
from abtest.live.log import Feedback, Logged
from abtest.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from abtest.labels import Label, Side
    from abtest.live.store import Store

    Triple = tuple[Label, Label | None, Label | None]  # truth, champion, challenger; None failed
    Served = tuple[Side, Label, Label | None]  # arm, truth, prediction

START = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = "a" * 16


def plan(**values: Any) -> Experiment:
    """A plan in shadow mode, unless told otherwise."""
    given: dict[str, Any] = {
        "name": "spring",
        "model_name": "iris",
        "mode": "shadow",
        "champion_version": 1,
        "challenger_version": 2,
        "salt": "s",
        "policy": Policy(),
        "created_at": START,
        "created_by": "ada",
    }
    return Experiment(**(given | values))


def until(rows: int) -> datetime:
    """A moment when so many rows, one a second, are all labelled and mature."""
    return START + timedelta(seconds=rows + 1)


def logged(
    experiment: Experiment,
    arm: Side,
    prediction: Label | None,
    *,
    sequence: int,
    at: float,
    server: str = SERVER,
    error: str | None = None,
    seconds: float = 0.001,
    unit: str | None = None,
    epoch: int = 1,
) -> Logged:
    """One prediction of one row; without an error told, one without a label raised."""
    shadow = experiment.mode == "shadow" and arm == "challenger"
    return Logged(
        server=server,
        sequence=sequence,
        at=START.timestamp() + at,
        arm=arm,
        served=not shadow,
        model_version=experiment.champion_version if arm == "champion" else experiment.challenger_version,
        prediction=prediction,
        seconds=seconds,
        error=error if error or prediction is not None else "raised",
        experiment=experiment.name,
        epoch=epoch,
        unit=unit or f"{server}-{sequence}",
    )


def shadow(
    store: Store,
    experiment: Experiment,
    rows: Sequence[Triple],
    *,
    first: int = 1,
    server: str = SERVER,
    dropped: Iterable[int] = (),
    labelled: bool = True,
    order: Sequence[int] | None = None,
    **values: Any,
) -> None:
    """Log rows that both sides predicted, one a second, each labelled a second later."""
    gone, written, labels = set(dropped), [], []
    for i in order or range(len(rows)):
        truth, champion, challenger = rows[i]
        common = {"sequence": first + i, "at": float(first + i - 1), "server": server, **values}
        written.append(logged(experiment, "champion", champion, **common))
        error = "dropped" if i in gone else None
        written.append(logged(experiment, "challenger", None if error else challenger, error=error, **common))
        labels.append((Feedback(prediction_id=f"{server}-{first + i}", label=truth), START.timestamp() + first + i))
    store.write(written)
    if labelled:
        feed(store, labels)


def split(
    store: Store,
    experiment: Experiment,
    rows: Sequence[Served],
    *,
    first: int = 1,
    server: str = SERVER,
    unlabelled: Iterable[int] = (),
    **values: Any,
) -> None:
    """Log rows that one side served, one a second, each labelled a second later."""
    none, written, labels = set(unlabelled), [], []
    for i, (arm, truth, prediction) in enumerate(rows):
        common = {"sequence": first + i, "at": float(first + i - 1), "server": server, **values}
        written.append(logged(experiment, arm, prediction, **common))
        if i not in none:
            labels.append((Feedback(prediction_id=f"{server}-{first + i}", label=truth), START.timestamp() + first + i))
    store.write(written)
    feed(store, labels)


def feed(store: Store, labels: Sequence[tuple[Feedback, float]]) -> None:
    """Record labels when they came: those of ten seconds together, at their end."""
    moments: dict[float, list[Feedback]] = {}
    for label, at in labels:
        moments.setdefault(-(-at // 10) * 10, []).append(label)
    for at in sorted(moments):
        store.record(moments[at], received_at=at)


def pairs_of(n: int, *, right: tuple[float, float], seed: int, classes: int = 3) -> list[Triple]:
    """Rows of several classes on which each side is right with a probability of its own."""
    import numpy as np

    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    sides = []
    for share in right:
        wrong = (truth + rng.integers(1, classes, n)) % classes
        sides.append(np.where(rng.random(n) < share, truth, wrong))
    return list(zip(truth.tolist(), *(side.tolist() for side in sides), strict=True))
