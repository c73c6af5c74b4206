"""What predictions depend on, in digests: the model's files, the rows as they are fed, and what runs the model."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PASSING = frozenset({"__pycache__", "registered_model_meta"})  # made by loading; MLflow's note of a name and a version


def key_of(*parts: object) -> str:
    """Digest plain data that predictions depend on, and the environment that makes them: hex digits.

    Example:
        >>> key_of("model", ["a", "b"]) == key_of("model", ["a", "b"]) != key_of("model", ["b", "a"])
        True
    """
    return hashlib.sha256(json.dumps([_environment(), *parts]).encode()).hexdigest()


def files_digest(folder: Path) -> str:
    """Digest the files of a model, with their names below the folder.

    The files and not what the registry calls them: a version that is deleted and registered anew has the same name, and
    a folder that is trained into again the same path.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_files(folder)):
        with path.open("rb") as file:
            digest.update(json.dumps([name, hashlib.file_digest(file, "sha256").hexdigest()]).encode())
    return digest.hexdigest()


def content(batch: pa.RecordBatch, columns: Sequence[str]) -> str:
    """Digest columns in an order, with their names, their types and every value; rows that are not there take no part.

    Example:
        >>> batch = pa.RecordBatch.from_pydict({"a": [1, 2, None], "b": ["x", "y", "z"]})
        >>> again = pa.RecordBatch.from_pydict({"b": ["w", "x", "y", "z"], "a": [0, 1, 2, None]}).slice(1)
        >>> content(batch, ["a", "b"]) == content(again, ["a", "b"]) != content(batch, ["b", "a"])
        True
    """
    digest = hashlib.sha256()
    for name in columns:
        column = batch.column(name)
        # What lies behind a null is whatever was in memory.
        parts = [column.is_null(), column.drop_null()] if column.null_count else [column]
        for part in parts:
            alone = pa.concat_arrays([part, part[:0]])  # a copy: a slice brings along what lies beside it
            schema = pa.schema([(name, part.type)])
            with pa.BufferOutputStream() as out:
                with pa.ipc.new_stream(out, schema) as writer:
                    writer.write_batch(pa.RecordBatch.from_arrays([alone], schema=schema))
                digest.update(out.getvalue())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        below = path.relative_to(folder)
        if path.is_file() and _PASSING.isdisjoint(below.parts):
            yield below.as_posix(), path


@cache
def _environment() -> str:
    """Digest Python, the kind of machine, and every package that is installed, with its version.

    All of them, since what a model's own code imports nobody can tell.
    """
    folders = [Path(entry) for entry in sys.path]
    packages = {it.name for folder in folders for kind in ("dist", "egg") for it in folder.glob(f"*.{kind}-info")}
    told = [sys.version, platform.machine(), *sorted(packages)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
