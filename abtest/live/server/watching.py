"""What a server answers with, kept as the registry says: loaded aside, and swapped in one step.

A request takes one look at what serves and holds on to it, so that a swap in between drops nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from abtest.errors import AbtestError, BackendError, ModelNotFoundError
from abtest.live.serving.served import Served
from abtest.live.shadow.shadow import Shadow
from abtest.loaders.references import Pinned, pin
from abtest.registry import Reference
from abtest.talking import once

if TYPE_CHECKING:
    from collections.abc import Callable

    from abtest.labels import Side
    from abtest.live.experiment import Experiment
    from abtest.registry import RegistryClient

Load: TypeAlias = "Callable[[Side, Pinned], Served]"

_EVERY = 2.0  # seconds between two looks at the registry
_AGAIN = 30.0  # seconds after which a version that did not load is tried again
_PATIENCE = 5.0  # seconds; a thread that waits for the registry longer ends with the process
_logger = logging.getLogger(__name__)


class NotReadyError(BackendError):
    """No model is loaded yet."""


class Pace:
    """How long a model takes for one row, in seconds, as it was lately; None before it was asked."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds: float | None = None

    def note(self, seconds: float) -> None:
        """Note what one row took: the mean forgets, with a weight of 1/10 for the last."""
        self.seconds = seconds if self.seconds is None else 0.9 * self.seconds + 0.1 * seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that answers, and where it stood in the registry at the last look."""

    model: Served
    pinned: Pinned
    pace: Pace = field(default_factory=Pace)

    @property
    def version(self) -> int | None:
        """Its version; None of a model outside the registry."""
        return self.pinned.version.version if self.pinned.version else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadowing:
    """A challenger in shadow mode, and the experiment that it is of."""

    experiment: str
    shadow: Shadow


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a server answers with at one moment.

    Attributes:
        champion: What serves; None until it is loaded.
        challenger: Of the split that goes on; None without one, and until it is loaded.
        shadow: Of the experiment in shadow mode that goes on; None without one.
        trouble: Why this is not what the registry, or the experiment, says; None where it is.
    """

    champion: Loaded | None = None
    challenger: Loaded | None = None
    shadow: Shadowing | None = None
    trouble: str | None = None

    def ready(self) -> Loaded:
        """What serves.

        Raises:
            NotReadyError: No model is loaded yet.
        """
        if self.champion is None:
            raise NotReadyError("No model is loaded yet.", hint="try again in a moment.")
        return self.champion

    def version_in(self, experiment: Experiment | None) -> int | None:
        """The version that serves, for an experiment to be held against; None where it cannot be carried out here.

        That is until its challenger is there: without both sides nobody takes part.
        """
        if self.champion is None or experiment is None:
            return None
        if experiment.mode == "shadow":
            is_there = self.shadow is not None and self.shadow.experiment == experiment.name
        else:
            is_there = self.challenger is not None and self.challenger.version == experiment.challenger_version
        return self.champion.version if is_there else None


