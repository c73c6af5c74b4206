"""Which model is meant: from what a user typed, or did not type, to two pinned versions.

Per side: the reference given; else the stage (Production, Staging); else the alias (``champion``, ``challenger``).
Where stage and alias name different versions nothing is guessed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from abtest import wording
from abtest.errors import AbtestError, InvalidInputError, ModelNotFoundError
from abtest.registry import ModelOverview, ModelVersion, Reference, inventory, is_version, run_id_of, stage_name
from abtest.registry.versions import chosen

if TYPE_CHECKING:
    from abtest.labels import Side
    from abtest.registry import RegistryClient

Read: TypeAlias = Callable[[str], tuple[ModelVersion, ...]]

BASELINE = "baseline"
_ENOUGH = 3  # models that fit: more than one is one too many
DEFAULT_STAGE: dict[Side, str] = {"champion": "Production", "challenger": "Staging"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A side, pinned once at the start.

    Attributes:
        reference: As it was named.
        version: The registered version it is; None for a model outside the registry, and for the baseline.
        uri: Where to load it from; None for the baseline.
    """

    reference: Reference
    version: ModelVersion | None
    uri: str | None

    @property
    def run_id(self) -> str | None:
        """The run that logged the model, where known."""
        return self.version.run_id if self.version else run_id_of(self.uri or "")

    @property
    def shown_uri(self) -> str | None:
        """The URI a reader can load it with."""
        return f"models:/{self.version.name}/{self.version.version}" if self.version else self.uri


def pin_sides(
    registry: RegistryClient | None, name: str | None, champion: Reference | None, challenger: Reference | None
) -> tuple[str | None, Pinned, Pinned]:
    """Pin both sides of a comparison.

    Args:
        registry: Where registered models are; None if neither side needs one.
        name: The registered model; inferred when exactly one has both references.
        champion: As given, or None for the default.
        challenger: As given, or None for the default.

    Returns:
        The registered model's name (None if there is none), the champion, the challenger.

    Raises:
        ModelNotFoundError: A side is not there; the message says what is.
        InvalidInputError: A reference is ambiguous, both sides are one version, or the name cannot be inferred.
    """
    given = {"champion": champion, "challenger": challenger}
    named = {side: _split(reference) for side, reference in given.items()}
    names = {found for found, _ in named.values() if found} | ({name} if name else set())
    if len(names) > 1 and name:
        raise InvalidInputError(f"model-name is '{name}' but a URI names {', '.join(sorted(names - {name}))}.")
    references = {side: reference for side, (_, reference) in named.items()}
    _refuse_malformed(references)
    read: Read = cache(lambda name: _present(registry).versions(name))  # asked once: both sides stand at one moment
    if not names and any(_needs_name(reference) for reference in references.values()):
        names = {_inferred(_present(registry), read, references["champion"], references["challenger"])}
    pinned: dict[Side, Pinned] = {}
    sides: tuple[Side, Side] = ("champion", "challenger")
    for side in sides:
        own_name = named[side][0] or (next(iter(names)) if len(names) == 1 else None)
        pinned[side] = _pin(registry, read, own_name, side, references[side])
    _refuse_same(pinned["champion"], pinned["challenger"])
    ours = pinned["challenger"].version or pinned["champion"].version
    return ours.name if ours else None, pinned["champion"], pinned["challenger"]


def pin(registry: RegistryClient, name: str, side: Side, reference: Reference | None) -> Pinned:
    """Pin one side alone, as it stands now; arguments and errors as of ``pin_sides``.

    Where one side is asked for, options are named without it: ``--stage``, not ``--champion-stage``.
    """
    try:
        return _pin(registry, registry.versions, name, side, reference)
    except AbtestError as error:
        error.hint = error.hint and error.hint.replace(f"--{side}-", "--")
        raise


def _split(reference: Reference | None) -> tuple[str | None, Reference | None]:
    return Reference.from_uri(reference.value) if reference and reference.kind == "uri" else (None, reference)


def _refuse_malformed(references: dict[str, Reference | None]) -> None:
    """Find a misspelt stage or version before any model is searched for one."""
    for side, reference in references.items():
        if reference and reference.kind == "stage":
            stage_name(reference.value)
        if reference and reference.kind == "version" and not is_version(reference.value):
            if reference.value != BASELINE:
                raise InvalidInputError(
                    f"{side}-version must be a number, got {reference.value!r}.",
                    hint=f"--{side}-alias {reference.value} names an alias.",
                )
            if side != "champion":
                raise InvalidInputError("challenger-version must be a number: only the champion can be the baseline.")


def _needs_name(reference: Reference | None) -> bool:
    return reference is None or not (reference.kind == "uri" or reference.value == BASELINE)


