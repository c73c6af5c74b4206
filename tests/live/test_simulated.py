"""Simulated experiments, from units that arrive to verdicts: what is looked at all the time keeps its word.

Most of them are analysed by their counts at each look, which takes a thousandth of the time. That this is what the
analysis finds in a real log of the same traffic, look by look, is tested first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from abtest.decision import Verdict
from abtest.errors import InvalidInputError
from abtest.live.analysis.analysing import analyse, harm
from abtest.live.experiment import Epoch, State
from abtest.live.log import Feedback, Logged
from abtest.live.store import Store
from abtest.live.units import UnitHasher
from benchmarks import simulated_experiments as simulated
from benchmarks.simulated_experiments import LATE, SHADOW, SOON, SPLIT, by_class
from benchmarks.simulated_traffic import FEW, Scene, Seen, Traffic, arrive, see
from tests.known import known

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from abtest.labels import Side
    from abtest.live.experiment import Experiment

AGAIN = 10**6  # from where second requests are numbered
SERVERS = ("a" * 16, "b" * 16)


class Road:
    """A log that traffic is written to as it arrives: by two servers, out of order, with labels when they come."""

    def __init__(self, store: Store, scene: Scene, traffic: Traffic, salt: str) -> None:
        self.store, self.scene, self.traffic = store, scene, traffic
        self.experiment = scene.plan(salt)
        self._rng = np.random.default_rng(99)
        self._hashed = UnitHasher(store.unit_key())
        self._turned = False
        store.start(self.experiment, inclusion=FEW, why="to see")
        rows = [group for i in range(len(traffic.at)) if not traffic.leaked[i] for group in self._visits(i)]
        self._rows = sorted(rows, key=lambda group: group[0].at)
        self._labels = sorted(
            (traffic.received[i], i) for i in range(len(traffic.at)) if np.isfinite(traffic.received[i])
        )

    def go_on(self, until: float) -> None:
        """Write what happened by then, in batches in which nothing is in order, and labels as they came."""
        if until >= self.scene.turned_at and not self._turned:
            self._turned = True
            began = datetime.fromtimestamp(self.scene.turned_at, UTC)
            self.store.turn(
                Epoch(
                    experiment="spring", number=2, state=State.RUNNING, inclusion=1.0, began_at=began, by="ada", why=""
                )
            )
        count = sum(group[0].at <= until for group in self._rows)
        due, self._rows = self._rows[:count], self._rows[count:]
        order = sorted(self._rng.permutation(count).tolist(), key=lambda i: due[i][0].sequence > AGAIN)  # as servers do
        for start in range(0, count, 300):
            self.store.write([row for i in order[start : start + 300] for row in due[i]])
        while self._labels and self._labels[0][0] <= until:
            moment = self._labels[0][0]
            of_moment = [i for at, i in self._labels if at == moment]
            self._labels = self._labels[len(of_moment) :]
            labels = [
                Feedback(prediction_id=f"{SERVERS[i % 2]}-{number}", label=int(self.traffic.truth[i]))
                for i in self._rng.permutation(of_moment).tolist()
                for number in (i + 1, AGAIN + i + 1)[: 1 + (i % 7 == 0)]
            ]
            self.store.record(labels, received_at=moment)

    def _visits(self, i: int) -> list[list[Logged]]:
        # A unit's first request, which counts, and that of some a little later, on which the challenger is wrong.
        visits = [self._rows_of(i, i + 1, float(self.traffic.at[i]), self.traffic.right[i])]
        if i % 7 == 0:
            visits.append(self._rows_of(i, AGAIN + i + 1, float(self.traffic.at[i]) + 5, np.array([True, False])))
        return visits

    def _rows_of(self, i: int, sequence: int, at: float, right: npt.NDArray[np.bool_]) -> list[Logged]:
        split = self.scene.mode == "split"
        arm: Side = "challenger" if self.traffic.challenger[i] else "champion"
        sides: tuple[Side, ...] = (arm,) if split else ("champion", "challenger")
        truth = int(self.traffic.truth[i])
        return [
            Logged(
                server=SERVERS[i % 2],
                sequence=sequence,
                at=at,
                arm=side,
                served=split or side == "champion",
                model_version=1 + (side == "challenger"),
                prediction=truth if right[int(side == "challenger")] else 1 - truth,
                seconds=0.001,
                experiment="spring",
                epoch=1 + (at >= self.scene.turned_at),
                unit=self._hashed(f"user-{self.traffic.unit[i]}"),
            )
            for side in sides
        ]


UNSURE, BETTER, WORSE = (Verdict.INSUFFICIENT_EVIDENCE, Verdict.PROMOTE, Verdict.KEEP_CHAMPION)


@pytest.mark.parametrize(
    ("scene", "verdicts"),
    [
        (replace(SHADOW, units=900, gained=(0.16, 0.16)), {(UNSURE, True), (BETTER, True)}),
        (by_class(replace(SHADOW, units=900), (30.0, 150.0), horizon=200.0), {(UNSURE, True)}),
        (replace(SHADOW, units=900, gained=(0.04, 0.04)), {(UNSURE, True), (WORSE, True)}),
        (replace(SPLIT, units=1400, gained=(0.22, 0.22), right=0.6), {(UNSURE, True), (BETTER, True)}),
        (replace(SPLIT, units=1400, horizon=100.0, leak=(0.3, 0.6)), {(UNSURE, True), (UNSURE, False)}),
        (replace(SPLIT, units=1400, share=0.3, lost=(0.2, 0.2), gained=(0.01, 0.01)), {(UNSURE, True), (WORSE, True)}),
    ],
    ids=["shadow, better", "shadow, late by class", "shadow, worse", "split, better", "split, leaking", "split, worse"],
)
def test_the_short_cut_is_the_road(scene: Scene, verdicts: set[tuple[Verdict, bool]], tmp_path: Path) -> None:
    """P-values, checks, harm and verdict by the counts are those of the log's analysis, at every look, to rounding."""
    traffic = arrive(np.random.default_rng(11), scene, "salt-0")
    told = set()
    with Store(f"sqlite:///{tmp_path / 'live.db'}") as store:
        road = Road(store, scene, traffic, "salt-0")
        for until in scene.looks[::4].tolist():
            road.go_on(until)
            seen = see(scene, traffic, until)
            if seen is None:
                with pytest.raises(InvalidInputError, match="no labelled row"):
                    analyse(store, "spring", until=_moment(until))
                continue
            found = analyse(store, "spring", until=_moment(until)).record
            live = known(found.live)
            assert (found.data.n, found.decision.verdict) == (seen.n, seen.verdict)
            for there, here in ((live.pvalue, seen.pvalue), (live.pvalue_worse, seen.pvalue_worse)):
                assert there == (None if here is None else pytest.approx(here, rel=1e-9))
            assert all(check.held for check in live.checks) == seen.held
            assert (harm(store, road.experiment, until=_moment(until)) is not None) == _harmful(seen, road.experiment)
            told.add((seen.verdict, seen.held))
    assert told == verdicts


