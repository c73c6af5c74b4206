"""Whether a label can be the truth of a prediction: of the experiment asked for, and one of its classes or a number."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from abtest.guardrail import is_number
from abtest.labels import cast_label, kind_of
from abtest.live.store import experiments

if TYPE_CHECKING:
    import sqlalchemy as sa

    from abtest.labels import Label
    from abtest.live.experiment import Experiment

_SHOWN = 10  # classes


class Fitting:
    """Reads each plan once.

    Args:
        connection: Of the transaction under way.
        experiment: The one that labels must be of; None for any.
    """

    def __init__(self, connection: sa.Connection, experiment: str | None = None) -> None:
        self._connection = connection
        self._asked = experiment
        self._plans: dict[str, Experiment | None] = {}

    def why_not(self, label: str, experiment: str | None) -> str | None:
        """Say why a label cannot be one; None where it can.

        Args:
            label: As JSON.
            experiment: The one that the prediction took part in.
        """
        if self._asked is not None and experiment != self._asked:
            other = "no experiment" if experiment is None else f"experiment '{experiment}'"
            return f"prediction_id must be of experiment '{self._asked}', got one of {other}."
        if experiment is None:
            return None
        if experiment not in self._plans:
            self._plans[experiment] = experiments.find(self._connection, experiment)
        plan = self._plans[experiment]
        return None if plan is None else _misfit(json.loads(label), plan)


def _misfit(label: Label, plan: Experiment) -> str | None:
    if plan.policy.task == "regression":
        return None if _is_numeric(label) else f"label must be a number, got {label!r}."
    if not plan.classes:
        return None
    try:
        if cast_label(label, kind_of(plan.classes)) in plan.classes:
            return None
    except ValueError:
        pass
    listed = ", ".join(map(repr, plan.classes[:_SHOWN])) + (", …" if plan.classes[_SHOWN:] else "")
    return f"label must be one of the classes {listed}, got {label!r}."


def _is_numeric(label: Label) -> bool:
    try:
        return is_number(cast_label(label, "float")) and not isinstance(label, bool)
    except ValueError:
        return False
