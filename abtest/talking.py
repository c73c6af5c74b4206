"""How MLflow is talked to: every page of an answer, its failures told as ours, and a request sent once."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any, TypeVar

from abtest import wording
from abtest.errors import AbtestError, BackendError, InvalidInputError, NotPermittedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow.store.entities import PagedList

T = TypeVar("T")
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_SCHEMA = re.compile(r"database schema \(found version (\w+), but expected (\w+)\)")


def all_pages(search: Callable[..., PagedList[T]], **arguments: Any) -> Iterator[T]:  # noqa: ANN401 - whatever that search takes
    """Every result of one of MLflow's searches, page after page."""
    token = None
    while True:
        page = search(page_token=token, **arguments)
        yield from page
        token = page.token
        if not token:
            return


def quoted(value: str) -> str:
    r"""Quote a text for one of MLflow's filters, which know both kinds of quotes and no escape for either.

    Example:
        >>> quoted("iris"), quoted("anna's")
        ("'iris'", '"anna\'s"')
    """
    return f'"{value}"' if "'" in value else f"'{value}'"


def is_missing(error: Exception) -> bool:
    """Whether MLflow says that there is no such thing."""
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"


def is_invalid(error: Exception) -> bool:
    """Whether MLflow says that what it was given cannot be."""
    return getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE"


def exists_already(error: Exception) -> bool:
    """Whether MLflow says that there is such a thing already."""
    return getattr(error, "error_code", None) == "RESOURCE_ALREADY_EXISTS"


@contextlib.contextmanager
def told_as_ours(what: str, *, hint: str | None = None, anything: bool = False, typed: bool = False) -> Iterator[None]:
    """Turn the failures of MLflow, and of the stores behind it, into ours.

    Args:
        what: The beginning of the sentence, such as "The registry X could not be read".
        hint: Of a failure that is nobody's permission.
        anything: Whatever is raised is MLflow's, since nothing else runs within.
        typed: MLflow is given what a user typed, so that what it does not take is theirs to mend.

    Raises:
        NotPermittedError: The server knows who asks and says no, or does not know who asks.
        InvalidInputError: MLflow does not take what was typed.
        BackendError: Anything else that MLflow raises.
    """
    try:
        yield
    except AbtestError:
        raise
    except Exception as error:
        if not anything and not _is_foreign(error):
            raise
        if typed and is_invalid(error):
            raise InvalidInputError(f"{what}: {wording.first_line(error)}.") from error
        told = f"{what}: {wording.first_line(error)}."
        known = refusal(error, what) or _of_schema(error, what)
        raise known or BackendError(told, hint=_of_letters(error) or hint) from error


def _of_schema(error: Exception, what: str) -> BackendError | None:
    """A database of another MLflow: MLflow's own advice, to upgrade it, is wrong of a newer one."""
    found = _SCHEMA.search(str(error))
    if not found:
        return None
    told = f"{what}: it is of another MLflow (its schema is {found[1]}, this one's is {found[2]})."
    return BackendError(told, hint="'abtest doctor' says which of the two is older, and what to do.")


def _of_letters(error: Exception) -> str | None:
    """What helps a database that was made for the letters of one country."""
    if "Incorrect string value" not in str(error):
        return None
    return "this MySQL database keeps no such letter: make it anew, CHARACTER SET utf8mb4 COLLATE utf8mb4_bin."


def _is_foreign(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - who talks to MLflow has imported it

    # Object stores raise what they like; botocore's errors share no base with anybody's.
    stores = ("boto", "google", "azure")
    return isinstance(error, MlflowException | OSError) or type(error).__module__.startswith(stores)


def refusal(error: Exception, what: str) -> NotPermittedError | None:
    """Read a server's 401 or 403, which tell two different things to do."""
    status = getattr(getattr(error, "response", None), "status_code", None)  # of a file that was asked for by itself
    code = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}.get(status or 0) or getattr(error, "error_code", None)
    who = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if code == "UNAUTHENTICATED":
        told = f"it does not accept the user '{who}' with this password" if who else "it asks who you are"
        return NotPermittedError(
            f"{what}: {told} (401).",
            hint="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
        )
    if code == "PERMISSION_DENIED" and "Invalid Host header" in str(error):
        return NotPermittedError(
            f"{what}: the server does not answer to this host name (403).",
            hint="it has to be started with --allowed-hosts and this name.",
        )
    if code == "PERMISSION_DENIED":
        told = f"the user '{who}' may not" if who else "you may not"
        return NotPermittedError(f"{what}: {told} (403).", hint="ask whoever manages the server for the permission.")
    return None


@contextlib.contextmanager
def once() -> Iterator[None]:
    """Make MLflow send each request a single time.

    By default it sends one again whose answer was lost, whatever it asks for. A move that may have happened is to be
    looked at first.
    """
    before = os.environ.get(_RETRIES)
    os.environ[_RETRIES] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_RETRIES]
        else:
            os.environ[_RETRIES] = before
