"""The registry pins what a user typed to one version, says what is there otherwise, and never makes one."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from abtest.errors import AbtestError, BackendError, InvalidInputError, NotFoundError, NotPermittedError
from abtest.loaders.references import pin_sides
from abtest.registry import ModelVersion, Reference, RegistryClient, inventory, is_version, run_id_of, stage_name
from tests import zoo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abtest.registry import ReferenceKind


def pinned(registry: RegistryClient, kind: ReferenceKind, value: str, name: str = "fruit") -> int:
    """The number of the version a reference names."""
    return registry.resolve(name, Reference(kind=kind, value=value)).version


@pytest.mark.parametrize(
    ("kind", "value", "version"),
    [
        ("stage", "Production", 1),
        ("stage", "staging", 2),
        ("alias", "champion", 1),
        ("alias", "challenger", 2),
        ("version", "3", 3),
        ("version", "003", 3),
        ("version", "latest", 11),
    ],
)
def test_resolves(stocked: RegistryClient, kind: ReferenceKind, value: str, version: int) -> None:
    """Stage, alias, version and latest each name one version; numbers are compared as numbers."""
    assert pinned(stocked, kind, value) == version


def test_reads_a_version_as_it_stands(stocked: RegistryClient) -> None:
    """A version comes with its stage and its aliases, in the order of its number."""
    versions = stocked.versions("fruit")
    assert [v.version for v in versions] == list(range(1, 12))
    assert (versions[0].stage, versions[0].aliases) == ("Production", ("champion",))
    assert (versions[2].stage, versions[2].aliases) == (None, ())
    assert stocked.models() == ("bare", "crowd", "fruit", "torn", "void")


@pytest.mark.parametrize(
    ("name", "kind", "value", "told"),
    [
        ("friut", "stage", "Production", "No registered model 'friut'.*did you mean 'fruit'"),
        ("xyz", "version", "1", "No registered model 'xyz'.*there are 'bare', 'crowd', 'fruit', 'torn', 'void'"),
        ("bare", "stage", "Production", "No version of 'bare' is in stage Production.*1 .None., 2 .Archived. @canary"),
        ("fruit", "alias", "champoin", "has the alias 'champoin'.*did you mean 'champion'"),
        ("bare", "alias", "xyz", "has the alias 'xyz'.*there are versions 1"),
        ("fruit", "version", "99", "'fruit' has no version 99.*…, 7 .None., 8"),
        ("void", "version", "latest", "'void' has no version latest.*it has no versions"),
        ("bare", "version", "canary", "must be a number, got 'canary'.*'canary' is an alias"),
        ("crowd", "stage", "Production", "Versions 1 and 2 of 'crowd' are all in stage Production"),
        ("fruit", "stage", "None", "Versions 3, 4, 5, 6, 7, 8, 9, 10 and 11 of 'fruit' are all in stage None"),
        ("fruit", "stage", "Prod", "stage must be one of .*got 'Prod'"),
        ("fruit", "uri", "some/path", "some/path names no version of 'fruit'"),
    ],
)
def test_names_what_is_there(stocked: RegistryClient, name: str, kind: ReferenceKind, value: str, told: str) -> None:
    """What names nothing, or not one thing, is refused with what is there."""
    with pytest.raises(AbtestError, match=told):
        pinned(stocked, kind, value, name)


def test_moves_stages_and_aliases(stocked: RegistryClient) -> None:
    """Each move touches what it names and nothing else; removing an alias that is not there is no error."""
    stocked.set_stage("fruit", 3, "Production")
    stocked.set_alias("fruit", "champion", 3)
    stocked.delete_alias("fruit", "challenger")
    stocked.delete_alias("fruit", "challenger")
    stocked.set_tags("fruit", 3, {"why": "a test"})
    first, second, third = stocked.versions("fruit")[:3]
    assert (first.stage, first.aliases) == ("Production", ())
    assert (second.stage, second.aliases) == ("Staging", ())
    assert (third.stage, third.aliases) == ("Production", ("champion",))
    assert stocked.client.get_model_version("fruit", "3").tags == {"why": "a test"}


def test_reads_every_page(registry: RegistryClient) -> None:
    """More models than MLflow puts on a page are all listed."""
    for number in range(101):
        registry.client.create_registered_model(f"model-{number:03}")
    assert len(registry.models()) == 101


def test_asks_by_the_page_and_not_by_the_version(registry: RegistryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing models, and finding the one that has both sides, asks as often among 21 as of one: once for versions."""
    from mlflow import MlflowClient

    zoo.register(registry.client, "model-20", *["/nowhere"] * 3, stages={1: "Production", 2: "Staging"})
    asked: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        ask = getattr(MlflowClient, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            asked.append(name)
            return ask(*arguments, **named)

        return counting

    for name in ("search_registered_models", "search_model_versions", "get_registered_model", "get_model_version"):
        monkeypatch.setattr(MlflowClient, name, counted(name))
    alone = asks(registry, asked)
    for number in range(20):
        zoo.register(registry.client, f"model-{number}", *["/nowhere"] * 3, stages={2: "Archived"})
    asked.clear()
    assert asks(registry, asked) == alone
    assert alone.count("search_registered_models") == 2
    assert alone.count("search_model_versions") == 1


def asks(registry: RegistryClient, asked: list[str]) -> list[str]:
    """What listing a registry, and finding the one model in it that has both sides, asks MLflow for."""
    registry.overview()
    assert pin_sides(registry, None, None, None)[0] == "model-20"
    return list(asked)


def test_a_name_with_a_quote(registry: RegistryClient) -> None:
    """A model's name may hold an apostrophe or a space."""
    zoo.register(registry.client, "anna's model", "/nowhere", stages={1: "Staging"})
    assert pinned(registry, "stage", "Staging", "anna's model") == 1


@pytest.mark.parametrize(
    "uri", ["sqlite:///no.db", "sqlite:////no/such/no.db", "sqlite+pysqlite:///no.db", "sqlite:///no.db?timeout=5"]
)
def test_makes_no_database(uri: str, tmp_path: Path) -> None:
    """A SQLite file that is not there is an error, however it is spelt, and still not there."""
    with pytest.raises(NotFoundError, match=r"There is no MLflow registry at .*no such file"):
        RegistryClient(uri).models()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["nowhere", "file:///nowhere", "file:nowhere"])
