"""The input example that was logged with a model, as rows of JSON."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from abtest.loaders.models import Model


def input_example(model: Model, most: int) -> list[dict[str, Any] | list[Any]]:
    """Read the first rows of a loaded model's input example; empty where none was logged.

    Args:
        model: As MLflow has loaded it.
        most: How many rows at most.

    Raises:
        InvalidInputError: Its files cannot be read, or it is no rows of columns.
    """
    metadata = getattr(model.predictor, "metadata", None)
    if metadata is None or getattr(metadata, "saved_input_example_info", None) is None or model.folder is None:
        return []
    try:
        given = metadata.load_input_example(str(model.folder))
    except Exception as error:  # MLflow raises whatever the file makes it
        raise InvalidInputError(
            f"The input example that was logged with the {model.told} cannot be read: {wording.first_line(error)}."
        ) from error
    return _rows(given, most)


def _rows(given: Any, most: int) -> list[dict[str, Any] | list[Any]]:  # noqa: ANN401 - whatever MLflow has kept
    import pandas as pd  # noqa: PLC0415 - a command that reads no example does not pay for it

    if isinstance(given, pd.DataFrame):
        return [{str(name): _plain(value) for name, value in row.items()} for row in given[:most].to_dict("records")]
    if hasattr(given, "toarray"):  # a sparse matrix
        given = given[:most].toarray()
    if getattr(given, "ndim", None) == 2:
        return [[_plain(value) for value in row] for row in given[:most].tolist()]
    if isinstance(given, dict):  # one row by name
        given = [given]
    if isinstance(given, list) and given and all(isinstance(row, dict | list) for row in given):
        return [
            {str(name): _plain(value) for name, value in row.items()} if isinstance(row, dict) else [*map(_plain, row)]
            for row in given[:most]
        ]
    raise InvalidInputError(
        "The input example that was logged with the model is no rows of columns.",
        hint="log the model with a data frame as its input_example.",
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - a cell of a data frame
    """Spell a cell as JSON has it."""
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()  # noqa: PLR0124 - as NaT is
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and math.isnan(value):
        return None
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
