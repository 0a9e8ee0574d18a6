"""Measures a request as a whole: its ``Server-Timing`` header and its record for metrics."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.scopes import route_label
from telemetry.call_window import CallWindow
from telemetry.request_record import AnsweredRequest, Observe, recording, unobserved

CLIENT_LEFT = 499
"""Status of a request whose client disconnected before the response began, as in nginx."""


@dataclass(frozen=True, slots=True)
class ServerTiming:
    """ASGI middleware that adds ``Server-Timing``, which lists the steps recorded before the response began.

    Attributes:
        app: the inner app.
        requests: counts running requests and keeps recent ones.
        observe: called with each completed request.
        clock: returns seconds.
    """

    app: ASGIApp
    requests: CallWindow
    observe: Observe = unobserved
    clock: Callable[[], float] = time.perf_counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = self.clock(), CLIENT_LEFT
        self.requests.begin()
        with recording(started) as recorder:

            async def timed_send(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    entry = (b"server-timing", recorder.header(self.clock()).encode("ascii"))
                    message = {**message, "headers": [*message.get("headers", ()), entry]}
                await send(message)

            try:
                await self.app(scope, receive, timed_send)
            finally:
                ended = self.clock()
                self.requests.end(started, ended)
                code = scope.get("state", {}).get("error_code", "")
                self.observe(AnsweredRequest(*route_label(scope), status, code, ended - started, recorder))
