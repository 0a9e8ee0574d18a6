"""A one-second cache for a result that is expensive to get."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

MAX_AGE_S = 1.0
"""How long a result is reused, in seconds."""


class BriefCache(Generic[Answer]):
    """Calls `ask` at most once per `MAX_AGE_S`, for any number of concurrent callers.

    Errors are not cached: the caller that got one raises it, and the next caller asks again.
    """

    def __init__(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()
        self._cached: tuple[float, Answer] | None = None

    async def __call__(self) -> Answer:
        """Return the result, at most `MAX_AGE_S` old."""
        async with self._lock:
            if self._cached is None or time.monotonic() - self._cached[0] > MAX_AGE_S:
                self._cached = None
                answer = await self._ask()
                self._cached = time.monotonic(), answer
            return self._cached[1]
