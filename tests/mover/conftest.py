"""What the tests of the mover share: a model with every role taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import zoo

if TYPE_CHECKING:
    from abtest.registry import RegistryClient


@pytest.fixture
def staged(registry: RegistryClient) -> RegistryClient:
    """Model "m": version 1 in Production and champion, 2 in Staging and challenger, 3 nothing."""
    zoo.register(
        registry.client, "m", "/nowhere/1", "/nowhere/2", "/nowhere/3",
        stages={1: "Production", 2: "Staging"}, aliases={"champion": 1, "challenger": 2},
    )  # fmt: skip
    return registry
