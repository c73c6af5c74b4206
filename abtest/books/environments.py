"""Environments that versions were trained in, or ask for, and what differs between two of them and this one."""

from __future__ import annotations

import contextlib
import platform
import re
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from abtest import tracking, wording
from abtest.errors import NotFoundError
from abtest.record.traced import Environment
from abtest.tracking import PARENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.registry import ModelVersion, RegistryClient

How: TypeAlias = Literal["", "patch", "minor", "major", "other", "missing"]
WRITTEN = "environment.txt"  # what ``abtest train`` logs beside a model
_REQUIREMENTS, _PYTHON_ENV = "requirements.txt", "python_env.yaml"
_PYTHON = "python"
_PYTHON_LINE = re.compile(r"^python:\s*[\"']?([\w.]+)", re.MULTILINE)  # of python_env.yaml
_COMMENT = re.compile(r"(^|\s)#.*$")  # as pip reads it
_WORST: tuple[How, ...] = ("", "patch", "minor", "major", "other", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A library, or Python itself, in each environment.

    Attributes:
        library: Its name in its normal form.
        versions: Of each version's environment, as it is pinned or asked for; None where it is not named.
        here: What is installed here; None where it is not.
        between: How the versions' environments differ in it.
        from_here: How this one differs from them, the worst.
        unmet: Whether a version's model asks for it and what is here does not do.
    """

    library: str
    versions: tuple[str | None, ...]
    here: str | None
    between: How
    from_here: How
    unmet: bool

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.between or self.from_here or self.unmet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments:
    """Versions' environments beside each other, and beside this one.

    Attributes:
        model: The registered model.
        versions: Which versions.
        environments: Theirs; None where nothing is on record.
        python: Python itself.
        rows: Libraries: those that differ first, the worst of them first.
    """

    model: str
    versions: tuple[int, ...]
    environments: tuple[Environment | None, ...]
    python: Row
    rows: tuple[Row, ...]

    @property
    def unmet(self) -> tuple[Row, ...]:
        """What a model asks for and is not here."""
        return tuple(row for row in self.rows if row.unmet)

    @property
    def differing(self) -> tuple[Row, ...]:
        """What differs, Python first."""
        return tuple(row for row in (self.python, *self.rows) if row.differs)

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {
            "model_name": self.model,
            "versions": list(self.versions),
            "sources": [it.source if it else None for it in self.environments],
            "left_out": [list(it.left_out) if it else [] for it in self.environments],
            "python": _spelled(self.python),
            "libraries": [_spelled(row) for row in self.rows],
        }


def compared(registry: RegistryClient, versions: Sequence[ModelVersion]) -> Environments:
    """Read the environments of one model's versions, and hold them against each other and this one.

    Raises:
        BackendError: MLflow does not answer.
        NotFoundError: Nothing is on record of any.
    """
    found = tuple(environment_of(registry, it) for it in versions)
    name, numbers = versions[0].name, tuple(it.version for it in versions)
    if not any(found):
        raise NotFoundError(
            f"The environment of {wording.plural(len(numbers), 'version')} of '{name}' is not on record.",
            hint="'abtest train', and mlflow's log_model, write it down.",
        )
    names = sorted({library for it in found if it for library in (*it.libraries, *it.required)})
    rows = [_row(library, found, installed(library)) for library in names]
    rows.sort(key=lambda row: (not row.unmet, -_WORST.index(_worst((row.between, row.from_here))), row.library))
    pythons = tuple(f"=={it.python}" if it and it.python else None for it in found)
    here = platform.python_version()
    python = Row(
        library=_PYTHON,
        versions=tuple(it.python if it else None for it in found),
        here=here,
        between=_worst(difference(pythons[0], other) for other in pythons[1:]),
        from_here=_worst(difference(one, f"=={here}") for one in pythons),
        unmet=False,  # MLflow writes down the one it was trained with, and asks for none
    )
    return Environments(model=name, versions=numbers, environments=found, python=python, rows=tuple(rows))


def environment_of(registry: RegistryClient, version: ModelVersion) -> Environment | None:
    """Read a version's environment: what its run wrote down, else what its files ask for; None where neither is there.

    Raises:
        BackendError: MLflow does not answer.
    """
    files = registry.texts(version, (_REQUIREMENTS, _PYTHON_ENV))
    required, _, left_out = parsed(files.get(_REQUIREMENTS, ""))
    for run_id in _runs(registry, version):
        with contextlib.suppress(NotFoundError):
            text = tracking.read_artifact(registry.client, run_id, WRITTEN)
            libraries, python, unread = parsed(text)
            return Environment(
                source=f"{WRITTEN} of run {run_id}", python=python, libraries=libraries, whole=True,
                required=required, left_out=unread,
            )  # fmt: skip
    if not files:
        return None
    told = _PYTHON_LINE.search(files.get(_PYTHON_ENV, ""))
    source = f"{' and '.join(files)} of the model"
    return Environment(
        source=source, python=told[1] if told else None, libraries=required, whole=False, required=required,
        left_out=left_out,
    )  # fmt: skip


def _runs(registry: RegistryClient, version: ModelVersion) -> list[str]:
    """The run that logged it, and the training around that."""
    if version.run_id is None:
        return []
    with contextlib.suppress(NotFoundError):
        tags = tracking.get_run(registry.client, version.run_id).tags
        return [version.run_id, *([tags[PARENT]] if PARENT in tags else [])]
    return []


def parsed(text: str) -> tuple[dict[str, str], str | None, tuple[str, ...]]:
    r"""Read lines as pip takes them: libraries and what is asked of each, Python's version, and the lines left out.

    Example:
        >>> parsed("python==3.11.7\nScikit_Learn==1.9.0\npandas>=2,<3  # why not\n-r more.txt\n")
        ({'scikit-learn': '==1.9.0', 'pandas': '<3,>=2'}, '3.11.7', ('-r more.txt',))
    """
    libraries: dict[str, str] = {}
    python, left_out = None, []
    for line in text.splitlines():
        asked = _COMMENT.sub("", line).strip()
        if not asked:
            continue
        try:
            it = Requirement(asked)
        except InvalidRequirement:
            left_out.append(wording.redacted(asked))
            continue
        name = canonicalize_name(it.name)
        if name == _PYTHON:
            python = str(it.specifier).removeprefix("==")
        elif it.marker is None or it.marker.evaluate():
            libraries[name] = f"@ {wording.redacted(it.url)}" if it.url else str(it.specifier)
    return libraries, python, tuple(left_out)


def installed(library: str) -> str | None:
    """The version of a library in this Python; None where there is none."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _row(library: str, found: Sequence[Environment | None], here: str | None) -> Row:
    # What a whole environment lacks was not there; of one that tells what it asks for, nothing is known of the rest.
    versions = tuple(it.libraries.get(library) if it else None for it in found)
    lacks = [bool(it and it.whole and library not in it.libraries) for it in found]
    return Row(
        library=library,
        versions=tuple(None if it is None else it.removeprefix("==") or "any" for it in versions),
        here=here,
        between=_worst(
            difference(versions[0], other, lacks=(lacks[0], lack))
            for other, lack in zip(versions[1:], lacks[1:], strict=True)
        ),
        from_here=_worst(
            difference(one, None if here is None else f"=={here}", lacks=(False, here is None)) for one in versions
        ),
        unmet=any(it is not None and library in it.required and not met(it.required[library], here) for it in found),
    )


def met(asked: str, here: str | None) -> bool:
    """Whether an installed version is what is asked for; of an address nothing but that it is there is known.

    Example:
        >>> met("==1.9.0", "1.9.0"), met(">=2", "1.9"), met("", "0.1"), met("", None)
        (True, False, True, False)
    """
    if here is None:
        return False
    try:
        return asked.startswith("@") or SpecifierSet(asked).contains(Version(here), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False


def difference(one: str | None, other: str | None, *, lacks: tuple[bool, bool] = (False, False)) -> How:
    """Tell how two versions of a library differ: in which part of their numbers, or that one lacks it.

    Args:
        one: What is asked for, such as ``==1.2.3``; None where it is not named.
        other: Likewise.
        lacks: Whether either is known not to have it.

    Example:
        >>> difference("==1.2.3", "==1.2.4"), difference("==1.2", "==2.0"), difference("==1.2", "==1.2.0")
        ('patch', 'major', '')
        >>> difference(">=1", "==1.5"), difference(">=2", "==1.5"), difference("==1.2", None)
        ('', 'other', '')
    """
    if one is None or other is None:
        return "missing" if (one, other) != (None, None) and any(lacks) else ""
    first, second = _pinned(one), _pinned(other)
    if first is None or second is None:
        return "" if one == other or _allows(one, second) or _allows(other, first) else "other"
    if first == second:
        return ""
    for how, part in (("major", 0), ("minor", 1), ("patch", 2)):
        if _part(first, part) != _part(second, part) or first.epoch != second.epoch:
            return how  # type: ignore[return-value] # each is one of them
    return "other"  # a build, a release before or after


def _part(version: Version, at: int) -> int:
    return version.release[at] if at < len(version.release) else 0


def _pinned(asked: str) -> Version | None:
    if not asked.startswith("==") or "," in asked or "*" in asked:
        return None
    try:
        return Version(asked.lstrip("="))
    except InvalidVersion:
        return None


def _allows(asked: str, version: Version | None) -> bool:
    return version is not None and met(asked, str(version))


def _worst(found: Any) -> How:  # noqa: ANN401 - any iterable of them
    return max(found, key=_WORST.index, default="")


def _spelled(row: Row) -> Mapping[str, Any]:
    return {**asdict(row), "versions": list(row.versions), "differs": row.differs}
