"""Simulated experiments on live traffic, from units that arrive to verdicts, looked at again and again.

Units arrive one a second, are assigned as servers assign them, in two epochs, and are labelled later, or never. What an
analysis finds at a moment is computed here from the counts of that moment; ``tests/live/test_simulated.py`` holds it
against what the analysis itself finds in a log of the same traffic, look by look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from abtest.decision import Verdict
from abtest.evaluator import checks
from abtest.live.analysis.harm import tuning_of
from abtest.live.assignment import Assigner
from abtest.live.experiment import Experiment, Mode
from abtest.policy import Policy
from abtest.stats.sequences import MeanDifference
from abtest.stats.sequential import anytime_pvalue, log_evidence_by_look

if TYPE_CHECKING:
    import numpy.typing as npt

    from abtest.evaluator.live import Check
    from abtest.evaluator.looks import Tuning

    Floats = npt.NDArray[np.float64]
    Whole = npt.NDArray[np.int64]
    Marks = npt.NDArray[np.bool_]

START = datetime(2026, 1, 1, tzinfo=UTC)
LOOKS = 40  # that are taken at equal times
BUCKETS = 200  # of the path that an analysis follows
FEW = 0.25  # of all units take part in the first epoch, which is a tenth of the time
AGAIN = 0.2  # of all units come back once
STEP = 20  # seconds: labels come together


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Who is right how often, and what befalls their rows.

    Attributes:
        mode, share: As of an experiment.
        units: That arrive.
        lost, gained: Of the rows of each class, those that only the champion gets right, and only the challenger.
        right: Of all rows, those that both get right.
        delays: Mean seconds until a label of each class comes; exponential, and cut at five times the mean.
        horizon: Of the experiment.
        unlabelled: Of all rows, those whose label never comes.
        leak: Of the challenger's rows in a split that it gets right, and wrong, those that never reach the log.
        planned_n, planned_discordant: Of the experiment.
    """

    mode: Mode
    units: int
    share: float = 0.5
    lost: tuple[float, float] = (0.1, 0.1)
    gained: tuple[float, float] = (0.1, 0.1)
    right: float = 0.7
    delays: tuple[float, float] = (60.0, 60.0)
    horizon: float = 0.0
    unlabelled: float = 0.1
    leak: tuple[float, float] = (0.0, 0.0)
    planned_n: int | None = None
    planned_discordant: int | None = None

    def plan(self, salt: str) -> Experiment:
        """The experiment's plan; accuracy alone decides, so whatever is significantly better is promoted."""
        return Experiment(
            name="spring",
            model_name="iris",
            mode=self.mode,
            champion_version=1,
            challenger_version=2,
            challenger_share=self.share,
            salt=salt,
            policy=Policy(metrics=("accuracy",)),
            planned_n=self.planned_n,
            planned_discordant=self.planned_discordant,
            horizon=self.horizon,
            auto_rollback=True,
            created_at=START,
            created_by="simulation",
        )

    @property
    def turned_at(self) -> float:
        """When the second epoch begins, in seconds since 1970."""
        return START.timestamp() + self.units // 10

    @property
    def looks(self) -> Floats:
        """When it is looked at, in whole seconds since 1970; the last time once everything has come."""
        last = self.units + max(self.horizon, 5 * max(self.delays) + STEP)
        return START.timestamp() + np.ceil(last * np.arange(1, LOOKS + 1) / LOOKS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traffic:
    """First exposures, in their order; arrays of shape (units,).

    Attributes:
        unit: Its number.
        at: When it was exposed, in seconds since 1970.
        challenger: Whether it is the challenger's; of a shadow nobody's.
        truth: Its class, 0 or 1.
        right: Whether each side would be right, shape (units, 2).
        received: When its label comes, likewise; infinite where it never does.
        leaked: Whether its row never reached the log.
    """

    unit: Whole
    at: Floats
    challenger: Marks
    truth: Whole
    right: Marks
    received: Floats
    leaked: Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an analysis finds at a moment: its p-values, whether the checks held, the verdict, the units it counts."""

    pvalue: float | None
    pvalue_worse: float | None
    held: bool
    verdict: Verdict
    n: int


def arrive(rng: np.random.Generator, scene: Scene, salt: str) -> Traffic:
    """Let units arrive, some of them twice, and assign them by name in the epoch of their time."""
    first = START.timestamp() + np.arange(scene.units, dtype=np.float64)
    again = np.where(rng.random(scene.units) < AGAIN, first + rng.exponential(scene.units / 10, scene.units), np.inf)
    unit, at, arm = _exposed(scene, salt, first, again)
    n = len(unit)
    truth = rng.integers(0, 2, n)
    draw, lost, gained = rng.random(n), np.array(scene.lost)[truth], np.array(scene.gained)[truth]
    champion = (draw < lost) | ((draw >= lost + gained) & (draw < lost + gained + scene.right))
    challenger = (draw >= lost) & (draw < lost + gained + scene.right)
    mean = np.array(scene.delays)[truth]
    delay = np.minimum(rng.exponential(1.0, n) * mean, 5 * mean)
    received = STEP * np.ceil((at + delay) / STEP)
    received[rng.random(n) < scene.unlabelled] = np.inf
    return Traffic(
        unit=unit,
        at=at,
        challenger=arm,
        truth=truth,
        right=np.column_stack([champion, challenger]),
        received=received,
        leaked=arm & (rng.random(n) < np.where(challenger, *scene.leak)),
    )


def _exposed(scene: Scene, salt: str, first: Floats, again: Floats) -> tuple[Whole, Floats, Marks]:
    # Of the units that take part their numbers, the moments when they first do, and whether the challenger serves them.
    share = scene.share if scene.mode == "split" else 0.0
    few, everybody = (Assigner("spring", salt, challenger_share=share, inclusion=of) for of in (FEW, 1.0))
    found = []
    for number, moment in enumerate(first.tolist()):
        name, later = f"user-{number}", again[number]
        arm = (few if moment < scene.turned_at else everybody)(name)
        if arm is None and later < np.inf:
            moment, arm = later, (few if later < scene.turned_at else everybody)(name)  # noqa: PLW2901 - the later one
        if arm is not None:
            found.append((moment, number, arm == "challenger"))
    found.sort()
    at, unit, arms = zip(*found, strict=True)
    return np.array(unit), np.array(at), np.array(arms)


def see(scene: Scene, traffic: Traffic, until: float, *, checked: bool = True) -> Seen | None:
    """Say what an analysis finds at a moment; None before there is anything to compare on.

    Args:
        scene: Whose plan it is.
        traffic: What arrived.
        until: The moment.
        checked: Whether a check that fails stops a verdict.
    """
    experiment, logged = scene.plan(""), ~traffic.leaked
    mature = logged & (traffic.at + scene.horizon <= until)
    seen = mature & (traffic.received <= until)
    right, arm, tuning = traffic.right[seen], traffic.challenger[seen], tuning_of(experiment)
    split = scene.mode == "split"
    if not len(right) or (split and (arm.all() or not arm.any())):
        return None
    if split:
        counts = [(int(right[arm == side, side].sum()), int((arm == side).sum())) for side in (0, 1)]
        found, worse = _of_arms(counts, tuning)
        effect = counts[1][0] / counts[1][1] - counts[0][0] / counts[0][1]
        held = all(check.held for check in _checks(scene, traffic, mature, seen, until))
    else:
        found, worse, effect = _of_pairs(scene, traffic, seen, until, tuning)
        held = True  # nothing is dropped
    verdict = Verdict.INSUFFICIENT_EVIDENCE
    if found is not None and found < experiment.policy.alpha and effect < 0:
        verdict = Verdict.KEEP_CHAMPION
    elif found is not None and found < experiment.policy.alpha and (held or not checked):
        verdict = Verdict.PROMOTE
    return Seen(pvalue=found, pvalue_worse=worse, held=held, verdict=verdict, n=len(right))


def _of_pairs(scene: Scene, traffic: Traffic, seen: Marks, until: float, tuning: Tuning) -> tuple[float, float, float]:
    # The evidence at the ends of equal periods, in each direction at its greatest; and the effect by now.
    known = np.maximum(traffic.received, traffic.at + scene.horizon)[seen]
    start = traffic.at[0]
    bucket = np.minimum((known - start) / ((until - start) / BUCKETS), BUCKETS - 1).astype(np.int64)
    champion, challenger = traffic.right[seen].T
    b, c = (
        np.bincount(bucket, weights=alone, minlength=BUCKETS).cumsum()
        for alone in (champion & ~challenger, challenger & ~champion)
    )
    better, worse = (
        anytime_pvalue([log_evidence_by_look(b, c, a=tuning.a, alternative=side).max()]) for side in ("greater", "less")
    )
    effect = float(c[-1] - b[-1])
    return min(1.0, 2 * (better if effect > 0 else worse if effect < 0 else max(better, worse))), worse, effect


def _of_arms(counts: list[tuple[int, int]], tuning: Tuning) -> tuple[float | None, float | None]:
    looked = MeanDifference.of_rates(champion=counts[0], challenger=counts[1])
    harm = tuning.sequence(min(tuning.rollback_alpha, 0.25))
    if not looked.settled:
        (a, n), (b, m) = counts
        wrong = MeanDifference.of_failures(champion=(n - a, n), challenger=(m - b, m))
        return None, harm.pvalue(wrong, alternative="greater")
    return tuning.sequence().pvalue(looked), harm.pvalue(looked, alternative="less")


def _checks(scene: Scene, traffic: Traffic, mature: Marks, seen: Marks, until: float) -> tuple[Check, Check]:
    exposed, arm = ~traffic.leaked & (traffic.at <= until), traffic.challenger
    covered = [(int((seen & of).sum()), int((mature & of).sum())) for of in (~arm, arm)]
    return (
        checks.sample_ratio(int((exposed & ~arm).sum()), int((exposed & arm).sum()), scene.share),
        checks.label_coverage(covered[0], covered[1], planned_n=scene.planned_n),
    )
