"""How fast are rows counted?

Truth, champion and challenger, into counts by (truth, champion, challenger): abtest from NumPy columns, DuckDB from a
table of its own in memory, pyarrow from a table of its own, pandas from a data frame, each column of the same width and
each with its default threads. scikit-learn counts nothing jointly: beside it stand abtest's tally and the metrics of
both sides from it, against accuracy, precision, recall and F1 (macro, and by class) and the confusion matrix of both
sides. The 10⁸ rows come in batches of 10⁶, and are never in memory together but in DuckDB's table.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from abtest.engines.predicted import tally_columns
from abtest.labels import SIDES
from abtest.loaders.columns import label_column
from abtest.metrics.classification import CATALOGUE, class_values, overall
from abtest.metrics.totals import totals
from abtest.outcomes import PairedOutcomes
from abtest.tally import Tally
from benchmarks.agreeing import must_agree
from benchmarks.data import as_text, columns
from benchmarks.measured import Aim, Point
from benchmarks.spelling import rows_text
from benchmarks.timing import compare, interleaved, library, not_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    Columns = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]

CLASSES = 10
_QUESTION = "How does counting grow with rows?"
_GROUPED = "SELECT y, a, b, count(*) FROM t GROUP BY y, a, b"
_NO_SLOWER = Aim(at_most=1, of="DuckDB")


def main(*, quick: bool = False) -> None:
    """Measure growth in rows, then classes, text, and the way by scikit-learn's metrics."""
    sizes = (1_000, 10_000) if quick else (10_000, 100_000, 1_000_000, 10_000_000)
    for rows in sizes:
        _grouped(columns(rows, CLASSES), rows, CLASSES, growth=True, aimed=rows >= 1_000_000)
    _batches(10_000 if quick else 1_000_000, times=10 if quick else 100)
    usual = 2_000 if quick else 1_000_000
    for classes in (2, 100, 10_000):
        _grouped(columns(usual, classes), usual, classes, growth=False, aimed=True)
    for classes in (CLASSES, 100 if quick else 10_000):
        _text(usual, classes)
    for rows in (usual,) if quick else (usual, 10 * usual):
        _metrics(rows)


def _grouped(of: Columns, rows: int, classes: int, *, growth: bool, aimed: bool) -> None:
    """Count numbers, each contender in its own columns."""
    calls: dict[str, Callable[[], Any]] = {"abtest": partial(PairedOutcomes.from_predictions, *of)}
    calls |= _rivals(pa.table(dict(zip("yab", of, strict=True))))
    _check(calls)
    compare(
        f"{rows_text(rows)}, {classes:,} classes, numbers",
        interleaved(calls),
        missing=() if "DuckDB" in calls else not_installed("DuckDB"),
        aims=(_NO_SLOWER,) if aimed else (),
        point=Point(question=_QUESTION, along="rows", at=rows) if growth else None,
    )


def _rivals(table: pa.Table) -> dict[str, Callable[[], object]]:
    frame = table.to_pandas()
    calls: dict[str, Callable[[], object]] = {
        "pyarrow": lambda: _grouped_by_arrow(table),
        "pandas": lambda: frame.groupby(["y", "a", "b"], sort=False).size(),
    }
    duckdb = library("duckdb")
    if duckdb is not None:
        own = duckdb.connect()
        own.register("given", table)
        own.execute("CREATE TABLE t AS SELECT * FROM given")
        own.unregister("given")
        calls["DuckDB"] = lambda: own.execute(_GROUPED).fetchnumpy()
    return calls


def _grouped_by_arrow(table: pa.Table) -> pa.Table:
    return table.group_by(["y", "a", "b"]).aggregate([([], "count_all")])


def _check(calls: Mapping[str, Callable[[], Any]]) -> None:
    """All of them find the same counts."""
    ours = sorted(calls["abtest"]().counts.tolist())
    must_agree(ours, sorted(calls["pyarrow"]().column("count_all").to_pylist()))
    must_agree(ours, sorted(calls["pandas"]().tolist()))
    if "DuckDB" in calls:
        must_agree(ours, sorted(calls["DuckDB"]()["count_star()"].tolist()))


