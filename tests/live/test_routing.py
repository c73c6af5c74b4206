"""Routing: who answers a request under each epoch, and a router that follows the store, or outlives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.live.assignment import Assigner, Assignment
from abtest.live.experiment import State
from abtest.live.routing import Router, Routing
from abtest.live.store import Store
from tests.live.logs import engine, epoch, experiment
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abtest.labels import Side

UNITS = st.text(max_size=20) | st.none()
SHARES = st.floats(0, 1)
NOBODY = {Assignment(sticky=True), Assignment(sticky=False)}


def assigned(routing: Routing, n: int = 200) -> list[Assignment]:
    """What requests of many units are to be."""
    return [routing.assign(f"user-{each}", f"id-{each}", 1) for each in range(n)]


@given(unit=UNITS, share=st.floats(0.01, 0.99), inclusion=SHARES)
def test_split_follows_the_assigner(unit: str | None, share: float, inclusion: float) -> None:
    """In a split the arm is the assigner's of the unit, or of the prediction's id where there is none."""
    routing = Routing.of(experiment(challenger_share=share, salt="s"), epoch(3, inclusion=inclusion))
    arm = Assigner("exp-a", "s", challenger_share=share, inclusion=inclusion)("ab-1" if unit is None else unit)
    found = routing.assign(unit, "ab-1", 1)
    assert found.sticky is (unit is not None)
    assert (found.arm, found.shadowed) == (arm or "champion", False)
    assert (found.experiment, found.epoch) == (("exp-a", 3) if arm else (None, None))


@given(unit=UNITS, inclusion=SHARES)
def test_shadow_includes_whom_a_split_would(unit: str | None, inclusion: float) -> None:
    """In shadow mode the champion answers everybody, and the challenger predicts for exactly the units included."""
    shadow, split = (
        Routing.of(experiment(mode=mode), epoch(inclusion=inclusion)).assign(unit, "ab-1", 1)
        for mode in ("shadow", "split")
    )
    assert shadow.arm == "champion"
    assert shadow.shadowed is (shadow.experiment is not None) is (split.experiment is not None)


@pytest.mark.parametrize("mode", ["shadow", "split"])
@pytest.mark.parametrize("state", [State.PAUSED, State.STOPPED, State.ROLLED_BACK])
def test_nobody_takes_part_unless_it_runs(mode: str, state: State) -> None:
    """An epoch that does not run includes nobody, whatever its weights say."""
    assert set(assigned(Routing.of(experiment(mode=mode), epoch(state=state)))) <= NOBODY


def test_stale_experiment_includes_nobody() -> None:
    """Where another version serves than the experiment's champion, or none, nobody takes part."""
    routing = Routing.of(experiment(), epoch())
    for serving in (2, 3, None):
        assert routing.is_stale(serving)
        assert routing.assign("user-1", "ab-1", serving) in NOBODY
    assert not routing.is_stale(1)
    assert not Routing().is_stale(3)


def test_without_an_experiment_the_champion_answers() -> None:
    """No experiment, no part in one; the request still says whether it named a unit."""
    assert Routing().assign("user-1", "ab-1", 1) == Assignment()
    assert Routing().assign(None, "ab-1", 1) == Assignment(sticky=False)


@given(inclusions=st.lists(SHARES, min_size=2, max_size=4))
def test_ramp_moves_and_drops_nobody(inclusions: list[float]) -> None:
    """From epoch to epoch of rising inclusion, each unit keeps its arm, and none falls out."""
    plan = experiment(salt="s")
    arms: dict[int, Side] = {}
    for number, inclusion in enumerate(sorted(inclusions), start=1):
        found = assigned(Routing.of(plan, epoch(number, inclusion=inclusion)), 50)
        now = {unit: each.arm for unit, each in enumerate(found) if each.experiment}
        assert arms.items() <= now.items()
        arms = now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A log of the test's own."""
    with Store(f"sqlite:///{tmp_path / 'log.db'}") as opened:
        yield opened


@pytest.fixture
def router(store: Store) -> Iterator[Router]:
    """One that reads the store often."""
    opened = Router(store, "fruit", every=0.01)
    yield opened
    opened.close()


def test_router_follows_the_store(store: Store, router: Router) -> None:
    """Start, ramp, pause and stop each reach a router by themselves; another model's experiment does not."""
    store.start(experiment(name="other", model_name="vegetables"), inclusion=1, why="tests")
    router.refresh()
    assert router.routing == Routing()
    store.start(experiment(), inclusion=0.5, why="tests")
    until(lambda: router.assign("user-1", "ab-1", 1) == Assignment(arm="challenger", experiment="exp-a", epoch=1)
          or router.routing.epoch)  # fmt: skip
    few = assigned(router.routing)
    store.turn(epoch(2, inclusion=1.0))
    until(lambda: router.routing.epoch and router.routing.epoch.number == 2)
    assert 0 < sum(each.experiment is not None for each in few) < 200
    assert all(each.experiment for each in assigned(router.routing))
    store.turn(epoch(3, state=State.PAUSED, inclusion=0.0))
    until(lambda: router.assign("user-1", "ab-1", 1) in NOBODY)
    assert router.routing.experiment is not None
    store.turn(epoch(4, state=State.STOPPED, inclusion=0.0))
    until(lambda: router.routing.experiment is None)
    assert (router.failures, router.error) == (0, None)


def test_router_outlives_the_store(store: Store, router: Router, tmp_path: Path) -> None:
    """While the store fails, the last routing stays in force and failures are counted; then it follows again."""
    store.start(experiment(), inclusion=1, why="tests")
    until(lambda: router.routing.epoch)
    before = assigned(router.routing)
    with engine(f"sqlite:///{tmp_path / 'log.db'}").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE abtest_epochs RENAME TO elsewhere")
    until(lambda: router.failures >= 2)
    assert assigned(router.routing) == before
    assert router.error is not None
    with engine(f"sqlite:///{tmp_path / 'log.db'}").begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO abtest_epochs")
    store.turn(epoch(2, inclusion=0.5))
    until(lambda: router.routing.epoch and router.routing.epoch.number == 2)
    assert router.error is None


def test_two_routers_agree(store: Store, router: Router) -> None:
    """Whatever router answers, a unit has the same arm."""
    store.start(experiment(salt="s"), inclusion=0.5, why="tests")
    other: Any = Router(store, "fruit")
    router.refresh()
    assert assigned(router.routing) == assigned(other.routing)
    other.close()
