"""What is known of a model's predictions, by the hour: counts and sums that add up, so that any window is a sum.

This is the same evidence as a comparison's, of one model instead of two: the table of outcomes has the model on both
sides. Rows are read once, when they are tracked; every report and every check adds hours up.

```
tallied  what is known of some predictions
adding   how that adds up: all of it at once
spelled  how it is written, small
window   hours and days of it, as a period
```
"""

from abtest.windows.tallied import Tallied, sketched
from abtest.windows.window import DAY, HOUR, LIVE, Bucket, Sketched, Window

__all__ = ["DAY", "HOUR", "LIVE", "Bucket", "Sketched", "Tallied", "Window", "sketched"]
