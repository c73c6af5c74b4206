"""The record: what `comparison.json` spells, its schema, and reading it again."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from abtest.decision import decide
from abtest.errors import InvalidInputError
from abtest.evaluator import evaluate
from abtest.outcomes import PairedOutcomes
from abtest.policy import Policy
from abtest.record import (
    SCHEMA_FILE,
    ComparedData,
    ComparedModel,
    ComparisonRecord,
    ComparisonSettings,
    Provenance,
    json_schema,
)
from tests.known import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abtest.labels import Label
    from abtest.metrics.classification import Average

    Json = dict[str, Any]

# INTERFACES.md, "Output"; `counted` says which metrics the share was taken of.
KEYS = (
    "schema_version created_at task model_name champion challenger data settings metrics per_class segments "
    "contingency mcnemar power bayes growth confirmation differences scores errors live confusion outcomes decision "
    "counted skipped notices provenance"
)
SEVERAL_KEYS = (
    "schema_version created_at task model_name champion data verdict best confidence adjustment cochran between "
    "comparisons"
)
ROW_KEYS = (
    "metric champion challenger effect rel_effect improvement ci_lower ci_upper ci_method test statistic pvalue "
    "pvalue_adjusted n greater_is_better improvement_lower improvement_upper"
)
REASON_KEYS = "rule metric class segment value operator bound held severity text"
NESTED_KEYS = {
    "champion": "ref version run_id uri latency size",
    "challenger": "ref version run_id uri latency size",
    "data": "path n digest target unit uses rows rows_digest duplicates train",
    "contingency": "both champion_only challenger_only neither",
    "mcnemar": "method statistic pvalue",
    "confusion": "champion challenger labels",
    "outcomes": "labels cells segments",
    "decision": "verdict by_rule reasons",
}
TO_REGENERATE = (
    "the schema has changed; write it anew with: python -c "
    "'from abtest.record import SCHEMA_FILE, schema_text; SCHEMA_FILE.write_text(schema_text(), encoding=\"utf-8\")'"
)

VOCABULARIES: list[tuple[Label, ...]] = [
    (0, 1),
    (False, True),
    (0.0, 1.0, 2.0),
    ("0", "1", "x"),
    ("é ü", '"', "\n"),
    (7,),
]


def record_of(
    outcomes: PairedOutcomes, *, pos_label: Label | None = None, version: int | None = 3, **more: Any
) -> ComparisonRecord:
    """Put a table on record, really evaluated."""
    policy = more.pop("policy", Policy())
    average: Average = "macro" if pos_label is None else "binary"
    evaluation = evaluate(outcomes, policy, average=average, pos_label=pos_label, resamples=100)
    return ComparisonRecord.of(
        **{
            "model_name": "iris",
            "champion": ComparedModel(
                ref="models:/iris@champion", version=version, run_id="a" * 32, uri="models:/iris/3"
            ),
            "challenger": ComparedModel(ref="runs:/b/model", version=None, run_id=None, uri=None),
            "data": ComparedData(path="test.csv", n=outcomes.n, digest="0" * 32, target="y"),
            "settings": ComparisonSettings(
                average=average,
                pos_label=pos_label,
                label_type=None,
                resamples=100,
                seed=0,
                batch_size=None,
                drop_unlabelled=False,
                policy=policy,
            ),
            "outcomes": outcomes,
            "evaluation": evaluation,
            "decision": decide(evaluation, policy),
            "provenance": Provenance(
                abtest_version="0.1.0",
                python_version="3.11.0",
                libraries={"numpy": "2.0.0"},
                registry=None,
                git_commit=None,
                command=None,
                policy_digest=policy.digest,
            ),
            **more,
        }
    )


@st.composite
def records(draw: st.DrawFn) -> ComparisonRecord:
    """Records of comparisons with labels of every type."""
    vocabulary = draw(st.sampled_from(VOCABULARIES))
    label = st.sampled_from(vocabulary)
    counts = st.dictionaries(st.tuples(label, label, label), st.integers(1, 10**9), min_size=1, max_size=6)
    outcomes = PairedOutcomes.from_counts(draw(counts))
    pos_label = draw(st.sampled_from([None, *outcomes.labels])) if len(outcomes.labels) <= 2 else None
    text = st.none() | st.text(max_size=5)
    metrics = draw(st.sampled_from([("accuracy",), ("accuracy", "recall", "f1"), Policy().metrics]))
    return record_of(
        outcomes,
        pos_label=pos_label,
        version=draw(st.none() | st.integers(1, 99)),
        policy=Policy(metrics=metrics, promote_share=draw(st.sampled_from([0.75, 2 / 3]))),
        model_name=draw(text),
        created_at=draw(st.datetimes(timezones=st.just(UTC))),
        notices=tuple(draw(st.lists(st.text(max_size=9), max_size=2))),
        data=ComparedData(
            path=draw(st.text()),
            n=outcomes.n,
            digest=draw(text),
            target=draw(text),
            uses=draw(st.none() | st.integers(0, 9)),
        ),
    )


@pytest.fixture(name="plain")
def _plain() -> Json:
    """A comparison as JSON spells it, with a label that is only ever predicted."""
    counts: dict[tuple[Label, Label, Label], int]
    counts = {("a", "a", "a"): 30, ("b", "b", "a"): 3, ("b", "a", "b"): 9, ("b", "b", "c"): 4}
    plain: Json = json.loads(record_of(PairedOutcomes.from_counts(counts)).to_json())
    return plain


def leaves(value: Any) -> Iterator[Any]:
    """Everything in a JSON value that is neither an object nor an array."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


