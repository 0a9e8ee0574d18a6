"""The number of requests that an ingress replica serves at once."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import page
from imaging.refused import Refused

ALWAYS = frozenset(
    {"/", "/health", "/livez", "/readyz", "/api/v1/health", "/docs", "/redoc", "/openapi.json", *page.PATHS}
)
"""Paths that are answered under any load and without a key: health, documentation and the page."""
WATCHING = frozenset({"/metrics", "/v1/status"})
"""Paths that are answered under any load, but need a key: they are needed most when load is high."""


class Admission:
    """ASGI middleware that refuses a request, with its body unread, while `most` others are running.

    Args:
        app: the inner app.
        most: most requests at once.
        refuse: builds the response to a refused request.
    """

    def __init__(self, app: ASGIApp, most: int, refuse: Callable[[Request, Refused], Response]) -> None:
        self._app = app
        self._most = most
        self._refuse = refuse
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
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
