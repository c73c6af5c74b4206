"""A process says what it cannot load, whatever the model does."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING

import pytest

from abtest.errors import InvalidInputError
from abtest.live.server.process import Process
from abtest.live.server.service import Service
from abtest.registry import Reference, RegistryClient
from tests import zoo
from tests.live import moody

if TYPE_CHECKING:
    from pathlib import Path


class Interrupting:
    """Raises when it is unpickled what would end the thread that unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise KeyboardInterrupt",)


def test_a_model_that_interrupts_has_not_loaded(templates: Path, tmp_path: Path) -> None:
    """What a model raises while it loads is told as its failure, also where it would end a thread."""
    registry = RegistryClient(zoo.copy(templates / "empty.db", tmp_path))
    folder = zoo.save(moody.steady, tmp_path / "model", inputs=zoo.signature(number="long"))
    (tmp_path / "model" / "python_model.pkl").write_bytes(pickle.dumps(Interrupting()))
    zoo.register(registry.client, "interrupting", folder)
    service = Service(
        tracking_uri=registry.tracking_uri, model_name="interrupting", reference=Reference(kind="version", value="1")
    )
    process = Process(service, threading.Event())
    try:
        with pytest.raises(InvalidInputError, match=r"models:/interrupting/1, is not served: KeyboardInterrupt"):
            process.load()
    finally:
        process.exposition.close()
        process.logbook.close()
