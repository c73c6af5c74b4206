"""The sentence, in code: models and rows in, a comparison out.

``compare`` scores models; ``compare_predictions``, ``compare_columns`` and ``compare_sql`` start from predictions that
are already there. They write and log nothing unless told to.
"""

from abtest.workflow.comparing import compare
from abtest.workflow.databases import compare_sql
from abtest.workflow.judging import Progress
from abtest.workflow.predictions import compare_columns, compare_predictions

__all__ = ["Progress", "compare", "compare_columns", "compare_predictions", "compare_sql"]
