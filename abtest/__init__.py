"""May this model replace the one in production?

Champion/challenger validation and A/B testing for models in an MLflow registry: score both models on the same labelled
rows, and say with evidence which one should serve. Start with ``compare`` or ``compare_predictions``.

Example:
    >>> import abtest
    >>> abtest.compare_predictions(y_true=[0, 1, 1, 0], champion=[0, 1, 0, 0], challenger=[0, 1, 1, 0]).verdict
    <Verdict.INSUFFICIENT_EVIDENCE: 'INSUFFICIENT_EVIDENCE'>
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abtest.comparison import Comparison, Comparisons
    from abtest.decision import Decision, Reason, Verdict
    from abtest.errors import (
        AbtestError,
        BackendError,
        InvalidInputError,
        LabelMismatchError,
        ModelNotFoundError,
        NotApplicableError,
        NotFoundError,
        NotPermittedError,
        PolicyError,
        PromotionError,
        RefusedError,
        StaleChampionError,
        UnfinishedError,
    )
    from abtest.evaluator import Evaluation
    from abtest.guardrail import Guardrail
    from abtest.lifecycle import Registry
    from abtest.outcomes import PairedOutcomes
    from abtest.policy import Policy
    from abtest.registry import Reference
    from abtest.workflow import compare, compare_predictions, compare_sql

__all__ = [
    "AbtestError",
    "BackendError",
    "Comparison",
    "Comparisons",
    "Decision",
    "Evaluation",
    "Guardrail",
    "InvalidInputError",
    "LabelMismatchError",
    "ModelNotFoundError",
    "NotApplicableError",
    "NotFoundError",
    "NotPermittedError",
    "PairedOutcomes",
    "Policy",
    "PolicyError",
    "PromotionError",
    "Reason",
    "Reference",
    "RefusedError",
    "Registry",
    "StaleChampionError",
    "UnfinishedError",
    "Verdict",
    "compare",
    "compare_predictions",
    "compare_sql",
]

_HOMES = {
    "comparison": ("Comparison", "Comparisons"),
    "decision": ("Decision", "Reason", "Verdict"),
    "evaluator": ("Evaluation",),
    "guardrail": ("Guardrail",),
    "outcomes": ("PairedOutcomes",),
    "policy": ("Policy",),
    "lifecycle": ("Registry",),
    "registry": ("Reference",),
    "workflow": ("compare", "compare_predictions", "compare_sql"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the public names
    """Load a public name when it is first asked for: ``abtest --help`` pays for none of them."""
    if name not in __all__:
        raise AttributeError(f"module 'abtest' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"abtest.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
