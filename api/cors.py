"""Cross-site access from browsers (CORS)."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from project.request_error import RequestError

OPEN = "/api/v1/"
"""Path prefix open to cross-site requests: the DeepFace contract only. The gallery is never open to other sites."""


_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_other_sites(request: Request) -> None:
    """Reject cross-site requests that change data. Without API keys, any website could otherwise enrol photos.

    Browsers submit forms to other sites without a preflight, but mark such requests with ``Sec-Fetch-Site`` over HTTPS
    and on localhost.

    Raises:
        RequestError: ``FORBIDDEN``.
    """
    is_open = request.method in _READS or request.scope["path"].startswith(OPEN)
    if not is_open and request.headers.get("sec-fetch-site") == "cross-site":
        raise RequestError("FORBIDDEN", "Cross-site requests are not allowed on this route")


class _Cors(CORSMiddleware):
    def preflight_response(self, request_headers: Headers) -> Response:
        """Return Starlette's response, with errors as JSON instead of plain text."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        detail = {"code": "INVALID_REQUEST", "message": bytes(answer.body).decode()}
        return JSONResponse({"detail": detail}, answer.status_code, self.preflight_headers)


class OpenPaths:
    """ASGI middleware that allows other sites (CORS) to call the paths below `OPEN`.

    Args:
        app: the inner app.
        origins: origins of the sites, comma-separated; ``*`` for any, empty for none.
    """

    def __init__(self, app: ASGIApp, origins: str) -> None:
        named = [origin.strip() for origin in origins.split(",") if origin.strip()]
        self._app = app
        self._open = _Cors(
            app,
            allow_origins=named,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Retry-After", "Server-Timing"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._open if scope["path"].startswith(OPEN) else self._app)(scope, receive, send)
