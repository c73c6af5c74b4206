"""Segments over time, and beside the rows that are not in them: which do worse, and since when."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from abtest.evaluator.degradation.compared import changes, trend_of
from abtest.evaluator.degradation.estimates import NAMES
from abtest.evaluator.degradation.periods import points
from abtest.evaluator.monitored import SegmentSeries
from abtest.evaluator.rows import Skipped
from abtest.stats.multiplicity import holm
from abtest.windows import DAY

if TYPE_CHECKING:
    from collections.abc import Collection

    from abtest.evaluator.monitored import Change
    from abtest.windows import Window

MOST = 24  # segments that are followed
_BY_DAY = f" by {NAMES[DAY]}"


def segment_series(
    report: Window,
    recent: Window,
    metric: str,
    seconds: int,
    *,
    threshold: float,
    confidence: float = 0.95,
    **options: Any,  # noqa: ANN401 - average and pos_label, as of ``changes``
) -> tuple[tuple[SegmentSeries, ...], tuple[Skipped, ...]]:
    """Follow the segments of most labelled rows, and hold each against the rest of its rows in the recent window.

    Null:
        Of each test: the metric is no worse in the segment than in all other values of that segmentation. Holm's
        adjustment holds over all of them together.

    Assumes:
        What ``changes`` does. What days have in common goes the same way in a segment and in the rest: taking them for
        apart makes the test careful. What a segment has to itself on a day is told by five days at least: with fewer
        (27 % of segments seemed to lag that did not, of three days with a luck of their own) none is said to lag.

    Args:
        report: All periods.
        recent: The recent window.
        metric: The one that is followed.
        seconds: Of a period.
        threshold: The difference that matters, as of ``changes``.
        confidence: Of intervals; each test is one-sided, at the level 1 − confidence.
        **options: ``average`` and ``pos_label``, as of ``changes``.
    """
    sizes = _sizes(report)
    kept = [key for key, _ in sorted(sizes.items(), key=lambda it: (-it[1], it[0]))[:MOST]]
    rows = []
    for key in kept:
        rest = {other for other in sizes if other[0] == key[0] and other != key}
        rows.append(_against(recent, key, rest, metric, threshold=threshold, confidence=confidence, **options))
    adjusted = iter(holm([row.pvalue for row in rows if row and row.pvalue is not None]).tolist())
    found = []
    for key, row in zip(kept, rows, strict=True):
        own = row
        if row is not None:
            told = replace(row, pvalue_adjusted=None if row.pvalue is None else next(adjusted), rows_needed=None)
            own = replace(told, trend=trend_of(told, confidence))
            if own.trend == "fallen" and not own.ci_method.endswith(_BY_DAY):
                own = replace(own, trend="unclear")
        series = points(report.only({key}), [metric], seconds, confidence=confidence, **options)
        found.append(SegmentSeries(segment=key[0], value=key[1], points=series, against_rest=own))
    skipped = []
    if len(sizes) > len(kept):
        why = f"{MOST} of {len(sizes):,} are followed, those of most labelled rows."
        skipped.append(Skipped(what="segments over time", why=why))
    if any(row and not row.ci_method.endswith(_BY_DAY) for row in rows):
        why = "the recent window has fewer than five days with labels of some: which of these lag cannot be told."
        skipped.append(Skipped(what="segments beside the rest", why=why))
    return tuple(found), tuple(skipped)


def _sizes(window: Window) -> Counter[tuple[str, str]]:
    sizes: Counter[tuple[str, str]] = Counter()
    for bucket in window.buckets:
        if bucket.tallied.outcomes is not None:
            for own in bucket.tallied.outcomes.segments:
                sizes[own.key] += int(own.cells[:, 3].sum())
        for key, sums in bucket.tallied.error_segments.items():
            sizes[key] += sums.n
    return sizes


def _against(
    recent: Window,
    key: tuple[str, str],
    rest: Collection[tuple[str, str]],
    metric: str,
    **options: Any,  # noqa: ANN401 - those of ``changes``
) -> Change | None:
    own, others = recent.only({key}), recent.only(rest)
    if not own.buckets or not others.buckets:
        return None
    found, _ = changes(others, own, [metric], **options)
    return replace(found[0], segment=key[0], value=key[1]) if found else None
