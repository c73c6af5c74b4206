"""How fast is McNemar's test from columns of predictions?

From truth and both sides' predictions to the statistic and the p-value: abtest tallies the columns, mlxtend makes its
own table of correctness. mlxtend does nothing else; abtest's tally is also what every metric is computed from.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from abtest.outcomes import PairedOutcomes
from abtest.stats.mcnemar import McNemarMethod, mcnemar
from benchmarks.agreeing import must_agree
from benchmarks.data import columns
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved, library, not_installed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Columns = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]

METHODS: dict[McNemarMethod, dict[str, bool]] = {"chi2": {"corrected": True}, "exact": {"exact": True}}


def main(*, quick: bool = False) -> None:
    """Measure the corrected and the exact test."""
    mlxtend = library("mlxtend.evaluate")
    for rows in (1_000,) if quick else (10_000, 1_000_000):
        of = columns(rows, 10)
        for method, options in METHODS.items():
            calls: dict[str, Callable[[], tuple[float, float]]] = {"abtest": partial(_ours, of, method)}
            if mlxtend is not None:
                calls["mlxtend"] = partial(_mlxtend, mlxtend, of, options)
                must_agree(calls["abtest"]()[1], calls["mlxtend"]()[1], within=1e-9)
            compare(
                f"{rows_text(rows)}, McNemar's test ({method})",
                interleaved(calls),
                missing=() if mlxtend else not_installed("mlxtend"),
            )


def _ours(of: Columns, method: McNemarMethod) -> tuple[float, float]:
    test = mcnemar(PairedOutcomes.from_predictions(*of).contingency(), method=method)
    return test.statistic, test.pvalue


def _mlxtend(package: Any, of: Columns, options: dict[str, bool]) -> tuple[float, float]:  # noqa: ANN401 - it ships no types
    found: tuple[float, float] = package.mcnemar(package.mcnemar_table(*of), **options)
    return found
