"""How fast is McNemar's test from columns of predictions?

From truth and both sides' predictions to the statistic and the p-value: abtest tallies the columns, mlxtend makes its
own table of correctness. mlxtend does nothing else; abtest's tally is also what every metric is computed from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.outcomes import PairedOutcomes
from abtest.stats.mcnemar import McNemarMethod, mcnemar
from benchmarks.agreeing import must_agree
from benchmarks.data import columns
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved, library, not_installed

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: dict[McNemarMethod, dict[str, bool]] = {"chi2": {"corrected": True}, "exact": {"exact": True}}


def main(*, quick: bool = False) -> None:
    """Measure the corrected and the exact test."""
    mlxtend = library("mlxtend.evaluate")
    for rows in (1_000,) if quick else (10_000, 1_000_000):
        of = columns(rows, 10)
        for method, options in METHODS.items():

            def ours(method: McNemarMethod = method) -> tuple[float, float]:
                test = mcnemar(PairedOutcomes.from_predictions(*of).contingency(), method=method)
                return test.statistic, test.pvalue

            def theirs(options: dict[str, bool] = options) -> tuple[float, float]:
                found: tuple[float, float] = mlxtend.mcnemar(mlxtend.mcnemar_table(*of), **options)
                return found

            calls: dict[str, Callable[[], tuple[float, float]]] = {"abtest": ours}
            if mlxtend is not None:
                calls["mlxtend"] = theirs
                must_agree(ours()[1], theirs()[1], within=1e-9)
            compare(
                f"{rows_text(rows)}, McNemar's test ({method})",
                interleaved(calls),
                missing=() if mlxtend else not_installed("mlxtend"),
            )