def _present(registry: RegistryClient | None) -> RegistryClient:
    if registry is None:
        raise InvalidInputError("A registered model needs a registry.", hint="give a tracking URI.")
    return registry


def _pin(
    registry: RegistryClient | None, read: Read, name: str | None, side: Side, reference: Reference | None
) -> Pinned:
    if reference and reference.kind == "uri":
        return Pinned(reference=reference, version=None, uri=reference.value)
    if reference and reference.kind == "version" and reference.value == BASELINE and side == "champion":
        alias = Reference(kind="alias", value=BASELINE)
        if name is None or BASELINE not in _present(registry).aliases(name):
            return Pinned(reference=Reference(kind="uri", value=BASELINE), version=None, uri=None)
        reference = alias
    registry = _present(registry)
    if name is None:
        raise InvalidInputError(f"model-name is needed to find the {side}.", hint="--model-name NAME")
    reference, version = _found(read(name), name, side, reference)
    return Pinned(reference=reference, version=version, uri=registry.location(version))


def _found(
    versions: tuple[ModelVersion, ...], name: str, side: Side, reference: Reference | None
) -> tuple[Reference, ModelVersion]:
    reference = reference or _default(name, versions, side)
    return reference, chosen(name, versions, reference)


def _default(name: str, versions: tuple[ModelVersion, ...], side: Side) -> Reference:
    """Choose the stage, else the alias; refuse where they name different versions."""
    stage = DEFAULT_STAGE[side]
    staged = [version for version in versions if version.stage == stage]
    aliased = [version for version in versions if side in version.aliases]
    by_stage, by_alias = Reference(kind="stage", value=stage), Reference(kind="alias", value=side)
    if staged and aliased and staged != aliased:
        numbers = " and ".join(str(version.version) for version in staged)
        held = f"version{'s' if len(staged) > 1 else ''} {numbers}"
        raise InvalidInputError(
            f"Stage {stage} of '{name}' holds {held} but alias '{side}' is on version {aliased[0].version}.",
            hint=f"say which with --{side}-stage {stage} or --{side}-alias {side}; "
            f"{wording.command('models', 'show', name)} tells whether a move was cut off.",
        )
    if staged:
        return by_stage
    if aliased:
        return by_alias
    raise ModelNotFoundError(
        f"'{name}' has no {side}: no version is in stage {stage} or has the alias '{side}'.",
        hint=f"{inventory(versions)}; name one with --{side}-version.",
    )


def _inferred(registry: RegistryClient, read: Read, champion: Reference | None, challenger: Reference | None) -> str:
    """Find the one registered model that has both references, without asking for the versions of all of them."""
    known = registry.overview()
    sides: dict[Side, Reference | None] = {"champion": champion, "challenger": challenger}
    candidates: list[str] = []
    for model in known:
        if len(candidates) < _ENOUGH and all(_may_have(model, side, sides[side]) for side in sides):
            with contextlib.suppress(ModelNotFoundError):
                for side, reference in sides.items():
                    # Ambiguous is found, too: pinning it by name will say how.
                    with contextlib.suppress(InvalidInputError):
                        if _needs_name(reference):
                            _found(read(model.name), model.name, side, reference)
                candidates.append(model.name)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        what = f"{len(known)} registered models, none with both references" if known else "no registered model"
        names = [model.name for model in known]
        listed = f" ({', '.join(names[:5])}{', …' if names[5:] else ''})" if names else ""
        raise ModelNotFoundError(
            f"{registry} holds {what}{listed}.", hint="name the model with --model-name, and each side if it differs."
        )
    more = " and maybe more" if len(candidates) == _ENOUGH else " all"
    raise InvalidInputError(
        f"model-name is needed: {', '.join(candidates)}{more} have both references.", hint="--model-name NAME"
    )


def _may_have(model: ModelOverview, side: Side, reference: Reference | None) -> bool:
    """Whether a look at the model's versions could find a reference."""
    if reference is None:
        return DEFAULT_STAGE[side] in model.stages or side in model.aliases
    if reference.kind == "stage":
        return stage_name(reference.value) in model.stages
    if reference.kind == "alias":
        return reference.value in model.aliases
    if reference.kind == "version" and reference.value.isdecimal():
        return model.latest is not None and int(reference.value) <= model.latest
    return True


def _refuse_same(champion: Pinned, challenger: Pinned) -> None:
    one, other = champion.version, challenger.version
    if one and other and (one.name, one.version) == (other.name, other.version):
        raise InvalidInputError(
            f"Both sides are version {one.version} of '{one.name}' "
            f"(champion: {champion.reference}, challenger: {challenger.reference}).",
            hint="name another challenger.",
        )
