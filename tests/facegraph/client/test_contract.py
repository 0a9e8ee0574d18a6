"""The client covers every operation, option and response field of /v1 in the OpenAPI document."""

import base64
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any, get_args, get_type_hints

import pytest

from facegraph import client
from facegraph.client import Client, Embedding, SubjectEmbedding
from facegraph.client.api_call import Page
from tests.api.openapi import SNAPSHOT

DOCUMENT: dict[str, Any] = json.loads(SNAPSHOT.read_text("utf-8"))
PROBE = Embedding(contract="c", values=(1.0,))
ARGUMENTS = {
    **dict.fromkeys(("collection", "name", "subject", "face_id"), "x"),
    **dict.fromkeys(("photo", "photo1", "photo2", "photos", "reference"), b"1"),
    **dict.fromkeys(("embedding", "embedding1", "embedding2"), PROBE),
    "embeddings": [SubjectEmbedding("x", PROBE)],
    "subjects": ["x"],
    **dict.fromkeys(("new", "into"), "x"),
    "metadata": {"x": [1]},
    "data": b"",
}
"""A value for each argument without a default."""
SET_BY_THE_CLIENT = {"limit", "idempotency-key", "contract", "ids"}
METHODS = sorted({name for name in vars(Client) if name[0] != "_"} - {"close", "send", "health", "enrol_many"})
FIELDS = {"collections": "collections", "clean": "freed_bytes", "subjects": "subjects"} | dict.fromkeys(
    ("delete_subject", "delete_subjects", "delete_face"), "deleted_faces"
)
FIELDS |= dict.fromkeys(("rename_subject", "merge_subjects"), "moved_faces")
"""The field of the response that a method returns, if it does not return the whole response."""
TIME = "2026-01-15T10:30:00Z"


def call_by(method: str, **options: Any) -> Any:
    """The call that a method sends."""
    describe = inspect.unwrap(getattr(Client, method))
    parameters = inspect.signature(describe).parameters.values()
    return describe(*(ARGUMENTS[each.name] for each in parameters if each.default is each.empty), **options)


def operation_of(method: str) -> tuple[str, str]:
    """Path and HTTP method of the operation that a method of the client requests."""
    call = call_by(method)
    matching = [each for each in DOCUMENT["paths"] if re.fullmatch(re.sub("{[^}]*}", "[^/]+", each), call.path)]
    return min(matching, key=lambda each: each.count("{")), call.method.lower()


def resolved(schema: dict[str, Any]) -> Any:
    return DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def example(schema: dict[str, Any], whole: bool = True) -> Any:
    """A value that fits a schema, except for formats: with all fields, or with none that may be missing or null."""
    schema = resolved(schema)
    if null := [each for each in schema.get("anyOf", ()) if each == {"type": "null"}]:
        return example(next(each for each in schema["anyOf"] if each not in null)) if whole else None
    if "prefixItems" in schema:
        return [example(each, whole) for each in schema["prefixItems"]]
    if "items" in schema:
        return [example(schema["items"], whole)]
    if isinstance(more := schema.get("additionalProperties"), dict):
        return {"x": example(more, whole)}
    if fields := schema.get("properties"):
        return {
            name: example(part, whole) for name, part in fields.items() if whole or name in schema.get("required", ())
        }
    values = {"object": {"x": [1]}, "boolean": True, "integer": 3, "number": 0.25, "date-time": TIME, "string": "AQI="}
    return schema["enum"][-1] if "enum" in schema else values[schema.get("format", schema["type"])]


def test_every_operation_has_its_method() -> None:
    operations = {(path, verb) for path, verbs in DOCUMENT["paths"].items() for verb in verbs if path[:3] == "/v1"}
    assert sorted(map(operation_of, METHODS)) == sorted(operations)


@pytest.mark.parametrize("method", METHODS)
def test_every_option_is_an_argument_and_is_sent_and_nothing_else(method: str) -> None:
    path, verb = operation_of(method)
    operation = DOCUMENT["paths"][path][verb]
    named = {each["name"]: each["schema"] for each in operation.get("parameters", []) if each["in"] != "path"}
    for body in operation.get("requestBody", {}).get("content", {}).values():
        named |= resolved(body["schema"]).get("properties", {})
    options = {name: example(named[name]) for name in named.keys() - SET_BY_THE_CLIENT - ARGUMENTS.keys()}
    call = call_by(method, **options)
    sent = {**call.params, **(call.json or {})}
    assert {name: sent.get(name) for name in options} == options
    assert sent.keys() <= named.keys()


@pytest.mark.parametrize("method", METHODS)
def test_every_response_field_is_decoded_and_no_other_is_required(method: str) -> None:
    path, verb = operation_of(method)
    response = DOCUMENT["paths"][path][verb]["responses"]["200"]["content"]["application/json"]["schema"]
    call = call_by(method)
    call.decode(example(response, whole=False))
    body = example(response)
    decoded = call.decode(body)
    if method not in ("delete_collection", "set_metadata"):
        found = decoded.items if isinstance(decoded, Page) else decoded
        assert json.loads(json.dumps(found, default=encoded)) == (body[FIELDS[method]] if method in FIELDS else body)


def records(kind: Any) -> Iterator[Any]:
    """The records that values of a type contain."""
    if is_dataclass(kind):
        yield kind
    for inner in get_type_hints(kind).values() if is_dataclass(kind) else get_args(kind):
        yield from records(inner)


@pytest.mark.parametrize("method", [*METHODS, "health", "enrol_many"])
def test_every_record_of_an_answer_is_exported(method: str) -> None:
    for record in records(inspect.signature(getattr(Client, method)).return_annotation):
        assert getattr(client, record.__name__) is record


def encoded(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        # Responses of other routes have further fields of the same records.
        return asdict(value, dict_factory=present)
    return TIME if isinstance(value, datetime) else base64.b64encode(value).decode()


def present(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if value is not None}
