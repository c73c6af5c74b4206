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

from abtest.labels import Label

Array: TypeAlias = npt.NDArray[Any]

_PLAIN = "biufU"  # kinds of arrays that are written as they are


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a model said of a batch, and what it took.

    Attributes:
        labels: One a row, of the type in which they were predicted, shape (rows,).
        matrix: Scores, shape (rows, classes); None where there are none.
        classes: The matrix's columns.
        seconds: How long the labels of one row took.
        casts: Columns that were cast for it, and how.
        made_at: When, in UTC; None of one that was not kept yet.
    """

    labels: Array
    matrix: npt.NDArray[np.float64] | None = None
    classes: tuple[Label, ...] = ()
    seconds: float = 0.0
    casts: Mapping[str, str] = field(default_factory=dict)
    made_at: datetime | None = None

    def to_bytes(self) -> bytes | None:
        """Write it; None for labels of a type that NumPy writes only as pickles.

        Example:
            >>> answer = Answer(labels=np.array(["cat", "dog"]), matrix=np.eye(2), classes=("cat", "dog"))
            >>> again = Answer.from_bytes(answer.to_bytes(), rows=2)
            >>> again.labels, again.matrix.tolist()
            (array(['cat', 'dog'], dtype='<U3'), [[1.0, 0.0], [0.0, 1.0]])
        """
        in_objects = self.labels.dtype.kind == "O"
        if not in_objects and self.labels.dtype.kind not in _PLAIN:
            return None
        told = {
            "labels": self.labels.tolist() if in_objects else None,
            "classes": self.classes,
            "seconds": self.seconds,
            "casts": dict(self.casts),
            "made_at": self.made_at.isoformat() if self.made_at else None,
        }
        arrays = [*([] if in_objects else [self.labels]), *([] if self.matrix is None else [self.matrix])]
        out = io.BytesIO()
        out.write(json.dumps(told).encode() + b"\n")
        for array in arrays:
            np.lib.format.write_array(out, array, allow_pickle=False)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, body: bytes, *, rows: int) -> Answer | None:
        """Read what ``to_bytes`` wrote of so many rows; None where it is something else."""
        stream = io.BytesIO(body)
        try:
            told = json.loads(stream.readline())
            listed = told["labels"]
            labels = _read(stream) if listed is None else np.empty(len(listed), dtype=object)
            if listed is not None:
                labels[:] = listed
            matrix = _read(stream) if stream.tell() < len(body) else None
            answer = cls(
                labels=labels,
                matrix=matrix,
                classes=tuple(told["classes"]),
                seconds=float(told["seconds"]),
                casts=dict(told["casts"]),
                made_at=datetime.fromisoformat(told["made_at"]) if told["made_at"] else None,
            )
        except (ValueError, KeyError, TypeError):
            return None
        fits = labels.shape == (rows,) and (matrix is None or matrix.shape == (rows, len(answer.classes)))
        return answer if fits else None


def _read(stream: io.BytesIO) -> Array:
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array
