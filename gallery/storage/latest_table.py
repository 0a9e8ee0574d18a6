"""A table at its latest version."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lancedb import AsyncConnection, AsyncTable

Trace: TypeAlias = tuple[int, int]
"""Inode and time of change, in nanoseconds, of the folder in which Lance writes one file per version of a table."""

SETTLED_S = 3.0
"""Seconds for which LanceDB is still asked after a change. File systems round the time of a change, some to two
seconds, so a second change within that time may not be visible in it."""


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A table and its latest version.

    Attributes:
        table: callers may share the handle, so another call may check out a newer version while one reads.
        number: number of the version.
        columns: names of its columns.
    """

    table: AsyncTable
    number: int
    columns: Sequence[str]


class LatestTable:
    """Follows a table of the gallery, so that each use sees every acknowledged change.

    Asking LanceDB takes half a millisecond. If the gallery is in a folder, LanceDB is asked only if the folder of
    the table's versions has changed within the last `SETTLED_S`.

    Args:
        connection: opens the table on first use.
        name: name of the table.
    """

    def __init__(self, connection: AsyncConnection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._versions = None if "://" in connection.uri else Path(connection.uri) / f"{name}.lance" / "_versions"
        self._newest: TableVersion | None = None
        self._trace: Trace | None = None
        self._since = 0.0
        self._settled = False

    async def latest(self) -> TableVersion:
        """Return the table at its latest version.

        Raises:
            Exception: one of `gallery.storage.tables.UNREADABLE`.
        """
        # Read before the version, so that the next call notices a change in between.
        trace, now = self._folder_trace(), time.monotonic()
        if trace != self._trace:
            self._trace, self._since, self._settled = trace, now, False
        newest = self._newest
        if newest is None or not self._settled:
            newest = self._newest = await self._checked_out(newest)
            if trace is not None and trace == self._trace:
                self._settled = now - self._since > SETTLED_S
        return newest

    async def _checked_out(self, known: TableVersion | None) -> TableVersion:
        """Check out the latest version. Returns `known` if that is the latest."""
        table = known.table if known else await self._connection.open_table(self._name)
        await table.checkout_latest()
        number = await table.version()
        while known is None or known.number != number:
            known = TableVersion(table, number, (await table.schema()).names)
            # Another call may have checked out a newer version in the meantime.
            number = await table.version()
        return known

    def _folder_trace(self) -> Trace | None:
        """Return the trace of the table's versions; None in an object store, or if there is no folder."""
        if self._versions is None:
            return None
        try:
            found = os.stat(self._versions)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
