"""The same evidence from live traffic: models served, requests assigned or shadowed, late labels, and a verdict.

```
assignment   which arm a unit belongs to: a pure function of experiment, salt and unit
experiment   what an experiment is: its plan, frozen at the start, and its epochs
log          what is written of each prediction and label
units        unit ids as the log keeps them: keyed hashes
store/       the log in a database; the only room that knows SQL
writing/     off the request's path into the store: batches, and a group commit for those who wait
managing     an experiment's life: started, ramped, paused, resumed, stopped
labelling    labels that came later, from a file
routing      which arm answers a request now: what the store says, read again about every second
serving/     a model that answers: rows of JSON in, predictions out
shadow/      the challenger in shadow mode, in a process of its own
analysis/    from the store to a verdict; and the rollback that harm asks for
metering/    what is counted, as Prometheus reads it
server/      ``abtest serve``: all of it answering requests
```
"""
