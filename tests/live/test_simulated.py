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

from abtest.errors import InvalidInputError
from abtest.live.analysis import analyse, harm, rollback
from abtest.live.experiment import Epoch, State
from abtest.live.log import Feedback, Logged
from abtest.live.store import Store
from abtest.live.units import UnitHasher
from benchmarks import simulated_traffic as simulated
from benchmarks.simulated_traffic import FEW, START, Scene, Traffic, arrive, see
from tests.known import known

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from abtest.labels import Side
    from abtest.live.experiment import Experiment

AGAIN = 10**6  # from where second requests are numbered
SERVERS = ("a" * 16, "b" * 16)
SHADOW = Scene(mode="shadow", units=3000, planned_n=2000, planned_discordant=400)
SPLIT = Scene(mode="split", units=4000, planned_n=3000)
EARLY = {"lost": (0.06, 0.14), "gained": (0.14, 0.06), "unlabelled": 0.0}  # by class; over both it is equal


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
                Epoch(experiment="spring", number=2, state=State.RUNNING, inclusion=1.0, began_at=began, by="ada", why="")
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


@pytest.mark.parametrize(
    "scene",
    [
        replace(SHADOW, units=900, gained=(0.16, 0.16)),
        replace(SHADOW, units=900, delays=(30.0, 150.0), horizon=200.0, **EARLY),
        replace(SHADOW, units=900, gained=(0.04, 0.04)),
        replace(SPLIT, units=1400, gained=(0.22, 0.22), right=0.6),
        replace(SPLIT, units=1400, horizon=100.0, leak=(0.3, 0.6)),
        replace(SPLIT, units=1400, gained=(0.01, 0.01), lost=(0.2, 0.2)),
    ],
    ids=["shadow, better", "shadow, late by class", "shadow, worse", "split, better", "split, leaking", "split, worse"],
)  # fmt: skip
def test_the_short_cut_is_the_road(scene: Scene, tmp_path: Path) -> None:
    """P-values, checks, harm and verdict by the counts are those of the log's analysis, at every look, to rounding."""
    traffic = arrive(np.random.default_rng(11), scene, "salt-0")
    verdicts = set()
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
            for told, here in ((live.pvalue, seen.pvalue), (live.pvalue_worse, seen.pvalue_worse)):
                assert told == (None if here is None else pytest.approx(here, rel=1e-9))
            assert all(check.held for check in live.checks) == seen.held
            assert (harm(store, road.experiment, until=_moment(until)) is not None) == _harmful(seen, road.experiment)
            verdicts.add((seen.verdict, seen.held))
    assert len(verdicts) > 1


def _moment(until: float) -> datetime:
    return datetime.fromtimestamp(until, UTC)


def _harmful(seen: simulated.Seen, experiment: Experiment) -> bool:
    return seen.pvalue_worse is not None and seen.pvalue_worse < experiment.rollback_alpha
