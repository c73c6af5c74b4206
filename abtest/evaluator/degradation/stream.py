"""The stream of errors since the baseline: whether rows are wrong more often, however often one looks."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from abtest.evaluator.degradation.estimates import LEAST_CLUSTERS
from abtest.evaluator.degradation.rows import Tables, summed
from abtest.evaluator.monitored import Sequential
from abtest.evaluator.rows import Skipped
from abtest.stats.falls import student
from abtest.stats.multiplicity import holm
from abtest.stats.onset import onset, upper_limit
from abtest.stats.spread import Design, clustered, day_to_day, mean_size
from abtest.windows import DAY

if TYPE_CHECKING:
    import numpy.typing as npt

    from abtest.evaluator.degradation.rows import Floats, Key, LabelledHours
    from abtest.windows import Window

_UNBOUNDED = "Errors without bound have no test that holds at every look here."
_NO_SPREAD = f"Neither the baseline nor the days since has {LEAST_CLUSTERS} days with labels, which tell their spread."
_LENT = f"It has not {LEAST_CLUSTERS} days with labels: what the days since differ from each other stands for it."


def sequential(
    baseline: Window, since: Window, *, threshold: float = 0.0, confidence: float = 0.95
) -> tuple[tuple[Sequential, ...], tuple[Skipped, ...]]:
    """Look at the stream of errors at any time: of all rows, and of each segment that both windows have.

    Null:
        Each row is wrong with chance at most the baseline's, whatever the rows before it were. Of all the nulls that
        are true one is ever rejected, at any look, with chance 1 − confidence at most: half of it that a baseline's
        limit misses, half that evidence misleads.

    Assumes:
        What ``stats.onset.onset`` does. The baseline and ``since.start`` stay the same from look to look. The spread
        of days is the baseline's, where it has five; else it is what the days since differ from those before them, and
        nothing is said before there are five of these. Rows of a baseline without time are independent of each other.

    Args:
        baseline: What was.
        since: All that came after, up to this look.
        threshold: The fall that matters.
        confidence: One minus the level of all of them together.
    """
    tasks = {bucket.tallied.task for window in (baseline, since) for bucket in window.buckets}
    if "regression" in tasks:
        return (), (Skipped(what="sequential", why=_UNBOUNDED),)
    tables = Tables.of(baseline.buckets, since.buckets)
    whole = tables.hours(0), tables.hours(1)
    for hours, side in zip(whole, ("baseline", "window since"), strict=True):
        if not hours.rows.size:
            return (), (Skipped(what="sequential", why=f"The {side} has no labelled row."),)
    if not np.isfinite(whole[1].hour).all():
        return (), (Skipped(what="sequential", why="The rows since the baseline have no time."),)
    lent = _days(whole[0]) is None
    if lent and _days(whole[1]) is None:
        return (), (Skipped(what="sequential", why=_NO_SPREAD),)
    recent = tables.keys(1)
    keys: list[Key] = [None, *(key for key in tables.keys(0) if key in recent)]
    level = (1 - confidence) / (2 * len(keys))
    first = since.start.timestamp() if since.start else float(whole[1].hour.min())
    rows = [_row(key, (tables.hours(0, key), tables.hours(1, key)), level, first, threshold) for key in keys]
    adjusted = holm([row.pvalue for row in rows]).tolist()
    return (
        tuple(replace(row, pvalue_adjusted=own) for row, own in zip(rows, adjusted, strict=True)),
        (Skipped(what="spread of the baseline by day in the sequential check", why=_LENT),) if lent else (),
    )


def _row(
    key: Key, windows: tuple[LabelledHours, LabelledHours], level: float, first: float, threshold: float
) -> Sequential:
    """The evidence of one key; the half of the level that its baseline takes is a share of that of all."""
    baseline, since = windows
    design, of_baseline = _designs(baseline, since)
    wrong, n = float(_wrong(baseline).sum()), float(baseline.rows.sum())
    worth = _worth(of_baseline, level)
    null = upper_limit(wrong * worth, n * worth, level)
    moments, at = np.unique(since.hour, return_inverse=True)
    errors, rows = summed(at, _wrong(since)), summed(at, since.rows)
    days = moments // DAY - first // DAY
    of_day = np.unique(days, return_inverse=True)[1]
    effect = design.lent(mean_size(summed(of_day, rows))).effect
    if _days(baseline) is None:
        effect /= _worth(replace(design, effect=1.0), level)  # the few days since tell it, and not exactly
    found = onset(errors, rows, days, null, design=effect) if null < 1 else None
    start = None if found is None or found.start is None else (found.start + first // DAY) * DAY
    after = moments >= (math.inf if start is None else start)
    pvalue = min(1.0, level + math.exp(-(found.log_evidence if found else 0.0)))
    name, value = key or (None, None)
    return Sequential(
        segment=name,
        value=value,
        baseline=1 - wrong / n,
        tolerated=threshold,
        null=null,
        log_evidence=found.log_evidence if found else 0.0,
        pvalue=pvalue,
        pvalue_adjusted=pvalue,
        since=None if start is None else datetime.fromtimestamp(max(start, first), UTC),
        recent=float(1 - errors[after].sum() / rows[after].sum()) if after.any() else None,
        n=int(rows.sum()),
    )


def _wrong(hours: LabelledHours) -> Floats:
    return hours.by_hour((hours.cells.truth != hours.cells.said).astype(np.float64))


def _worth(design: Design, level: float) -> float:
    """As how many independent rows one counts that vary as much, fewer where few days tell by how much.

    References:
        Korn & Graubard (1998), Survey Methodology 24:193.
    """
    return (student(math.inf, level) / student(design.degrees, level)) ** 2 / design.effect


def _designs(baseline: LabelledHours, since: LabelledHours) -> tuple[Design, Design]:
    """How much more than independent rows days vary: of those since, before their size, and of the baseline's."""
    numbers = _days(baseline)
    if numbers is not None:
        n = float(baseline.rows.sum())
        share = float(_wrong(baseline).sum()) / n
        influence = summed(numbers, _wrong(baseline) - share * baseline.rows) / n
        own = clustered(influence, summed(numbers, baseline.rows), share * (1 - share) / n)
        return own, own
    _, days = np.unique(since.hour // DAY, return_inverse=True)
    own = day_to_day(summed(days, _wrong(since)), summed(days, since.rows))
    there = baseline.clusters(DAY)
    return own, Design() if there is None else own.lent(mean_size(summed(there, baseline.rows)))


def _days(hours: LabelledHours) -> npt.NDArray[np.intp] | None:
    """The day of each hour; None where there are too few days to tell their spread."""
    numbers = hours.clusters(DAY)
    return numbers if numbers is not None and numbers.size and numbers.max() + 1 >= LEAST_CLUSTERS else None
