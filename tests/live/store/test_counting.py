"""Laws of what the analysis reads: both databases count what a person with a pencil would."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from abtest.labels import SIDES
from abtest.live.experiment import MODES, Experiment
from abtest.live.log import PairGroup, Snapshot
from abtest.live.store import Store
from tests.live.store.logs import START, label, moment, plan, row
from tests.live.store.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abtest.labels import Label
    from abtest.live.experiment import Mode
    from abtest.live.log import Feedback, Logged

_NUMBERS = itertools.count(1)  # so that examples share a database and nothing else
_TRUTHS: tuple[Label, ...] = (0, 1, "1", True, 1.5, "é")
Event: TypeAlias = "list[Logged] | tuple[float, list[Feedback]]"


@dataclass
class Told:
    """An experiment, everything that was written and labelled, in order, and how it is looked at."""

    experiment: Experiment
    events: list[Event]
    until: float
    buckets: int
    most: int | None


def _predicted(rng: random.Random) -> dict[str, Any]:
    error = rng.choice([None, None, None, "raised", "shape", "deadline", "dropped", "crashed"])
    return {"error": error, "prediction": rng.choice(_TRUTHS) if error is None else None,
            "seconds": rng.choice([0.001, 0.25])}  # fmt: skip


def _requests(rng: random.Random, mode: Mode, name: str, server: str) -> Iterator[Logged]:
    for sequence in range(1, rng.randint(2, 12)):
        common: dict[str, Any] = {
            "server": server,
            "at": rng.randint(0, 120) / 4,
            "unit": rng.choice([None, "u1", "u2", "u3", "u4", "u5", "u6"]),
            "experiment": rng.choice([name, name, name, name, name, None, f"not {name}"]),
            "epoch": rng.randint(1, 3),
        }
        arm = rng.choice(SIDES) if mode == "split" else "champion"
        yield row(sequence, arm=arm, **common, **_predicted(rng))
        if mode == "shadow" and rng.random() < 0.8:
            yield row(sequence, arm="challenger", served=False, **common, **_predicted(rng))


def _told(seed: int) -> Told:
    """Draw an experiment and its log; by a seed, since Hypothesis likes logs in which nothing is known best."""
    rng, number = random.Random(seed), next(_NUMBERS)  # noqa: S311 - no secret: a log is drawn
    name, servers, mode = f"e{number}", (f"{number:x}a", f"{number:x}b"), rng.choice(MODES)
    rows = [one for server in servers for one in _requests(rng, mode, name, server)]
    rng.shuffle(rows)
    events: list[Event] = []
    for seconds in sorted(rng.randint(0, 200) / 4 for _ in range(6)):
        batch = rng.sample(rows, min(len(rows), 10))  # of which many have been written before
        labels = [label(rng.randint(1, 13), rng.choice(_TRUTHS), server=rng.choice(servers)) for _ in range(8)]
        together: list[Event] = [batch, (START + seconds, labels)]
        rng.shuffle(together)
        events += together
    return Told(experiment=plan(name, mode=mode, horizon=rng.choice([0.0, 4.0, 12.25])), events=events,
                until=rng.randint(40, 260) / 4, buckets=rng.randint(1, 7),
                most=rng.choice([None, None, 1, 2, 4]))  # fmt: skip


@pytest.fixture(scope="module")
def logs(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """A log in each database, for all examples."""
    with Store(f"sqlite:///{tmp_path_factory.mktemp('live') / 'live.db'}") as one, Store(postgres) as other:
        yield one, other


@settings(max_examples=50, phases=[Phase.generate])  # seeds do not shrink
@given(seed=st.integers(0, 2**64))
def test_both_databases_count_what_is_counted_by_hand(logs: tuple[Store, Store], seed: int) -> None:
    """Whatever fails, is dropped, written twice, labelled early, late or again, both give the oracle's numbers."""
    told = _told(seed)
    oracle, experiment = Oracle(told.experiment), told.experiment
    for event in told.events:
        if isinstance(event, list):
            oracle.write(event)
        else:
            for one in event[1]:
                server, sequence = one.prediction_id.split("-")
                oracle.label((server, int(sequence)), one.label, event[0])
    until, now = START + told.until, moment(told.until)
    for log in logs:
        log.start(experiment, inclusion=1, why="")
        for event in told.events:
            if isinstance(event, list):
                log.write(event)
            else:
                log.record(event[1], received_at=event[0])
        if experiment.mode == "shadow":
            period, pairs = log.pairs(experiment, until=now, buckets=told.buckets, most=told.most)
            counted = Counter({(g.bucket, *map(json.dumps, (g.label, g.champion, g.challenger))): g.n for g in pairs})
            assert counted == oracle.pairs(until, told.buckets, told.most)
            drops = log.drops(experiment, until=now)
            dropped = Counter({(g.dropped, json.dumps(g.label), json.dumps(g.champion)): g.n for g in drops})
            assert dropped == oracle.drops(until)
        else:
            period, arms = log.arms(experiment, until=now, buckets=told.buckets, most=told.most)
            counted = Counter({(g.bucket, json.dumps(g.label), g.arm, json.dumps(g.prediction)): g.n for g in arms})
            assert counted == oracle.arms(until, told.buckets, told.most)
        assert (period.end, period.buckets) == (now, told.buckets)
        for found in log.traffic(experiment, until=now):
            expected = oracle.traffic(until, found.arm)
            assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, abs=1e-12)
        for tried in log.tries(experiment, until=now):
            expected = oracle.tries(until, tried.arm)
            assert {name: getattr(tried, name) for name in expected} == pytest.approx(expected, abs=1e-12)