@given(record=records())
@hypothesis_settings(max_examples=60)
def test_what_was_written_is_read(record: ComparisonRecord) -> None:
    """`from_dict(to_dict(x)) == x`, also by way of JSON text; 1, 1.0, True and "1" each come back as what they were."""
    for again in (record.to_dict(), json.loads(record.to_json())):
        read = ComparisonRecord.from_dict(again)
        assert read == record
        assert [(type(x), x) for x in known(read.outcomes).labels] == [
            (type(x), x) for x in known(record.outcomes).labels
        ]
        assert [type(row.class_) for row in read.per_class] == [type(row.class_) for row in record.per_class]
        assert type(read.settings.pos_label) is type(record.settings.pos_label)
        assert read.to_json() == record.to_json()


@given(record=records())
@hypothesis_settings(max_examples=40)
def test_json_has_null_and_no_nan(record: ComparisonRecord) -> None:
    """JSON text is strict: what is missing is null, and no number is NaN or infinite."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    plain = json.loads(record.to_json(), parse_constant=refuse)
    assert plain == record.to_dict()
    assert all(math.isfinite(leaf) for leaf in leaves(plain) if isinstance(leaf, float))
    assert plain["challenger"]["version"] is None


@given(record=records())
@hypothesis_settings(max_examples=40)
def test_a_decision_can_be_taken_again(record: ComparisonRecord) -> None:
    """What was read decides as what was written did, and its table evaluates to the same numbers."""
    read = ComparisonRecord.from_dict(record.to_dict())
    settings = read.settings
    assert decide(read.evaluation, settings.policy) == record.decision
    again = evaluate(
        known(read.outcomes),
        settings.policy,
        average=settings.average,
        pos_label=settings.pos_label,
        resamples=settings.resamples,
    )
    assert (again.metrics, again.per_class, again.mcnemar) == (record.metrics, record.per_class, record.mcnemar)


def test_the_keys_are_those_that_were_promised(plain: Json) -> None:
    """`comparison.json` spells the keys that users rely on, in their order, "class" among them."""
    assert " ".join(plain) == KEYS
    for name, keys in NESTED_KEYS.items():
        assert " ".join(plain[name]) == keys
    assert {" ".join(row) for row in plain["metrics"]} == {ROW_KEYS}
    assert {" ".join(row) for row in plain["per_class"]} == {f"{ROW_KEYS} class"}
    assert {" ".join(reason) for reason in plain["decision"]["reasons"]} == {REASON_KEYS}
    assert plain["decision"]["verdict"] in {"PROMOTE", "CONDITIONAL", "KEEP_CHAMPION", "INSUFFICIENT_EVIDENCE"}


def test_the_parts_agree(plain: Json) -> None:
    """Rows, contingency and both confusion matrices count the same rows; matrices are over `outcomes.labels`."""
    assert sum(plain["contingency"].values()) == plain["data"]["n"] == 46
    for side, column in (("champion", 1), ("challenger", 2)):
        matrix = plain["confusion"][side]
        counted = [[0] * 3 for _ in range(3)]
        for cell in plain["outcomes"]["cells"]:
            counted[cell[0]][cell[column]] += cell[3]
        assert matrix == counted
        right = sum(matrix[i][i] for i in range(3))
        assert right == plain["contingency"]["both"] + plain["contingency"][f"{side}_only"]
    assert plain["outcomes"]["labels"] == ["a", "b", "c"]


def test_what_was_noticed_earlier_comes_first() -> None:
    """Notices given to the record, of casting for instance, stand before those of the evaluation."""
    record = record_of(PairedOutcomes.from_counts({(0, 0, 0): 1}), notices=("Labels were cast.",))
    assert record.notices[0] == "Labels were cast."
    assert any("fewer than 20 rows" in notice for notice in record.notices[1:])


def test_confusion_matrices_of_very_many_classes_are_left_out() -> None:
    """Above 500 labels the matrices, which the table holds anyway, are null, and it is said."""
    labels = range(501)
    record = record_of(PairedOutcomes.from_counts({(i, i, i): 1 for i in labels}), policy=Policy(metrics=("accuracy",)))
    assert record.to_dict()["confusion"] is None
    assert "confusion matrices" in [entry.what for entry in record.skipped]
    assert ComparisonRecord.from_dict(record.to_dict()) == record


def test_the_time_is_to_the_second() -> None:
    """`created_at` is written in UTC, to the second."""
    record = record_of(PairedOutcomes.from_counts({(0, 0, 0): 1}), created_at=datetime(2025, 3, 1, 12, 30, 5, 999, UTC))
    assert record.to_dict()["created_at"] == "2025-03-01T12:30:05Z"


@pytest.mark.parametrize(
    ("ref", "version", "name"),
    [
        ("models:/iris@champion", 3, "iris-v3-vs-runs-b-model"),
        ("../../etc/passwd", None, "iris-etc-passwd-vs-runs-b-model"),
        ("…", None, "iris-model-vs-runs-b-model"),
    ],
)
def test_the_name_is_fit_for_a_folder(ref: str, version: int | None, name: str) -> None:
    """A comparison is called after its model and its sides, without anything that means something in a path."""
    champion = ComparedModel(ref=ref, version=version, run_id=None, uri=None)
    record = record_of(PairedOutcomes.from_counts({(0, 0, 0): 1}), champion=champion, model_name="../iris")
    assert record.name == name
    assert len(replace(record, model_name="x/" * 500, champion=replace(champion, ref="y" * 999)).name) < 200


# The schema


def test_the_shipped_schema_is_the_records() -> None:
    """The file in the package is the schema of the record as it is now."""
    assert SCHEMA_FILE.is_file(), TO_REGENERATE
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == json_schema(), TO_REGENERATE


def test_the_schema_is_one_and_explains_itself() -> None:
    """It is a valid schema of draft 2020-12; every record and every field of the record itself is described."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    one, several = (schema["$defs"][entry["$ref"].rpartition("/")[2]] for entry in schema["anyOf"])
    assert " ".join(one["properties"]) == " ".join(one["required"]) == KEYS
    assert " ".join(several["properties"]) == " ".join(several["required"]) == SEVERAL_KEYS
    for name, entry in schema["$defs"].items():
        assert entry.get("description"), name
        assert "Example" not in entry["description"]
        assert entry.get("additionalProperties") is False or "enum" in entry, name
    for name, field in [*one["properties"].items(), *several["properties"].items()]:
        assert field.get("description"), name


