"""How often the tests, intervals and rules are right, in simulated comparisons whose truth is known.

``python -m benchmarks.simulations > docs/simulations.md`` renews the committed tables, in minutes; ``--quick`` takes
seconds and is rough. Numbers depend on the seed and on nothing else: neither on the machine nor on its cores.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from abtest import evaluator
from abtest.decision import Verdict, decide
from abtest.evaluator import evaluate, regression
from abtest.metrics.catalogue import resolve
from abtest.metrics.classification import overall
from abtest.metrics.totals import totals
from abtest.outcomes import Contingency, PairedOutcomes
from abtest.policy import Policy
from abtest.reuse import spent_level
from abtest.stats.mcnemar import METHODS, mcnemar
from abtest.stats.multiplicity import holm_levels
from benchmarks import simulated_errors, simulated_experiments, simulated_looks, simulated_monitoring
from benchmarks.simulated import Row, Table, points

if TYPE_CHECKING:
    import numpy.typing as npt

SEED, QUICK, CORES = 0, 50, 2
LABELS, SHARES, ACCURACY, DISCORDANCE = ("a", "b", "c"), (0.5, 0.3, 0.2), 0.85, 0.10
USES = (1, 5, 20)
VERDICTS = tuple(verdict.value for verdict in Verdict)

Rng = np.random.Generator


def population(effect: float) -> npt.NDArray[np.float64]:
    """The share of rows of each truth, champion's and challenger's label, shape (classes, classes, classes).

    The champion is right on 85 % of each class and one side alone on 10 %; mistakes are spread evenly.
    """
    gained, lost = (DISCORDANCE + effect) / 2, (DISCORDANCE - effect) / 2
    cells = np.empty((3, 3, 3))
    for y, share in enumerate(SHARES):
        cells[y] = share * (1 - ACCURACY - gained) / 4  # neither is right
        cells[y, y, :] = share * lost / 2
        cells[y, :, y] = share * gained / 2
        cells[y, y, y] = share * (ACCURACY - lost)
    return cells


def outcomes(cells: npt.NDArray[np.int64]) -> PairedOutcomes:
    """Spell counts by truth, champion's and challenger's label as the library's table."""
    return PairedOutcomes.from_counts(
        {(LABELS[y], LABELS[a], LABELS[b]): int(cells[y, a, b]) for y, a, b in np.argwhere(cells)}
    )


def drawn(rng: Rng, n: int, effect: float) -> PairedOutcomes:
    """Draw n rows."""
    cells = population(effect)
    return outcomes(rng.multinomial(n, cells.ravel()).reshape(cells.shape))


def levels(rng: Rng, repeats: int, *, n: int, discordance: float) -> Counter[str]:
    """Count how often each form of McNemar's test rejects equal accuracies at 5 %."""
    discordant = rng.binomial(n, discordance, repeats)
    champion_only = rng.binomial(discordant, 0.5)
    pairs, counts = np.unique(np.column_stack([champion_only, discordant - champion_only]), axis=0, return_counts=True)
    rejected: Counter[str] = Counter()
    for (b, c), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        table = Contingency(both=n - b - c, champion_only=b, challenger_only=c, neither=0)
        for method in METHODS:
            rejected[method] += count * (mcnemar(table, method=method).pvalue < 0.05)
    return rejected


def coverage(rng: Rng, repeats: int, *, n: int, effect: float) -> Counter[str]:
    """Count how often the 95 % intervals of accuracy and macro F1 hold the population's effect."""
    policy, covered = Policy(metrics=("accuracy", "f1")), Counter[str]()
    whole = outcomes(np.rint(population(effect) * 10**9).astype(np.int64))
    (f1,) = resolve(("f1",), {})
    champion, challenger = (float(overall(f1, totals(whole, s), average="macro")) for s in ("champion", "challenger"))
    truths = {"accuracy": effect, "f1": challenger - champion}
    for _ in range(repeats):
        evaluation = evaluate(drawn(rng, n, effect), policy, resamples=1000, seed=int(rng.integers(2**31)))
        for name, truth in truths.items():
            row = evaluation.metric(name)
            covered[name] += row.ci_lower is not None and row.ci_lower <= truth <= (row.ci_upper or 0.0)
    return covered


def verdicts(rng: Rng, repeats: int, *, n: int, effect: float, policy: Policy) -> Counter[str]:
    """Count the verdicts."""
    told: Counter[str] = Counter()
    for _ in range(repeats):
        evaluation = evaluate(drawn(rng, n, effect), policy, resamples=1000, seed=int(rng.integers(2**31)))
        told[decide(evaluation, policy).verdict.value] += 1
    return told


