"""How parameters and bodies are read: /v1 refuses unknown names, the older contracts ignore them."""

import json
from collections.abc import Iterable
from itertools import repeat
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, File, Form, Query, UploadFile
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.testclient import TestClient
from starlette.types import Message

from api import errors
from api.app import CONTRACTS, create_app, routes
from api.limits import RequestBounds
from api.parameters import CheckedRoute, StreamRoute, StrictRoute
from tests.api.asgi import ask
from tests.fakes import client, service

JSON = {"content-type": "application/json"}


class Options(BaseModel):
    """Parameters in the query string."""

    most: str = ""


class Body(BaseModel):
    """Fields of a JSON body."""

    metric: Any = None


def client_of(kind: type[CheckedRoute]) -> TestClient:
    """A client of an app with a route of this class for each kind of body."""
    router, app = APIRouter(route_class=kind), FastAPI()

    @router.post("/none")
    async def post_none(options: Annotated[Options, Query()]) -> None: ...

    @router.post("/json")
    async def post_json(body: Body) -> None: ...

    @router.post("/form")
    async def post_form(
        options: Annotated[Options, Query()],
        photo: Annotated[list[UploadFile], File(default_factory=list)],
        subject: Annotated[str, Form()] = "",
    ) -> None: ...

    app.include_router(router)
    errors.install(app, {})
    return TestClient(RequestBounds(app, 10_000_000, 10_000_000))


BOTH = pytest.mark.parametrize("asked", [client_of(CheckedRoute), client_of(StrictRoute)], ids=["contract", "v1"])


def multipart(*fields: tuple[str, str]) -> dict[str, Any]:
    """A form of these fields, in order."""
    return {"files": [(name, (None, value.encode())) for name, value in fields]}


def refusal(response: httpx.Response) -> str:
    assert response.status_code == 400, response.text
    assert response.json()["error"]["code"] == "INVALID_REQUEST"
    return str(response.json()["error"]["message"])


def test_every_route_is_strict_or_belongs_to_an_older_contract() -> None:
    kinds: dict[str, set[type]] = {}
    for each in iter_route_contexts(routes(False).routes):
        kinds.setdefault(str(each.path).split("/")[1], set()).add(type(each.route))
    assert kinds["v1"] == {StrictRoute, StreamRoute}
    assert {name: kinds[name] for contract in CONTRACTS for name in contract.PATHS} == {
        name: {CheckedRoute} for contract in CONTRACTS for name in contract.PATHS
    }


@BOTH
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"metric": 1, "b": 2, "metric": 3}', "metric is repeated 2 times in the JSON body; send it once"),
        (b'{"b": [{"a": 1, "a": 1}]}', "a is repeated 2 times in the JSON body; send it once"),
        (b"{", "The body is not valid JSON"),
        (b"[]", "The body is not a JSON object"),
        (b"", "The body is missing"),
        (b'{"a": "\xff"}', "The JSON body is not valid UTF-8"),
        (b"[" * 100_000, "The JSON body is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "A number in the JSON body has too many digits"),
    ],
    ids=range(8),
)
def test_json_that_cannot_be_read_is_refused_with_the_reason(asked: TestClient, content: bytes, reason: str) -> None:
    assert refusal(asked.post("/json", content=content, headers=JSON)) == reason


