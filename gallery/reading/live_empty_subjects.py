"""The list of subjects without faces, at its latest version."""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pyarrow as pa
from lancedb import AsyncConnection

from gallery.storage.empty_subjects import EMPTY_SCHEMA, open_empty
from gallery.storage.latest_table import LatestTable
from gallery.storage.side_tables import beside

Answer = TypeVar("Answer")


class LiveEmptySubjects:
    """Keeps the list of subjects without faces, which belongs to one table of faces, at its latest version.

    Args:
        connection: opens the list on first use.
        table: name of the table of faces.
    """

    def __init__(self, connection: AsyncConnection, table: str) -> None:
        self._connection = connection
        self._name = table
        self._lock = asyncio.Lock()
        self._latest_table: LatestTable | None = None
        self._version = -1
        self._listed: Sequence[str] | None = None

    async def beside(self, read: Callable[[], Awaitable[Answer]]) -> tuple[Answer, Sequence[str]]:
        """Return the result of `read`, which reads the table of faces, and the listed ids in the order of code points.

        A subject that gets its first face or loses its last one moves from one table to the other in two commits.
        The ids are those listed before or after `read`, so such a subject is in at least one of the two results.
        """
        before = await self._latest()
        answer = await read()
        after = await self._latest()
        return answer, after if after is before else await asyncio.to_thread(_union, before, after)

    async def _latest(self) -> Sequence[str]:
        """Return the listed ids: the same object until the list changes."""
        async with self._lock:
            if self._latest_table is None and await open_empty(self._connection, self._name):
                self._latest_table = LatestTable(self._connection, beside(self._name, "empty"))
            newest = await self._latest_table.latest() if self._latest_table else None
            version = newest.number if newest else -1
            if self._listed is None or version != self._version:
                rows = await newest.table.query().to_arrow() if newest else EMPTY_SCHEMA.empty_table()
                listed = await asyncio.to_thread(_sorted_ids, rows)
                self._listed, self._version = listed, version
            return self._listed


def is_listed(subject: str, listed: Sequence[str]) -> bool:
    """Whether ids in the order of code points contain a subject."""
    place = bisect_left(listed, subject)
    return place < len(listed) and listed[place] == subject


def _sorted_ids(rows: pa.Table) -> list[str]:
    # An object store does not lock out a second writer, so two writers may have listed the same subject.
    return sorted({*rows["subject"].to_pylist()})


def _union(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return sorted({*one, *other})
