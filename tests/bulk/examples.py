"""A prediction as a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from abtest.bulk.distribution import ClassCount, Distribution
from abtest.bulk.predicted import Predicted
from abtest.record import ComparedModel


def predicted(**changes: Any) -> Predicted:
    """150 irises, of three kinds."""
    kinds = (("setosa", 50), ("versicolor", 60), ("virginica", 40))
    record = Predicted(
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        model_name="iris",
        model=ComparedModel(ref="stage Production", version=3, run_id=None, uri="models:/iris/3"),
        data="iris.csv",
        digest=None,
        output="out.csv",
        columns=("prediction",),
        n=150,
        seconds=1.25,
        model_seconds=1.0,
        distribution=Distribution(classes=tuple(ClassCount(label=name, n=n, share=n / 150) for name, n in kinds)),
    )
    return replace(record, **changes)
