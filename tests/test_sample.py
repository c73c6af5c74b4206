"""The sample report in `reports/sample/` is what the demo makes today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from abtest import demo, workflow

SAMPLE = Path(__file__).parent.parent / "reports" / "sample"


def lean(comparison: dict[str, Any]) -> dict[str, Any]:
    """A comparison without what differs from one making to the next: times, places, runs."""
    kept = {key: value for key, value in comparison.items() if key not in {"provenance", "created_at"}}
    kept["data"] = {**kept["data"], "path": Path(kept["data"]["path"]).name}
    for side in ("champion", "challenger"):
        kept[side] = {**kept[side], "run_id": None, "latency": None, "size": None}
    return kept


def test_the_sample_is_what_the_demo_makes(tmp_path: Path) -> None:
    """The demo's comparison equals the committed one, provenance aside; `python reports/make_sample.py` renews it."""
    registry = demo.build(tmp_path)
    made = workflow.compare(
        data=tmp_path / demo.TEST_DATA, target=demo.TARGET, model_name=demo.MODEL, tracking_uri=registry.tracking_uri
    ).to_dict()
    kept = json.loads((SAMPLE / "comparison.json").read_text(encoding="utf-8"))
    assert _close(lean(kept), lean(made))


def _close(one: Any, other: Any) -> bool:
    """Equal, floating numbers to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=1e-12)
    return bool(one == other)