def test_a_look_at_nothing_is_empty(log: Store) -> None:
    """An experiment without traffic reads as zeros, and its period is a moment."""
    experiment = plan()
    log.start(experiment, inclusion=1, why="")
    period, pairs = log.pairs(experiment, until=moment(5))
    assert (period.start, period.end, pairs) == (moment(5), moment(5), ())
    assert log.arms(experiment, until=moment(5))[1] == ()
    assert log.drops(experiment, until=moment(5)) == ()
    for found in log.traffic(experiment, until=moment(5)):
        assert (found.exposed, found.predictions, found.mature, found.seconds) == (0, 0, 0, 0)
    assert [(tried.n, tried.failed, tried.seconds) for tried in log.tries(experiment, until=moment(5))] == [
        (0, 0, 0)
    ] * 2
    assert log.known_labels(experiment.name) == ()


def test_known_labels_are_what_was_predicted(log: Store) -> None:
    """What both models predicted is known, each label once; a failure is none."""
    rows = [row(n, experiment="e", prediction=what) for n, what in enumerate(["cat", "dog", "cat", None], 1)]
    log.write([*rows, row(5, experiment="other", prediction="eel"), row(6, prediction="ant")])
    assert log.known_labels("e") == ("cat", "dog")


@pytest.mark.parametrize(
    ("received", "counts", "since"),
    [
        ([(3, "cat")], "cat", 10),
        ([(10, "cat")], "cat", 10),
        ([(12, "cat")], "cat", 12),
        ([(3, "cat"), (9, "dog")], "dog", 10),  # a correction in time
        ([(3, "cat"), (10, "dog")], "cat", 10),  # at the moment of maturity it is late
        ([(3, "cat"), (5, "dog"), (7, "eel"), (11, "ant")], "eel", 10),
        ([(10, "cat"), (11, "dog")], "cat", 10),  # none in time: the first one
        ([(12, "cat"), (13, "dog")], "cat", 12),
    ],
)
def test_the_label_that_counts(log: Store, received: list[tuple[int, str]], counts: str, since: int) -> None:
    """The last one received before maturity, else the first one; it is known from when it is both there and mature."""
    experiment = plan(horizon=10)
    log.start(experiment, inclusion=1, why="")
    log.write([row(1, arm=arm, experiment=experiment.name, prediction="fly") for arm in SIDES])
    for at, truth in received:
        log.record([label(1, truth)], received_at=START + at)
    assert log.pairs(experiment, until=moment(since - 0.001))[1] == ()
    for later in (since, 20):
        (group,) = log.pairs(experiment, until=moment(later), buckets=4)[1]
        expected = PairGroup(bucket=min(3, 4 * since // later), label=counts, champion="fly", challenger="fly", n=1)
        assert group == expected


def test_of_what_became_known_at_once_the_first_ids_are_taken(log: Store) -> None:
    """Which of equals are among the first so many is no matter of chance: servers in order, then their numbers."""
    experiment = plan(mode="split")
    log.start(experiment, inclusion=1, why="")
    ids = [("cd", 1), ("ab", 2), ("ab", 10)]
    log.write([row(n, server=server, experiment=experiment.name, prediction=f"{server}{n}") for server, n in ids])
    log.record([label(n, "cat", server=server) for server, n in ids], received_at=START + 1)
    taken = [log.arms(experiment, until=moment(5), most=most)[1] for most in (1, 2)]
    assert [sorted(str(group.prediction) for group in groups) for groups in taken] == [["ab2"], ["ab10", "ab2"]]


def test_a_look_that_was_kept_is_not_rewritten(log: Store) -> None:
    """A correction that comes after a look changes none of its numbers, even when the clock steps back."""
    experiment = plan(horizon=10)
    log.start(experiment, inclusion=1, why="")
    log.write([row(1, experiment=experiment.name), row(1, arm="challenger", experiment=experiment.name)])
    log.record([label(1, 1)], received_at=START + 2)
    before = log.pairs(experiment, until=moment(11))
    log.keep(Snapshot(experiment=experiment.name, at=moment(11), n=1, log_better=0.0, log_worse=0.0, effect=None,
                      ci_lower=None, ci_upper=None, verdict="KEEP_CHAMPION"))  # fmt: skip
    log.record([label(1, 0)], received_at=START + 5)  # as if before it matured
    assert log.pairs(experiment, until=moment(11)) == before
    assert log.traffic(experiment, until=moment(12))[0].corrected == 1
