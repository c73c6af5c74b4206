"""MySQL as MLflow's database, by MLflow's own URL and without a server: a MariaDB, as docs/deploying.md says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from abtest.doctor import registry as health
from abtest.doctor.findings import Asked, State
from abtest.errors import ModelNotFoundError, NotPermittedError
from abtest.lifecycle import Registry
from abtest.registry import RegistryClient, database
from tests import zoo

if TYPE_CHECKING:
    from abtest.doctor import Finding
    from tests.conftest import Cli

GUIDE = (Path(__file__).parent.parent / "docs" / "deploying.md").read_text(encoding="utf-8")
NAMED = ("registered_models", "model_versions", "registered_model_aliases", "registered_model_tags")
MADE = "CREATE DATABASE mlflow CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


@pytest.fixture(scope="module")
def uri(mariadb: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with the models of the zoo in a database that is made as the guide says; about eight seconds."""
    assert MADE in GUIDE
    _run(mariadb, MADE)
    uri = zoo.initialise(mariadb.replace("localhost/", "localhost/mlflow"))
    zoo.fill(RegistryClient(uri).client, tmp_path_factory.mktemp("models"))
    return uri


def _run(url: str, *statements: str) -> None:
    with sa.create_engine(url, poolclass=NullPool).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture(scope="module")
def careless(uri: str) -> str:
    """A copy with the model "torn", in which names are told apart as MySQL does it, and tags are in Latin letters."""
    engine = sa.create_engine(uri, poolclass=NullPool)
    tables = sa.inspect(engine).get_table_names()
    _run(
        uri,
        "CREATE DATABASE careless",
        "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",  # MLflow's default experiment has the id 0
        *(f"CREATE TABLE careless.{table} LIKE {table}" for table in tables),
        *(f"INSERT INTO careless.{table} SELECT * FROM {table}" for table in ("alembic_version", "experiments")),  # noqa: S608 - ours
        *(f"INSERT INTO careless.{table} SELECT * FROM {table} WHERE name = 'torn'" for table in NAMED),  # noqa: S608 - ours
        *(
            f"ALTER TABLE careless.{table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
            for table in NAMED
        ),
        "ALTER TABLE careless.tags CONVERT TO CHARACTER SET latin1",
    )
    return uri.replace("/mlflow?", "/careless?")


def test_a_model_is_compared_promoted_and_rolled_back(uri: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison is logged, promotes, and is rolled back; the history has both moves, in order and at their times."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    began = datetime.now(UTC)
    zoo.fruit().to_csv("fruit.csv", index=False)
    compare = ("compare", "--model-name", "fruit", "--test-data", "fruit.csv", "--resamples", "200", "--no-save-plot")
    assert json.loads(cli(*compare, "--auto-promote", "--format", "json").out)["decision"]["verdict"] == "PROMOTE"
    assert Registry(uri).serving("fruit") == (2,)
    cli("models", "rollback", "fruit", "--yes", "--reason", "Grüße → 🍎")
    assert Registry(uri).serving("fruit") == (1,)
    found, promotion, rollback = Registry(uri).history("fruit").entries
    assert rollback.movement is not None
    assert (found.kind, rollback.movement.kind, rollback.movement.why) == ("found", "rollback", "Grüße → 🍎")
    assert promotion.at is not None
    assert rollback.at is not None
    assert began - timedelta(seconds=1) <= promotion.at <= rollback.at <= datetime.now(UTC)


def test_names_that_differ_in_case_alone_are_two_models(uri: str, cli: Cli) -> None:
    """In a database made as the guide says, Fruit is not fruit, and a quote in a name finds its versions."""
    for name in ("Fruit", 'it\'s "x"', "its_xx"):
        cli("models", "register", name, "--model-uri", "models:/fruit/1", "--tracking-uri", uri)
    for name in ("Fruit", 'it\'s "x"'):
        assert [version.version for version in RegistryClient(uri).versions(name)] == [1]
    assert len(RegistryClient(uri).versions("fruit")) == 11
    with pytest.raises(ModelNotFoundError, match="did you mean 'Fruit'"):
        RegistryClient(uri).versions("FRUIT")


def test_where_the_database_takes_two_names_for_one_so_do_we_not(uri: str, careless: str) -> None:
    """Under MySQL's own collation another spelling names no model, registers nothing, and doctor warns."""
    registry = RegistryClient(careless)
    for name in ("TORN", "torn "):
        with pytest.raises(ModelNotFoundError, match="No registered model"):
            registry.versions(name)
    with pytest.raises(ModelNotFoundError, match="did you mean 'torn'"):
        Registry(careless).register("Torn", model_uri="models:/torn/1")
    assert len(registry.versions("torn")) == 3
    found = _schema(careless)
    assert (found.state, "utf8mb4_bin" in str(found.hint)) == (State.WARNING, True)
    assert _schema(uri).state is State.OK


def test_where_letters_are_missing_the_error_says_what_to_do(careless: str, cli: Cli) -> None:
    """In a database of Latin letters nothing is moved that cannot be recorded; the error, and doctor, say why."""
    told = cli("models", "promote", "torn", "2", "--tracking-uri", careless, code=1)
    assert "keeps no such letter: make it anew, CHARACTER SET utf8mb4 COLLATE utf8mb4_bin." in told.error
    assert [version.stage for version in RegistryClient(careless).versions("torn")] == ["Production", None, "Staging"]
    _run(careless, "ALTER TABLE registered_models CONVERT TO CHARACTER SET latin1")
    found = _schema(careless)
    assert (found.state, "latin1" in found.told) == (State.PROBLEM, True)


def _schema(uri: str) -> Finding:
    return health.schema(Asked(folder=Path.cwd(), environ={}, tracking_uri=uri))


def test_who_may_not_write_or_come_in_is_told(uri: str, cli: Cli) -> None:
    """A user who may only read is found out, one with a wrong password is told to look at it, and it is not shown."""
    _run(uri, "CREATE USER reader@localhost IDENTIFIED BY 'hunter2'", "GRANT SELECT ON mlflow.* TO reader@localhost")
    database.try_writing(uri)
    with pytest.raises(NotPermittedError, match="UPDATE command denied"):
        database.try_writing(uri.replace("root@", "reader:hunter2@"))
    told = cli("models", "list", "--tracking-uri", uri.replace("root@", "reader:hunter3@"), code=1)
    assert told.error.endswith("Hint: check the user and the password in its URL.")
    assert "hunter3" not in told.err
    told = cli("models", "list", "--tracking-uri", uri.replace("/mlflow?", "/none?"), code=1)
    assert told.error.endswith("Hint: is this the right database?")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("experiment", "list", "--store"), "store must be in SQLite or PostgreSQL, got mysql."),
        (
            (
                "compare-predictions",
                "--champion",
                "a",
                "--challenger",
                "b",
                "--target",
                "y",
                "--table",
                "t",
                "--sql-url",
            ),
            "sql-url must name SQLite, PostgreSQL or DuckDB, got mysql.",
        ),
    ],
)
def test_what_mysql_is_not_for_is_said(cli: Cli, command: tuple[str, ...], told: str) -> None:
    """The log of live traffic, and counting predictions, are refused by name; no driver is looked for."""
    assert told in cli(*command, "mysql+pymysql://localhost/x", code=1).error
