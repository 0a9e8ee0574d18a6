"""How many requests an ingress replica works on at once."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import page
from imaging.refused import Refused

ALWAYS = frozenset(
    {"/", "/health", "/livez", "/readyz", "/api/v1/health", "/docs", "/redoc", "/openapi.json", *page.PATHS}
)
"""Paths that are answered however many requests there are: they cost little, and tell how the service is
or, as the page does, what to ask it."""
WATCHING = frozenset({"/metrics", "/v1/status"})
"""The same for those who may ask: never so needed as when there are too many."""


class Admission:
    """An ASGI app that refuses a request, with its body unread, while there are as many as it may work on.

    Args:
        app: what answers.
        most: requests at once.
        refuse: gives the answer to a request that is refused.
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
            message = "The service is working on as many requests as it can hold; try again shortly"
            response = self._refuse(Request(scope), Refused("OVERLOADED", message))
            return await response(scope, receive, send)
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
