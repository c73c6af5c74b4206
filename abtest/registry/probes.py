"""Whether a registry is there, asked once and within seconds; nothing is ever created."""

from __future__ import annotations

import os
import re
from pathlib import Path

from abtest import wording
from abtest.errors import BackendError, InvalidInputError, NotFoundError, NotPermittedError

_PROBE_SECONDS = 5
# MLflow's own patience with a server that died is minutes; whoever wants it sets these.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
_REFUSED = re.compile(r"access denied|authentication|no password supplied|role .* does not exist", re.IGNORECASE)
_NO_SUCH = re.compile(r"unknown database|database .* does not exist|not a database", re.IGNORECASE)


def probe(uri: str) -> None:
    """Look whether a registry is there.

    Raises:
        NotFoundError: The database does not exist, or holds no registry.
        BackendError: It does not answer.
    """
    if uri.startswith(("http://", "https://")):
        _probe_server(uri)
    elif uri.startswith("file:") or ":" not in uri:
        _probe_folder(uri)
    elif "://" in uri and not uri.startswith("databricks"):
        _probe_database(uri)


def _probe_server(uri: str) -> None:
    """Ask once with a short time-out: MLflow's own retries take minutes to give up."""
    import requests  # noqa: PLC0415 - only an HTTP registry needs it

    for variable, value in _PATIENCE.items():
        os.environ.setdefault(variable, value)
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    verify = not insecure and (os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True)
    try:
        status = requests.get(uri.rstrip("/") + "/health", timeout=_PROBE_SECONDS, verify=verify).status_code
    except requests.exceptions.SSLError as error:
        raise BackendError(
            f"The registry {wording.redacted(uri)} has a certificate that is not trusted here.",
            hint="MLFLOW_TRACKING_SERVER_CERT_PATH names one to trust.",
        ) from error
    except requests.exceptions.RequestException as error:
        raise BackendError(
            f"The registry {wording.redacted(uri)} does not answer ({type(error).__name__}).",
            hint="is the MLflow server running there?",
        ) from error
    if status >= 500:
        raise BackendError(f"The registry {wording.redacted(uri)} answers with status {status}.", hint="try later.")


def _probe_folder(uri: str) -> None:
    folder = Path(uri.removeprefix("file://").removeprefix("file:"))
    if not folder.is_dir():
        raise NotFoundError(
            f"There is no MLflow registry at {uri}: no such folder.",
            hint="a database is written sqlite:///mlflow.db, a server http://host:5000.",
        )


def _probe_database(uri: str) -> None:
    from sqlalchemy import create_engine, inspect, make_url  # noqa: PLC0415 - only a database registry needs it
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError  # noqa: PLC0415 - see above
    from sqlalchemy.pool import NullPool  # noqa: PLC0415 - see above

    shown = wording.redacted(uri)
    waits = {"connect_timeout": _PROBE_SECONDS} if uri.startswith(("postgresql", "mysql")) else {}
    if uri.startswith(("mysql:", "mysql+pymysql:", "mysql+mysqldb:")):
        waits["read_timeout"] = _PROBE_SECONDS  # what takes the connection and says nothing is waited for without end
    try:
        url = make_url(uri)
        if url.get_backend_name() == "sqlite":
            _refuse_no_file(Path(url.database or ""), shown)
        engine = create_engine(uri, connect_args=waits, poolclass=NullPool)
        found = inspect(engine).has_table("registered_models")
    except (ArgumentError, ImportError) as error:
        raise InvalidInputError(
            f"tracking-uri {shown} cannot be used: {wording.first_line(error)}.",
            hint="write postgresql+psycopg2:// or mysql+pymysql://, with that driver installed.",
        ) from error
    except SQLAlchemyError as error:
        told = f"The registry {shown} cannot be opened: {wording.first_line(getattr(error, 'orig', None) or error)}."
        if _REFUSED.search(told):
            raise NotPermittedError(told, hint="check the user and the password in its URL.") from error
        hint = "is this the right database?" if _NO_SUCH.search(told) else "is the database up?"
        raise BackendError(told, hint=hint) from error
    if not found:
        raise NotFoundError(f"{shown} is a database without an MLflow registry.", hint="is this the right database?")


def _refuse_no_file(path: Path, shown: str) -> None:
    """SQLite makes the file it does not find."""
    if not path.is_file():
        where = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise NotFoundError(
            f"There is no MLflow registry at {shown}: no such file{where}.",
            hint="give --tracking-uri, or try 'abtest demo'; "
            "'mlflow db upgrade sqlite:///mlflow.db' makes an empty one.",
        )
