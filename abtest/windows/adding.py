"""How tallies add up: all of them at once, since what is known of a month is known of many hours."""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING

import numpy as np

from abtest.counting import merged
from abtest.errors import LabelMismatchError
from abtest.labels import cast_label, kind_of, label_order
from abtest.metrics.regression import RegressionOutcomes
from abtest.outcomes import PairedOutcomes, Segment
from abtest.stats.moments import Moments, PairedMoments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from abtest.labels import Label, LabelType
    from abtest.outcomes import Counts
    from abtest.stats.sketches import Sketch

_PARTS = ("errors", "absolute", "squared")


def check(
    tables: Sequence[PairedOutcomes], sums: Sequence[RegressionOutcomes], unpredicted: Sequence[Mapping[Label, int]]
) -> None:
    """See that labels are of one type, and of one task.

    Raises:
        LabelMismatchError: They are not.
    """
    if tables and sums:
        raise LabelMismatchError(
            "Tallies of a classification and of a regression do not add up.",
            hint="track all rows with the same --task.",
        )
    labels = [table.labels[0] for table in tables] + [label for counts_ in unpredicted for label in counts_]
    for label in labels[1:]:
        if type(label) is not type(labels[0]):  # else 1 and True would merge, and nobody hear
            raise LabelMismatchError(
                f"Tallies of {type(labels[0]).__name__} and {type(label).__name__} labels do not add up "
                f"({labels[0]!r} vs {label!r}).",
                hint="track all rows with the same --label-type.",
            )


def read_as(tables: Sequence[PairedOutcomes], unpredicted: Sequence[Mapping[Label, int]]) -> list[Mapping[Label, int]]:
    """Read labels that are text as the type of the tables', where they spell that.

    In an hour in which every prediction failed nothing says what its labels mean, which may have come as text.
    """
    kind = kind_of(tables[0].labels) if tables else "str"
    return [counts([{_read(label, kind): count} for label, count in one.items()]) for one in unpredicted]


def outcomes(tables: Sequence[PairedOutcomes]) -> PairedOutcomes:
    """Add up tables of one label type; segments are united by their key."""
    if len(tables) == 1:
        return tables[0]
    labels = tuple(sorted({label for table in tables for label in table.labels}, key=label_order))
    index = {label: i for i, label in enumerate(labels)}
    lookup = np.array([index[label] for table in tables for label in table.labels], dtype=np.int64)
    starts = np.cumsum([0, *(len(table.labels) for table in tables)]).tolist()  # of each table's own, in the lookup
    whole = [(table.cells, start) for table, start in zip(tables, starts[:-1], strict=True)]
    parts: dict[tuple[str, str], list[tuple[Counts, int]]] = {}
    for table, start in zip(tables, starts[:-1], strict=True):
        for segment in table.segments:
            parts.setdefault(segment.key, []).append((segment.cells, start))
    return PairedOutcomes(
        labels=labels,
        cells=_merged(whole, lookup),
        segments=tuple(
            Segment(name=name, value=value, cells=_merged(own, lookup)) for (name, value), own in sorted(parts.items())
        ),
    )


def errors(sums: Sequence[RegressionOutcomes]) -> RegressionOutcomes:
    """Add up the errors of one model; a loss that only some rows have is left out."""
    if len(sums) == 1:
        return sums[0]
    shared = [name for name in sums[0].losses if all(name in one.losses for one in sums)]
    return RegressionOutcomes(
        truth=Moments.sum(one.truth for one in sums),
        **{name: twice(Moments.sum(getattr(one, name).champion for one in sums)) for name in _PARTS},
        losses={name: twice(Moments.sum(one.losses[name].champion for one in sums)) for name in shared},
    )


def twice(moments: Moments) -> PairedMoments:
    """Moments of a model on both sides."""
    return PairedMoments(champion=moments, challenger=moments, difference=Moments(n=moments.n, mean=0.0, squares=0.0))


def by_key(
    segments: Iterable[Mapping[tuple[str, str], RegressionOutcomes]],
) -> dict[tuple[str, str], RegressionOutcomes]:
    """Add up the errors of each segment."""
    parts: dict[tuple[str, str], list[RegressionOutcomes]] = {}
    for some in segments:
        for key, own in some.items():
            parts.setdefault(key, []).append(own)
    return {key: errors(parts[key]) for key in sorted(parts)}


def counts(parts: Iterable[Mapping[Label, int]]) -> dict[Label, int]:
    """Add up counts of labels of one type."""
    found: dict[Label, int] = {}
    for part in parts:
        for label, count in part.items():
            found[label] = found.get(label, 0) + count
    return {label: found[label] for label in sorted(found, key=label_order)}


def predictions(sketches: Sequence[Sketch]) -> Sketch | None:
    """Add up sketches of one kind.

    Raises:
        LabelMismatchError: Some are of numbers, and some of classes.
    """
    if len({type(sketch) for sketch in sketches}) > 1:
        raise LabelMismatchError(
            "Predictions that are numbers and predictions that are classes do not add up.",
            hint="track all rows with the same --task.",
        )
    return functools.reduce(operator.add, sketches) if sketches else None


def _read(label: Label, kind: LabelType) -> Label:
    if kind == "str" or not isinstance(label, str):
        return label
    try:
        return cast_label(label, kind)
    except ValueError:
        return label


def _merged(parts: Sequence[tuple[Counts, int]], lookup: Counts) -> Counts:
    """Add up cells, each with where its table's labels start in the lookup."""
    cells = np.concatenate([own for own, _ in parts])
    starts = np.repeat([start for _, start in parts], [len(own) for own, _ in parts])
    return merged(np.column_stack([lookup[cells[:, :3] + starts[:, None]], cells[:, 3]]))