def _batches(rows: int, *, times: int) -> None:
    """Count the same batch again and again: as many rows as no memory need hold."""
    of = columns(rows, CLASSES)

    def ours() -> PairedOutcomes:
        tally = Tally()
        for _ in range(times):
            tally.add(*of)
        return PairedOutcomes.from_tally(tally)[0]

    calls: dict[str, Callable[[], Any]] = {"abtest": ours}
    duckdb = library("duckdb")
    if duckdb is not None:
        own = duckdb.connect()
        own.register("given", pa.table(dict(zip("yab", of, strict=True))))
        own.execute("CREATE TABLE t AS SELECT * FROM given WHERE false")
        for _ in range(times):
            own.execute("INSERT INTO t SELECT * FROM given")
        calls["DuckDB"] = lambda: own.execute(_GROUPED).fetchnumpy()
        must_agree(sorted(ours().counts.tolist()), sorted(calls["DuckDB"]()["count_star()"].tolist()))
    compare(
        f"{rows_text(rows * times)} in {times} batches, {CLASSES} classes, numbers",
        interleaved(calls, rounds=3),
        missing=() if duckdb else not_installed("DuckDB"),
        aims=(_NO_SLOWER,),
        point=Point(question=_QUESTION, along="rows", at=rows * times),
    )


def _text(rows: int, classes: int) -> None:
    """Count raw text: from Arrow's columns, as files give them, and from Python's strings, as data frames did."""
    given = [as_text(codes) for codes in columns(rows, classes)]
    table = pa.table(dict(zip("yab", given, strict=True))).combine_chunks()
    own = [table.column(name).chunk(0) for name in "yab"]

    def from_arrow() -> PairedOutcomes:
        tally = Tally()
        y, champion, challenger = (label_column(column, "y") for column in own)
        tally.add(y, champion, challenger)
        return PairedOutcomes.from_tally(tally)[0]

    calls = {"abtest": from_arrow, **_rivals(table)}
    _check(calls)
    compare(
        f"{rows_text(rows)}, {classes:,} classes, text of Arrow's",
        interleaved(calls),
        missing=() if "DuckDB" in calls else not_installed("DuckDB"),
        aims=(Aim(at_most=1, of="pyarrow"),),
    )
    frame = pd.DataFrame(dict(zip("yab", given, strict=True)), dtype=object)
    compare(
        f"{rows_text(rows)}, {classes:,} classes, text of Python's",
        interleaved(
            {
                "abtest": partial(tally_columns, *given),
                "pyarrow": lambda: _grouped_by_arrow(pa.table(dict(zip("yab", given, strict=True)))),
                "pandas": lambda: frame.groupby(["y", "a", "b"], sort=False).size(),
            }
        ),
        note="Text of Python's: strings as objects, which pyarrow first makes its own.",
    )


def _metrics(rows: int) -> None:
    """Tally, and both sides' metrics from the table, against scikit-learn's from the columns."""
    of = columns(rows, CLASSES)
    ours, theirs = _our_metrics(of), _their_metrics(of)
    for mine, other in zip(ours, theirs, strict=True):
        must_agree(mine, other, within=1e-9)
    calls = {"abtest": partial(_our_metrics, of), "scikit-learn": partial(_their_metrics, of)}
    compare(
        f"{rows_text(rows)}, {CLASSES} classes, tally and metrics of both sides",
        interleaved(calls, rounds=3),
        aims=(Aim(at_most=1 / 200, of="scikit-learn"),),
    )


def _our_metrics(of: Columns) -> list[npt.NDArray[Any]]:
    table = PairedOutcomes.from_predictions(*of)
    by_class = [metric for metric in CATALOGUE.values() if metric.by_class]
    found = []
    for side in SIDES:
        sums = totals(table, side)
        found.append(np.array([float(overall(metric, sums, average="macro")) for metric in CATALOGUE.values()]))
        found += [class_values(metric, sums) for metric in by_class]
        found.append(table.confusion(side))
    return found


def _their_metrics(of: Columns) -> list[npt.NDArray[Any]]:
    from sklearn.metrics import (  # noqa: PLC0415 - what is not measured is not imported
        accuracy_score,
        confusion_matrix,
        precision_recall_fscore_support,
    )

    y, *sides = of
    found = []
    for said in sides:
        macro = precision_recall_fscore_support(y, said, average="macro", zero_division=0)[:3]
        found.append(np.array([accuracy_score(y, said), *macro]))
        found += precision_recall_fscore_support(y, said, average=None, zero_division=0)[:3]
        found.append(confusion_matrix(y, said))
    return found
