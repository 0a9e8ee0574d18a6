"""How long a request may take, and that what it waited for is cancelled."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.deadline import Deadline
from api.settings import LimitArgs
from gallery.writer import Writer
from graphs.stages import DetectionRequest
from imaging.faces import Detection
from imaging.refused import Refused
from tests.api.asgi import ask, never
from tests.fakes import FakeNetwork, client, serve_log, stages
from tests.local_gallery import LocalGallery


def refuse(request: Request, refused: Refused) -> Response:
    return PlainTextResponse(f"{request.url.path}: {refused}", 503)


def answer_to(app: ASGIApp, seconds: float, receive: Receive = never) -> list[Message]:
    return asyncio.run(ask(Deadline(app, seconds, refuse), receive))


async def hang(*args: Any, **options: Any) -> Any:
    await asyncio.Event().wait()


def test_a_request_that_takes_too_long_is_cancelled() -> None:
    cancelled = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await hang()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    start, body = answer_to(app, 0.02)
    assert start["status"] == 503
    assert body["body"] == b"/match: TIMEOUT: The request timed out after 0.02 seconds"
    assert cancelled == [True]


def test_a_body_that_never_comes_is_given_up() -> None:
    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    start, _ = answer_to(reading, 0.02, hang)
    assert start["status"] == 503


def test_another_timeout_is_a_fault_like_any_other() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        answer_to(failing, 60)
    pair = {"image1": "QUJD", "image2": "QUJD"}
    with serve_log() as log:
        response = client(stages(embed=FakeNetwork(TimeoutError("a driver's")))).post("/match", json=pair)
    assert (response.status_code, len(log)) == (500, 1)


def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await hang()

    with pytest.raises(TimeoutError):
        answer_to(slow, 0.02)


async def never_detects(question: DetectionRequest) -> Detection:
    await hang()
    raise AssertionError


class HangingGallery(LocalGallery):
    """A gallery whose calls never end."""

    async def opened(self) -> Writer:
        await hang()
        raise AssertionError


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/match", {"json": {"image1": "QUJD", "image2": "QUJD"}}), ("GET", "/list_faces", {})],
)
def test_the_app_gives_up_on_any_stage_after_the_time_of_its_settings(method: str, path: str, body: Any) -> None:
    hanging = stages(never_detects, gallery=HangingGallery())
    response = client(hanging, LimitArgs(request_timeout=0.05)).request(method, path, **body)
    assert response.status_code == 503
    assert "The request timed out after 0.05 seconds" in response.text
