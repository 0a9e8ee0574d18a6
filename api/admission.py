"""Limits the number of concurrent requests per ingress replica."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import page
from imaging.refused import Refused

ALWAYS = frozenset(
    {"/", "/health", "/livez", "/readyz", "/api/v1/health", "/docs", "/redoc", "/openapi.json", *page.PATHS}
)
"""Paths that are served under any load and without a key: health, documentation and the web UI."""
WATCHING = frozenset({"/metrics", "/v1/status"})
"""Paths that are served under any load, but need a key: they are needed most when load is high."""


class Admission:
    """ASGI middleware that rejects requests over the concurrency limit without reading their bodies.

    Args:
        app: the inner app.
        most: maximum number of concurrent requests.
        refuse: builds the response to a rejected request.
    """

    def __init__(self, app: ASGIApp, most: int, refuse: Callable[[Request, Refused], Response]) -> None:
        self._app = app
        self._most = most
        self._refuse = refuse
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS or scope["path"] in WATCHING:
            return await self._app(scope, receive, send)
        if self._running >= self._most:
            message = "The service has reached its limit of concurrent requests; try again shortly"
            response = self._refuse(Request(scope), Refused("OVERLOADED", message))
            return await response(scope, receive, send)
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
