"""Unit ids are hashed with a key, and the raw id is nowhere."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.live.units import UnitHasher

KEYS = st.binary(min_size=1, max_size=64)
UNITS = st.text(st.characters(), max_size=40)


@given(key=KEYS, unit=UNITS)
def test_hash_is_keyed_blake2b(key: bytes, unit: str) -> None:
    """The hash is BLAKE2b's own keyed mode over the id."""
    name = unit.encode("utf-8", "surrogatepass")
    hashed = UnitHasher(key)(unit)
    assert hmac.compare_digest(hashed, hashlib.blake2b(name, key=key, digest_size=16).hexdigest())
    assert len(hashed) == 32


@given(key=KEYS, other=KEYS, units=st.lists(UNITS, min_size=2, max_size=5, unique=True))
def test_hashes_differ_by_unit_and_by_key(key: bytes, other: bytes, units: list[str]) -> None:
    """Two units never share a hash, and under another key a unit has another one."""
    hashed = [UnitHasher(key)(unit) for unit in units]
    assert len(set(hashed)) == len(units)
    if key != other:
        assert UnitHasher(other)(units[0]) != hashed[0]


def test_empty_key_is_refused() -> None:
    """Hashing without a key would be guessable, so there is none."""
    with pytest.raises(InvalidInputError, match="empty"):
        UnitHasher(b"")