@given(record=records())
@hypothesis_settings(max_examples=40)
def test_comparisons_keep_to_the_schema(record: ComparisonRecord) -> None:
    """Any comparison validates against the shipped schema."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(record.to_dict())


def _set(*path: Any, to: Any) -> Callable[[Json], None]:
    def mutate(plain: Json) -> None:
        inner: Any = plain
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = to

    return mutate


def _drop(*path: Any) -> Callable[[Json], None]:
    def mutate(plain: Json) -> None:
        inner: Any = plain
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]

    return mutate


MUTATIONS = {
    "an unknown key": _set("surprise", to=1),
    "an unknown key within a row": _set("metrics", 0, "surprise", to=1),
    "an unknown key within a row of a class": _set("per_class", 0, "surprise", to=1),
    "an unknown key within a reason": _set("decision", "reasons", 0, "surprise", to=1),
    "no metrics": _drop("metrics"),
    "no effect": _drop("metrics", 0, "effect"),
    "no class": _drop("per_class", 0, "class"),
    "no verdict": _drop("decision", "verdict"),
    "another verdict": _set("decision", "verdict", to="MAYBE"),
    "text for a number": _set("metrics", 0, "effect", to="a lot"),
    "null for a number": _set("metrics", 0, "effect", to=None),
    "part of a row": _set("contingency", "both", to=1.5),
    "another operator": _set("decision", "reasons", 0, "operator", to="=="),
    "no cells": _drop("outcomes", "cells"),
    "a short cell": _set("outcomes", "cells", 0, to=[0, 0, 1]),
    "part of a count": _set("outcomes", "cells", 0, to=[0, 0, 0, 1.5]),
    "a negative index": _set("outcomes", "cells", 0, to=[-1, 0, 0, 1]),
    "a label that is none": _set("outcomes", "labels", 0, to=None),
    "no time": _set("created_at", to=None),
}


@pytest.mark.parametrize("mutate", MUTATIONS.values(), ids=MUTATIONS)
def test_what_is_malformed_is_refused_by_both(plain: Json, mutate: Callable[[Json], None]) -> None:
    """What the schema refuses `from_dict` refuses too, in one sentence."""
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(plain)
    mutate(plain)
    assert not validator.is_valid(plain)
    with pytest.raises(InvalidInputError) as caught:
        ComparisonRecord.from_dict(plain)
    message = str(caught.value)
    assert message.startswith("The comparison's ")
    assert message.endswith(".")
    assert not message.endswith("..")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("mutate", "message"),
    [
        (
            _set("metrics", 0, "effect", to=math.nan),
            "metrics.0.effect cannot be read: Input should be a finite number.",
        ),
        (_set("outcomes", "cells", 0, to=[0, 0, 9, 1]), "outcomes cannot be read: outcomes.cells holds"),
        (_set("outcomes", "cells", 0, to=[0, 0, 0, 0]), "outcomes cannot be read: outcomes.cells holds"),
        (
            _set("settings", "policy", "confidence", to=95),
            "settings.policy cannot be read: confidence must be in (0, 1)",
        ),
        (
            _set("settings", "policy", "metrics", to=["f1"]),
            "settings.policy cannot be read: metrics must contain accuracy",
        ),
    ],
)
def test_what_no_schema_sees_is_refused_too(plain: Json, mutate: Callable[[Json], None], message: str) -> None:
    """Numbers that are none, cells that point nowhere, and a policy that contradicts itself are refused by name."""
    mutate(plain)
    with pytest.raises(InvalidInputError) as caught:
        ComparisonRecord.from_dict(plain)
    assert str(caught.value).startswith(f"The comparison's {message}")
    assert not str(caught.value).endswith("..")


@pytest.mark.parametrize("version", ["0.9", "2.0", 1.0, None])
def test_other_schema_versions_are_refused(plain: Json, version: Any) -> None:
    """A file of another schema version is refused with both versions, whatever else it holds."""
    plain["schema_version"] = version
    with pytest.raises(InvalidInputError) as caught:
        ComparisonRecord.from_dict(plain)
    assert str(caught.value) == f"schema_version must be 1.0, got {version!r}."
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(plain)


@pytest.mark.parametrize("nonsense", [{}, [], None, "comparison", 3])
def test_what_is_no_comparison_is_refused(nonsense: Any) -> None:
    """Whatever else JSON may hold is refused as having no schema version."""
    with pytest.raises(InvalidInputError, match=r"^schema_version must be 1\.0, got None\.$"):
        ComparisonRecord.from_dict(nonsense)


def test_reading_changes_nothing(plain: Json) -> None:
    """What is read is left as it was."""
    before = copy.deepcopy(plain)
    ComparisonRecord.from_dict(plain)
    assert plain == before
