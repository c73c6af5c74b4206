"""A guardrail: a quantity that must not get worse by more than its margin, or must be large enough."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from abtest.errors import InvalidInputError, PolicyError, near
from abtest.labels import Label
from abtest.metrics.catalogue import TITLES, metric_names, unit

Mode: TypeAlias = Literal["proved-not-worse", "not-proved-worse", "improved"]
Severity: TypeAlias = Literal["block", "warn"]
MODES: tuple[Mode, ...] = get_args(Mode)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
ROWS, LATENCY, SIZE, ERROR_RATE = MEASURED = ("rows", "latency", "size", "error_rate")  # not metrics of the policy
EVERY = "*"
_WHY_NOT_ZERO = {
    "proved-not-worse": "no data can prove that there is no loss at all",
    "improved": "it would ask for nothing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """What must hold beside the rule.

    Attributes:
        metric: One of the policy's metrics; or "rows", the number of labelled rows; "latency", the time a prediction
            takes; "size", a model's bytes on disk; "error_rate", the share of predictions that failed in live traffic.
        class_: A class of the truth, or "*" for each of them; None for all rows. Spelled ``class`` in TOML.
        segment: "region=EU", or "region" for each of its values; None for all rows.
        margin: The harm tolerated, in the metric's own unit; for latency and size as a share of the champion's. For the
            mode "improved" the gain that is asked for.
        mode: "proved-not-worse": the interval excludes a loss beyond the margin, and what is not proved fails;
            "not-proved-worse": only a loss beyond the margin that is proved fails; "improved": the observed improvement
            is at least the margin.
        severity: "block", or "warn", which turns PROMOTE into CONDITIONAL; latency warns unless told to block.
        minimum: For "rows", how many there must be.

    Raises:
        PolicyError: A value is outside its range, or means nothing beside the others.

    Example:
        >>> Guardrail(metric="recall", class_="fraud", margin=0.02).mode
        'proved-not-worse'
        >>> Guardrail(metric="recall", margin=-0.02)
        Traceback (most recent call last):
        abtest.errors.PolicyError: margin must be at least 0, got -0.02. Hint: write the harm tolerated as a size: 0.02.
    """

    metric: str
    class_: Label | None = None
    segment: str | None = None
    margin: float | None = None
    mode: Mode | None = None
    severity: Severity | None = None
    minimum: int | None = None

    def __post_init__(self) -> None:
        if self.metric not in MEASURED:
            object.__setattr__(self, "metric", _spelled(self.metric))
        for name, known in (("mode", MODES), ("severity", SEVERITIES)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise PolicyError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}.", hint=near(str(value), known)
                )
        self._check_place()
        if self.metric == ROWS:
            self._check_rows()
        else:
            self._check_mode()
            self._check_margin()
        if self.severity is None:
            object.__setattr__(self, "severity", "warn" if self.metric == LATENCY else "block")

    def _check_place(self) -> None:
        segment: Any = self.segment  # from TOML it may be anything
        if segment is not None and (not isinstance(segment, str) or not self.segmentation or self.segment_value == ""):
            raise PolicyError(f"segment must be 'column' or 'column=value', got {self.segment!r}.")
        class_: Any = self.class_  # from TOML it may be anything
        if not (class_ is None or isinstance(class_, str | bool) or is_number(class_)):
            raise PolicyError(f"class must be text, a number, true or false, got {class_!r}.", hint='class = "fraud"')
        if self.class_ is not None and self.segment is not None:
            raise PolicyError("class and segment cannot be joined in one guardrail.", hint="write one for each.")
        if not (self.is_about_quality or self.metric == ROWS) and (self.class_ is not None or self.segment is not None):
            raise PolicyError(f"{self.metric} is measured over all rows: it has no class or segment.")
        if self.metric == "accuracy" and self.class_ is not None:
            raise PolicyError("accuracy has no class.", hint="the accuracy on a class's rows is its recall.")

    def _check_rows(self) -> None:
        if self.margin is not None or self.mode is not None:
            raise PolicyError("rows has a minimum, and neither margin nor mode.", hint="minimum = 1000")
        minimum: Any = self.minimum  # from TOML it may be anything
        if not isinstance(minimum, int) or isinstance(minimum, bool) or minimum < 1:
            raise PolicyError(f"minimum must be a whole number of rows from 1, got {minimum!r}.", hint="minimum = 1000")

    def _check_mode(self) -> None:
        if self.minimum is not None:
            raise PolicyError(f"minimum is for rows; {self.metric} has a margin.", hint="margin = 0.02")
        if not self.is_about_quality:
            if self.mode is not None:
                raise PolicyError(f"mode means nothing for {self.metric}, which is held to its margin as measured.")
        elif self.mode is None:
            object.__setattr__(self, "mode", "proved-not-worse")
        if self.margin is None and self.mode == "not-proved-worse":
            object.__setattr__(self, "margin", 0.0)

    def _check_margin(self) -> None:
        margin: Any = self.margin  # from TOML it may be anything
        if margin is None:
            raise PolicyError(f"a guardrail on {self.metric} needs a margin.", hint="margin = 0.02")
        if not is_number(margin):
            raise PolicyError(f"margin must be a number, got {margin!r}.", hint="margin = 0.02")
        object.__setattr__(self, "margin", float(margin))  # 1 and 1.0 are one margin, and one digest
        if margin < 0:
            raise PolicyError(
                f"margin must be at least 0, got {margin:g}.", hint=f"write the harm tolerated as a size: {-margin:g}."
            )
        if margin == 0 and self.mode in _WHY_NOT_ZERO:
            raise PolicyError(
                f"margin must be above 0 for {self.mode}: {_WHY_NOT_ZERO[self.mode]}.", hint="margin = 0.01 is 1 point."
            )
        if margin >= 1 and self._is_share:
            raise PolicyError(
                f"margin must be below 1, got {margin:g}.", hint=f"{margin / 100:g} is {margin:g} points."
            )

    @property
    def is_about_quality(self) -> bool:
        """Whether it reads a metric of the policy's."""
        return self.metric not in MEASURED

    @property
    def _is_share(self) -> bool:
        return self.metric == ERROR_RATE or (self.is_about_quality and unit(self.metric) == "share")

    @property
    def segmentation(self) -> str | None:
        """What tells its segments apart: the part of ``segment`` before the value."""
        return self.segment.partition("=")[0].strip() if self.segment is not None else None

    @property
    def segment_value(self) -> str | None:
        """The one value it is about; None for each of them."""
        if self.segment is None or "=" not in self.segment:
            return None
        return self.segment.partition("=")[2].strip()

    @classmethod
    def from_mapping(cls, data: object) -> Guardrail:
        """Read a TOML table; ``class`` is spelled so there.

        Raises:
            PolicyError: An unknown key, or a value that is not allowed.
        """
        if not isinstance(data, Mapping):
            raise PolicyError(f"a guardrail must be a table, got {data!r}.", hint="write [[policy.guardrails]].")
        known = [field.name.rstrip("_") for field in fields(cls)]
        for key in data:
            if key not in known:
                raise PolicyError(f"unknown key '{key}'; known are {', '.join(known)}.", hint=near(str(key), known))
        if "metric" not in data:
            raise PolicyError("a guardrail needs a metric.", hint='metric = "recall"')
        values: dict[str, Any] = {"class_" if key == "class" else key: value for key, value in data.items()}
        return cls(**values)


def is_number(value: object) -> bool:
    """Whether it is a finite number, and no boolean.

    Example:
        >>> is_number(2), is_number(float("nan")), is_number(True), is_number("2")
        (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _spelled(name: object) -> str:
    try:
        (spelled,) = metric_names([str(name)])
    except InvalidInputError:
        known = [*TITLES, *MEASURED]
        raise PolicyError(
            f"metric must be among {', '.join(known)}, got {name!r}.", hint=near(str(name), known)
        ) from None
    return spelled
