"""Whether a verdict passes a gate: PROMOTE does, and what whoever set the gate accepts besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abtest.decision.reasons import Verdict
from abtest.errors import InvalidInputError, near

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ACCEPTABLE = ("conditional", "insufficient-evidence")  # nobody can ask a gate to pass KEEP_CHAMPION


def accepted(names: Iterable[str]) -> tuple[str, ...]:
    """Read what passes a gate beside PROMOTE, however it is spelled.

    Raises:
        InvalidInputError: It is no verdict that may pass.

    Example:
        >>> accepted(["CONDITIONAL", "insufficient_evidence"])
        ('conditional', 'insufficient-evidence')
    """
    if isinstance(names, str):
        names = names.split(",")
    read = tuple(str(name).strip().lower().replace("_", "-") for name in names)
    for name in read:
        if name not in ACCEPTABLE:
            raise InvalidInputError(
                f"accept must be among {', '.join(ACCEPTABLE)}, got {name!r}.", hint=near(name, ACCEPTABLE)
            )
    return read


def passes(verdict: Verdict, accept: Sequence[str] = ()) -> bool:
    """Whether a verdict passes a gate.

    Args:
        verdict: Which model should serve.
        accept: What passes beside PROMOTE, as ``accepted`` read it.

    Example:
        >>> passes(Verdict.PROMOTE), passes(Verdict.CONDITIONAL), passes(Verdict.CONDITIONAL, ["conditional"])
        (True, False, True)
    """
    return verdict is Verdict.PROMOTE or verdict.lower().replace("_", "-") in accept