def _moment(until: float) -> datetime:
    return datetime.fromtimestamp(until, UTC)


def _harmful(seen: Seen, experiment: Experiment) -> bool:
    return seen.pvalue_worse is not None and seen.pvalue_worse < experiment.rollback_alpha


RUNS = 300
SURELY = 1e-4  # the chance that a bound is crossed though all is well


def most(level: float, runs: int = RUNS) -> int:
    """As often as something of this chance happens, but for bad luck."""
    return int(stats.binom.isf(SURELY, runs, level))


def least(level: float, runs: int = RUNS) -> int:
    """Likewise, at least."""
    return int(stats.binom.ppf(SURELY, runs, level))


@pytest.mark.slow
@pytest.mark.parametrize(
    "scene",
    [
        SHADOW,
        SPLIT,
        replace(SPLIT, share=0.1),
        by_class(SHADOW, SOON, horizon=3020.0),
        by_class(SPLIT, SOON, horizon=3020.0),
    ],
    ids=["shadow", "split", "a tenth", "shadow, late by class", "split, late by class"],
)
def test_looking_all_the_time_keeps_the_level(scene: Scene) -> None:
    """Equal models: 2.5 % are promoted at most, 2.5 % kept, 5 % rolled back, where a fixed test rejects over 10 %."""
    found = simulated.peeking(np.random.default_rng(1), RUNS, scene=scene)
    assert found["promote"] <= most(0.025)
    assert found["keep"] <= most(0.025)
    assert found["rollback"] <= most(0.05)
    assert found["fixed"] >= least(0.15)


