"""Which arm a unit belongs to: a pure function of experiment, salt and unit, the same on every server.

Inclusion and arm are hashed apart, so that raising inclusion adds units and never moves one that was assigned.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from abtest.errors import InvalidInputError
from abtest.labels import Side

_SEPARATOR = "\x1f"
_INCLUSION = "/inclusion"  # a salt of its own
_WHOLE = 2.0**64


def position(experiment: str, salt: str, unit: str) -> float:
    """Place a unit in [0, 1), as if at random but always in the same place.

    Args:
        experiment: The experiment's name.
        salt: Sets hashes apart that are about the same unit.
        unit: What is assigned: a user, a session, a request.

    Returns:
        The first eight bytes, big-endian, of SHA-256 over the three, as a share of 2⁶⁴.

    Example:
        >>> round(position("exp-a", "", "user-1"), 12), round(position("exp-a", "", "user-2"), 12)
        (0.416515532677, 0.770197011734)
    """
    digest = hashlib.sha256(_SEPARATOR.join((experiment, salt, unit)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) / _WHOLE


class Assigner:
    """Assigns units; what does not change from unit to unit is hashed once.

    Args:
        experiment: The experiment's name.
        salt: The experiment's.
        challenger_share: Of the units included, those that the challenger serves, in [0, 1].
        inclusion: Of all units, those that take part, in [0, 1].

    Raises:
        InvalidInputError: A share is outside [0, 1].

    Example:
        >>> half = Assigner("exp-a", "", challenger_share=0.5, inclusion=1.0)
        >>> half("user-1"), half("user-2")
        ('challenger', 'champion')
        >>> Assigner("exp-a", "", challenger_share=0.5, inclusion=0.0)("user-1") is None
        True
    """

    __slots__ = ("_arm", "_included", "challenger_share", "inclusion")

    def __init__(self, experiment: str, salt: str, *, challenger_share: float, inclusion: float) -> None:
        self.challenger_share = share_of(challenger_share, "challenger-share")
        self.inclusion = share_of(inclusion, "inclusion")
        self._arm = hashlib.sha256(f"{experiment}{_SEPARATOR}{salt}{_SEPARATOR}".encode())
        self._included = hashlib.sha256(f"{experiment}{_SEPARATOR}{salt}{_INCLUSION}{_SEPARATOR}".encode())

    def __call__(self, unit: str) -> Side | None:
        """Name a unit's arm; None where it takes no part."""
        name = unit.encode("utf-8", "surrogatepass")
        if self.inclusion < 1 and _place(self._included.copy(), name) >= self.inclusion:
            return None
        return "challenger" if _place(self._arm.copy(), name) < self.challenger_share else "champion"


def share_of(value: float, name: str) -> float:
    """Read a share.

    Raises:
        InvalidInputError: It is outside [0, 1].
    """
    if not 0 <= value <= 1:  # a NaN neither
        hint = f"{value / 100:g} means {value:g} %." if 1 < value <= 100 else None
        raise InvalidInputError(f"{name} must be in [0, 1], got {value:g}.", hint=hint)
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a request is to be: who answers it, and whether it counts.

    Attributes:
        arm: Who answers; in shadow mode always the champion.
        experiment: The experiment it takes part in; None where it takes no part.
        epoch: The experiment's epoch; None likewise.
        shadowed: Whether the challenger predicts too, off the request's path.
        sticky: Whether the request named its unit, which then has the same arm next time.
    """

    arm: Side = "champion"
    experiment: str | None = None
    epoch: int | None = None
    shadowed: bool = False
    sticky: bool = True


def _place(hasher: hashlib._Hash, name: bytes) -> float:
    hasher.update(name)
    return int.from_bytes(hasher.digest()[:8]) / _WHOLE
