"""A blocking client of the real app in this process."""

import asyncio

import httpx
from starlette.types import ASGIApp

from api.app import create_app
from api.settings import LimitArgs
from facegraph.client import Client
from tests.fakes import People, service

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


def in_process(limits: LimitArgs | None = None) -> Client:
    """A client with a collection called staff, for which photos are words; see `tests.fakes.People`."""
    client = Client(ADDRESS, transport=InProcess(create_app(service(People().stages(), limits))))
    client.put_collection("staff", threshold=0.3)
    return client
