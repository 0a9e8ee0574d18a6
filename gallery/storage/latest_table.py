"""A table at its latest version."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from lancedb import AsyncConnection, AsyncTable

Trace: TypeAlias = tuple[int, int]
"""Inode and time of change, in nanoseconds, of the folder in which Lance writes one file per version of a table."""

SETTLED_S = 3.0
"""Seconds for which LanceDB is still asked after a change. File systems round the time of a change, some to two
seconds, so a second change within that time may not be visible in it."""


class LatestTable:
    """Follows a table of the gallery, so that each use sees every acknowledged change.

    Asking LanceDB takes half a millisecond. If the gallery is in a folder, LanceDB is asked only if the folder of
    the table's versions has changed within the last `SETTLED_S`.

    Args:
        connection: opens the table on first use.
        name: name of the table.

    Attributes:
        columns: names of the table's columns at the version that was returned last.
    """

    def __init__(self, connection: AsyncConnection, name: str) -> None:
        self.columns: Sequence[str] = ()
        self._connection = connection
        self._name = name
        self._versions = None if "://" in connection.uri else Path(connection.uri) / f"{name}.lance" / "_versions"
        self._table: AsyncTable | None = None
        self._version = -1
        self._trace: Trace | None = None
        self._since = 0.0
        self._settled = False

    async def latest(self) -> tuple[AsyncTable, int]:
        """Return the table at its latest version, and the number of the version.

        All callers get the same handle, so another call may check out a newer version while one reads.

        Raises:
            Exception: one of `gallery.storage.tables.UNREADABLE`.
        """
        # Read before the version, so that the next call notices a change in between.
        trace, now = self._folder_trace(), time.monotonic()
        if trace != self._trace:
            self._trace, self._since, self._settled = trace, now, False
        if self._table is None:
            self._table = await self._connection.open_table(self._name)
        if not self._settled:
            await self._table.checkout_latest()
            version = await self._table.version()
            if version != self._version:
                self.columns = (await self._table.schema()).names
                self._version = version
            if trace is not None and trace == self._trace:
                self._settled = now - self._since > SETTLED_S
        return self._table, self._version

    def _folder_trace(self) -> Trace | None:
        """Return the trace of the table's versions; None in an object store, or if there is no folder."""
        if self._versions is None:
            return None
        try:
            found = os.stat(self._versions)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
