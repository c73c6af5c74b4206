"""MLflow's Model Registry: resolve, list, transition, alias, tag.

Every look-up pins what a user typed to a version number, once. Nothing here creates a registry: a database that is not
there, or holds no registry, is an error, because the user meant another one.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from abtest import wording
from abtest.errors import AbtestError, BackendError, InvalidInputError, ModelNotFoundError, NotFoundError, near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.store.entities import PagedList

STAGES = ("Production", "Staging", "Archived", "None")
LATEST = "latest"
T = TypeVar("T")
_PROBE_SECONDS = 5
# MLflow's own patience with a server that died is minutes; whoever wants it sets these.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>[^/@]+)|@(?P<alias>[^/@]+))")
_RUN_URI = re.compile(r"runs:/(?P<run_id>[^/]+)/.+")

ReferenceKind: TypeAlias = Literal["stage", "version", "alias", "uri"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How a user names a model: a stage, a version, an alias, or a URI.

    Example:
        >>> str(Reference(kind="stage", value="Production"))
        'stage Production'
    """

    kind: ReferenceKind
    value: str

    def __str__(self) -> str:
        return self.value if self.kind == "uri" else f"{self.kind} {self.value}"

    @classmethod
    def from_uri(cls, uri: str) -> tuple[str | None, Reference]:
        """Read a URI or path: the registered model it names, if any, and the reference within it.

        Example:
            >>> Reference.from_uri("models:/iris@champion")
            ('iris', Reference(kind='alias', value='champion'))
            >>> Reference.from_uri("models:/iris/3")[1].kind, Reference.from_uri("models:/iris/Staging")[1].kind
            ('version', 'stage')
        """
        match = _MODEL_URI.fullmatch(uri)
        if match is None:
            return None, cls(kind="uri", value=uri)
        if match["alias"]:
            return match["name"], cls(kind="alias", value=match["alias"])
        kind: ReferenceKind = "version" if match["version"].isdecimal() or match["version"] == LATEST else "stage"
        return match["name"], cls(kind=kind, value=match["version"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a registered model, as it stood when it was read."""

    name: str
    version: int
    run_id: str | None
    stage: str | None
    aliases: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.version} ({self.stage or 'None'})"


class Registry:
    """A connection to one MLflow registry and its tracking server.

    Args:
        tracking_uri: As MLflow takes it; MLflow's own default (``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db`` in
            this folder) when None.
        registry_uri: Where models are registered, if not at ``tracking_uri``.
    """

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        import mlflow  # noqa: PLC0415 - a command that needs no registry does not pay for MLflow

        self.tracking_uri = tracking_uri or mlflow.get_tracking_uri()
        self.registry_uri = registry_uri or (tracking_uri or mlflow.get_registry_uri())
        self._checked = False

    def __str__(self) -> str:
        return wording.redacted(self.registry_uri)

    def check(self) -> None:
        """Look whether the registry is there, once and within seconds.

        Raises:
            NotFoundError: The database does not exist, or holds no registry.
            BackendError: It does not answer.
        """
        if self._checked:
            return
        for uri in dict.fromkeys((self.registry_uri, self.tracking_uri)):
            if uri.startswith(("http://", "https://")):
                _probe_server(uri)
            elif uri.startswith("file:") or ":" not in uri:
                _probe_folder(uri)
            elif "://" in uri and not uri.startswith("databricks"):
                _probe_database(uri)
        self._checked = True

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client for these URIs."""
        from mlflow import MlflowClient  # noqa: PLC0415 - see __init__

        self.check()
        with _talking_to(self, "opened"):
            return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make this MLflow's current registry for a while: loading a model resolves its URI there.

        Raises:
            NotFoundError, BackendError: See ``check``; left alone, MLflow would make an empty database.
        """
        import mlflow  # noqa: PLC0415 - see __init__

        self.check()
        variables = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
        before = mlflow.get_tracking_uri() if variables["MLFLOW_TRACKING_URI"] else None  # a set one is a variable too
        mlflow.set_tracking_uri(self.tracking_uri)
        mlflow.set_registry_uri(self.registry_uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)  # type: ignore[arg-type] # None is how MLflow forgets one
            mlflow.set_registry_uri(variables["MLFLOW_REGISTRY_URI"] or "")
            for name, value in variables.items():  # MLflow writes both, and leaves one behind
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def models(self) -> tuple[str, ...]:
        """Names of the registered models, sorted."""
        with _talking_to(self, "listed"):
            return tuple(sorted(model.name for model in _all_pages(self.client.search_registered_models)))

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Versions of a model, ascending.

        Raises:
            ModelNotFoundError: No such model.
        """
        aliases = self.aliases(name)
        quote = '"' if "'" in name else "'"
        with _talking_to(self, "read"):
            found = _all_pages(self.client.search_model_versions, filter_string=f"name={quote}{name}{quote}")
        versions = (_version(version, aliases) for version in found if version.name == name)
        return tuple(sorted(versions, key=lambda version: version.version))

    def aliases(self, name: str) -> dict[str, int]:
        """Aliases of a model and the versions they are on.

        Raises:
            ModelNotFoundError: No such model.
        """
        with _talking_to(self, "read"):
            try:
                model = self.client.get_registered_model(name)
            except Exception as error:
                if not _is_missing(error):
                    raise
                raise self._no_model(name) from None
        return {alias: int(version) for alias, version in sorted(model.aliases.items())}

    def resolve(self, name: str, reference: Reference) -> ModelVersion:
        """Pin a stage, version or alias to one version.

        Raises:
            ModelNotFoundError: Nothing is there; the message says what is.
            InvalidInputError: Several versions are in the stage, or the stage is none of MLflow's.
        """
        versions = self.versions(name)
        if reference.kind == "stage":
            return _only_in_stage(name, versions, stage_name(reference.value))
        if reference.kind == "alias":
            return _with_alias(name, versions, reference.value)
        if reference.kind == "version":
            return _numbered(name, versions, reference.value)
        raise InvalidInputError(f"{reference.value} names no version of '{name}'.")

    def location(self, version: ModelVersion) -> str:
        """Where the version's files are."""
        with _talking_to(self, "read"):
            return str(self.client.get_model_version_download_uri(version.name, str(version.version)))

    def set_stage(self, name: str, version: int, stage: str) -> None:
        """Put a version in a stage, and touch no other version."""
        with _talking_to(self, "changed"), warnings.catch_warnings():
            # MLflow has deprecated stages since 2.9 and keeps them; whoever uses them knows.
            warnings.filterwarnings("ignore", message=".*transition_model_version_stage.*", category=FutureWarning)
            self.client.transition_model_version_stage(name, str(version), stage, archive_existing_versions=False)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Put an alias on a version, wherever it was before."""
        with _talking_to(self, "changed"):
            self.client.set_registered_model_alias(name, alias, str(version))

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias; one that is not there is no error."""
        with _talking_to(self, "changed"):
            self.client.delete_registered_model_alias(name, alias)

    def set_tags(self, name: str, version: int, tags: dict[str, str]) -> None:
        """Tag a version."""
        with _talking_to(self, "changed"):
            for key, value in tags.items():
                self.client.set_model_version_tag(name, str(version), key, value)

    def _no_model(self, name: str) -> ModelNotFoundError:
        known = self.models()
        if not known:
            return ModelNotFoundError(f"No registered model '{name}': {self} holds none.")
        listed = ", ".join(f"'{model}'" for model in known[:5]) + (f" and {len(known) - 5} more" if known[5:] else "")
        return ModelNotFoundError(
            f"No registered model '{name}' in {self}.", hint=near(name, known) or f"there are {listed}."
        )


def stage_name(stage: str) -> str:
    """Spell a stage as MLflow does.

    Raises:
        InvalidInputError: It is none of MLflow's stages.

    Example:
        >>> stage_name("production")
        'Production'
    """
    for known in STAGES:
        if stage.lower() == known.lower():
            return known
    raise InvalidInputError(
        f"stage must be one of {', '.join(STAGES)}, got {stage!r}.", hint=near(stage.capitalize(), STAGES)
    )


def is_version(text: str) -> bool:
    """Whether a text can name a version: a number, or ``latest``."""
    return text == LATEST or (text.isascii() and text.isdecimal())


def run_id_of(uri: str) -> str | None:
    """Read the run id out of a ``runs:/`` URI."""
    match = _RUN_URI.fullmatch(uri)
    return match["run_id"] if match else None


def inventory(versions: tuple[ModelVersion, ...]) -> str:
    """List versions with what they hold, for a message: the last five."""
    if not versions:
        return "it has no versions"
    shown = [
        f"{version}" + (f" @{', @'.join(version.aliases)}" if version.aliases else "") for version in versions[-5:]
    ]
    return (
        f"there {'is version' if len(shown) == 1 else 'are versions'} " + "…, " * bool(versions[:-5]) + ", ".join(shown)
    )


def _only_in_stage(name: str, versions: tuple[ModelVersion, ...], stage: str) -> ModelVersion:
    found = [version for version in versions if (version.stage or "None") == stage]
    if not found:
        raise ModelNotFoundError(f"No version of '{name}' is in stage {stage}.", hint=f"{inventory(versions)}.")
    if len(found) > 1:
        numbers = " and ".join(str(version.version) for version in found[-2:])
        rest = f"{', '.join(str(version.version) for version in found[:-2])}, " if found[:-2] else ""
        raise InvalidInputError(
            f"Versions {rest}{numbers} of '{name}' are all in stage {stage}, so it names no single model.",
            hint="archive all but one, or name a version.",
        )
    return found[0]


def _with_alias(name: str, versions: tuple[ModelVersion, ...], alias: str) -> ModelVersion:
    for version in versions:
        if alias in version.aliases:
            return version
    known = [alias for version in versions for alias in version.aliases]
    there = near(alias, known) or f"{inventory(versions)}."
    raise ModelNotFoundError(f"No version of '{name}' has the alias '{alias}'.", hint=there)


def _numbered(name: str, versions: tuple[ModelVersion, ...], text: str) -> ModelVersion:
    if text == LATEST and versions:
        return versions[-1]
    if not is_version(text):
        aliased = any(text in version.aliases for version in versions)
        hint = f"'{text}' is an alias: name it as one." if aliased else f"{inventory(versions)}."
        raise InvalidInputError(f"version must be a number, got {text!r}.", hint=hint)
    for version in versions:
        if version.version == int(text):
            return version
    number = text if text == LATEST else int(text)
    raise ModelNotFoundError(f"'{name}' has no version {number}.", hint=f"{inventory(versions)}.")


def _version(version: MlflowVersion, aliases: dict[str, int]) -> ModelVersion:
    number = int(version.version)
    return ModelVersion(
        name=version.name,
        version=number,
        run_id=version.run_id or None,
        stage=None if version.current_stage in (None, "None") else version.current_stage,
        aliases=tuple(alias for alias, on in aliases.items() if on == number),
    )


def _all_pages(search: Callable[..., PagedList[T]], **arguments: str) -> Iterator[T]:
    token = None
    while True:
        page = search(page_token=token, **arguments)
        yield from page
        token = page.token
        if not token:
            return


def _is_missing(error: Exception) -> bool:
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"


@contextlib.contextmanager
def _talking_to(registry: Registry, done: str) -> Iterator[None]:
    """Turn MLflow's failures into ours, from their cause."""
    try:
        yield
    except AbtestError:
        raise
    except Exception as error:  # whatever a store or a web server that is no MLflow makes MLflow raise
        raise BackendError(
            f"The registry {registry} could not be {done}: {wording.first_line(error)}.",
            hint="is it an MLflow server or database of a version that this MLflow can talk to?",
        ) from error


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
        raise BackendError(
            f"The registry {shown} cannot be opened: {wording.first_line(error)}.",
            hint="is the database up?",
        ) from error
    if not found:
        raise NotFoundError(f"{shown} is a database without an MLflow registry.", hint="is this the right database?")


def _refuse_no_file(path: Path, shown: str) -> None:
    """SQLite makes the file it does not find."""
    if not path.is_file():
        where = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise NotFoundError(
            f"There is no MLflow registry at {shown}: no such file{where}.",
            hint="give --tracking-uri, or try 'abtest demo'.",
        )
