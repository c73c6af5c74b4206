"""How tallies are written: with the model on both sides, one of them is enough; and all cells are one list."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from abtest.errors import InvalidInputError
from abtest.metrics.regression import RegressionOutcomes
from abtest.outcomes import PairedOutcomes, Segment
from abtest.stats.moments import Moments
from abtest.windows.adding import twice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.labels import Label
    from abtest.outcomes import Counts

_MOMENTS = ("mean", "squares", "mean_low", "squares_low")
_PARTS = ("errors", "absolute", "squared")


def outcomes(table: PairedOutcomes) -> dict[str, Any]:
    """Spell a table: labels; segments as name, value and how many cells; and truth, prediction, count of each cell.

    The cells of the whole come first, then those of each segment.

    Raises:
        InvalidInputError: Its sides are two models.
    """
    cells = np.concatenate([table.cells, *(segment.cells for segment in table.segments)])
    if not np.array_equal(cells[:, 1], cells[:, 2]):
        raise InvalidInputError("A tally must have the model on both sides.")
    return {
        "labels": [*table.labels],
        "segments": [[segment.name, segment.value, len(segment.cells)] for segment in table.segments],
        "cells": cells[:, [0, 1, 3]].ravel().tolist(),
    }


def read_outcomes(data: object) -> PairedOutcomes:
    """Read what ``outcomes`` spelled."""
    if not isinstance(data, dict) or data.keys() != {"labels", "segments", "cells"}:
        raise _wrong("outcomes", "labels, segments and cells")
    labels = tuple(_read_list(data["labels"], "outcomes.labels"))
    if len({type(label) for label in labels}) > 1 or not {type(label) for label in labels} <= {bool, int, float, str}:
        raise _wrong("outcomes.labels", "labels of one type")
    segments = read_rows(data["segments"], 3, "outcomes.segments")
    cells = _read_cells(data["cells"], len(labels))
    sizes = [read_count(size, "outcomes.segments") for _, _, size in segments]
    first = len(cells) - sum(sizes)
    if first < 0:
        raise _wrong("outcomes.segments", "as many cells as there are")
    tables = np.split(cells, np.cumsum([first, *sizes])[:-1])
    _check_tables(tables, len(labels))
    keys = [(str(name), str(value)) for name, value, _ in segments]
    return PairedOutcomes(
        labels=labels,
        cells=tables[0],
        segments=tuple(
            Segment(name=name, value=value, cells=own) for (name, value), own in zip(keys, tables[1:], strict=True)
        ),
    )


def errors(sums: RegressionOutcomes) -> dict[str, Any]:
    """Spell the errors of one model.

    Raises:
        InvalidInputError: Its sides are two models.
    """
    pairs = {**{name: getattr(sums, name) for name in _PARTS}, **sums.losses}
    if any(pair.champion != pair.challenger for pair in pairs.values()):
        raise InvalidInputError("A tally must have the model on both sides.")
    losses = {name: moments(pair.champion) for name, pair in sums.losses.items()}
    return {
        "truth": moments(sums.truth),
        **{name: moments(pairs[name].champion) for name in _PARTS},
        **({"losses": losses} if losses else {}),
    }


def read_errors(data: object) -> RegressionOutcomes:
    """Read what ``errors`` spelled."""
    if not isinstance(data, dict) or data.keys() - {"losses"} != {"truth", *_PARTS}:
        raise _wrong("errors", f"truth, {', '.join(_PARTS)}")
    losses = data.get("losses", {})
    if not isinstance(losses, dict):
        raise _wrong("errors.losses", "losses by name")
    found = {name: read_moments(data[name]) for name in ("truth", *_PARTS)}
    own = {str(name): read_moments(loss) for name, loss in losses.items()}
    if len({part.n for part in (*found.values(), *own.values())}) > 1:
        raise _wrong("errors", "the same rows in every part")
    return RegressionOutcomes(
        truth=found["truth"],
        **{name: twice(found[name]) for name in _PARTS},
        losses={name: twice(loss) for name, loss in own.items()},
    )


def moments(of: Moments) -> list[float]:
    """Spell moments."""
    return [of.n, *(getattr(of, name) for name in _MOMENTS)]


def read_moments(data: object) -> Moments:
    """Read what ``moments`` spelled."""
    numbers = _read_list(data, "moments")
    if len(numbers) != 5 or not all(type(x) in (int, float) and math.isfinite(x) for x in numbers) or numbers[2] < 0:
        raise _wrong("moments", "a count and four finite numbers")
    n = read_count(numbers[0], "moments")
    return Moments(n=n, **{name: float(x) for name, x in zip(_MOMENTS, numbers[1:], strict=True)})


def read_count(data: object, name: str) -> int:
    """Read a whole number that is not negative."""
    if type(data) is not int or data < 0:
        raise _wrong(name, "a count")
    return data


def read_rows(data: object, width: int, name: str) -> list[list[Any]]:
    """Read a list of lists, each so long."""
    rows = _read_list(data, name)
    if not all(isinstance(row, list | tuple) and len(row) == width for row in rows):
        raise _wrong(name, f"lists of {width}")
    return rows


def read_labels(data: object) -> Mapping[Label, int]:
    """Read counts of labels."""
    rows = read_rows(data, 2, "unpredicted")
    if not all(type(label) in (bool, int, float, str) for label, _ in rows):
        raise _wrong("unpredicted", "labels and their counts")
    return {label: read_count(count, "unpredicted") for label, count in rows}


def _read_list(data: object, name: str) -> list[Any]:
    if not isinstance(data, list | tuple):
        raise _wrong(name, "a list")
    return [*data]


def _read_cells(data: object, labels: int) -> Counts:
    try:
        flat = np.array(_read_list(data, "outcomes.cells") or np.zeros(0, dtype=np.int64))
        cells = flat.reshape(-1, 3)
    except (ValueError, OverflowError):
        raise _wrong("outcomes.cells", "truth, prediction and count of each cell") from None
    is_whole = cells.dtype == np.int64
    if not is_whole or (cells < 0).any() or (cells[:, :2] >= labels).any() or not cells[:, 2].all():
        raise _wrong("outcomes.cells", "truth, prediction and count of each cell")
    found = cells[:, [0, 1, 1, 2]]
    found.flags.writeable = False
    return found


def _check_tables(tables: list[Counts], labels: int) -> None:
    """See that the cells of each table ascend, and that no segment has rows that the whole lacks."""
    whole, keys = tables[0], [table[:, 0] * labels + table[:, 1] for table in tables]
    if any((np.diff(own) <= 0).any() for own in keys):
        raise _wrong("outcomes.cells", "each cell once, in order")
    own, counts = np.concatenate(keys), np.concatenate(tables)[:, 3]
    at = np.searchsorted(keys[0], own)
    if (at == len(whole)).any() or (keys[0][at] != own).any() or (whole[at, 3] < counts).any():
        raise _wrong("outcomes.segments", "no rows that the whole lacks")


def _wrong(name: str, rule: str) -> InvalidInputError:
    return InvalidInputError(f"A tally cannot be read: {name} must hold {rule}.")
