"""A plan carried out: alone, in order, on record before and after, and taken up again where it was cut off.

MLflow has no compare-and-set, so the record of the intent is the lock. Whoever wants to move a model writes an intent,
then looks for others that are open, and goes on only when there is none: of two, whoever writes second sees the first.
Where two see each other, the one whose run has the smaller id waits, and the other withdraws. What is done in MLflow's
UI takes part in none of this; it is noticed before each move, and in the history.
"""

from abtest.mover.approving import approve, ask, awaiting, refuse_waiting, reject
from abtest.mover.carrying import Planner, Request, carry_out, move
from abtest.mover.recovering import Recovery, recover
from abtest.mover.settling import cleared
from abtest.mover.unfinished import Unfinished, unfinished

__all__ = [
    "Planner",
    "Recovery",
    "Request",
    "Unfinished",
    "approve",
    "ask",
    "awaiting",
    "carry_out",
    "cleared",
    "move",
    "recover",
    "refuse_waiting",
    "reject",
    "unfinished",
]
