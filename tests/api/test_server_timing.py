"""The header Server-Timing, and the record of each answered request."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api.app import create_app
from api.server_timing import ServerTiming
from telemetry.call_window import CallStatistics, CallWindow
from telemetry.request_record import AnsweredRequest, StageCall, record_call
from tests.api.asgi import ask
from tests.fakes import service

PAIR = {"image1": "QUJD", "image2": "QUJD"}


@pytest.mark.parametrize("headers", [{}, {"headers": [(b"content-type", b"text/plain")]}])
async def test_the_time_is_from_the_requests_arrival_to_the_start_of_its_answer(headers: dict[str, Any]) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        record_call(StageCall("gallery", "find", 3.0, 3.25))
        await send({"type": "http.response.start", "status": 200, **headers})
        record_call(StageCall("gallery", "too late", 3.0, 3.5))
        await send({"type": "http.response.body", "body": b"text"})

    before, window = [*headers.get("headers", [])], CallWindow(lambda: 5.0)
    start, body = await ask(ServerTiming(inner, window, clock=iter([2.0, 4.0, 5.0]).__next__))
    timing = (b"server-timing", b'total;dur=2000.0, ingress;dur=1750.0, gallery;desc="find";dur=250.0')
    assert start == {"type": "http.response.start", "status": 200, "headers": [*before, timing]}
    assert body == {"type": "http.response.body", "body": b"text"}
    assert headers.get("headers", []) == before
    assert window.statistics == CallStatistics(ongoing=0, recent=1, p50_s=3.0, p95_s=3.0)


def observed(*asked: tuple[str, str, dict[str, Any]]) -> list[AnsweredRequest]:
    """The records of these requests, each a method, a path and the body."""
    told: list[AnsweredRequest] = []
    watched = TestClient(create_app(replace(service(), observe=told.append)))
    for method, path, more in asked:
        watched.request(method, path, **more)
    return told


def test_each_answered_request_is_recorded_once_by_its_route() -> None:
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
def test_an_unknown_route_is_recorded_without_its_path(method: str, path: str) -> None:
    [told] = observed((method, path, {}))
    assert (told.method, told.route) == ("OTHER", "other")
    assert told.code in ("NOT_FOUND", "METHOD_NOT_ALLOWED")


async def test_a_request_whose_client_left_is_recorded() -> None:
    told: list[AnsweredRequest] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ask(ServerTiming(inner, CallWindow(), told.append), method="GET", path="/")
    [left] = told
    assert (left.route, left.status, left.code) == ("/", 499, "")
