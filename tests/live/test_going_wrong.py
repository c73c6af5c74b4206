"""A challenger that goes wrong in every way on a real server: answers stay right and complete, and all is counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from abtest.live.analysis import analyse
from abtest.live.assignment import Assigner
from abtest.live.log import Feedback
from abtest.live.store import Store
from abtest.registry import RegistryClient
from tests import zoo
from tests.live import logs, moody, traffic
from tests.live.moody import Mood
from tests.live.servers import Server, serving
from tests.live.traffic import SERVER, START, pairs_of
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abtest.live.experiment import Experiment

SPLIT = {Mood.RAISE: "raised", Mood.QUIT: "raised", Mood.SHORTEN: "shape", Mood.NAN: "shape", Mood.HANG: "deadline"}
SHADOW = {**SPLIT, Mood.EXIT: "crashed"}  # in a process of its own it may end that, too
ROUNDS = {"split": 8, "shadow": 1}


@pytest.fixture
def server(templates: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of version 1 of "moody", whose version 2 does what a row says."""
    moody.register(RegistryClient(zoo.copy(templates / "empty.db", tmp_path)), tmp_path / "models")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    arguments = ("--model-name", "moody", "--version", "1", "--tracking-uri", uri, "--deadline", "0.3")
    with serving(*arguments, folder=tmp_path) as server:
        yield server


def begin(store: Store, server: Server, mode: str) -> Experiment:
    """Start an experiment, and wait until the challenger has its say."""
    plan = logs.experiment(model_name="moody", mode=mode, planned_n=1000, created_at=datetime.now(UTC))
    store.start(plan, inclusion=1.0, why="test")
    until(lambda: server.post("/predict", row(0, Mood.PREDICT))["epoch"] == 1)
    return plan


def revive(store: Store, server: Server, plan: Experiment) -> None:
    """Ask until a shadow scores, however often what it gets before it is loaded, again, is dropped."""

    def scored() -> int:
        challenger = store.traffic(plan, until=datetime.now(UTC))[1]
        return challenger.predictions - challenger.failed

    before = scored()
    until(lambda: server.post("/predict", row(0, Mood.PREDICT)) and scored() > before, seconds=90)


def row(number: int, mood: Mood) -> dict[str, Any]:
    """A row about a unit of its own."""
    return {"features": {"number": number, "mood": mood}, "unit": f"user-{number}"}


def logged(url: str) -> Counter[tuple[str, str, str | None]]:
    """The log's entries: of which prediction, of which arm, and what went wrong."""
    query = sa.text("SELECT server, sequence, arm, error FROM abtest_predictions")
    with logs.engine(url).connect() as connection:
        return Counter((f"{name}-{sequence}", arm, error) for name, sequence, arm, error in connection.execute(query))


@pytest.mark.parametrize("error", ["raised", "deadline", "shape", "crashed"])
def test_who_fails_on_what_is_hard_gains_nothing(error: str, tmp_path: Path) -> None:
    """A shadow that fails, however it does, where it would be wrong is as right as one that is wrong there."""
    rows, now = pairs_of(300, right=(0.75, 0.75), seed=6), traffic.until(300)
    with Store(f"sqlite:///{tmp_path / 'log.db'}") as store:
        plan = traffic.plan()
        store.start(plan, inclusion=1.0, why="test")
        for i, (truth, ours, theirs) in enumerate(rows, start=1):
            common: dict[str, Any] = {"sequence": i, "at": float(i - 1)}
            said, why = (theirs, None) if theirs == truth else (None, error)
            store.write([
                traffic.logged(plan, "champion", ours, **common),
                traffic.logged(plan, "challenger", said, error=why, **common),
            ])  # fmt: skip
        traffic.feed(store, [(Feedback(prediction_id=f"{SERVER}-{i}", label=truth), START.timestamp() + i)
                             for i, (truth, _, _) in enumerate(rows, start=1)])  # fmt: skip
        found = analyse(store, plan.name, until=now).record
        wrong = sum(theirs != truth for truth, _, theirs in rows)
        assert found.evaluation.tested.challenger == pytest.approx(1 - wrong / 300)
        assert store.traffic(plan, until=now)[1].failed == wrong


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["split", "shadow"])
def test_answers_are_right_and_failures_are_the_challengers(mode: str, server: Server, tmp_path: Path) -> None:
    """Whatever the challenger does, each request has its right answer, each row one entry, each failure its arm."""
    url, moods = f"sqlite:///{tmp_path / 'abtest-live.db'}", SPLIT if mode == "split" else SHADOW
    with Store(url) as store:
        plan = begin(store, server, mode)
        assign = Assigner(plan.name, plan.salt, challenger_share=0.5, inclusion=1.0)
        expected: Counter[tuple[str, str, str | None]] = Counter()
        asked = [mood for _ in range(ROUNDS[mode]) for mood in (Mood.PREDICT, *moods, Mood.PREDICT)]
        for number, mood in enumerate(asked, start=1):
            if mode == "shadow":
                revive(store, server, plan)
            answer = server.post("/predict", row(number, mood))
            assert answer["prediction"] == number
            assert answer["model_version"] == {"champion": 1, "challenger": 2}[answer["arm"]]
            named, arm = answer["prediction_id"], "challenger" if mode == "shadow" else assign(f"user-{number}")
            entry = (named, str(arm), moods.get(mood) if arm == "challenger" else None)
            assert answer["arm"] == ("champion" if mode == "shadow" or entry[2] else arm)
            expected[entry] += 1
            if mode == "shadow":
                expected[named, "champion", None] += 1
                until(lambda entry=entry: entry in logged(url), seconds=90)  # type: ignore[misc] # mypy infers no defaults of a lambda
        until(lambda: expected <= logged(url))
        ids = {entry[0] for entry in expected}
        assert Counter({entry: n for entry, n in logged(url).items() if entry[0] in ids}) == expected
        champion, challenger = store.traffic(plan, until=datetime.now(UTC))
        failed = sum(1 for entry in expected if entry[2])
        assert (champion.failed, challenger.failed) == (0, failed)
        assert failed >= len(moods)
