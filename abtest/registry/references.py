"""How a user names a model: by stage, version, alias or URI."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from abtest.errors import InvalidInputError, near

STAGES = ("Production", "Staging", "Archived", "None")
LATEST = "latest"
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
