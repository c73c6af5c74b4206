"""What is installed, reachable and missing here, with a hint for each.

Looking changes nothing: no database is made or upgraded, nothing is written, and each check is guarded, so that what is
broken is told however broken it is.

```
findings    Finding: what a check found · Asked: where it looks
installed   Python, libraries, and what optional parts lack
here        settings, the log of live traffic, the cache
registry    whether it answers, its schema, roles, moves and permissions
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from abtest import wording
from abtest.doctor import here, installed, registry
from abtest.doctor.findings import Asked, Finding, State
from abtest.errors import AbtestError

__all__ = ["CHECKS", "Asked", "Check", "Finding", "State", "examine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something to look at.

    Attributes:
        name: As it is shown.
        look: Says what it found; what it raises is a problem.
        needs: The check without which this one cannot be made.
    """

    name: str
    look: Callable[[Asked], Finding]
    needs: str | None = None


CHECKS = (
    Check(name="Python", look=installed.python),
    Check(name="libraries", look=installed.libraries),
    Check(name="settings", look=here.settings),
    Check(name="registry", look=registry.answers, needs="settings"),
    Check(name="schema", look=registry.schema, needs="registry"),
    Check(name="stages and aliases", look=registry.roles, needs="schema"),
    Check(name="moves", look=registry.moves, needs="schema"),
    Check(name="write access", look=registry.writing, needs="schema"),
    Check(name="artifacts", look=registry.artifacts, needs="schema"),
    Check(name="live log", look=here.live_log, needs="settings"),
    Check(name="cache", look=here.cache, needs="settings"),
    *(Check(name=part.name, look=part.look) for part in installed.PARTS),
)


def examine(asked: Asked, checks: Sequence[Check] = CHECKS) -> tuple[Finding, ...]:
    """Make every check; one whose ground is missing is skipped.

    Args:
        asked: Where to look.
        checks: Each after the one that it needs.

    Returns:
        A finding for each check, in their order.

    Example:
        >>> from pathlib import Path
        >>> found = examine(Asked(folder=Path("/"), environ={}, tracking_uri="sqlite:////none.db"))
        >>> [finding.told for finding in found if finding.check == "registry"]
        ['There is no MLflow registry at sqlite:////none.db: no such file.']
    """
    found: dict[str, Finding] = {}
    for check in checks:
        ground = found.get(check.needs or "")
        if ground is not None and ground.state in {State.PROBLEM, State.SKIPPED}:
            found[check.name] = Finding(State.SKIPPED, f"Not looked at, for want of: {check.needs}.", check=check.name)
        else:
            found[check.name] = _guarded(check, asked)
    return tuple(found.values())


def _guarded(check: Check, asked: Asked) -> Finding:
    try:
        return check.look(asked).of(check.name)
    except AbtestError as error:
        return Finding(State.PROBLEM, error.message, error.hint).of(check.name)
    except Exception as error:  # noqa: BLE001 - what a check stumbles over is what it found
        told = f"This could not be looked at: {type(error).__name__}: {wording.first_line(error)}."
        return Finding(State.PROBLEM, told).of(check.name)
