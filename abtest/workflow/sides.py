"""The models of a comparison: as they were given, pinned once, and loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.loaders.models import Model, from_object, from_uri
from abtest.loaders.references import BASELINE, Pinned, pin_sides
from abtest.loaders.segments import columns_of
from abtest.record import ComparedModel
from abtest.registry import ModelVersion, Reference, RegistryClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abtest.labels import Side
    from abtest.loaders.datasets import Dataset
    from abtest.loaders.models import Predictor

    Given: TypeAlias = str | Path | Reference | Predictor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One model.

    Attributes:
        pin: What it was pinned to.
        model: Loaded; None for the baseline.
        compared: The same for the record.
    """

    pin: Pinned
    model: Model | None
    compared: ComparedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One challenger beside the champion.

    Attributes:
        model_name: The registered model, if there is one.
        champion: The serving side.
        challenger: The other.
    """

    model_name: str | None
    champion: Entrant
    challenger: Entrant

    @property
    def told(self) -> dict[Side, str]:
        """What MLflow's tags know both by."""
        return {"champion": self.champion.compared.told, "challenger": self.challenger.compared.told}

    def tried_as(self, number: int) -> str:
        """What the challenger's use of a test set is counted by: two without version and address are two."""
        told = self.challenger.compared.told
        return told if told.isdecimal() or "/" in told else f"challenger {number}"

    @property
    def uris(self) -> dict[Side, str]:
        """Where both were loaded from, as far as they were."""
        pins: dict[Side, Pinned] = {"champion": self.champion.pin, "challenger": self.challenger.pin}
        return {side: pin.uri for side, pin in pins.items() if pin.uri}

    @property
    def versions(self) -> tuple[ModelVersion, ...]:
        """The registered versions among them, as they stood when they were pinned."""
        return tuple(entrant.pin.version for entrant in (self.champion, self.challenger) if entrant.pin.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """All models of a comparison.

    Attributes:
        registry: Where they were looked up, if anywhere.
        pairs: Each challenger beside the one champion.
    """

    registry: RegistryClient | None
    pairs: tuple[Pair, ...]

    @property
    def champion(self) -> Model | None:
        """The champion; None for the baseline."""
        return self.pairs[0].champion.model

    @property
    def challengers(self) -> list[Model]:
        """The challengers."""
        return [pair.challenger.model for pair in self.pairs if pair.challenger.model is not None]

    @property
    def loaded(self) -> list[Model]:
        """All that predict."""
        return [*([self.champion] if self.champion else []), *self.challengers]


def gather(
    champion: Given,
    challengers: Sequence[Given],
    *,
    model_name: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
    log: bool,
) -> Models:
    """Pin every side and load it.

    Raises:
        AbtestError: A side is not there, is ambiguous, or does not load; or two challengers are the same.
    """
    given = [champion, *challengers]
    needed = bool(log or tracking_uri or registry_uri) or any(_needs_registry(one) for one in given)
    registry = RegistryClient(tracking_uri, registry_uri) if needed else None
    pairs: list[Pair] = []
    for one in challengers:
        ours = pairs[0].champion if pairs else None
        # Pinned once: whoever moves the champion meanwhile does not move it between two challengers.
        reference = _pinned(ours.pin) if ours else _reference(champion)
        name, pin, other = pin_sides(registry, model_name, reference, _reference(one))
        pairs.append(
            Pair(
                model_name=name,
                champion=ours or _entrant("champion", champion, pin, registry),
                challenger=_entrant("challenger", one, other, registry),
            )
        )
    _refuse_twice(pairs)
    for pair in pairs if len(pairs) > 1 else ():
        if pair.challenger.model is not None:
            pair.challenger.model.name = f"challenger {pair.challenger.compared.short}"
    if any(pair.challenger.model is None for pair in pairs):
        raise InvalidInputError("challenger must be a model, got baseline.")
    return Models(registry=registry, pairs=tuple(pairs))


def find_target(
    target: str | None, models: Models, data: Dataset, segments: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """Find the column with the truth: the one that is no segment and no model takes, else the last, said aloud.

    Raises:
        InvalidInputError: Several columns could be it, or none.
    """
    if target is not None:
        return target, ()
    features = [model.features for model in models.loaded]
    taken = {name for names in features for name in names or ()}
    aside = columns_of(segments, data.columns)
    left = [column for column in data.columns if column not in taken and column not in aside]
    if len(left) == 1:
        return left[0], ()
    if left and any(names is None for names in features):
        last = left[-1]
        return last, (f"The target is taken to be the last column, '{last}': a model has no column signature.",)
    if not left:
        raise InvalidInputError(
            f"{data.name} has no column beside the models' features, so none can be the target.",
            hint="--target names the column with the truth.",
        )
    raise InvalidInputError(
        f"target is needed: neither model takes the columns {', '.join(left)}.",
        hint=f"name the one with the truth, such as --target {left[-1]}.",
    )


def _entrant(side: Side, given: Given, pin: Pinned, registry: RegistryClient | None) -> Entrant:
    return Entrant(pin=pin, model=_load(side, given, pin, registry), compared=_compared(given, pin))


def _pinned(pin: Pinned) -> Reference:
    """Name a champion again that is pinned already."""
    if pin.version is not None:
        return Reference(kind="uri", value=f"models:/{pin.version.name}/{pin.version.version}")
    if pin.uri is None:
        return Reference(kind="version", value=BASELINE)
    return pin.reference


def _refuse_twice(pairs: Sequence[Pair]) -> None:
    seen: set[str | int] = set()
    for pair in pairs:
        it, version = pair.challenger, pair.challenger.pin.version
        name = it.compared.ref if version is None else f"version {version.version} of '{version.name}'"
        # Two objects of one kind have one name.
        key = name if version or it.compared.uri or it.model is None else id(it.model.predictor)
        if key in seen:
            raise InvalidInputError(f"The challengers name {name} twice.", hint="name each challenger once.")
        seen.add(key)


def _reference(given: Given) -> Reference | None:
    """Read what was given for a side; an object with ``predict`` is no reference, but stands where one would."""
    if given is None or isinstance(given, Reference):
        return given
    if given == BASELINE:
        return Reference(kind="version", value=BASELINE)
    if isinstance(given, str | Path):
        return Reference(kind="uri", value=str(given))
    return Reference(kind="uri", value=type(given).__name__)


def _is_object(given: Given) -> bool:
    return not (given is None or isinstance(given, str | Path | Reference))


def _needs_registry(given: Given) -> bool:
    """A path or an object needs no registry; everything else is looked up in one."""
    reference = _reference(given)
    if reference is None or (not _is_object(given) and reference.value.startswith(("models:/", "runs:/"))):
        return True
    return reference.kind != "uri" and reference.value != BASELINE


def _load(side: Side, given: Given, pin: Pinned, registry: RegistryClient | None) -> Model | None:
    if _is_object(given):
        return from_object(side, given)  # type: ignore[arg-type] # _is_object has looked
    if pin.uri is None:
        return None
    return from_uri(side, pin.uri, registry)


def _compared(given: Given, pin: Pinned) -> ComparedModel:
    version = pin.version.version if pin.version else None
    uri = None if _is_object(given) else pin.shown_uri
    return ComparedModel(
        ref=wording.redacted(str(pin.reference)),
        version=version,
        run_id=pin.run_id,
        uri=wording.redacted(uri) if uri else None,
    )
