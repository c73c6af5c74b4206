"""statsmodels' adjustment of many p-values, without what it takes most of its time for."""

from __future__ import annotations

from typing import Any
from unittest import mock

from statsmodels.stats import multitest


def multipletests(pvalues: Any, **options: Any) -> Any:
    """Adjust p-values with statsmodels, which collects garbage at each call: of all that a run has loaded, a second."""
    with mock.patch("gc.collect"):
        return multitest.multipletests(pvalues, **options)
