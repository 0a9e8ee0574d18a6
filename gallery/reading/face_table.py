"""One table of faces, as a reader sees it."""

import time
from pathlib import Path

from lancedb import AsyncConnection, AsyncTable

from gallery.reading.live_empty_subjects import LiveEmptySubjects
from gallery.reading.live_roster import LiveRoster
from gallery.search.index_search import IndexSearch
from gallery.search.mirror import Mirror
from gallery.search.mirror_files import face_bytes
from gallery.search.probe_queue import ProbeQueue
from gallery.storage.latest_table import LatestTable, TableVersion
from gallery.storage.removals import RemovalFeed

RETRY_S = 600
"""Time before another attempt at a mirror that had no room, in seconds. Each attempt reads all faces."""


class FaceTable:
    """Reads a table of faces at its latest version.

    Args:
        connection: opens the table on first use.
        table: name of the table.

    Attributes:
        size: length of an embedding.
        roster: the subjects with faces, in memory.
        empty: the subjects without faces, in memory.
        mirror: a copy of the embeddings on this node; None before the first exact search, and if it needs too much
            memory.
        queue: probes waiting for an exact search.
        index: searches without the mirror.
        searched: time of the last exact search, by the monotonic clock.
        damaged: whether the last operation failed. `check` resets it.
    """

    def __init__(self, connection: AsyncConnection, table: str, size: int) -> None:
        self.size = size
        self.roster = LiveRoster(connection, table)
        self.empty = LiveEmptySubjects(connection, table)
        self.mirror: Mirror | None = None
        self.queue = ProbeQueue()
        self.index = IndexSearch()
        self.searched = 0.0
        self.damaged = False
        self._retry_at = 0.0
        self._connection = connection
        self._name = table
        self._latest = LatestTable(connection, table)

    @property
    def mirrored_bytes(self) -> int:
        """Memory used by the mirror, in bytes."""
        return self.mirror.bytes if self.mirror else 0

    async def latest(self) -> AsyncTable:
        """Return the table at its latest version."""
        return (await self.latest_version()).table

    async def latest_version(self) -> TableVersion:
        """Return the table at its latest version, with the version's number and columns."""
        return await self._latest.latest()

    async def check(self) -> None:
        """Open the latest version and, if an operation failed before, read all its rows.

        Raises:
            Exception: the table cannot be read.
        """
        table = await self.latest()
        if self.damaged:
            async for _ in await table.query().to_batches():
                pass
            self.damaged = False

    async def fits(self, most_bytes: int) -> bool:
        """Whether a mirror at the latest version would need at most `most_bytes`."""
        return await (await self.latest()).count_rows() * face_bytes(self.size) <= most_bytes

    async def refresh(self, most_bytes: int, mirrors: Path) -> Mirror | None:
        """Return the mirror at the latest version, or None if it would need more than `most_bytes`.

        Args:
            mirrors: folder for the files of mirrors.
        """
        mirror = self.mirror
        if mirror is None:
            if time.monotonic() < self._retry_at or not await self.fits(most_bytes):
                return None
            own, removals = LatestTable(self._connection, self._name), RemovalFeed(self._connection, self._name)
            mirror = self.mirror = Mirror(own, self.size, mirrors / self._name, removals)
        await mirror.refresh()
        self.searched = time.monotonic()
        if mirror.bytes > most_bytes:
            # If its files cannot be written, it takes more memory than `fits` expects.
            self._retry_at = time.monotonic() + RETRY_S
            self.drop_mirror()
        return self.mirror

    def has_mirror(self, mirrors: Path) -> bool:
        """Whether there is a mirror, or files of one from an earlier process."""
        return self.mirror is not None or (mirrors / self._name).is_dir()

    def drop_mirror(self) -> None:
        """Free the memory and the files of the mirror."""
        if self.mirror is not None:
            self.mirror.remove()
            self.mirror = None