class Watcher:
    """Keeps what serves as the registry says, from a thread of its own.

    While the registry does not answer, or a version does not load, what served goes on.

    Args:
        registry: Where models are.
        load: Makes a model ready; it may take its time.
        name: The registered model; of no matter to a model by its URI.
        reference: Which version serves; None for the default.
        experiment: Tells the experiment that goes on.
        cast: Starts the shadow of an experiment.
        every: Seconds between two looks.

    Attributes:
        now: What serves; a request that asks twice should hold on to it.
        failures: Looks at the registry that failed.
        answered: Whether it answered at the last one.
    """

    def __init__(
        self,
        registry: RegistryClient,
        load: Load,
        *,
        name: str,
        reference: Reference | None,
        experiment: Callable[[], Experiment | None],
        cast: Callable[[Experiment], Shadow],
        every: float = _EVERY,
    ) -> None:
        self.now = Serving()
        self.failures = 0
        self.answered = True
        self._registry, self._load = registry, load
        self._name, self._reference = name, reference
        self._experiment = experiment
        self._cast = cast
        self._every = every
        self._failed: dict[tuple[str | None, int | None], tuple[float, AbtestError]] = {}
        self._told: frozenset[str] = frozenset()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="abtest-watcher", daemon=True)

    def start(self) -> None:
        """Look, again and again."""
        self._thread.start()

    def close(self) -> None:
        """Look no more, and end what goes on in a process of its own."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        if self.now.shadow is not None:
            self.now.shadow.shadow.close()

    def load_champion(self) -> None:
        """Load what is to serve first.

        Raises:
            AbtestError: It is not there, or does not load.
        """
        pinned = self._pin("champion", self._reference)
        self.now = replace(self.now, champion=Loaded(model=self._load("champion", pinned), pinned=pinned))

    def look(self) -> None:
        """Look once, and load what is to be loaded; does not raise."""
        trouble: dict[str, str] = {}
        champion = self._renewed("champion", self.now.champion, self._reference, trouble)
        if champion is not self.now.champion:
            self.now = replace(self.now, champion=champion)
        going_on = self._going_on(champion)
        challenger = self._challenger(going_on, trouble)
        before, shadow = self.now.shadow, self._shadow(going_on)
        self._tell(trouble)
        told = " ".join(trouble.values()) or None
        self.now = replace(self.now, challenger=challenger, shadow=shadow, trouble=told)
        if before is not None and before is not shadow:
            before.shadow.close()

    def _tell(self, trouble: dict[str, str]) -> None:
        """Log what is wrong once, not at every look."""
        for what, why in trouble.items():
            if what not in self._told:
                _logger.warning("%s", why)
        if self._told and not trouble:
            _logger.warning("What serves is what the registry says again.")
        self._told = frozenset(trouble)

    def _going_on(self, champion: Loaded | None) -> Experiment | None:
        """The experiment of what serves; one with another champion is stale."""
        found = self._experiment()
        return found if found and champion and found.champion_version == champion.version else None

    def _challenger(self, experiment: Experiment | None, trouble: dict[str, str]) -> Loaded | None:
        """The challenger that a split needs here."""
        if experiment is None or experiment.mode != "split":
            return None
        before = self.now.challenger
        if before is not None and before.version == experiment.challenger_version:
            return before  # a version never changes
        reference = Reference(kind="version", value=str(experiment.challenger_version))
        return self._renewed("challenger", None, reference, trouble)

    def _shadow(self, experiment: Experiment | None) -> Shadowing | None:
        """The shadow that an experiment needs here; it loads its model by itself."""
        if experiment is None or experiment.mode != "shadow":
            return None
        before = self.now.shadow
        if before is not None and before.experiment == experiment.name:
            return before
        return Shadowing(experiment=experiment.name, shadow=self._cast(experiment))

    def _renewed(
        self, side: Side, loaded: Loaded | None, reference: Reference | None, trouble: dict[str, str]
    ) -> Loaded | None:
        """Give a side as the registry says it is now; as it was, where that cannot be found out or does not load."""
        try:
            pinned = self._pin(side, reference)
        except AbtestError as error:
            self.failures += 1
            self.answered = isinstance(error, ModelNotFoundError)  # that there is none is an answer, too
            trouble[f"{side}: registry"] = str(error)
            return loaded
        self.answered = True
        if loaded is not None and _key(loaded.pinned) == _key(pinned):
            return loaded if loaded.pinned == pinned else replace(loaded, pinned=pinned)
        try:
            model = self._loaded(side, pinned)
        except AbtestError as error:
            trouble[f"{side}: {pinned.shown_uri}"] = str(error)
            return loaded
        _logger.info("Loaded %s as %s.", pinned.shown_uri, side)
        return Loaded(model=model, pinned=pinned)

    def _loaded(self, side: Side, pinned: Pinned) -> Served:
        """Load a version, unless it did not load a moment ago."""
        failed = self._failed.get(_key(pinned))
        if failed is not None and time.monotonic() - failed[0] < _AGAIN:
            raise failed[1]
        try:
            model = self._load(side, pinned)
        except AbtestError as error:
            self._failed[_key(pinned)] = (time.monotonic(), error)
            raise
        self._failed.pop(_key(pinned), None)
        return model

    def _pin(self, side: Side, reference: Reference | None) -> Pinned:
        if reference is not None and reference.kind == "uri":  # of a run: it stays what it is
            return Pinned(reference=reference, version=None, uri=reference.value)
        with once():  # a registry that is gone is asked again at the next look
            return pin(self._registry, self._name, side, reference)

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            try:
                self.look()
            except Exception:
                _logger.exception("A look at the registry failed unexpectedly.")


def _key(pinned: Pinned) -> tuple[str | None, int | None]:
    """What tells models apart: two versions may have the same files."""
    return pinned.uri, pinned.version.version if pinned.version else None
