"""Laws of plans, epochs and looks: a plan comes back as it was, and of those who turn at once one does."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abtest.errors import AbtestError, InvalidInputError, NotFoundError, RefusedError, StaleChampionError
from abtest.guardrail import Guardrail
from abtest.live.experiment import Epoch, State
from abtest.live.log import Snapshot
from abtest.live.store import Store
from abtest.policy import Policy
from tests.live.store.logs import following, moment, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SPAWN = multiprocessing.get_context("spawn")
COSTS = {"cat": {"dog": 1.5}, "dog": {"cat": 0.1}}
PLANS = [
    plan("plain"),
    plan("split", mode="split", challenger_share=0.1, salt="né", average="weighted", horizon=3600.5),
    plan("fixed", looking="fixed", planned_discordant=7, rollback_alpha=0.01, auto_rollback=True),
    plan("ruled", policy=Policy(rule="non-inferior", margin=0.013, confidence=0.9, costs=COSTS)),
    plan("guarded", policy=Policy(guardrails=(Guardrail(metric="recall", margin=0.02, class_="cat"),
                                              Guardrail(metric="rows", minimum=1000)))),
    plan("regression", policy=Policy(metrics=("rmse", "mae"), promote_share=1 / 3, conditional_share=0.1)),
]  # fmt: skip


def test_a_plan_comes_back_as_it_was(log: Store) -> None:
    """Whatever a plan holds, and its first epoch, are read as they were started."""
    for one in (replace(each, created_at=moment(at + 0.123457)) for at, each in enumerate(PLANS)):
        epoch = log.start(one, inclusion=0.05, why="a try")
        expected = Epoch(experiment=one.name, number=1, state=State.RUNNING, inclusion=0.05, began_at=one.created_at,
                         by="somebody", why="a try")  # fmt: skip
        assert epoch == expected
        assert log.experiment(one.name) == one
        assert log.epochs(one.name) == (expected,)
        assert log.active(one.model_name) == (one, expected)
        assert log.experiments(one.model_name) == ((one, expected),)
    assert [one.name for one, _ in log.experiments()] == [one.name for one in reversed(PLANS)]


def test_a_name_is_used_once(log: Store) -> None:
    """A second experiment of a name is refused, whatever its model."""
    log.start(plan("one"), inclusion=1, why="")
    with pytest.raises(InvalidInputError, match="There is an experiment 'one' already"):
        log.start(plan("one", model_name="other"), inclusion=1, why="")


def test_a_model_has_one_experiment_at_a_time(log: Store) -> None:
    """While an experiment of a model is not over no other begins; afterwards one does."""
    first = log.start(plan("one", model_name="m"), inclusion=1, why="")
    second = plan("two", model_name="m", created_at=moment(1))
    paused = log.turn(following(first, State.PAUSED))
    with pytest.raises(InvalidInputError, match=r"'one' of model 'm' goes on .paused.*abtest experiment stop one"):
        log.start(second, inclusion=1, why="")
    log.turn(following(paused, State.STOPPED, inclusion=0))
    assert log.active("m") is None
    log.start(second, inclusion=1, why="")
    assert [one.name for one, _ in log.experiments("m")] == ["two", "one"]


def test_an_experiment_that_is_not_there_is_named(log: Store) -> None:
    """Who asks for an experiment that is not there is told the nearest."""
    for ask in (log.experiment, log.epochs, log.snapshots):
        with pytest.raises(NotFoundError, match=r"There is no experiment 'checkuot'.*there are none yet"):
            ask("checkuot")
    log.start(plan("checkout"), inclusion=1, why="")
    with pytest.raises(NotFoundError, match="did you mean 'checkout'"):
        log.experiment("checkuot")
    with pytest.raises(NotFoundError):
        log.turn(following(log.epochs("checkout")[0], experiment="checkuot"))


def test_epochs_follow_each_other(log: Store) -> None:
    """Each epoch keeps what it was, with its evidence; one that is not the next is told what was begun."""
    epochs = [log.start(plan("e"), inclusion=0.1, why="go")]
    for state, inclusion in ((State.RUNNING, 0.5), (State.PAUSED, 0.0), (State.RUNNING, 0.5), (State.ROLLED_BACK, 0.0)):
        later = {"began_at": moment(10.000001 * len(epochs)), "evidence": {"log_worse": 7.25, "labels": ["é", None]}}
        epochs.append(log.turn(following(epochs[-1], state, inclusion=inclusion, by="ramp", why="x", **later)))
    assert log.epochs("e") == tuple(epochs)
    for number in (1, 5, 7):
        with pytest.raises(StaleChampionError, match=r"is in epoch 5 .rolled back, by ramp: x.*cannot begin"):
            log.turn(replace(epochs[0], number=number))
    with pytest.raises(RefusedError, match="'e' is over: rolled back by ramp, x"):
        log.turn(following(epochs[-1]))


def test_a_look_is_kept_once(log: Store) -> None:
    """Looks come back in order of time, each as it was, and one that is kept again is one."""
    log.start(plan("e"), inclusion=1, why="")
    looks = [
        Snapshot(experiment="e", at=moment(n + 0.1), n=n, log_better=None, log_worse=-1.5e-300, effect=0.1,
                 ci_lower=None, ci_upper=1 / 3, verdict="KEEP_CHAMPION")
        for n in range(3)
    ]  # fmt: skip
    for one in (*reversed(looks), looks[1]):
        log.keep(one)
    assert log.snapshots("e") == tuple(looks)
    with pytest.raises(NotFoundError):
        log.keep(replace(looks[0], experiment="f"))


def test_of_threads_that_turn_at_once_one_does(log: Store) -> None:
    """An epoch's number is compared and set: of eight who begin the next one, seven are told."""
    first = log.start(plan("e"), inclusion=0.1, why="go")
    told = _at_once(lambda n: log.turn(following(first, inclusion=n / 10, why=f"by {n}")), range(8))
    assert Counter(told) == {None: 1, StaleChampionError: 7}
    assert [epoch.number for epoch in log.epochs("e")] == [1, 2]


def test_of_threads_that_start_at_once_one_does(log: Store) -> None:
    """Of eight experiments of one model that start at once, seven are told."""
    told = _at_once(lambda n: log.start(plan(f"e{n}", model_name="m"), inclusion=1, why=""), range(8))
    assert Counter(told) == {None: 1, InvalidInputError: 7}
    assert len(log.experiments("m")) == 1


def _start(url: str, name: str) -> bool:
    with Store(url) as log:
        try:
            log.start(plan(name, model_name="m"), inclusion=1, why="")
        except InvalidInputError:
            return False
        return True


def test_of_processes_that_start_at_once_one_does(url: str) -> None:
    """So it is among processes, the tables not yet made."""
    with SPAWN.Pool(2) as processes:
        assert sorted(processes.starmap(_start, [(url, "one"), (url, "two")], chunksize=1)) == [False, True]


def _at_once(do: Callable[[int], Epoch], which: Sequence[int]) -> list[type[AbtestError] | None]:
    """Do it in threads, and say by what error of ours each was told."""

    def told(n: int) -> type[AbtestError] | None:
        try:
            do(n)
        except AbtestError as error:
            return type(error)
        return None

    with ThreadPoolExecutor(len(which)) as threads:
        return list(threads.map(told, which))
