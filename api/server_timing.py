"""The header ``Server-Timing`` of every answer: where its request's time went."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphs.timing import recording


class ServerTiming:
    """An ASGI app whose answers tell what `graphs.timing` recorded until they began.

    Args:
        app: what answers.
        clock: seconds.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with recording(self._clock()) as recorder:

            async def timed_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    entry = (b"server-timing", recorder.header(self._clock()).encode("ascii"))
                    message = {**message, "headers": [*message.get("headers", ()), entry]}
                await send(message)

            await self._app(scope, receive, timed_send)
