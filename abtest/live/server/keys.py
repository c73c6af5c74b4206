"""API keys: who may ask a server. Kept as digests, and compared in constant time over all of them."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "ABTEST_API_KEY"
_SHORTEST = 16  # characters of a key
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a server accepts; without any, it asks for none.

    Attributes:
        digests: SHA-256 of each: a record that is printed shows no key.

    Example:
        >>> keys = Keys.read("the-old-key-of-2025, the-new-key-of-2026")
        >>> keys.accept("the-new-key-of-2026"), keys.accept("the-new-key"), keys.accept(None)
        (True, False, False)
        >>> bool(Keys())
        False
    """

    digests: tuple[bytes, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, text: str, *, where: str = VARIABLE) -> Keys:
        """Read keys that are separated by commas or lines; two are in force while one replaces the other.

        Raises:
            InvalidInputError: There is none, or one is too short or cannot be sent; the message shows none of them.
        """
        keys = [key for key in re.split(r"[,\s]+", text) if key]
        if not keys:
            raise InvalidInputError(f"{where} holds no key.", hint="openssl rand -hex 32 makes one.")
        for number, key in enumerate(keys, 1):
            which = f"key {number} of {len(keys)}" if keys[1:] else "the key"
            if len(key) < _SHORTEST:
                raise InvalidInputError(
                    f"{where}: {which} must have at least {_SHORTEST} characters, got {len(key)}.",
                    hint="openssl rand -hex 32 makes one.",
                )
            if not (key.isascii() and key.isprintable()):
                raise InvalidInputError(f"{where}: {which} has a character that no header carries.", hint="use ASCII.")
        return cls(tuple(_digest(key) for key in keys))

    @classmethod
    def from_file(cls, path: Path) -> Keys:
        """Read keys from a file; see ``read``.

        Raises:
            InvalidInputError: The file cannot be read, or as in ``read``.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8"
            raise InvalidInputError(f"api-key-file {path} cannot be read: {why}.") from error
        return cls.read(text, where=f"api-key-file {path}")

    def __bool__(self) -> bool:
        return bool(self.digests)

    def accept(self, key: str | None) -> bool:
        """Whether a key is one of them: as long for the first as for the last, and for none."""
        given = _digest(key or "")
        found = False
        for digest in self.digests:
            found |= hmac.compare_digest(digest, given)
        return found


def sent_with(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Find the key in a request's headers: ``Authorization: Bearer KEY``, or ``X-API-Key: KEY``.

    Example:
        >>> sent_with([(b"authorization", b"Bearer the-new-key-of-2026")])
        'the-new-key-of-2026'
    """
    found = None
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"x-api-key":  # it goes first: an Authorization beside it may be meant for a proxy on the way
            return text.strip()
        if found is None and name == b"authorization" and text[: len(_BEARER)].lower() == _BEARER:
            found = text[len(_BEARER) :].strip()
    return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
