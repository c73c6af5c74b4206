"""A connection to one registry, in the few words that the rest of the program uses."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import InvalidInputError, ModelNotFoundError, NotFoundError, near
from abtest.registry.probes import probe
from abtest.registry.versions import ModelOverview, ModelVersion, VersionDetails, chosen
from abtest.talking import all_pages, exists_already, is_invalid, is_missing, quoted, told_as_ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as MlflowVersion
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.models.model import ModelInfo

    from abtest.registry.references import Reference

_NO_RUNS = ("databricks-uc", "uc:")  # registries that are no tracking servers, too
_MODELS_A_PAGE = 1000  # the most that MLflow gives


class RegistryClient:
    """A connection to one MLflow registry and its tracking server.

    Args:
        tracking_uri: As MLflow takes it; MLflow's own default (``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db`` in
            this folder) when None.
        registry_uri: Where models are registered, if not at ``tracking_uri``.
    """

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        if not tracking_uri:
            import mlflow  # noqa: PLC0415 - an error in what was typed does not wait for MLflow

            registry_uri = registry_uri or mlflow.get_registry_uri()
            tracking_uri = mlflow.get_tracking_uri()
        self.tracking_uri = tracking_uri
        self.registry_uri = registry_uri or tracking_uri
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
            probe(uri)
        self._checked = True

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client for these URIs."""
        self.check()
        from mlflow import MlflowClient  # noqa: PLC0415 - see __init__

        with self._talking("opened"):
            return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)

    @cached_property
    def keeper(self) -> MlflowClient:
        """MLflow's client for records that belong to this registry, whichever tracking server is used beside it."""
        if self.registry_uri.startswith(_NO_RUNS):
            return self.client
        self.check()
        from mlflow import MlflowClient  # noqa: PLC0415 - see __init__

        with self._talking("opened"):
            return MlflowClient(tracking_uri=self.registry_uri, registry_uri=self.registry_uri)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make this MLflow's current registry for a while: loading a model resolves its URI there.

        Raises:
            NotFoundError, BackendError: See ``check``; left alone, MLflow would make an empty database.
        """
        self.check()
        import mlflow  # noqa: PLC0415 - see __init__

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

    def overview(self) -> tuple[ModelOverview, ...]:
        """Every registered model in a line, sorted by name: one request a thousand models, however many versions."""
        with self._talking("listed"):
            found = [
                ModelOverview(
                    name=model.name,
                    stages=_highest(model),
                    aliases={alias: int(version) for alias, version in sorted(model.aliases.items())},
                    description=model.description or None,
                    updated_at=_time(model.last_updated_timestamp),
                )
                for model in all_pages(self.client.search_registered_models, max_results=_MODELS_A_PAGE)
            ]
        return tuple(sorted(found, key=lambda model: model.name))

    def models(self) -> tuple[str, ...]:
        """Names of the registered models, sorted."""
        return tuple(model.name for model in self.overview())

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Versions of a model, ascending.

        Raises:
            ModelNotFoundError: No such model.
        """
        return tuple(details.version for details in self.details(name))

    def details(self, name: str) -> tuple[VersionDetails, ...]:
        """Versions of a model, ascending, with all that the registry knows of them.

        Raises:
            ModelNotFoundError: No such model.
        """
        aliases = self.aliases(name)
        with self._talking("read"):
            found = all_pages(self.client.search_model_versions, filter_string=_named(name))
            versions = [_details(version, aliases) for version in found if version.name == name]
        return tuple(sorted(versions, key=lambda details: details.version.version))

    def all_details(self) -> dict[str, tuple[VersionDetails, ...]]:
        """Versions of every model, ascending, by its name: a request a thousand models, and a few for all versions."""
        aliases = {model.name: model.aliases for model in self.overview()}
        found: dict[str, list[VersionDetails]] = {name: [] for name in aliases}
        with self._talking("read"):
            for version in all_pages(self.client.search_model_versions):
                known = aliases.get(version.name, {})  # none of a model that was made a moment ago
                found.setdefault(version.name, []).append(_details(version, known))
        return {
            name: tuple(sorted(versions, key=lambda details: details.version.version))
            for name, versions in found.items()
        }

    def aliases(self, name: str) -> dict[str, int]:
        """Aliases of a model and the versions they are on.

        Raises:
            ModelNotFoundError: No such model.
        """
        model = self._model(name)
        return {alias: int(version) for alias, version in sorted(model.aliases.items())}

    def model_tags(self, name: str) -> tuple[str | None, dict[str, str]]:
        """A model's own description and tags.

        Raises:
            ModelNotFoundError: No such model.
        """
        model = self._model(name)
        return model.description or None, dict(model.tags)

    def resolve(self, name: str, reference: Reference) -> ModelVersion:
        """Pin a stage, version or alias to one version.

        Raises:
            ModelNotFoundError: Nothing is there; the message says what is.
            InvalidInputError: Several versions are in the stage, or the stage is none of MLflow's.
        """
        return chosen(name, self.versions(name), reference)

    def location(self, version: ModelVersion) -> str:
        """Where the version's files are."""
        with self._talking("read"):
            return str(self.client.get_model_version_download_uri(version.name, str(version.version)))

    def model_info(self, uri: str) -> ModelInfo:
        """Read what a logged model is: its frameworks, its signature, its run.

        Raises:
            NotFoundError: There is no model.
        """
        import mlflow.models  # noqa: PLC0415 - only who registers pays for it

        with self.active(), told_as_ours(f"The model {uri} could not be read"):
            try:
                return mlflow.models.get_model_info(uri)
            except Exception as error:
                if not is_missing(error):
                    raise
                raise NotFoundError(
                    f"There is no model at {uri}.", hint="a model URI is runs:/<run>/<name>, models:/<id>, or a path."
                ) from error

    def download(self, version: ModelVersion, folder: Path) -> Path:
        """Copy a version's files to below a folder, and say where they are."""
        import mlflow.artifacts  # noqa: PLC0415 - only who downloads pays for it

        uri = self.location(version)
        told = f"The files of version {version.version} of '{version.name}' could not be read"
        with self.active(), told_as_ours(told):
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))

    def texts(self, version: ModelVersion, names: Sequence[str]) -> dict[str, str]:
        """Read small texts among a version's files; those that are not there are left out."""
        import mlflow.artifacts  # noqa: PLC0415 - only who reads them pays for it

        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # ours is the one progress bar
        uri = self.location(version).rstrip("/")
        told = f"The files of version {version.version} of '{version.name}' could not be read"
        with tempfile.TemporaryDirectory() as scratch, self.active(), told_as_ours(told):
            try:
                there = {it.path.rpartition("/")[2] for it in mlflow.artifacts.list_artifacts(artifact_uri=uri)}
            except Exception as error:
                if not is_missing(error):
                    raise
                there = set()
            found = {}
            for name in filter(there.__contains__, names):
                path = mlflow.artifacts.download_artifacts(artifact_uri=f"{uri}/{name}", dst_path=scratch)
                found[name] = Path(path).read_text(encoding="utf-8", errors="replace")
        return found

    def create_model(self, name: str) -> None:
        """Make a registered model without versions, where there is none of that name.

        Raises:
            InvalidInputError: MLflow takes no such name.
        """
        with self._talking("changed"):
            try:
                self.client.create_registered_model(name)
            except Exception as error:
                if is_invalid(error):
                    raise InvalidInputError(
                        f"name cannot be {name!r}: {wording.first_line(error)}.", hint="use letters, digits, - and _."
                    ) from error
                if not exists_already(error):
                    raise
        self._model(name)  # a database that takes another's name for this one would file versions nowhere

    def create_version(
        self,
        name: str,
        source: str,
        *,
        run_id: str | None,
        model_id: str | None,
        tags: Mapping[str, str],
        description: str | None,
    ) -> int:
        """Register files as a version of a model that is there, and give its number."""
        # MLflow looks a logged model up in its current registry, whatever its client was made for.
        with self.active(), self._talking("changed"):
            made = self.client.create_model_version(
                name, source, run_id, tags=dict(tags), description=description, model_id=model_id
            )
        return int(made.version)

    def set_stage(self, name: str, version: int, stage: str) -> None:
        """Put a version in a stage, and touch no other version."""
        with self._talking("changed"), warnings.catch_warnings():
            # MLflow has deprecated stages since 2.9 and keeps them; whoever uses them knows.
            warnings.filterwarnings("ignore", message=".*transition_model_version_stage.*", category=FutureWarning)
            self.client.transition_model_version_stage(name, str(version), stage, archive_existing_versions=False)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Put an alias on a version, wherever it was before."""
        with self._talking("changed"):
            self.client.set_registered_model_alias(name, alias, str(version))

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias; one that is not there is no error."""
        with self._talking("changed"):
            self.client.delete_registered_model_alias(name, alias)

    def set_tags(self, name: str, version: int | None, tags: Mapping[str, str]) -> None:
        """Tag a version, or the model itself."""
        with self._talking("changed"):
            for key, value in tags.items():
                if version is None:
                    self.client.set_registered_model_tag(name, key, value)
                else:
                    self.client.set_model_version_tag(name, str(version), key, value)

    def delete_tag(self, name: str, version: int | None, key: str) -> None:
        """Remove a tag of a version, or of the model itself."""
        with self._talking("changed"):
            if version is None:
                self.client.delete_registered_model_tag(name, key)
            else:
                self.client.delete_model_version_tag(name, str(version), key)

    def describe(self, name: str, version: int | None, description: str) -> None:
        """Describe a version, or the model itself."""
        with self._talking("changed"):
            if version is None:
                self.client.update_registered_model(name, description)
            else:
                self.client.update_model_version(name, str(version), description)

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version; MLflow takes its aliases with it, and keeps its files."""
        with self._talking("changed"):
            self.client.delete_model_version(name, str(version))

    def delete_model(self, name: str) -> None:
        """Delete a model with all its versions."""
        with self._talking("changed"):
            self.client.delete_registered_model(name)

    def _talking(self, done: str) -> contextlib.AbstractContextManager[None]:
        return told_as_ours(
            f"The registry {self} could not be {done}",
            hint="is it an MLflow server or database of a version that this MLflow can talk to?",
            anything=True,  # whatever a web server that is no MLflow makes it raise
            typed=done == "changed",
        )

    def _model(self, name: str) -> RegisteredModel:
        with self._talking("read"):
            try:
                found = self.client.get_registered_model(name)
            except Exception as error:
                # A name that MLflow does not take is no model's.
                if not is_missing(error) and not is_invalid(error):
                    raise
                raise self._no_model(name) from None
        if found.name != name:  # MySQL's own collations do not tell Iris from iris, and MLflow then loses versions
            raise self._no_model(name)
        return found

    def _no_model(self, name: str) -> ModelNotFoundError:
        known = self.models()
        if not known:
            return ModelNotFoundError(f"No registered model '{name}': {self} holds none.")
        listed = ", ".join(f"'{model}'" for model in known[:5]) + (f" and {len(known) - 5} more" if known[5:] else "")
        return ModelNotFoundError(
            f"No registered model '{name}' in {self}.", hint=near(name, known) or f"there are {listed}."
        )


def _named(name: str) -> str:
    """MLflow's filter for versions of a model: it cannot write both quotes, so one kind is matched by a wildcard."""
    if "'" in name and '"' in name:
        return "name LIKE '{}'".format(name.replace("'", "_"))
    return f"name={quoted(name)}"


def _details(version: MlflowVersion, aliases: Mapping[str, int]) -> VersionDetails:
    number = int(version.version)
    return VersionDetails(
        version=ModelVersion(
            name=version.name,
            version=number,
            run_id=version.run_id or None,
            stage=None if version.current_stage in (None, "None") else version.current_stage,
            aliases=tuple(alias for alias, on in aliases.items() if on == number),
        ),
        created_at=_time(version.creation_timestamp),
        created_by=version.user_id or None,
        updated_at=_time(version.last_updated_timestamp),
        description=version.description or None,
        tags=dict(version.tags),
        source=version.source or None,
        model_id=version.model_id or None,
    )


def _highest(model: RegisteredModel) -> dict[str, int]:
    stages: dict[str, int] = {}
    for version in model.latest_versions:
        stage = version.current_stage or "None"
        stages[stage] = max(int(version.version), stages.get(stage, 0))
    return stages


def _time(milliseconds: int | None) -> datetime:
    return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
