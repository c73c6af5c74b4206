"""A process that ends says what it could not write down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.live.metering.meters import Meters
from abtest.live.server.logbook import Logbook
from abtest.live.store import Store
from tests.live.logs import row

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_rows_that_are_lost_are_told_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is not in the log when a process ends is counted in its last words; where all is, there are none."""
    url = f"sqlite:///{tmp_path / 'live.db'}"
    kept = Logbook(Store(url), "iris", Meters("iris"))
    kept.log([row(kept.server, 1)])
    kept.close()
    assert not caplog.messages
    lost = Logbook(Store(url), "iris", Meters("iris"))
    assert lost.writer is not None
    lost.writer.close()
    lost.log([row(lost.server, 1), row(lost.server, 2)])
    lost.close()
    (told,) = caplog.messages
    assert "2 rows" in told
