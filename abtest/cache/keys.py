"""What predictions depend on, in digests: the model's files, the rows as they are fed, and what runs the model."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PASSING = frozenset({"__pycache__", "registered_model_meta"})  # made by loading; MLflow's note of a name and a version

_INSTALLED = frozenset({"site-packages", "dist-packages"})  # whose versions the environment tells


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

    Raises:
        OSError: A file cannot be read, or a link leads to another folder, which may be anything's.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_files(folder)):
        with path.open("rb") as file:
            digest.update(json.dumps([name, hashlib.file_digest(file, "sha256").hexdigest()]).encode())
    return digest.hexdigest()


def code_digest(folders: Sequence[Path]) -> str:
    """Digest the modules that are loaded from no installed package, and from none of these models' folders.

    A model's own classes often live in a project that is worked on, whose code changes under one version.
    """
    digest = hashlib.sha256()
    for name, file in sorted(_loaded()):
        if not any(file.is_relative_to(folder.resolve()) for folder in folders):
            digest.update(json.dumps([name, hashlib.sha256(file.read_bytes()).hexdigest()]).encode())
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
    for where, folders, names in os.walk(folder, onerror=_raise):
        for path in (Path(where, name) for name in (*folders, *names)):
            below = path.relative_to(folder)
            if path.is_dir() and path.is_symlink():
                raise OSError(f"{path} leads elsewhere")
            if path.is_file() and _PASSING.isdisjoint(below.parts):
                yield below.as_posix(), path


def _raise(error: OSError) -> None:
    raise error


def _loaded() -> Iterator[tuple[str, Path]]:
    """Modules that come with neither Python nor a package, by name, with their files."""
    python = [sysconfig.get_path(kind) for kind in ("stdlib", "scripts")]
    its_own = tuple(f"{form}{os.sep}" for folder in python for form in (folder, os.path.realpath(folder)))
    for name, module in [*sys.modules.items()]:
        told = getattr(module, "__dict__", {}).get("__file__")
        if not isinstance(told, str) or told.startswith(its_own) or not _INSTALLED.isdisjoint(Path(told).parts):
            continue
        file = Path(told).resolve()
        if file.is_file():
            yield name, file


@cache
def _environment() -> str:
    """Digest Python, the kind of machine, and every package that is installed, with its version.

    All of them, since what a model's own code imports nobody can tell.
    """
    folders = [Path(entry) for entry in sys.path]
    packages = {it.name for folder in folders for kind in ("dist", "egg") for it in folder.glob(f"*.{kind}-info")}
    told = [sys.version, platform.machine(), *sorted(packages)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
