"""The same evidence from live traffic: models served, requests assigned or shadowed, late labels, and a verdict.

```
assignment   which arm a unit belongs to: a pure function of experiment, salt and unit
experiment   what an experiment is: its plan, frozen at the start, and its epochs
log          what is written of each prediction and label
shadow       the challenger beside the champion: a queue, a process of its own (child, worker), every row logged once
```
"""
