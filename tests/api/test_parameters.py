"""How paths, parameters and bodies are read: /v1 refuses unknown names, the older contracts ignore them."""

import asyncio
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from api.app import FORMS, create_app, routes
from api.errors import envelope
from imaging.refused import Refused
from tests.api.asgi import ask
from tests.fakes import client as client_of
from tests.fakes import service

PATH = {"collection": "staff", "subject": "ada", "face_id": "f"}
JSON = "application/json"


@dataclass(frozen=True)
class Operation:
    """A route as the OpenAPI document describes it: its parameters, its body's fields, and which of them are lists."""

    method: str
    path: str
    query: tuple[str, ...]
    kind: str | None
    fields: tuple[str, ...]
    lists: frozenset[str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_strict(self) -> bool:
        return self.path.startswith("/v1/")


@cache
def operations() -> tuple[Operation, ...]:
    document = routes(False).openapi()

    def read() -> Iterator[Operation]:
        for path, item in document["paths"].items():
            for method, operation in item.items():
                query = tuple(each["name"] for each in operation.get("parameters", []) if each["in"] == "query")
                content = operation.get("requestBody", {}).get("content", {})
                kind = next(iter(content), None)
                schema = content[kind]["schema"] if kind else {}
                if named := schema.get("$ref", schema.get("allOf", [{}])[0].get("$ref", "")):
                    schema = document["components"]["schemas"][named.rpartition("/")[2]]
                fields = schema.get("properties", {})
                lists = frozenset(name for name, field in fields.items() if field.get("type") == "array")
                yield Operation(method.upper(), path.format(**PATH), query, kind, tuple(fields), lists)

    return tuple(read())


STRICT = [each for each in operations() if each.is_strict]
CONTRACTS = [each for each in operations() if each.path.split("/")[1] in FORMS]
READS_JSON = [each for each in operations() if each.kind == JSON]
READS_FORM = [each for each in operations() if each.kind == "multipart/form-data"]


@pytest.fixture(scope="module")
def client() -> TestClient:
    return client_of()


def refusal(operation: Operation, answer: httpx.Response) -> str:
    """The message of a 400 in the form of the operation's path."""
    assert answer.status_code == 400, answer.text
    form = FORMS.get(operation.path.split("/")[1], envelope)
    _, shown = form(Refused("INVALID_REQUEST", "MESSAGE"), "ID")
    assert answer.json().keys() == shown.keys()
    return answer.text


def asked(client: TestClient, operation: Operation, **sent: Any) -> httpx.Response:
    response: httpx.Response = client.request(operation.method, operation.path, **sent)
    return response


def multipart(*fields: tuple[str, str]) -> dict[str, Any]:
    """A form of these fields, in order."""
    return {"files": [(name, ("a.jpg", value.encode())) for name, value in fields]}


def test_there_are_routes_of_every_kind() -> None:
    assert min(len(STRICT), len(CONTRACTS), len(READS_JSON), len(READS_FORM)) >= 9


@pytest.mark.parametrize("operation", STRICT, ids=str)
def test_v1_refuses_an_unknown_parameter_by_name(client: TestClient, operation: Operation) -> None:
    message = refusal(operation, asked(client, operation, params={"detectr": "mtcnn"}))
    assert "detectr is not known in the address" in message
    assert all(name in message for name in operation.query)


@pytest.mark.parametrize("operation", [each for each in operations() if each.query], ids=str)
def test_a_repeated_parameter_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    for name in operation.query:
        answer = asked(client, operation, params={name: ["a", "b"]})
        assert f"{name} is sent 2 times in the address" in refusal(operation, answer)


@pytest.mark.parametrize("operation", [each for each in STRICT if each.fields], ids=str)
def test_v1_refuses_a_field_of_the_body_in_the_address(client: TestClient, operation: Operation) -> None:
    where = "the JSON" if operation.kind == JSON else "the form"
    for name in operation.fields:
        answer = asked(client, operation, params={name: "a"})
        assert f"{name} belongs in {where}, not in the address" in refusal(operation, answer)


@pytest.mark.parametrize("operation", [each for each in READS_FORM if each.is_strict], ids=str)
def test_v1_refuses_an_unknown_field_of_a_form_by_name(client: TestClient, operation: Operation) -> None:
    for name in operation.query:
        answer = asked(client, operation, **multipart((name, "a")))
        assert f"{name} belongs in the address, not in the form" in refusal(operation, answer)
    for sent in (multipart(("detectr", "mtcnn")), {"data": {"detectr": "mtcnn"}}):
        assert "detectr is not known in the form" in refusal(operation, asked(client, operation, **sent))


@pytest.mark.parametrize("operation", [each for each in READS_JSON if each.is_strict], ids=str)
def test_v1_refuses_an_unknown_key_by_name(client: TestClient, operation: Operation) -> None:
    assert "metrik is not known in the JSON" in refusal(operation, asked(client, operation, json={"metrik": 1}))


@pytest.mark.parametrize("operation", [each for each in STRICT if each.kind is None], ids=str)
def test_v1_refuses_a_body_that_a_route_does_not_take(client: TestClient, operation: Operation) -> None:
    for sent in ({"json": {"with_faces": True}}, {"data": {"with_faces": "true"}}, multipart(("with_faces", "true"))):
        message = refusal(operation, asked(client, operation, **sent))
        assert "The request has a body, and this route takes none" in message
    assert "has a body" not in asked(client, operation, json={}).text


@pytest.mark.parametrize(
    ("messages", "read"),
    [
        (repeat({"type": "http.request", "body": b"{}", "more_body": True}, 9), 2),
        ([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}], 2),
    ],
    ids=["endless", "cut off"],
)
def test_no_more_of_a_body_is_read_than_refuses_it(messages: Iterable[Message], read: int) -> None:
    count, left = 0, iter(messages)

    async def receive() -> Message:
        nonlocal count
        count += 1
        return next(left)

    start, body = asyncio.run(ask(create_app(service()), receive, method="GET", path="/v1/status"))
    assert (start["status"], count) == (400, read)
    assert json.loads(body["body"])["error"]["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("operation", READS_FORM, ids=str)
def test_a_repeated_field_of_a_form_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    for name in operation.fields:
        answer = asked(client, operation, **multipart((name, "a"), (name, "b")))
        if name in operation.lists:
            assert "2 times" not in answer.text
        else:
            assert f"{name} is sent 2 times in the form" in refusal(operation, answer)


@pytest.mark.parametrize("operation", READS_JSON, ids=str)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "a is sent 2 times in the JSON"),
        (b'{"b": [{"a": 1, "a": 1}]}', "a is sent 2 times in the JSON"),
        (b"{", "The body is not valid JSON"),
        (b"[]", "The body is not a JSON object"),
        (b"", "The body is missing"),
        (b'{"a": "\xff"}', "The JSON is not valid UTF-8"),
        (b"[" * 100_000, "The JSON is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "The JSON has a number of too many digits"),
    ],
    ids=["repeated key", "repeated inner key", "broken", "list", "nothing", "Latin-1", "deep", "long number"],
)
def test_json_that_cannot_be_read_is_refused_with_the_reason(
    client: TestClient, operation: Operation, content: bytes, reason: str
) -> None:
    answer = asked(client, operation, content=content, headers={"content-type": JSON})
    assert reason in refusal(operation, answer)


