"""How long every request took: the header ``Server-Timing`` of its answer, and the window of recent requests."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphs.calls import CallWindow
from graphs.timing import recording


class ServerTiming:
    """An ASGI app whose answers tell what `graphs.timing` recorded until they began.

    Args:
        app: what answers.
        requests: where each is counted while it runs, and noted when it is answered.
        clock: seconds.
    """

    def __init__(self, app: ASGIApp, requests: CallWindow, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._requests = requests
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock()
        self._requests.begin()
        with recording(started) as recorder:

            async def timed_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    entry = (b"server-timing", recorder.header(self._clock()).encode("ascii"))
                    message = {**message, "headers": [*message.get("headers", ()), entry]}
                await send(message)

            try:
                await self._app(scope, receive, timed_send)
            finally:
                self._requests.end(started, self._clock())
