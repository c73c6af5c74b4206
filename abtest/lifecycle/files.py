"""A version's files, copied out of the registry."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError
from abtest.registry.versions import numbered

if TYPE_CHECKING:
    from abtest.registry import RegistryClient


def download(registry: RegistryClient, name: str, version: str | int, output: str | Path) -> Path:
    """Copy a version's files to a folder that is not there yet, whole or not at all.

    Raises:
        InvalidInputError: The folder is there already, or cannot be written.
        BackendError: The files cannot be read.
    """
    target = Path(output).expanduser()
    if target.exists():
        raise InvalidInputError(f"output {target} is there already.", hint="name a folder that is not.")
    it = numbered(name, registry.versions(name), str(version))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
            shutil.move(registry.download(it, Path(scratch)), target)
    except OSError as error:
        raise InvalidInputError(f"output {target} cannot be written: {error.strerror}.") from error
    return target
