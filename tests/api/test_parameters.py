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
    assert min(len(STRICT), len(CONTRACTS), len(READS_FORM)) >= 9


UNREADABLE = {
    b'{"a": 1, "b": 2, "a": 3}': "a is repeated 2 times in the JSON body",
    b'{"b": [{"a": 1, "a": 1}]}': "a is repeated 2 times in the JSON body",
    b"{": "The body is not valid JSON",
    b"[]": "The body is not a JSON object",
    b"": "The body is missing",
    b'{"a": "\xff"}': "The JSON body is not valid UTF-8",
    b"[" * 100_000: "The JSON body is nested too deeply",
    b'{"a": ' + b"9" * 5000 + b"}": "A number in the JSON body has too many digits",
}


def refused(operation: Operation) -> Iterator[tuple[dict[str, Any], str]]:
    """Requests that any operation of this kind refuses, with the reasons."""
    has_json = operation.kind == JSON
    for name in operation.query:
        yield {"params": {name: ["a", "b"]}}, f"{name} is repeated 2 times in the query string"
    for name in operation.fields if operation in READS_FORM else ():
        if name not in operation.lists:
            yield multipart((name, "a"), (name, "b")), f"{name} is repeated 2 times in the form"
    for content, reason in UNREADABLE.items() if has_json else ():
        yield {"content": content, "headers": {"content-type": JSON}}, reason
    for kind in (None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "json") if has_json else ():
        told = f"Content-Type must be {JSON}, not {'none' if kind is None else kind}"
        yield {"content": b"{}", "headers": {} if kind is None else {"content-type": kind}}, told
    for coding in ("gzip", "Deflate", "br", "zstd", "identity, gzip") if operation.kind else ():
        headers = {"content-encoding": coding, "content-type": operation.kind}
        told = f"Content-Encoding {coding} is not supported; send the body uncompressed"
        yield {"content": gzip.compress(b"{}"), "headers": headers}, told
    if operation.is_strict:
        yield from refused_by_v1(operation)


def refused_by_v1(operation: Operation) -> Iterator[tuple[dict[str, Any], str]]:
    """Requests that only operations of /v1 refuse, with the reasons."""
    for told in ("Unknown parameter detectr in the query string", *operation.query):
        yield {"params": {"detectr": "mtcnn"}}, told
    for name in operation.fields:
        where = "the JSON body" if operation.kind == JSON else "the form"
        yield {"params": {name: "a"}}, f"{name} belongs in {where}, not in the query string"
    if operation.kind == JSON:
        yield {"json": {"metrik": 1}}, "Unknown field metrik in the JSON body"
    elif operation.kind is None:
        fields = {"with_faces": "true"}
        for sent in ({"json": fields}, {"data": fields}, multipart(*fields.items())):
            yield sent, "This route does not accept a request body"
    else:
        for name in operation.query:
            yield multipart((name, "a")), f"{name} belongs in the query string, not in the form"
        for sent in (multipart(("detectr", "mtcnn")), {"data": {"detectr": "mtcnn"}}):
            yield sent, "Unknown parameter detectr in the form"
        for kind in ("none", JSON, "image/jpeg"):
            headers = {} if kind == "none" else {"content-type": kind}
            told = f"Content-Type must be multipart/form-data, not {kind}"
            yield {"content": b"photo", "headers": headers}, told


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_a_request_of_another_form_is_refused_with_the_reason(client: TestClient, operation: Operation) -> None:
    for sent, reason in refused(operation):
        assert reason in refusal(operation, asked(client, operation, **sent))


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_what_only_resembles_one_is_read(client: TestClient, operation: Operation) -> None:
    for name in operation.lists:
        assert "2 times" not in asked(client, operation, **multipart((name, "a"), (name, "b"))).text
    if operation in READS_FORM and operation.is_strict:
        assert "Content-Type" not in asked(client, operation).text
    if operation.kind is None:
        assert "has a body" not in asked(client, operation, json={}).text
    if operation.kind == JSON:
        plain = asked(client, operation, json={})
        for kind in (JSON, f"{JSON}; charset=utf-8", "Application/JSON", "application/vnd.api+json"):
            coding = {"content-encoding": "utf-8"} if kind == JSON else {"content-encoding": "identity"}
            answer = asked(client, operation, content=b"{}", headers={"content-type": kind, **coding})
            assert not any(name in answer.text for name in ("Content-Type", "Content-Encoding"))
            assert answer.status_code in (plain.status_code, 200)


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
def test_a_malformed_form_is_refused_and_no_library_logs_it(
    client: TestClient, operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    for kind in ("multipart/form-data; boundary=b", "multipart/form-data"):
        refusal(operation, asked(client, operation, content=b"no form", headers={"content-type": kind}))
    assert [each.name for each in caplog.records if each.name.startswith("python_multipart")] == []


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