def test_makes_no_file_store(uri: str, tmp_path: Path) -> None:
    """A folder that is not there is an error, and still not there."""
    with pytest.raises(NotFoundError, match="no such folder"):
        RegistryClient(uri).models()
    assert list(tmp_path.iterdir()) == []


def test_loading_makes_no_database(tmp_path: Path) -> None:
    """Making a registry current, to load a run's model, checks it first: MLflow would make an empty database."""
    with pytest.raises(NotFoundError), RegistryClient("sqlite:///no.db").active():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_something_else(tmp_path: Path) -> None:
    """A database without a registry is refused, and left as it is."""
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("create table shopping (item text)")
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(NotFoundError, match=r"is a database without an MLflow registry.*the right database"):
        RegistryClient("sqlite:///other.db").models()
    assert (tmp_path / "other.db").read_bytes() == before


def test_a_database_of_a_newer_mlflow(registry: RegistryClient, tmp_path: Path) -> None:
    """A schema that this MLflow does not know is told as such, without MLflow's advice to upgrade what is newer."""
    newer = tmp_path / "newer.db"  # at an address of its own: MLflow looks at the schema once for each
    shutil.copy(registry.registry_uri.removeprefix("sqlite:///"), newer)
    with contextlib.closing(sqlite3.connect(newer)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(BackendError, match=r"is of another MLflow \(its schema is ffffffffffff, this one's") as told:
        RegistryClient(f"sqlite:///{newer}").models()
    assert "upgrade" not in str(told.value)
    assert "'abtest doctor' says which of the two is older" in str(told.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """A file of another kind is said to be no database."""
    (tmp_path / "notes.db").write_text("milk, eggs, a registry " * 100, encoding="utf-8")
    with pytest.raises(BackendError, match=r"cannot be opened: .*file is not a database"):
        RegistryClient("sqlite:///notes.db").models()


def test_a_driver_that_is_not_there() -> None:
    """A database whose driver is not installed is told with how to spell one that is."""
    with pytest.raises(InvalidInputError, match=r"nothing://\*\*\*@host/db cannot be used.*psycopg2"):
        RegistryClient("nothing://me:hunter2@host/db").models()


def test_a_database_that_is_not_up() -> None:
    """A PostgreSQL that does not answer is told at once, without its password."""
    pytest.importorskip("psycopg2")
    with pytest.raises(BackendError) as told:
        RegistryClient("postgresql+psycopg2://me:hunter2@127.0.0.1:1/mlflow").models()
    assert "cannot be opened" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_what_mlflow_raises_is_ours(stocked: RegistryClient) -> None:
    """A registry that fails in the middle is a BackendError from its cause, not a traceback of MLflow's."""
    stocked.models()
    with contextlib.closing(sqlite3.connect(stocked.tracking_uri.removeprefix("sqlite:///"))) as database:
        database.execute("alter table registered_models rename to elsewhere")
    with pytest.raises(BackendError, match=r"could not be listed: .*no such table") as told:
        stocked.models()
    assert told.value.__cause__ is not None
    assert len(str(told.value)) < 700


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """A web server that is no MLflow: it answers everything with one page."""

    status = 200

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(status: int) -> Iterator[str]:
    """A web server on this machine that answers with a status."""
    handler = type("Handler", (_Elsewhere,), {"status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 404, 401, 503])
def test_a_web_server_that_is_no_mlflow(status: int) -> None:
    """Whatever another web server answers, it is told within seconds that it is no registry."""
    start = time.monotonic()
    expected = NotPermittedError if status == 401 else BackendError
    with serving(status) as uri, pytest.raises(expected, match=f"The registry {uri} "):
        RegistryClient(uri).models()
    assert time.monotonic() - start < 10


def test_current_for_a_while_only(stocked: RegistryClient) -> None:
    """Making a registry current leaves MLflow's URIs, and the variables it writes them to, as they were."""
    import mlflow

    other = "sqlite:////somewhere/else.db"
    for set_before in (None, other):
        if set_before:
            mlflow.set_tracking_uri(set_before)
        before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ))
        with stocked.active():
            assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == (stocked.tracking_uri,) * 2
        assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ)) == before


