"""What the tests of the client share: both clients, asked the same way, of the real app and of scripted answers."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from facegraph.client import AsyncClient, Client

ADDRESS = "http://faces.example"
BOTH = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "asynchronous"])
"""For tests that both clients must stand."""


class InProcess(httpx.BaseTransport):
    """An ASGI app for a blocking client."""

    def __init__(self, app: ASGIApp) -> None:
        self._asgi = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            response = await self._asgi.handle_async_request(request)
            return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())

        return asyncio.run(ask())


class Asker:
    """One of the two clients; ``ask.detect(photo)`` gives what its method gives, pages as a list.

    Args:
        blocking: which one.
        transport: for the blocking one, and for the other; connections of its own without one.
        options: of the client.
    """

    def __init__(
        self,
        blocking: bool,
        transport: tuple[httpx.BaseTransport | None, httpx.AsyncBaseTransport | None] = (None, None),
        **options: Any,
    ) -> None:
        self._blocking = blocking
        self._transport = transport
        self._options = {"base_url": ADDRESS, **options}

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def ask(*args: Any, **options: Any) -> Any:
            if not self._blocking:
                return asyncio.run(self._awaited(method, *args, **options))
            with Client(transport=self._transport[0], **self._options) as client:
                result = getattr(client, method)(*args, **options)
                return list(result) if isinstance(result, Iterator) else result

        return ask

    async def _awaited(self, method: str, *args: Any, **options: Any) -> Any:
        async with AsyncClient(transport=self._transport[1], **self._options) as client:
            result = getattr(client, method)(*args, **options)
            return [item async for item in result] if inspect.isasyncgen(result) else await result


class Script:
    """Answers requests with `outcomes`, one after the other; an exception among them is raised.

    Attributes:
        requests: what was asked.
    """

    def __init__(self, *outcomes: httpx.Response | Exception) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        # A copy: an answer can be read once, and one that a parameter gives comes to several tests.
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)

    def transports(self) -> tuple[httpx.MockTransport, httpx.MockTransport]:
        """For an `Asker`."""
        return httpx.MockTransport(self), httpx.MockTransport(self)


def refusal(status: int, code: str, details: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    """An error as the service answers it."""
    error = {"code": code, "message": f"Something about {code}", "details": details or {}}
    return httpx.Response(
        status,
        json={"error": error, "request_id": "r-1"},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
