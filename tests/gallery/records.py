"""Records of every kind, in every situation that tests know, and folders of reports made of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from abtest.record.reading import FILES
from tests import examples, monitored
from tests.live import examples as live
from tests.reporter import test_several as several
from tests.training import records as trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from abtest.record.reading import AnyRecord

_BY_KIND: dict[str, Mapping[str, Callable[[], Any]]] = {
    "offline": examples.SITUATIONS,
    "live": live.SITUATIONS,
    "several": several.CASES,
    "monitoring": monitored.SITUATIONS,
    "training": trained.SITUATIONS,
}
SITUATIONS: dict[str, Callable[[], Any]] = {
    f"{kind}-{name}": cache(made) for kind, situations in _BY_KIND.items() for name, made in situations.items()
}


def put(record: AnyRecord, folder: Path, *, page: bool = True) -> Path:
    """Write a record to a folder as a report has it, with a page of a word."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILES[type(record)]
    path.write_text(record.to_json() + "\n", encoding="utf-8")
    if page:
        (folder / "report.html").write_text("a report", encoding="utf-8")
    return path
