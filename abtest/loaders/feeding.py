"""Rows as models are fed them: decoded once for all models that take the same columns in the same types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from abtest.loaders.models import Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """What a model is fed.

    Attributes:
        give: Gives a frame, or an array: each time another, so that who is asked again is asked about the same.
        kinds: The types of the frame's columns.
        casts: Columns that were cast for it, and how.
    """

    give: Callable[[], Any]
    kinds: tuple[object, ...]
    casts: Mapping[str, str]


class Fed:
    """One batch of rows.

    Args:
        batch: As it was read.
        rows: The rows' numbers in the data, for messages; shape (rows,).

    Attributes:
        batch: As it was read.
        rows: The rows' numbers in the data.
    """

    def __init__(self, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> None:
        self.batch = batch
        self.rows = rows
        self._decoded: dict[Hashable, tuple[pd.DataFrame, dict[str, str]]] = {}

    def features(self, model: Model, columns: Sequence[str]) -> Features:
        """What a model is fed; whatever it writes into it, nobody sees who is asked later.

        Args:
            model: The model.
            columns: The columns to feed, as ``Model.columns()`` named them.

        Raises:
            InvalidInputError: A value does not fit the model's signature.
        """
        key = tuple((name, model.type_of(name)) for name in columns)
        if key not in self._decoded:
            self._decoded[key] = model.decoded(self.batch, columns, self.rows)
        frame, casts = self._decoded[key]

        def give() -> Any:  # noqa: ANN401 - a data frame or an array
            return model.shaped(frame.copy(deep=not _copies_on_write()))

        return Features(give=give, kinds=tuple(frame.dtypes), casts=casts)


def _copies_on_write() -> bool:
    """Whether who writes into a shallow copy of a data frame writes into a copy: from pandas 3 on."""
    import pandas as pd  # noqa: PLC0415 - whoever has a frame has imported it

    return int(pd.__version__.split(".", maxsplit=1)[0]) >= 3
