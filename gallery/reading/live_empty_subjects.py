"""The list of subjects without faces, as a reader follows it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from lancedb import AsyncConnection, AsyncTable

from gallery.storage.empty_subjects import open_empty

Answer = TypeVar("Answer")


class LiveEmptySubjects:
    """Keeps the subjects that are listed beside one table of faces, at the list's latest version.

    Args:
        connection: opens the list on first use.
        table: name of the table of faces.
    """

    def __init__(self, connection: AsyncConnection, table: str) -> None:
        self._connection = connection
        self._name = table
        self._lock = asyncio.Lock()
        self._table: AsyncTable | None = None
        self._version = -1
        self._listed: Sequence[str] | None = None

    async def beside(self, read: Callable[[], Awaitable[Answer]]) -> tuple[Answer, Sequence[str]]:
        """Return the result of `read`, which reads the table of faces, and the listed ids in the order of code points.

        A subject that gets its first face or loses its last one changes from one table to the other in two commits.
        `read` is repeated if the list has changed meanwhile, so such a subject is in at least one of the two.
        """
        while True:
            before = self._listed
            answer = await read()
            if (listed := await self._latest()) is before:
                return answer, listed

    async def _latest(self) -> Sequence[str]:
        """Return the listed ids: the same object until the list changes."""
        async with self._lock:
            if self._table is None:
                self._table = await open_empty(self._connection, self._name)
            version = -1
            if self._table is not None:
                await self._table.checkout_latest()
                version = await self._table.version()
            if self._listed is None or version != self._version:
                found = [] if self._table is None else (await self._table.query().to_arrow())["subject"].to_pylist()
                self._listed, self._version = sorted(found), version
            return self._listed
