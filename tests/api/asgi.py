"""Requests to an ASGI app without a client."""

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive

from project.request_error import RequestError


async def never() -> Message:
    """Fail: the app must not read the request's body."""
    raise AssertionError("the body was read")


async def ask(app: ASGIApp, receive: Receive = never, **scope: Any) -> list[Message]:
    """What `app` sends in response to a request, by default to POST /match with a body that must not be read."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    default = {"type": "http", "method": "POST", "path": "/match", "query_string": b"", "headers": []}
    await app({**default, **scope}, receive, send)
    return sent


def refuse(request: Request, refused: RequestError) -> Response:
    """A 503 that says which path was refused, and why."""
    return PlainTextResponse(f"{request.url.path}: {refused}", 503)
