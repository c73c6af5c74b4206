"""What a model said of a batch of rows, as bytes and back: nothing but numbers and text, and never a pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from abtest.coded import Coded
from abtest.labels import Label

Array: TypeAlias = npt.NDArray[Any]

_PLAIN = "biufU"  # kinds of arrays that are written as they are


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """What a model said of a batch, and what it took.

    Attributes:
        labels: One a row, of the type in which they were predicted, shape (rows,).
        matrix: Scores, shape (rows, classes); None where there are none.
        classes: The matrix's columns.
        seconds: How long the labels took.
        casts: Columns that were cast for it, and how.
        made_at: When, in UTC.
    """

    labels: Array | Coded
    matrix: npt.NDArray[np.float64] | None = None
    classes: tuple[Label, ...] = ()
    seconds: float
    casts: Mapping[str, str] = field(default_factory=dict)
    made_at: datetime

    def to_bytes(self) -> bytes | None:
        """Write it; None for labels of a type that NumPy writes only as pickles.

        Example:
            >>> labels, now = np.array(["cat", "dog"]), datetime(2026, 1, 2)
            >>> kept = Kept(labels=labels, matrix=np.eye(2), classes=("cat", "dog"), seconds=0.1, made_at=now)
            >>> again = Kept.from_bytes(kept.to_bytes(), rows=2)
            >>> again.labels, again.matrix.tolist()
            (array(['cat', 'dog'], dtype='<U3'), [[1.0, 0.0], [0.0, 1.0]])
        """
        values, column = (
            (self.labels.values, self.labels.codes) if isinstance(self.labels, Coded) else (None, self.labels)
        )
        objects = column.tolist() if column.dtype.kind == "O" else None
        if objects is None and column.dtype.kind not in _PLAIN:
            return None
        told = {
            "values": None if values is None else list(values),
            "objects": objects,
            "classes": self.classes,
            "seconds": self.seconds,
            "casts": dict(self.casts),
            "made_at": self.made_at.isoformat(),
        }
        out = io.BytesIO()
        out.write(json.dumps(told).encode() + b"\n")
        for array in (column if objects is None else None, self.matrix):
            if array is not None:
                np.lib.format.write_array(out, array, allow_pickle=False)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, body: bytes, *, rows: int) -> Kept | None:
        """Read what ``to_bytes`` wrote of so many rows; None where it is something else."""
        stream = io.BytesIO(body)
        try:
            told = json.loads(stream.readline())
            column = _read(stream) if told["objects"] is None else _objects(told["objects"])
            matrix = _read(stream) if stream.tell() < len(body) else None
            kept = cls(
                labels=column if told["values"] is None else Coded(codes=column, values=tuple(told["values"])),
                matrix=matrix,
                classes=tuple(told["classes"]),
                seconds=float(told["seconds"]),
                casts=dict(told["casts"]),
                made_at=datetime.fromisoformat(told["made_at"]),
            )
        except (ValueError, KeyError, TypeError):
            return None
        fits = column.shape == (rows,) and (matrix is None or matrix.shape == (rows, len(kept.classes)))
        return kept if fits else None


def _read(stream: io.BytesIO) -> Array:
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _objects(values: list[Label]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
