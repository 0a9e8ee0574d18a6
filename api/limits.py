"""What surrounds every request: its id, the size of its body, and its time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import request_id_of
from imaging.refused import Refused


class RequestBounds:
    """An ASGI app in which each request has an id and a bounded body.

    The id stands in `request.state.request_id`; Ray Serve, which gives each request its ``X-Request-ID``,
    puts it into the answer's headers. A body is
    refused by its declared length before any of it is read, and by its real length as it is read,
    so that no more than the limit is ever held.

    Args:
        app: what answers; a body that is too large reaches it as `Refused` from its first read.
        max_body: bytes.
    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        request_id = request_id_of(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        promised, read, answered = _declared_length(headers), 0, False

        async def bounded_receive() -> Message:
            nonlocal read
            if promised > self._max_body:
                raise self._too_large()
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_body:
                raise self._too_large()
            return message

        async def noted_send(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, bounded_receive, noted_send)
        except Exception:
            # A fault that was answered has been logged with its request id: Starlette raises it once
            # more for servers that would not know of it otherwise.
            if not answered:
                raise

    def _too_large(self) -> Refused:
        return Refused("BODY_TOO_LARGE", f"The request has more than the {self._max_body} bytes that are accepted")


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Cancel what is awaited inside after `seconds`.

    Raises:
        Refused: ``TIMEOUT``.
    """
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            yield
    except TimeoutError:
        if not timeout.expired():
            # Somebody else's, from inside: a fault like any other.
            raise
        raise Refused("TIMEOUT", f"The request took longer than {seconds:g} seconds") from None


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0
