"""Request timeout."""

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Refuse
from api.route_bounds import bounds_of
from project.request_error import RequestError


@dataclass(frozen=True, slots=True)
class Deadline:
    """ASGI middleware that cancels requests after a timeout, which includes reading the body.

    When a request is cancelled, Ray Serve also cancels its calls to stages; queued calls are never started. Only a
    gallery write that has already started runs to completion. `api.route_bounds` lists the routes without this timeout.

    Attributes:
        app: the inner app.
        seconds: the timeout.
        refuse: builds the response to a cancelled request.
    """

    app: ASGIApp
    seconds: float
    refuse: Refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not bounds_of(scope).timed:
            return await self.app(scope, receive, send)
        answered = False

        async def recording_send(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        timeout = asyncio.timeout(self.seconds)
        try:
            async with timeout:
                await self.app(scope, receive, recording_send)
        except TimeoutError:
            # A TimeoutError raised by the app is an ordinary error, and a response that has started cannot be replaced.
            if answered or not timeout.expired():
                raise
            message = f"The request timed out after {self.seconds:g} seconds"
            await self.refuse(Request(scope), RequestError("TIMEOUT", message))(scope, receive, send)
