"""Headers that restrict what a browser does with a response."""

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import page

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

STRICT = "default-src 'none'; frame-ancestors 'none'"
DOCUMENTATION = "; ".join(
    [
        "default-src 'none'",
        # FastAPI's pages contain an inline script and load Swagger UI and ReDoc from these sites.
        "script-src 'unsafe-inline' https://cdn.jsdelivr.net",
        "style-src 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com",
        "font-src https://fonts.gstatic.com",
        "img-src data: https://fastapi.tiangolo.com https://cdn.redoc.ly",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
REVALIDATED = {"Cache-Control": "no-cache"}
"""For the web UI's files: public, cacheable, and revalidated by their ETag each time."""


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """ASGI middleware that adds `HEADERS` and the path's Content-Security-Policy to every response."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = _of(scope["path"])

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                for name, value in (HEADERS | own).items():
                    headers[name] = value
                message = {**message, "headers": headers.raw}
            await send(message)

        await self.app(scope, receive, guarded_send)


def _of(path: str) -> dict[str, str]:
    if path in page.PATHS:
        return {"Content-Security-Policy": page.POLICY, **REVALIDATED}
    return {"Content-Security-Policy": DOCUMENTATION if path in ("/docs", "/redoc") else STRICT}
