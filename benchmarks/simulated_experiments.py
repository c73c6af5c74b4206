"""Simulated experiments on live traffic, looked at again and again: what is said of which challenger."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from abtest.decision import Verdict
from abtest.stats.proportions import normal_quantile
from benchmarks.simulated import Row, Table
from benchmarks.simulated_traffic import Scene, Seen, Traffic, arrive, see

if TYPE_CHECKING:
    from collections.abc import Iterator

SHADOW = Scene(mode="shadow", units=4000, planned_n=2000, planned_discordant=400)
SPLIT = Scene(mode="split", units=4000, planned_n=2000)
SOON, LATE = (30.0, 600.0), (30.0, 3000.0)  # delays of labels, by class
PARTS, COUNTS = (0.25, 0.5, 1.0, 2.0), (250, 500, 1000, 2000)


def by_class(scene: Scene, delays: tuple[float, float], *, horizon: float = 0.0) -> Scene:
    """Make the challenger better on one class and as much worse on the other, whose labels come later."""
    return replace(scene, lost=(0.06, 0.14), gained=(0.14, 0.06), unlabelled=0.0, delays=delays, horizon=horizon)


def peeking(rng: np.random.Generator, repeats: int, *, scene: Scene) -> Counter[str]:
    """Count experiments in which any look promotes, keeps the champion, or rolls back, or a fixed test rejects."""
    found: Counter[str] = Counter()
    for i in range(repeats):
        traffic = arrive(rng, scene, f"salt-{i}")
        told = list(_watched(scene, traffic))
        found["promote"] += any(seen.verdict is Verdict.PROMOTE for seen in told)
        found["keep"] += any(seen.verdict is Verdict.KEEP_CHAMPION for seen in told)
        found["rollback"] += _rolled_back(scene, told) is not None
        found["fixed"] += any(_fixed(scene, traffic, float(until)) for until in scene.looks)
    return found


def power(rng: np.random.Generator, repeats: int, *, scene: Scene, at: tuple[float, ...]) -> Counter[str]:
    """Count experiments that are promoted by parts of the units planned, and those that a fixed test promotes."""
    found: Counter[str] = Counter()
    for i in range(repeats):
        traffic = arrive(rng, scene, f"salt-{i}")
        when = next((seen.n for seen in _watched(scene, traffic) if seen.verdict is Verdict.PROMOTE), math.inf)
        found["fixed"] += _fixed(scene, traffic, None, better=True)
        found.update(f"by {part:g}" for part in at if when <= part * (scene.planned_n or 0))
    return found


def harmed(rng: np.random.Generator, repeats: int, *, scene: Scene, at: tuple[int, ...]) -> Counter[str]:
    """Count experiments that were rolled back by so many labelled units, and those that were ever promoted."""
    found: Counter[str] = Counter()
    for i in range(repeats):
        told = list(_watched(scene, arrive(rng, scene, f"salt-{i}")))
        when = _rolled_back(scene, told)
        found["promote"] += any(seen.verdict is Verdict.PROMOTE for seen in told)
        found.update(f"by {n}" for n in at if when is not None and when <= n)
    return found


def leaking(rng: np.random.Generator, repeats: int, *, scene: Scene) -> Counter[str]:
    """Count experiments whose fault is found, and those that are ever promoted, with the checks and without."""
    found: Counter[str] = Counter()
    for i in range(repeats):
        traffic = arrive(rng, scene, f"salt-{i}")
        told = list(_watched(scene, traffic))
        unchecked = _watched(scene, traffic, checked=False)
        found["found"] += not all(seen.held for seen in told)
        found["promote"] += any(seen.verdict is Verdict.PROMOTE for seen in told)
        found["promote at last"] += told[-1].verdict is Verdict.PROMOTE
        found["unchecked"] += any(seen.verdict is Verdict.PROMOTE for seen in unchecked)
    return found


def tables() -> tuple[Table, ...]:
    """List the tables."""
    title = "Experiments on live traffic, looked at forty times"
    looked = ("fixed", "promote", "keep", "rollback")
    equal = (
        ("shadow", "no order", "none", SHADOW),
        ("split in halves", "no order", "none", SPLIT),
        ("a tenth for the challenger", "no order", "none", replace(SPLIT, share=0.1, units=8000)),
        ("shadow", "one class first", "none", by_class(SHADOW, LATE)),
        ("split in halves", "one class first", "none", by_class(SPLIT, LATE)),
        ("shadow", "one class first", "all labels", by_class(SHADOW, SOON, horizon=3020.0)),
        ("split in halves", "one class first", "all labels", by_class(SPLIT, SOON, horizon=3020.0)),
    )
    better = (
        ("+3", "shadow", replace(SHADOW, units=5000, gained=(0.13, 0.13), planned_discordant=460)),
        ("+5", "shadow", replace(SHADOW, units=5000, gained=(0.15, 0.15), planned_discordant=500)),
        ("+5", "split in halves", replace(SPLIT, units=5000, gained=(0.15, 0.15))),
        ("+8", "split in halves", replace(SPLIT, units=5000, gained=(0.18, 0.18))),
    )
    worse = (
        ("−3", "shadow", replace(SHADOW, gained=(0.07, 0.07))),
        ("−5", "shadow", replace(SHADOW, gained=(0.05, 0.05))),
        ("−5", "split in halves", replace(SPLIT, gained=(0.05, 0.05))),
        ("−8", "split in halves", replace(SPLIT, gained=(0.02, 0.02))),
    )
    leaks = ((0.0, 0.0), (0.1, 0.1), (0.2, 0.3), (0.15, 0.3), (0.1, 0.4), (0.0, 0.5))
    return (
        Table(
            title=f"{title}: what is said of an equal challenger?",
            heads=(
                "mode",
                "labels",
                "horizon",
                "fixed test at any look",
                "PROMOTE",
                "KEEP_CHAMPION",
                "rollback at 5 %",
            ),
            rows=tuple(
                Row(
                    names=(mode, order, horizon),
                    simulate=peeking,
                    parameters={"scene": of},
                    repeats=1000,
                    counts=looked,
                )
                for mode, order, horizon, of in equal
            ),
        ),
        Table(
            title=f"{title}: by how many of the 2,000 units planned is a better challenger promoted?",
            heads=("mode", "effect", "fixed test of 2,000", *(f"by {int(2000 * part):,}" for part in PARTS)),
            rows=tuple(
                Row(
                    names=(mode, effect),
                    simulate=power,
                    parameters={"scene": of, "at": PARTS},
                    repeats=1000,
                    counts=("fixed", *(f"by {part:g}" for part in PARTS)),
                )
                for effect, mode, of in better
            ),
        ),
        Table(
            title=f"{title}: after how many labelled units is a worse challenger rolled back?",
            heads=("mode", "effect", *(f"by {count:,}" for count in COUNTS), "PROMOTE"),
            rows=tuple(
                Row(
                    names=(mode, effect),
                    simulate=harmed,
                    parameters={"scene": of, "at": COUNTS},
                    repeats=1000,
                    counts=(*(f"by {count}" for count in COUNTS), "promote"),
                )
                for effect, mode, of in worse
            ),
        ),
        Table(
            title=f"{title}: what if rows of an equal challenger never reach the log?",
            heads=("lost where right", "where wrong", "found", "PROMOTE", "PROMOTE at the end", "PROMOTE, unchecked"),
            rows=tuple(
                Row(
                    names=(f"{100 * right:g} %", f"{100 * wrong:g} %"),
                    simulate=leaking,
                    parameters={"scene": replace(SPLIT, leak=(right, wrong))},
                    repeats=1000,
                    counts=("found", "promote", "promote at last", "unchecked"),
                )
                for right, wrong in leaks
            ),
        ),
    )


def _watched(scene: Scene, traffic: Traffic, *, checked: bool = True) -> Iterator[Seen]:
    for until in scene.looks:
        seen = see(scene, traffic, float(until), checked=checked)
        if seen is not None:
            yield seen


def _rolled_back(scene: Scene, told: list[Seen]) -> int | None:
    level = scene.plan("").rollback_alpha
    return next((seen.n for seen in told if seen.pvalue_worse is not None and seen.pvalue_worse < level), None)


def _fixed(scene: Scene, traffic: Traffic, until: float | None, *, better: bool = False) -> bool:
    # Whether a test that is made for one look rejects at 5 %: exact McNemar's, or that of two proportions. Without a
    # moment, on the first units that were planned.
    known = np.maximum(traffic.received, traffic.at + scene.horizon)
    if until is None:
        order = np.argsort(known, kind="stable")[: scene.planned_n]
        taken = order[np.isfinite(known[order])]
    else:
        taken = np.flatnonzero(known <= until)
    right, arm = traffic.right[taken], traffic.challenger[taken]
    if scene.mode == "shadow":
        b, c = int((right[:, 0] & ~right[:, 1]).sum()), int((right[:, 1] & ~right[:, 0]).sum())
        return bool(b + c) and 2 * stats.binom.cdf(min(b, c), b + c, 0.5) < 0.05 and (c > b or not better)
    n, x = [(arm == side).sum() for side in (0, 1)], [right[arm == side, side].sum() for side in (0, 1)]
    if not min(n):
        return False
    rate = sum(x) / sum(n)
    spread = math.sqrt(rate * (1 - rate) * (1 / n[0] + 1 / n[1]))
    z = (x[1] / n[1] - x[0] / n[0]) / spread if spread else 0.0
    return bool((z if better else abs(z)) > normal_quantile(0.95))
