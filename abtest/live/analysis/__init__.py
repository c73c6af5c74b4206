"""From the log to a verdict, at any look: tallied, evaluated, checked, decided; and the rollback that harm asks for."""

from abtest.live.analysis.analysing import Analysed, analyse, look
from abtest.live.analysis.harm import Harm, harm, rollback

__all__ = ["Analysed", "Harm", "analyse", "harm", "look", "rollback"]