@BOTH
@pytest.mark.parametrize("kind", [None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "json"])
def test_json_needs_its_content_type(asked: TestClient, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    told = f"Content-Type must be application/json, not {kind or 'none'}"
    assert refusal(asked.post("/json", content=b"{}", headers=headers)) == told
    for good in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"):
        assert asked.post("/json", content=b"{}", headers={"content-type": good}).is_success


@BOTH
@pytest.mark.parametrize("coding", ["gzip", "Deflate", "br", "zstd", "identity, gzip"])
def test_a_compressed_body_is_refused(asked: TestClient, coding: str) -> None:
    told = f"Content-Encoding {coding} is not supported; send the body uncompressed"
    assert refusal(asked.post("/json", content=b"{}", headers={**JSON, "content-encoding": coding})) == told
    assert refusal(asked.post("/form", **multipart(("photo", "a")), headers={"content-encoding": coding})) == told
    for harmless in ("utf-8", "identity"):
        assert asked.post("/json", content=b"{}", headers={**JSON, "content-encoding": harmless}).is_success


@BOTH
def test_a_repeated_name_is_refused_unless_it_is_a_list(asked: TestClient) -> None:
    for path in ("/none", "/form"):
        told = "most is repeated 2 times in the query string; send it once"
        assert refusal(asked.post(path, params={"most": ["a", "b"]})) == told
    told = "subject is repeated 2 times in the form; send it once"
    assert refusal(asked.post("/form", **multipart(("subject", "a"), ("subject", "b")))) == told
    assert asked.post("/form", files=[("photo", b"a"), ("photo", b"b")]).is_success


UNKNOWN: list[tuple[str, dict[str, Any], str]] = [
    ("/none", {"params": {"detectr": "a"}}, "Unknown parameter detectr in the query string; available: most"),
    (
        "/json",
        {"json": {}, "params": {"detectr": "a"}},
        "Unknown parameter detectr in the query string; available: none",
    ),
    ("/json", {"json": {}, "params": {"metric": "a"}}, "metric belongs in the JSON body, not in the query string"),
    ("/form", {"params": {"subject": "a"}}, "subject belongs in the form, not in the query string"),
    ("/form", multipart(("most", "a")), "most belongs in the query string, not in the form"),
    ("/form", multipart(("detectr", "a")), "Unknown parameter detectr in the form; available: photo, subject"),
    *(
        ("/none", sent, "This route does not accept a request body")
        for sent in ({"json": {"most": "1"}}, {"data": {"most": "1"}}, multipart(("most", "1")))
    ),
    *(
        (
            "/form",
            {"content": b"subject=a", "headers": {"content-type": kind} if kind != "none" else {}},
            f"Content-Type must be multipart/form-data, not {kind}",
        )
        for kind in ("none", "application/json", "image/jpeg", "application/x-www-form-urlencoded")
    ),
]


@pytest.mark.parametrize(("path", "sent", "reason"), UNKNOWN, ids=range(len(UNKNOWN)))
def test_only_v1_refuses_what_it_does_not_know(path: str, sent: dict[str, Any], reason: str) -> None:
    assert refusal(client_of(StrictRoute).post(path, **sent)) == reason
    assert client_of(CheckedRoute).post(path, **sent).is_success


@BOTH
def test_text_instead_of_a_file_is_refused(asked: TestClient) -> None:
    assert refusal(asked.post("/form", **multipart(("photo", "text")))) == "photo.0: Input should be a file, not text"


@BOTH
def test_an_empty_body_counts_as_none(asked: TestClient) -> None:
    assert asked.post("/none", json={}).is_success
    assert asked.post("/form").is_success


@pytest.mark.parametrize(
    "messages",
    [
        repeat({"type": "http.request", "body": b"{}", "more_body": True}, 9),
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}],
    ],
    ids=["endless", "cut off"],
)
async def test_a_body_is_read_only_until_it_can_be_refused(messages: Iterable[Message]) -> None:
    count, left = 0, iter(messages)

    async def receive() -> Message:
        nonlocal count
        count += 1
        return next(left)

    start, body = await ask(create_app(service()), receive, method="GET", path="/v1/status")
    assert (start["status"], count) == (400, 2)
    assert json.loads(body["body"])["error"]["code"] == "INVALID_REQUEST"


@BOTH
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "multipart/form-data"])
def test_a_malformed_form_is_refused_and_no_library_logs_it(
    asked: TestClient, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    refusal(asked.post("/form", content=b"no form", headers={"content-type": kind}))
    assert [each.name for each in caplog.records if each.name.startswith("python_multipart")] == []


@pytest.mark.parametrize("path", ["/match/", "/v1/detect/", "/v1/collections/staff/", "/health/", "/metrics/"])
def test_a_path_with_a_trailing_slash_is_not_found_and_not_redirected(path: str) -> None:
    # Starlette would redirect to the Host that the client named.
    assert client().post(path, headers={"host": "elsewhere.example"}, follow_redirects=False).status_code == 404
