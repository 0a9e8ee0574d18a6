"""The header Server-Timing: on every answer, with what its own request recorded."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.server_timing import ServerTiming
from graphs.calls import CallWindow
from graphs.settings import LimitArgs
from graphs.timing import Timed, record
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.refused import Refused
from tests.fakes import FakeDetector, FakeNetwork, client, photo, serve_log, stages

PAIR = {"image1": "QUJD", "image2": "QUJD"}
HEADER = "server-timing"


def names(header: str) -> list[str]:
    """What a header tells of, all of which must have the form of https://www.w3.org/TR/server-timing/."""
    entries = header.split(", ")
    assert all(re.fullmatch(r'[a-z-]+(;desc="[^"]*")?;dur=\d+\.\d', entry) for entry in entries)
    return [entry.partition(";")[0] for entry in entries]


async def detect(photos: Sequence[bytes], crops: Sequence[CropSpec], whole: bool) -> Detection:
    """Finds two good photos, and records it."""
    record("detector", "mtcnn", 0.0, 0.0, Timed(None, 0.0, {"decode": 0.0}))
    return await FakeDetector(photo(), photo())(photos, crops, whole)


def sent_by(app: ServerTiming) -> list[Message]:
    """What `app` answers a request with."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "headers": []}, None, send))  # type: ignore[arg-type]
    return sent


def test_the_time_is_from_the_requests_arrival_to_the_start_of_its_answer() -> None:
    headers = [(b"content-type", b"text/plain")]

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        record("gallery", "find", 3.0, 3.25)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        record("gallery", "too late", 3.0, 3.5)
        await send({"type": "http.response.body", "body": b"text"})

    start, body = sent_by(ServerTiming(inner, CallWindow(), iter([2.0, 4.0, 5.0]).__next__))
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

    [start] = sent_by(ServerTiming(inner, CallWindow(), iter([0.0, 0.5, 0.5]).__next__))
    assert start["headers"] == [(b"server-timing", b"total;dur=500.0, ingress;dur=500.0")]


def test_requests_side_by_side_have_their_own() -> None:
    barrier = asyncio.Barrier(2)

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await barrier.wait()
        record(scope["kind"], "any", 0.0, 0.0)
        await barrier.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    app = ServerTiming(inner, CallWindow())

    async def told(kind: str) -> str:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await app({"type": "http", "headers": [], "kind": kind}, None, send)  # type: ignore[arg-type]
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
