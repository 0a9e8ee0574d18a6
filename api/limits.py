"""The bounds of every request: its id, and the size and pace of its body."""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import request_id_of
from imaging.refused import Refused

BODY_PAUSE_S = 8.0
"""Longest pause between two pieces of a body, in seconds: HAProxy waits as long for the first piece."""
MOST_VALUES = 1_000_000
"""Most values in a JSON body. As Python objects, empty lists take twenty times their encoded size."""
MOST_KEYS = 20_000
"""Most keys in a JSON body, counted by colons. Each unknown key costs a validation error."""


class RequestBounds:
    """ASGI middleware that gives each request an id and bounds its body.

    The id is in `request.state.request_id`. Ray Serve sets each request's ``X-Request-ID`` and repeats it in the
    response's headers. A body is refused by its declared length before it is read, and by its real length while it is
    read, so that memory holds no more than the limit; a JSON body also by its number of values. A body that stops
    arriving is refused after `BODY_PAUSE_S`, which frees its place.

    Args:
        app: the inner app. Reading a body that is too large raises `Refused` in it.
        max_body: most bytes of a body.
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
                # After the body only the end of the connection can arrive, at any time.
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
                # Each value of JSON but the first follows one of these.
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
            # Starlette raises a fault again after it was answered and logged with its request id.
            if not answered:
                raise

    def _too_large(self) -> Refused:
        return Refused("BODY_TOO_LARGE", f"The request has more than the {self._max_body} bytes that are accepted")


def _count(body: bytes, signs: bytes) -> int:
    # Most pieces of a photo's base64 have none. Searching is ten times faster than counting.
    return sum(body.count(sign) for sign in signs if sign in body)


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("content-length", "")
    # Python refuses to parse thousands of digits.
    return int(declared[:20]) if declared.isascii() and declared.isdigit() else 0
