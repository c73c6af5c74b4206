"""Tracked predictions in the log's database: batches, their tallies by the hour, sketches by the day, rows that wait.

The methods of ``Store`` that monitoring uses call these; each is one transaction.
"""

# Store methods that stand on this module (signatures are the contract):
#
#   begin_batch(batch: Batch) -> bool
#       Put a batch on record as open; False where a whole one of that name is there already. What an open one of that
#       name left (its process died) is removed first. Nothing of an open batch is ever read by a report.
#   add_rows(batch: Batch, rows: Sequence[TrackedRow]) -> None
#       Write rows of an open batch, a transaction each call, so that servers that write to the same log go on.
#       InvalidInputError where an id is there already (of this model, of a whole batch or this one), naming the first.
#   end_batch(batch: Batch, buckets: Sequence[Bucket], sketches: Sequence[Sketched]) -> None
#       Write its tallies and make it whole, in one transaction.
#   drop_batch(batch: Batch) -> None           removes an open one
#   batches(model_name: str) -> tuple[Batch, ...]            whole ones, the latest first
#   rows_of(model_name: str, ids: Sequence[str]) -> dict[str, TrackedRow]      of whole batches
#   end_labels(batch: Batch, labels: Mapping[str, Label], buckets: Sequence[Bucket]) -> bool
#       In one transaction: set the labels of rows that wait, add the tallies, make the batch of labels whole. False
#       (and nothing changed) where one of these rows has got a label since it was read: the caller reads again.
#   buckets(model_name, start: datetime, end: datetime) -> tuple[Bucket, ...]
#       Of whole batches and of the live log, added up: one a (hour, version), by time.
#   sketches(model_name, start, end) -> tuple[Sketched, ...]                   likewise by (day, version)
#   first_tracked(model_name) -> datetime | None     last_tracked(model_name) -> datetime | None
#   models_tracked() -> tuple[str, ...]
#   put_live(model_name, buckets, sketches, hours: Sequence[datetime], mark: float) -> None
#       Replace the live log's buckets of these hours (and sketches of their days), and remember up to when it was read.
#   live_mark(model_name) -> float | None
#   waiting_rows(model_name) -> int          rows without a label that a label could still find
#   claim(act: Act, every: float) -> Act | None
#       Put an act on record as "begun", unless one of its kind that is begun or done is younger than ``every`` seconds:
#       then None. Compare and set: of many processes one gets it.
#   settle(act: Act) -> None                 how it ended; found by model, what, at
#   acts(model_name: str) -> tuple[Act, ...]
