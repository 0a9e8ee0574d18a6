"""Request timeout."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imaging.refused import Refused


class Deadline:
    """ASGI middleware that cancels requests after a timeout. Reading the body counts towards it.

    Ray Serve then also cancels the request's calls to stages; queued calls are never started. Only a gallery write that
    has already started runs to completion.

    Args:
        app: the inner app.
        seconds: the timeout.
        refuse: builds the response to a cancelled request.
    """

    def __init__(self, app: ASGIApp, seconds: float, refuse: Callable[[Request, Refused], Response]) -> None:
        self._app = app
        self._seconds = seconds
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        answered = False

        async def noted_send(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        timeout = asyncio.timeout(self._seconds)
        try:
            async with timeout:
                await self._app(scope, receive, noted_send)
        except TimeoutError:
            # A TimeoutError raised by the app is an ordinary error, and a response that has started cannot be replaced.
            if answered or not timeout.expired():
                raise
            message = f"The request timed out after {self._seconds:g} seconds"
            await self._refuse(Request(scope), Refused("TIMEOUT", message))(scope, receive, send)
