"""A transport that connects a blocking client to the real app in this process."""

import asyncio

import httpx
from starlette.types import ASGIApp

ADDRESS = "http://faces.example"


class InProcess(httpx.BaseTransport):
    """Sends requests to an ASGI app."""

    def __init__(self, app: ASGIApp) -> None:
        self._asgi = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            response = await self._asgi.handle_async_request(request)
            return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())

        return asyncio.run(ask())
