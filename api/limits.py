"""What surrounds every request: its id, and the size and the pace of its body."""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import request_id_of
from imaging.refused import Refused

BODY_PAUSE_S = 8.0
"""Between two pieces of a body: as long as HAProxy waits for the first one (deployments/haproxy.sed)."""
MOST_VALUES = 1_000_000
"""Of a body in JSON: as objects, empty lists take twenty times the bytes that they are sent in."""
MOST_KEYS = 20_000
"""Of a body in JSON, as colons: each that no route knows is a problem to be described."""


class RequestBounds:
    """An ASGI app in which each request has an id and a bounded body.

    The id stands in `request.state.request_id`; Ray Serve, which gives each request its ``X-Request-ID``,
    puts it into the answer's headers. A body is
    refused by its declared length before any of it is read, and by its real length as it is read,
    so that no more than the limit is ever held; one in JSON also by how many values it has. One that stops coming is
    refused after `BODY_PAUSE_S`, so that it holds its place no longer.

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
        promised, read, values, keys, whole, answered = _declared_length(headers), 0, 0, 0, False, False
        holds_files = headers.get("content-type", "").lower().startswith("multipart/")

        async def bounded_receive() -> Message:
            nonlocal read, values, keys, whole
            if promised > self._max_body:
                raise self._too_large()
            try:
                # What comes after the body is the connection's end, which may take as long as it likes.
                async with asyncio.timeout(None if whole else BODY_PAUSE_S):
                    message = await receive()
            except TimeoutError:
                raise Refused("REQUEST_TIMEOUT", "The rest of the request did not arrive in time") from None
            whole = not message.get("more_body", False)
            body = message.get("body", b"")
            read += len(body)
            if read > self._max_body:
                raise self._too_large()
            if not holds_files:
                # No value of JSON is without one of these but the first.
                values += _count(body, b",[{")
                keys += _count(body, b":")
                if values > MOST_VALUES or keys > MOST_KEYS:
                    raise Refused(
                        "BODY_TOO_LARGE",
                        f"The JSON has more than the {MOST_VALUES} values or {MOST_KEYS} keys accepted",
                    )
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


def _count(body: bytes, signs: bytes) -> int:
    # Most pieces of a photo's base64 have none, which is known at memory's speed; to count takes ten times as long.
    return sum(body.count(sign) for sign in signs if sign in body)


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("content-length", "")
    # Of thousands of digits Python makes no number.
    return int(declared[:20]) if declared.isascii() and declared.isdigit() else 0
