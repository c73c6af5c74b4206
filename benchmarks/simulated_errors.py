"""Simulated regressions whose truth is known: coverage of the intervals, and what the share rule says.

Both sides' errors are alike but for their scale and have half of their logarithm or of themselves in common, so that
the champion's and the challenger's population values are in closed form.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from abtest.decision import decide
from abtest.engines.predicted import tally_columns
from abtest.evaluator import Evaluation, evaluate_errors
from abtest.policy import Policy

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Shape = Literal["normal", "lognormal"]
SPREAD = 3.0  # of the truth, in the champion's root mean squared errors
METRICS = ("rmse", "mae", "r2", "bias")
_SHARED = 0.5


def sizes(shape: Shape) -> tuple[float, float]:
    """The standard deviation and the mean size of an error of scale 1."""
    if shape == "normal":
        return 1.0, math.sqrt(2 / math.pi)
    mean = math.exp(0.5)  # of a lognormal number, which an error is less its mean
    return mean * math.sqrt(math.e - 1), 2 * mean * (2 * float(special.ndtr(0.5)) - 1)


def effects(shape: Shape, ratio: float) -> dict[str, float]:
    """The population's effects where the challenger's errors are ``ratio`` times the champion's in scale."""
    deviation, size = sizes(shape)
    return {
        "rmse": ratio - 1,
        "mae": (ratio - 1) * size / deviation,
        "r2": (1 - ratio * ratio) / SPREAD**2,
        "bias": 0.0,
    }


def drawn(rng: np.random.Generator, n: int, shape: Shape, ratio: float) -> tuple[Floats, Floats, Floats]:
    """Draw truth and both sides' predictions; the champion's root mean squared error is 1."""
    shared, own = rng.normal(size=n), rng.normal(size=(2, n))
    errors = math.sqrt(_SHARED) * shared + math.sqrt(1 - _SHARED) * own
    if shape == "lognormal":
        errors = np.exp(errors) - math.exp(0.5)
    errors /= sizes(shape)[0]
    y = SPREAD * rng.normal(size=n)
    return y, y + errors[0], y + ratio * errors[1]


def evaluated(
    rng: np.random.Generator, columns: tuple[Floats, Floats, Floats], policy: Policy, resamples: int
) -> Evaluation:
    """Evaluate one draw."""
    errors = tally_columns(*columns, task="regression").errors
    assert errors is not None  # noqa: S101 - a regression has them
    return evaluate_errors(errors, policy, resamples=resamples, seed=int(rng.integers(2**31)))


def coverage(rng: np.random.Generator, repeats: int, *, n: int, shape: Shape, ratio: float) -> Counter[str]:
    """Count how often the 95 % intervals hold the population's effect."""
    truths, policy, covered = effects(shape, ratio), Policy(metrics=METRICS), Counter[str]()
    for _ in range(repeats):
        evaluation = evaluated(rng, drawn(rng, n, shape, ratio), policy, 500)
        for name, truth in truths.items():
            row = evaluation.metric(name)
            covered[name] += row.ci_lower is not None and row.ci_lower <= truth <= (row.ci_upper or 0.0)
    return covered


def verdicts(rng: np.random.Generator, repeats: int, *, n: int, shape: Shape, ratio: float) -> Counter[str]:
    """Count the verdicts of the share rule."""
    policy, told = Policy(metrics=METRICS), Counter[str]()
    for _ in range(repeats):
        told[decide(evaluated(rng, drawn(rng, n, shape, ratio), policy, 100), policy).verdict.value] += 1
    return told