def reuse(rng: Rng, repeats: int, *, n: int) -> Counter[str]:
    """Count test sets on which any of the first k equal challengers is promoted, by k and by what reuse does."""
    cells = population(0)
    given = cells / cells.sum(axis=2, keepdims=True)
    policies = {
        "warn": [Policy()] * max(USES),
        "spend": [Policy(confidence=1 - spent_level(0.05, k)) for k in range(1, max(USES) + 1)],
    }
    promoted: Counter[str] = Counter()
    for _ in range(repeats):
        champion = rng.multinomial(n, cells.sum(axis=2).ravel()).reshape(3, 3)  # the test set, and the champion on it
        first = dict.fromkeys(policies, math.inf)
        for k in range(1, max(USES) + 1):
            table = outcomes(rng.multinomial(champion, given))
            evaluation = evaluate(table, Policy(), resamples=1000, seed=int(rng.integers(2**31)))
            for name, of_use in policies.items():
                if decide(evaluation, of_use[k - 1]).verdict is Verdict.PROMOTE:
                    first[name] = min(first[name], k)
        promoted.update(f"{name}, {k}" for name, at in first.items() for k in USES if at <= k)
    return promoted


def together(rng: Rng, repeats: int, *, n: int) -> Counter[str]:
    """Count comparisons of the first k equal challengers in which any is promoted: each at 5 % and at Holm's levels."""
    cells = population(0)
    given = cells / cells.sum(axis=2, keepdims=True)
    promoted: Counter[str] = Counter()
    for _ in range(repeats):
        champion = rng.multinomial(n, cells.sum(axis=2).ravel()).reshape(3, 3)  # the test set, and the champion on it
        found = [
            evaluate(
                outcomes(rng.multinomial(champion, given)), Policy(), resamples=1000, seed=int(rng.integers(2**31))
            )
            for _ in range(max(USES))
        ]
        pvalues = [evaluation.mcnemar.pvalue for evaluation in found if evaluation.mcnemar is not None]
        for k in USES:
            for name, own in (("alone", [0.05] * k), ("Holm", holm_levels(pvalues[:k], 0.05))):
                told = [decide(it, Policy(confidence=1 - at)).verdict for it, at in zip(found, own, strict=False)]
                promoted[f"{name}, {k}"] += Verdict.PROMOTE in told
    return promoted


def tables() -> tuple[Table, ...]:
    """List all tables."""
    rules = {
        "non-inferior, margin 2 points": Policy(rule="non-inferior", margin=0.02, metrics=("accuracy",)),
        "primary": Policy(rule="primary", metrics=("accuracy",)),
    }
    return (
        Table(
            title="How often does McNemar's test reject equal accuracies at 5 %?",
            heads=("rows", "discordant", *METHODS),
            rows=tuple(
                Row(
                    names=(f"{n:,}", f"{100 * psi:g} %"),
                    simulate=levels,
                    parameters={"n": n, "discordance": psi},
                    repeats=100_000,
                    counts=METHODS,
                )
                for n in (200, 1000)
                for psi in (0.05, 0.1, 0.3)
            ),
        ),
        Table(
            title="How often does a 95 % interval hold the truth?",
            heads=("rows", "effect", "accuracy (Tango)", "macro F1 (percentile bootstrap)"),
            rows=tuple(
                Row(
                    names=(f"{n:,}", points(effect)),
                    simulate=coverage,
                    parameters={"n": n, "effect": effect},
                    repeats=4000,
                    counts=("accuracy", "f1"),
                )
                for n in (200, 1000)
                for effect in (0.0, 0.02)
            ),
        ),
        Table(
            title="What does the share rule say?",
            heads=("rows", "effect", *VERDICTS),
            rows=tuple(
                _verdict_row((f"{n:,}", points(effect)), n, effect, Policy(), repeats=2000)
                for effect in (0.0, 0.01, 0.02, -0.01)
                for n in (500, 2000, 10_000)
            ),
        ),
        Table(
            title="What do the other rules say of accuracy?",
            heads=("rule", "rows", "effect", *VERDICTS),
            rows=tuple(
                _verdict_row((name, f"{n:,}", points(effect)), n, effect, policy, repeats=4000)
                for name, policy in rules.items()
                for effect in (0.0, -0.02)
                for n in (1000, 5000)
            ),
        ),
        Table(
            title="How often is any of k equal challengers promoted on one test set of 1,000 rows?",
            heads=("", *(f'reuse = "{name}", k = {k}' for name in ("warn", "spend") for k in USES)),
            rows=(
                Row(
                    names=("share rule",),
                    simulate=reuse,
                    parameters={"n": 1000},
                    repeats=1000,
                    counts=tuple(f"{name}, {k}" for name in ("warn", "spend") for k in USES),
                ),
            ),
        ),
        Table(
            title="How often is any of k equal challengers promoted in one comparison of 1,000 rows?",
            heads=("", *(f"{name}, k = {k}" for name in ("each at 5 %", "at Holm's levels") for k in USES)),
            rows=(
                Row(
                    names=("share rule",),
                    simulate=together,
                    parameters={"n": 1000},
                    repeats=1000,
                    counts=tuple(f"{name}, {k}" for name in ("alone", "Holm") for k in USES),
                ),
            ),
        ),
        Table(
            title="How often does a 95 % interval of a regression hold the truth?",
            heads=("errors", "rows", "RMSE of the challenger", "RMSE", "MAE", "R²", "bias"),
            rows=tuple(
                Row(
                    names=(shape, f"{n:,}", f"{100 * ratio:g} %"),
                    simulate=simulated_errors.coverage,
                    parameters={"n": n, "shape": shape, "ratio": ratio},
                    repeats=1000,
                    counts=simulated_errors.METRICS,
                )
                for shape in ("normal", "lognormal")
                for n in (200, 1000, 5000)
                for ratio in (1.0, 0.9)
            ),
        ),
        Table(
            title="What does the share rule say of a regression?",
            heads=("errors", "rows", "RMSE of the challenger", *VERDICTS),
            rows=tuple(
                Row(
                    names=(shape, f"{n:,}", f"{100 * ratio:g} %"),
                    simulate=simulated_errors.verdicts,
                    parameters={"n": n, "shape": shape, "ratio": ratio},
                    repeats=1000,
                    counts=VERDICTS,
                )
                for shape in ("normal", "lognormal")
                for n in (200, 1000)
                for ratio in (1.0, 0.95, 0.9, 1.05)
            ),
        ),
        *simulated_looks.tables(),
        *simulated_experiments.tables(),
        *simulated_monitoring.tables(),
    )


