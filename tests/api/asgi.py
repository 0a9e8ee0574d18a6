"""Requests to an ASGI app without a client."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive


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
