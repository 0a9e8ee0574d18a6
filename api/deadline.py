"""The time limit of a request."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imaging.refused import Refused


class Deadline:
    """ASGI middleware that cancels a request after a time limit, which includes reading its body.

    Ray Serve cancels the request's calls of stages with it: a call that waits in a replica's queue does not start.
    Only a change of the gallery that has started runs to its end.

    Args:
        app: the inner app.
        seconds: the time limit.
        refuse: builds the response to a cancelled request.
    """

    def __init__(self, app: ASGIApp, seconds: float, refuse: Callable[[Request, Refused], Response]) -> None:
        self._app = app
        self._seconds = seconds
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
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
            # A timeout from inside is a fault like any other; a response that has begun cannot be replaced.
            if answered or not timeout.expired():
                raise
            message = f"The request took longer than {self._seconds:g} seconds"
            await self._refuse(Request(scope), Refused("TIMEOUT", message))(scope, receive, send)
