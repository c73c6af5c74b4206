"""What the tests of rows share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from abtest.loaders.datasets import open_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

NO_TYPES: Mapping[str, pa.DataType] = {}


def rows_of(
    source: str | Path | pd.DataFrame, *columns: str, types: Mapping[str, pa.DataType] = NO_TYPES, rows: int = 1000
) -> list[dict[str, Any]]:
    """Read all rows of some columns, or of all."""
    data = open_data(source)
    batches = data.batches(columns or data.columns, types, rows=rows)
    return [row for batch in batches for row in batch.to_pylist()]


def write(name: str, content: str | bytes) -> str:
    """Write a file into the test's folder."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name