@pytest.mark.parametrize("operation", READS_JSON, ids=str)
def test_json_has_to_say_that_it_is_json(client: TestClient, operation: Operation) -> None:
    for kind in (None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "json"):
        named = {} if kind is None else {"content-type": kind}
        message = refusal(operation, asked(client, operation, content=b"{}", headers=named))
        told = "none" if kind is None else kind
        assert f"The request needs the header Content-Type: {JSON}, and has {told}" in message
    plain = asked(client, operation, json={})
    for kind in (JSON, f"{JSON}; charset=utf-8", "Application/JSON", "application/vnd.api+json"):
        coding = {"content-encoding": "utf-8"} if kind == JSON else {"content-encoding": "identity"}
        answer = asked(client, operation, content=b"{}", headers={"content-type": kind, **coding})
        assert not any(name in answer.text for name in ("Content-Type", "Content-Encoding"))
        assert answer.status_code in (plain.status_code, 200)


@pytest.mark.parametrize("operation", [each for each in READS_FORM if each.is_strict], ids=str)
def test_a_form_has_to_say_that_it_is_one(client: TestClient, operation: Operation) -> None:
    for headers in ({}, {"content-type": JSON}, {"content-type": "image/jpeg"}):
        message = refusal(operation, asked(client, operation, content=b"photo", headers=headers))
        told = headers.get("content-type", "none")
        assert f"needs the header Content-Type: multipart/form-data, and has {told}" in message
    assert "Content-Type" not in asked(client, operation).text


@pytest.mark.parametrize("operation", READS_FORM, ids=str)
def test_a_malformed_form_is_refused_and_no_library_logs_it(
    client: TestClient, operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    for kind in ("multipart/form-data; boundary=b", "multipart/form-data"):
        refusal(operation, asked(client, operation, content=b"no form", headers={"content-type": kind}))
    assert [each.name for each in caplog.records if each.name.startswith("python_multipart")] == []


@pytest.mark.parametrize("operation", READS_FORM + READS_JSON, ids=str)
def test_a_compressed_body_is_refused_with_the_headers_name(client: TestClient, operation: Operation) -> None:
    for coding in ("gzip", "Deflate", "br", "zstd", "identity, gzip"):
        headers = {"content-encoding": coding, "content-type": operation.kind or ""}
        answer = asked(client, operation, content=gzip.compress(b"{}"), headers=headers)
        assert f"The body has Content-Encoding: {coding}; send it uncompressed" in refusal(operation, answer)


@pytest.mark.parametrize("operation", [each for each in operations() if each.path != "/"], ids=str)
def test_a_path_with_a_trailing_slash_is_refused_and_not_redirected(client: TestClient, operation: Operation) -> None:
    # Starlette would redirect to the Host that the client named.
    sent: dict[str, Any] = {"headers": {"host": "elsewhere.example"}, "follow_redirects": False}
    answer = client.request(operation.method, f"{operation.path}/", **sent)
    # Where the rest of the path is an id, the slash belongs to the id, which is unknown or empty.
    assert answer.status_code in (404, 405, 422)
    form = FORMS.get(operation.path.split("/")[1], envelope)
    assert answer.json().keys() == form(Refused("NOT_FOUND", "Not Found"), "")[1].keys()


@pytest.mark.parametrize("operation", CONTRACTS, ids=str)
def test_the_older_contracts_ignore_what_they_do_not_know(client: TestClient, operation: Operation) -> None:
    known: dict[str, Any] = {"json": {}} if operation.kind == JSON else multipart(("a", "b")) if operation.kind else {}
    more: dict[str, Any] = {"json": {"c": 1}} if "json" in known else multipart(("a", "b"), ("c", "d"))
    plain = asked(client, operation, **known)
    answer = asked(client, operation, params={"e": ["f", "g"]}, **(more if known else {}))
    assert answer.status_code == plain.status_code
    if not plain.is_success:
        assert answer.json() == plain.json()
