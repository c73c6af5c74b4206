"""The server's own description is true, and what it describes does not break it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from abtest.live.server.keys import Keys
from abtest.live.server.openapi import document
from abtest.live.server.service import Service
from tests import zoo
from tests.live.servers import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "the-only-key-of-2026"
EXAMPLES = 25  # an operation
# JSON Schema cannot say that units are as many as instances, or what MLflow's formats hold.
UNTOLD = {"POST /predict/batch", "POST /invocations", "POST /feedback"}
_UNSAYABLE = [positive_data_acceptance, negative_data_rejection]


@pytest.fixture(scope="module")
def server(registered: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of "iris" that asks for a key."""
    folder = tmp_path_factory.mktemp("described")
    uri = zoo.copy(registered, folder)
    with serving(
        "--model-name", "iris", "--tracking-uri", uri, folder=folder, variables={"ABTEST_API_KEY": KEY}
    ) as server:
        server.client.headers["Authorization"] = f"Bearer {KEY}"
        yield server


@pytest.fixture(scope="module")
def schema(server: Server) -> Any:
    """What Schemathesis makes of the description."""
    return schemathesis.openapi.from_url(
        f"{server.client.base_url}/openapi.json", headers={"Authorization": f"Bearer {KEY}"}
    )


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_description_is_true_and_nothing_breaks_the_server(schema: Any, server: Server, mode: Any) -> None:
    """Whatever is sent by the description, or against it, is answered as the description says, and never with 500."""
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == len(server.client.get("/openapi.json").json()["paths"])
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not len(operation.body):
            continue  # there is nothing that could be wrong

        @settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            left_out = _UNSAYABLE if f"{case.method} {case.path}" in UNTOLD else []
            case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=left_out)

        ask()


def test_columns_are_described_as_the_model_takes_them(server: Server) -> None:
    """A row is described by the columns of the model that serves, and their types."""
    described = server.client.get("/openapi.json").json()
    row = described["components"]["schemas"]["Object"]
    assert set(row["properties"]) == set(row["required"]) == {"width", "height"}
    assert row["additionalProperties"] is False
    assert described["security"]


def test_a_server_without_keys_describes_none() -> None:
    """Where no key is asked for, none is described, nor an answer of 401."""
    plain, guarded = (document(Service(keys=keys), None, version="1") for keys in (Keys(), Keys.read(KEY)))
    assert "security" not in plain
    assert "401" not in plain["paths"]["/predict"]["post"]["responses"]
    assert "401" in guarded["paths"]["/predict"]["post"]["responses"]
