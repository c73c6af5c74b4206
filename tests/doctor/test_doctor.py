"""What is wrong here is told with what to do about it; looking changes nothing, and nothing breaks it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from abtest import doctor
from abtest.doctor import Asked, Check, Finding, State, installed
from abtest.errors import NotPermittedError
from abtest.live.store import Store as Log
from abtest.registry import database, probes
from abtest.transitions import into_production
from tests import trails, zoo

if TYPE_CHECKING:
    from abtest.lifecycle import Registry
    from abtest.registry import RegistryClient
    from tests.conftest import Cli
    from tests.databases import Store

OF_REGISTRY = ("schema", "stages and aliases", "moves", "write access", "artifacts")


def look(**asked: Any) -> dict[str, Finding]:
    """What is found here, by check."""
    given = {"folder": Path.cwd(), "environ": {}, **asked}
    return {finding.check: finding for finding in doctor.examine(Asked(**given))}


def seen(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what is in it."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_where_all_is_well_all_is_well_and_nothing_is_changed(iris: Registry, tmp_path: Path, cli: Cli) -> None:
    """With a registry and a log every check is ok or of something optional, and no file is another afterwards."""
    Path("abtest.toml").write_text('[registry]\nmodel_name = "iris"\n', encoding="utf-8")
    Log().close()
    before = seen(tmp_path)
    told = cli("doctor", "--tracking-uri", str(iris), "--format", "json")
    found = {one["check"]: one for one in json.loads(told.out)}
    assert list(found) == [check.name for check in doctor.CHECKS]
    assert {one["state"] for one in found.values()} <= {"ok", "optional"}, found
    assert found["settings"]["told"] == f"Settings are from {tmp_path / 'abtest.toml'}, and from ABTEST_CACHE_DIR."
    assert seen(tmp_path) == before


def test_in_an_empty_folder_the_registry_is_missing_and_none_is_made(cli: Cli, tmp_path: Path) -> None:
    """Without a registry that is the problem, with a hint; what depends on it is skipped, and no database is made."""
    told = cli("doctor", code=1)
    assert "✗  registry" in told.out
    assert "Hint: give --tracking-uri, or try 'abtest demo'" in told.out
    assert told.err == ""
    assert not seen(tmp_path)
    found = look()
    assert {found[check].state for check in OF_REGISTRY} == {State.SKIPPED}
    assert found["live log"].state is State.OK


def test_settings_that_cannot_be_read_are_the_problem_and_the_rest_is_looked_at(cli: Cli) -> None:
    """A misspelt key is told with its place; what it would have named is not guessed at."""
    Path("abtest.toml").write_text('[registry]\nmodel_nam = "iris"\n', encoding="utf-8")
    found = {one["check"]: one for one in json.loads(cli("doctor", "--format", "json", code=1).out)}
    assert found["settings"]["state"] == "problem"
    assert "unknown key 'model_nam'" in found["settings"]["told"]
    assert found["settings"]["hint"] == "did you mean 'model_name'?"
    assert {found[check]["state"] for check in ("registry", "live log", "cache")} == {"skipped"}
    assert found["Python"]["state"] == "ok"


def _nobody_listens() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("http://ann:hunter2@{nobody}", "does not answer"),
        ("postgresql+psycopg2://ann:hunter2@{nobody}/mlflow", "cannot be opened"),
        ("mysql+pymysql://ann:hunter2@{nobody}/mlflow", "cannot be opened"),
        ("nonsense://ann:hunter2@{nobody}", "cannot be used"),
        ("sqlite:///text.db", "cannot be opened"),
    ],
)
def test_a_registry_that_is_out_of_reach_is_told_without_a_password(cli: Cli, uri: str, told: str) -> None:
    """Whatever is wrong with the registry is one sentence and exit code 1; no password is shown."""
    Path("text.db").write_text("no database " * 100, encoding="utf-8")
    said = cli("doctor", "--tracking-uri", uri.format(nobody=_nobody_listens()), "--format", "json", code=1)
    found = {one["check"]: one for one in json.loads(said.out)}["registry"]
    assert found["state"] == "problem"
    assert told in found["told"]
    assert "hunter2" not in said.out + said.err


def test_a_registry_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a connection and never answers is told like what is not there."""
    monkeypatch.setattr(probes, "_PROBE_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = look(tracking_uri=f"mysql+pymysql://127.0.0.1:{silent.getsockname()[1]}/mlflow")
    assert found["registry"].state is State.PROBLEM


def test_a_check_that_crashes_is_a_problem_of_its_own() -> None:
    """What a check stumbles over is what it found; the others are made."""

    def crash(asked: Asked) -> Finding:
        raise ZeroDivisionError(f"in {asked.folder}: postgresql://ann:hunter2@host/x")

    steering = Check(name="steering", look=lambda _: Finding(State.OK, "a\x1b[2J\nb", "c\x1b"))
    (told,) = doctor.examine(Asked(folder=Path("/there"), environ={}), [steering])
    assert (told.told, told.hint) == ("a\N{REPLACEMENT CHARACTER}[2J b", "c\N{REPLACEMENT CHARACTER}")
    checks = [Check(name="broken", look=crash), Check(name="Python", look=installed.python)]
    broken, python = doctor.examine(Asked(folder=Path("/there"), environ={}), checks)
    assert broken.state is State.PROBLEM
    assert broken.told.startswith("This could not be looked at: ZeroDivisionError: in /there")
    assert "hunter2" not in broken.told
    assert python.state is State.OK


def test_a_database_of_another_mlflow_is_told_and_left_as_it_is(registry: RegistryClient, tmp_path: Path) -> None:
    """An older schema, and a newer one, are problems; MLflow, which would upgrade the older, never opens it."""
    uri = registry.registry_uri
    known = database.revision(uri)
    assert known.is_current
    oldest = "451aebb31d03"  # the first revision there is
    for revision, told in ((oldest, "is of an older MLflow"), ("f" * 12, "is of a newer MLflow")):
        trails.meddle(registry, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - ours
        trails.meddle(registry, "DROP TABLE IF EXISTS evaluation_dataset_tags")
        before = seen(tmp_path)
        found = look(tracking_uri=uri)
        assert found["schema"].state is State.PROBLEM
        assert told in found["schema"].told
        assert {found[check].state for check in OF_REGISTRY[1:]} == {State.SKIPPED}
        assert seen(tmp_path) == before


def test_two_names_of_one_role_on_different_versions_are_a_warning(stocked: RegistryClient) -> None:
    """A stage and its alias on different versions are told, with the model; a warning is no reason to fail."""
    found = look(tracking_uri=stocked.tracking_uri)
    assert found["stages and aliases"].state is State.WARNING
    assert found["stages and aliases"].told == (
        "Stage Production of 'torn' holds version 1 but alias 'champion' is on 2."
    )


def test_what_was_cut_off_and_what_waits_are_warnings(iris: Registry, cli: Cli) -> None:
    """A move that waits for approval is told, and one that was cut off before it, each with the command that helps."""
    uri = str(iris)
    iris.promote("iris", 2, require_approval=True)
    found = look(tracking_uri=uri)["moves"]
    assert (found.state, found.hint) == (State.WARNING, "abtest models approve iris, or reject")
    assert "1 move waits for approval, first a promotion of version 2" in found.told
    iris.reject("iris", why="a test")
    client = iris._client  # noqa: SLF001 - what was cut off is only made below
    versions = client.versions("iris")
    trails.cut_off(client, "iris", 2, into_production(2, versions), versions, made=1)
    found = look(tracking_uri=uri)["moves"]
    assert found.state is State.WARNING
    assert "was cut off" in found.told
    assert "abtest models recover iris" in str(found.hint)
    assert cli("doctor", "--tracking-uri", uri).code == 0


def test_a_log_that_is_none_is_a_problem_and_one_that_is_not_there_a_warning() -> None:
    """A log of another schema is told, and so is one that was named and is not there; none is made."""
    Path("text.db").write_text("no database " * 100, encoding="utf-8")
    assert look(store="sqlite:///text.db")["live log"].state is State.PROBLEM
    found = look(store="sqlite:///none.db")["live log"]
    assert (found.state, Path("none.db").exists()) == (State.WARNING, False)


def test_who_may_not_write_a_database_is_told(postgresql: Store) -> None:
    """A user who may only read is found out by a statement that changes nothing, and nothing is changed."""
    zoo.initialise(postgresql.url)
    database.try_writing(postgresql.url)
    postgresql.run("CREATE ROLE onlooker LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker")
    reader = sa.make_url(postgresql.url).set(username="onlooker").render_as_string(hide_password=False)
    with pytest.raises(NotPermittedError, match="permission denied"):
        database.try_writing(reader)
    with sa.create_engine(reader, poolclass=NullPool).connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM registered_models")) == 0


@pytest.mark.parametrize(("engine", "state"), [("local", State.OPTIONAL), ("spark", State.PROBLEM)])
def test_what_an_optional_part_lacks_is_told(engine: str, state: State) -> None:
    """What is missing is told with how to get it: a problem where the settings ask for it, else none."""
    Path("abtest.toml").write_text(f'[compare]\nengine = "{engine}"\n', encoding="utf-8")
    part = installed.Part(name="Spark", serves="It", modules=("no_such_module",), hint="pip install it", programs=())
    (found,) = doctor.examine(Asked(folder=Path.cwd(), environ={}), [Check(name="x", look=part.look)])
    assert (found.state, found.told, found.hint) == (
        state,
        "It needs no_such_module, not found here.",
        "pip install it",
    )
