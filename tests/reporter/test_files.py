"""A file is written whole or not at all, and nothing but a file is ever replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest.errors import InvalidInputError
from abtest.reporter.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_it_replaces_what_was_there(tmp_path: Path) -> None:
    """Afterwards the file holds the text, in a folder that was made for it, and nothing lies beside it."""
    path = tmp_path / "new" / "file"
    for text in ("first", "second: –"):
        write_whole(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(path.parent.iterdir()) == [path]


def test_what_was_there_stays_where_writing_fails(tmp_path: Path) -> None:
    """A text that cannot be encoded leaves the earlier one, whole, and nothing beside it."""
    path = tmp_path / "file"
    write_whole(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "second" * 10_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Through a link it is the file that is replaced."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text(encoding="utf-8") == "text"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a device, or a path through a file: one sentence, with what named it, and a hint."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "below", tmp_path.__class__("/dev/null")):
        with pytest.raises(InvalidInputError, match=r"^junit .* cannot be written: .*\. Hint: name a file"):
            write_whole(path, "text", "junit")
