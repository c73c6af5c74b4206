"""What differs between two model versions besides their predictions: the columns they take, and what they run on."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from abtest import wording
from abtest.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlflow.types import Schema

    from abtest.labels import Side
    from abtest.registry import RegistryClient

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*(?P<version>[^;#]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a model's folder says about it.

    Attributes:
        inputs: Types by column, in order; None without a signature.
        outputs: Types by output column; None where the signature, or its part about outputs, is missing.
        packages: Versions by package as required, an empty one where any will do; None where they are not told.
        python: The version of Python; None where it is not told.
    """

    inputs: Mapping[str, str] | None
    outputs: Mapping[str, str] | None
    packages: Mapping[str, str] | None
    python: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What differs, in words; each is empty where nothing does.

    Attributes:
        added: Columns that only the challenger takes, with their types.
        removed: Columns that only the champion takes, with their types.
        retyped: Columns that both take, with both types.
        outputs: What they return, where that differs.
        packages: Packages required in other versions, or by one side only; Python among them.
        notices: What could not be compared, and why.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def describe(side: Side, uri: str, registry: RegistryClient | None = None) -> Description:
    """Read what a model's folder says, without loading the model.

    Args:
        side: Champion or challenger, for messages.
        uri: A URI or path that MLflow understands.
        registry: Where its name is looked up.

    Raises:
        InvalidInputError: Nothing that can be read is there.
    """
    if registry is None:
        return _described(side, uri)
    with registry.active():
        return _described(side, uri)


def differences(champion: Description, challenger: Description) -> Differences:
    """Tell two models apart by what their folders say.

    Example:
        >>> old = Description(inputs={"age": "long"}, outputs=None, packages={"numpy": "1.26.4"}, python="3.11.7")
        >>> new = Description(inputs={"age": "double", "city": "string"}, outputs=None, packages={}, python="3.11.7")
        >>> told = differences(old, new)
        >>> told.added, told.retyped, told.packages
        (('city: string',), ('age: long → double',), ('numpy 1.26.4: champion only',))
    """
    ours, theirs = champion.inputs, challenger.inputs
    ours_run, theirs_run = champion.packages, challenger.packages
    notices = (
        *_silent(ours, theirs, "has no signature, so columns are not compared."),
        *_silent(ours_run, theirs_run, "lists no requirements, so packages are not compared."),
    )
    if ours is None or theirs is None:
        ours = theirs = {}
    if ours_run is None or theirs_run is None:
        ours_run = theirs_run = {}
    return Differences(
        added=tuple(f"{name}: {kind}" for name, kind in theirs.items() if name not in ours),
        removed=tuple(f"{name}: {kind}" for name, kind in ours.items() if name not in theirs),
        retyped=tuple(
            f"{name}: {kind} → {theirs[name]}" for name, kind in ours.items() if theirs.get(name, kind) != kind
        ),
        outputs=_other_outputs(champion.outputs, challenger.outputs),
        packages=(*_other_pythons(champion.python, challenger.python), *_other_versions(ours_run, theirs_run)),
        notices=notices,
    )


def requirements(lines: Iterable[str]) -> dict[str, str]:
    """Read the lines of a ``requirements.txt``: versions by package, spelled as package indexes spell them.

    Example:
        >>> requirements(["Scikit_Learn==1.5.0  # pinned", "numpy>=1.26,<3", "mlflow", "--index-url x", ""])
        {'scikit-learn': '1.5.0', 'numpy': '>=1.26,<3', 'mlflow': ''}
    """
    found = {}
    for line in lines:
        text = line.strip()
        if not text or text.startswith(("#", "-")):  # options may hold credentials, and name no package
            continue
        match = _REQUIREMENT.match(text)
        if match is None or "://" in text.split("@", maxsplit=1)[0]:
            found[wording.redacted(text)] = ""  # a path or an address stands for itself
            continue
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        version = wording.redacted(re.sub(r"\s", "", match["version"]))
        found[name] = re.sub(r"^=+(?=[^,]*$)", "", version)
    return found


