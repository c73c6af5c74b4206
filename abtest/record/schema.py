"""The JSON Schemas of what is written, a comparison, a report of monitoring or of training, explained by docstrings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from abtest.record.monitored import MonitoringRecord
from abtest.record.several import ComparisonsRecord
from abtest.record.trained import TrainingRecord
from abtest.record.whole import ComparisonRecord

Kind: TypeAlias = Literal["comparison", "monitoring", "training"]
_RECORDS: dict[Kind, Any] = {
    "comparison": ComparisonRecord | ComparisonsRecord,
    "monitoring": MonitoringRecord,
    "training": TrainingRecord,
}

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)  # of a Google-style docstring


def schema_file(kind: Kind) -> Path:
    """Where the package ships a schema."""
    return Path(__file__).parents[1] / f"{kind}.schema.json"


SCHEMA_FILE = schema_file("comparison")


def json_schema(kind: Kind = "comparison") -> dict[str, Any]:
    """The JSON Schema of ``comparison.json``, with one challenger or several, or of another record's file."""
    known: TypeAdapter[Any] = TypeAdapter(_RECORDS[kind])
    schema = known.json_schema(by_alias=True, mode="serialization")
    for entry in (schema, *schema["$defs"].values()):
        _describe(entry)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": f"abtest {kind}"}


def schema_text(kind: Kind = "comparison") -> str:
    """The JSON Schema as its file holds it."""
    return json.dumps(json_schema(kind), indent=2) + "\n"


def _describe(entry: dict[str, Any]) -> None:
    """Turn a docstring into descriptions: its summary of the record, its attributes of their properties."""
    paragraphs = entry.get("description", "").split("\n\n")
    attributes = "\n".join(part for part in paragraphs if part.startswith("Attributes:"))
    told = {name.rstrip("_"): " ".join(text.split()) for name, text in _ATTRIBUTE.findall(attributes)}
    if paragraphs[0]:
        entry["description"] = " ".join(paragraphs[0].split())
    for name, field in entry.get("properties", {}).items():
        field.pop("title", None)  # "Ci Lower" says no more than ci_lower
        if name in told:
            field["description"] = told[name]
