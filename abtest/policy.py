"""What must hold for a promotion, as data: a rule, and the guardrails around it.

The default is the share rule: a significant difference in accuracy, an accuracy that rose, and at least three quarters
of the metrics improved. ``non-inferior`` asks of one metric that it is not worse by more than a margin, ``primary``
that it is better, by more than a margin if there is one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from abtest.errors import InvalidInputError, PolicyError, near
from abtest.guardrail import ROWS, Guardrail, is_number
from abtest.metrics.catalogue import ALIASES, DECISIVE, DEFAULTS, in_text, metric_names, task_of, unit
from abtest.metrics.classification import CATALOGUE
from abtest.metrics.costs import COST
from abtest.metrics.regression import METRICS
from abtest.reuse import REUSES, Reuse
from abtest.stats.mcnemar import METHODS, McNemarMethod

if TYPE_CHECKING:
    from abtest.labels import Task

Rule: TypeAlias = Literal["share", "non-inferior", "primary"]
RULES: tuple[Rule, ...] = get_args(Rule)
Costs: TypeAlias = Mapping[str, Mapping[str, float]]
_MARGIN_THAT_MATTERS = 0.01  # where nobody says otherwise
_SHARE_KEYS, _ONE_METRIC_KEYS = ("promote_share", "conditional_share"), ("primary",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a challenger is held to.

    Attributes:
        rule: "share" of the metrics improved (default), or of the primary metric "non-inferior" or "primary".
        confidence: Of intervals and tests, in (0, 1); the level of the test is one minus it.
        method: McNemar's test in its "mid-p" (default), "exact" or continuity-corrected "chi2" form.
        metrics: What is computed and counted; accuracy is always among them, cost where there are costs. Of a
            regression: RMSE, MAE, R² and bias, and RMSE is always among them.
        promote_share: Share of metrics improved that PROMOTE asks for, in (0, 1]; of the share rule.
        conditional_share: Share of metrics improved that CONDITIONAL asks for, in (0, promote_share].
        primary: The one metric of the other rules; by default accuracy, and RMSE of a regression.
        margin: The smallest effect that matters, in the metric's own unit: the harm that "non-inferior" tolerates, the
            gain that "primary" asks for, and what "rows needed" plans for.
        guardrails: What must not get worse; they can only make a verdict less favourable.
        reuse: What another use of a test set does: "warn" says so, "spend" tests each use at a smaller level, "refuse"
            allows one. Uses are counted in MLflow.
        costs: Cost of predicting j when the truth is i, as ``costs[i][j]``; makes the metric "cost".

    Raises:
        PolicyError: A value is outside its range, or the values contradict each other.

    Example:
        >>> Policy(promote_share=0.9).promote_share
        0.9
        >>> Policy(confidence=95)
        Traceback (most recent call last):
        abtest.errors.PolicyError: confidence must be in (0, 1), got 95. Hint: 0.95 means 95 %.
    """

    rule: Rule = "share"
    confidence: float = 0.95
    method: McNemarMethod = "mid-p"
    metrics: tuple[str, ...] = ()
    promote_share: float = 0.75
    conditional_share: float = 0.50
    primary: str = ""
    margin: float | None = None
    guardrails: tuple[Guardrail, ...] = ()
    costs: Costs = field(default_factory=dict, hash=False)
    reuse: Reuse = "warn"

    def __post_init__(self) -> None:
        for name in ("confidence", "promote_share", "conditional_share"):
            value = getattr(self, name)
            if not is_number(value):
                raise PolicyError(f"{name} must be a number, got {value!r}.")
            object.__setattr__(self, name, float(value))  # 1 and 1.0 are one policy, and one digest
        if not 0 < self.confidence < 1:
            hint = f"{self.confidence / 100:g} means {self.confidence:g} %." if 1 < self.confidence < 100 else None
            raise PolicyError(f"confidence must be in (0, 1), got {self.confidence:g}.", hint=hint)
        for name, known in (("method", METHODS), ("rule", RULES), ("reuse", REUSES)):
            value = getattr(self, name)
            if value not in known:
                raise PolicyError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}.", hint=near(str(value), known)
                )
        if not 0 < self.promote_share <= 1:
            raise PolicyError(f"promote_share must be in (0, 1], got {self.promote_share:g}.")
        if not 0 < self.conditional_share <= self.promote_share:
            raise PolicyError(
                f"conditional_share must be in (0, promote_share = {self.promote_share:g}], "
                f"got {self.conditional_share:g}."
            )
        object.__setattr__(self, "costs", _read_costs(self.costs))
        object.__setattr__(self, "metrics", self._spelled_metrics())
        object.__setattr__(self, "guardrails", self._read_guardrails())
        if self.task == "regression" and self.method != "mid-p":
            raise PolicyError(f"method is McNemar's, and means nothing in a regression, got {self.method!r}.")
        self._check_primary()

    def _spelled_metrics(self) -> tuple[str, ...]:
        given: Any = self.metrics  # from TOML it may be anything
        if not isinstance(given, tuple | list) or not all(isinstance(name, str) for name in given):
            raise PolicyError(f"metrics must be a list of names, got {given!r}.")
        named = [self.primary, *(_metric_of(rail) for rail in self._listed_guardrails())]
        of_errors = any(name in METRICS for name in named)
        names = _names(self.metrics or DEFAULTS["regression" if of_errors else "classification"])
        if COST in names and not self.costs:
            raise PolicyError("metrics has cost, but the policy has no costs.", hint="list them in [policy.costs].")
        names = tuple(dict.fromkeys([*names, COST])) if self.costs else names
        try:
            decisive = DECISIVE[task_of(names) or "classification"]
        except InvalidInputError as error:
            raise PolicyError(error.message, hint=error.hint) from None
        if decisive not in names:
            other = "" if task_of(names) else ", or rmse of a regression"
            raise PolicyError(
                f"metrics must contain {decisive}{other}, on which the test is.", hint=f"add '{decisive}' to metrics."
            )
        return names

    def _listed_guardrails(self) -> tuple[Any, ...]:
        given: Any = self.guardrails  # from TOML it may be anything
        return tuple(given) if isinstance(given, tuple | list) else ()

    def _read_guardrails(self) -> tuple[Guardrail, ...]:
        given: Any = self.guardrails
        if not isinstance(given, tuple | list):
            raise PolicyError(
                f"guardrails must be a list of tables, got {given!r}.", hint="write [[policy.guardrails]]."
            )
        read = []
        for i, entry in enumerate(given):
            try:
                guardrail = entry if isinstance(entry, Guardrail) else Guardrail.from_mapping(entry)
            except PolicyError as error:
                raise PolicyError(f"guardrails[{i}]: {error.message}", hint=error.hint) from None
            if guardrail.is_about_quality and guardrail.metric not in self.metrics:
                raise PolicyError(
                    f"guardrails[{i}]: {guardrail.metric} is not among the policy's metrics, so it is not computed.",
                    hint=f"add '{guardrail.metric}' to metrics.",
                )
            if guardrail.metric == ROWS and guardrail.class_ is not None and not self._is_by_class:
                raise PolicyError(
                    f"guardrails[{i}]: no metric of the policy has classes, so their rows are not counted.",
                    hint="add 'recall' to metrics.",
                )
            read.append(guardrail)
        return tuple(read)

    def _check_primary(self) -> None:
        given: Any = self.primary or DECISIVE[self.task]  # from TOML it may be anything
        primary = ALIASES.get(given, given) if isinstance(given, str) else given
        if primary not in self.metrics:
            raise PolicyError(
                f"primary must be among the policy's metrics ({', '.join(self.metrics)}), got {given!r}.",
                hint="list costs in [policy.costs]."
                if given == COST
                else near(str(given), self.metrics) or "add it to metrics.",
            )
        object.__setattr__(self, "primary", primary)
        margin: Any = self.margin  # from TOML it may be anything
        if margin is None:
            if self.rule == "non-inferior":
                raise PolicyError(
                    "rule non-inferior needs a margin: how much worse may the challenger be?",
                    hint="margin = 0.01 tolerates a loss of 1 point."
                    if unit(primary) == "share"
                    else f"it is in the unit of {in_text(primary)}.",
                )
            return
        if not is_number(margin):
            raise PolicyError(f"margin must be a number, got {margin!r}.")
        object.__setattr__(self, "margin", float(margin))
        if margin <= 0:
            in_unit = f"it is a size, in the unit of {in_text(primary)}."
            hint = "0.01 is 1 point, up or down." if unit(primary) == "share" else in_unit
            raise PolicyError(f"margin must be above 0, got {margin:g}.", hint=hint)
        if margin >= 1 and unit(primary) == "share":
            raise PolicyError(
                f"margin must be below 1, got {margin:g}.",
                hint=f"{margin / 100:g} is {margin:g} point{'' if margin == 1 else 's'}.",
            )

    @property
    def _is_by_class(self) -> bool:
        return bool(self.costs) or any(name in CATALOGUE and CATALOGUE[name].by_class for name in self.metrics)

    @property
    def alpha(self) -> float:
        """Level of the test."""
        return round(1 - self.confidence, 12)  # 1 - 0.95 is 0.05, not 0.050000000000000044

    def margin_that_matters(self, metric: str) -> float | None:
        """The smallest effect on a metric that matters: the margin, or one point; None where neither is in its unit."""
        if self.margin is not None and unit(metric) == unit(self.primary):
            return self.margin
        return _MARGIN_THAT_MATTERS if unit(metric) == "share" else None

    @property
    def decisive(self) -> str:
        """The metric that the verdict hangs on first."""
        return DECISIVE[self.task] if self.rule == "share" else self.primary

    @property
    def task(self) -> Task:
        """What the models of these metrics do."""
        return task_of(self.metrics) or "classification"

    def for_task(self, task: Task) -> Policy:
        """The policy for models that do this: one that names no metrics of its own fits either task.

        Raises:
            PolicyError: Its metrics are of the other task.
        """
        if self.task == task:
            return self
        names_none = self.metrics == DEFAULTS["classification"] and not any(
            rail.is_about_quality for rail in self.guardrails
        )
        if names_none and self.margin is not None:  # which has the unit of its metric
            raise PolicyError(
                f"The policy's margin is one of {in_text(self.primary)}, and this is {task}.",
                hint=f"primary = '{DECISIVE[task]}', and a margin in its unit.",
            )
        if not names_none or self.primary != DECISIVE["classification"]:
            raise PolicyError(
                f"The policy's metrics ({', '.join(self.metrics)}) are of {self.task}, and this is {task}.",
                hint=f"metrics = [{', '.join(repr(name) for name in DEFAULTS[task])}]",
            )
        return replace(self, metrics=DEFAULTS[task], primary="")

    @property
    def segments(self) -> tuple[str, ...]:
        """The segmentations that guardrails need."""
        return tuple(dict.fromkeys(rail.segmentation for rail in self.guardrails if rail.segmentation))

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
        rule = data.get("rule", "share")
        for key in _ONE_METRIC_KEYS if rule == "share" else _SHARE_KEYS:
            if key in data and rule in RULES:
                readers = "share" if key in _SHARE_KEYS else "non-inferior or primary"
                raise PolicyError(
                    f"{source}: {key} means nothing under the rule {rule}.",
                    hint=f"remove {key}, or let the rule be {readers}.",
                )
        if "metrics" in data and not data["metrics"]:
            raise PolicyError(
                f"{source}: metrics must contain accuracy, or rmse of a regression, on which the test is.",
                hint="leave metrics out for the usual ones.",
            )
        if "margin" in data and "rule" not in data:
            raise PolicyError(
                f"{source}: margin needs a rule: under rule = 'share' it only plans for rows.",
                hint="rule = 'non-inferior' tolerates it as a loss, rule = 'primary' asks for it as a gain.",
            )
        values = dict(data)
        if isinstance(values.get("metrics"), list):
            values["metrics"] = tuple(values["metrics"])
        try:
            return cls(**values)
        except PolicyError as error:
            raise PolicyError(f"{source}: {error.message}", hint=error.hint) from None


def _metric_of(rail: object) -> object:
    return rail.get("metric") if isinstance(rail, Mapping) else getattr(rail, "metric", None)


def _names(given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return metric_names(given)
    except InvalidInputError as error:
        raise PolicyError(error.message, hint=error.hint) from None


def _read_costs(costs: object) -> dict[str, dict[str, float]]:
    """Spell classes as text, as a JSON file does, and costs as floats: equal policies have one digest."""
    example = "write [policy.costs], then one line a class: fraud = { ok = 100.0 }"
    if not isinstance(costs, Mapping):
        raise PolicyError(f"costs must be a table of tables, got {costs!r}.", hint=example)
    read: dict[str, dict[str, float]] = {}
    for truth, row in costs.items():
        if not isinstance(row, Mapping):
            raise PolicyError(f"costs.{truth} must be a table, got {row!r}.", hint=example)
        for predicted, cost in row.items():
            if not is_number(cost):
                raise PolicyError(f"costs.{truth}.{predicted} must be a finite number, got {cost!r}.")
        read[str(truth)] = {str(predicted): float(cost) for predicted, cost in row.items()}
    return read
