"""Sketches of two windows in, drift out: which features changed, by how much, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest import wording
from abtest.errors import NotApplicableError
from abtest.evaluator.monitored import Drift
from abtest.evaluator.schema import alike, schema_changes
from abtest.stats.drift import binned, categories, deciles, kolmogorov_smirnov
from abtest.stats.homogeneity import chi_squared, jensen_shannon, stability_index, total_variation
from abtest.stats.multiplicity import benjamini_hochberg
from abtest.stats.sketches import Numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.evaluator.monitored import DriftKind, SchemaChange
    from abtest.stats.drift import Binned, Categories, KolmogorovSmirnov
    from abtest.stats.sketches import Sketch, Values

ALPHA = 0.05
FLOOR = 0.1  # of the distance: less does not matter, however sure it is
PREDICTION = "prediction"  # what predictions are called among features
_LONGEST = 40  # characters of a value in a sentence


def drift(
    baseline: Mapping[str, Sketch],
    recent: Mapping[str, Sketch],
    *,
    predictions: tuple[Sketch | None, Sketch | None] = (None, None),
    alpha: float = ALPHA,
    floor: float = FLOOR,
) -> tuple[tuple[Drift, ...], tuple[SchemaChange, ...]]:
    """Compare every feature, and the predictions.

    Rows that have a value are compared: whether more have none is among the changes of the schema. A feature that
    changed its type is there alone. Where a window has no features at all none is gone: nobody knows.

    Null:
        Of each feature: both windows are draws from one distribution. Drifted is what is significant by Benjamini's and
        Hochberg's method, over all features and the predictions together, and far enough apart to matter.

    Assumes:
        Rows are independent. Rows of one day mostly are not quite; so in large windows it is the floor that speaks.

    Args:
        baseline: What features held, by name.
        recent: Likewise.
        predictions: What was predicted in the baseline and in the recent window.
        alpha: The false discovery rate.
        floor: The least distance that is drift.

    Returns:
        The predictions, then features, the farthest apart first; and the ways in which rows are shaped otherwise.

    Example:
        >>> from abtest.stats.sketches import Numbers
        >>> before, now = Numbers.of(range(1000)), Numbers.of(range(200, 1200))
        >>> rows, changes = drift({"delay": before}, {"delay": now})
        >>> rows[0].distance, rows[0].drifted, rows[0].direction
        (0.2, True, 'higher: median from 499.0 to 699.0')
        >>> changes[0].text
        '20.0 % of recent rows are outside 0 to 999.0, the range of the baseline: up to 1,199.'
    """
    features = {name: (baseline[name], recent[name]) for name in baseline if name in recent}
    rows = [_row(name, None, *pair) for name, pair in features.items()]
    before, now = predictions
    said = () if before is None or now is None else ((PREDICTION, before, now),)
    rows += [_row(name, "prediction", *pair) for name, *pair in said]
    found = _adjusted([row for row in rows if row], alpha=alpha, floor=floor)
    found.sort(key=lambda it: (it.kind != "prediction", 1.0 if it.distance is None else -it.distance, it.feature))
    return tuple(found), schema_changes(baseline, recent, said=said, alpha=alpha)


def _row(feature: str, kind: DriftKind | None, baseline: Sketch, recent: Sketch) -> Drift | None:
    """Compare one feature; None where it holds numbers in one window and text in the other."""
    pair = alike(baseline, recent)
    if pair is None:
        return None
    numbers = isinstance(pair[0], Numbers)
    row = Drift(
        feature=feature,
        kind=kind or ("number" if numbers else "text"),
        n_baseline=baseline.n,
        n_recent=recent.n,
        missing_baseline=baseline.missing / max(1, baseline.rows),
        missing_recent=recent.missing / max(1, recent.rows),
        test="Kolmogorov-Smirnov" if numbers else "chi-squared",
        statistic=None,
        pvalue=None,
        pvalue_adjusted=None,
        distance=None,
        error_bound=0.0,
        psi=None,
        js=None,
        drifted=False,
        direction="",
    )
    try:
        return replace(row, **(_of_numbers(*pair) if numbers else _of_values(*pair)))
    except NotApplicableError as error:
        return replace(row, direction=f"nothing to compare: {error.message}")


def _of_numbers(baseline: Numbers, recent: Numbers) -> dict[str, Any]:
    samples = binned(baseline, recent)
    test, groups = kolmogorov_smirnov(samples), deciles(samples)
    return {
        "statistic": test.statistic,
        "pvalue": test.pvalue,
        "distance": test.statistic,
        "error_bound": test.error_bound,
        "psi": stability_index(*groups),
        "js": jensen_shannon(*groups),
        "direction": _moved(baseline, recent, samples, test),
    }


def _of_values(baseline: Values, recent: Values) -> dict[str, Any]:
    found = categories(baseline, recent)
    groups = found.baseline, found.recent
    test = chi_squared(*groups)
    return {
        "statistic": test.statistic,
        "pvalue": test.pvalue,
        "distance": total_variation(*groups),
        "error_bound": found.error_bound,
        "psi": stability_index(*groups),
        "js": jensen_shannon(*groups),
        "direction": _gained(found),
    }


def _adjusted(rows: Sequence[Drift], *, alpha: float, floor: float) -> list[Drift]:
    """Adjust the p-values of those that have one, and say which drifted."""
    tested = [row.pvalue for row in rows if row.pvalue is not None]
    adjusted = iter(benjamini_hochberg(tested).tolist())
    found = []
    for row in rows:
        p = None if row.pvalue is None else next(adjusted)
        far = row.distance is not None and row.distance >= floor
        found.append(replace(row, pvalue_adjusted=p, drifted=p is not None and p < alpha and far))
    return found


def _moved(baseline: Numbers, recent: Numbers, samples: Binned, test: KolmogorovSmirnov) -> str:
    """Say whether recent numbers are higher, lower, wider or narrower, with numbers to it."""
    if not test.statistic:
        return "the same"
    if 2 * min(test.rise, test.fall) > test.statistic:
        word = "wider" if test.fall_at < test.rise_at else "narrower"
        before, now = (" to ".join(_number(it.quantile(q)) for q in (0.25, 0.75)) for it in (baseline, recent))
        return f"{word}: the middle half from {before} to {now}" if before != now else word
    higher = test.rise > test.fall
    medians = baseline.quantile(0.5) or 0.0, recent.quantile(0.5) or 0.0
    word, before, now = "higher" if higher else "lower", *map(_number, medians)
    if before != now and (medians[1] > medians[0]) == higher:
        return f"{word}: median from {before} to {now}"
    at = test.rise_at if higher else test.fall_at
    shares = (wording.percent(float(np.cumsum(it)[at] / it.sum())) for it in (samples.baseline, samples.recent))
    return f"{word}: up to {_number(float(samples.both.middles()[at]))} from {' to '.join(shares)}"


def _gained(found: Categories) -> str:
    """Name the value that gained or lost most, with its shares."""
    p, q = found.baseline / found.baseline.sum(), found.recent / found.recent.sum()
    at = int(np.abs(q - p).argmax())
    if p[at] == q[at]:
        return "the same"
    name = found.names[at]
    who = "other values together" if name is None else f"'{name if len(name) <= _LONGEST else name[:_LONGEST] + '…'}'"
    return f"{who} from {wording.percent(float(p[at]))} to {wording.percent(float(q[at]))}"


def _number(value: float | None) -> str:
    return wording.value(value, "number")