@pytest.mark.slow
@pytest.mark.parametrize("scene", [SHADOW, SPLIT], ids=["shadow", "split"])
def test_labels_that_come_early_by_class_need_a_horizon(scene: Scene) -> None:
    """Where the labels of one class come first, and nothing waits for the others, equal models are told apart often."""
    found = simulated.peeking(np.random.default_rng(2), 100, scene=by_class(scene, LATE))
    assert found["promote"] > most(0.1, 100)


def mcnemar_power(lost: float, gained: float) -> float:
    """The chance that McNemar's exact test of 2,000 rows finds the challenger better at 5 %, two-sided: added up."""
    m = np.arange(1, 1500)
    fewest = stats.binom.isf(0.025, m, 0.5) + 1
    return float(
        (stats.binom.pmf(m, 2000, lost + gained) * stats.binom.sf(fewest - 1, m, gained / (lost + gained))).sum()
    )


def two_arms_power(champion: float, challenger: float) -> float:
    """The chance that a test of two proportions, of 1,000 units each, finds the challenger better at 5 %, two-sided."""
    x, y = np.meshgrid(np.arange(1001), np.arange(1001), indexing="ij")
    rate = (x + y) / 2000
    z = (y - x) / 1000 / np.sqrt(np.where((rate > 0) & (rate < 1), rate * (1 - rate), np.inf) * 2 / 1000)
    chance = np.outer(*(stats.binom.pmf(np.arange(1001), 1000, p) for p in (champion, challenger)))
    return float(chance[z > stats.norm.isf(0.025)].sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "chance"),
    [
        (replace(SHADOW, units=5000, gained=(0.13, 0.13), planned_discordant=460), mcnemar_power(0.1, 0.13)),
        (replace(SPLIT, units=5000, gained=(0.15, 0.15)), two_arms_power(0.8, 0.85)),
    ],
    ids=["shadow", "split"],
)
def test_power_is_that_of_a_fixed_test_or_takes_twice_the_units(scene: Scene, chance: float) -> None:
    """By the units planned a fixed test has more power, which is its exact one; by twice as many, looking has more."""
    found = simulated.power(np.random.default_rng(3), RUNS, scene=scene, at=simulated.PARTS)
    assert least(chance) <= found["fixed"] <= most(chance)
    assert found["by 1"] <= found["fixed"] < found["by 2"]
    assert found["by 1"] >= least(0.4)  # who looks has an even chance to be done before the plan is


@pytest.mark.slow
@pytest.mark.parametrize(
    "scene",
    [replace(SHADOW, gained=(0.05, 0.05)), replace(SPLIT, gained=(0.02, 0.02))],
    ids=["shadow, −5", "split, −8"],
)
def test_harm_is_found_in_time(scene: Scene) -> None:
    """A challenger that is much worse is rolled back before the units planned have come, and never promoted."""
    found = simulated.harmed(np.random.default_rng(4), RUNS, scene=scene, at=simulated.COUNTS)
    assert found["promote"] <= most(0.001)
    assert found["by 1000"] >= least(0.5)
    assert found["by 2000"] >= least(0.9)


@pytest.mark.slow
def test_an_arm_that_loses_rows_is_found_out() -> None:
    """Where a quarter of an arm's rows is lost that is found; then nothing is promoted that would have been."""
    found = simulated.leaking(np.random.default_rng(5), RUNS, scene=replace(SPLIT, leak=(0.2, 0.4)))
    assert found["found"] >= least(0.99)
    assert found["promote at last"] == 0
    assert found["promote"] < found["unchecked"] / 2
    assert found["unchecked"] > least(0.25)
