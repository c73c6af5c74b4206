"""Unit ids as the log keeps them: keyed hashes, so that nobody reads a name, or guesses one, without the key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

_DIGEST = 16  # bytes: 32 hex digits; two of a billion units are alike with a chance of 1e-21
_SHORTEST = 16  # characters of a secret


class UnitHasher:
    """Hashes unit ids with a key: BLAKE2b, keyed, of 16 bytes (RFC 7693).

    Servers that write to one log need one key, or a unit would be two. Assignment takes the id itself, and needs none.

    Args:
        key: 1 to 64 bytes; ``Store.unit_key``, or ``key_of`` a secret of one's own.

    Example:
        >>> hashed = UnitHasher(bytes(32))
        >>> hashed("user-1")
        '...'
        >>> hashed("user-1") == UnitHasher(bytes(31) + b"!")("user-1")
        False
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        if not key:
            raise InvalidInputError("the key of unit ids is empty.")
        self._keyed = hashlib.blake2b(key=key, digest_size=_DIGEST)

    def __call__(self, unit: str) -> str:
        """Hash a unit's id to 32 hex digits."""
        hasher = self._keyed.copy()
        hasher.update(unit.encode("utf-8", "surrogatepass"))
        return hasher.hexdigest()


def key_of(secret: str) -> bytes:
    """Make a key of a secret, which may be a text of any length from 16 characters.

    Args:
        secret: As a variable holds it; white space around it is not part of it.

    Returns:
        32 bytes.

    Raises:
        InvalidInputError: It is too short; the message does not show it.
    """
    stripped = secret.strip()
    if len(stripped) < _SHORTEST:
        raise InvalidInputError(
            f"the secret of unit ids must have at least {_SHORTEST} characters, got {len(stripped)}.",
            hint="openssl rand -hex 32 makes one.",
        )
    return hashlib.sha256(stripped.encode("utf-8", "surrogateescape")).digest()


def key_from(path: Path) -> bytes:
    """Make a key of the secret in a file.

    Raises:
        InvalidInputError: The file cannot be read, or its secret is too short.
    """
    try:
        secret = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"the secret of unit ids cannot be read from {path}: {_why(error)}.") from error
    return key_of(secret)


def _why(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8"
