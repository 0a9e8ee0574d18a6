"""Measures a request as a whole: its ``Server-Timing`` header and its record for metrics."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.scopes import template
from telemetry.answered_request import AnsweredRequest, Observe, unobserved
from telemetry.call_window import CallWindow
from telemetry.request_record import recording

CLIENT_LEFT = 499
"""Status of a request whose client disconnected before the response began, as in nginx."""


class ServerTiming:
    """ASGI middleware that adds ``Server-Timing`` with what was recorded before the response began.

    Args:
        app: the inner app.
        requests: counts running requests and keeps recent ones.
        observe: called with each completed request.
        clock: returns seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        requests: CallWindow,
        observe: Observe = unobserved,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._requests = requests
        self._observe = observe
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = self._clock(), CLIENT_LEFT
        self._requests.begin()
        with recording(started) as recorder:

            async def timed_send(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    entry = (b"server-timing", recorder.header(self._clock()).encode("ascii"))
                    message = {**message, "headers": [*message.get("headers", ()), entry]}
                await send(message)

            try:
                await self._app(scope, receive, timed_send)
            finally:
                ended = self._clock()
                self._requests.end(started, ended)
                code = scope.get("state", {}).get("error_code", "")
                self._observe(AnsweredRequest(*template(scope), status, code, ended - started, recorder))
