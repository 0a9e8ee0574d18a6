"""The header Server-Timing: on every answer, with what its own request recorded."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from api.app import create_app
from api.server_timing import ServerTiming
from api.settings import LimitArgs
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.pick import Pick
from imaging.refused import Refused
from telemetry.answered_request import AnsweredRequest
from telemetry.call_window import CallWindow
from telemetry.timing import Call, Timed, record
from tests.fakes import FakeDetector, FakeNetwork, client, photo, serve_log, service, stages

PAIR = {"image1": "QUJD", "image2": "QUJD"}
HEADER = "server-timing"


def names(header: str) -> list[str]:
    """What a header tells of, all of which must have the form of https://www.w3.org/TR/server-timing/."""
    entries = header.split(", ")
    assert all(re.fullmatch(r'[a-z-]+(;desc="[^"]*")?;dur=\d+\.\d', entry) for entry in entries)
    return [entry.partition(";")[0] for entry in entries]


async def detect(photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Detection:
    """Finds two good photos, and records it."""
    record(Call("detector", "mtcnn", 0.0, 0.0, Timed(None, 0.0, {"decode": 0.0})))
    return await FakeDetector(photo(), photo())(photos, crops, pick)


def sent_by(app: ServerTiming) -> list[Message]:
    """What `app` answers a request with."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "GET", "path": "/", "headers": []}, None, send))  # type: ignore[arg-type]
    return sent


def test_the_time_is_from_the_requests_arrival_to_the_start_of_its_answer() -> None:
    headers = [(b"content-type", b"text/plain")]

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        record(Call("gallery", "find", 3.0, 3.25))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        record(Call("gallery", "too late", 3.0, 3.5))
        await send({"type": "http.response.body", "body": b"text"})

    start, body = sent_by(ServerTiming(inner, CallWindow(), clock=iter([2.0, 4.0, 5.0]).__next__))
    timing = b'total;dur=2000.0, ingress;dur=1750.0, gallery;desc="find";dur=250.0'
    assert start == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/plain"), (b"server-timing", timing)],
    }
    assert body == {"type": "http.response.body", "body": b"text"}
    assert headers == [(b"content-type", b"text/plain")]


def test_an_answer_without_headers_gets_this_one() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})

    [start] = sent_by(ServerTiming(inner, CallWindow(), clock=iter([0.0, 0.5, 0.5]).__next__))
    assert start["headers"] == [(b"server-timing", b"total;dur=500.0, ingress;dur=500.0")]


def test_requests_side_by_side_have_their_own() -> None:
    barrier = asyncio.Barrier(2)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await barrier.wait()
        record(Call(scope["kind"], "any", 0.0, 0.0))
        await barrier.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    app = ServerTiming(inner, CallWindow())

    async def told(kind: str) -> str:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await app({"type": "http", "method": "GET", "path": "/", "headers": [], "kind": kind}, None, send)  # type: ignore[arg-type]
        return str(sent[0]["headers"][0][1].decode())

    async def run() -> list[str]:
        return list(await asyncio.gather(told("liveness"), told("embedder")))

    assert [names(header) for header in asyncio.run(run())] == [
        ["total", "ingress", "liveness"],
        ["total", "ingress", "embedder"],
    ]


def test_what_is_not_http_passes() -> None:
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    scope = {"type": "lifespan"}
    asyncio.run(ServerTiming(inner, CallWindow())(scope, None, None))  # type: ignore[arg-type]
    assert seen == [(scope, None, None)]


def test_an_answer_tells_what_its_stages_recorded() -> None:
    response = client(stages(detect)).post("/match", json=PAIR)
    assert response.status_code == 200
    assert names(response.headers[HEADER]) == ["total", "ingress", "detector", "detector-busy", "decode"]


@pytest.mark.parametrize(
    ("fault", "status"), [(RuntimeError("broken"), 500), (Refused("UNAVAILABLE", "It is away"), 503)]
)
def test_an_error_tells_what_was_recorded_before_it(fault: Exception, status: int) -> None:
    with serve_log():
        response = client(stages(detect, embed=FakeNetwork(fault))).post("/match", json=PAIR)
    assert response.status_code == status
    assert names(response.headers[HEADER]) == ["total", "ingress", "detector", "detector-busy", "decode"]


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/health", 200), ("/nowhere", 404), ("/match", 405)])
def test_every_other_answer_has_it_too(path: str, status: int) -> None:
    response = client().get(path)
    assert response.status_code == status
    assert names(response.headers[HEADER]) == ["total", "ingress"]


def test_a_body_that_is_too_large_has_it_too() -> None:
    limits = LimitArgs(max_image_size=3)
    response = client(limits=limits).post("/match", content=b" " * 2 * limits.max_body)
    assert response.status_code == 413
    assert names(response.headers[HEADER]) == ["total", "ingress"]


def observed(*asked: tuple[str, str, dict[str, Any]]) -> list[AnsweredRequest]:
    """What whoever watches is told of these requests: method, path and the rest."""
    told: list[AnsweredRequest] = []
    watched = TestClient(create_app(replace(service(), observe=told.append)))
    for method, path, more in asked:
        watched.request(method, path, **more)
    return told


def test_each_answered_request_is_told_of_once_by_its_route() -> None:
    asked = [("POST", "/match", {"json": PAIR}), ("GET", "/health", {}), ("GET", "/v1/collections/jane", {})]
    told = observed(*asked)
    assert [(each.method, each.route, each.status, each.code) for each in told] == [
        ("POST", "/match", 200, ""),
        ("GET", "/health", 200, ""),
        ("GET", "/v1/collections/{collection}", 404, "COLLECTION_NOT_FOUND"),
    ]
    assert all(0 < each.seconds < 60 for each in told)
    assert told[0].did.outcomes["match", "match"] == 1
    assert told[0].did.outcomes["photo", "decoded"] == 2


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere/jane"), ("PATCH", "/match"), ("BREW", "/health")])
def test_what_no_route_has_is_told_of_without_its_path(method: str, path: str) -> None:
    [told] = observed((method, path, {}))
    assert (told.method, told.route) == ("OTHER", "other")
    assert told.code in ("NOT_FOUND", "METHOD_NOT_ALLOWED")


def test_a_request_whose_client_left_is_told_of_too() -> None:
    told: list[AnsweredRequest] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        sent_by(ServerTiming(inner, CallWindow(), told.append))
    [left] = told
    assert (left.route, left.status, left.code) == ("/", 499, "")
