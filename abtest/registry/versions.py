"""Versions of a registered model as they stood when they were read, and which of them a reference names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from abtest.errors import InvalidInputError, ModelNotFoundError, near
from abtest.registry.references import LATEST, Reference, is_version, stage_name


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


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetails:
    """What the registry knows of a version beside where it stands.

    Attributes:
        version: It, as it stood when it was read.
        created_at: When it was registered, in UTC.
        created_by: Who registered it, where the server knows.
        updated_at: When its stage or description last changed; aliases and tags leave it as it is.
        description: As it was written.
        tags: All of them.
        source: Where its files came from.
        model_id: The logged model it was made from, if any.
    """

    version: ModelVersion
    created_at: datetime
    created_by: str | None
    updated_at: datetime
    description: str | None
    tags: Mapping[str, str]
    source: str | None
    model_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOverview:
    """A registered model in a line, as a listing tells it without asking for its versions.

    Attributes:
        name: Its name.
        stages: The highest version in each stage that holds one; "None" is a stage too.
        aliases: Aliases and the versions they are on.
        description: As it was written.
        updated_at: When it last changed, in UTC.
    """

    name: str
    stages: Mapping[str, int]
    aliases: Mapping[str, int]
    description: str | None
    updated_at: datetime

    @property
    def latest(self) -> int | None:
        """The highest version; None where there is none."""
        return max((*self.stages.values(), *self.aliases.values()), default=None)


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


def chosen(name: str, versions: tuple[ModelVersion, ...], reference: Reference) -> ModelVersion:
    """Choose the one version that a stage, version or alias names.

    Raises:
        ModelNotFoundError: Nothing is there; the message says what is.
        InvalidInputError: Several versions are in the stage, or the stage is none of MLflow's.
    """
    if reference.kind == "stage":
        return _only_in_stage(name, versions, stage_name(reference.value))
    if reference.kind == "alias":
        return _with_alias(name, versions, reference.value)
    if reference.kind == "version":
        return numbered(name, versions, reference.value)
    raise InvalidInputError(f"{reference.value} names no version of '{name}'.")


def numbered(name: str, versions: tuple[ModelVersion, ...], text: str) -> ModelVersion:
    """Choose a version by its number, or the latest.

    Raises:
        InvalidInputError: It is no number.
        ModelNotFoundError: There is no such version.
    """
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
