"""Bytes on disk by key: private, bounded, safe under several processes, and never trusted further than they are whole.

A file is written under a name of its own and then renamed, so a reader sees all of it or none; of two that write one
key the last stays, and both are right. What is damaged, cut short, another key's or another user's is as good as not
there, and removed. Nothing here ever fails a comparison: what cannot be kept is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIMIT_GIB = 4.0
FOLDER_VARIABLE = "ABTEST_CACHE_DIR"
_MAGIC = b"abtest predictions 1\n"
_DIGEST_BYTES = 32
_ENDING, _UNFINISHED = ".predictions", ".unfinished"
_ABANDONED = 24 * 3600  # seconds after which whoever was writing a file is gone
_LEAST = 4096  # bytes that the smallest file takes on disk


def default_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Find where a user's programs keep what they can make again: ``ABTEST_CACHE_DIR``, else the platform's folder.

    Example:
        >>> str(default_folder({"XDG_CACHE_HOME": "/tmp/me"}, "linux"))
        '/tmp/me/abtest'
    """
    if named := environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "abtest" / "Cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "abtest"
    named = environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "abtest"  # a relative one is void


class Store:
    """Keeps entries in a folder, and forgets those that were used longest ago.

    Args:
        folder: Made when the first entry is written.
        limit: Bytes that all entries may take. What this store wrote or read itself it does not forget again: where
            that fills the folder, nothing more is kept, so that data larger than the limit still finds its first part.

    Raises:
        InvalidInputError: The limit is none.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> Store(folder).write("ab", b"what a model said")
        >>> Store(folder).read("ab"), Store(folder).read("cd")
        (b'what a model said', None)
    """

    def __init__(self, folder: Path, limit: float = LIMIT_GIB * 2**30) -> None:
        if not limit >= 0:
            raise InvalidInputError(f"cache_gib must not be negative, got {limit / 2**30:g}.")
        self.folder = folder / "predictions"
        self.trouble: str | None = None
        self._limit = limit
        self._room, self._full = 0.0, False
        self._own: set[str] = set()

    def read(self, key: str) -> bytes | None:
        """The bytes that were written under a key; None where there are none that are whole and the user's own."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                mine = not hasattr(os, "getuid") or os.fstat(file.fileno()).st_uid == os.getuid()
                raw = file.read() if mine else b""
        except OSError:
            return None
        body = raw[len(_MAGIC) + _DIGEST_BYTES :]
        if raw != _sealed(key, body):
            self.discard(key)
            return None
        self._own.add(path.name)
        with contextlib.suppress(OSError):  # somebody else's to write in, or just forgotten: it was read all the same
            os.utime(path)
        return body

    def write(self, key: str, body: bytes) -> None:
        """Keep bytes under a key, where there is room; a failure is told in ``trouble``, and ends all writing."""
        if self.trouble is not None:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            raw = _sealed(key, body)
            if self._has_room(max(_LEAST, len(raw))):
                self._put(self._path(key), raw)
        except OSError as error:
            self.trouble = f"Predictions are not kept: {self.folder} cannot be written ({error.strerror or error})."

    def discard(self, key: str) -> None:
        """Forget an entry that is not what it should be."""
        with contextlib.suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_ENDING}"

    def _put(self, path: Path, raw: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=_UNFINISHED)  # readable by its owner alone
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._own.add(path.name)

    def _has_room(self, size: int) -> bool:
        """Take room for an entry; an eighth of the limit at a time, since other processes fill the folder too."""
        if self._full or size > self._limit:
            return False
        if self._room < size:
            self._room = min(self._limit - self._tidied(size), max(self._limit / 8, size))
        self._full = self._room < size
        self._room -= size
        return not self._full

    def _tidied(self, size: int) -> float:
        """Let what was used longest ago make way for an entry, if it has to; bytes that are held then."""
        entries = sorted(self._entries())
        held = sum(each for _, each, _ in entries)
        if held + size <= self._limit:
            return held
        for _, each, path in entries:
            if held + size > 0.9 * self._limit and path.name not in self._own:
                path.unlink(missing_ok=True)
                held -= each
        return held

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """When each entry was last used, and its size; what was abandoned is removed."""
        old = time.time() - _ABANDONED
        with os.scandir(self.folder) as found:
            for it in found:
                try:
                    seen = it.stat(follow_symlinks=False)
                    if it.name.endswith(_UNFINISHED) and seen.st_mtime < old:
                        Path(it.path).unlink(missing_ok=True)
                    elif it.name.endswith(_ENDING):
                        yield seen.st_mtime, max(_LEAST, seen.st_size), Path(it.path)
                except FileNotFoundError:  # another process was quicker
                    continue


def _sealed(key: str, body: bytes) -> bytes:
    digest = hashlib.sha256(key.encode() + b"\0")
    digest.update(body)
    return b"".join((_MAGIC, digest.digest(), body))
