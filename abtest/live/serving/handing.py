"""Rows asked of the champion, as the challenger takes them: by name, since its columns may be in another order.

Requests are held against the champion's signature. A challenger that takes fewer columns, or the same in another order,
is asked about its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.live.serving.fields import Row
    from abtest.live.serving.served import Served


def named(rows: Sequence[Row], columns: Sequence[str] | None) -> Sequence[Row]:
    """Name the values of rows.

    Args:
        rows: That fit the champion.
        columns: The champion's, in order; None where it names none, and rows stay as they are.

    Example:
        >>> named([[1.5, 20], {"count": 30, "width": 2.5}], ["width", "count"])
        [{'width': 1.5, 'count': 20}, {'width': 2.5, 'count': 30}]
    """
    if columns is None:
        return rows
    return [
        {name: row[name] for name in columns if name in row}
        if isinstance(row, dict)
        else dict(zip(columns, row, strict=True))
        for row in rows
    ]


def taken(rows: Sequence[Row], model: Served) -> Sequence[Row]:
    """Leave of rows that are named what a model takes: its columns, or for a tensor the values in their order."""
    if model.model.tensor is not None:
        return [[*row.values()] if isinstance(row, dict) else row for row in rows]
    if model.columns is None:
        return rows
    known = frozenset(model.columns)
    return [
        {name: value for name, value in row.items() if name in known}
        if isinstance(row, dict) and not row.keys() <= known
        else row
        for row in rows
    ]


def handed(rows: Sequence[Row], columns: Sequence[str] | None, model: Served) -> Sequence[Row]:
    """Name rows, and leave what a model takes; where it takes what the champion does there is nothing to do."""
    return rows if columns == model.columns else taken(named(rows, columns), model)
