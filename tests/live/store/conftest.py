"""An empty log in each kind of database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abtest.live.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, of the test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'live.db'}"
    found: str = request.getfixturevalue("postgresql").url
    return found


@pytest.fixture
def log(url: str) -> Iterator[Store]:
    """An empty log."""
    with Store(url) as opened:
        yield opened
