"""The server's own description, OpenAPI 3.1: of rows as the model that serves takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abtest.live.log import Received
from abtest.live.serving import wire
from abtest.loaders.invocations import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abtest.live.server.service import Service
    from abtest.live.serving.served import Served

Schema = dict[str, Any]

_FLOAT32 = 3.4028234663852886e38
_KINDS: dict[str, Schema] = {
    "double": {"type": ["number", "null"]},
    "float": {"type": ["number", "null"], "minimum": -_FLOAT32, "maximum": _FLOAT32},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "datetime": {"type": "string", "description": "ISO 8601, without a time zone."},
}
_LABEL: Schema = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": wire.LONGEST_LABEL},
        {"type": "number"},
        {"type": "boolean"},
    ]
}
_UNIT: Schema = {
    "description": "What the row is about: it has the same arm each time.",
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": wire.LONGEST_UNIT},
        {"type": "integer", "exclusiveMinimum": -(2**64), "exclusiveMaximum": 2**64},
        {"type": "null"},
    ],
}
_ERRORS = {
    "400": "The body cannot be read.",
    "401": "There is no API key, or it is none of the server's.",
    "413": "The body has too many bytes, or rows.",
    "415": "The body is of a type that is not read.",
    "422": "A field is missing, unknown, or not what it must be; or the model fails.",
    "503": "No model is loaded yet, too many requests wait, or the log does not answer.",
}


def document(service: Service, served: Served | None, *, version: str) -> Schema:
    """Describe a server.

    Args:
        service: What it was asked to serve.
        served: What serves; None before it is loaded.
        version: Of this package.
    """
    errors = {status: text for status, text in _ERRORS.items() if status != "401" or service.keys}
    described: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "abtest serve", "version": version},
        "paths": _paths(service, errors),
        "components": {"schemas": {**_schemas(service), **_rows(served)}},
    }
    if service.keys:
        described["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        described["security"] = [{"bearer": []}, {"header": []}]
    return described


def _paths(service: Service, errors: Mapping[str, str]) -> Schema:
    asked = ("400", "401", "413", "415", "422", "503")
    frees: Schema = {"security": []} if service.keys else {}

    def told(*statuses: str) -> Schema:
        return {
            status: {"description": errors[status], "content": _json("Error")}
            for status in statuses
            if status in errors
        }

    def ask(summary: str, body: Schema, answers: Schema) -> Schema:
        content = {"required": True, "content": body}
        return {"post": {"summary": summary, "requestBody": content, "responses": {**answers, **told(*asked)}}}

    def tell(summary: str, answer: Schema, *statuses: str, **more: Any) -> Schema:  # noqa: ANN401 - parts of OpenAPI
        return {"get": {"summary": summary, "responses": {"200": answer, **told(*statuses)}, **more}}

    one = {status: _answer(text, "Receipt") for status, text in _RECEIPTS.items()}
    invoked = {**_answer("Predictions, in order.", "Invoked"), "headers": _HEADERS}
    invoke = ask("Predict rows, as MLflow's server does.", _invocations(), {"200": invoked})
    invoke["post"]["parameters"] = [{"name": "X-Abtest-Unit", "in": "header", "schema": {"type": "string"}}]
    return {
        "/predict": ask("Predict one row.", _json("One"), {"200": _answer("A prediction.", "Prediction")}),
        "/predict/batch": ask("Predict rows.", _json("Many"), {"200": _answer("One each, in order.", "Predictions")}),
        "/feedback": ask(
            "Tell labels; answered once they are committed.", _json("Feedback"),
            {**one, "207": _answer("One each, in order.", "Receipts")},
        ),
        "/health": tell("Whether requests may be sent here.", _answer("They may.", "Status"), "503", **frees),
        "/health/live": tell("Whether the process answers.", _answer("It does.", "Status"), **frees),
        "/model/info": tell("What serves.", _answer("The model, and its experiment.", "Model"), "401", "503"),
        "/metrics": tell("What Prometheus reads.", _text("Its text format."), "401"),
        "/invocations": invoke,
        "/ping": tell("As /health, for MLflow's clients.", {"description": "They may."}, "503", **frees),
        "/version": tell("MLflow's version.", {"description": "It."}, "401"),
    }  # fmt: skip


def _rows(served: Served | None) -> Schema:
    """Rows as a model takes them; anything where it does not say."""
    columns = None if served is None else _columns(served)
    if columns is None:
        return {"List": {"type": "array"}, "Object": {"type": "object"}, "Flat": {"type": "object"}}
    listed = {
        "type": "array",
        "prefixItems": [schema for _, schema, _ in columns],
        "items": False,
        "minItems": len(columns),
    }
    if served is not None and served.columns is None:  # a tensor: its columns have no names
        return {"List": listed, "Object": {"not": {}}, "Flat": {"not": {}}}
    named: Schema = {
        "type": "object",
        "properties": {name: schema for name, schema, _ in columns},
        "required": [name for name, _, is_required in columns if is_required],
        "additionalProperties": False,
    }
    clash = {"unit", "features"} & named["properties"].keys()
    flat = {"not": {}} if clash else {**named, "properties": {**named["properties"], "unit": _UNIT}}
    return {"List": listed, "Object": named, "Flat": flat}


def _columns(served: Served) -> list[tuple[str, Schema, bool]] | None:
    inputs = (served.signature or {}).get("inputs")
    if not inputs:
        return None
    if inputs[0]["type"] == "tensor":
        width = inputs[0]["tensor-spec"]["shape"][-1]
        return None if width < 0 else [(str(at), {"type": "number"}, True) for at in range(width)]
    return [
        (column.get("name", str(at)), _KINDS.get(column["type"], {}), column.get("required", True))
        for at, column in enumerate(inputs)
    ]


def _schemas(service: Service) -> Schema:
    nothing = {"type": "null"}
    text, whole = {"type": "string"}, {"type": "integer"}
    row = {"anyOf": [_ref("List"), _ref("Object")]}
    wrapped = _object({"features": row, "unit": _UNIT}, required=["features"])
    label = _object(
        {
            "prediction_id": {"type": "string", "pattern": "^[0-9a-f]{1,64}-[1-9][0-9]{0,17}$"},
            "label": _LABEL,
            "observed_at": {"anyOf": [{"type": "number"}, text, nothing]},
        },
        required=["prediction_id", "label"],
    )
    labels = {"type": "array", "items": {}, "minItems": 1, "maxItems": service.max_rows}
    instances = {
        "type": "array",
        "items": {"anyOf": [_ref("List"), _ref("Flat"), _ref("Wrapped")]},
        "minItems": 1,
        "maxItems": service.max_rows,
    }
    prediction = _object(
        {
            "prediction": _LABEL,
            "prediction_id": text,
            "model_version": _or_null(whole),
            "arm": {"enum": ["champion", "challenger"]},
            "epoch": _or_null(whole),
            "sticky": {"type": "boolean"},
        }
    )
    receipt = _object(
        {
            "prediction_id": text,
            "received": {"enum": [received.value for received in Received]},
            "status": whole,
            "error": _or_null(text),
        }
    )
    return {
        "Error": _object(
            {"error": text, "hint": _or_null(text), "field": _or_null(text), "row": _or_null(whole)},
        ),
        "Wrapped": wrapped,
        "One": {"anyOf": [_ref("Wrapped"), _ref("Flat")]},
        "Many": _object({"instances": instances, "units": {"type": "array", "items": _UNIT}}, required=["instances"]),
        "Prediction": prediction,
        "Predictions": _object({"predictions": {"type": "array", "items": _ref("Prediction")}}),
        "Label": label,
        "Feedback": {"anyOf": [_ref("Label"), labels, _object({"feedback": labels})]},
        "Receipt": receipt,
        "Receipts": _object({"results": {"type": "array", "items": _ref("Receipt")}}),
        "Invoked": _object({"predictions": {"type": "array", "items": _LABEL}}),
        "Status": _object({"status": text}),
        "Model": {"type": "object"},
    }


_RECEIPTS = {
    "200": "The label was there already, or another was: both are kept.",
    "201": "The label is recorded.",
    "202": "No such prediction is known yet: the label is kept aside.",
}
_HEADERS = {
    f"X-Abtest-{name}": {"schema": {"type": "string"}} for name in ("Prediction-Ids", "Model-Version", "Arm", "Epoch")
}


def _invocations() -> Schema:
    formats: Schema = {
        "type": "object",
        "oneOf": [{"required": [name]} for name in FORMATS],
    }
    return {"application/json": {"schema": formats}, "text/csv": {"schema": {"type": "string"}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str) -> Schema:
    return {"application/json": {"schema": _ref(name)}}


def _answer(description: str, name: str) -> Schema:
    return {"description": description, "content": _json(name)}


def _text(description: str) -> Schema:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }
