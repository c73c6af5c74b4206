"""The record of training: what `training.json` spells, its schema, and reading it again."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from abtest.errors import InvalidInputError
from abtest.record import MonitoringRecord, TrainingRecord, json_schema, schema_file
from tests.training.records import SITUATIONS, sure

TO_REGENERATE = (
    "the schema has changed; write it anew with: python -c "
    "'from abtest.record import schema_file, schema_text; "
    'schema_file("training").write_text(schema_text("training"), encoding="utf-8")\''
)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_it_is_read_as_it_was_written(situation: str) -> None:
    """Through JSON and back it is the same record, and it keeps to the shipped schema."""
    record = SITUATIONS[situation]()
    plain = json.loads(record.to_json())
    assert TrainingRecord.from_dict(plain) == record
    schema = json.loads(schema_file("training").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(plain)


def test_the_shipped_schema_is_the_records() -> None:
    """The file in the package is the schema of the record as it is now."""
    assert json.loads(schema_file("training").read_text(encoding="utf-8")) == json_schema("training"), TO_REGENERATE


def test_the_schema_explains_itself() -> None:
    """It is a valid schema; every record, and every field of those of training, is described."""
    schema = json_schema("training")
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == "abtest training"
    for name, entry in schema["$defs"].items():
        assert entry.get("description"), name
    for entry in (schema, *(schema["$defs"][name] for name in ("Candidate", "CrossValidated", "TrainingRows"))):
        for name, field in entry["properties"].items():
            assert field.get("description"), name


def test_what_is_malformed_is_refused() -> None:
    """A missing field, an unknown one, and another kind of record are refused in one sentence."""
    plain = sure().to_dict()
    for wrong in (
        {**plain, "surprise": 1},
        {**plain, "kind": "comparison"},
        {name: value for name, value in plain.items() if name != "candidates"},
    ):
        with pytest.raises(InvalidInputError, match=r"^The training's .*\.$"):
            TrainingRecord.from_dict(wrong)
    with pytest.raises(InvalidInputError):
        MonitoringRecord.from_dict(plain)


@pytest.mark.parametrize(("model", "name"), [("../iris", "iris-training"), ("?", "model-training")])
def test_the_name_is_fit_for_a_folder(model: str, name: str) -> None:
    """A report is called after its model, without anything that means something in a path."""
    assert replace(sure(), model_name=model).name == name
