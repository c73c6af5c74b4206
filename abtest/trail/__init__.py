"""The audit trail of a model: each move of its roles is an MLflow run, with the intent before and the outcome after."""

from abtest.trail.history import Entry, History, history_of
from abtest.trail.movement import Movement, MovementKind, Outcome
from abtest.trail.process import Process
from abtest.trail.runs import Trail, experiment_of, records_of_all

__all__ = [
    "Entry",
    "History",
    "Movement",
    "MovementKind",
    "Outcome",
    "Process",
    "Trail",
    "experiment_of",
    "history_of",
    "records_of_all",
]
