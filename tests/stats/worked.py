"""The published tables, as (both, champion_only, challenger_only, neither)."""

from abtest.outcomes import Contingency

BENTUR = Contingency(both=1, champion_only=1, challenger_only=7, neither=12)  # Bentur et al.; Fagerland 2013
NEWCOMBE = Contingency(both=20, champion_only=12, challenger_only=2, neither=16)  # Newcombe 1998
TANGO = Contingency(both=4, champion_only=9, challenger_only=3, neither=16)  # Tango 1998, Table VII
