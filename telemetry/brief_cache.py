"""Answers that cost something, shared by all who want them in the same second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

FRESH_S = 1.0
"""Seconds that an answer is good for."""


class BriefCache(Generic[Answer]):
    """Asks for an answer at most once in `FRESH_S`, however many want it; an error is nobody's but the asker's.

    Args:
        ask: gives the answer.
    """

    def __init__(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._asking = asyncio.Lock()
        self._known: tuple[float, Answer] | None = None

    async def __call__(self) -> Answer:
        """The answer, no older than `FRESH_S`."""
        async with self._asking:
            if self._known is None or time.monotonic() - self._known[0] > FRESH_S:
                self._known = None
                answer = await self._ask()
                self._known = time.monotonic(), answer
            return self._known[1]
