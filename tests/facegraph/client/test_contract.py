"""The client covers every operation, option and response field of /v1 in the OpenAPI document."""

import json
import re
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from facegraph.client import Client, Embedding, SubjectEmbedding
from facegraph.client.collections import Cleaned, Collection, Collections, CollectionStatistics
from facegraph.client.enrolment import EmbeddingsEnrolment, Enrolment
from facegraph.client.photos import Comparison, DetectedPhoto, EmbeddedPhoto, Verification
from facegraph.client.search import SearchedEmbedding, SearchedPhoto
from facegraph.client.service import Networks, Status
from facegraph.client.subjects import Deleted, SubjectFaces, SubjectsPage
from tests.api.openapi import SNAPSHOT
from tests.facegraph.client import ADDRESS

DOCUMENT: dict[str, Any] = json.loads(SNAPSHOT.read_text("utf-8"))
PROBE = Embedding(contract="c", values=(1.0,))

METHODS: dict[str, tuple[tuple[Any, ...], type[Any] | None]] = {
    "models": ((), Networks),
    "status": ((), Status),
    "detect": ((b"1",), DetectedPhoto),
    "embed": ((b"1",), EmbeddedPhoto),
    "verify": ((b"1", b"2"), Verification),
    "compare": ((PROBE, PROBE), Comparison),
    "collections": ((), Collections),
    "put_collection": (("staff",), Collection),
    "collection": (("staff",), CollectionStatistics),
    "delete_collection": (("staff",), None),
    "clean": ((), Cleaned),
    "enrol": (("staff", "anna", b"1"), Enrolment),
    "enrol_embeddings": (("staff", [SubjectEmbedding("anna", PROBE)]), EmbeddingsEnrolment),
    "subjects": (("staff",), SubjectsPage),
    "subject": (("staff", "anna"), SubjectFaces),
    "delete_subject": (("staff", "anna"), Deleted),
    "delete_subjects": (("staff", ["anna"]), Deleted),
    "delete_face": (("staff", "f1"), Deleted),
    "search": (("staff", b"1"), SearchedPhoto),
    "search_embedding": (("staff", PROBE), SearchedEmbedding),
}
"""Each method's required arguments, and the type of its decoded response; None if there is no body to decode."""

SCALARS = {"string": (str, bytes, datetime), "number": (float,), "integer": (int, float), "boolean": (bool,)}
OPTIONS: dict[str, Any] = {
    "after": "a",
    "crops": True,
    "detector": "centerface",
    "liveness_network": "fused",
    "embedder": "facenet",
    "faces": "all",
    "liveness": "report",
    "max_faces": 3,
    "metric": "euclidean",
    "quality": "report",
    "replace": True,
    "threshold": 0.25,
    "top_k": 4,
    "with_faces": True,
}
"""A value for each option of any method."""
NO_OPTIONS = {"limit", "idempotency-key", "contract", "values", "label", "ids", "photo", "photo1", "photo2", "subject"}
NO_OPTIONS |= {"embedding", "embedding1", "embedding2", "embeddings"}
"""Parameters that the client sets itself or that are positional arguments."""


class _SentError(Exception):
    """Carries a request."""


def sent_by(method: str, **options: Any) -> httpx.Request:
    """The request that a method sends."""

    def keep(request: httpx.Request) -> httpx.Response:
        raise _SentError(request)

    with Client(ADDRESS, transport=httpx.MockTransport(keep)) as client, pytest.raises(_SentError) as raised:
        list(getattr(client, method)(*METHODS[method][0], **options))
    request: httpx.Request = raised.value.args[0]
    return request


def operation_of(request: httpx.Request) -> tuple[str, str]:
    """Path and HTTP method of a request's operation."""
    path = request.url.raw_path.decode().split("?")[0]
    [found] = [
        each
        for each in sorted(DOCUMENT["paths"], key=lambda each: "{" in each.rsplit("/", 1)[1])
        if each.startswith("/v1") and re.fullmatch(re.sub("{[^}]*}", "[^/]+", each), path)
    ][:1]
    return found, request.method.lower()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema
    if "$ref" in schema:
        found = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def test_every_operation_has_its_method() -> None:
    known = {operation_of(sent_by(method)) for method in METHODS}
    assert len(known) == len(METHODS)
    operations = {(path, verb) for path, verbs in DOCUMENT["paths"].items() for verb in verbs if path[:3] == "/v1"}
    assert known == operations


@pytest.mark.parametrize("method", METHODS)
def test_every_option_is_an_argument_and_is_sent(method: str) -> None:
    path, verb = operation_of(sent_by(method))
    operation = DOCUMENT["paths"][path][verb]
    named = {each["name"] for each in operation.get("parameters", []) if each["in"] != "path"}
    for body in operation.get("requestBody", {}).get("content", {}).values():
        named |= resolved(body["schema"])["properties"].keys()
    options = {name: OPTIONS[name] for name in named - NO_OPTIONS}
    request = sent_by(method, **options)
    sent: dict[str, Any] = dict(request.url.params)
    if request.headers.get("Content-Type") == "application/json":
        sent |= json.loads(request.content)
    as_text = {name: str(value).lower() for name, value in options.items()}
    assert {name: str(sent.get(name)).lower() for name in options} == as_text


@pytest.mark.parametrize("method", [name for name, (_, kind) in METHODS.items() if kind])
def test_every_response_field_is_decoded(method: str) -> None:
    path, verb = operation_of(sent_by(method))
    schema = DOCUMENT["paths"][path][verb]["responses"]["200"]["content"]["application/json"]["schema"]
    kind = METHODS[method][1]
    assert kind is not None
    _compare(schema, kind, method)


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
