"""Unit ids are hashed with a key, and the raw id is nowhere."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.live.units import UnitHasher, key_from, key_of

if TYPE_CHECKING:
    from pathlib import Path

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


def test_secret_of_a_file_is_that_of_a_variable(tmp_path: Path) -> None:
    """The line end that an editor leaves is no part of the secret, so file and variable give one key."""
    (tmp_path / "secret").write_text("correct horse battery\n")
    assert key_from(tmp_path / "secret") == key_of("correct horse battery")
    assert len(key_of("correct horse battery")) == 32


def test_short_secret_is_refused_and_not_shown() -> None:
    """A secret that could be guessed is refused, and the message does not have it."""
    with pytest.raises(InvalidInputError, match="at least 16 characters, got 7") as refused:
        key_of("hunter2")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), (b"\xff" * 20, "not UTF-8")])
def test_unreadable_file_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    """A file that is missing, or no text, is named with the reason."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=why) as refused:
        key_from(path)
    assert str(path) in str(refused.value)


def test_empty_key_is_refused() -> None:
    """Hashing without a key would be guessable, so there is none."""
    with pytest.raises(InvalidInputError, match="empty"):
        UnitHasher(b"")
