"""One file, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, text: str | bytes, name: str = "") -> None:
    """Write a text, or bytes, to a file that others may read meanwhile: they find the one before, or this one, whole.

    Args:
        path: The file; its folder is made where there is none.
        text: What it is to hold; text as UTF-8.
        name: What messages call it, before the path: the option that named it.

    Raises:
        InvalidInputError: It cannot be written; what was there is there still.
    """
    told, part = f"{name} {path}".strip(), None
    try:
        target = path.resolve()  # of a link, what it leads to: the link stays
        if target.exists() and not target.is_file():  # a folder, or a device, which a rename would replace
            raise InvalidInputError(f"{told} cannot be written: it is no file.", hint="name a file.")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        part.write_bytes(text if isinstance(text, bytes) else text.encode())
        part.replace(target)
    except OSError as error:
        raise InvalidInputError(
            f"{told} cannot be written: {error.strerror}.", hint="name a file in a folder that can be written to."
        ) from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):  # what went wrong first is what is told
                part.unlink(missing_ok=True)
