"""Unit ids as the log keeps them: keyed hashes, so that nobody reads a name, or guesses one, without the key."""

from __future__ import annotations

import hashlib

from abtest.errors import InvalidInputError

_DIGEST = 16  # bytes: 32 hex digits; two of a billion units are alike with a chance of 1e-21


class UnitHasher:
    """Hashes unit ids with a key: BLAKE2b, keyed, of 16 bytes (RFC 7693).

    Servers that write to one log need one key, or a unit would be two. Assignment takes the id itself, and needs none.

    Args:
        key: 1 to 64 bytes: ``Store.unit_key``.

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
