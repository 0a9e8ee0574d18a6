"""A request's body as a file, for libraries that block while they read and therefore run in a thread."""

import asyncio
from collections.abc import AsyncIterator


class BodyFile:
    """Reads a body while it arrives, from a thread other than the event loop's.

    Args:
        chunks: the body. Each chunk is awaited only when it is read.
        loop: the running event loop.
    """

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        self._held = bytearray()

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end. Raises what `chunks` raises."""
        while len(self._held) < size:
            chunk = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
            if chunk is None:
                break
            self._held += chunk
        read = bytes(self._held[:size])
        del self._held[:size]
        return read

    async def _next(self) -> bytes | None:
        return await anext(self._chunks, None)
