"""What must hold for a promotion, as data.

The default is the share rule: a significant difference in accuracy, an accuracy that rose, and at least three quarters
of the metrics improved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from abtest.errors import InvalidInputError, PolicyError, near
from abtest.metrics.classification import metric_names
from abtest.stats.mcnemar import METHODS, McNemarMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rule a challenger is held to.

    Attributes:
        confidence: Of intervals and tests, in (0, 1); the level of the test is one minus it.
        method: McNemar's test in its "mid-p" (default), "exact" or continuity-corrected "chi2" form.
        metrics: What is computed and counted; accuracy is always among them.
        promote_share: Share of metrics improved that PROMOTE asks for, in (0, 1].
        conditional_share: Share of metrics improved that CONDITIONAL asks for, in (0, promote_share].

    Raises:
        PolicyError: A value is outside its range, or the values contradict each other.

    Example:
        >>> Policy(promote_share=0.9).promote_share
        0.9
        >>> Policy(confidence=95)
        Traceback (most recent call last):
        abtest.errors.PolicyError: confidence must be in (0, 1), got 95. Hint: 0.95 means 95 %.
    """

    confidence: float = 0.95
    method: McNemarMethod = "mid-p"
    metrics: tuple[str, ...] = ("accuracy", "precision", "recall", "f1")
    promote_share: float = 0.75
    conditional_share: float = 0.50

    def __post_init__(self) -> None:
        for name in ("confidence", "promote_share", "conditional_share"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise PolicyError(f"{name} must be a number, got {value!r}.")
        if not 0 < self.confidence < 1:
            hint = f"{self.confidence / 100:g} means {self.confidence:g} %." if 1 < self.confidence < 100 else None
            raise PolicyError(f"confidence must be in (0, 1), got {self.confidence:g}.", hint=hint)
        if self.method not in METHODS:
            raise PolicyError(
                f"method must be one of {', '.join(METHODS)}, got {self.method!r}.",
                hint=near(str(self.method), METHODS),
            )
        if not 0 < self.promote_share <= 1:
            raise PolicyError(f"promote_share must be in (0, 1], got {self.promote_share:g}.")
        if not 0 < self.conditional_share <= self.promote_share:
            raise PolicyError(
                f"conditional_share must be in (0, promote_share = {self.promote_share:g}], "
                f"got {self.conditional_share:g}."
            )
        object.__setattr__(self, "metrics", self._spelled_metrics())

    def _spelled_metrics(self) -> tuple[str, ...]:
        given: Any = self.metrics  # from TOML it may be anything
        if not isinstance(given, tuple | list) or not all(isinstance(name, str) for name in given):
            raise PolicyError(f"metrics must be a list of names, got {given!r}.")
        try:
            names = metric_names(self.metrics)
        except InvalidInputError as error:
            raise PolicyError(error.message, hint=error.hint) from None
        if "accuracy" not in names:
            raise PolicyError("metrics must contain accuracy, on which the test is.", hint="add 'accuracy' to metrics.")
        return names

    @property
    def alpha(self) -> float:
        """Level of the test."""
        return round(1 - self.confidence, 12)  # 1 - 0.95 is 0.05, not 0.050000000000000044

    @property
    def digest(self) -> str:
        """Sixteen hex digits that name this policy's content."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, source: str = "policy") -> Policy:
        """Read a policy from a TOML table, refusing keys that mean nothing.

        Raises:
            PolicyError: An unknown key, or a value that is not allowed; ``source`` names the file.
        """
        if not isinstance(data, Mapping):
            raise PolicyError(f"{source} must be a table, got {data!r}.", hint="write [policy].")
        known = [field.name for field in fields(cls)]
        for key in data:
            if key not in known:
                raise PolicyError(
                    f"{source}: unknown key '{key}'; known are {', '.join(known)}.", hint=near(key, known)
                )
        values = dict(data)
        if isinstance(values.get("metrics"), list):
            values["metrics"] = tuple(values["metrics"])
        try:
            return cls(**values)
        except PolicyError as error:
            raise PolicyError(f"{source}: {error.message}", hint=error.hint) from None
