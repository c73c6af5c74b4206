"""Moves of stages and aliases as plain data, where they lead, and the plans that are made of them.

All of it is pure: a plan is made from what a registry held when it was read. The version that comes in comes in before
the other goes out, so at no moment is nothing in production.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from abtest.errors import InvalidInputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abtest.registry import ModelVersion, RegistryClient

PRODUCTION, STAGING, ARCHIVED, NONE = "Production", "Staging", "Archived", "None"
CHAMPION, CHALLENGER = "champion", "challenger"
ALIASES = {PRODUCTION: CHAMPION, STAGING: CHALLENGER}  # what a stage is called by whoever uses aliases


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of a stage or an alias, or the deletion of a version.

    Attributes:
        kind: What moves.
        name: The stage a version enters, or the alias; of a deletion, "deleted".
        version: The version that enters the stage, gets the alias, or goes; None where an alias is removed.
        before: The stage the version was in, or the version the alias was on; None where there was none.
    """

    kind: Literal["stage", "alias", "deletion"]
    name: str
    version: int | None
    before: str | None

    def __str__(self) -> str:
        if self.kind == "deletion":
            return f"version {self.version}: deleted"
        if self.kind == "stage":
            return f"version {self.version}: stage {self.before or NONE} → {self.name}"
        if self.version is None:
            return f"alias {self.name}: removed from version {self.before}"
        return f"alias {self.name}: version {self.before or 'none'} → {self.version}"

    def holds_in(self, versions: Sequence[ModelVersion]) -> bool:
        """Whether the registry already stands as after the move."""
        if self.kind == "deletion":
            return all(v.version != self.version for v in versions)
        if self.kind == "stage":
            return any(v.version == self.version and (v.stage or NONE) == self.name for v in versions)
        return alias_version(versions, self.name) == self.version

    def applies_in(self, versions: Sequence[ModelVersion]) -> bool:
        """Whether the registry stands as before the move, so that it may be made."""
        if self.kind == "alias":
            there = self.version is None or any(v.version == self.version for v in versions)
            return there and _text(alias_version(versions, self.name)) == self.before
        free = self.kind == "stage"  # what got an alias since is not deleted
        return any(
            v.version == self.version and (v.stage or NONE) == (self.before or NONE) and (free or not v.aliases)
            for v in versions
        )

    @property
    def inverse(self) -> Transition:
        """The move back.

        Raises:
            RefusedError: A deletion has none.
        """
        if self.kind == "deletion":
            raise RefusedError(f"Version {self.version} was deleted, which cannot be undone.")
        if self.kind == "stage":
            before = None if self.name == NONE else self.name
            return replace(self, name=self.before or NONE, before=before)
        number = None if self.before is None else int(self.before)
        return replace(self, version=number, before=_text(self.version))

    def apply(self, registry: RegistryClient, model: str) -> None:
        """Make the move.

        Raises:
            BackendError: It may have happened or not: look.
        """
        if self.kind == "deletion" and self.version is not None:
            registry.delete_version(model, self.version)
        elif self.kind == "stage" and self.version is not None:
            registry.set_stage(model, self.version, self.name)
        elif self.version is None:
            registry.delete_alias(model, self.name)
        else:
            registry.set_alias(model, self.name, self.version)

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return asdict(self)