def _silent(champion: object, challenger: object, what: str) -> tuple[str, ...]:
    return tuple(
        f"The {side} {what}" for side, told in (("champion", champion), ("challenger", challenger)) if told is None
    )


def _described(side: Side, uri: str) -> Description:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # ours is the one progress bar
    import mlflow.models  # noqa: PLC0415 - only who compares models pays for MLflow

    if uri.startswith("file:"):  # which MLflow loads models from, and does not read about them
        uri = url2pathname(urlsplit(uri).path)
    try:
        info = mlflow.models.get_model_info(uri)
    except Exception as error:  # a store raises what it likes
        told = wording.redacted(wording.first_line(error))
        raise InvalidInputError(f"The {side} at {wording.redacted(uri)} cannot be read: {told}.") from error
    python = info.flavors.get("python_function", {}).get("python_version")
    signature = info.signature
    return Description(
        inputs=_columns(signature.inputs, "column") if signature else None,
        outputs=_columns(signature.outputs, "output") if signature else None,
        packages=_packages(uri),
        python=str(python) if python else None,
    )


def _columns(schema: Schema | None, noun: str) -> dict[str, str] | None:
    """Spell a schema's types by column; one without names counts its columns."""
    from mlflow.types import TensorSpec  # noqa: PLC0415 - see _described

    if schema is None:
        return None
    columns = {}
    for number, spec in enumerate(schema.inputs, start=1):
        if isinstance(spec, TensorSpec):
            kind = f"{spec.type} tensor of shape {spec.shape}"
        else:
            kind = getattr(spec.type, "name", str(spec.type)) + ("" if spec.required else ", may be missing")
        columns[str(spec.name or f"{noun} {number}")] = kind
    return columns


def _packages(uri: str) -> dict[str, str] | None:
    """Read what the model requires; None where its folder does not say."""
    text = _file(uri, "requirements.txt")
    if text is not None:
        return requirements(text.splitlines())
    text = _file(uri, "conda.yaml")  # all that models of old have
    if text is None:
        return None
    _, _, dependencies = text.partition("dependencies:")
    listed = (re.match(r"\s*- (.*[^:])$", line) for line in dependencies.splitlines())
    found = requirements(match[1].strip("\"' ") for match in listed if match)
    return {name: version for name, version in found.items() if name not in ("python", "pip")}


def _file(uri: str, name: str) -> str | None:
    """Read one file of a model's folder, which may be far away and large; None where it is not there."""
    import mlflow.artifacts  # noqa: PLC0415 - see _described

    with tempfile.TemporaryDirectory() as scratch:
        try:
            path = mlflow.artifacts.download_artifacts(f"{uri.rstrip('/')}/{name}", dst_path=scratch)
            return Path(path).read_text(encoding="utf-8")
        except Exception:  # noqa: BLE001 - each store has its own way to say that nothing is there
            return None


def _other_outputs(champion: Mapping[str, str] | None, challenger: Mapping[str, str] | None) -> tuple[str, ...]:
    if champion is None or challenger is None:
        return ()
    ours, theirs = (", ".join(f"{name}: {kind}" for name, kind in side.items()) for side in (champion, challenger))
    return (f"{ours} → {theirs}",) if ours != theirs else ()


def _other_pythons(champion: str | None, challenger: str | None) -> tuple[str, ...]:
    if champion is None or challenger is None or champion == challenger:
        return ()
    return (f"Python {champion} → {challenger}",)


def _other_versions(champion: Mapping[str, str], challenger: Mapping[str, str]) -> tuple[str, ...]:
    told = []
    for name in sorted({*champion, *challenger}):
        ours, theirs = champion.get(name), challenger.get(name)
        if theirs is None:
            told.append(f"{f'{name} {ours}'.strip()}: champion only")
        elif ours is None:
            told.append(f"{f'{name} {theirs}'.strip()}: challenger only")
        elif ours != theirs:
            told.append(f"{name} {ours or 'any'} → {theirs or 'any'}")
    return tuple(told)
