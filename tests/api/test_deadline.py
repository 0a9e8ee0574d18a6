"""How long a request may take, and what becomes of what it waited for."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from api.deadline import Deadline
from api.settings import LimitArgs
from gallery.writer import Writer
from imaging.refused import Refused
from tests.fakes import FakeDetector, LocalGallery, photo, service, stages


def refuse(request: Request, refused: Refused) -> Response:
    return PlainTextResponse(f"{request.url.path}: {refused}", 503)


async def answer_to(app: ASGIApp, seconds: float, receive: Any = None) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Deadline(app, seconds, refuse)({"type": "http", "path": "/match", "headers": []}, receive, send)
    return sent


class Forever:
    """An ASGI app that waits forever, and knows when it was told not to."""

    cancelled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


def test_a_request_that_takes_too_long_is_given_up() -> None:
    app = Forever()
    start, body = asyncio.run(answer_to(app, 0.02))
    assert start["status"] == 503
    assert body["body"] == b"/match: TIMEOUT: The request took longer than 0.02 seconds"
    assert app.cancelled


def test_a_body_that_never_comes_is_given_up() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def reading(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    start, _ = asyncio.run(answer_to(reading, 0.02, never))
    assert start["status"] == 503


def test_a_request_in_time_is_answered_as_it_is() -> None:
    async def quick(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("found")(scope, receive, send)

    start, body = asyncio.run(answer_to(quick, 60))
    assert (start["status"], body["body"]) == (200, b"found")


def test_another_timeout_is_a_fault_like_any_other() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        asyncio.run(answer_to(failing, 60))


def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(answer_to(slow, 0.02))


def test_what_is_no_request_has_no_deadline() -> None:
    async def seen(scope: Scope, receive: Receive, send: Send) -> None:
        scope["seen"] = True

    scope: dict[str, Any] = {"type": "lifespan"}
    asyncio.run(Deadline(seen, 0, refuse)(scope, None, None))  # type: ignore[arg-type]
    assert scope["seen"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/list_faces"), ("GET", "/v1/collections"), ("POST", "/add_face"), ("GET", "/stats")]
)
def test_every_route_has_it_in_its_own_form(method: str, path: str) -> None:
    class Hanging(LocalGallery):
        async def opened(self) -> Writer:
            await asyncio.Event().wait()
            raise AssertionError

    async def run() -> httpx.Response:
        made = stages(FakeDetector(photo()), gallery=Hanging())
        app = create_app(service(made, limits=LimitArgs(request_timeout=0.1)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            form: dict[str, Any] = (
                {"data": {"id": "jane"}, "files": {"file": ("jane.jpg", b"photo")}} if method == "POST" else {}
            )
            return await client.request(method, path, **form)

    answer = asyncio.run(run())
    assert answer.status_code == 503
    assert "The request took longer than 0.1 seconds" in answer.text
    assert answer.headers["Retry-After"] == "1"
    assert set(answer.json()) == ({"error", "request_id"} if path.startswith("/v1/") else {"detail"})
