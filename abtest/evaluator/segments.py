"""The same evaluation segment by segment, and what to say where a segment goes the other way than the whole."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import TYPE_CHECKING

from abtest import wording
from abtest.evaluator.rows import FEW_ROWS, MetricRow, SegmentRow
from abtest.evaluator.table import adjusted, overall_rows, resample
from abtest.metrics.catalogue import title, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from abtest.evaluator.table import Plan
    from abtest.outcomes import PairedOutcomes, Segment
    from abtest.stats.clusters import Units

    Part = TypeVar("Part")

_MOST_NAMED = 3


def segment_rows(
    outcomes: PairedOutcomes,
    plan: Plan,
    units: Mapping[tuple[str, str], Units],
    scored: Mapping[tuple[str, str], Sequence[MetricRow]],
    progress: Callable[[int], None] = lambda _drawn: None,
) -> tuple[SegmentRow, ...]:
    """Rows by segment, then metric; within each metric p-values are adjusted over all segments (Holm).

    A segment's numbers are those of its rows evaluated alone: averages run over the classes of its own truth.

    Args:
        outcomes: The table, with its segments.
        plan: How each of them is evaluated.
        units: By segment, where rows come in units.
        scored: By segment, the rows of metrics that take scores.
        progress: Called with the number of draws done, after each segment.
    """

    def rows_of(segment: Segment) -> Sequence[MetricRow]:
        table, own = outcomes.of(segment), units.get(segment.key)
        rows = overall_rows(table, plan, resample(table, plan, own), own)
        return plan.in_order((*rows, *scored.get(segment.key, ())))

    segments = {segment.key: segment for segment in outcomes.segments}
    return by_segment(segments, rows_of, lambda done: progress(done * plan.resamples))


def by_segment(
    segments: Mapping[tuple[str, str], Part],
    rows_of: Callable[[Part], Sequence[MetricRow]],
    progress: Callable[[int], None] = lambda _done: None,
) -> tuple[SegmentRow, ...]:
    """Rows by segment, then metric; within each metric p-values are adjusted over all segments (Holm).

    Args:
        segments: Each segment's rows, by its name and value.
        rows_of: Evaluates them alone.
        progress: Called with the number of segments done, after each.
    """
    found: list[SegmentRow] = []
    # Each segment has randomness of its own, so threads change no number; NumPy draws and sums without Python's lock.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for i, (key, rows) in enumerate(zip(segments, pool.map(rows_of, segments.values()), strict=True)):
            found += [_of_segment(row, key) for row in rows]
            progress(i + 1)
    by_metric: dict[str, Iterator[SegmentRow]] = {
        name: iter(adjusted([row for row in found if row.metric == name])) for name in {row.metric for row in found}
    }
    return tuple(next(by_metric[row.metric]) for row in found)


def contrasts(whole: Sequence[MetricRow], segments: Sequence[SegmentRow], alpha: float) -> Iterator[str]:
    """Say where the whole improves and a segment gets significantly worse, or the reverse."""
    for row in whole:
        own = [segment for segment in segments if segment.metric == row.metric and segment.is_sure(alpha)]
        worse = sorted((s for s in own if s.worsened), key=lambda s: s.improvement)
        better = sorted((s for s in own if s.improved), key=lambda s: -s.improvement)
        name, change = title(row.metric), wording.effect(row.effect, unit(row.metric))
        if row.improved and worse:
            yield f"{name} improves over all rows ({change}), and gets significantly worse in {_named(worse)}."
        elif row.worsened and better:
            yield f"{name} gets worse over all rows ({change}), and significantly better in {_named(better)}."


def few_rows(outcomes: PairedOutcomes) -> Iterator[str]:
    """Name the segments that are too small to read much into."""
    return few_rows_in({segment.key: int(segment.cells[:, 3].sum()) for segment in outcomes.segments})


def few_rows_in(segments: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """The same of segments by their rows."""
    few = [key for key, rows in segments.items() if rows < FEW_ROWS]
    if few:
        first = " = ".join(few[0]) + (f" and {len(few) - 1} more" if len(few) > 1 else "")
        many = wording.plural(len(few), "segment has", "segments have")
        yield f"{many} fewer than {FEW_ROWS} rows ({first}): read their numbers with care."


def _of_segment(row: MetricRow, key: tuple[str, str]) -> SegmentRow:
    values = {field.name: getattr(row, field.name) for field in fields(MetricRow)}
    return SegmentRow(segment=key[0], value=key[1], **values)


def _named(rows: Sequence[SegmentRow]) -> str:
    named = [f"{s.segment} = {s.value} ({wording.effect(s.effect, unit(s.metric))})" for s in rows[:_MOST_NAMED]]
    if len(rows) > _MOST_NAMED:
        named.append(f"{len(rows) - _MOST_NAMED} more")
    return f"{', '.join(named[:-1])} and {named[-1]}" if named[1:] else named[0]