def _verdict_row(names: tuple[str, ...], n: int, effect: float, policy: Policy, *, repeats: int) -> Row:
    parameters = {"n": n, "effect": effect, "policy": policy}
    return Row(names=names, simulate=verdicts, parameters=parameters, repeats=repeats, counts=VERDICTS)


def run(row: Row, seed: tuple[int, ...], *, quick: bool) -> str:
    """Simulate a row and spell it in Markdown: per cent of the repeats, ± one standard error."""
    repeats = max(20, row.repeats // (QUICK if quick else 1))
    found = row.simulate(np.random.default_rng(seed), repeats, **row.parameters)
    return f"| {' | '.join([*row.names, *(percent(found[name], repeats) for name in row.counts)])} |"


def percent(hits: int, repeats: int) -> str:
    """Spell a rate with its standard error, of Agresti & Coull's rate, which is not zero where the rate is."""
    about = (hits + 2) / (repeats + 4)
    error = 100 * math.sqrt(about * (1 - about) / repeats)
    digits = 1 if error >= 0.1 else 2
    return f"{100 * hits / repeats:.{digits}f} ± {error:.{digits}f}"


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulations", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the repeats: seconds, and rough")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    command = f"python -m benchmarks.simulations --seed {options.seed}{' --quick' * options.quick}"
    print(
        f"# Simulations\n\nPrinted by `{command}` on {datetime.now(UTC):%Y-%m-%d}. Per cent of repeats, ± one standard"
    )
    print("error of the simulation. Three classes (50, 30 and 20 % of rows), champion right on 85 % of each,")
    print("exactly one side right on 10 % of rows unless said otherwise; effects in points of accuracy. Errors of")
    print(
        "regressions have half in common, before they are exponentiated where they are lognormal. Looking all the time"
    )
    print("is a look after every unit. Experiments on live traffic have two equal classes, both sides right on 80 % of")
    print("each, one side alone on 20 % unless said otherwise, and labels a minute late or, one time in ten, missing.")
    print("Monitoring is of 480 labelled rows a day, of two equal classes and 90 % right, on days whose luck is beta.")
    asked = tables()
    with ProcessPoolExecutor(CORES, initializer=_without_power) as pool:
        running = {}
        for t, table in reversed([*enumerate(asked)]):  # the longest row is in the last table
            seeded = [(row, (options.seed, t, r)) for r, row in enumerate(table.rows)]
            running[t] = [pool.submit(run, row, seed, quick=options.quick) for row, seed in seeded]
        for t, table in enumerate(asked):
            repeats = max(20, table.rows[0].repeats // (QUICK if options.quick else 1))
            print(f"\n## {table.title}\n\n{repeats:,} repeats.\n")
            print(f"| {' | '.join(table.heads)} |\n|{' --- |' * len(table.heads)}", flush=True)
            for printed in running[t]:
                print(printed.result(), flush=True)


def _without_power() -> None:
    # What the rows could have shown, and what to believe, take most of an evaluation's time and no part in its verdict.
    setattr(evaluator, "power_reading", lambda *_args, **_options: None)  # noqa: B010 - mypy allows no assignment
    for idle in ("power_reading", "posterior_of_errors"):
        setattr(regression, idle, lambda *_args, **_options: None)


if __name__ == "__main__":
    main()
