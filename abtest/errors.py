"""What can go wrong, grouped by what the caller does about it.

```
AbtestError
  InvalidInputError (ValueError)     mend the call or the data
    PolicyError                      the policy is malformed or contradicts itself
    LabelMismatchError               labels and predictions share no common type or classes
  NotFoundError (LookupError)        mend the name
    ModelNotFoundError               no such model, version, stage or alias
  NotPermittedError                  ask for the permission, or say who you are
  NotApplicableError                 a metric or test cannot be asked here: recorded as skipped, with the reason
  PromotionError                     look before trying again
    RefusedError                     the verdict or a guardrail does not allow it
    StaleChampionError               a side moved since the evaluation
    UnfinishedError                  another move of this model is under way, was cut off, or waits for approval
  BackendError                       try later; always raised from its cause
```

A verdict is data, never an exception.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class AbtestError(Exception):
    """Everything this package raises on purpose: one sentence, and a hint that can be acted on.

    Example:
        >>> str(AbtestError("alpha must be in (0, 1), got 1.5.", hint="try 0.05."))
        'alpha must be in (0, 1), got 1.5. Hint: try 0.05.'
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} Hint: {self.hint}" if self.hint else self.message


class InvalidInputError(AbtestError, ValueError):
    """Mend the call or the data."""


class PolicyError(InvalidInputError):
    """The policy is malformed or contradicts itself."""


class LabelMismatchError(InvalidInputError):
    """Labels and predictions share no common type or classes."""


class NotFoundError(AbtestError, LookupError):
    """Mend the name."""


class ModelNotFoundError(NotFoundError):
    """There is no such model, version, stage or alias."""


class NotPermittedError(AbtestError):
    """The server does not know who asks, or does not let them."""


class NotApplicableError(AbtestError):
    """A metric or test cannot be asked here; it is recorded as skipped, with the reason."""


class PromotionError(AbtestError):
    """Look before trying again."""


class RefusedError(PromotionError):
    """The verdict or a guardrail does not allow the promotion."""


class StaleChampionError(PromotionError):
    """A side moved in the registry since the evaluation."""


class UnfinishedError(PromotionError):
    """Another move of the same model is under way, was cut off, or waits for approval."""


class BackendError(AbtestError):
    """The registry, tracking server or store failed: try later. Always raised from its cause."""


def near(name: str, known: Iterable[str]) -> str | None:
    """Name the nearest known spelling as a hint, or nothing.

    Example:
        >>> near("acuracy", ["accuracy", "f1"]), near("IRIS", ["fruit", "iris"])
        ("did you mean 'accuracy'?", "did you mean 'iris'?")
    """
    spellings = list(known)
    close = difflib.get_close_matches(name, spellings, n=1)
    close += [spelling for spelling in spellings if spelling.casefold() == name.casefold()]
    return f"did you mean '{close[0]}'?" if close else None
