"""What a request holds besides what its route takes: refused by name on /v1, and never taken for something else."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any, cast

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from api.app import FORMS, create_app, routes
from api.errors import envelope
from imaging.refused import Refused
from tests.fakes import client as client_of
from tests.fakes import service

PATH = {"collection": "staff", "subject": "ada", "face_id": "f"}
JSON = "application/json"


@dataclass(frozen=True)
class Operation:
    """A route as its document describes it: the names that it takes, and which of its form's fields are lists."""

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


def multipart(*fields: tuple[str, str]) -> dict[str, Any]:
    """A form of these fields, in order."""
    return {"files": [(name, ("a.jpg", value.encode())) for name, value in fields]}


def test_there_are_routes_of_every_kind() -> None:
    assert min(len(STRICT), len(CONTRACTS), len(READS_JSON), len(READS_FORM)) >= 9


@pytest.mark.parametrize("operation", STRICT, ids=str)
def test_a_parameter_that_v1_does_not_know_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    answer = client.request(operation.method, operation.path, params={"detectr": "mtcnn"})
    message = refusal(operation, answer)
    assert "detectr is not known in the address" in message
    assert all(name in message for name in operation.query)


@pytest.mark.parametrize("operation", [each for each in operations() if each.query], ids=str)
def test_a_parameter_that_is_sent_twice_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    for name in operation.query:
        answer = client.request(operation.method, f"{operation.path}?{name}=a&{name}=b")
        assert f"{name} is sent 2 times in the address" in refusal(operation, answer)


@pytest.mark.parametrize("operation", [each for each in STRICT if each.fields], ids=str)
def test_a_field_of_the_body_in_the_address_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    where = "the JSON" if operation.kind == JSON else "the form"
    for name in operation.fields:
        answer = client.request(operation.method, operation.path, params={name: "a"})
        assert f"{name} belongs in {where}, not in the address" in refusal(operation, answer)


@pytest.mark.parametrize("operation", [each for each in READS_FORM if each.is_strict], ids=str)
def test_a_field_of_a_form_that_is_none_of_its_own_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    for name in operation.query:
        answer = client.request(operation.method, operation.path, **multipart((name, "a")))
        assert f"{name} belongs in the address, not in the form" in refusal(operation, answer)
    for sent in (multipart(("detectr", "mtcnn")), {"data": {"detectr": "mtcnn"}}):
        answer = client.request(operation.method, operation.path, **sent)
        assert "detectr is not known in the form" in refusal(operation, answer)


@pytest.mark.parametrize("operation", [each for each in READS_JSON if each.is_strict], ids=str)
def test_a_key_that_v1_does_not_know_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    answer = client.request(operation.method, operation.path, json={"metrik": 1})
    assert "metrik is not known in the JSON" in refusal(operation, answer)


@pytest.mark.parametrize("operation", [each for each in STRICT if each.kind is None], ids=str)
def test_a_body_that_v1_does_not_take_is_refused(client: TestClient, operation: Operation) -> None:
    for sent in ({"json": {"with_faces": True}}, {"data": {"with_faces": "true"}}, multipart(("with_faces", "true"))):
        answer = client.request(operation.method, operation.path, **cast(dict[str, Any], sent))
        assert "The request has a body, and this route takes none" in refusal(operation, answer)
    assert "has a body" not in client.request(operation.method, operation.path, json={}).text


async def answered(messages: Iterator[Message]) -> tuple[dict[str, Any], int]:
    """The answer of GET /v1/status to a request of these messages, and how many of them were read."""
    sent, read = list[Message](), 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/v1/status", "query_string": b"", "headers": []}
    await create_app(service())(scope, receive, send)
    return {"status": sent[0]["status"], **json.loads(sent[1]["body"])}, read


def test_no_more_of_a_body_is_read_than_it_takes_to_refuse_it() -> None:
    answer, read = asyncio.run(answered(repeat({"type": "http.request", "body": b"{}", "more_body": True}, 9)))
    assert (answer["status"], answer["error"]["code"], read) == (400, "INVALID_REQUEST", 2)


