"""The columns of a prediction: which are read, which of these the model is fed, and which are written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Model

ALL = "all"
PREDICTION = "prediction"
_UNSIGNED = "The model has no column signature, so it was fed all {} that are not kept by name."


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What becomes of the data's columns.

    Attributes:
        fed: What the model is fed, in its order.
        kept: What is written again, in the order asked for.
        types: What text is read as.
        notices: What is to be said.
    """

    fed: tuple[str, ...]
    kept: tuple[str, ...]
    types: Mapping[str, pa.DataType]
    notices: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        """All that are read, each once."""
        return tuple(dict.fromkeys([*self.fed, *self.kept]))

    @classmethod
    def of(cls, data: Dataset, model: Model, keep: Sequence[str], *, as_text: bool) -> Columns:
        """Find them; a column that a model without a signature would be fed is not, where it is to be kept by name.

        Args:
            data: Where they are.
            model: What is fed.
            keep: What is kept, or "all".
            as_text: Whether what is kept is written as text.

        Raises:
            InvalidInputError: The data lack a column, or one that is kept has a name of ours.
        """
        kept = tuple(data.columns) if tuple(keep) == (ALL,) else tuple(dict.fromkeys(keep))
        for name in kept:
            if name not in data.columns:
                raise data.missing(name)
        if PREDICTION in kept:
            raise collides(PREDICTION)
        fed = model.columns(data.columns, None, () if tuple(keep) == (ALL,) else kept)
        types = {name: kind for name in fed if (kind := model.type_of(name)) is not None}
        if data.is_text:  # "007" is no number, and 1.50 is written as it stood: the model casts what it is fed
            types |= {name: pa.string() for name in kept if name not in fed or (as_text and name in types)}
        said = (_UNSIGNED.format(wording.plural(len(fed), "column")),) if model.features is None else ()
        return cls(fed=fed, kept=kept, types=types, notices=said)


def collides(name: str) -> InvalidInputError:
    """Say that a column of the data cannot be kept beside one of ours."""
    return InvalidInputError(
        f"Column '{name}' of the data cannot be kept: a column of that name is written.",
        hint="rename it, or name the columns to --keep.",
    )
