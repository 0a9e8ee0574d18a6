"""How long a request may take."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imaging.refused import Refused


class Deadline:
    """An ASGI app that gives a request up after a time, the reading of its body included.

    Whatever the request awaits is cancelled. Ray Serve cancels its calls of stages with it, and what waits in a
    replica for its turn is not begun. Only a change of the gallery that has begun goes on to its end.

    Args:
        app: what answers.
        seconds: that it has.
        refuse: gives the answer to a request that is given up.
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
            # Somebody else's, from inside, is a fault like any other; an answer that has begun cannot be changed.
            if answered or not timeout.expired():
                raise
            message = f"The request took longer than {self._seconds:g} seconds"
            await self._refuse(Request(scope), Refused("TIMEOUT", message))(scope, receive, send)
