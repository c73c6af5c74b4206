"""The same evidence from live traffic: models served, requests assigned or shadowed, late labels, and a verdict.

```
assignment   which arm a unit belongs to: a pure function of experiment, salt and unit
experiment   what an experiment is: its plan, frozen at the start, and its epochs
log          what is written of each prediction and label
units        unit ids as the log keeps them: keyed hashes
routing      which arm answers a request now: what the store says, read again about every second
commits      group commit: all that wait at a moment share one transaction
writer       off the request's path into the log: a bounded queue, one thread, batches
shadow       the challenger beside the champion: a queue, a process of its own (child, worker), every row logged once

keys         API keys: who may ask
service      what a server was asked to serve, and how
running      Uvicorn, in one process or several → app, the application → process, what one process is made of
routes       what is asked: bodies in, replies out
watching     what serves, kept as the registry says
answering    who answers each row, and what is written down of it: asking, aside (in threads), logbook
openapi      the server's description of itself
```
"""
