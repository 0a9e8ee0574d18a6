"""Both clients behind one interface, connected to the real app in this process."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from facegraph.client import AsyncClient, Client

ADDRESS = "http://faces.example"
BOTH = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
"""For tests that must pass with both clients."""


class InProcess(httpx.BaseTransport):
    """Sends a blocking client's requests to an ASGI app."""

    def __init__(self, app: ASGIApp) -> None:
        self._asgi = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            response = await self._asgi.handle_async_request(request)
            return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())

        return asyncio.run(ask())


class EitherClient:
    """Calls a method of `Client` or `AsyncClient`: ``client.detect(photo)`` returns its result, and pages as a list.

    Args:
        blocking: which client.
        transport: an httpx transport that serves the client.
        options: keyword arguments of the client.
    """

    def __init__(self, blocking: bool, transport: Any, **options: Any) -> None:
        self._blocking = blocking
        self._options = {"base_url": ADDRESS, "transport": transport, **options}

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if not self._blocking:
                return asyncio.run(self._awaited(method, *args, **options))
            with Client(**self._options) as client:
                result = getattr(client, method)(*args, **options)
                return list(result) if isinstance(result, Iterator) else result

        return call

    async def _awaited(self, method: str, *args: Any, **options: Any) -> Any:
        async with AsyncClient(**self._options) as client:
            result = getattr(client, method)(*args, **options)
            return [item async for item in result] if inspect.isasyncgen(result) else await result
