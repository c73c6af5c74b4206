"""The JSON Schema of what a comparison is written as, with its docstrings for descriptions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from abtest.record.several import ComparisonsRecord
from abtest.record.whole import ComparisonRecord

SCHEMA_FILE = Path(__file__).parents[1] / "comparison.schema.json"

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)  # of a Google-style docstring


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``comparison.json``, with one challenger or several, as it is shipped in the package."""
    known: TypeAdapter[Any] = TypeAdapter(ComparisonRecord | ComparisonsRecord)
    schema = known.json_schema(by_alias=True, mode="serialization")
    for entry in schema["$defs"].values():
        _describe(entry)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "abtest comparison"}


def schema_text() -> str:
    """The JSON Schema as ``SCHEMA_FILE`` holds it."""
    return json.dumps(json_schema(), indent=2) + "\n"


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
