"""The one model that is asked: as it was named, pinned once, and loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from abtest import wording
from abtest.errors import InvalidInputError
from abtest.lifecycle.registering import find
from abtest.loaders.models import Model, from_object, from_uri
from abtest.loaders.references import pin
from abtest.record import ComparedModel
from abtest.registry import Reference, RegistryClient

if TYPE_CHECKING:
    from abtest.loaders.models import Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A model that is loaded, and where it comes from.

    Attributes:
        model: Loaded.
        name: The registered model; None of one outside the registry.
        named: How it was named, and what that was pinned to.
        registry: Where it was looked up; None where nothing was.
    """

    model: Model
    name: str | None
    named: ComparedModel
    registry: RegistryClient | None

    @property
    def told(self) -> str:
        """What a reader knows it by."""
        return f"{self.name} version {self.named.version}" if self.name else self.named.ref


def choose(
    model_name: str | None = None,
    *,
    reference: Reference | None = None,
    run_id: str | None = None,
    model_uri: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> Chosen:
    """Find the model that is meant, and load it.

    Args:
        model_name: The registered model.
        reference: Its version; None for the one in Production, else with the alias ``champion``.
        run_id: Instead: the run that logged it.
        model_uri: Instead: ``models:/…``, ``runs:/…``, or a path.
        tracking_uri: MLflow's tracking server.
        registry_uri: MLflow's registry, if it is elsewhere.

    Raises:
        InvalidInputError: Not exactly one model is named, or it does not load.
        NotFoundError: There is none.
    """
    if sum(it is not None for it in (model_name, run_id, model_uri)) != 1:
        raise InvalidInputError("Name one model.", hint="--model-name, --run-id or --model-uri.")
    if model_uri is not None:
        model_name, reference = Reference.from_uri(model_uri)
    if model_name is None and run_id is None and not needs_registry(model_uri, tracking_uri):
        return _outside(str(model_uri), None, None)
    registry = RegistryClient(tracking_uri, registry_uri)
    if run_id is not None:
        return _outside(find(registry, run_id=run_id, model_uri=None).uri, registry, run_id)
    if model_name is None:
        return _outside(str(model_uri), registry, None)
    pinned = pin(registry, model_name, "champion", reference)
    named = ComparedModel(
        ref=str(pinned.reference),
        version=pinned.version.version if pinned.version else None,
        run_id=pinned.run_id,
        uri=pinned.shown_uri,
    )
    return Chosen(model=_loaded(str(pinned.uri), registry), name=model_name, named=named, registry=registry)


def given(predictor: Predictor) -> Chosen:
    """Take an object that predicts.

    Raises:
        InvalidInputError: It has no ``predict``.
    """
    model = replace(from_object("champion", predictor), name="model")
    named = ComparedModel(ref=type(predictor).__name__, version=None, run_id=None, uri=None)
    return Chosen(model=model, name=None, named=named, registry=None)


def needs_registry(uri: str | None, tracking_uri: str | None) -> bool:
    """Whether a model by its URI is looked for in a registry; else it is a folder."""
    return tracking_uri is not None or str(uri).startswith(("models:/", "runs:/"))


def _outside(uri: str, registry: RegistryClient | None, run_id: str | None) -> Chosen:
    told = wording.redacted(f"run {run_id}" if run_id else uri)
    named = ComparedModel(ref=told, version=None, run_id=run_id, uri=wording.redacted(uri))
    where = uri if registry is not None else str(Path(uri).expanduser())
    return Chosen(model=_loaded(where, registry), name=None, named=named, registry=registry)


def _loaded(uri: str, registry: RegistryClient | None) -> Model:
    return replace(from_uri("champion", uri, registry), name="model")
