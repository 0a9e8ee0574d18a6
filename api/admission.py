"""Limits the number of concurrent requests per ingress replica."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api import page
from api.contracts.rekognition.target import has_target
from api.errors import Refuse
from project.request_error import RequestError

ALWAYS = frozenset(
    {"/", "/health", "/livez", "/readyz", "/api/v1/health", "/docs", "/redoc", "/openapi.json", *page.PATHS}
)
"""Paths that are served under any load and without a key: health, documentation and the web UI."""
WATCHING = frozenset({"/metrics", "/v1/status"})
"""Paths that are served under any load, because monitoring matters most when the service is overloaded.

If keys are required, these paths need one.
"""


def is_open(connection: Scope) -> bool:
    """Whether a request is for one of the paths in `ALWAYS`, and not for an operation of an AWS client."""
    return connection["path"] in ALWAYS and not has_target(connection)


@dataclass(slots=True)
class Admission:
    """ASGI middleware that rejects requests over the concurrency limit without reading their bodies.

    Attributes:
        app: the inner app.
        most: maximum number of concurrent requests.
        refuse: builds the response to a rejected request.
    """

    app: ASGIApp
    most: int
    refuse: Refuse
    _running: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_open(scope) or scope["path"] in WATCHING:
            return await self.app(scope, receive, send)
        if self._running >= self.most:
            message = "The service has reached its limit of concurrent requests; try again shortly"
            return await self.refuse(Request(scope), RequestError("OVERLOADED", message))(scope, receive, send)
        self._running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._running -= 1