Plan: TypeAlias = tuple[Transition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Which versions hold a model's roles: what history is made of.

    Attributes:
        production: Versions in stage Production.
        staging: Versions in stage Staging.
        champion: The version with that alias.
        challenger: The version with that alias.

    Example:
        >>> before = Standing(production=(1,), champion=1)
        >>> step = Transition(kind="stage", name="Production", version=2, before=None)
        >>> before.after([step])
        Standing(production=(1, 2), staging=(), champion=1, challenger=None)
        >>> str(before)
        'version 1 in Production, champion on version 1'
    """

    production: tuple[int, ...] = ()
    staging: tuple[int, ...] = ()
    champion: int | None = None
    challenger: int | None = None

    @classmethod
    def of(cls, versions: Sequence[ModelVersion]) -> Standing:
        """Read it off a registry's versions."""
        return cls(
            production=tuple(sorted(v.version for v in versions if v.stage == PRODUCTION)),
            staging=tuple(sorted(v.version for v in versions if v.stage == STAGING)),
            champion=alias_version(versions, CHAMPION),
            challenger=alias_version(versions, CHALLENGER),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Standing:
        """Read what ``to_dict`` wrote."""
        stages = {name: tuple(data[name]) for name in ("production", "staging")}
        return cls(**stages, champion=data["champion"], challenger=data["challenger"])

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return asdict(self)

    @property
    def serving(self) -> tuple[int, ...]:
        """Versions that are in production, by stage or by alias; several where the two disagree."""
        return tuple(sorted({*self.production, *([] if self.champion is None else [self.champion])}))

    def after(self, steps: Sequence[Transition]) -> Standing:
        """Where these moves lead."""
        return _Walk(self).through(steps)

    def __str__(self) -> str:
        told = [f"version {number} in {PRODUCTION}" for number in self.production]
        told += [f"version {number} in {STAGING}" for number in self.staging]
        told += [
            f"{alias} on version {number}"
            for alias, number in ((CHAMPION, self.champion), (CHALLENGER, self.challenger))
            if number is not None
        ]
        return ", ".join(told) or "nothing in production or staging"


class _Walk:
    """A standing under way."""

    def __init__(self, start: Standing) -> None:
        self._stages = {PRODUCTION: set(start.production), STAGING: set(start.staging)}
        self._aliases = {CHAMPION: start.champion, CHALLENGER: start.challenger}

    def through(self, steps: Sequence[Transition]) -> Standing:
        for step in steps:
            if step.kind == "alias":
                if step.name in self._aliases:
                    self._aliases[step.name] = step.version
                continue
            for members in self._stages.values():
                members.discard(step.version or 0)
            if step.kind == "stage" and step.name in self._stages:
                self._stages[step.name].add(step.version or 0)
            if step.kind == "deletion":
                self._aliases = {
                    alias: None if number == step.version else number for alias, number in self._aliases.items()
                }
        return Standing(
            production=tuple(sorted(self._stages[PRODUCTION])),
            staging=tuple(sorted(self._stages[STAGING])),
            champion=self._aliases[CHAMPION],
            challenger=self._aliases[CHALLENGER],
        )


def into_production(
    version: int, versions: Sequence[ModelVersion], *, archive: bool = True, stages: bool | None = None
) -> Plan:
    """Plan what makes a version the one that serves, moving only what the model uses.

    Args:
        version: Which.
        versions: All versions of the model, as the registry holds them.
        archive: Archive whatever else is in Production.
        stages: Whether stages move; by default if any version holds one.

    Returns:
        Transitions in the order in which they are safe; those that already hold are left out.

    Example:
        >>> from abtest.registry import ModelVersion
        >>> one = ModelVersion(name="m", version=1, run_id=None, stage="Production", aliases=("champion",))
        >>> two = ModelVersion(name="m", version=2, run_id=None, stage="Staging", aliases=("challenger",))
        >>> for step in into_production(2, [one, two]):
        ...     print(step)
        version 2: stage Staging → Production
        alias champion: version 1 → 2
        version 1: stage Production → Archived
        alias challenger: removed from version 2
    """
    return _entering(version, PRODUCTION, versions, archive=archive, stages=stages)


def into_stage(version: int, stage: str, versions: Sequence[ModelVersion], *, archive: bool = True) -> Plan:
    """Plan what puts a version into a stage that was named, or onto the alias that stands for it.

    A model that uses neither stages nor aliases gets the stage; one with aliases alone gets the alias, and no stage.

    Raises:
        RefusedError: The version is in production, and nothing would be there afterwards.
    """
    uses_stages, uses_aliases = _uses(versions)
    if stage in ALIASES:
        if stage == STAGING:
            _refuse_to_empty(version, versions, stage)
        return _entering(version, stage, versions, archive=archive, stages=uses_stages or not uses_aliases)
    _refuse_to_empty(version, versions, stage)
    return out_of_use(version, versions, stage)


def out_of_use(version: int, versions: Sequence[ModelVersion], stage: str = ARCHIVED) -> Plan:
    """Plan what takes a version out of every role, into Archived or into no stage."""
    uses_stages, _ = _uses(versions)
    held = _held(versions)
    steps = [
        Transition(kind="alias", name=alias, version=None, before=_text(version))
        for alias in (CHAMPION, CHALLENGER)
        if alias_version(versions, alias) == version
    ]
    if uses_stages:
        steps.append(Transition(kind="stage", name=stage, version=version, before=held.get(version)))
    return _left(steps, versions)


def onto_alias(version: int, alias: str, versions: Sequence[ModelVersion]) -> Plan:
    """Plan what puts an alias on a version."""
    on = alias_version(versions, alias)
    return _left([Transition(kind="alias", name=alias, version=version, before=_text(on))], versions)


def deletion(version: int, versions: Sequence[ModelVersion]) -> Plan:
    """Plan the deletion of a version.

    Raises:
        RefusedError: It is in Production, or has an alias.
    """
    it = next(v for v in versions if v.version == version)
    if it.stage == PRODUCTION:
        raise RefusedError(
            f"Version {version} of '{it.name}' is in {PRODUCTION}, so it is not deleted.",
            hint="promote another version first, or roll back.",
        )
    if it.aliases:
        raise RefusedError(
            f"Version {version} of '{it.name}' has the alias '{it.aliases[0]}', so it is not deleted.",
            hint="move the alias first.",
        )
    return (Transition(kind="deletion", name="deleted", version=version, before=it.stage),)


def migration(versions: Sequence[ModelVersion]) -> tuple[Plan, tuple[str, ...]]:
    """Plan what gives each staged version the alias that stands for its stage, and say where that cannot be.

    Returns:
        The transitions, and a sentence for each stage whose alias is left as it is.
    """
    steps, left = [], []
    for stage, alias in ALIASES.items():
        holders = [v.version for v in versions if v.stage == stage]
        on = alias_version(versions, alias)
        if len(holders) > 1:
            left.append(f"versions {', '.join(map(str, holders))} are all in {stage}: archive all but one")
        elif holders and on is None:
            steps.append(Transition(kind="alias", name=alias, version=holders[0], before=None))
        elif holders and on != holders[0]:
            left.append(f"version {holders[0]} is in {stage}, but the alias '{alias}' is on version {on}")
    return tuple(steps), tuple(left)


def alias_version(versions: Sequence[ModelVersion], alias: str) -> int | None:
    """The version an alias is on."""
    return next((version.version for version in versions if alias in version.aliases), None)


def spelled(steps: Sequence[Transition]) -> str:
    """Write moves, one a line."""
    return "\n".join(str(step) for step in steps)


def _entering(
    version: int, stage: str, versions: Sequence[ModelVersion], *, archive: bool, stages: bool | None
) -> Plan:
    if not any(v.version == version for v in versions):
        raise InvalidInputError(f"There is no version {version}.")
    moves_stages = _uses(versions)[0] if stages is None else stages
    held, alias = _held(versions), ALIASES[stage]
    on = alias_version(versions, alias)
    steps: list[Transition] = []
    if moves_stages:
        steps.append(Transition(kind="stage", name=stage, version=version, before=held.get(version)))
    if on is not None or not moves_stages:
        steps.append(Transition(kind="alias", name=alias, version=version, before=_text(on)))
    if archive:
        others = sorted(v.version for v in versions if v.stage == stage and v.version != version)
        steps += [Transition(kind="stage", name=ARCHIVED, version=other, before=stage) for other in others]
    # Last, since MLflow's basic authentication asks more of whoever removes an alias than of whoever moves one.
    if stage == PRODUCTION and alias_version(versions, CHALLENGER) == version:
        steps.append(Transition(kind="alias", name=CHALLENGER, version=None, before=_text(version)))
    return _left(steps, versions)


def _refuse_to_empty(version: int, versions: Sequence[ModelVersion], stage: str) -> None:
    standing = Standing.of(versions)
    if version in standing.serving:
        raise RefusedError(
            f"Version {version} is in production, and nothing would be there if it moved to {stage}.",
            hint="promote another version first, or roll back.",
        )


def _uses(versions: Sequence[ModelVersion]) -> tuple[bool, bool]:
    """Whether the model uses stages, and whether it uses the aliases that stand for them."""
    aliases = {alias for version in versions for alias in version.aliases}
    return any(version.stage for version in versions), bool(aliases & {CHAMPION, CHALLENGER})


def _held(versions: Sequence[ModelVersion]) -> dict[int, str | None]:
    return {version.version: version.stage for version in versions}


def _left(steps: Sequence[Transition], versions: Sequence[ModelVersion]) -> Plan:
    return tuple(step for step in steps if not step.holds_in(versions))


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
