"""The database of a registry that is opened without a server: its schema, and whether it takes what is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from abtest import wording
from abtest.errors import BackendError, NotPermittedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A database's schema beside that of this MLflow.

    Attributes:
        found: The database's revision; None where it has none.
        wanted: This MLflow's.
        is_newer: Whether this MLflow does not know the database's.
    """

    found: str | None
    wanted: str
    is_newer: bool

    @property
    def is_current(self) -> bool:
        """Whether both are the same."""
        return self.found == self.wanted


def is_database(uri: str) -> bool:
    """Whether a URI is a database's, and no server's or folder's.

    Example:
        >>> is_database("sqlite:///mlflow.db"), is_database("https://mlflow.example.com"), is_database("mlruns")
        (True, False, False)
    """
    return "://" in uri and not uri.startswith(("http://", "https://", "file:", "databricks", "uc:"))


def revision(uri: str) -> Revision:
    """Read the revision of a database, and this MLflow's; MLflow itself would upgrade a database that it opens.

    Raises:
        BackendError: It cannot be read.
    """
    import mlflow  # noqa: PLC0415 - who asks pays
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above
    from sqlalchemy import create_engine, inspect, text  # noqa: PLC0415 - see above
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - see above
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - see above

    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    known = {script.revision for script in scripts.walk_revisions()}
    try:
        with create_engine(uri, poolclass=NullPool).connect() as connection:
            there = inspect(connection).has_table("alembic_version")
            found = connection.scalar(text("SELECT version_num FROM alembic_version")) if there else None
    except SQLAlchemyError as error:
        raise BackendError(
            f"The schema of {wording.redacted(uri)} cannot be read: {wording.first_line(error)}."
        ) from error
    return Revision(found=found, wanted=str(scripts.get_current_head()), is_newer=bool(found) and found not in known)


def collation(uri: str) -> str | None:
    """How a MySQL database orders, and tells apart, the names of models; None of others, which tell all apart.

    Raises:
        BackendError: It cannot be read.
    """
    if not uri.startswith("mysql"):
        return None
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - who asks pays
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - see above
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - see above

    asked = text(
        "SELECT collation_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = 'registered_models' AND column_name = 'name'"
    )
    try:
        with create_engine(uri, poolclass=NullPool).connect() as connection:
            return str(connection.scalar(asked))
    except SQLAlchemyError as error:
        raise BackendError(
            f"The collation of {wording.redacted(uri)} cannot be read: {wording.first_line(error)}."
        ) from error


def try_writing(uri: str) -> None:
    """Change no row of a registry's database: who may not write is told so all the same.

    Raises:
        NotPermittedError: It may not be written.
    """
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - who asks pays
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - see above
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - see above

    try:
        with create_engine(uri, poolclass=NullPool).connect() as connection:
            connection.execute(text("UPDATE registered_models SET description = description WHERE 1 = 0"))
            connection.rollback()
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise NotPermittedError(
            f"The database {wording.redacted(uri)} takes nothing that is written: {wording.first_line(cause)}.",
            hint="may this user write it, and its folder where it is a file?",
        ) from error
