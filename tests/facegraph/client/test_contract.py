"""The client covers every operation, option and response field of /v1 in the OpenAPI document."""

import inspect
import json
import re
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from facegraph.client import Client, Embedding, InvalidRequestError, SubjectEmbedding
from facegraph.client.collections import Cleaned, Collections
from facegraph.client.subjects import Deleted, SubjectsPage
from tests.api.openapi import SNAPSHOT
from tests.facegraph.client import ADDRESS

DOCUMENT: dict[str, Any] = json.loads(SNAPSHOT.read_text("utf-8"))
PROBE = Embedding(contract="c", values=(1.0,))
ARGUMENTS = {
    **dict.fromkeys(("collection", "name", "subject", "face_id"), "x"),
    **dict.fromkeys(("photo", "photo1", "photo2", "photos"), b"1"),
    **dict.fromkeys(("embedding", "embedding1", "embedding2"), PROBE),
    "embeddings": [SubjectEmbedding("x", PROBE)],
    "subjects": ["x"],
}
"""A value for each argument without a default."""
SET_BY_THE_CLIENT = {"limit", "idempotency-key", "contract", "ids"}
METHODS = sorted({name for name in vars(Client) if name[0] != "_"} - {"close", "send", "health", "enrol_many"})
WRAPPED: dict[str, type[Any] | None] = {
    "collections": Collections,
    "clean": Cleaned,
    "subjects": SubjectsPage,
    "delete_collection": None,
    **dict.fromkeys(("delete_subject", "delete_subjects", "delete_face"), Deleted),
}
"""The decoded response of methods that return a part of it, or nothing."""
SCALARS = {"string": (str, bytes, datetime), "number": (float,), "integer": (int, float), "boolean": (bool,)}


def sent_by(method: str, **options: Any) -> httpx.Request:
    """The request that a method sends."""
    sent: list[httpx.Request] = []
    parameters = [*inspect.signature(getattr(Client, method)).parameters.values()][1:]
    required = [ARGUMENTS[each.name] for each in parameters if each.default is each.empty]

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(400)

    with Client(ADDRESS, transport=httpx.MockTransport(keep)) as client, pytest.raises(InvalidRequestError):
        list(getattr(client, method)(*required, **options))
    return sent[0]


def operation_of(method: str) -> tuple[str, str]:
    """Path and HTTP method of the operation that a method of the client requests."""
    request = sent_by(method)
    path = request.url.raw_path.decode().split("?")[0]
    matching = [each for each in DOCUMENT["paths"] if re.fullmatch(re.sub("{[^}]*}", "[^/]+", each), path)]
    return min(matching, key=lambda each: each.count("{")), request.method.lower()


def resolved(schema: dict[str, Any]) -> Any:
    return DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def example(schema: dict[str, Any]) -> Any:
    """A value that a schema allows, roughly."""
    schema = resolved(next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema))
    values = {"boolean": True, "integer": 3, "number": 0.25}
    return schema["enum"][-1] if "enum" in schema else values.get(schema["type"], "x")


def test_every_operation_has_its_method() -> None:
    operations = {(path, verb) for path, verbs in DOCUMENT["paths"].items() for verb in verbs if path[:3] == "/v1"}
    assert sorted(map(operation_of, METHODS)) == sorted(operations)


@pytest.mark.parametrize("method", METHODS)
def test_every_option_is_an_argument_and_is_sent(method: str) -> None:
    path, verb = operation_of(method)
    operation = DOCUMENT["paths"][path][verb]
    named = {each["name"]: each["schema"] for each in operation.get("parameters", []) if each["in"] != "path"}
    for body in operation.get("requestBody", {}).get("content", {}).values():
        named |= resolved(body["schema"])["properties"]
    options = {name: example(named[name]) for name in named.keys() - SET_BY_THE_CLIENT - ARGUMENTS.keys()}
    request = sent_by(method, **options)
    sent: dict[str, Any] = dict(request.url.params)
    if request.headers.get("Content-Type") == "application/json":
        sent |= json.loads(request.content)
    assert {name: str(sent.get(name)).lower() for name in options} == {n: str(v).lower() for n, v in options.items()}


@pytest.mark.parametrize("method", METHODS)
def test_every_response_field_is_decoded(method: str) -> None:
    path, verb = operation_of(method)
    response = DOCUMENT["paths"][path][verb]["responses"]["200"]["content"]["application/json"]["schema"]
    if kind := WRAPPED.get(method, inspect.signature(getattr(Client, method)).return_annotation):
        _compare(response, kind, method)


def _compare(schema: dict[str, Any], kind: Any, place: str) -> None:
    """Check that the dataclass has every field of the schema and requires no other."""
    schema, inner = resolved(schema), [each for each in get_args(kind) if each not in (NoneType, Ellipsis)]
    if "anyOf" in schema:
        [some] = [each for each in schema["anyOf"] if each != {"type": "null"}]
        assert NoneType in get_args(kind), f"{place} may be null"
        _compare(some, inner[0], place)
    elif "prefixItems" in schema:
        for part, each in zip(schema["prefixItems"], inner, strict=True):
            _compare(part, each, place)
    elif "items" in schema:
        _compare(schema["items"], inner[0], f"{place}[]")
    elif isinstance(schema.get("additionalProperties"), dict):
        _compare(schema["additionalProperties"], inner[1], f"{place}{{}}")
    elif "properties" in schema:
        assert is_dataclass(kind), place
        hints, required = get_type_hints(kind), set(schema.get("required", ()))
        known = {each.name for each in fields(kind)}
        needed = {each.name for each in fields(kind) if each.default is MISSING}
        assert schema["properties"].keys() <= known, place
        assert needed <= required, place
        for name, part in schema["properties"].items():
            _compare(part, hints[name], f"{place}.{name}")
    else:
        assert kind in SCALARS[schema["type"]], place
