"""The log of live traffic in a database: SQLite by default, PostgreSQL by URL.

The only room of ``live`` that knows SQL.

```
store        Store: every method is one transaction
connecting   a URL → connections, transactions, and what a database says as errors of ours
schema       the tables, their version, and how they are made
experiments  plans, epochs and looks
predictions  rows, exposures and servers
late         labels that came later, and those that wait
counting     what the analysis reads, grouped by the database
```
"""

from abtest.live.store.connecting import DEFAULT_URL
from abtest.live.store.store import Store

__all__ = ["DEFAULT_URL", "Store"]
