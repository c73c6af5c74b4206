"""The log of live traffic in a database: SQLite by default, PostgreSQL by URL.

The only room of ``live`` that knows SQL.

```
store        Store: every method is one transaction, but for long files, which are cut into several
connecting   a URL → connections, transactions, and what a database says as errors of ours
schema       the tables, their version, and how they are made
experiments  plans, epochs and looks
predictions  rows, exposures and servers
late         labels that came later, and those that wait
counting     what the analysis reads, grouped by the database
watching     what monitoring asks: the methods of the store for it
tracking     files that are tracked, and rows that wait for their label
tallied      tallies by the hour and sketches by the day
served       the log of servers, counted for monitoring
acting       what was done about degradations
```
"""

from abtest.live.store.connecting import DEFAULT_URL
from abtest.live.store.store import Store

__all__ = ["DEFAULT_URL", "Store"]
