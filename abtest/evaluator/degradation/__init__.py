"""Windows of one model in, changes out: whether a metric has fallen, by how much, and how sure that is.

```
rows       labelled rows of windows, hour by hour, laid out for arithmetic
asked      which metrics, how averaged
estimates  a metric of a window, and how far it may be off: by rows, and by days
periods    each period with its metrics, and how these went
questions  what can be asked of two windows
compared   the answers: changes
segments   segments over time, and beside the rest
stream     the stream of errors, at any look
```
"""

from abtest.evaluator.degradation.compared import changes
from abtest.evaluator.degradation.periods import metric_points, points, summaries
from abtest.evaluator.degradation.segments import segment_series
from abtest.evaluator.degradation.stream import sequential

__all__ = ["changes", "metric_points", "points", "segment_series", "sequential", "summaries"]
