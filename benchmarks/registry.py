"""What does it cost to find models in a large registry?

A registry of a thousand models with twenty versions each, on SQLite: listed, and searched for champion and challenger,
by abtest and by the loop that a script would write with MLflow's client. Requests are what a server would be asked.
"""

from __future__ import annotations

import sqlite3
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient

from abtest.lifecycle import Registry
from abtest.loaders.references import pin_sides
from abtest.registry import RegistryClient
from benchmarks.timing import compare, interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS, VERSIONS = 1000, 20
MODEL = "model-0005"
_SEARCHES = (
    "search_registered_models", "search_model_versions", "get_registered_model", "get_model_version",
    "get_model_version_by_alias", "get_model_version_download_uri", "get_latest_versions",
)  # fmt: skip


def main(*, quick: bool = False) -> None:
    """List it, and pin champion and challenger with and without naming the model."""
    models, versions = (20, 3) if quick else (MODELS, VERSIONS)
    with tempfile.TemporaryDirectory() as scratch:
        uri = _database(Path(scratch) / "mlflow.db", models, versions)
        client, ours = MlflowClient(uri), Registry(uri)
        _measure(f"list {models:,} models with {versions} versions each", ours.list_models, partial(_listed, client))
        registry = RegistryClient(uri)
        named = partial(pin_sides, registry, MODEL, None, None)
        _measure("pin champion and challenger of one model", named, partial(_pinned, client, MODEL))
        guessed = partial(pin_sides, registry, None, None, None)
        _measure("find the one model that has both, and pin them", guessed, partial(_searched, client))


def _measure(what: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    asked = _requests(ours), _requests(theirs)
    rounds = interleaved({"abtest": ours, "a loop with MLflow's client": theirs}, rounds=3)
    compare(f"{what}: {asked[0]:,} requests against {asked[1]:,}", rounds)


def _requests(act: Callable[[], object]) -> int:
    """Count what MLflow's client is asked."""
    asked = 0
    kept = {name: getattr(MlflowClient, name) for name in _SEARCHES}

    def counting(name: str, *arguments: object, **named: object) -> object:
        nonlocal asked
        asked += 1
        return kept[name](*arguments, **named)

    for name in _SEARCHES:
        setattr(MlflowClient, name, lambda *a, _name=name, **k: counting(_name, *a, **k))
    try:
        act()
    finally:
        for name, method in kept.items():
            setattr(MlflowClient, name, method)
    return asked


def _listed(client: MlflowClient) -> list[tuple[str, int | None, dict[str, int]]]:
    """What a script writes: every model, then its versions, for the stage and the aliases of each."""
    found, token = [], None
    while True:
        page = client.search_registered_models(page_token=token)
        for model in page:
            versions = client.search_model_versions(f"name='{model.name}'")
            serving = next((int(v.version) for v in versions if v.current_stage == "Production"), None)
            found.append((model.name, serving, dict(client.get_registered_model(model.name).aliases)))
        token = page.token
        if not token:
            return found


def _pinned(client: MlflowClient, name: str) -> tuple[int, int]:
    """The two versions of a model by its aliases."""
    champion, challenger = (client.get_model_version_by_alias(name, alias) for alias in ("champion", "challenger"))
    for version in (champion, challenger):
        client.get_model_version_download_uri(name, str(version.version))
    return int(champion.version), int(challenger.version)


def _searched(client: MlflowClient) -> list[str]:
    """Every model that has both, asked one by one."""
    return [name for name, _, aliases in _listed(client) if {"champion", "challenger"} <= set(aliases)]


def _database(path: Path, models: int, versions: int) -> str:
    """Let MLflow make one model as it does, and copy its rows: making all by its client takes minutes."""
    uri = f"sqlite:///{path}"
    client = MlflowClient(uri)
    client.create_registered_model(MODEL)
    for _ in range(versions):
        client.create_model_version(MODEL, "/nowhere")
    for alias, version in (("champion", "1"), ("challenger", "2")):
        client.set_registered_model_alias(MODEL, alias, version)
    with sqlite3.connect(path) as database:
        for table in ("registered_models", "model_versions"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            copied = ", ".join("?" if column == "name" else column for column in columns)
            copy = f"INSERT INTO {table} SELECT {copied} FROM {table} WHERE name = '{MODEL}'"  # noqa: S608 - ours
            others = [(f"model-{number:04}",) for number in range(models) if number != 5]
            database.executemany(copy, others)
    return uri