def test_a_client_that_hangs_up_within_a_body_causes_no_fault() -> None:
    pieces: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    answer, _ = asyncio.run(answered(iter(pieces)))
    assert (answer["status"], answer["error"]["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("operation", READS_FORM, ids=str)
def test_a_field_of_a_form_that_is_sent_twice_is_refused_by_name(client: TestClient, operation: Operation) -> None:
    for name in set(operation.fields) - operation.lists:
        answer = client.request(operation.method, operation.path, **multipart((name, "a"), (name, "b")))
        assert f"{name} is sent 2 times in the form" in refusal(operation, answer)
    for name in operation.lists:
        answer = client.request(operation.method, operation.path, **multipart((name, "a"), (name, "b")))
        assert "2 times" not in answer.text


@pytest.mark.parametrize("operation", READS_JSON, ids=str)
@pytest.mark.parametrize("content", [b'{"a": 1, "b": 2, "a": 3}', b'{"b": [{"a": 1, "a": 1}]}'], ids=["outer", "inner"])
def test_a_key_that_is_sent_twice_is_refused_by_name(client: TestClient, operation: Operation, content: bytes) -> None:
    answer = client.request(operation.method, operation.path, content=content, headers={"content-type": JSON})
    assert "a is sent 2 times in the JSON" in refusal(operation, answer)


@pytest.mark.parametrize("operation", READS_JSON, ids=str)
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "json",
    ],
)
def test_json_under_another_content_type_is_refused_with_the_headers_name(
    client: TestClient, operation: Operation, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    answer = client.request(operation.method, operation.path, content=b"{}", headers=headers)
    message = refusal(operation, answer)
    assert f"The request needs the header Content-Type: {JSON}, and has {'none' if kind is None else kind}" in message


@pytest.mark.parametrize("operation", READS_JSON, ids=str)
@pytest.mark.parametrize("kind", [f"{JSON}; charset=utf-8", "Application/JSON", "application/vnd.api+json"])
def test_json_under_a_content_type_of_json_is_read(client: TestClient, operation: Operation, kind: str) -> None:
    sent = {"content": b"{}", "headers": {"content-type": kind}}
    plain = client.request(operation.method, operation.path, json={})
    answer = client.request(operation.method, operation.path, **cast(dict[str, Any], sent))
    assert "Content-Type" not in answer.text
    assert answer.status_code in (plain.status_code, 200)


@pytest.mark.parametrize("operation", [each for each in READS_FORM if each.is_strict], ids=str)
def test_a_form_under_another_content_type_is_refused_with_the_headers_name(
    client: TestClient, operation: Operation
) -> None:
    for headers in ({}, {"content-type": JSON}, {"content-type": "image/jpeg"}):
        answer = client.request(operation.method, operation.path, content=b"photo", headers=headers)
        said = f"needs the header Content-Type: multipart/form-data, and has {headers.get('content-type', 'none')}"
        assert said in refusal(operation, answer)
    assert "Content-Type" not in client.request(operation.method, operation.path).text


@pytest.mark.parametrize("operation", READS_FORM, ids=str)
def test_a_malformed_form_is_refused_and_logged_by_no_library(
    client: TestClient, operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    refusal(operation, client.request(operation.method, operation.path, content=b"no form", headers=headers))
    assert [each.name for each in caplog.records if each.name.startswith("python_multipart")] == []


@pytest.mark.parametrize("operation", READS_FORM + READS_JSON, ids=str)
@pytest.mark.parametrize("coding", ["gzip", "Deflate", "br", "zstd", "identity, gzip"])
def test_a_compressed_body_is_refused_with_the_headers_name(
    client: TestClient, operation: Operation, coding: str
) -> None:
    headers = {"content-encoding": coding, "content-type": operation.kind or ""}
    answer = client.request(operation.method, operation.path, content=gzip.compress(b"{}"), headers=headers)
    assert f"The body has Content-Encoding: {coding}; send it uncompressed" in refusal(operation, answer)


@pytest.mark.parametrize("operation", READS_JSON, ids=str)
@pytest.mark.parametrize("coding", ["", "identity", "utf-8"])
def test_another_content_encoding_changes_nothing(client: TestClient, operation: Operation, coding: str) -> None:
    plain = client.request(operation.method, operation.path, json={})
    answer = client.request(operation.method, operation.path, json={}, headers={"content-encoding": coding})
    assert "Content-Encoding" not in answer.text
    assert answer.status_code in (plain.status_code, 200)


@pytest.mark.parametrize("operation", READS_JSON, ids=str)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "The body is not valid JSON"),
        (b'{"a": "\xff"}', "The JSON is not valid UTF-8"),
        (b"[" * 100_000, "The JSON is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "The JSON has a number of too many digits"),
    ],
    ids=["broken", "Latin-1", "deep", "long number"],
)
def test_json_that_cannot_be_read_is_refused_with_the_reason(
    client: TestClient, operation: Operation, content: bytes, reason: str
) -> None:
    answer = client.request(operation.method, operation.path, content=content, headers={"content-type": JSON})
    assert reason in refusal(operation, answer)


@pytest.mark.parametrize("operation", CONTRACTS, ids=str)
def test_the_older_contracts_ignore_what_they_do_not_know(client: TestClient, operation: Operation) -> None:
    known: dict[str, Any] = {"json": {}} if operation.kind == JSON else multipart(("a", "b")) if operation.kind else {}
    more: dict[str, Any] = {"json": {"c": 1}} if "json" in known else multipart(("a", "b"), ("c", "d"))
    plain = client.request(operation.method, operation.path, **known)
    answer = client.request(operation.method, operation.path, params={"e": ["f", "g"]}, **(more if known else {}))
    assert answer.status_code == plain.status_code
    if not plain.is_success:
        assert answer.json() == plain.json()
