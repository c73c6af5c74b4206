"""What a check found, and where checks look."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from abtest import wording
from abtest.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from abtest.registry import RegistryClient


class State(StrEnum):
    """How it stands with what was looked at."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    OPTIONAL = "optional"
    """Missing, which matters to whoever needs it alone."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        state: How it stands.
        told: In one sentence, without anybody's password.
        hint: What to do about it.
        check: Which check found it.
    """

    state: State
    told: str
    hint: str | None = None
    check: str = ""

    def of(self, check: str) -> Finding:
        """The same, found by a check of that name, and fit to be shown."""
        return replace(self, check=check, told=_fit(self.told), hint=None if self.hint is None else _fit(self.hint))

    def to_dict(self) -> dict[str, Any]:
        """Spell it for JSON."""
        return {"check": self.check, **asdict(self), "state": str(self.state)}


def _fit(text: str) -> str:
    """Hide passwords, and what would steer a terminal: a path may hold it, or what a server says."""
    line = " ".join(wording.redacted(text).split())
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


class Asked:
    """Where to look, each of it found out when first needed.

    Args:
        folder: In and above which settings are looked for.
        environ: Variables.
        tracking_uri: As named on the command line, if it was; else that of the settings, else MLflow's default.
        registry_uri: Likewise.
        store: Likewise, the log of live traffic.
    """

    def __init__(
        self,
        *,
        folder: Path,
        environ: Mapping[str, str],
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
        store: str | None = None,
    ) -> None:
        self.folder, self.environ = folder, environ
        self._uris, self._store = (tracking_uri, registry_uri), store

    @cached_property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            InvalidInputError: They cannot be read.
        """
        return Settings.load(self.folder, self.environ)

    @cached_property
    def registry(self) -> RegistryClient:
        """The registry that commands would use here."""
        from abtest.registry import RegistryClient  # noqa: PLC0415 - MLflow, which may be what is broken

        known = self.settings.registry
        tracking, registry = self._uris
        return RegistryClient(tracking or known.get("tracking_uri"), registry or known.get("registry_uri"))

    @property
    def store(self) -> str | None:
        """The log of live traffic that was named, if one was."""
        return self._store or self.settings.live.get("store")
