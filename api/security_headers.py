"""What every answer tells a browser to keep from."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        # The pages hold a script of their own, and load what draws them as FastAPI has it.
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
PAGES = frozenset({"/docs", "/redoc"})


class SecurityHeaders:
    """An ASGI app whose answers have `HEADERS` and a Content-Security-Policy: `STRICT` unless they are of `PAGES`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = DOCUMENTATION if scope["path"] in PAGES else STRICT

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                for name, value in (HEADERS | {"Content-Security-Policy": policy}).items():
                    headers[name] = value
                message = {**message, "headers": headers.raw}
            await send(message)

        await self._app(scope, receive, guarded_send)
