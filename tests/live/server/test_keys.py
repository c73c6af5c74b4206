"""API keys: read from text and files, never shown, and asked for everywhere but where health is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abtest.errors import InvalidInputError
from abtest.live.server.keys import Keys, sent_with

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, NEW = "the-old-key-of-2025", "the-new-key-of-2026"
characters = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=",")
keys = st.lists(st.text(characters, min_size=16, max_size=40), min_size=1, max_size=5)


@given(keys, st.sampled_from([",", "\n", ", ", "\r\n", "\n\n"]), st.text(max_size=40))
def test_a_key_is_accepted_if_it_is_one_of_them(known: Sequence[str], separator: str, other: str) -> None:
    """Of keys separated by commas or lines each is accepted, and nothing else is."""
    read = Keys.read(separator.join(known))
    assert all(read.accept(key) for key in known)
    assert read.accept(other) == (other in known)
    assert not read.accept(None)


@pytest.mark.parametrize("text", ["", " ,\n", "short", f"{OLD},short", f"{OLD}é"])
def test_a_key_that_protects_nothing_is_refused_without_being_shown(text: str) -> None:
    """No key, a short one, and one that no header carries are refused, and no message holds a key."""
    with pytest.raises(InvalidInputError) as error:
        Keys.read(text)
    assert OLD not in str(error.value)
    assert "short" not in str(error.value)


def test_keys_are_not_printed() -> None:
    """A record with keys shows none of them, nor what they can be found by."""
    assert repr(Keys.read(OLD)) == "Keys()"


def test_a_file_of_keys_is_read(tmp_path: Path) -> None:
    """A file has one key a line; one that is not there is told by its path."""
    (tmp_path / "keys").write_text(f"{OLD}\n{NEW}\n", encoding="utf-8")
    assert Keys.from_file(tmp_path / "keys").accept(NEW)
    with pytest.raises(InvalidInputError, match="No such file"):
        Keys.from_file(Path("none"))


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([(b"authorization", b"Bearer abc")], "abc"),
        ([(b"authorization", b"bearer  abc ")], "abc"),
        ([(b"x-api-key", b"abc")], "abc"),
        ([(b"authorization", b"Bearer of-a-proxy"), (b"x-api-key", b"abc")], "abc"),
        ([(b"x-api-key", b"abc"), (b"authorization", b"Bearer of-a-proxy")], "abc"),
        ([(b"authorization", b"Basic abc")], None),
        ([(b"accept", b"abc")], None),
    ],
)
def test_a_key_is_found_in_either_header(headers: list[tuple[bytes, bytes]], key: str | None) -> None:
    """A key is sent as a bearer token or in X-API-Key, and nowhere else."""
    assert sent_with(headers) == key