def test_shows_no_password() -> None:
    """A registry's name never holds its password."""
    assert str(RegistryClient("postgresql+psycopg2://me:hunter2@db/mlflow")) == "postgresql+psycopg2://***@db/mlflow"


@pytest.mark.parametrize(
    ("uri", "name", "kind", "value"),
    [
        ("models:/iris@champion", "iris", "alias", "champion"),
        ("models:/iris/3", "iris", "version", "3"),
        ("models:/iris/latest", "iris", "version", "latest"),
        ("models:/iris/Production", "iris", "stage", "Production"),
        ("models:/m-0123", None, "uri", "models:/m-0123"),
        ("runs:/abc/model", None, "uri", "runs:/abc/model"),
        ("some/folder", None, "uri", "some/folder"),
    ],
)
def test_reads_uris(uri: str, name: str | None, kind: str, value: str) -> None:
    """A models:/ URI names a registered model by alias, version or stage; any other is a place."""
    found, reference = Reference.from_uri(uri)
    assert (found, reference.kind, reference.value) == (name, kind, value)


def test_small_words() -> None:
    """Stages are spelt as MLflow does, versions are numbers or latest, a run's URI holds its id."""
    assert [stage_name(stage) for stage in ("production", "NONE")] == ["Production", "None"]
    assert [is_version(text) for text in ("3", "latest", "v3", "", "٣")] == [True, True, False, False, False]
    assert (run_id_of("runs:/abc/model"), run_id_of("models:/m/1")) == ("abc", None)
    one = ModelVersion(name="m", version=1, run_id=None, stage=None, aliases=())
    assert inventory(()) == "it has no versions"
    assert inventory((one,)) == "there is version 1 (None)"
