"""Middleware that assigns request ids and limits the size and speed of request bodies."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import request_id_of
from api.route_bounds import bounds_of
from project.request_error import RequestError

BODY_PAUSE_S = 8.0
"""Maximum time between two chunks of a body, in seconds. HAProxy applies the same limit to the first chunk."""
MAX_VALUES = 1_000_000
"""Maximum number of values in a JSON body. As Python objects, empty lists take twenty times their encoded size."""
MAX_KEYS = 20_000
"""Maximum number of keys in a JSON body, counted by colons. Each unknown key costs a validation error."""


@dataclass(frozen=True, slots=True)
class RequestBounds:
    """ASGI middleware that gives each request an id and bounds its body.

    The id is in `request.state.request_id`. Ray Serve sets each request's ``X-Request-ID`` and repeats it in the
    response's headers. A body over the limit is rejected by its Content-Length if it has one, otherwise while it
    is read, so no more than the limit is held in memory. The numbers of values and keys in JSON bodies are
    also limited. A body that stalls is rejected after `BODY_PAUSE_S`, which frees its slot.

    Attributes:
        app: the inner app. Reading a body that is too large raises `RequestError` in it.
        max_body: maximum size of a body, in bytes.
        max_import: the same for routes that import. Their bodies have no limits on values and keys.
    """

    app: ASGIApp
    max_body: int
    max_import: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        request_id = request_id_of(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        promised, read, values, keys, whole, answered = _declared_length(headers), 0, 0, 0, False, False
        imports = bounds_of(scope).imports
        limit = self.max_import if imports else self.max_body
        is_json = not imports and not headers.get("content-type", "").lower().startswith("multipart/")

        async def bounded_receive() -> Message:
            nonlocal read, values, keys, whole
            if promised > limit:
                raise _too_large(limit)
            try:
                # After the body, only a disconnect can arrive, and it may take any time.
                async with asyncio.timeout(None if whole else BODY_PAUSE_S):
                    message = await receive()
            except TimeoutError:
                raise RequestError("REQUEST_TIMEOUT", "Timed out waiting for the rest of the request body") from None
            whole = not message.get("more_body", False)
            body = message.get("body", b"")
            read += len(body)
            if read > limit:
                raise _too_large(limit)
            if is_json:
                # In JSON, every value except the first follows one of these characters.
                values += _count(body, b",[{")
                keys += _count(body, b":")
                if values > MAX_VALUES or keys > MAX_KEYS:
                    raise RequestError(
                        "BODY_TOO_LARGE",
                        f"The JSON body exceeds the limit of {MAX_VALUES} values or {MAX_KEYS} keys",
                    )
            return message

        async def recording_send(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, bounded_receive, recording_send)
        except Exception:
            # Starlette re-raises an exception after the error response was sent and logged.
            if not answered:
                raise


def _too_large(limit: int) -> RequestError:
    return RequestError("BODY_TOO_LARGE", f"The request body exceeds the limit of {limit} bytes")


def _count(body: bytes, signs: bytes) -> int:
    # Chunks of base64 rarely contain these characters, and searching is ten times faster than counting.
    return sum(body.count(sign) for sign in signs if sign in body)


def _declared_length(headers: Mapping[str, str]) -> int:
    declared = headers.get("content-length", "")
    # Python cannot parse thousands of digits.
    return int(declared[:20]) if declared.isascii() and declared.isdigit() else 0
