"""Ids of faces and keys of subjects in memory, so that enrolling a new face needs no look-up in its table."""

import asyncio
from typing import Any

import numpy as np
import pyarrow as pa
from lancedb import AsyncTable
from numpy.typing import NDArray

from gallery.storage.hex_column import decoded_hex
from gallery.storage.memory import return_memory

BATCH = 65_536
"""Rows to read at a time."""


class KnownKeys:
    """The ids and keys in one table, in 8 bytes each, and possibly some that it no longer contains.

    They are complete only for the writer of a folder, which makes one change at a time. Adding a face takes 16 bytes.
    Create it with `of`.
    """

    def __init__(self) -> None:
        # Sorted arrays. Each is more than twice as long as the next, so there are few of them.
        self._parts: list[NDArray[np.uint64]] = []
        self._version = self._commit = -1

    @classmethod
    async def of(cls, table: AsyncTable) -> "KnownKeys":
        """Read all ids and keys of a table. Takes about a second for a million faces."""
        known = cls()
        await known.follow(table)
        await asyncio.to_thread(return_memory)
        return known

    async def follow(self, table: AsyncTable) -> None:
        """Read the ids and keys of commits that were not passed to `add`."""
        if (version := await table.version()) != self._version:
            query = table.query().where(f"commit > {self._commit}").select(["id", "subject_key", "commit"])
            newest = self._commit
            async for batch in await query.to_batches(max_batch_length=BATCH):
                newest = max(newest, await asyncio.to_thread(self._add, batch))
            # Only now, because reading may fail halfway.
            self._commit, self._version = newest, version

    async def add(self, rows: pa.Table, table: AsyncTable) -> None:
        """Add the ids and keys of a commit that was just made, after `follow`, in the same change."""
        self._commit = max(self._commit, await asyncio.to_thread(self._add, rows))
        self._version = await table.version()

    def may_contain(self, *columns: Any) -> bool:
        """Whether the table may contain one of these ids or keys.

        Args:
            columns: Arrow arrays or lists of 32 hex digits each.
        """
        wanted = np.concatenate([_numbers(column) for column in columns])
        for part in self._parts:
            places = np.searchsorted(part, wanted)
            if np.any(part[np.minimum(places, len(part) - 1)] == wanted):
                return True
        return False

    def _add(self, rows: pa.Table | pa.RecordBatch) -> int:
        """Add the ids and keys of rows, and return their newest commit."""
        if not len(rows):
            return -1
        parts = [*self._parts, np.sort(np.concatenate([_numbers(rows[name]) for name in ("id", "subject_key")]))]
        while len(parts) > 1 and 2 * len(parts[-1]) >= len(parts[-2]):
            # A stable sort merges sorted runs.
            parts[-2:] = [np.sort(np.concatenate(parts[-2:]), kind="stable")]
        self._parts = parts
        return int(rows["commit"].to_numpy().max())


def _numbers(digits: Any) -> NDArray[np.uint64]:
    """Return the 16 bytes that each string stands for, folded into a number of 8."""
    column = digits if isinstance(digits, pa.Array | pa.ChunkedArray) else pa.array(digits, pa.string())
    halves = np.frombuffer(decoded_hex(column), np.uint64)
    # Imported ids may begin alike.
    return halves[::2] ^ halves[1::2]
